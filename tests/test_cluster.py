"""Imports and sweeps on a Ray cluster of several nodes: bit for bit what one machine makes, whoever dies meanwhile."""

from __future__ import annotations

import json
import sys
import textwrap
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hubstats import pipeline
from hubstats.ask import connect
from hubstats.detect import DETECTOR_VERSION, batch, detect
from hubstats.detect.batch import batches, detect_batch, lost
from hubstats.engines import open_engine
from hubstats.records import Document, SourceOptions
from hubstats.sources import _code_files, _code_parquet
from hubstats.sources.code import Code
from hubstats.techniques import load
from hubstats_bench.experiment import shipped
from hubstats_bench.runner import Outcome, Progress, sweep
from tests.bench.conftest import tiny_run
from tests.conftest import Run
from tests.test_code import CLASSES, NOW, TRAIN, Crawl, commit, write
from tests.test_code_parquet import corpus, many
from tests.test_dump_import import dump

pytestmark = pytest.mark.cluster

CASES = Path(__file__).parent / "cases"


@pytest.fixture
def node(cluster: Any) -> Iterator[Any]:
    """One more node, which the test may take away."""
    added = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    yield added
    if added in cluster.list_all_nodes():
        cluster.remove_node(added)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces of work from few files."""
    monkeypatch.setattr(_code_files, "SHARD_FILES", 20)
    monkeypatch.setattr(_code_parquet, "SHARD_FILES", 20)
    monkeypatch.setattr(batch, "MOST", 40)


def test_code_is_the_same_from_a_cluster(cluster: Any, node: Any, small_shards: None, tmp_path: Path) -> None:
    files = {f"{i % 7}/{i:03}.py": TRAIN + f"# {i}" if i % 3 else "import os" for i in range(300)}
    commit(tmp_path / "all" / "proj", files)
    commit(tmp_path / "all" / "other", {"a.py": TRAIN})
    corpus(tmp_path / "corpora" / "a.parquet", many(200), row_group_size=10)
    write(tmp_path / "folder", {**files, "adapter_config.json": '{"peft_type": "LORA"}'})
    places = [tmp_path / name for name in ("all", "corpora", "folder")]
    here = Crawl(*places).pages
    assert len(here) > 40
    with open_engine("ray", address=cluster.address) as engine:
        pages = Code(places, CLASSES, print, now=lambda: NOW, engine=engine).pages({})
        first = next(pages)
        cluster.remove_node(node, allow_graceful=False)
        assert [first, *pages] == here


def test_cards_are_judged_the_same_by_a_cluster(cluster: Any, node: Any, small_shards: None) -> None:
    texts = [
        case["text"]
        for path in sorted(CASES.glob("*.toml"))
        for cases in tomllib.loads(path.read_text(encoding="utf-8")).values()
        for case in cases
        if isinstance(case, dict) and "text" in case
    ]
    assert len(texts) > 500
    documents = [Document("dump", f"a/{number}", card=text) for number, text in enumerate(texts)]
    here = [detect(document, load()) for document in documents]
    there = []
    with open_engine("ray", address=cluster.address) as engine:
        for judged in engine.map(detect_batch, batches(documents, DETECTOR_VERSION), lost=lost):
            if not there:
                cluster.remove_node(node, allow_graceful=False)
            there += judged
    assert there == here


def test_a_dump_lands_the_same_from_a_cluster(
    cluster: Any, node: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(batch, "MOST", 40)
    path = dump(tmp_path / "cards.parquet", 3_500)

    class Killing(pipeline.Silent):
        """Takes a node away as soon as something is done."""

        def advance(self, task: str, items: int, total: int | None = None) -> None:
            if node in cluster.list_all_nodes():
                cluster.remove_node(node, allow_graceful=False)

    found = []
    for name, engine in (
        ("here", open_engine("local", workers=1)),
        ("there", open_engine("ray", address=cluster.address)),
    ):
        db = tmp_path / f"{name}.duckdb"
        progress = Killing() if name == "there" else pipeline.Silent()
        [report] = pipeline.crawl(db, ["dump"], SourceOptions(path=str(path)), progress, engine=engine)
        assert report.state == "done", report.message
        with connect(db) as answers:
            found.append(
                [
                    answers.sql(f"SELECT * EXCLUDE ({times}) FROM {table} ORDER BY ALL").rows()
                    for table, times in {
                        "hub_model": "seen_at",
                        "model_card": "fetched_at",
                        "verdict": "source",
                        "detection": "source",
                        "subject": "seen_at",
                        "estimate": "as_of",
                    }.items()
                ]
            )
    assert node not in cluster.list_all_nodes()
    assert all(len(rows) > 5 for rows in found[0])
    assert found[0] == found[1]


def test_the_command(cluster: Any, run: Run, tmp_path: Path) -> None:
    write(tmp_path / "code", {"a.py": TRAIN})
    done = run("import", "--kind", "code", "code", "--engine", "ray", "--address", cluster.address, "-f", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["records"] == "1 code_file, 2 code_import"
    refused = run("import", "--kind", "code", "code", "--engine", "ray", "--address", "127.0.0.1:9")
    assert refused.returncode == 1
    assert refused.stderr.startswith("hubstats: no Ray cluster answers at 127.0.0.1:9")
    assert "Traceback" not in refused.stderr


# --- sweeps ---------------------------------------------------------------------------------------------------------

FAKE = """
    import json, sys, time
    from pathlib import Path
    from hubstats_bench import result, spec

    counted, order, place, folder = map(Path, sys.argv[1:])
    record = result.Record(spec.spec_from(json.loads(order.read_text())))
    name = record.spec.experiment
    with open(counted, "a") as lines:
        lines.write(f"{name} begins\\n")
    print(json.dumps({"phase": "train", "done": 2, "of": 3}), flush=True)
    time.sleep(0.7)
    if name == "leaves":
        sys.exit(3)
    record.status = "success"
    record.value("answer_nll", 1.5, "nats per token", "lower")
    with open(counted, "a") as lines:
        lines.write(f"{name} ends\\n")
    result.write(place, record.document())
