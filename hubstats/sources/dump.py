"""Bulk files: metadata and model cards of the whole Hub as Parquet.

`path` is a file, a folder, a pattern, or a dataset on the Hub at a revision:

    hf:librarian-bots/model_cards_with_metadata@<commit>          all Parquet files, read one after the other
    hf:cfahlgren1/hub-stats@<commit>/models.parquet               one of them; a pattern may stand there

A revision that is a branch (or absent) is resolved to its commit, and the commit is recorded. Each file's SHA-256 is
recorded too: a dump with the same name may be another file tomorrow. Files are read in slices, so memory holds a few
thousand rows and one compressed row group at a time; an interrupted import goes on after the last row that was saved,
as long as the file is the same, and a file that was read to its end is not read again.

A row has an id in `modelId` or `id`; which other columns are understood is told in `_dump_rows`.
"""

from __future__ import annotations

import ctypes
import glob
import hashlib
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hubstats.errors import AccessDenied, SourceError, Unreachable
from hubstats.http.response import one_line, shown
from hubstats.records import DumpFile, Failure, Page, SourceOptions
from hubstats.sources._dump_rows import Layout, Rows, clean, layout, utc
from hubstats.sources._workers import ahead

if TYPE_CHECKING:
    import polars as pl

    from hubstats.sources import Notify

SLICE_ROWS = 5_000
"""Rows of a page, at most."""
SLICE_BYTES = 8 * 1024 * 1024
"""Text of a page, aimed at; what is decoded at once is kept below twice as much."""
MOST_ROWS = 20_000_000
"""Of a file: seven times as many models as the Hub has. More, from a file of a few kilobytes, would take hours."""
MOST_VALUES = 50_000_000
"""In one column of a row group, the items of lists counted one by one: a few bytes may stand for as many."""
MOST_GROUP_BYTES = 4 * 1024**3
"""Of a row group, unpacked."""
FEW_ROWS = 16
"""Decoded at once where nobody can say how large they are."""
READ_AHEAD = 1024 * 1024
"""Bytes of a column that are read from the disk at once."""

_HUB = re.compile(r"hf:(?P<name>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[^/]+))?(?:/(?P<pattern>.+))?\Z")


@dataclass(frozen=True, slots=True)
class Bulk:
    """One file to read."""

    name: str
    """As told in the store: the file's name, or dataset and file."""
    get: Callable[[], Path]
    """Where it lies; downloads it first when it is on the Hub."""
    revision: str | None = None
    as_of: datetime | None = None
    """When the dataset's revision was made; None for a local file."""
    sha256: str | None = None
    """Of its content, as the Hub says; None when it says nothing, or for a local file."""


