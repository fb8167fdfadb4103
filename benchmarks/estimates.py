"""How fast estimates and questions are on a large file: `make bench-estimates`, or `python -m benchmarks.estimates`.

The file is made up, seeded, by listing.sql and files.sql, and drawn from by the real sampling: 3,000,000 listed
repositories, 300,000 of them with cards, configs, verdicts and detections, 100,000 uploads of an image site, 50,000
code files, 10,000 fine-tuning runs, and the embedded snapshot with the published figures.

estimate  the stage in a process of its own: wall time, most memory, what each part of it takes, and what making
          the estimates again does to the size of the file
queries   every question of queries/ with its default parameters, median of several

Everything is also given as a ratio to one bare `SELECT pipeline_tag, count(*) FROM hub_model GROUP BY ALL` of the
same file in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars

from benchmarks.memory import peak_gigabytes
from hubstats import estimate, pipeline, queries
from hubstats.ask import Answers, connect
from hubstats.detect import DETECTOR_VERSION
from hubstats.records import SourceOptions
from hubstats.store import DERIVED, Store, read_input
from hubstats.techniques import load

HERE = Path(__file__).parent
BARE = "SELECT pipeline_tag, count(*) FROM hub_model GROUP BY ALL"
SECONDS, GIGABYTES, QUERY_SECONDS = 20.0, 2.0, 0.1
"""What is wanted of the stage and of every question."""

MACROS = """
SET VARIABLE seed = {seed};
SET VARIABLE models = {models};
SET VARIABLE detector = '{detector}';
CREATE OR REPLACE TEMP MACRO uniform(item, salt) AS (hash(item, salt, getvariable('seed')) >> 11) / 9007199254740992.0;
SET VARIABLE methods = (
    SELECT list(key ORDER BY key) FROM technique WHERE kind = 'method' AND config_class IS NOT NULL AND key <> 'lora');
CREATE OR REPLACE TEMP MACRO technique_at(place) AS CASE
    WHEN place < 0.93 THEN 'lora'
    ELSE getvariable('methods')[1 + floor(len(getvariable('methods')) * ((place - 0.93) / 0.0700001) ^ 2)::BIGINT] END;
