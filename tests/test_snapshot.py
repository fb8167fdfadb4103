"""The embedded facts: that they are whole, that they are only facts, and that the script rebuilds them alike."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from hubstats.errors import ConfigError, SourceError
from hubstats.records import (
    AdapterConfig,
    BenchMetric,
    BenchRun,
    CodeFile,
    CodeImport,
    Failure,
    PublishedFigure,
    Record,
    SourceOptions,
)
from hubstats.sources import open_source, snapshot
from hubstats.sources.snapshot import Snapshot
from hubstats.techniques import load

ROOT = Path(__file__).parent.parent
EMBEDDED = ROOT / "hubstats" / "snapshot"


def crawl(source: Snapshot) -> list[Record]:
    return [record for page in source.pages({}) for record in page.records]


@pytest.fixture(scope="module")
def embedded() -> list[Record]:
    return crawl(Snapshot())


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "build_snapshot.py"
    if not path.is_file():
        pytest.skip("scripts/ is not beside this checkout")
    spec = importlib.util.spec_from_file_location("build_snapshot", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# --- what is embedded ---------------------------------------------------------------------------------------------


def test_it_says_what_it_is_and_is_never_live() -> None:
    source = open_source("snapshot", SourceOptions(), lambda line: None)
    assert source.unavailable() is None
    assert source.live is False
    assert source.endpoint.startswith("embedded snapshot of 20")


def test_it_holds_what_its_contents_file_says(embedded: list[Record]) -> None:
    counts = json.loads((EMBEDDED / "contents.json").read_text())["counts"]
    kinds = {"code_file": CodeFile, "code_import": CodeImport, "adapter_config": AdapterConfig, "bench_run": BenchRun}
    for name, kind in kinds.items():
        assert sum(isinstance(record, kind) for record in embedded) == counts[name] > 0
    manifest = tomllib.loads((EMBEDDED / "manifest.toml").read_text())
    assert len(manifest["repository"]) == counts["repositories"]


def test_every_record_traces_to_a_pinned_commit(embedded: list[Record]) -> None:
    manifest = tomllib.loads((EMBEDDED / "manifest.toml").read_text())
    pinned = {entry["repo"]: entry["commit"] for entry in manifest["repository"]}
    for entry in manifest["repository"]:
        assert entry["group"] in ("trainer", "application", "adapter_config")
        assert entry["found"]
    for record in embedded:
        if isinstance(record, CodeFile | CodeImport):
            assert record.source == "snapshot"
            assert record.revision == pinned[record.repo]
        elif isinstance(record, AdapterConfig):
            assert record.model_id.partition(":")[0] in pinned
        elif isinstance(record, BenchRun):
            assert (record.origin, len(record.commit or "")) == ("peft-method-comparison", 40)


def test_it_holds_facts_and_no_text_of_others(embedded: list[Record]) -> None:
    allowed = {condition.key.partition(".")[0] for one in load() for group in one.config for condition in group}
    allowed |= {"peft_type", "peft_version", "task_type", "r", "lora_alpha", "target_modules"}
    allowed |= {"base_model_name_or_path"}
    for record in embedded:
        if isinstance(record, CodeFile):
            assert record.text is None
        if isinstance(record, AdapterConfig) and record.config is not None:
            assert json.loads(record.config).keys() <= allowed
        if isinstance(record, AdapterConfig | BenchRun) and record.config is not None:
            assert " " not in record.config
            assert "template" not in record.config
    assert sum(file.stat().st_size for file in EMBEDDED.iterdir()) < 3_000_000


def test_its_techniques_are_in_the_registry(embedded: list[Record]) -> None:
    for record in embedded:
        if isinstance(record, CodeImport | BenchRun | PublishedFigure) and record.technique is not None:
            assert record.technique in load()
        if isinstance(record, BenchRun) and record.variant is not None:
            assert record.variant in load()


def test_its_results_are_those_of_the_comparison(embedded: list[Record], shared_data: Path) -> None:
    source = open_source(
        "published", SourceOptions(path=str(shared_data / "peft_method_comparison")), lambda line: None
    )
    published = [record for page in source.pages({}) for record in page.records]
    current = {record.run_id for record in embedded if isinstance(record, BenchRun) and record.is_current}
    assert current == {record.run_id for record in published if isinstance(record, BenchRun)}
    metrics = {record for record in embedded if isinstance(record, BenchMetric) and record.run_id in current}
    assert metrics == {record for record in published if isinstance(record, BenchMetric)}
    assert sum(isinstance(record, Failure) for record in embedded) == 2


def test_a_damaged_installation_is_told(tmp_path: Path) -> None:
    for file in EMBEDDED.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert Snapshot(tmp_path).unavailable() is None
    (tmp_path / "code.jsonl").write_bytes((tmp_path / "code.jsonl").read_bytes()[:-100])
    assert "code.jsonl" in (Snapshot(tmp_path).unavailable() or "")
    with pytest.raises(SourceError, match=r"code\.jsonl"):
        crawl(Snapshot(tmp_path))
    (tmp_path / "contents.json").write_text("{")
    assert Snapshot(tmp_path).unavailable()


def test_the_imports_of_a_file_stay_on_one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "PAGE", 50)
    pages: dict[tuple[str, str], set[int]] = {}
    for number, page in enumerate(Snapshot().pages({})):
        for record in page.records:
            if isinstance(record, CodeFile | CodeImport):
                pages.setdefault((record.repo, record.path), set()).add(number)
    assert max(len(found) for found in pages.values()) == 1
    assert len(set().union(*pages.values())) > 50


# --- how it is built ----------------------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    who = {"NAME": "t", "EMAIL": "t@example.org", "DATE": "2026-01-02T03:04:05+00:00"}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    environment |= {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def repository(folder: Path, files: dict[str, str]) -> str:
    """A git repository with these files; its commit."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "x")
    return git(folder, "rev-parse", "HEAD")


