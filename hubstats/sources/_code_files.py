"""Source files turned into records, a shard at a time: what every worker does, wherever it runs.

A shard says which files of which place; its reading holds the records and depends on nothing else, so it is the same
in this process, in another one or on another machine that sees the same disk.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Protocol

from hubstats.imports import classify, mentions_peft, read_imports
from hubstats.records import AdapterConfig, CodeFile, CodeImport, Failure, Record
from hubstats.sources._fields import clean
from hubstats.sources._git import GitError
from hubstats.sources._trees import MAX_BYTES, Item, Place, blob_sha, is_source, shown

NAME = "code"
SHARD_FILES = 2_000
SHARD_BYTES = 32 << 20
MOST_RECORDS = 10_000
MOST_TEXT = 8 << 20
"""Records of one reading, and characters of the texts they keep; the rest of the shard is read in another one."""
_OVER_CAP = f"over {MAX_BYTES} bytes; not read"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of every file."""

    config_classes: Mapping[str, str]
    keep_text: bool
    now: datetime
    """Stands in the records, so that reading the same again gives the same."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Some files of one repository or folder."""

    repo: str
    revision: str | None
    place: Place
    items: tuple[Item, ...]
    asked: Asked

    def read(self) -> Reading:
        """The records of the files, in the order of the items; what git refuses to read is the reading's `error`."""
        return _read(self)

    def lost(self, why: str) -> Reading:
        """What stands in for the reading when nobody could finish it."""
        items = f"{len(self.items)} files from {shown(self.items[0].path)}"
        return Reading((Failure(NAME, self.repo, items, "failed", why, self.asked.now),), complete=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a shard holds."""

    records: tuple[Record, ...] = ()
    files: int = 0
    """Source files looked at."""
    parsed: int = 0
    bytes: int = 0
    complete: bool = True
    """False when some file could not be read that may be there another time."""
    error: str | None = None
    """Why the shard could not be read to its end."""
    rest: AnyShard | None = None
    """What is still to be read of it, when a reading became too large."""


class AnyShard(Protocol):
    """Something that a worker can read."""

    def read(self) -> Reading: ...
    def lost(self, why: str) -> Reading: ...


class Content(NamedTuple):
    """One file's content and what is known of it."""

    repo: str
    revision: str | None
    path: str
    sha: str | None
    size: int
    data: bytes | str
    """A text where the source holds texts, decoded already."""


def shards(repo: str, revision: str | None, place: Place, items: Iterator[Item], asked: Asked) -> Iterator[Shard]:
    """The items in shards of a bounded number of files and bytes. Raises what the items raise, after those before."""
    held: list[Item] = []
    size = 0
    for item in items:
        if held and (len(held) >= SHARD_FILES or size + min(item.size or 0, MAX_BYTES) > SHARD_BYTES):
            yield Shard(repo, revision, place, tuple(held), asked)
            held, size = [], 0
        held.append(item)
        size += min(item.size or 0, MAX_BYTES)
    if held:
        yield Shard(repo, revision, place, tuple(held), asked)


def _read(shard: Shard) -> Reading:
    records: list[Record] = []
    files = parsed = size = text = 0
    complete = True
    error = None
    done = 0
    try:
        for item, data in _contents(shard):
            done += 1
            files += is_source(item.path)
            if data is None:
                complete = False
                path, why = shown(item.path), "not in the repository, or locked"
                records.append(Failure(NAME, shard.repo, path, "failed", why, shard.asked.now))
                continue
            size += len(data)
            path = shown(item.path)
            content = Content(shard.repo, shard.revision, path, item.sha, max(item.size or 0, len(data)), data)
            new = list(read_content(content, shard.asked) if is_source(path) else (_config(content, shard.asked),))
            parsed += any(isinstance(record, CodeFile) and record.status != "too_large" for record in new)
            records += new
            text += sum(map(text_size, new))
            if len(records) >= MOST_RECORDS or text >= MOST_TEXT:
                break
    except GitError as refused:
        error = str(refused)
    rest = None if error or done == len(shard.items) else replace(shard, items=shard.items[done:])
    return Reading(tuple(records), files, parsed, size, complete, error, rest)


def _contents(shard: Shard) -> Iterator[tuple[Item, bytes | None]]:
    """Each item with its content; of a large one nothing is read, since it is too large whatever it says."""
    small = iter(shard.place.contents([item for item in shard.items if (item.size or 0) <= MAX_BYTES]))
    for item in shard.items:
        yield (item, b"") if (item.size or 0) > MAX_BYTES else next(small)


def read_content(content: Content, asked: Asked) -> Iterator[Record]:
    """Records of one source file: none when it does not name peft."""
    too_large = content.size > MAX_BYTES
    data = content.data
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if not too_large and not mentions_peft(raw):
        return
    about = CodeFile(
        NAME,
        content.repo,
        content.revision,
        content.path,
        content.sha if content.sha or too_large else blob_sha(raw),
        status="too_large",
        role=classify(content.path, content.repo),
        bytes=content.size,
        detail=_OVER_CAP,
        fetched_at=asked.now,
    )
    if too_large:
        yield about
        return
    reading = read_imports(data, content.path, asked.config_classes)
    text = clean(data if isinstance(data, str) else data.decode("utf-8", "replace"), MAX_BYTES)
    yield replace(
        about,
        status=reading.status,
        parser=reading.parser,
        detail=reading.detail,
        text=text if asked.keep_text else None,
    )
    for found in reading.imports:
        yield CodeImport(NAME, content.repo, content.revision, content.path, **found._asdict())


def _config(content: Content, asked: Asked) -> AdapterConfig:
    raw = content.data.encode("utf-8", "replace") if isinstance(content.data, str) else content.data
    too_large = content.size > MAX_BYTES
    sha = content.sha if content.sha or too_large else blob_sha(raw)
    name = f"{content.repo}:{content.path}"
    about = AdapterConfig(NAME, name, "too_large", bytes=content.size, etag=sha, fetched_at=asked.now)
    if too_large:
        return replace(about, detail=_OVER_CAP)
    text = clean(raw.decode("utf-8-sig", "replace"), MAX_BYTES)
    about = replace(about, status="malformed", config=text)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        return replace(about, detail="not JSON")
    peft_type = config.get("peft_type") if isinstance(config, dict) else None
    if not isinstance(peft_type, str):
        return replace(about, detail="no peft_type: another library's file")
    return replace(about, status="ok", peft_type=clean(peft_type, 200))


def text_size(record: Record) -> int:
    """Characters of the text that a record keeps."""
    text = record.text if isinstance(record, CodeFile) else getattr(record, "config", None)
    return len(text or "")
