"""The DuckDB file: opening, migrating, taking records in, answering queries. The only door to duckdb.

Migrations are our own few lines because no maintained migration library speaks DuckDB without SQLAlchemy; they are
numbered SQL files, applied in order inside a transaction and recorded by name and hash.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import resources
from itertools import chain
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from hubstats import records, spool
from hubstats.errors import QueryError, StoreBusy, StoreError

if TYPE_CHECKING:
    import polars

T = TypeVar("T")

MAX_LINE_BYTES = 64 * 1024 * 1024
"""Longest spooled line: a card at its byte cap, every character escaped."""
MIN_LINE_BYTES = 1024 * 1024
THRIFTY_BYTES = 256 * 1024 * 1024
"""Bytes that DuckDB may hold where it is asked to be thrifty. By itself it keeps whatever it has read of the file."""
PART_ITEMS = 200_000
"""Items of the table subject that are joined at once, within these bytes; 750,000 at once took 1.3 GB."""

OWNED: Mapping[str, tuple[tuple[str, Mapping[str, str]], ...]] = {
    "code_file": (("code_import", {"source": "source", "repo": "repo", "path": "path"}),),
    "verdict": (("detection", {"source": "source", "subject_id": "subject_id"}),),
    "bench_run": (("bench_metric", {"run_id": "run_id"}), ("bench_item", {"run_id": "run_id"})),
    "model_card": (("verdict", {"source": "source", "subject_id": "model_id"}),),
    "adapter_config": (("verdict", {"source": "source", "subject_id": "model_id"}),),
    "image_checkpoint": (("verdict", {"source": "source", "subject_id": "checkpoint_id"}),),
}
"""Rows that go when the row they belong to is written anew: a file's imports, the verdict on a changed card."""

KEPT: Mapping[str, tuple[str, ...]] = {"hub_model": ("has_card", "has_adapter_config", "weight_files")}
"""Columns that a new row leaves as they were when it says nothing of them: a card dump lists no files, which must not
erase what a metadata dump of the same repositories told."""

DERIVED = ("subject", "phrase_import", "use_import", "tally")
"""Tables that inputs/<table>_rows.sql fills from the crawled ones and from those before it: what every estimate and
most questions start from, joined once and not at each of them."""

ATTENDED_SECONDS = 0.2
"""How often a wait for a statement looks up: once Polars is loaded, a signal alone wakes no wait."""

FULL = "free some space and run the same command again; what was committed is kept"

_BUSY = re.compile(r"Conflicting lock is held in (?:.+?\()?PID (\d+)")
"""PID 0 is a holder that let go while DuckDB asked who it was."""


def record_classes() -> dict[str, type[records.Record]]:
    """Table name -> record class, for every table that records are written to."""
    return {cls.TABLE: cls for cls in records.Record.__subclasses__()}


def migrations() -> list[tuple[str, str]]:
    """(name, SQL) of each migration in order."""
    folder = resources.files("hubstats") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(name.removesuffix(".sql"), (folder / name).read_text(encoding="utf-8")) for name in names]


def read_input(name: str) -> str:
    """SQL of inputs/<name>.sql: what a stage reads from the store."""
    return (resources.files("hubstats") / "inputs" / f"{name}.sql").read_text(encoding="utf-8")


