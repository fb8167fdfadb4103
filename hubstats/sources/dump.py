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

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hubstats.errors import AccessDenied, SourceError, Unreachable
from hubstats.http.response import one_line, shown
from hubstats.records import DumpFile, Failure, Page, Record, SourceOptions
from hubstats.sources._dump_rows import CARD_CAP, Layout, Rows, layout, utc

if TYPE_CHECKING:
    import polars as pl

    from hubstats.sources import Notify

SLICE_ROWS = 5_000
SMALLEST_SLICE = 250
"""Rows that are given up together when they cannot be decoded."""
SLICE_BYTES = 64 * 1024 * 1024
"""Aimed at for one slice in memory; text that takes four times as much is read in smaller ones."""
MOST_ROWS = 20_000_000
"""Of a file: seven times as many models as the Hub has. More, from a file of a few kilobytes, would take hours."""
MOST_VALUES = 50_000_000
"""In one column of a row group, the items of lists counted one by one: a few bytes may stand for as many."""
MOST_GROUP_BYTES = 4 * 1024**3
"""Of a row group, unpacked."""
MOST_ROW_BYTES = 16 * 1024 * 1024
"""Of a row on average, in a column of another type than text, which cannot be cut before it is unpacked."""
PAGE_BYTES = 32 * 1024 * 1024
"""Card text a page holds."""

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

        self._counters["files"] += 1
        try:
            path = bulk.get()
            size = path.stat().st_size
            digest = _sha256(path)
            if bulk.sha256 not in (None, digest):
                raise OSError(f"its SHA-256 is {digest} and the Hub says {bulk.sha256}; remove {path} and try again")
            total, step = _measured(path)
            scan = pl.scan_parquet(path, low_memory=True, glob=False, hive_partitioning=False)
            schema = scan.collect_schema()
        except SourceError as error:
            raise error
        except (Exception, pl.exceptions.PanicException) as error:
            yield Page((self._failure(bulk.name, "file", "malformed", f"not a whole Parquet file: {_line(error)}"),))
            return
        self._expected += total
        reading = layout(schema)
        if "model_id" not in reading.columns:
            has = ", ".join(list(schema)[:20])
            yield Page((self._failure(bulk.name, "file", "no_id_column", f"no column modelId or id; it has: {has}"),))
            return
        scope = f"{bulk.name} {digest[:12]}"
        before = {old.rpartition(" ")[2] for old in cursors if old.rpartition(" ")[0] == bulk.name} - {digest[:12]}
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
        for first in range(start, total, step):
            yield from self._slice(scan, reading, rows, bulk.name, scope, first, min(step, total - first))
        record = DumpFile(
            self.name, bulk.name, bulk.revision, digest, size, total, tuple(schema), imported_at=datetime.now(UTC)
        )
        yield Page((record,), scope=scope, cursor=str(total), done=True, expected=self._expected, items=0)

    def _slice(
        self, scan: pl.LazyFrame, reading: Layout, rows: Rows, name: str, scope: str, first: int, count: int
    ) -> Iterator[Page]:
        """The pages of some rows; rows that cannot be decoded are one failure, and the file goes on after them."""
        import polars as pl

        last = first + count
        rows.bad.clear()
        try:
            raw = scan.select(reading.raw).slice(first, count).collect(engine="streaming")
            # One text may stand in thousands of rows and take its place once; what is made of it takes it each time.
            text = _text_bytes(raw)
            if text > MOST_ROW_BYTES * count:
                raise OverflowError(f"{text:,} bytes of text in {count} rows")
            if text > 4 * SLICE_BYTES and count > 1:
                yield from self._halves(scan, reading, rows, name, scope, first, count)
                return
            frame = raw.select(**reading.columns)
            if reading.losses:
                rows.bad.update(raw.select(reading.losses).row(0, named=True))
        except (Exception, pl.exceptions.PanicException) as error:
            if count > SMALLEST_SLICE:
                yield from self._halves(scan, reading, rows, name, scope, first, count)
                return
            detail = f"cannot be decoded: {_line(error)}; the file goes on after them"
            failure = self._failure(name, f"rows {first} to {last - 1}", "malformed", detail)
            yield Page((failure,), scope=scope, cursor=str(last), expected=self._expected, items=count)
            return
        for part in _by_bytes(frame):
            records: list[Record] = list(rows.records(part, first))
            end = first + part.height
            if end == last:
                records += self._lost(rows.bad, name, last - count)
            self._counters["rows"] += part.height
            self._counters["failures"] += sum(isinstance(record, Failure) for record in records)
            yield Page(tuple(records), scope=scope, cursor=str(end), expected=self._expected, items=part.height)
            first = end

    def _halves(
        self, scan: pl.LazyFrame, reading: Layout, rows: Rows, name: str, scope: str, first: int, count: int
    ) -> Iterator[Page]:
        half = count // 2
        yield from self._slice(scan, reading, rows, name, scope, first, half)
        yield from self._slice(scan, reading, rows, name, scope, first + half, count - half)

    def _lost(self, bad: Counter[str], name: str, first: int) -> Iterator[Failure]:
        for column, count in sorted(bad.items()):
            if count:
                what = f"{count} value{'s are' if count > 1 else ' is'} not what the column promises; left empty"
                yield Failure(self.name, name, f"column {column}, from row {first}", "wrong_type", what)

    def _failure(self, subject: str, item: str, reason: str, detail: str) -> Failure:
        self._counters["failures"] += 1
        return Failure(self.name, subject, item, reason, detail)


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


