"""How fast a bulk dump goes into the file: `make bench-dump`, or `python -m benchmarks.dump --rows 3000000`.

The dump is made up by `benchmarks.cards`, seeded. Each step runs in a process of its own, the steps of one round one
after the other, so that what else the machine does meets all of them:

scan       DuckDB's bare `SELECT sum(strlen(card))`: the column must be decompressed by everybody; the physical limit
read       the rows as frames, with their metadata brought to the columns of the store; nothing looked for
prefilter  the same, and every card looked at for signs; silent cards are ruled on
verdicts   the same, and every other card judged by all rules, on all cores
rows       the same, and models, cards, verdicts and evidence are in the file
command    `hubstats import` as it is typed: the same, the start of Python and all estimates included
pandas     `str.contains` once per technique, over a thousand of the cards: the obvious way

Time is given as that of the clock, and as processor time of all cores and processes together; both as ratios to the
scan. Then: time and memory against the number of cards, and with all of them in one row group; and whether what is in
the file is what `detect` says.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from pyarrow import parquet

from benchmarks import cards
from benchmarks.crawl import row, spread
from benchmarks.memory import children, largest, own_gigabytes, peak_gigabytes, workers
from hubstats import pipeline
from hubstats.ask import connect
from hubstats.detect import detect
from hubstats.detect.bulk import Bulk
from hubstats.detect.stream import Stream
from hubstats.engines import open_engine
from hubstats.records import Document, Page, SourceOptions, Verdict
from hubstats.sources import open_source
from hubstats.sources._dump_rows import clean
from hubstats.techniques import load

STEPS = ("scan", "read", "prefilter", "verdicts", "rows", "command")
PARTS = ("steps", "sizes", "groups", "check")
SAMPLE = 1_000
"""Cards that pandas is given."""
ONE_GROUP = 300_000
"""Cards of the one row group, at most: a gigabyte, unpacked."""
CHECKED = 2_000
"""Cards whose verdicts are held against those made one by one."""


def scan(path: Path, db: Path) -> int:
    """Bytes of text."""
    with duckdb.connect() as connection:
        found = connection.execute("SELECT sum(strlen(card)) FROM read_parquet(?)", [str(path)]).fetchone()
    assert found is not None
    return int(found[0])


def _pages(path: Path) -> Iterator[Page]:
    return open_source("dump", SourceOptions(path=str(path)), lambda line: None).pages({})


def read(path: Path, db: Path) -> int:
    """Rows read."""
    return sum(len(page.tables.get("model_card", ())) for page in _pages(path))


def prefilter(path: Path, db: Path) -> int:
    """Cards that are left to be judged."""
    bulk, left = Bulk(load(), "dump"), 0
    for page in _pages(path):
        if page.tables:
            models, texts = page.tables["hub_model"], page.tables["model_card"]
            frame = models.select("tags", "library_name", subject_id="model_id").with_columns(card=texts["text"])
            left += len(bulk.split(frame).rest)
    return left


def verdicts(path: Path, db: Path) -> int:
    """Verdicts made."""
    stream = Stream(Bulk(load(), "dump"), "dump", clean, keep_text=False)
    with open_engine("local") as engine:
        return sum(len(page.tables.get("verdict", ())) for page in stream.pages(_pages(path), engine))


def rows(path: Path, db: Path) -> int:
    """Verdicts in the file."""
    options = SourceOptions(path=str(path))
    with open_engine("local") as engine, pipeline.Writer(db, pipeline.Silent()) as writer:
        source = open_source("dump", options, lambda line: None)
        report = pipeline._crawl_source(writer, source, options, engine)
    assert report.state == "done", report.message
    return report.records["verdict"]


def command(path: Path, db: Path) -> int:
    """Verdicts in the file."""
    typed = [sys.executable, "-m", "hubstats", "import", str(path), "--kind", "dump", "--db", str(db)]
    subprocess.run(typed, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with duckdb.connect(str(db), read_only=True) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM verdict").fetchall()
    return int(count)


def pandas(path: Path, db: Path) -> int:
    """Pairs of card and technique that the names give."""
    import pandas

    texts = pandas.Series(_first_cards(path, SAMPLE), dtype="object")
    pairs = 0
    for technique in load():
        names = "|".join(re.escape(alias.text) for alias in technique.aliases)
        if names:
            pairs += int(texts.str.contains(rf"(?<!\w)(?:{names})(?!\w)", case=False).sum())
    return pairs


def _first_cards(path: Path, count: int) -> list[str]:
    return pl.scan_parquet(path).select("card").head(count).collect()["card"].to_list()


def measured(step: str, path: Path) -> dict[str, float]:
    """One step in a fresh Python: seconds of the clock and of processors, most memory, what it made."""
    command = [sys.executable, "-m", "benchmarks.dump_step", step, str(path)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    answer: dict[str, float] = json.loads(said)
    return answer


def one(step: str, path: Path) -> dict[str, float]:
    """Runs a step here. What is loaded once, whatever the dump's size, is loaded before the clock starts."""
    work: Callable[[Path, Path], int] = globals()[step]
    if step in ("prefilter", "verdicts", "rows"):
        Bulk(load(), "dump")
    with tempfile.TemporaryDirectory() as scratch:
        db = Path(scratch) / "made.duckdb"
        started, before = time.perf_counter(), _processor()
        who = children if step == "command" else workers
        with largest(who) as most, largest(who, own_gigabytes) as anonymous:
            made = work(path, db)
        for process in multiprocessing.active_children():
            process.join()  # what it used is told only then
        seconds = time.perf_counter() - started
        size = db.stat().st_size / 1e6 if db.exists() else 0.0
    return {"seconds": seconds, "processor": _processor() - before, "made": made, "size": size,
            "own": peak_gigabytes() * 1024, "other": most[0] * 1024, "anonymous": anonymous[0] * 1024}  # fmt: skip


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _processor() -> float:
    used = [resource.getrusage(who) for who in _WHO]
    return sum(one.ru_utime + one.ru_stime for one in used)


