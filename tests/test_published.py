"""PEFT's result files, from single files, folders and git, and the figures of the blog post."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from hubstats.errors import SourceError
from hubstats.records import BenchMetric, BenchRun, Failure, PublishedFigure, Record, SourceOptions
from hubstats.sources import Source
from hubstats.sources._results import OtherShape, read_result
from hubstats.sources.published import open_source
from hubstats.techniques import load

AFTER_FIX = "2026-07-14T13:26:19+00:00"
BEFORE_FIX = "2026-07-14T13:20:00+00:00"
PATH = "method_comparison/MetaMathQA/results/lora--r32.json"


def result(
    *,
    created: str = AFTER_FIX,
    adapter: dict[str, Any] | str | None = "lora",
    train: dict[str, Any] | None = None,
    final: dict[str, Any] | None = None,
    info: dict[str, Any] | None = None,
    name: str = "lora/r32",
) -> dict[str, Any]:
    """A result file in the comparison's shape, with made-up values."""
    config = {"peft_type": "LORA", "r": 32, "use_dora": False, "use_rslora": False} if adapter == "lora" else adapter
    training = {"model_id": "org/base", "seed": 0, "optimizer_type": "AdamW", "optimizer_kwargs": {"lr": 1e-4}}
    last = {"step": 50, "test accuracy": 0.25, "train loss": 0.6, "forgetting": 0.5, "train samples": 200}
    return {
        "run_info": {
            "created_at": created,
            "total_time": 20.5,
            "experiment_name": name,
            "train_config": training | (train or {}),
            "peft_config": config,
            "error_msg": "",
        },
        "train_info": {
            "accelerator_memory_max": 1000,
            "train_time": 10.25,
            "file_size": 77,
            "num_trainable_params": 5,
            "status": "success",
            "metrics": [{"step": 25, "valid accuracy": 0.9, "train loss": 3.0}, last | (final or {})],
        }
        | (info or {}),
        "meta_info": {"package_info": {"peft-version": "0.20.0"}, "system_info": {"accelerator": "GPU 1"}},
    }


def read(document: object, path: str = PATH) -> tuple[BenchRun, dict[str, float], dict[str, str]]:
    reading = read_result(json.dumps(document).encode(), path, load())
    return reading.run, {metric.name: metric.value for metric in reading.metrics}, dict(reading.unmeasured)


def crawl(path: Path | str, revision: str | None = None) -> tuple[Source, list[Record]]:
    source = open_source(SourceOptions(path=str(path), revision=revision), lambda line: None)
    return source, [record for page in source.pages({}) for record in page.records]


def runs(records: Iterable[Record]) -> dict[str, BenchRun]:
    return {record.run_id: record for record in records if isinstance(record, BenchRun)}


def failures(records: Iterable[Record]) -> list[tuple[str, str]]:
    return [(record.item, record.reason) for record in records if isinstance(record, Failure)]


# --- one file -----------------------------------------------------------------------------------------------------


def test_a_result_is_read_whole() -> None:
    reading = read_result(json.dumps(result()).encode(), PATH, load())
    run = reading.run
    assert (run.task, run.experiment, run.technique, run.variant) == ("MetaMathQA", "lora/r32", "lora", None)
    assert (run.model_id, run.seed, run.learning_rate, run.rank) == ("org/base", 0, 1e-4, 32)
    assert (run.peft_version, run.accelerator, run.status) == ("0.20.0", "GPU 1", "success")
    assert run.created_at is not None
    assert run.created_at.isoformat() == AFTER_FIX
    metrics = {metric.name: (metric.value, metric.unit, metric.direction) for metric in reading.metrics}
    assert metrics == {
        "peak_memory": (1000, "bytes", "lower"),
        "train_time": (10.25, "seconds", "lower"),
        "checkpoint_size": (77, "bytes", "lower"),
        "trainable_parameters": (5, "parameters", "lower"),
        "total_time": (20.5, "seconds", "lower"),
        "test_accuracy": (0.25, "share", "higher"),
        "forgetting": (0.5, "nats", "lower"),
        "train_loss": (0.6, "nats", "lower"),
        "train_samples": (200, "samples", "none"),
    }
    assert json.loads(run.config or "")["adapter_config"]["use_rslora"] is False
    assert reading.unmeasured == ()


def test_forgetting_before_the_fix_has_another_name() -> None:
    _, before, _ = read(result(created=BEFORE_FIX))
    _, undated, _ = read(result(created="unknown"))
    assert "forgetting" not in before
    assert before["forgetting_before_fix"] == 0.5
    assert "forgetting" not in undated


