"""Source code on disk: which names of peft the Python files and notebooks of a repository take.

    hubstats import --kind code FOLDER       a git work tree or bare repository: the files of its HEAD commit
                                             a folder of such repositories: each of them
                                             any other folder, or one file: what lies there, without a commit

A repository is one scope whose cursor is its commit, so the next crawl reads only those that have moved. Nearly no
file names peft: bytes come from one git process per repository and only files that may import it are parsed.
`adapter_config.json` files are read too, since people commit the folders their training wrote.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hubstats.errors import SourceError
from hubstats.imports import classify, mentions_peft, read_imports
from hubstats.records import AdapterConfig, CodeFile, CodeImport, Failure, Page, Record, SourceOptions
from hubstats.sources import Notify
from hubstats.sources._fields import clean
from hubstats.sources._git import GitError
from hubstats.sources._trees import MAX_BYTES, FolderTree, GitTree, Item, Tree, is_source, places

NAME = "code"
_PAGE_RECORDS = 1000
_PAGE_FILES = 5000
_PAGE_TEXT = 8 << 20
_OVER_CAP = f"over {MAX_BYTES} bytes; not read"


class Code:
    """Folders and git repositories as a source; `paths` as the command line gave them."""

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
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.endpoint = ", ".join(map(str, paths))
        self._paths = [path.expanduser() for path in paths]
        self._notify = notify
        self._revision = revision
        self._refresh = refresh
        self._counts: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._reader = _Reader(config_classes, keep_text, now, self._counts)

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

        `Page.items` are the .py and .ipynb files looked at, `expected` is their number in the repository. A
        repository that git cannot read is a Failure and the others go on; a pinned revision that the only
        repository does not have raises SourceError.
        """
        found = [place for path in self._paths for place in places(path.resolve())]
        seen: set[str] = set()
        for folder, git_dir in found:
            tree = GitTree(folder, git_dir, self._revision) if git_dir else FolderTree(folder, self._left_out)
            if tree.name in seen:
                self._notify(f"code: {tree.name} is there more than once; only the first copy is read")
                yield Page(
                    (self._failure(tree.name, "repository", "duplicate", "same name as one read before"),), tree.name
                )
                continue
            seen.add(tree.name)
            try:
                if not self._refresh and cursors.get(tree.name) == tree.version():
                    self._counts["repositories_unchanged"] += 1
                    continue
                yield from self._tree_pages(tree)
            except GitError as error:
                if self._revision and len(found) == 1:
                    raise SourceError(f"{tree.name}: {error}") from error
                self._notify(f"code: {tree.name} could not be read: {error}")
                yield Page((self._failure(tree.name, "repository", "git", str(error)),), tree.name)
        if self._left_out:
            what = ", ".join(f"{number} {kind}" for kind, number in sorted(self._left_out.items()))
            self._notify(f"code: left out of folders without git: {what}")

    def _tree_pages(self, tree: Tree) -> Iterator[Page]:
        cursor = tree.version()
        items = tree.items()
        expected = sum(is_source(item.path) for item in items)
        self._counts["repositories"] += 1
        records: list[Record] = []
        looked_at = text = 0
        complete = True
        small = [item for item in items if item.size is None or item.size <= MAX_BYTES]
        large = ((item, b"") for item in items if item.size is not None and item.size > MAX_BYTES)
        for source in (large, tree.contents(small)):
            for item, data in source:
                looked_at += is_source(item.path)
                if data is None:
                    complete = False
                    records.append(self._failure(tree.name, item.path, "failed", "not in the repository, or locked"))
                else:
                    self._counts["bytes"] += len(data)
                    new = self._reader.read(tree.name, tree.revision(), item, data)
                    records += new
                    text += sum(_text_size(record) for record in new)
                if len(records) >= _PAGE_RECORDS or looked_at >= _PAGE_FILES or text >= _PAGE_TEXT:
                    self._counts["files"] += looked_at
                    yield Page(tuple(records), tree.name, expected=expected, items=looked_at)
                    records, looked_at, text = [], 0, 0
        self._counts["files"] += looked_at
        yield Page(
            tuple(records),
            tree.name,
            cursor=cursor if complete else None,
            done=True,
            expected=expected,
            items=looked_at,
        )

    def _failure(self, repo: str, item: str, reason: str, detail: str) -> Failure:
        return Failure(NAME, repo, item, reason, detail, self._reader.now())


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the bytes of one file into records."""

    config_classes: Mapping[str, str]
    keep_text: bool
    now: Callable[[], datetime]
    counts: Counter[str]

    def read(self, repo: str, revision: str | None, item: Item, data: bytes) -> list[Record]:
        """Records of one file: none when it does not name peft."""
        if not is_source(item.path):
            return [self._config(repo, item, data)]
        too_large = (item.size or 0) > MAX_BYTES
        if not too_large and not mentions_peft(data):
            return []
        about = CodeFile(
            NAME,
            repo,
            revision,
            item.path,
            item.sha,
            status="too_large",
            role=classify(item.path, repo),
            bytes=item.size,
            detail=_OVER_CAP,
            fetched_at=self.now(),
        )
        if too_large:
            return [about]
        self.counts["parsed"] += 1
        reading = read_imports(data, item.path, self.config_classes)
        text = clean(data.decode("utf-8", "replace"), MAX_BYTES) if self.keep_text else None
        about = replace(about, status=reading.status, parser=reading.parser, detail=reading.detail, text=text)
        found = (CodeImport(NAME, repo, revision, item.path, **one._asdict()) for one in reading.imports)
        return [about, *found]

    def _config(self, repo: str, item: Item, data: bytes) -> AdapterConfig:
        about = AdapterConfig(
            NAME, f"{repo}:{item.path}", "too_large", bytes=item.size, etag=item.sha, fetched_at=self.now()
        )
        if (item.size or 0) > MAX_BYTES:
            return replace(about, detail=_OVER_CAP)
        text = clean(data.decode("utf-8-sig", "replace"), MAX_BYTES)
        about = replace(about, status="malformed", config=text)
        try:
            config = json.loads(text)
        except (ValueError, RecursionError):
            return replace(about, detail="not JSON")
        peft_type = config.get("peft_type") if isinstance(config, dict) else None
        if not isinstance(peft_type, str):
            return replace(about, detail="no peft_type: another library's file")
        return replace(about, status="ok", peft_type=clean(peft_type, 200))


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
    )


def _text_size(record: Record) -> int:
    text = record.text if isinstance(record, CodeFile) else getattr(record, "config", None)
    return len(text or "")