class Store:
    """One open hubstats file. Use as a context manager; keep it open for moments, not minutes."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self.path = path

    @classmethod
    def open(cls, path: Path, *, write: bool = False, patience: float = 15.0) -> Store:
        """The file at `path`, waiting up to `patience` seconds while another process holds it.

        With `write` a missing file is created and an older schema is migrated. Raises StoreBusy when the file
        stays locked, StoreError when it is missing, not ours, of a newer version, or cannot be read.
        """
        if path.is_dir():
            raise StoreError(f"{path} is a folder; give the path of a DuckDB file with --db")
        if not write and not path.exists():
            raise StoreError(f"there is no file {path}; make one with 'hubstats crawl', or name another with --db")
        if write and not path.parent.is_dir():
            raise StoreError(f"there is no folder {path.parent} to put {path.name} into; make it first")
        store = cls(_connect(path, write=write, patience=patience), path)
        try:
            store._check_schema(write=write)
        except BaseException:
            store.close()
            raise
        return store

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the file back to other processes."""
        self._connection.close()

    # --- schema -------------------------------------------------------------------------------------------------

    def _check_schema(self, *, write: bool) -> None:
        known = migrations()
        tables = {row[0] for row in self._rows("SELECT table_name FROM duckdb_tables() WHERE NOT internal")}
        if "migration" not in tables:
            if tables:
                raise StoreError(f"{self.path} is a DuckDB file but not one of hubstats; name another with --db")
            if not write:
                raise StoreError(f"{self.path} is empty; fill it with 'hubstats crawl'")
            self._run(
                "CREATE TABLE migration (name VARCHAR PRIMARY KEY, sha256 VARCHAR NOT NULL, applied_at TIMESTAMP);"
                "COMMENT ON TABLE migration IS 'Schema changes applied to this file, in order';"
                "COMMENT ON COLUMN migration.name IS 'Name of the migration';"
                "COMMENT ON COLUMN migration.sha256 IS 'Hash of its SQL';"
                "COMMENT ON COLUMN migration.applied_at IS 'UTC';"
            )
        applied = {row[0] for row in self._rows("SELECT name FROM migration")}
        newer = applied - {name for name, _ in known}
        if newer:
            raise StoreError(
                f"{self.path} was written by a newer hubstats (schema {max(newer)}): upgrade hubstats to open it"
            )
        missing = [(name, sql) for name, sql in known if name not in applied]
        if missing and not write:
            raise StoreError(
                f"{self.path} has an older schema ({len(missing)} change(s) behind): "
                "'hubstats status --migrate' brings it up to date"
            )
        for name, sql in missing:
            with self.transaction():
                self._run(sql)
                self._run(
                    "INSERT INTO migration VALUES (?, ?, ?)", [name, hashlib.sha256(sql.encode()).hexdigest(), _now()]
                )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: rolled back when the body raises."""
        self._run("BEGIN")
        try:
            yield
        except BaseException:
            with suppress(StoreError):  # where the disk is full, DuckDB has given the transaction up by itself
                self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    def thrifty(self, work: Callable[[], T], most: int = THRIFTY_BYTES) -> T:
        """What `work` returns, done with DuckDB holding `most` bytes; where that is too little, without a bound.

        `work` only reads, or is one transaction: it may be done twice. The bound stays, so that closing the file keeps
        to it, too.
        """
        try:
            self._run(f"SET memory_limit = '{most} B'")
            return work()
        except (StoreError, QueryError) as error:
            if not _wants_memory(error):
                raise
        self._run("RESET memory_limit")
        return work()

    # --- records in ---------------------------------------------------------------------------------------------

    def absorb(self, segment: Path) -> int:
        """Takes the committed pages of a spool segment in, in one transaction; returns the number of rows.

        Twice is as good as once.
        """
        last_page = spool.repair(segment)
        files = {path.stem: path for path in sorted(segment.glob("*.ndjson")) if path.stat().st_size}
        frames = spool.frames(segment, last_page)
        tables = sorted({*files, *frames})
        # A card or config that could be read after all is no failure any more.
        read_after_all = [table for table in ("model_card", "adapter_config") if table in tables]
        unknown = set(tables) - set(record_classes()) - {spool.CURSOR_TABLE}
        if unknown:
            raise StoreError(f"{segment} holds rows for {', '.join(sorted(unknown))}, which this version does not know")
        size = sum(path.stat().st_size for path in (*files.values(), *(path for _, path in chain(*frames.values()))))
        # Lines of JSON are read by several threads, each with room for two of them.
        longest = max((_longest_line(path) for path in files.values()), default=0)

        def take_in() -> int:
            with self.transaction():
                for table in tables:
                    self._stage(table, files.get(table), frames.get(table, ()), last_page)
                for table in tables:
                    self._remove_owned(table)
                for table in read_after_all:
                    self._run(
                        f'DELETE FROM failure WHERE EXISTS (SELECT 1 FROM temp."staged_{table}" AS staged'
                        " WHERE staged.source = failure.source AND staged.model_id = failure.subject_id)"
                    )
                rows = sum(self._take_in(table) for table in tables)
                for table in tables:
                    self._run(f'DROP TABLE temp."staged_{table}"')
            return rows

        try:
            return self.thrifty(take_in, THRIFTY_BYTES // 4 + 2 * size + 8 * longest)
        except StoreError as error:
            raise StoreError(f"cannot take in {segment}: {error}") from error

    def _columns(self, table: str) -> dict[str, str]:
        found = self._rows(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? AND schema_name = 'main'"
            " AND database_name = current_database() ORDER BY column_index",
            [table],
        )
        return dict(found)

    def _key(self, table: str) -> tuple[str, ...]:
        return ("source", "scope") if table == spool.CURSOR_TABLE else record_classes()[table].KEY

    def _stage(self, table: str, lines: Path | None, frames: Sequence[tuple[int, Path]], last_page: int) -> None:
        columns = self._columns(table) | {spool.PAGE_COLUMN: "BIGINT"}
        staged = f'temp."staged_{table}"'
        if lines is None:
            listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            self._run(f'CREATE TEMP TABLE "staged_{table}" ({listed})')
        else:
            kinds = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
            self._run(
                f"CREATE TEMP TABLE \"staged_{table}\" AS SELECT * FROM read_json(?, format = 'newline_delimited',"
                f" columns = {{{kinds}}}, maximum_object_size = {_longest_line(lines)})"
                f" WHERE {spool.PAGE_COLUMN} <= {last_page}",
                [str(lines)],
            )
        if frames:
            self._stage_frames(staged, frames)
        # The last page that wrote a key wins, whole: a file read twice keeps the imports of its last reading.
        key = ", ".join(f'"{name}"' for name in self._key(table))
        several = (
            f"SELECT {key} FROM {staged} GROUP BY {key} HAVING min({spool.PAGE_COLUMN}) < max({spool.PAGE_COLUMN})"
        )
        if self._rows(f"SELECT EXISTS({several})")[0][0]:
            newest = f"rank() OVER (PARTITION BY {key} ORDER BY {spool.PAGE_COLUMN} DESC) = 1"
            self._run(f'CREATE OR REPLACE TEMP TABLE "staged_{table}" AS SELECT * FROM {staged} QUALIFY {newest}')

    def _stage_frames(self, staged: str, frames: Sequence[tuple[int, Path]]) -> None:
        import pyarrow as pa
        from pyarrow import ipc

        pages = []
        for page, path in frames:
            with pa.memory_map(str(path)) as stored, ipc.open_file(stored) as reader:
                rows = reader.read_all()
            pages.append(rows.append_column(spool.PAGE_COLUMN, pa.repeat(page, len(rows))))
        with _told(self.path):
            self._connection.register("page_rows", pa.concat_tables(pages))
            try:
                self._run(f"INSERT INTO {staged} BY NAME SELECT * FROM page_rows")
            finally:
                self._connection.unregister("page_rows")

    def _remove_owned(self, table: str) -> None:
        for owned, columns in OWNED.get(table, ()):
            match = " AND ".join(f"{owned}.{theirs} = staged.{ours}" for theirs, ours in columns.items())
            self._run(f'DELETE FROM {owned} WHERE EXISTS (SELECT 1 FROM temp."staged_{table}" AS staged WHERE {match})')

    def _take_in(self, table: str) -> int:
        columns = ", ".join(f'"{name}"' for name in self._columns(table))
        key = self._key(table)
        unique = self._rows(
            "SELECT 1 FROM duckdb_constraints() WHERE table_name = ? AND constraint_type = 'PRIMARY KEY'"
            " AND database_name = current_database()",
            [table],
        )
        staged = f'temp."staged_{table}"'
        match = " AND ".join(f"{table}.{name} = staged.{name}" for name in key)
        if table in KEPT:
            kept = ", ".join(f"{name} = coalesce(staged.{name}, {table}.{name})" for name in KEPT[table])
            self._run(f"UPDATE {staged} AS staged SET {kept} FROM {table} WHERE {match}")
        # Delete and insert: 1.2 s against 2.3 s of INSERT OR REPLACE for 50,000 rows of hub_model.
        self._run(f"DELETE FROM {table} WHERE EXISTS (SELECT 1 FROM {staged} AS staged WHERE {match})")
        # A key twice on one page is the same item listed twice: one of them is as good as the other.
        once = f"DISTINCT ON ({', '.join(key)}) " if unique else ""
        self._run(f"INSERT INTO {table} ({columns}) SELECT {once}{columns} FROM {staged}")
        return int(self._rows(f"SELECT count(*) FROM {staged}")[0][0])

    def replace(self, table: str, rows: Sequence[records.Record]) -> None:
        """Makes `rows` the whole content of a derived table (technique, estimate, ...); call it in a transaction."""
        import polars

        columns = self._columns(table)
        frame = polars.DataFrame(
            [polars.Series(name, _values(rows, name, kind), dtype=_polars_type(kind)) for name, kind in columns.items()]
        )
        # As a frame: 20,000 estimates in 0.3 s, where executemany took 3 s for 2,000.
        self.execute(f"DELETE FROM {table}")
        with _told(self.path):
            self._connection.from_arrow(frame.to_arrow()).insert_into(table)

    def derive(self) -> None:
        """Makes the tables of DERIVED anew from what was crawled and judged, in one transaction."""
        # Of the sources that were read whole: samples are smaller, and their weights are of all that was drawn.
        [(items,)] = self._rows(
            "SELECT count(*) FROM (SELECT source FROM model_card UNION ALL SELECT source FROM adapter_config"
            " UNION ALL SELECT source FROM image_checkpoint) ANTI JOIN sample_stratum USING (source)"
        )

        def fill() -> None:
            with self.transaction():
                for table in DERIVED:
                    self._run(f"DELETE FROM {table}")
                    parts = 1 + items // PART_ITEMS if table == "subject" else 1
                    for part in range(parts):
                        self._run(f"SET VARIABLE part = {part}::UBIGINT; SET VARIABLE parts = {parts}::UBIGINT")
                        self._run(f"INSERT INTO {table} BY NAME {read_input(f'{table}_rows')}")

        self.thrifty(fill)

    def forget_superseded(self, source: str) -> None:
        """Removes what a finished crawl of `source` has overtaken.

        Files (and their imports) of a repository's earlier commit that its newest one no longer has, and failures of
        a walk that has since been completed.
        """
        newest = (
            "SELECT repo, arg_max(revision, fetched_at) AS revision FROM code_file"
            " WHERE source = $source AND revision IS NOT NULL GROUP BY repo"
        )
        old = "SELECT 1 FROM newest WHERE newest.repo = {0}.repo AND newest.revision <> {0}.revision"
        with self.transaction():
            for table in ("code_import", "code_file"):
                self.execute(
                    f"WITH newest AS ({newest}) DELETE FROM {table}"
                    f" WHERE source = $source AND EXISTS ({old.format(table)})",
                    {"source": source},
                )
            self.execute(
                "DELETE FROM failure WHERE source = $source AND EXISTS (SELECT 1 FROM crawl_cursor AS walk WHERE"
                " walk.source = $source AND walk.scope = failure.subject_id AND walk.done"
                " AND walk.updated_at > failure.failed_at)",
                {"source": source},
            )

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Runs one statement of our own that changes the file."""
        self._run(sql, dict(parameters) if parameters else None)

    # --- answers out --------------------------------------------------------------------------------------------

    def frame(self, sql: str, parameters: Mapping[str, Any] | None = None) -> polars.DataFrame:
        """The rows of one SELECT as a Polars frame. Raises QueryError with DuckDB's reason."""

        def answer() -> polars.DataFrame:
            relation = self._connection.sql(sql, params=dict(parameters) if parameters else None)
            if relation is None:
                raise QueryError("that statement returns no rows; hubstats sql takes one SELECT")
            # Through pyarrow: polars.DataFrame(relation) needs no pyarrow but makes duckdb 2.0.0's bindings print
            # forty lines about leaked instances when the interpreter ends.
            frame: polars.DataFrame = relation.pl()
            return frame

        try:
            return _attended(self._connection, answer)
        except duckdb.Error as error:
            raise QueryError(str(error).strip()) from error
        except RuntimeError as error:
            raise _interrupt_in(error) from None

    def count(self, table: str) -> int:
        """Rows in a table."""
        return int(self._rows(f"SELECT count(*) FROM {table}")[0][0])

    def cursors(self, source: str) -> dict[str, str]:
        """Saved cursors of a source: scope -> cursor."""
        found = self._rows("SELECT scope, cursor FROM crawl_cursor WHERE source = ? AND cursor IS NOT NULL", [source])
        return dict(found)

    def confine(self) -> None:
        """Shuts the connection off from files, network and extensions, for SQL that a user typed."""
        try:
            self._run("SET enable_external_access = false; SET lock_configuration = true")
        except StoreError:
            # Connections of one process to one file share their settings: another one has shut them off before.
            if self._rows("SELECT current_setting('enable_external_access')") != [(False,)]:
                raise

    def _run(self, sql: str, parameters: Mapping[str, Any] | list[Any] | None = None) -> duckdb.DuckDBPyConnection:
        with _told(self.path):
            return _attended(self._connection, lambda: self._connection.execute(sql, parameters))

    def _rows(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with _told(self.path):
            return self._run(sql, parameters).fetchall()


def _connect(path: Path, *, write: bool, patience: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + patience
    pause = 0.02
    while True:
        try:
            return duckdb.connect(str(path), read_only=not write)
        except duckdb.IOException as error:
            text = str(error)
            held = _BUSY.search(text)
            if held is None:
                raise _unreadable(path, error) from error
            if time.monotonic() >= deadline:
                who = f"process {held.group(1)}" if held.group(1) != "0" else "another program"
                raise StoreBusy(f"{path} is held open by {who}; close it there and try again") from error
        except duckdb.Error as error:
            raise _unreadable(path, error) from error
        time.sleep(pause)
        pause = min(0.25, pause * 1.5)


def _attended(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    """What `work` returns, done beside the main thread, which thus hears Ctrl-C and ends the statement.

    By itself DuckDB (2.0.0) hears it in some statements only: not while a filter lets no row through.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    worker = threading.Thread(target=run, name="duckdb", daemon=True)
    try:
        worker.start()
        while not wait([done], ATTENDED_SECONDS).done:
            pass
    except KeyboardInterrupt:
        while worker.is_alive():  # until the statement has let go of the connection, however often it is pressed
            with suppress(KeyboardInterrupt):
                connection.interrupt()
                worker.join(ATTENDED_SECONDS)
        raise
    return done.result()


def _wants_memory(error: BaseException | None) -> bool:
    """Whether what went wrong began with too little memory: after that DuckDB says of a transaction that it is over."""
    while error is not None:
        if isinstance(error, duckdb.OutOfMemoryException):
            return True
        error = error.__cause__ or error.__context__
    return False


def _longest_line(path: Path) -> int:
    """Bytes to make room for in a file of lines: its longest is no longer than all of it, and DuckDB makes room for two
    in each of its threads."""
    return min(MAX_LINE_BYTES, max(MIN_LINE_BYTES, path.stat().st_size))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """DuckDB's errors as StoreError, and Ctrl-C as what it is."""
    try:
        yield
    except duckdb.Error as error:
        if "KeyboardInterrupt" in str(error):  # it came while a frame was being read
            raise KeyboardInterrupt from None
        if _is_full(error):
            raise StoreError(f"the disk is full at {path}: {FULL}") from error
        raise StoreError(f"{path}: {_first_line(error)}") from error
    except RuntimeError as error:
        raise _interrupt_in(error) from None


def _interrupt_in(error: RuntimeError) -> BaseException:
    """Ctrl-C in the middle of a statement is a RuntimeError to DuckDB (2.0.0); any other is handed back as it is."""
    return KeyboardInterrupt() if "interrupted" in str(error).lower() else error


def _is_full(error: duckdb.Error) -> bool:
    return any(reason in str(error) for reason in (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)))


def _unreadable(path: Path, error: duckdb.Error) -> StoreError:
    text = _first_line(error)
    if "not a valid DuckDB database" in text:
        return StoreError(f"{path} is not a DuckDB file; name another with --db")
    if "newer" in text or "storage version" in text.lower():
        return StoreError(f"{path} was written by another version of DuckDB: {text}")
    if _is_full(error):
        return StoreError(f"the disk is full at {path}: {FULL}")
    return StoreError(f"cannot open {path}: {text}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _polars_type(kind: str) -> polars.DataType:
    """The Polars type of a column of the schema."""
    import polars

    if kind.endswith("[]"):
        return polars.List(_polars_type(kind.removesuffix("[]")))
    types: Mapping[str, polars.DataType] = {
        "VARCHAR": polars.String(),
        "DOUBLE": polars.Float64(),
        "BIGINT": polars.Int64(),
        "INTEGER": polars.Int32(),
        "BOOLEAN": polars.Boolean(),
        "TIMESTAMP": polars.Datetime("us"),
        "DATE": polars.Date(),
    }
    return types[kind]


def _values(rows: Sequence[records.Record], name: str, kind: str) -> list[Any]:
    """What the rows have in a column of the schema; only times and lists need a look at each."""
    values = list(map(attrgetter(name), rows))
    return list(map(_bindable, values)) if kind == "TIMESTAMP" or kind.endswith("[]") else values


def _bindable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return list(value) if isinstance(value, tuple) else value


def wait_for(path: Path, *, patience: float, notify: Callable[[str], None]) -> Store | None:
    """The file opened for writing, or None when readers kept it for longer than `patience` seconds."""
    try:
        return Store.open(path, write=True, patience=patience)
    except StoreBusy as busy:
        notify(str(busy))
        return None