SECRET = "SOMEONES PROSE"
APP = ("train.py", "app/a.py", "app/c.py", "b/b.py", "z/y.py")
ADAPTER = {
    "peft_type": "LORA",
    "r": 8,
    "use_dora": True,
    "target_modules": ["v_proj", "q_proj"],
    "base_model_name_or_path": "/home/someone/model",
    "task_type": SECRET,
    "auto_mapping": {"note": SECRET},
    "eva_config": {"rho": 2.0, "note": SECRET},
}
RESULT = {
    "run_info": {
        "created_at": "2026-08-01T00:00:00+00:00",
        "experiment_name": "lora/x",
        "total_time": 2.0,
        "train_config": {"model_id": "org/base", "query_template": SECRET, "max_steps": 5},
        "peft_config": {"peft_type": "LORA", "r": 4, "rank_pattern": {"q": [True, False]}},
    },
    "train_info": {"status": "success", "file_size": 99999999, "metrics": [{"test accuracy": 0.5}]},
    "meta_info": {"pytorch_info": SECRET},
}


@pytest.fixture
def mirrors(tmp_path: Path) -> tuple[Path, Path]:
    """Mirrors of three repositories, in the layouts that are found, and their manifest."""
    root = tmp_path / "mirrors"
    source = f'"""{SECRET}"""\nfrom peft import LoraConfig as L, IA3Config\nL(r=8)  # {SECRET}\n'
    pins = [
        (
            "b/app",
            "application",
            repository(root / "b+app", {"plain.py": "import os\n"} | dict.fromkeys(APP, source)),
        ),
        (
            "a/adapters",
            "adapter_config",
            repository(
                root / "a+adapters" / "repo",
                {"out/adapter_config.json": json.dumps(ADAPTER), "bad/adapter_config.json": "[]"},
            ),
        ),
    ]
    peft = repository(
        root / "huggingface+peft", {"method_comparison/MetaMathQA/results/lora--x.json": json.dumps(RESULT)}
    )
    date = 'committed = "2026-01-02T03:04:05+00:00"\n'
    manifest = f'[comparison]\nrepo = "huggingface/peft"\ncommit = "{peft}"\n{date}'
    for repo, group, commit in pins:
        manifest += f'[[repository]]\nrepo = "{repo}"\ngroup = "{group}"\ncommit = "{commit}"\nfound = "made"\n{date}'
    path = tmp_path / "manifest.toml"
    path.write_text(manifest)
    return root, path


