"""Rebuilds the embedded snapshot (hubstats/snapshot/) from its manifest.

    python scripts/build_snapshot.py --mirrors DIR     reads each repository from DIR/owner+name (or .../repo in it)
    python scripts/build_snapshot.py                   fetches each pinned commit from GitHub into a folder it removes

Every line is a fact read from a repository at the commit the manifest pins, by the same code that `hubstats import`
uses. Same manifest and same repositories give the same bytes. What is kept: names imported and where, values of
settings, measured values. What is not: source text, cards, prompts, any text with a space in it, paths of machines.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from hubstats import techniques
from hubstats.errors import ConfigError, HubstatsError, SourceError
from hubstats.records import AdapterConfig, BenchMetric, BenchRun, CodeFile, CodeImport, Failure, Record, SourceOptions
from hubstats.sources import open_source
from hubstats.sources.snapshot import (
    BENCH,
    CODE,
    CONFIG_FIELDS,
    CONFIGS,
    CONTENTS,
    FILE_FIELDS,
    IMPORT_FIELDS,
    RUN_FIELDS,
)

T = TypeVar("T", bound=Record)

FOLDER = Path(__file__).parent.parent / "hubstats" / "snapshot"
GROUPS = ("trainer", "application", "adapter_config")
SETTINGS = ("peft_type", "peft_version", "task_type", "r", "lora_alpha", "target_modules", "base_model_name_or_path")
"""Kept of every adapter config, besides the keys that the registry's conditions test."""
LONGEST_TEXT = 100
LONGEST_LIST = 64


@dataclass(frozen=True)
class Pinned:
    """One repository of the manifest."""

    repo: str
    commit: str
    committed: str
    """Date of the commit, ISO."""
    group: str


@dataclass(frozen=True)
class Manifest:
    """What the snapshot is made of."""

    repositories: tuple[Pinned, ...]
    comparison: Pinned
    """The repository with the published results."""


def read_manifest(path: Path) -> Manifest:
    """The manifest, checked; raises ConfigError naming the entry that is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    pinned = [_pinned(entry) for entry in data.get("repository", [])]
    names = Counter(entry.repo.casefold() for entry in pinned)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ConfigError(f"{path}: listed twice: {', '.join(twice)}")
    if "comparison" not in data:
        raise ConfigError(f"{path}: no [comparison] with the repository of the published results")
    ordered = sorted(pinned, key=lambda entry: (GROUPS.index(entry.group), entry.repo.casefold()))
    return Manifest(tuple(ordered), _pinned(data["comparison"] | {"group": GROUPS[0]}))


def _pinned(entry: Mapping[str, Any]) -> Pinned:
    try:
        pinned = Pinned(entry["repo"], entry["commit"], str(entry["committed"]), entry["group"])
    except KeyError as error:
        raise ConfigError(f"manifest entry {entry.get('repo', entry)} has no {error}") from error
    if pinned.group not in GROUPS or len(pinned.commit) != 40 or pinned.repo.count("/") != 1:
        raise ConfigError(f"manifest entry {pinned.repo}: a group of {GROUPS}, a whole commit hash, owner/name")
    return pinned


class Repositories:
    """Finds each repository in the mirrors, or fetches it."""

    def __init__(self, mirrors: Path | None, fetched: Path) -> None:
        self._mirrors = mirrors
        self._fetched = fetched

    def path(self, pinned: Pinned, *, history: bool = False) -> Path:
        """A bare repository or work tree that has the pinned commit (and all before it when `history`)."""
        name = pinned.repo.replace("/", "+")
        if self._mirrors is not None:
            for place in (self._mirrors / name / "repo", self._mirrors / name):
                if (place / "HEAD").is_file() or (place / ".git").exists():
                    return place
            raise ConfigError(f"there is no {self._mirrors / name}; fetch {pinned.repo} or leave out --mirrors")
        place = self._fetched / name
        # one commit is enough for its files, and needs a hundredth of the transfer of the whole history
        depth = () if history else ("--depth=1",)
        _git("init", "--quiet", "--bare", str(place))
        _git("-C", str(place), "fetch", "--quiet", *depth, f"https://github.com/{pinned.repo}", pinned.commit)
        _git("-C", str(place), "update-ref", "HEAD", pinned.commit)
        return place


def _git(*words: str) -> None:
    command = [
        "git",
        "-c",
        "core.hooksPath=" + os.devnull,
        "-c",
        "protocol.allow=never",
        "-c",
        "protocol.https.allow=always",
    ]
    done = subprocess.run(
        [*command, *words],
        env=os.environ | {"GIT_TERMINAL_PROMPT": "0"},
        capture_output=True,
        check=False,
        timeout=3600,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["git failed"]
        raise SourceError(f"git {words[-2]} {words[-1]}: {said[-1]}")


def build(manifest: Manifest, repositories: Repositories) -> dict[str, bytes]:
    """File name -> content, for every file the snapshot is built of. Raises HubstatsError."""
    counts: Counter[str] = Counter(repositories=len(manifest.repositories))
    code: list[str] = []
    configs: list[str] = []
    for pinned in manifest.repositories:
        records = _read("code", repositories.path(pinned), pinned)
        imports: dict[str, list[CodeImport]] = {}
        for record in records:
            if isinstance(record, CodeImport):
                imports.setdefault(record.path, []).append(record)
        for file in sorted(_of(records, CodeFile), key=lambda file: file.path):
            taken = imports.get(file.path, [])
            code.append(_file_line(replace(file, repo=pinned.repo), taken))
            counts.update(code_file=1, code_import=len(taken))
        for config in sorted(_of(records, AdapterConfig), key=lambda config: config.model_id):
            configs.append(_config_line(pinned, config))
            counts.update(adapter_config=1)
    bench = list(
        _bench_lines(_read("published", repositories.path(manifest.comparison, history=True), manifest.comparison))
    )
    counts.update(bench_run=len(bench) - 1)
    files = {name: "".join(f"{line}\n" for line in lines).encode() for name, lines in
             ((CODE, code), (CONFIGS, configs), (BENCH, bench))}  # fmt: skip
    dates = [datetime.fromisoformat(pinned.committed) for pinned in (*manifest.repositories, manifest.comparison)]
    contents = {
        "as_of": max(date.date().isoformat() for date in dates),
        "counts": dict(sorted(counts.items())),
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
    }
    return files | {CONTENTS: (json.dumps(contents, indent=2) + "\n").encode()}


def _read(source: str, path: Path, pinned: Pinned) -> list[Record]:
    options = SourceOptions(path=str(path), revision=pinned.commit)
    opened = open_source(source, options, lambda line: None)
    records = [record for page in opened.pages({}) for record in page.records]
    for record in records:
        if isinstance(record, Failure) and record.reason not in ("not_measured",):
            print(f"{pinned.repo}: {record.item}: {record.reason}: {record.detail}", file=sys.stderr)
    return records


def _of(records: Sequence[Record], kind: type[T]) -> list[T]:
    return [record for record in records if isinstance(record, kind)]


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _file_line(file: CodeFile, imports: Sequence[CodeImport]) -> str:
    said = {name: getattr(file, name) for name in FILE_FIELDS}
    return _line(said | {"imports": [[getattr(one, name) for name in IMPORT_FIELDS] for one in imports]})


def _config_line(pinned: Pinned, config: AdapterConfig) -> str:
    said = {name: getattr(config, name) for name in CONFIG_FIELDS}
    said["model_id"] = f"{pinned.repo}:{config.model_id.partition(':')[2]}"
    said["config"] = None
    if config.status == "ok" and config.config is not None:
        said["config"] = _line(settings(json.loads(config.config)))
    return _line(said)


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of an adapter config: the keys that tell the technique, with values that are values."""
    tested = {
        condition.key.partition(".")[0]
        for technique in techniques.load()
        for group in technique.config
        for condition in group
    }
    return facts({key: config[key] for key in sorted({*SETTINGS, *tested} & config.keys())})