def _by_bytes(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The frame in runs of rows whose cards are not more than a page holds."""
    import polars as pl

    if "card_bytes" not in frame.columns or frame.height == 0:
        yield frame
        return
    kept = frame["card_bytes"].fill_null(0).clip(upper_bound=CARD_CAP).cast(pl.Int64)
    yield from frame.with_columns(part=kept.cum_sum() // PAGE_BYTES).partition_by(
        "part", maintain_order=True, include_key=False
    )


def _measured(path: Path) -> tuple[int, int]:
    """Rows of a Parquet file, and how many of them to hold at once, from what its footer says of itself.

    Raises OverflowError for more than any dump holds, pyarrow's errors for what is no Parquet file.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        about = file.metadata
    step: float = SLICE_ROWS
    for number in range(about.num_row_groups):
        group = about.row_group(number)
        values = max((group.column(place).num_values for place in range(group.num_columns)), default=0)
        if about.num_rows > MOST_ROWS or values > MOST_VALUES or group.total_byte_size > MOST_GROUP_BYTES:
            raise OverflowError(
                f"it says that it holds {about.num_rows:,} rows, and in row group {number} {values:,} values of one"
                f" column in {group.total_byte_size:,} bytes: more than any dump"
            )
        rows = max(1, group.num_rows)
        step = min(step, SLICE_BYTES * rows / max(1, group.total_byte_size), 100 * SLICE_ROWS * rows / max(1, values))
    return int(about.num_rows), max(1, int(step))


def _text_bytes(raw: pl.DataFrame) -> int:
    """Bytes that all texts of a frame take when each has a place of its own; of a text no more than the card's cap."""
    import polars as pl

    sizes: list[pl.Expr] = []
    for name, kind in raw.schema.items():
        if isinstance(kind, pl.Binary):
            sizes.append(pl.col(name).bin.size())
        elif isinstance(kind, pl.String):
            sizes.append(pl.col(name).str.len_bytes().clip(upper_bound=CARD_CAP))
        elif isinstance(kind, pl.Categorical | pl.Enum):
            sizes.append(pl.col(name).cat.len_bytes())
    return sum(raw.select(size.cast(pl.Int64).sum()).item() or 0 for size in sizes)


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