CREATE OR REPLACE TEMP MACRO base_at(number) AS 'lab/base-' || floor(2_000 * uniform(number, 'base') ^ 4)::BIGINT;
"""


def make(db: Path, models: int, sample: int, seed: int, dump: bool) -> None:
    """Writes the file; says what each step took."""
    pipeline.crawl(db, ["snapshot"], SourceOptions())
    macros = MACROS.format(seed=seed, models=models, detector=DETECTOR_VERSION)
    listed = timed(lambda: run_sql(db, macros, "listing.sql"))
    with pipeline.Writer(db, pipeline.Silent()) as writer:
        drawn = timed(lambda: pipeline.draw_sample(writer, "hub", SourceOptions(sample=sample, seed=seed)))
    # The temporary tables of the listing went with its connection: they are made again, without the rows.
    filled = timed(lambda: run_sql(db, macros, "files.sql", before="listing.sql"))
    if dump:
        filled += timed(lambda: run_sql(db, macros, "dump.sql"))
    row("file made up in", f"{listed + drawn + filled:.1f} s", f"{size(db):.0f} MB; sample drawn in {drawn:.1f} s")


def run_sql(db: Path, macros: str, name: str, before: str | None = None) -> None:
    """Runs a generator script; of the one `before` it only the temporary tables."""
    with duckdb.connect(str(db)) as connection:
        connection.execute(macros)
        if before:
            connection.execute((HERE / before).read_text(encoding="utf-8").split(";")[0])
        connection.execute((HERE / name).read_text(encoding="utf-8"))


def stage(db: Path) -> dict[str, float]:
    """Runs the estimate stage; seconds, those of all cores together, peak gigabytes and figures made."""
    with pipeline.Writer(db, pipeline.Silent()) as writer:
        started, processor = time.perf_counter(), time.process_time()
        made = pipeline.estimate(writer)
        seconds = time.perf_counter() - started
    used = time.process_time() - processor
    return {"seconds": seconds, "processor": used, "peak": peak_gigabytes(), "made": made}


def in_a_process(db: Path) -> dict[str, float]:
    """`stage` in a fresh Python."""
    command = [sys.executable, "-m", "benchmarks.estimates", "--stage", str(db)]
    answer: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return answer


def parts(db: Path) -> list[tuple[str, float, float]]:
    """(step of the stage, seconds, those of all cores together), one after the other; the file stays as it is."""
    steps: list[tuple[str, float, float]] = []
    frames: dict[str, polars.DataFrame] = {}
    rows: dict[str, polars.DataFrame] = {}
    registry = load()

    def step(name: str, work: Callable[[], object]) -> None:
        processor = time.process_time()
        seconds = timed(work)
        steps.append((name, seconds, time.process_time() - processor))

    with Store.open(db) as store:
        for table in DERIVED:
            step(f"{table}_rows.sql", lambda table=table: store.frame(read_input(f"{table}_rows")))  # type: ignore[misc]
        for name in estimate.INPUTS:
            step(f"{name}.sql", lambda name=name: frames.update({name: store.frame(read_input(name))}))  # type: ignore[misc]
            megabytes = frames[name].estimated_size("mb")
            steps[-1] = (f"{name}.sql, {frames[name].height:,} rows, {megabytes:.0f} MB", *steps[-1][1:])
    step("rows in canonical order", lambda: rows.update(estimate.canonical(frames)))
    for part in estimate.PARTS:
        name = getattr(part, "__name__", str(part)).removeprefix("hubstats.")
        step(name, lambda part=part: list(part.estimate(rows, registry)))  # type: ignore[misc]
    return steps


def compare_stage(db: Path, again: int, bare: float) -> None:
    """The stage, `again` times more, and its steps."""
    runs = [in_a_process(db)]
    sizes = [size(db)]
    for _ in range(again):
        runs.append(in_a_process(db))
        sizes.append(size(db))
    seconds, peak = [run["seconds"] for run in runs], max(run["peak"] for run in runs)
    figures = f"{runs[0]['made']:,.0f} figures"
    ratio = f"{statistics.median(seconds) / bare:.0f}x bare"
    row("estimate stage", f"{statistics.median(seconds):.2f} s ({ratio})", f"wanted: {SECONDS:.0f} s; {figures}")
    row(
        "  all cores together",
        f"{statistics.median(run['processor'] for run in runs):.2f} s",
        "what a busy machine leaves alone",
    )
    row("most memory of its process", f"{peak:.2f} GB", f"wanted: {GIGABYTES:.0f} GB")
    row("file after each", " ".join(f"{megabytes:.0f}" for megabytes in sizes) + " MB", "must not grow")
    for step, taken, processor in parts(db):
        row(f"  {step}", f"{taken:.2f} s ({taken / bare:.0f}x bare)", f"all cores together {processor:.2f} s")


def compare_queries(db: Path, runs: int, bare: float) -> None:
    """Every question, slowest first."""
    taken: dict[str, tuple[float, float]] = {}
    with connect(db) as answers:
        for query in queries.find():
            processor = time.process_time()
            seconds = median(lambda query=query: answers.query(query.name), runs)  # type: ignore[misc]
            taken[f"{query.section}/{query.name}"] = seconds, (time.process_time() - processor) / (runs + 1)
    for name, (seconds, processor) in sorted(taken.items(), key=lambda pair: -pair[1][0]):
        over = "" if seconds <= QUERY_SECONDS else f", over {QUERY_SECONDS * 1000:.0f} ms"
        ratio = f"{seconds * 1000:.0f} ms ({seconds / bare:.1f}x bare)"
        row(name, ratio, f"all cores together {processor * 1000:.0f} ms{over}")
    slow = sum(seconds > QUERY_SECONDS for seconds, _ in taken.values())
    row(f"{len(taken)} questions", f"{slow} over {QUERY_SECONDS * 1000:.0f} ms", "")


def bare_loop(answers: Answers, runs: int) -> float:
    """Median seconds of the bare statement."""
    return median(lambda: answers.sql(BARE), runs)


def median(work: Callable[[], object], runs: int) -> float:
    """Median seconds of `runs` calls, after one that does not count."""
    work()
    return statistics.median(timed(work) for _ in range(runs))


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def size(db: Path) -> float:
    """Megabytes of the file."""
    return db.stat().st_size / 1e6


def row(what: str, value: str, remark: str) -> None:
    """One line of the table."""
    print(f"  {what:<52}{value:<28}{remark}", flush=True)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=3_000_000)
    parser.add_argument("--sample", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dump", action="store_true", help="a second source besides: a dump of half of the drawn")
    parser.add_argument("--runs", type=int, default=7, help="times that each question is asked")
    parser.add_argument("--again", type=int, default=5, help="times that the estimates are made again")
    parser.add_argument("--keep", type=Path, help="use this file, made before, or make it here and keep it")
    parser.add_argument("--stage", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(stage(options.stage)))
        return
    print(
        f"{platform.platform()}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        db = options.keep or Path(scratch) / "hubstats.duckdb"
        print(f"{options.models:,} repositories listed, {options.sample:,} drawn, seed {options.seed}")
        if not db.exists():
            make(db, options.models, options.sample, options.seed, options.dump)
        with connect(db) as answers:
            bare = bare_loop(answers, options.runs)
        row("bare count(*) GROUP BY pipeline_tag", f"{bare * 1000:.1f} ms", "baseline")
        compare_stage(db, options.again, bare)
        compare_queries(db, options.runs, bare)


if __name__ == "__main__":
    main()
