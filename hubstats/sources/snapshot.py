"""The facts embedded in the package, so that the main job has real figures to work on with no network and no token.

They come from three places, and hold no prose and no code of others:

    code.jsonl             which names of peft the files of some public repositories take, each at a pinned commit
    adapter_configs.jsonl  PEFT settings that people committed to public repositories, reduced to their facts
    bench.jsonl            the published results of PEFT's method comparison, with their history
    popularity.toml        counts that others published

The repositories are listed in manifest.toml with how each was found: a purposive sample, not a probability sample, so
shares among them say what these repositories do and nothing about all repositories. `scripts/build_snapshot.py`
rebuilds the files from the manifest, byte for byte; contents.json has their hashes, counts and date.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubstats.errors import SourceError
from hubstats.records import (
    AdapterConfig,
    BenchMetric,
    BenchRun,
    CodeFile,
    CodeImport,
    Failure,
    Page,
    Record,
    SourceOptions,
)
from hubstats.sources._popularity import EMBEDDED, figures

if TYPE_CHECKING:
    from hubstats.sources import Notify

CODE = "code.jsonl"
CONFIGS = "adapter_configs.jsonl"
BENCH = "bench.jsonl"
CONTENTS = "contents.json"
FILES = (CODE, CONFIGS, BENCH)

FILE_FIELDS = ("repo", "revision", "path", "blob_sha", "status", "role", "parser", "bytes")
"""What a line of code.jsonl says of a file, besides its imports."""
IMPORT_FIELDS = ("cell", "form", "module", "name", "alias", "line", "technique", "adjacent")
"""One import, in this order."""
CONFIG_FIELDS = ("model_id", "status", "peft_type", "config", "bytes", "etag")
RUN_FIELDS = tuple(field.name for field in fields(BenchRun))
PAGE = 1_000
"""Records a page."""


class Snapshot:
    """The source `snapshot`."""

    name = "snapshot"
    live = False

    def __init__(self, folder: Path = EMBEDDED) -> None:
        self._folder = folder
        self._contents = _contents(folder)
        as_of = self._contents.get("as_of")
        self.endpoint = f"embedded snapshot of {as_of}" if as_of else "embedded snapshot"

    def unavailable(self) -> str | None:
        """Why it cannot be used: only when the installed files are not the ones that were built."""
        known = self._contents.get("files", {})
        for name in FILES:
            try:
                digest = hashlib.sha256((self._folder / name).read_bytes()).hexdigest()
            except OSError:
                return f"snapshot: {name} is missing from the installation; install hubstats again"
            if digest != known.get(name, {}).get("sha256"):
                return f"snapshot: {name} is not the file that was built; install hubstats again"
        return None

    def counters(self) -> Mapping[str, int]:
        """Nothing is requested."""
        return {}

    def pages(self, cursors: Mapping[str, str]) -> Iterator[Page]:
        """Everything, each time: it is small, and writing it twice changes nothing."""
        reason = self.unavailable()
        if reason is not None:
            raise SourceError(reason)
        yield from self._pages("figures", figures(self._folder))
        yield from self._pages("bench", _bench(self._lines(BENCH)))
        as_of = self._as_of()
        yield from self._pages("adapter_configs", (_config(line, as_of) for line in self._lines(CONFIGS)))
        yield from self._pages("code", (record for line in self._lines(CODE) for record in _code(line, as_of)))

    def _as_of(self) -> datetime | None:
        """Day of the newest commit in the snapshot: no fact in it is younger."""
        day = self._contents.get("as_of")
        return datetime.fromisoformat(day).replace(tzinfo=UTC) if isinstance(day, str) else None

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        with (self._folder / name).open(encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)

    def _pages(self, scope: str, records: Iterable[Record]) -> Iterator[Page]:
        held: list[Record] = []
        file: tuple[str, str] | None = None
        for record in records:
            # a file's imports are replaced together, so they may not be spread over two pages
            here = (record.repo, record.path) if isinstance(record, CodeFile | CodeImport) else None
            if len(held) >= PAGE and (here is None or here != file):
                yield Page(tuple(held), scope=scope)
                held = []
            file = here
            held.append(record)
        yield Page(tuple(held), scope=scope, done=True)


def _contents(folder: Path) -> dict[str, Any]:
    try:
        contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return contents if isinstance(contents, dict) else {}


def _code(line: dict[str, Any], as_of: datetime | None) -> Iterator[Record]:
    imports = line.pop("imports")
    file = CodeFile(source=Snapshot.name, fetched_at=as_of, **line)
    yield file
    for values in imports:
        said = dict(zip(IMPORT_FIELDS, values, strict=True))
        yield CodeImport(source=Snapshot.name, repo=file.repo, revision=file.revision, path=file.path, **said)


def _config(line: dict[str, Any], as_of: datetime | None) -> AdapterConfig:
    return AdapterConfig(source=Snapshot.name, fetched_at=as_of, **line)


def _bench(lines: Iterator[dict[str, Any]]) -> Iterator[Record]:
    """Runs and metrics; the first line has unit and direction of each task's metrics."""
    units = next(lines)["metrics"]
    for line in lines:
        metrics, unmeasured = line.pop("metrics"), line.pop("unmeasured", {})
        if line["created_at"] is not None:
            line["created_at"] = datetime.fromisoformat(line["created_at"])
        run = BenchRun(**line)
        yield run
        for name, value in metrics.items():
            unit, direction = units[run.task][name]
            yield BenchMetric(run.run_id, name, value, unit, direction)
        for name, why in unmeasured.items():
            yield Failure(Snapshot.name, f"{run.path}@{run.commit}", name, "not_measured", why)


def open_source(options: SourceOptions, notify: Notify) -> Snapshot:
    """The snapshot that comes with this version of hubstats."""
    return Snapshot()