class Dump:
    """The source `dump`."""

    name = "dump"
    live = False

    def __init__(self, options: SourceOptions, notify: Notify) -> None:
        self._options = options
        self._notify = notify
        self._counters: Counter[str] = Counter(files=0, rows=0, failures=0)
        self._expected = 0
        self.endpoint = options.path or "no path"

    def unavailable(self) -> str | None:
        path = self._options.path
        if not path:
            return "dump: give a Parquet file, a folder, or hf:OWNER/NAME@REVISION as the path"
        if path.startswith("hf:"):
            return None if _HUB.match(path) else f"dump: '{path}' is not of the form hf:OWNER/NAME@REVISION"
        return None if _local(path) else f"dump: there is no Parquet file at {path}; check the path"

    def counters(self) -> Mapping[str, int]:
        return dict(self._counters)

    def clean(self, text: str) -> str:
        """The text of a card as it is kept and judged."""
        return clean(text)

    def pages(self, cursors: Mapping[str, str]) -> Iterator[Page]:
        """Every row of every file, from where the saved cursors left each; files already read whole are passed over."""
        reason = self.unavailable()
        if reason is not None:
            raise SourceError(reason)
        path = str(self._options.path)
        for bulk in self._hub_files(path) if path.startswith("hf:") else self._local_files(path):
            yield from self._file(bulk, cursors)

    def _local_files(self, path: str) -> Iterator[Bulk]:
        found = _local(path)
        names = wanted([file.name for file in found])
        for file in found:
            if file.name in names:
                yield Bulk(file.name, lambda file=file: file)  # type: ignore[misc]  # mypy cannot infer the default

    def _hub_files(self, path: str) -> Iterator[Bulk]:
        match = _HUB.match(path)
        assert match is not None  # unavailable() has seen to it
        name, pattern = match["name"], match["pattern"]
        asked = self._options.revision or match["revision"]
        sha, as_of, files = _listing(name, asked)
        if asked is None:
            self._notify(f"dump: no revision of {name} was named; this is {sha}: hf:{name}@{sha} reads the same again")
        self.endpoint = f"hf:{name}@{sha}"
        parquet = [file for file in files if file.endswith(".parquet")]
        chosen = [file for file in parquet if fnmatch(file, pattern)] if pattern else list(wanted(parquet))
        if not chosen:
            raise SourceError(f"{self.endpoint} has no Parquet file{f' like {pattern}' if pattern else ''}")
        for file in sorted(chosen):

            def download(file: str = file) -> Path:
                self._notify(f"dump: fetching {file} of {name} at {sha[:12]}")
                return _download(name, file, sha)

            yield Bulk(f"{name}/{file}", download, sha, as_of, files[file])

    def _file(self, bulk: Bulk, cursors: Mapping[str, str]) -> Iterator[Page]:
        """The pages of one file; what is wrong with it as a whole is one failure and no exception."""
        import polars as pl
        from pyarrow import parquet

        self._counters["files"] += 1
        try:
            path = bulk.get()
            size = path.stat().st_size
            digest = _sha256(path)
            if bulk.sha256 not in (None, digest):
                raise OSError(f"its SHA-256 is {digest} and the Hub says {bulk.sha256}; remove {path} and try again")
            file = parquet.ParquetFile(path, buffer_size=READ_AHEAD, pre_buffer=False)
            _check_size(file.metadata)
            schema = pl.DataFrame(file.schema_arrow.empty_table()).schema
        except SourceError as error:
            raise error
        except (Exception, pl.exceptions.PanicException) as error:
            yield Page((self._failure(bulk.name, "file", "malformed", f"not a whole Parquet file: {_line(error)}"),))
            return
        with file:
            yield from ahead(self._rows(bulk, path, file, schema, cursors, size, digest))

    def _rows(
        self,
        bulk: Bulk,
        path: Path,
        file: Any,
        schema: pl.Schema,
        cursors: Mapping[str, str],
        size: int,
        digest: str,
    ) -> Iterator[Page]:
        total = int(file.metadata.num_rows)
        self._expected += total
        reading = layout(schema)
        if "model_id" not in reading.columns:
            has = ", ".join(list(schema)[:20])
            yield Page((self._failure(bulk.name, "file", "no_id_column", f"no column modelId or id; it has: {has}"),))
            return
        scope = f"{bulk.name} {digest[:12]}{self._options.extra.get('reader', '')}"
        ours = [old.removeprefix(f"{bulk.name} ") for old in cursors if old.startswith(f"{bulk.name} ")]
        before = {old.partition(" ")[0] for old in ours} - {digest[:12]}
        if before:
            self._notify(
                f"dump: {bulk.name} is not what it was when it was read before: its SHA-256 begins with {digest[:12]},"
                f" and then with {', '.join(sorted(before))}; it is read as a new file"
            )
        saved = "" if self._options.refresh else cursors.get(scope, "")
        start = int(saved) if saved.isdecimal() else 0
        if start >= total > 0:
            self._notify(f"dump: {bulk.name} is already in (same content); --refresh reads it again")
            return
        opening = [self._failure(bulk.name, f"column {name}", "wrong_type", f"{why}; left empty")
                   for name, why in reading.unusable]  # fmt: skip
        if opening:
            yield Page(tuple(opening))
        rows = Rows(self.name, bulk.name, utc(bulk.as_of), Counter())
        first = 0
        for group in range(file.metadata.num_row_groups):
            last = first + file.metadata.row_group(group).num_rows
            if last > start:
                yield from self._group(path, file, group, reading, rows, bulk.name, scope, (first, last), start)
            first = last
        record = DumpFile(
            self.name, bulk.name, bulk.revision, digest, size, total, tuple(schema), imported_at=datetime.now(UTC)
        )
        yield Page((record,), scope=scope, cursor=str(total), done=True, expected=self._expected, items=0)

    def _group(
        self,
        path: Path,
        file: Any,
        group: int,
        reading: Layout,
        rows: Rows,
        name: str,
        scope: str,
        span: tuple[int, int],
        start: int,
    ) -> Iterator[Page]:
        """The pages of a row group, from row `start` of the file on; where it cannot be decoded, the rest of it is one
        failure, and the file goes on after it."""
        import polars as pl

        first, last = span
        rows.bad.clear()
        try:
            for part in _slices(path, file, group, reading.raw):
                skipped = min(max(0, start - first), len(part))
                first += skipped
                raw = part[skipped:]
                if not len(raw):
                    continue
                frame = raw.select(**reading.columns)
                if reading.losses:
                    rows.bad.update(raw.select(reading.losses).row(0, named=True))
                tables, failures = rows.tables(frame, first)
                failures += self._lost(rows.bad, name, first)
                rows.bad.clear()
                self._counters["rows"] += len(raw)
                self._counters["failures"] += len(failures)
                first += len(raw)
                yield Page(tuple(failures), scope, str(first), expected=self._expected, items=len(raw), tables=tables)
                _give_back()
        except (Exception, pl.exceptions.PanicException) as error:
            detail = f"cannot be decoded: {_line(error)}; the file goes on after them"
            failure = self._failure(name, f"rows {first} to {last - 1}", "malformed", detail)
            yield Page((failure,), scope=scope, cursor=str(last), expected=self._expected, items=last - first)

    def _lost(self, bad: Counter[str], name: str, first: int) -> Iterator[Failure]:
        for column, count in sorted(bad.items()):
            if count:
                what = f"{count} value{'s are' if count > 1 else ' is'} not what the column promises; left empty"
                yield Failure(self.name, name, f"column {column}, from row {first}", "wrong_type", what)

    def _failure(self, subject: str, item: str, reason: str, detail: str) -> Failure:
        self._counters["failures"] += 1
        return Failure(self.name, subject, item, reason, detail)


