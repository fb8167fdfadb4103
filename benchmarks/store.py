"""How fast rows go into the file, and what a change costs there: `make bench-store`, or `python -m benchmarks.store`.

The rows are those of the file that benchmarks.estimates makes up: 3,000,000 listed repositories, 300,000 of them with
card and config, verdicts on those, and a million pieces of evidence.

load        they go the way of every crawl: as pages through the spool into the file, checked for keys, in transactions
bare        DuckDB alone: INSERT of the same Arrow tables into the same empty schema; nobody can be faster
executemany a row at a time, as most programs do; 2,000 rows, scaled to all
change      a thousand repositories whose listing, card, config and verdict changed go into a file of all rows, and into
            files of a tenth and a hundredth of them: what is there already should cost nothing
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl

from benchmarks.crawl import row, spread
from benchmarks.estimates import make
from benchmarks.memory import peak_gigabytes
from hubstats import pipeline
from hubstats.records import Page
from hubstats.store import Store

PAGES = 60
CHANGED = 1_000
ROW_BY_ROW = 2_000
EVIDENCE = 1_000_000
"""Pieces of evidence, at least: those made up are said again at other places until there are so many."""
ROWS = {
    "hub_model": "SELECT *, model_id AS id FROM hub_model",
    "model_card": "SELECT * REPLACE (NULL::VARCHAR AS text), model_id AS id FROM model_card",
    "adapter_config": "SELECT *, model_id AS id FROM adapter_config",
    "verdict": "SELECT *, subject_id AS id FROM verdict WHERE source = 'hub'",
    "detection": "SELECT * EXCLUDE (again) REPLACE (span_start + 1000 * again AS span_start,"
    " span_end + 1000 * again AS span_end), subject_id AS id"
    " FROM detection, range({times}) AS t(again) WHERE source = 'hub'",
}


def pages(made: duckdb.DuckDBPyConnection, where: str = "true") -> Iterator[dict[str, pl.DataFrame]]:
    """The rows, PAGES tables of each kind; all of a repository on one page."""
    [(counted,)] = made.execute("SELECT count(*) FROM detection WHERE source = 'hub'").fetchall()
    times = -(-EVIDENCE // counted)
    for page in range(PAGES):
        here = f"hash(id) % {PAGES} = {page} AND ({where})"
        yield {
            table: made.sql(f"SELECT * EXCLUDE (id) FROM ({select.format(times=times)}) WHERE {here}").pl()
            for table, select in ROWS.items()
        }


def load(rows: Iterator[dict[str, pl.DataFrame]], db: Path) -> float:
    """Seconds that the rows take on their way into a file."""
    spent = 0.0
    began = time.perf_counter()
    with pipeline.Writer(db, pipeline.Silent()) as writer:
        spent += time.perf_counter() - began
        for tables in rows:
            began = time.perf_counter()
            writer.append("hub", Page((), tables=tables))
            spent += time.perf_counter() - began
        began = time.perf_counter()
    return spent + time.perf_counter() - began


def bare(rows: Iterator[dict[str, pl.DataFrame]], db: Path) -> float:
    """Seconds that DuckDB takes for the same rows."""
    Store.open(db, write=True).close()
    spent = 0.0
    with duckdb.connect(str(db)) as connection:
        for tables in rows:
            for table, frame in tables.items():
                connection.register("frame", frame.to_arrow())
                began = time.perf_counter()
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM frame")
                spent += time.perf_counter() - began
        began = time.perf_counter()
    return spent + time.perf_counter() - began


def executemany(tables: dict[str, pl.DataFrame], db: Path) -> float:
    """Seconds a row, one at a time."""
    Store.open(db, write=True).close()
    frame = tables["hub_model"].head(ROW_BY_ROW)
    places = ", ".join("?" * frame.width)
    with duckdb.connect(str(db)) as connection:
        began = time.perf_counter()
        connection.executemany(f"INSERT INTO hub_model ({', '.join(frame.columns)}) VALUES ({places})", frame.rows())
        return (time.perf_counter() - began) / len(frame)


def change(made: duckdb.DuckDBPyConnection, db: Path, runs: int) -> list[float]:
    """Seconds that a thousand changed repositories take on their way into a file that has them already."""
    spent = []
    for run in range(runs):
        picked = f"id IN (SELECT model_id FROM adapter_config ORDER BY hash(model_id, {run}) LIMIT {CHANGED})"
        found = list(pages(made, picked))
        joined = {table: pl.concat([page[table] for page in found]) for table in ROWS}
        with pipeline.Writer(db, pipeline.Silent()) as writer:
            began = time.perf_counter()
            writer.append("hub", Page((), tables=joined))
            writer.flush()
            spent.append(time.perf_counter() - began)
    return spent


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=3_000_000)
    parser.add_argument("--sample", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="take the rows from this file, or make it here and keep it")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores,", end=" ")
    print(f"Python {platform.python_version()}, DuckDB {duckdb.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = options.keep or folder / "made.duckdb"
        if not source.exists():
            make(source, options.models, options.sample, 0, False)
        with duckdb.connect(str(source), read_only=True) as made:
            counts = dict.fromkeys(ROWS, 0)
            for page in pages(made):
                counts = {table: counts[table] + len(page[table]) for table in ROWS}
            row("rows", f"{sum(counts.values()):,}", ", ".join(f"{count:,} {table}" for table, count in counts.items()))
            limits = [bare(pages(made), folder / f"bare-{run}.duckdb") for run in range(options.runs)]
            loads = [load(pages(made), folder / f"load-{run}.duckdb") for run in range(options.runs)]
            each = executemany(next(pages(made)), folder / "many.duckdb")
            ratios = [load / limit for load, limit in zip(loads, limits, strict=True)]
            row("bare INSERT of all rows", spread(limits, "s"), "baseline")
            row("load", spread(loads, "s"), f"{spread(ratios, 'x')} the bare INSERT; wanted: minutes")
            slow = each * sum(counts.values())
            row(
                "executemany, scaled",
                f"{slow / 60:,.0f} min",
                f"{slow / sorted(loads)[len(loads) // 2]:,.0f} times the load",
            )
            size = (folder / "load-0.duckdb").stat().st_size
            row("file, without text", f"{size / 1e6:,.0f} MB", "wanted: under 2,000 MB")
            row(
                "most memory of the process", f"{peak_gigabytes() * 1000:,.0f} MB", "that which makes the rows included"
            )
            whole = 0.0
            for part in (1, 10, 100):
                db = folder / f"part-{part}.duckdb"
                load(pages(made, f"hash(id, 'part') % {part} = 0 OR id IN (SELECT model_id FROM adapter_config)"
                     if part > 1 else "true"), db)  # fmt: skip
                taken = change(made, db, max(3, options.runs))
                whole = whole or sorted(taken)[len(taken) // 2]
                [(there,)] = duckdb.connect(str(db)).execute("SELECT count(*) FROM hub_model").fetchall()
                row(f"{CHANGED:,} changed among {there:,}", spread([1000 * one for one in taken], "ms"), "")


if __name__ == "__main__":
    main()
