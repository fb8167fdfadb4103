"""Source code on disk: which names of peft the Python files and notebooks of a repository take.

    hubstats import --kind code PATH         a git work tree or bare repository: the files of its HEAD commit
                                             a folder of such repositories: each of them
                                             Parquet with a column of contents, or a folder of such files: each row
                                             any other folder, or one file: what lies there, without a commit

A repository is one scope whose cursor is its commit, so the next crawl reads only those that have moved; while it is
being read the cursor also says how far it has come, so that a crawl that was stopped goes on there. Files are read in
shards, on whichever engine there is; nearly none names peft, and only those that may are parsed.
`adapter_config.json` files are read too, since people commit the folders their training wrote.
"""

from __future__ import annotations

import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from hubstats.engines import Engine, open_engine
from hubstats.errors import SourceError
from hubstats.records import CodeFile, CodeImport, Failure, Page, Record, SourceOptions
from hubstats.sources import Notify
from hubstats.sources._code_files import NAME, AnyShard, Asked, Reading, shards, text_size
from hubstats.sources._code_parquet import ParquetError, ParquetTree, parquet_files
from hubstats.sources._git import GitError
from hubstats.sources._trees import FolderTree, GitTree, Tree, places

_PAGE_RECORDS = 1000
_PAGE_TEXT = 8 << 20


@dataclass(slots=True)
class _Walk:
    """One repository, folder or Parquet file while it is being read."""

    name: str
    version: str
    expected: int | None
    done: int
    """Files, or row groups, that are read and handed over."""
    complete: bool = True
    failed: bool = False
    corpus: bool = False
    known: set[int] = field(default_factory=set)
    """Hashes of the places of the files recorded; a corpus may hold a place twice."""


@dataclass(frozen=True, slots=True)
class _Issued:
    """A shard that the engine has, or a page that needs none, in the order of what is read."""

    walk: _Walk | None = None
    steps: int = 0
    last: bool = False
    page: Page | None = None


