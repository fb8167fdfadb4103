"""Public code corpora: Parquet with one source file a row.

    content                                                     the file, as text or bytes; also `code`, `text`
    path                                                        also `max_stars_repo_path`, `file_path`
    repo_name                                                   also `max_stars_repo_name`, `repository_name`, `repo`
    blob_id                                                     also `hexsha`, `blob_sha`: git's hash, 40 digits
    language                                                    also `lang`: rows that are not Python are passed over

Only the contents must be there. Without a path, rows are Python files named by their hash; without a repository they
are the corpus's own; without a usable hash it is computed. Whole columns decide which rows may name peft, and only
those become Python objects. Row groups are read a few rows at a time, so their size is of no account.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hubstats.records import CodeFile, Failure, Record
from hubstats.sources._code_files import (
    MOST_RECORDS,
    MOST_TEXT,
    NAME,
    SHARD_BYTES,
    SHARD_FILES,
    Asked,
    Content,
    Reading,
    read_content,
    text_size,
)
from hubstats.sources._fields import clean
from hubstats.sources._trees import MAX_BYTES, blob_sha, is_source

NAMES = {
    "content": ("content", "code", "text"),
    "path": ("path", "max_stars_repo_path", "file_path"),
    "repo": ("repo_name", "max_stars_repo_name", "repository_name", "repo"),
    "sha": ("blob_id", "hexsha", "blob_sha"),
    "language": ("language", "lang"),
}
_PYTHON = frozenset(("python", "jupyter notebook", "jupyter-notebook"))
BATCH_ROWS = 64
"""Held at once: a thousand would do as well, but for rows of many megabytes."""
MOST_GROUP_BYTES = 8 * 1024**3
"""Of the contents of a row group, unpacked: a file of a few kilobytes may say more."""
DENSE = 10
"""Times as many records of one reading as of a shard of files: what is left of a row group is decoded anew."""


class ParquetError(Exception):
    """The file cannot be read as a corpus; the text is one line, `reason` a word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ParquetShard:
    """Some row groups of one file."""

    path: str
    name: str
    columns: tuple[tuple[str, str], ...]
    """(ours, the file's), of those that it has."""
    groups: tuple[int, ...]
    asked: Asked
    skip: int = 0
    """Rows of the first group that were read before."""

    def read(self) -> Reading:
        """The records of the rows, in their order. A group that cannot be decoded is a Failure, and counts as read."""
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        records: list[Record] = []
        files = parsed = size = text = lacking = 0
        with ParquetFile(self.path, buffer_size=1 << 18, pre_buffer=False) as file:
            for at, group in enumerate(self.groups):
                row = 0
                skip = self.skip if at == 0 else 0
                try:
                    wanted = [theirs for _, theirs in self.columns]
                    for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted, use_threads=False):
                        row += batch.num_rows
                        if row <= skip:
                            continue
                        columns = {ours: batch.column(theirs) for ours, theirs in self.columns}
                        lacking += columns["content"].null_count
                        looked_at, length, contents = _contents(columns, self.name)
                        files += looked_at
                        size += length
                        for content in contents:
                            new = list(read_content(content, self.asked))
                            parsed += any(isinstance(one, CodeFile) and one.status != "too_large" for one in new)
                            records += new
                            text += sum(map(text_size, new))
                        if len(records) >= DENSE * MOST_RECORDS or text >= DENSE * MOST_TEXT:
                            rest = replace(self, groups=self.groups[at:], skip=row)
                            records += self._lacking(lacking, group)
                            return Reading(tuple(records), files, parsed, size, rest=rest)
                except (ArrowException, OSError, ValueError, MemoryError) as error:
                    detail = f"cannot be decoded after row {row}: {_line(error)}; the file goes on after it"
                    records.append(Failure(NAME, self.name, f"row group {group}", "malformed", detail, self.asked.now))
        records += self._lacking(lacking, self.groups[0])
        return Reading(tuple(records), files, parsed, size)

    def lost(self, why: str) -> Reading:
        """What stands in for the reading when nobody could finish it."""
        groups = f"row groups {self.groups[0]} to {self.groups[-1]}"
        return Reading((Failure(NAME, self.name, groups, "failed", why, self.asked.now),), complete=False)

    def _lacking(self, count: int, group: int) -> Iterator[Failure]:
        if count:
            what = f"{count} rows have no content"
            yield Failure(NAME, self.name, f"rows from row group {group}", "missing", what, self.asked.now)