def _give_back() -> None:
    """What was freed goes back to the system, where the C library (glibc) would keep it: 60 MB over 200,000 cards."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def wanted(names: list[str]) -> frozenset[str]:
    """The files about models: where a dump has `models.parquet` (beside datasets, spaces, ...), only that one."""
    models = [name for name in names if PurePosixPath(name).name == "models.parquet"]
    return frozenset(models or names)


def _local(path: str) -> list[Path]:
    given = Path(path).expanduser()
    if given.is_file():
        return [given]
    if given.is_dir():
        return sorted(file for file in given.rglob("*.parquet") if file.is_file())
    return sorted(Path(file) for file in glob.glob(str(given), recursive=True) if Path(file).is_file())  # noqa: PTH207


def _check_size(about: Any) -> None:
    """Raises OverflowError where a Parquet file says of itself that it holds more than any dump."""
    for number in range(about.num_row_groups):
        group = about.row_group(number)
        values = max((group.column(place).num_values for place in range(group.num_columns)), default=0)
        if about.num_rows > MOST_ROWS or values > MOST_VALUES or group.total_byte_size > MOST_GROUP_BYTES:
            raise OverflowError(
                f"it says that it holds {about.num_rows:,} rows, and in row group {number} {values:,} values of one"
                f" column in {group.total_byte_size:,} bytes: more than any dump"
            )


def _slices(path: Path, file: Any, group: int, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The rows of a row group, in slices of about SLICE_BYTES and at most SLICE_ROWS rows."""
    import polars as pl
    import pyarrow as pa

    held: list[Any] = []
    rows = size = 0

    def whole() -> pl.DataFrame:
        table = pa.Table.from_batches(held)
        held.clear()
        return pl.DataFrame(pl.from_arrow(table))

    for batch in file.iter_batches(_batch_rows(path, file, group, columns), row_groups=[group], columns=list(columns)):
        batch.validate(full=True)  # text that is no UTF-8 would do harm later
        if held and (rows + len(batch) > SLICE_ROWS or size + batch.nbytes > SLICE_BYTES):
            yield whole()
            rows = size = 0
        held.append(batch)
        rows += len(batch)
        size += batch.nbytes
    if held:
        yield whole()