def compare(path: Path, count: int, runs: int) -> None:
    """The steps against the scan."""
    rounds = [{step: measured(step, path) for step in STEPS} for _ in range(runs)]
    naive = measured("pandas", path)
    text = rounds[0]["scan"]["made"]
    print(f"{count:,} cards, {text / 1e6:,.0f} MB of text, {path.stat().st_size / 1e6:,.0f} MB on disk, {runs} runs")
    for step in STEPS:
        for what, unit in (("seconds", "s"), ("processor", "CPU-s")):
            values = [one[step][what] for one in rounds]
            ratios = [one[step][what] / one["scan"][what] for one in rounds]
            row(f"{step}, {what}", spread(values, unit), f"{spread(ratios, 'x')} the scan")
    last = rounds[-1]
    left = last["prefilter"]["made"]
    row("cards left to be judged", f"{left:,.0f}", f"{left / count:.1%}")
    judging = statistics.median(one["verdicts"]["processor"] - one["prefilter"]["processor"] for one in rounds)
    row("judging, per such card", f"{judging / left * 1e6:.0f} us", "of processor time, its way to a worker included")
    each = naive["processor"] / SAMPLE
    for step in ("prefilter", "verdicts", "rows"):
        ours = statistics.median(one[step]["processor"] for one in rounds) / count
        row(f"pandas / {step}", f"{each / ours:,.0f} x", "processor time per card; wanted: at least 800x")
    row("file", f"{last['rows']['size']:.0f} MB", f"{last['rows']['made']:,.0f} verdicts")
    for step in ("read", "prefilter", "verdicts", "rows"):
        row(f"most memory, {step}", f"{last[step]['own']:.0f} MB", f"and a worker {last[step]['other']:.0f} MB")
    row("most memory, command", _memory(last["command"]), "")


