"""Append-only files beside the DuckDB file, where a crawl's records wait for a moment to move in.

DuckDB lets in either one writer or many readers. A crawl that kept the file open would lock every analyst out,
so records go here first, and `Store.absorb` moves them in short transactions. One segment is one folder:

    hubstats.duckdb.spool/000007/hub_model.ndjson     {"_page": 3, "source": "hub", "model_id": "a/b", ...}
    hubstats.duckdb.spool/000007/crawl_cursor.ndjson  {"_page": 3, "source": "hub", "scope": "listing", ...}
    hubstats.duckdb.spool/000007/verdict.4.arrow      the rows of page 4 that came as a frame: a dump's, by the thousand

Rows are on disk (fsync) before the cursor that says they need not be asked for again, and both before the file
`committed` names the page they reach. A page counts once it is named there, whole: what a kill leaves beyond it, a
file without its imports or half a line, is as if it had never been asked for. Absorbing a segment twice changes
nothing, because every write has a key. NDJSON because DuckDB reads it natively and a person can, too.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from hubstats.errors import StoreError
from hubstats.records import Page, Record

if TYPE_CHECKING:
    import polars

CURSOR_TABLE = "crawl_cursor"
PAGE_COLUMN = "_page"
COMMITTED = "committed"
ABSORBED = ".absorbed"
"""Ending of a segment's folder that is in the file and only waits to be removed."""


_columns: dict[str, tuple[str, ...]] = {}
"""Table -> column names, filled as tables are met: asking the dataclass for each row takes longer than writing it."""


def as_line(record: Record, page: int) -> bytes:
    """The record as one line of JSON, times in UTC; lone surrogates, which UTF-8 cannot hold, become '?'."""
    row: dict[str, Any] = {PAGE_COLUMN: page}
    if record.TABLE not in _columns:
        _columns[record.TABLE] = tuple(field.name for field in fields(record))  # type: ignore[arg-type]
    for name in _columns[record.TABLE]:
        value = getattr(record, name)
        if value.__class__ is datetime and value.tzinfo is not UTC:
            value = value.astimezone(UTC)
        row[name] = value
    return _line(row)