"""


def documents(folder: Path) -> dict[str, Any]:
    """The results in a folder, apart from when they were made and how long it took."""
    found = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    for document in found.values():
        document["run_info"]["created_at"] = document["run_info"]["total_time"] = None
        document["hubstats"]["times"] = {}
    return found


def test_a_sweep_is_the_same_on_a_cluster(cluster: Any, node: Any, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(FAKE), encoding="utf-8")
    counted = tmp_path / "counted"
    plain = tiny_run(next(each for each in shipped(load()) if each.name == "lora/rank8"))
    specs = [replace(plain, experiment=name) for name in ("a", "b", "leaves", "c", "a", "d", "e")]
    worker = (sys.executable, str(script), str(counted))
    here = [outcome.stored.status for outcome in sweep(specs, tmp_path / "here", worker=worker)]
    counted.unlink()

    events: list[Progress | Outcome] = []
    killed: list[str] = []

    def tell(event: Progress | Outcome) -> None:
        events.append(event)
        if isinstance(event, Outcome) and not killed:
            killed.append(counted.read_text())
            cluster.remove_node(node, allow_graceful=False)

    began = time.monotonic()
    with open_engine("ray", address=cluster.address) as engine:
        there = sweep(specs, tmp_path / "there", worker=worker, tell=tell, engine=engine)
    assert time.monotonic() - began < 60
    assert [outcome.stored.status for outcome in there] == here
    assert here == ["success", "success", "error", "success", "success", "success", "success"]
    assert [outcome.skipped for outcome in there] == [False] * 4 + [True, False, False]
    assert documents(tmp_path / "there") == documents(tmp_path / "here")
    assert [event.spec.experiment for event in events if isinstance(event, Outcome)] == [
        spec.experiment for spec in specs
    ]
    heard = {event.number for event in events if isinstance(event, Progress)}
    # Of each that was run, the killed ones as well; nothing is said of what was skipped (5).
    assert heard == {1, 2, 3, 4, 6, 7}
    # What had been handed over when the node died was not begun again.
    assert counted.read_text().split("\n").count("a begins") == 1
    assert killed
    again = sweep(specs, tmp_path / "there", worker=worker)
    assert [outcome.skipped for outcome in again] == [True] * 7