@pytest.mark.parametrize(
    ("part", "values", "metric"),
    [
        ("info", {"file_size": 99999999}, "checkpoint_size"),
        ("info", {"accelerator_memory_max": -5}, "peak_memory"),
        ("info", {"train_time": True}, "train_time"),
        ("info", {"num_trainable_params": "many"}, "trainable_parameters"),
        ("final", {"forgetting": 123}, "forgetting"),
        ("final", {"test accuracy": 1.5}, "test_accuracy"),
        ("final", {"test accuracy": math.nan}, "test_accuracy"),
        ("final", {"train loss": math.inf}, "train_loss"),
        ("final", {"train samples": 10**400}, "train_samples"),
    ],
)
def test_what_is_no_measurement_becomes_no_metric(part: str, values: dict[str, Any], metric: str) -> None:
    run, metrics, unmeasured = read(result(**{part: values}))  # type: ignore[arg-type]
    assert metric not in metrics
    assert list(unmeasured) == [metric]
    assert len(metrics) == 8
    assert run.status == "success"


def test_an_absent_metric_is_absent_and_no_loss() -> None:
    document = result()
    del document["train_info"]["file_size"]
    document["train_info"]["num_trainable_params"] = None
    _, metrics, unmeasured = read(document)
    assert unmeasured == {}
    assert not {"checkpoint_size", "trainable_parameters"} & metrics.keys()


def test_old_names_of_memory() -> None:
    document = result()
    document["train_info"]["cuda_memory_max"] = document["train_info"].pop("accelerator_memory_max")
    run, metrics, _ = read(document)
    assert metrics["peak_memory"] == 1000
    assert run.run_id == read(result())[0].run_id


def test_image_generation_has_its_own_metrics() -> None:
    document = result(final={"test dino_similarity": 0.7, "drift": math.nan})
    del document["train_info"]["metrics"][-1]["test accuracy"]
    reading = read_result(json.dumps(document).encode(), "somewhere/x.json", load())
    found = {metric.name: (metric.value, metric.unit, metric.direction) for metric in reading.metrics}
    assert reading.run.task == "image-gen"
    assert found["similarity"] == (0.7, "cosine", "higher")
    assert found["train_loss"][1] == "mean squared error"
    assert [name for name, _ in reading.unmeasured] == ["drift"]


@pytest.mark.parametrize(
    ("adapter", "train", "technique", "variant"),
    [
        (None, {}, "full_finetuning", None),
        ({"peft_type": "LORA", "use_dora": True}, {}, "lora", "dora"),
        ({"peft_type": "LORA", "use_dora": "true"}, {}, "lora", "dora"),
        ({"peft_type": "LORA", "use_dora": "false"}, {}, "lora", None),
        ({"peft_type": "LORA"}, {"optimizer_type": "lora-fa"}, "lora", "lora_fa"),
        ({"peft_type": "IA3"}, {"optimizer_type": "lora-fa"}, "ia3", None),
        ({"peft_type": "BONE"}, {}, "bone", None),
        ({"peft_type": "NEVER_HEARD"}, {}, None, None),
    ],
)
def test_technique_and_variant_come_from_values(
    adapter: dict[str, Any] | None, train: dict[str, Any], technique: str | None, variant: str | None
) -> None:
    run, _, _ = read(result(adapter=adapter, train=train))
    assert (run.technique, run.variant) == (technique, variant)
    assert run.peft_type == (adapter or {}).get("peft_type")


def test_a_run_that_broke_off_keeps_its_status_and_error() -> None:
    document = result(info={"status": "canceled", "metrics": []})
    document["run_info"]["error_msg"] = "CUDA out of memory"
    run, metrics, _ = read(document)
    assert (run.status, run.error) == ("canceled", "CUDA out of memory")
    assert "test_accuracy" not in metrics
    assert metrics["peak_memory"] == 1000


def test_the_generation_benchmark() -> None:
    document = {
        "run_info": {
            "timestamp": AFTER_FIX,
            "duration": 4.0,
            "status": "failed",
            "error": "boom",
            "peft_config": {"peft_type": "IA3"},
        },
        "generation_info": {
            "memory": {"peak_accelerator_memory_mb": 2.0},
            "overall": {"inference_time": 0.5, "time_per_token": 0.01},
        },
        "meta_info": {"model_id": "org/base", "parameters": {"trainable_params": 0, "total_params": 9}},
    }
    run, metrics, unmeasured = read(document, "x/text_generation_benchmark/results/ia3--default.json")
    assert (run.task, run.experiment, run.status, run.error) == (
        "text_generation_benchmark",
        "ia3/default",
        "failed",
        "boom",
    )
    assert metrics == {
        "inference_time": 0.5,
        "time_per_token": 0.01,
        "logged_memory": 2 * 1024 * 1024,
        "total_parameters": 9,
        "total_time": 4.0,
    }
    assert list(unmeasured) == ["trainable_parameters"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"3",
        b'{"run_info": 3}',
        b'{"run_info": {}}',
        b'{"a": 1}',
        b"[" * 100_000,
        b'{"run_info": {"a"',
        b"\xff\xfe",
    ],
)
def test_what_is_no_result_raises_one_line(raw: bytes) -> None:
    with pytest.raises((OtherShape, ValueError)) as caught:
        read_result(raw, PATH, load())
    assert isinstance(caught.value, ValueError)