def _line(row: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # a lone surrogate, or an integer past 64 bits
        return json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"


class Spool:
    """Writes pages of one crawl into numbered segments.

    Raises StoreError when the disk is full; what was committed before stays readable.
    """

    def __init__(self, folder: Path, segment_bytes: int = 32 * 1024 * 1024) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self._files: dict[str, BinaryIO] = {}
        self._frames: list[BinaryIO] = []
        self._cursors: dict[tuple[str, str], bytes] = {}
        self._open: Path | None = None
        self._written = 0
        self._page = 0

    def append(self, source: str, page: Page) -> None:
        """Buffers the page's records, and its cursor, until `commit`."""
        self._page += 1
        try:
            for record in page.records:
                self._write(record.TABLE, as_line(record, self._page))
            for table, frame in page.tables.items():
                if len(frame):
                    self._write_frame(table, frame)
        except OSError as error:
            raise self._failed(error) from error
        if page.cursor is not None or page.done:
            row = {
                PAGE_COLUMN: self._page,
                "source": source,
                "scope": page.scope,
                "cursor": page.cursor,
                "done": page.done,
                "updated_at": datetime.now(UTC),
            }
            self._cursors[source, page.scope] = _line(row)

    def commit(self) -> None:
        """Puts all appended rows on disk, then the cursors. After this nothing of them can be lost."""
        try:
            for stream in (*self._files.values(), *self._frames):
                stream.flush()
                os.fsync(stream.fileno())
            self._close_frames()
            if self._cursors:
                for line in self._cursors.values():
                    self._write(CURSOR_TABLE, line)
                self._cursors.clear()
                stream = self._files[CURSOR_TABLE]
                stream.flush()
                os.fsync(stream.fileno())
            if self._open is not None:
                with (self._open / COMMITTED).open("ab") as stream:
                    stream.write(b"%d\n" % self._page)
                    stream.flush()
                    os.fsync(stream.fileno())
        except OSError as error:
            raise self._failed(error) from error

    @property
    def full(self) -> bool:
        """The open segment is large enough to be moved into the file."""
        return self._written >= self.segment_bytes

    @property
    def empty(self) -> bool:
        """Nothing was written since the last `seal`."""
        return self._open is None

    def seal(self) -> None:
        """Commits and closes the open segment, so that it can be absorbed."""
        if self._open is None and not self._cursors:
            return
        try:
            self.commit()
        finally:
            self._close_frames()
            for stream in self._files.values():
                with suppress(OSError):
                    stream.close()
            self._files.clear()
            self._open = None
            self._written = 0

    def segments(self) -> list[Path]:
        """Folders of closed segments, oldest first."""
        if not self.folder.is_dir():
            return []
        found = sorted(path for path in self.folder.iterdir() if path.is_dir() and path.name.isdigit())
        return [path for path in found if path != self._open]

    def _write(self, table: str, line: bytes) -> None:
        if self._open is None:
            self._open = self._next_folder()
        if table not in self._files:
            self._files[table] = (self._open / f"{table}.ndjson").open("ab")
        self._files[table].write(line)
        self._written += len(line)

    def _write_frame(self, table: str, frame: polars.DataFrame) -> None:
        import polars

        if self._open is None:
            self._open = self._next_folder()
        stream = (self._open / f"{table}.{self._page}.arrow").open("wb")
        self._frames.append(stream)
        frame.write_ipc(stream, compat_level=polars.CompatLevel.oldest())
        self._written += stream.tell()

    def _close_frames(self) -> None:
        for stream in self._frames:
            with suppress(OSError):
                stream.close()
        self._frames.clear()

    def _next_folder(self) -> Path:
        numbers = [int(path.name) for path in self.segments()]
        folder = self.folder / f"{max(numbers, default=0) + 1:06d}"
        folder.mkdir(parents=True)
        return folder

    def _failed(self, error: OSError) -> StoreError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StoreError(
                f"the disk is full while writing {self.folder}: free some space and run the same command again; "
                "what was committed is kept and the crawl resumes"
            )
        return StoreError(f"cannot write {self.folder}: {error.strerror or error}; mend that and run it again")


def spool_folder(db: Path) -> Path:
    """Where records of `db` wait: beside it."""
    return db.with_name(db.name + ".spool")


def is_writing(db: Path) -> bool:
    """Whether a hubstats process is writing `db` now."""
    place = spool_folder(db) / "lock"
    if not place.exists():
        return False
    from filelock import FileLock, Timeout

    try:
        with FileLock(place).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def repair(segment: Path) -> int:
    """Cuts off the line that a killed process did not finish, in each file; returns the last page that counts."""
    committed = segment / COMMITTED
    for path in (*segment.glob("*.ndjson"), *([committed] if committed.exists() else ())):
        size = path.stat().st_size
        with path.open("rb+") as stream:
            end = _after_last_newline(stream, size)
            if end < size:
                stream.truncate(end)
    lines = committed.read_bytes().split() if committed.exists() else ()
    return int(lines[-1]) if lines else 0


def frames(segment: Path, last_page: int) -> dict[str, list[tuple[int, Path]]]:
    """Table -> page and file of the frames of a segment, up to the last page that counts, in the order of the pages."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in segment.glob("*.*.arrow"):
        table, number, _ = path.name.split(".")
        if int(number) <= last_page:
            found.setdefault(table, []).append((int(number), path))
    return {table: sorted(pages) for table, pages in sorted(found.items())}


def _after_last_newline(stream: BinaryIO, size: int, block: int = 1 << 16) -> int:
    position = size
    while position > 0:
        start = max(0, position - block)
        stream.seek(start)
        found = stream.read(position - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0


def discard(segment: Path) -> None:
    """Removes an absorbed segment, at once as far as readers of the spool see.

    Removed file by file, a segment that a kill leaves half would be taken in again: verdicts without their evidence.
    """
    gone = segment.with_name(segment.name + ABSORBED)
    segment.rename(gone)
    shutil.rmtree(gone)


def clear(folder: Path) -> None:
    """Removes what a killed process left of segments that were absorbed."""
    for gone in folder.glob(f"*{ABSORBED}"):
        shutil.rmtree(gone)


def pending(folder: Path) -> dict[str, int]:
    """Bytes waiting per table, for `hubstats status`."""
    sizes: dict[str, int] = {}
    for path in _rows(folder):
        table = path.name.split(".")[0]
        sizes[table] = sizes.get(table, 0) + path.stat().st_size
    return sizes


def _rows(folder: Path) -> Iterable[Path]:
    found = (*folder.glob("*/*.ndjson"), *folder.glob("*/*.arrow")) if folder.is_dir() else ()
    return (path for path in found if not path.parent.name.endswith(ABSORBED))