def facts(table: Mapping[str, Any], depth: int = 2) -> dict[str, Any]:
    """The numbers, switches, names and short lists of a table.

    Left out: what is not set, texts with a space in them (prompts, notes), paths of machines, and lists of truth
    values, which are what a method has learnt (AdaLoRA's rank pattern) and no setting.
    """
    kept = {key: _fact(value, depth) for key, value in table.items() if value is not None}
    return {key: value for key, value in kept.items() if value is not ...}


def _fact(value: Any, depth: int) -> Any:
    """The value when it is a fact, else ... (which JSON cannot hold)."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else ...
    if isinstance(value, str):
        path = value.startswith(("/", ".", "~", "\\")) or value[1:3] in (":\\", ":/")
        return ... if len(value) > LONGEST_TEXT or path or any(map(str.isspace, value)) else value
    if isinstance(value, list):
        inner = [_fact(one, 0) for one in value]
        return ... if len(inner) > LONGEST_LIST or any(one is ... or isinstance(one, bool) for one in inner) else inner
    if isinstance(value, dict) and depth > 0:
        kept = facts(value, depth - 1)
        return kept if kept or not value else ...
    return ...


def _bench_lines(records: Sequence[Record]) -> Iterator[str]:
    """Unit and direction of each task's metrics, then one line a run in the order of task, experiment and date."""
    metrics: dict[str, list[BenchMetric]] = {}
    for metric in _of(records, BenchMetric):
        metrics.setdefault(metric.run_id, []).append(metric)
    runs = sorted(_of(records, BenchRun), key=lambda run: (run.task, run.experiment, str(run.created_at), run.run_id))
    unmeasured: dict[tuple[str, str], dict[str, str]] = {}
    for failure in _of(records, Failure):
        path, _, commit = failure.subject_id.rpartition("@")
        unmeasured.setdefault((path, commit), {})[failure.item] = failure.detail or ""
    units: dict[str, dict[str, list[str]]] = {}
    for run in runs:
        for metric in metrics.get(run.run_id, []):
            units.setdefault(run.task, {})[metric.name] = [metric.unit, metric.direction]
    yield _line({"metrics": {task: dict(sorted(units[task].items())) for task in sorted(units)}})
    for run in runs:
        said: dict[str, Any] = {name: getattr(run, name) for name in RUN_FIELDS}
        said["created_at"] = run.created_at.isoformat() if run.created_at else None
        said["config"] = _line(facts(json.loads(run.config or "{}")))
        said["metrics"] = {metric.name: metric.value for metric in metrics.get(run.run_id, [])}
        lost = unmeasured.get((run.path or "", (run.commit or "")[:12]))
        yield _line(said | ({"unmeasured": lost} if lost else {}))


def main() -> int:
    """Builds the files and says what is in them; 1 when a repository could not be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirrors", type=Path, help="folder of repositories, one folder owner+name each")
    parser.add_argument("--manifest", type=Path, default=FOLDER / "manifest.toml")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder the files are written into")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as fetched:
            files = build(read_manifest(options.manifest), Repositories(options.mirrors, Path(fetched)))
    except HubstatsError as error:
        print(error, file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (options.out / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")
    print(files[CONTENTS].decode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