def grow(path: Path, folder: Path, count: int) -> None:
    """Time and memory against the number of cards: an eighth, a quarter, half and all of the dump."""
    base = None
    for part in (8, 4, 2, 1):
        piece = folder / f"{part}.parquet"
        head(path, piece, count // part)
        scanned, used = measured("scan", piece), measured("command", piece)
        piece.unlink()
        base = base or used["processor"]
        row(f"{8 // part}x, {count // part:,} cards", f"{used['processor']:.1f} CPU-s",
            f"{used['processor'] / base:.2f} times the first; {used['seconds']:.1f} s,"
            f" {used['seconds'] / scanned['seconds']:.1f}x the scan's {scanned['seconds']:.2f} s;"
            f" {_memory(used)}; file {used['size']:.0f} MB")  # fmt: skip


def _memory(command: dict[str, float]) -> str:
    return f"{command['other']:.0f} MB ({command['anonymous']:.0f} of them no file's)"


def groups(path: Path, folder: Path, count: int) -> None:
    """Time and memory where all cards are in one row group, and where each has `cards.ROWS_A_GROUP` of them."""
    small, one = folder / "small.parquet", folder / "one.parquet"
    head(path, small, min(count, ONE_GROUP))
    table = parquet.read_table(small)
    parquet.write_table(table, one, row_group_size=len(table), compression="zstd")
    del table
    for piece in (small, one):
        about = parquet.read_metadata(piece)
        largest_group = max(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
        used = measured("command", piece)
        piece.unlink()
        what = f"row groups of {largest_group / 1e6:,.0f} MB"
        row(what, f"{used['processor']:.1f} CPU-s", f"{used['seconds']:.1f} s; {_memory(used)}")


def head(path: Path, piece: Path, rows: int) -> None:
    """The first rows of a dump as a dump of their own, written as `cards.write` writes."""
    with parquet.ParquetFile(path) as file, parquet.ParquetWriter(piece, cards.SCHEMA, compression="zstd") as writer:
        for batch in file.iter_batches(cards.ROWS_A_GROUP):
            writer.write_batch(batch[:rows])
            rows -= min(rows, len(batch))
            if not rows:
                return


def check(path: Path, folder: Path) -> None:
    """Holds the file against `detect`, card by card, for some of the cards."""
    db = folder / "checked.duckdb"
    sample = folder / "sample.parquet"
    head(path, sample, CHECKED)
    rows(sample, db)
    with connect(db) as answers:
        made = answers.sql("SELECT * FROM verdict").rows_by_key("subject_id", named=True, unique=True)
        found = dict(answers.sql("SELECT subject_id, count(*) FROM detection GROUP BY ALL").iter_rows())
    for given in pl.read_parquet(sample).iter_rows(named=True):
        document = Document("dump", given["modelId"], card=clean(given["card"]), tags=tuple(given["tags"]),
                            library_name=given["library_name"])  # fmt: skip
        evidence, verdict = detect(document, load())
        wanted = {field.name: _plain(getattr(verdict, field.name)) for field in fields(Verdict)}
        if wanted != made[given["modelId"]] | {"subject_id": given["modelId"]}:
            raise SystemExit(f"the file says of {given['modelId']} something else than detect: {wanted}")
        if len(evidence) != found.get(given["modelId"], 0):
            raise SystemExit(f"the file has other evidence of {given['modelId']} than detect")
    row("checked against detect", f"{CHECKED:,} cards", "verdicts and evidence the same")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--path", type=Path, help="a dump made before by benchmarks.cards")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="which tables")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()},", end=" ")
    print(f"DuckDB {duckdb.__version__}, Polars {pl.__version__}, prefilter {Bulk(load(), 'dump').engine}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        path = options.path or folder / "dump.parquet"
        if options.path is None:
            cards.write(path, options.rows, options.seed)
        count = pl.scan_parquet(path).select(pl.len()).collect().item()
        if "steps" in options.parts:
            compare(path, count, options.runs)
        if "sizes" in options.parts:
            grow(path, folder, count)
        if "groups" in options.parts:
            groups(path, folder, count)
        if "check" in options.parts:
            check(path, folder)


if __name__ == "__main__":
    main()