class ParquetTree:
    """One Parquet file as a scope; its cursor is its size and the hash of its footer, which tells of all rows."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._path = path
        self._about: Any = None
        self._columns: tuple[tuple[str, str], ...] = ()
        self._version = ""

    def open(self) -> None:
        """Reads the footer. Raises ParquetError when this is no corpus."""
        from pyarrow import ArrowException, types
        from pyarrow.parquet import ParquetFile

        try:
            with ParquetFile(self._path) as file:
                self._about, schema = file.metadata, file.schema_arrow
            self._version = _footer_hash(self._path)
        except (ArrowException, OSError, ValueError) as error:
            raise ParquetError("malformed", f"not a whole Parquet file: {_line(error)}") from error
        found = {ours: next((name for name in theirs if name in schema.names), None) for ours, theirs in NAMES.items()}
        self._columns = tuple((ours, theirs) for ours, theirs in found.items() if theirs is not None)
        if found["content"] is None:
            has = ", ".join(schema.names[:20])
            raise ParquetError("no_content_column", f"no column {', '.join(NAMES['content'])}; it has: {has}")
        for ours, theirs in self._columns:
            kind = schema.field(theirs).type
            text = types.is_string(kind) or types.is_large_string(kind)
            if not text and not (ours == "content" and (types.is_binary(kind) or types.is_large_binary(kind))):
                raise ParquetError("wrong_type", f"column {theirs} holds {str(kind)[:80]} and no text")

    def version(self) -> str:
        return self._version

    def expected(self) -> int:
        return int(self._about.num_rows)

    def shards(self, start: int, asked: Asked) -> Iterator[tuple[int, ParquetShard]]:
        """Shards from row group `start` on, each with the number of groups it stands for."""
        held: list[int] = []
        rows = size = 0
        place = next(
            at
            for at in range(self._about.num_columns)
            if self._about.schema.column(at).path == dict(self._columns)["content"]
        ) if self._about.num_row_groups else 0  # fmt: skip
        for group in range(start, self._about.num_row_groups):
            about = self._about.row_group(group)
            contents = about.column(place).total_uncompressed_size
            if contents > MOST_GROUP_BYTES:
                raise ParquetError("malformed", f"row group {group} says that it holds {contents:,} bytes of text")
            if held and (rows + about.num_rows > SHARD_FILES or size + contents > SHARD_BYTES):
                yield len(held), self._shard(held, asked)
                held, rows, size = [], 0, 0
            held.append(group)
            rows += about.num_rows
            size += contents
        if held:
            yield len(held), self._shard(held, asked)

    def _shard(self, groups: list[int], asked: Asked) -> ParquetShard:
        return ParquetShard(str(self._path), self.name, self._columns, tuple(groups), asked)


def parquet_files(path: Path) -> list[tuple[Path, str]]:
    """The Parquet files that a path stands for, each with the name of its scope.

    None when there is source code in the folder: then they are some program's data.
    """
    if path.is_file():
        return [(path, path.name)] if path.suffix == ".parquet" else []
    found: list[Path] = []
    for folder, _, names in os.walk(path):
        found += [Path(folder, name) for name in names if name.endswith(".parquet")]
        if any(map(is_source, names)):
            return []
    return [(file, file.relative_to(path).as_posix()) for file in sorted(found) if not file.is_symlink()]


def _contents(columns: dict[str, Any], corpus: str) -> tuple[int, int, Iterator[Content]]:
    """How many source files a batch holds, their bytes, and those that may name peft, as Python objects."""
    import numpy as np
    from pyarrow import compute, types

    content = columns["content"]
    lengths = compute.fill_null(compute.binary_length(content), -1).to_numpy(zero_copy_only=False)
    source = lengths >= 0
    if "language" in columns:
        language = compute.utf8_lower(columns["language"]).to_pylist()
        source &= np.array([one is None or one in _PYTHON for one in language], dtype=bool)
    paths = columns["path"].to_pylist() if "path" in columns else None
    if paths is not None:
        source &= np.array([path is not None and is_source(path) for path in paths], dtype=bool)
    text = not (types.is_binary(content.type) or types.is_large_binary(content.type))
    if text:
        unusual = compute.invert(compute.string_is_ascii(content))
        chosen = compute.fill_null(unusual, False).to_numpy(zero_copy_only=False)
        _mark_rows(chosen, content, (b"peft", b"\\u"))
        chosen |= lengths > MAX_BYTES
    else:
        chosen = np.ones(len(lengths), dtype=bool)  # in bytes any encoding may be declared

    def given() -> Iterator[Content]:
        for at in np.flatnonzero(source & chosen):
            length = int(lengths[at])
            raw = content[at].as_buffer().to_pybytes() if length <= MAX_BYTES else b""
            sha = columns["sha"][at].as_py() if "sha" in columns else None
            sha = sha.lower() if sha and len(sha) == 40 and sha.isalnum() else None
            repo = columns["repo"][at].as_py() if "repo" in columns else None
            path = paths[at] if paths is not None else f"{sha or blob_sha(raw)}.py"
            yield Content(
                clean(repo, 200) if repo else corpus.removesuffix(".parquet"),
                None,
                clean(path, 1000),
                sha,
                length,
                raw.decode("utf-8", "replace") if text else raw,
            )

    return int(source.sum()), int(lengths[source].sum()), given()


def _mark_rows(marks: Any, content: Any, needles: tuple[bytes, ...]) -> None:
    """Marks the rows in which one of the needles stands, and rarely one more.

    All rows are looked through as one text: ten times as fast as Arrow's own kernel, and without an object a row.
    """
    import numpy as np

    wide = str(content.type).startswith("large")
    _, offsets, data = content.buffers()
    starts = np.frombuffer(offsets, np.int64 if wide else np.int32)[content.offset :][: len(content) + 1]
    if data is None:
        return
    raw = data.slice(int(starts[0]), int(starts[-1] - starts[0])).to_pybytes()
    ends = (starts[1:] - starts[0]).tolist()
    for needle in needles:
        at = raw.find(needle)
        while at >= 0:
            row = bisect_right(ends, at)
            marks[row] = True
            at = raw.find(needle, ends[row])


def _footer_hash(path: Path) -> str:
    """What changes when any row does, as far as a footer tells: places, sizes and statistics of all columns."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 8))
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(max(0, size - 8 - length))
        return f"{size}:{hashlib.sha256(stream.read(length)).hexdigest()[:20]}"


def _line(error: BaseException) -> str:
    return clean((str(error).strip().splitlines() or [type(error).__name__])[0], 200)
