"""Whether two hubstats files say the same: every table, row by row, clocks and what hangs on them left out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import duckdb

LOGS = frozenset({"crawl", "stage_run", "migration", "salt"})
"""Tables about the running, not about what was found."""

CLOCKS = frozenset(
    {
        "seen_at", "fetched_at", "failed_at", "updated_at", "asked_at", "found_at", "imported_at", "drawn_at", "as_of",
        "crawl_id", "crawl_state", "crawled_at", "census_as_of", "source_as_of",
    }
)  # fmt: skip
"""Columns that say when, or in which crawl, something was done."""

SALTED = {"mass_uploader": frozenset({"uploader_id", "author_hash"})}
"""Columns made with the file's own salt."""

KEYLESS = {"crawl_cursor": ("source", "scope", "done")}
"""Tables of which only these columns count: the cursor's text holds times."""

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of the undisturbed file that the other lacks, rows that it has too many, and samples of both."""

    lost: int
    doubled: int
    lines: tuple[str, ...]


def compare(
    clean: Path,
    other: Path,
    *,
    only: Collection[str] | None = None,
    where: str = "true",
    without: Collection[str] = (),
) -> Difference:
    """What `other` lacks of `clean` and has beyond it, some columns left out; a changed row counts on both sides."""
    lost = doubled = 0
    lines: list[str] = []
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{clean}' AS clean (READ_ONLY); ATTACH '{other}' AS other (READ_ONLY)")
        tables = _tables(connection, "clean")
        if tables != (found := _tables(connection, "other")):
            lines.append(f"tables differ: {set(tables) ^ set(found)}")
        for table, columns in tables.items():
            if table in LOGS or (only is not None and table not in only) or not columns:
                continue
            shown = ", ".join(column for column in columns if column.strip('"') not in without)
            sides = [f"SELECT {shown} FROM {side}.{table} WHERE {where}" for side in ("clean", "other")]
            for sign, one, two in (("-", *sides), ("+", *reversed(sides))):
                rows = connection.execute(f"{one} EXCEPT ALL {two}").fetchall()
                lost, doubled = (lost + len(rows), doubled) if sign == "-" else (lost, doubled + len(rows))
                lines += [f"{sign} {table}: {_cut(row)}" for row in rows[:SHOWN]]
    return Difference(lost, doubled, tuple(lines))


def keys(db: Path) -> dict[str, set[tuple[object, ...]]]:
    """The keys of every crawled row: what a reader has seen must still be there later."""
    with duckdb.connect(str(db), read_only=True) as connection:
        wanted = {
            "hub_model": "source, model_id",
            "model_card": "source, model_id",
            "adapter_config": "source, model_id",
            "code_file": "source, repo, path",
            "image_checkpoint": "source, checkpoint_id",
            "search_hit": "source, query, repo, path",
            "bench_run": "run_id",
        }
        return {
            table: set(connection.execute(f"SELECT {columns} FROM {table}").fetchall())
            for table, columns in wanted.items()
        }


def _tables(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = ? AND table_name IN"
        " (SELECT table_name FROM duckdb_tables() WHERE database_name = ?) ORDER BY table_name, column_index",
        [name, name],
    ).fetchall()
    found: dict[str, list[str]] = {}
    for table, column, kind in rows:
        columns = found.setdefault(table, [])
        if column in CLOCKS | SALTED.get(table, frozenset()) or column not in KEYLESS.get(table, (column,)):
            continue
        # Sums of the same numbers in another order differ in their last bits.
        columns.append(f'round("{column}", 9)' if kind == "DOUBLE" else f'"{column}"')
    return {table: tuple(columns) for table, columns in found.items()}


def _cut(row: tuple[object, ...]) -> str:
    return ", ".join(text if len(text := repr(value)) <= 60 else text[:60] + "..." for value in row)