def test_a_run_id_stands_for_the_run() -> None:
    one = read(result())[0].run_id
    assert one == read(result(), "elsewhere/MetaMathQA/copy.json")[0].run_id
    assert one != read(result(created=BEFORE_FIX))[0].run_id
    assert one != read(result(final={"test accuracy": 0.26}))[0].run_id
    assert one != read(result(name="lora/r64"))[0].run_id


# --- folders ------------------------------------------------------------------------------------------------------


def test_a_folder_with_good_and_bad_files(tmp_path: Path) -> None:
    folder = tmp_path / "MetaMathQA"
    folder.mkdir()
    (folder / "b.json").write_text(json.dumps(result()))
    (folder / "a.json").write_text(json.dumps(result(created=BEFORE_FIX)))
    (folder / "c.json").write_text(json.dumps(result(created=BEFORE_FIX, final={"test accuracy": 0.1})))
    (folder / "half.json").write_text(json.dumps(result())[:200])
    (folder / "config.json").write_text('{"peft_type": "LORA"}')
    (folder / "latin.json").write_bytes(b'{"a": "\xe9"}')
    (folder / "notes.txt").write_text("no result")
    source, records = crawl(tmp_path)
    found = runs(records)
    assert sorted((run.created_at.isoformat(), run.is_current) for run in found.values() if run.created_at) == [
        (BEFORE_FIX, False),
        (BEFORE_FIX, False),
        (AFTER_FIX, True),
    ]
    assert sorted(reason for _, reason in failures(records)) == ["not_json", "not_utf8", "other_shape"]
    assert source.counters() == {"files": 6, "runs": 3, "failures": 3}
    assert all("\n" not in (record.detail or "") for record in records if isinstance(record, Failure))


def test_no_path_tells_what_to_do(tmp_path: Path) -> None:
    for path in (None, str(tmp_path / "absent")):
        source = open_source(SourceOptions(path=path), lambda line: None)
        assert source.unavailable()
        with pytest.raises(SourceError):
            list(source.pages({}))


def test_the_real_result_files_import_without_a_loss(shared_data: Path) -> None:
    folder = shared_data / "peft_method_comparison"
    files = sorted(folder.rglob("*.json"))
    _, records = crawl(folder)
    found = runs(records)
    assert len(files) == len(found) == 94
    assert all(run.is_current and run.technique and run.status == "success" for run in found.values())
    values = {(record.run_id, record.name): record.value for record in records if isinstance(record, BenchMetric)}
    by_path = {"/".join((run.path or "").split("/")[-2:]): run for run in found.values()}
    for file in files:
        document = json.loads(file.read_text())
        run = by_path[f"{file.parent.name}/{file.name}"]
        last = document["train_info"]["metrics"][-1]
        quality = values.get((run.run_id, "test_accuracy"), values.get((run.run_id, "similarity")))
        assert quality == last.get("test accuracy", last.get("test dino_similarity"))
        assert values[run.run_id, "peak_memory"] == document["train_info"]["accelerator_memory_max"]
        assert run.task == file.parent.name
    # the two values that are no measurements: a diverged drift and a checkpoint that could not be saved
    assert sorted(failures(records)) == [("checkpoint_size", "not_measured"), ("drift", "not_measured")]


# --- git ----------------------------------------------------------------------------------------------------------