def build(script: ModuleType, mirrors: tuple[Path, Path], out: Path) -> int:
    words: Sequence[str] = ["x", "--mirrors", str(mirrors[0]), "--manifest", str(mirrors[1]), "--out", str(out)]
    before, sys.argv = sys.argv, list(words)
    try:
        return int(script.main())
    finally:
        sys.argv = before


def test_the_same_manifest_and_mirrors_give_the_same_bytes(
    script: ModuleType, mirrors: tuple[Path, Path], tmp_path: Path
) -> None:
    assert build(script, mirrors, tmp_path / "one") == build(script, mirrors, tmp_path / "two") == 0
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert names == ["adapter_configs.jsonl", "bench.jsonl", "code.jsonl", "contents.json"]
    for name in names:
        content = (tmp_path / "one" / name).read_bytes()
        assert content == (tmp_path / "two" / name).read_bytes()
        assert SECRET.encode() not in content
        assert b"/home/" not in content


def test_what_is_built_is_what_the_sources_read(script: ModuleType, mirrors: tuple[Path, Path], tmp_path: Path) -> None:
    build(script, mirrors, tmp_path / "out")
    (tmp_path / "out" / "popularity.toml").write_bytes((EMBEDDED / "popularity.toml").read_bytes())
    source = Snapshot(tmp_path / "out")
    assert source.endpoint == "embedded snapshot of 2026-01-02"
    records = crawl(source)
    direct = open_source("code", SourceOptions(path=str(mirrors[0] / "b+app")), lambda line: None)
    read = [record for page in direct.pages({}) for record in page.records]
    as_snapshot = [
        replace(record, source="snapshot", fetched_at=datetime(2026, 1, 2, tzinfo=UTC))
        if isinstance(record, CodeFile)
        else replace(record, source="snapshot")
        for record in read
        if isinstance(record, CodeFile | CodeImport)
    ]
    assert [record for record in records if isinstance(record, CodeFile | CodeImport)] == as_snapshot
    assert {record.technique for record in records if isinstance(record, CodeImport)} == {"lora", "ia3"}
    configs = {record.model_id: record for record in records if isinstance(record, AdapterConfig)}
    assert configs["a/adapters:bad/adapter_config.json"].status == "malformed"
    assert json.loads(configs["a/adapters:out/adapter_config.json"].config or "") == {
        "peft_type": "LORA",
        "r": 8,
        "use_dora": True,
        "target_modules": ["v_proj", "q_proj"],
        "eva_config": {"rho": 2.0},
    }
    (run,) = [record for record in records if isinstance(record, BenchRun)]
    assert (run.technique, run.is_current, run.snapshot_on) == ("lora", True, "2026-01-02")
    assert json.loads(run.config or "") == {
        "adapter_config": {"peft_type": "LORA", "r": 4},
        "training_params": {"model_id": "org/base", "max_steps": 5},
    }
    metrics = {record.name: (record.value, record.unit) for record in records if isinstance(record, BenchMetric)}
    assert metrics == {"total_time": (2.0, "seconds"), "test_accuracy": (0.5, "share")}
    assert [(record.item, record.source) for record in records if isinstance(record, Failure)] == [
        ("checkpoint_size", "snapshot")
    ]


def test_a_commit_that_is_not_there_stops_the_build(
    script: ModuleType, mirrors: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = mirrors[1].read_text()
    pinned = tomllib.loads(text)["repository"][0]["commit"]
    mirrors[1].write_text(text.replace(pinned, "0" * 40))
    assert build(script, mirrors, tmp_path / "out") == 1
    assert "b/app" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('group = "application"', 'group = "apps"'), "b/app"),
        (('repo = "a/adapters"', 'repo = "B/App"'), "twice"),
        (("[comparison]", "[compare]"), "comparison"),
        (('found = "made"\n', "found = made\n"), "cannot be read"),
    ],
)
def test_a_wrong_manifest_says_which_entry(
    script: ModuleType, mirrors: tuple[Path, Path], change: tuple[str, str], says: str
) -> None:
    mirrors[1].write_text(mirrors[1].read_text().replace(*change, 1))
    with pytest.raises(ConfigError, match=says):
        script.read_manifest(mirrors[1])
