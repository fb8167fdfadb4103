"""What others published: PEFT's method comparison with its history, and the popularity counts of a blog post.

Results of our own bench have the same shape and are read here too, with the origin "own".

`path` is one result file, a folder of them, a work tree of PEFT, or a git repository of PEFT, bare or not. From git
come all versions that every result file ever had, each with the commit that brought it and its date:

    method_comparison/MetaMathQA/results/lora--llama-3.2-3B-rank32.json   @ 51c2ff66, 2026-07-20 (and 3 before it)

A run is current when its file stands in the tree at the revision asked for; without git, when it is the newest of
its experiment. A run has one run id wherever it is read from, also when its file was moved or its keys were renamed;
its commit is the one that first brought it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hubstats.errors import SourceError
from hubstats.records import Failure, Page, Record, SourceOptions
from hubstats.sources._git import GitError, git_dir_of
from hubstats.sources._history import History
from hubstats.sources._popularity import figures
from hubstats.sources._results import OtherShape, Reading, read_result
from hubstats.techniques import load

if TYPE_CHECKING:
    from hubstats.sources import Notify

PATTERNS = ("method_comparison/*/results/*.json",)
MAX_BYTES = 16 * 1024 * 1024
MAX_FILES = 20_000
PAGE = 100
"""Result files a page."""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """One version of one result file."""

    path: str
    content: bytes | str
    """The bytes, or one line saying why there are none."""
    commit: str | None = None
    on: str | None = None
    """Date of the commit, ISO."""
    current: bool | None = None
    """None: to be decided among the runs of its experiment."""


class Published:
    """The source `published`."""

    name = "published"
    live = False

    def __init__(self, options: SourceOptions, notify: Notify) -> None:
        self._path = Path(options.path) if options.path else None
        self._revision = options.revision
        self._notify = notify
        self._counters = {"files": 0, "runs": 0, "failures": 0}
        self.endpoint = str(self._path) if self._path else "embedded figures"

    def unavailable(self) -> str | None:
        if self._path is None:
            return "published: give a result file, a folder of them, or a git repository of PEFT as the path"
        return None if self._path.exists() else f"published: there is no {self._path}; check the path"

    def counters(self) -> Mapping[str, int]:
        return dict(self._counters)

    def pages(self, cursors: Mapping[str, str]) -> Iterator[Page]:
        """All runs and figures, always from the start: reading them again takes a second and changes nothing."""
        yield Page(tuple(figures()), scope="figures", items=0)
        files = self._files()
        readings: dict[str, tuple[Reading, bool | None]] = {}
        failures: list[Failure] = []
        for file in files:
            self._counters["files"] += 1
            outcome = self._read(file)
            if isinstance(outcome, Failure):
                failures.append(outcome)
                continue
            kept, current = readings.get(outcome.run.run_id, (outcome, file.current))
            # versions come newest first: of a run at several commits the newest file is read, the oldest is its date
            run = replace(kept.run, commit=file.commit, snapshot_on=file.on)
            readings[run.run_id] = (replace(kept, run=run), current or file.current)
        newest = _newest([reading for reading, _ in readings.values()])
        records: list[Record] = [*failures]
        items = 0
        for reading, current in readings.values():
            run = reading.run
            if current is None or reading.setting is not None:
                current = (reading.setting or run.run_id) in newest and not reading.trial
            records.append(replace(run, is_current=current))
            records += reading.metrics
            records += reading.items
            records += [self._failure(_subject(run.path or "", run.commit), *note) for note in _unmeasured(reading)]
            self._counters["runs"] += 1
            items += 1
            if items == PAGE:
                yield Page(tuple(records), scope="results", items=items)
                records, items = [], 0
        yield Page(tuple(records), scope="results", done=True, items=items)

    def _files(self) -> Iterator[ResultFile]:
        path = self._path
        if path is None or not path.exists():
            raise SourceError(self.unavailable() or "published: no path")
        if path.is_file():
            yield _local(path, path.parent.name, path.parent.parent.name)
            return
        git_dir = git_dir_of(path)
        if git_dir is None:
            self._notify(f"published: {path} is a folder without git: results as they are, without their history")
            yield from _folder(path)
            return
        try:
            yield from self._versions(History(git_dir))
        except GitError as error:
            raise SourceError(f"git cannot read {path}: {error}") from error

    def _versions(self, repository: History) -> Iterator[ResultFile]:
        try:
            commit = repository.commit(self._revision)
        except GitError as error:
            raise SourceError(f"{self._path} has no commit {self._revision or 'HEAD'}: {error}") from error
        self.endpoint = f"{self._path} at {commit}"
        versions = repository.versions(commit, PATTERNS)
        if not versions:
            raise SourceError(f"{self.endpoint} has no file {PATTERNS[0]}: it is not a repository of PEFT")
        contents = repository.contents([version.blob for version in versions], MAX_BYTES)
        for version, content in zip(versions, contents, strict=True):
            yield ResultFile(version.path, content, version.commit, version.on[:10], version.current)

    def _read(self, file: ResultFile) -> Reading | Failure:
        subject = _subject(file.path, file.commit)
        if isinstance(file.content, str):
            return self._failure(subject, "result file", "unreadable", file.content)
        try:
            reading = read_result(file.content, file.path, load())
        except OtherShape as error:
            return self._failure(subject, "result file", "other_shape", f"not a result of the comparison: {error}")
        except UnicodeDecodeError as error:
            return self._failure(subject, "result file", "not_utf8", f"byte {error.start} is not UTF-8")
        except ValueError as error:
            detail = f"not JSON ({error}); a half-written file can be fetched again"
            return self._failure(subject, "result file", "not_json", detail)
        return replace(reading, run=replace(reading.run, commit=file.commit, snapshot_on=file.on))

    def _failure(self, subject: str, item: str, reason: str, detail: str) -> Failure:
        self._counters["failures"] += 1
        return Failure(self.name, subject, item, reason, " ".join(detail.split())[:300])


def _subject(path: str, commit: str | None) -> str:
    return f"{path}@{commit[:12]}" if commit else path


def _unmeasured(reading: Reading) -> Iterator[tuple[str, str, str]]:
    for name, why in reading.unmeasured:
        yield name, "not_measured", f"{why}; the metric is left out"


def _newest(readings: list[Reading]) -> set[str]:
    """Run ids of the newest run of each experiment; of our own, the setting it shares with its other seeds.

    A run without a date is older than any with one. Of our own, trials are no results, and a run that failed
    replaces none that succeeded.
    """
    newest: dict[tuple[str, str, str], Reading] = {}
    for reading in readings:
        key = (reading.run.origin, reading.run.task, reading.run.experiment)
        if not reading.trial and (key not in newest or _age(reading) > _age(newest[key])):
            newest[key] = reading
    return {reading.setting or reading.run.run_id for reading in newest.values()}


def _age(reading: Reading) -> tuple[bool, float, str]:
    run = reading.run
    succeeded = reading.setting is not None and run.status == "success"
    return (succeeded, run.created_at.timestamp() if run.created_at else 0.0, run.run_id)


def _local(file: Path, *folders: str) -> ResultFile:
    """A file on disk; its path is told by its last folders only, the rest is this machine's business."""
    path = "/".join([*(name for name in reversed(folders) if name), file.name])
    try:
        size = file.stat().st_size
        content: bytes | str = (
            file.read_bytes() if size <= MAX_BYTES else f"{size} bytes are more than the {MAX_BYTES} allowed"
        )
    except OSError as error:
        content = f"cannot be read: {error.strerror}"
    return ResultFile(path, content)


def _folder(root: Path) -> Iterator[ResultFile]:
    found = sorted(path for path in root.rglob("*.json") if path.is_file() and not path.is_symlink())
    # a work tree holds configs and parameters beside the results: where there are results folders, only those count
    results = [path for path in found if path.parent.name == "results"]
    for path in (results or found)[:MAX_FILES]:
        yield _local(path, path.parent.name, path.parent.parent.name)
    if len(results or found) > MAX_FILES:
        raise SourceError(f"{root} has more than {MAX_FILES} JSON files; give the folder of results itself")


def open_source(options: SourceOptions, notify: Notify) -> Published:
    """The published results at `options.path` (from git: at `options.revision`, HEAD by default)."""
    return Published(options, notify)