def _batch_rows(path: Path, file: Any, group: int, columns: Sequence[str]) -> int:
    """How many rows of a row group to decode at once, so that they take no more than a few SLICE_BYTES.

    What rows take on average stands in the footer. Where values are given by their place in a dictionary, or by what
    they share with the one before, a few bytes may stand for as many rows as they like: a dictionary is looked into,
    and where it holds a long text, the rows are asked how often they say it.
    """
    about = file.metadata.row_group(group)
    rows: int = min(SLICE_ROWS // 4, SLICE_BYTES // 4 * about.num_rows // max(1, about.total_byte_size))
    for place in range(about.num_columns):
        column = about.column(place)
        name = column.path_in_schema.partition(".")[0]
        if name not in columns:
            continue
        rows = min(rows, 100 * SLICE_ROWS * about.num_rows // max(1, column.num_values))
        if any(str(encoding).startswith("DELTA_") and "BYTE" in str(encoding) for encoding in column.encodings):
            rows = min(rows, SLICE_BYTES // max(1, column.total_uncompressed_size))
        if column.has_dictionary_page and column.physical_type == "BYTE_ARRAY":
            longest = _longest_in_dictionary(path, file.metadata, group, column.path_in_schema)
            each = 1 if longest is None else longest * column.num_values // max(1, about.num_rows)
            most = FEW_ROWS if longest is None else 2 * SLICE_BYTES // max(1, each)
            if most < rows and longest is not None and name == column.path_in_schema:
                most = _rows_that_fit(path, file.metadata, group, name, max(1, rows))
            rows = min(rows, most)
    return max(1, rows)


def _rows_that_fit(path: Path, about: Any, group: int, column: str, rows: int) -> int:
    """The most rows, `rows` halved as often as it takes, of which no batch of a column takes over 2 * SLICE_BYTES."""
    import numpy as np
    import pyarrow.compute as pc

    known = None
    for batch in _as_places(path, about, group, column, rows):
        values = batch.column(0)
        sizes = pc.take(pc.binary_length(values.dictionary), values.indices).fill_null(0).to_numpy(zero_copy_only=False)
        while rows > 1 and np.add.reduceat(sizes, range(0, len(sizes), rows)).max() > 2 * SLICE_BYTES:
            rows //= 2
        known = known or len(values.dictionary)
        if rows == 1 or len(values.dictionary) > known:  # the rows from here on have their own text, not a place
            break
    return rows


def _longest_in_dictionary(path: Path, about: Any, group: int, column: str) -> int | None:
    """Bytes of the longest value in the dictionary of a column of text, or of lists of text; None: it has none here."""
    import pyarrow.compute as pc

    batch = next(_as_places(path, about, group, column, 1), None)
    dictionary = None if batch is None else _dictionary(batch.column(0))
    return None if dictionary is None else pc.max(pc.binary_length(dictionary)).as_py() or 0


def _as_places(path: Path, about: Any, group: int, column: str, rows: int) -> Iterator[Any]:
    """Batches of a column as places in its dictionary. Text without a place is added to the dictionary, and stays."""
    from pyarrow import parquet

    options: dict[str, Any] = {"buffer_size": READ_AHEAD, "pre_buffer": False, "read_dictionary": [column]}
    with parquet.ParquetFile(path, metadata=about, **options) as file:
        yield from file.iter_batches(rows, row_groups=[group], columns=[column])


def _dictionary(values: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        return values.dictionary
    if pa.types.is_struct(values.type):
        found = (_dictionary(values.field(number)) for number in range(values.type.num_fields))
        return next((dictionary for dictionary in found if dictionary is not None), None)
    return _dictionary(values.values) if pa.types.is_list(values.type) or pa.types.is_large_list(values.type) else None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def _listing(name: str, revision: str | None) -> tuple[str, datetime | None, dict[str, str | None]]:
    """Commit, its date and the files (with their SHA-256) of a dataset at a revision (default branch when None)."""
    from huggingface_hub import HfApi

    def ask() -> Any:
        return HfApi(endpoint=_endpoint()).dataset_info(name, revision=revision, files_metadata=True, timeout=30)

    info = _asked(ask, f"dataset {name}{f' at {revision}' if revision else ''}")
    if not info.sha:
        raise SourceError(f"the Hub names no commit for the dataset {name}; give one as {name}@COMMIT")
    files = {file.rfilename: file.lfs.sha256 if file.lfs else None for file in info.siblings or []}
    return info.sha, info.last_modified, files


def _download(name: str, file: str, sha: str) -> Path:
    """The file in the Hub client's cache, resumed when it was begun before."""
    from huggingface_hub import hf_hub_download

    def ask() -> Any:
        return hf_hub_download(
            name, file, repo_type="dataset", revision=sha, endpoint=_endpoint(), tqdm_class=_quiet_bar()
        )

    return Path(_asked(ask, f"{file} of the dataset {name}"))


def _quiet_bar() -> Any:
    from tqdm.auto import tqdm  # type: ignore[import-untyped]  # it has no types

    class Quiet(tqdm):  # type: ignore[misc]
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **{**options, "disable": True})

    return Quiet


def _asked(ask: Callable[[], Any], what: str) -> Any:
    """What the Hub client answers; its many exceptions become our three, each with the next step."""
    from huggingface_hub import errors

    try:
        return ask()
    except errors.GatedRepoError as error:
        raise AccessDenied(f"{what} is gated: accept its terms on the Hub and set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise SourceError(f"the Hub has no {what}, or it is private: check the name, or set HF_TOKEN") from error
    except (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError) as error:
        raise SourceError(f"the Hub has no {what} at that revision; check the commit") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status in (401, 403):
            raise AccessDenied(
                f"the Hub refuses {what} ({status}): set HF_TOKEN to a token that may read it"
            ) from error
        raise Unreachable(f"the Hub answers {status} for {what}; run the same command again later") from error
    except errors.HFValidationError as error:
        raise SourceError(f"{what}: not a name the Hub can have: {_line(error)}") from error
    except Exception as error:  # the client lets through whatever its transport raises
        why = one_line(_line(error))
        raise Unreachable(f"{shown(_endpoint())} cannot be reached for {what}: {why}; run it again later") from error


def open_source(options: SourceOptions, notify: Notify) -> Dump:
    """The bulk files at `options.path`; on the Hub at `options.revision`, or the one in the path."""
    return Dump(options, notify)