def git(folder: Path, *words: str, date: str = "2026-01-01T00:00:00+00:00") -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    environment |= {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                    for what, value in (("NAME", "t"), ("EMAIL", "t@example.org"), ("DATE", date))}  # fmt: skip
    done = subprocess.run(
        ["git", "-C", str(folder), *words], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three commits: a run, the same run with renamed keys and a second experiment, a rerun and a removal."""
    root = tmp_path / "peft"
    results = root / "method_comparison" / "MetaMathQA" / "results"
    results.mkdir(parents=True)
    git(root, "init", "-q")
    old = result(created=BEFORE_FIX)
    old["train_info"]["cuda_memory_max"] = old["train_info"].pop("accelerator_memory_max")
    (results / "lora--r32.json").write_text(json.dumps(old))
    (results.parent / "default_training_params.json").write_text("{}")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one", date="2026-02-01T12:00:00+00:00")
    (results / "lora--r32.json").write_text(json.dumps(result(created=BEFORE_FIX)))
    (results / "ia3--x.json").write_text(json.dumps(result(adapter={"peft_type": "IA3"}, name="ia3/x")))
    (results / "broken.json").write_text("{")
    git(root, "add", ".")
    git(root, "commit", "-qm", "two", date="2026-03-01T12:00:00+00:00")
    (results / "lora--r32.json").write_text(json.dumps(result(final={"test accuracy": 0.5})))
    (results / "ia3--x.json").unlink()
    git(root, "add", "-A")
    git(root, "commit", "-qm", "three", date="2026-08-01T12:00:00+00:00")
    return root


def test_history_has_every_run_once_with_the_commit_that_brought_it(repository: Path) -> None:
    source, records = crawl(repository)
    commits = git(repository, "rev-list", "--reverse", "HEAD").split()
    found = sorted(runs(records).values(), key=lambda run: (run.snapshot_on or "", run.experiment))
    assert [(run.experiment, run.snapshot_on, run.commit, run.is_current) for run in found] == [
        ("lora/r32", "2026-02-01", commits[0], False),
        ("ia3/x", "2026-03-01", commits[1], False),
        ("lora/r32", "2026-08-01", commits[2], True),
    ]
    assert failures(records) == [("result file", "not_json")]
    assert source.endpoint.endswith(commits[2])


def test_an_older_revision_has_its_own_present(repository: Path) -> None:
    _, records = crawl(repository, revision="HEAD~1")
    assert {(run.experiment, run.is_current) for run in runs(records).values()} == {("lora/r32", True), ("ia3/x", True)}
    with pytest.raises(SourceError, match="nowhere"):
        crawl(repository, revision="nowhere")
    with pytest.raises(SourceError):
        crawl(repository, revision="--output=/tmp/x")


def test_bare_folder_and_work_tree_agree(repository: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    from_bare, from_tree = runs(crawl(bare)[1]), runs(crawl(repository)[1])
    assert from_bare == from_tree
    (repository / ".git").rename(tmp_path / "kept")
    from_folder = runs(crawl(repository)[1])
    assert set(from_folder) == {run_id for run_id, run in from_tree.items() if run.is_current}


def test_a_repository_without_results_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    with pytest.raises(SourceError, match="not a repository of PEFT"):
        crawl(tmp_path)


def test_a_hostile_repository_runs_nothing(repository: Path, tmp_path: Path) -> None:
    marker, trap = tmp_path / "ran", tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    trap.chmod(0o755)
    for setting in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "diff.x.textconv",
        "gpg.program",
        "core.sshCommand",
    ):
        git(repository, "config", setting, str(trap))
    git(repository, "config", "log.showSignature", "true")
    head, _, message = git(repository, "cat-file", "commit", "HEAD").partition("\n\n")
    signed = tmp_path / "signed"
    signed.write_text(f"{head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n -----END PGP SIGNATURE-----\n\n{message}\n")
    git(repository, "update-ref", "HEAD", git(repository, "hash-object", "-t", "commit", "-w", str(signed)))
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "attributes").write_text("*.json diff=x\n")
    assert len(runs(crawl(repository)[1])) == 3
    assert not marker.exists()


# --- figures ------------------------------------------------------------------------------------------------------


def test_the_published_counts_are_what_the_blog_printed() -> None:
    _, records = crawl(Path(__file__))  # any file: the figures come with every call
    figures = {record.figure_id.split("/", 1)[1]: record for record in records if isinstance(record, PublishedFigure)}
    assert figures["cards_exactly_one/lora"].count == 20509
    assert figures["cards_exactly_one/lora"].total == 20834
    assert [figures[f"image_type/{key}"].count for key in ("lora", "locon", "dora")] == [7111, 363, 11]
    assert [figures[f"github_import/{key}"].share for key in ("lora", "loha", "adalora")] == [0.713, 0.037, 0.035]
    for figure in figures.values():
        assert figure.technique in load()
        assert figure.published_on == "2026-06-18"
        assert (figure.url or "").startswith("https://")
        assert len(figure.note or "") > 30
        if figure.count is not None and figure.total is not None and figure.share is not None:
            assert figure.count / figure.total == pytest.approx(figure.share, abs=0.0005)