class Code:
    """Folders, git repositories and Parquet files as a source; `paths` as the command line gave them."""

    name = NAME
    live = False

    def __init__(
        self,
        paths: Sequence[Path],
        config_classes: Mapping[str, str],
        notify: Notify,
        *,
        revision: str | None = None,
        keep_text: bool = False,
        refresh: bool = False,
        engine: Engine | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.endpoint = ", ".join(map(str, paths))
        self._paths = [path.expanduser() for path in paths]
        self._classes = dict(config_classes)  # the registry's own cannot be sent to another process
        self._notify = notify
        self._revision = revision
        self._keep_text = keep_text
        self._refresh = refresh
        self._engine = engine or open_engine("local", workers=1)
        self._now = now
        self._counts: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def unavailable(self) -> str | None:
        """Why there is nothing to read, in one line; None when there is."""
        if not self._paths:
            return "no folder given: hubstats import --kind code PATH"
        for path in self._paths:
            if not path.exists():
                return f"there is no file or folder {path}"
        if shutil.which("git") is None and any(git_dir for path in self._paths for _, git_dir in places(path)):
            return "git is not installed, and git repositories are read through it"
        return None

    def counters(self) -> Mapping[str, int]:
        """Repositories read and unchanged, files looked at and parsed, bytes, and what a folder walk left out."""
        return {**self._counts, **{f"left_out:{what}": number for what, number in self._left_out.items()}}

    def pages(self, cursors: Mapping[str, str]) -> Iterator[Page]:
        """Pages of one repository after the other; the last page of each carries its commit as the cursor,
        unless some file could not be read: then the next crawl reads it again.

        `Page.items` are the .py and .ipynb files looked at, `expected` is their number in the repository, where it is
        known. A repository that git cannot read is a Failure and the others go on; a pinned revision that the only
        repository does not have raises SourceError.
        """
        issued: deque[_Issued] = deque()
        for reading in self._engine.map(_read, self._shards(cursors, issued), lost=_lost):
            yield from _pages_of(issued)
            yield from self._taken(issued.popleft(), reading)
        yield from _pages_of(issued)
        if self._left_out:
            what = ", ".join(f"{number} {kind}" for kind, number in sorted(self._left_out.items()))
            self._notify(f"code: left out of folders without git: {what}")

    def _shards(self, cursors: Mapping[str, str], issued: deque[_Issued]) -> Iterator[AnyShard]:
        """The shards of everything that is to be read; what they belong to goes into `issued`."""
        asked = Asked(self._classes, self._keep_text, self._now())
        trees = list(self._trees())
        seen: set[str] = set()
        for tree in trees:
            if tree.name in seen:
                self._notify(f"code: {tree.name} is there more than once; only the first copy is read")
                issued.append(self._page(tree.name, "duplicate", "same name as one read before"))
                continue
            seen.add(tree.name)
            walk = None
            try:
                walk = self._begun(tree, cursors)
                if walk is None:
                    self._counts["repositories_unchanged"] += 1
                    continue
                self._counts["repositories"] += 1
                last: tuple[int, AnyShard] | None = None
                for steps, shard in self._shards_of(tree, walk.done, asked):
                    if walk.failed:
                        break
                    if last is not None:
                        issued.append(_Issued(walk, last[0]))
                        yield last[1]
                    last = steps, shard
                if last is None:
                    issued.append(_Issued(page=Page((), walk.name, walk.version, True, walk.expected, 0)))
                elif not walk.failed:
                    issued.append(_Issued(walk, last[0], last=True))
                    yield last[1]
            except (GitError, ParquetError) as error:
                if self._revision and len(trees) == 1:
                    raise SourceError(f"{tree.name}: {error}") from error
                self._notify(f"code: {tree.name} could not be read: {error}")
                reason = error.reason if isinstance(error, ParquetError) else "git"
                issued.append(self._page(tree.name, reason, str(error)))

    def _trees(self) -> Iterator[Tree | ParquetTree]:
        for path in self._paths:
            for folder, git_dir in places(path.resolve()):
                corpus = [] if git_dir else parquet_files(folder)
                yield from (ParquetTree(file, name) for file, name in corpus)
                if git_dir:
                    yield GitTree(folder, git_dir, self._revision)
                elif not corpus:
                    yield FolderTree(folder, self._left_out)

    def _begun(self, tree: Tree | ParquetTree, cursors: Mapping[str, str]) -> _Walk | None:
        """Where the reading of a tree begins; None when it was read to its end and has not changed since."""
        if isinstance(tree, ParquetTree):
            tree.open()
        version = tree.version()
        saved, _, done = ("" if self._refresh else cursors.get(tree.name, "")).partition(" ")
        if saved != version:
            return _Walk(tree.name, version, tree.expected(), 0, corpus=isinstance(tree, ParquetTree))
        if not done:
            return None
        begun = int(done) if done.isdecimal() else 0
        return _Walk(tree.name, version, tree.expected(), begun, corpus=isinstance(tree, ParquetTree))

    def _shards_of(self, tree: Tree | ParquetTree, start: int, asked: Asked) -> Iterator[tuple[int, AnyShard]]:
        if isinstance(tree, ParquetTree):
            yield from tree.shards(start, asked)
            return
        for shard in shards(tree.name, tree.revision(), tree.place, islice(tree.items(), start, None), asked):
            yield len(shard.items), shard

    def _taken(self, issued: _Issued, reading: Reading) -> Iterator[Page]:
        """The pages of a reading, and what it means for the walk."""
        walk = issued.walk
        assert walk is not None
        if walk.failed:
            return
        more: Reading | None = reading
        while more is not None:
            walk.complete &= more.complete
            self._counts.update(files=more.files, parsed=more.parsed, bytes=more.bytes)
            rest = more.rest
            *before, records = _cut(self._distinct(walk, more.records))
            for part in before:
                yield Page(part, walk.name, expected=walk.expected, items=0)
            if more.error is not None:
                walk.failed = True
                self._notify(f"code: {walk.name} could not be read: {more.error}")
                failure = self._failure(walk.name, "repository", "git", more.error)
                yield Page((*records, failure), walk.name, expected=walk.expected, items=more.files)
                return
            if rest is not None:
                yield Page(records, walk.name, expected=walk.expected, items=more.files)
                more = rest.read()
                continue
            walk.done += issued.steps
            cursor = walk.version if issued.last else f"{walk.version} {walk.done}"
            yield Page(
                records,
                walk.name,
                cursor=cursor if walk.complete else None,
                done=issued.last and walk.complete,
                expected=walk.expected,
                items=more.files,
            )
            more = None

    def _distinct(self, walk: _Walk, records: Sequence[Record]) -> Iterator[Record]:
        """The records without those of a file whose place the same corpus has named before."""
        repeated: set[tuple[str, str]] = set()
        for record in records:
            if walk.corpus and isinstance(record, CodeFile):
                place = record.repo, record.path
                # What follows a file are its imports; those of its repetition follow that.
                repeated.discard(place)
                if hash(place) in walk.known:
                    repeated.add(place)
                    self._counts["repeated"] += 1
                walk.known.add(hash(place))
            if repeated and isinstance(record, CodeFile | CodeImport) and (record.repo, record.path) in repeated:
                continue
            yield record

    def _page(self, name: str, reason: str, detail: str) -> _Issued:
        return _Issued(page=Page((self._failure(name, "repository", reason, detail),), name))

    def _failure(self, repo: str, item: str, reason: str, detail: str) -> Failure:
        return Failure(NAME, repo, item, reason, detail, self._now())


def _read(shard: AnyShard) -> Reading:
    """What a worker does."""
    return shard.read()


def _lost(shard: AnyShard, why: str) -> Reading:
    return shard.lost(why)


def _pages_of(issued: deque[_Issued]) -> Iterator[Page]:
    """The pages that are due before the next shard."""
    while issued and (page := issued[0].page) is not None:
        issued.popleft()
        yield page


def _cut(records: Iterator[Record]) -> list[tuple[Record, ...]]:
    """The records in parts of a page's size, a file and its imports together; the last one may be empty."""
    parts: list[tuple[Record, ...]] = []
    held: list[Record] = []
    text = 0
    for record in records:
        if not isinstance(record, CodeImport) and (len(held) >= _PAGE_RECORDS or text >= _PAGE_TEXT):
            parts.append(tuple(held))
            held, text = [], 0
        held.append(record)
        text += text_size(record)
    return [*parts, tuple(held)]


def open_source(options: SourceOptions, notify: Notify) -> Code:
    """The source for `options.path`, or for every path in `options.extra["paths"]`."""
    from hubstats import techniques

    paths = options.extra.get("paths") or ([options.path] if options.path else [])
    return Code(
        [Path(path) for path in paths],
        techniques.load().config_classes(),
        notify,
        revision=options.revision,
        keep_text=bool(options.extra.get("keep_text")),
        refresh=options.refresh,
        engine=options.extra.get("engine"),
    )
