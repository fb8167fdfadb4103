"""How fast the report is made of a large file, and how large it is: `make bench-report`, `python -m benchmarks.report`.

The file is the one of benchmarks.estimates: 3,000,000 listed repositories, 300,000 of them read, 10,000 fine-tuning
runs, estimates made. In a process of its own: wall time, most memory, size of the page, what each section takes. Then
the page in a headless Chromium, where there is one: until its first charts are drawn, and until all are.

Everything is also given as a ratio to the report of the embedded snapshot alone, made in the same run, and its time
to one bare `SELECT pipeline_tag, count(*) FROM hub_model GROUP BY ALL` of the large file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.estimates import BARE, in_a_process, make, median, row
from benchmarks.memory import peak_gigabytes
from hubstats import pipeline
from hubstats.ask import connect
from hubstats.records import SourceOptions
from hubstats.report import build, page

SECONDS, MEGABYTES, READY = 10.0, 8.0, 2.0
"""What is wanted: until the page is written, of the page, and until it shows its first charts."""
LARGEST = 8
"""Sections whose time is printed."""


def once(db: Path, out: Path) -> dict[str, Any]:
    """Makes the report; seconds in all and by section, the largest memory in gigabytes, the page's megabytes."""
    taken: dict[str, float] = {}

    def timed(maker: Any) -> Any:
        def made(*given: Any) -> Any:
            started = time.perf_counter()
            found = maker(*given)
            taken[maker.__name__] = time.perf_counter() - started
            return found

        made.__name__ = maker.__name__
        return made

    page.MAKERS = tuple(map(timed, page.MAKERS))
    started, processor = time.perf_counter(), time.process_time()
    with connect(db) as answers:
        html = build(answers, db.name).html
    out.write_text(html, encoding="utf-8")
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    taken["questions asked once, for all sections"] = seconds - sum(taken.values())
    return {
        "seconds": seconds,
        "processor": processor,
        "peak": peak_gigabytes(),
        "megabytes": out.stat().st_size / 1e6,
        "sections": taken,
    }


def several(db: Path, out: Path, runs: int) -> dict[str, Any]:
    """`once` in fresh processes; the run with the median time."""
    command = [sys.executable, "-m", "benchmarks.report", "--once", str(db), str(out)]
    found = [
        json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) for _ in range(runs)
    ]  # fmt: skip
    return sorted(found, key=lambda one: one["seconds"])[len(found) // 2]  # type: ignore[no-any-return]


def in_browser(path: Path, runs: int) -> tuple[float, float, float] | None:
    """Median seconds until the first charts, until all, and what the page's thread worked until the first; None
    without a browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return None
    first, last, worked = [], [], []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(runs + 1):
            opened = browser.new_page(viewport={"width": 1280, "height": 900})
            counters = opened.context.new_cdp_session(opened)
            counters.send("Performance.enable", {"timeDomain": "threadTicks"})
            started = time.perf_counter()
            opened.goto(path.as_uri())
            opened.locator("html[data-ready=true]").wait_for(state="attached", timeout=120_000)
            first.append(time.perf_counter() - started)
            found = {one["name"]: one["value"] for one in counters.send("Performance.getMetrics")["metrics"]}
            worked.append(found["TaskDuration"])
            opened.locator("html[data-drawn=true]").wait_for(state="attached", timeout=120_000)
            last.append(time.perf_counter() - started)
            opened.close()
        browser.close()
    return statistics.median(first[1:]), statistics.median(last[1:]), statistics.median(worked[1:])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=3_000_000)
    parser.add_argument("--sample", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3, help="times that each report is made and opened")
    parser.add_argument("--keep", type=Path, help="use this file, made before, or make it here and keep it")
    parser.add_argument("--once", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(json.dumps(once(*options.once)))
        return
    print(
        f"{platform.platform()}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        small, large = Path(scratch) / "snapshot.duckdb", options.keep or Path(scratch) / "hubstats.duckdb"
        pipeline.crawl(small, ["snapshot"], SourceOptions())
        if not large.exists():
            make(large, options.models, options.sample, options.seed, dump=False)
            in_a_process(large)
        with connect(large) as answers:
            bare = median(lambda: answers.sql(BARE), 5)
        compare(small, large, Path(scratch), bare, options.runs)


def compare(small: Path, large: Path, scratch: Path, bare: float, runs: int) -> None:
    """Both reports, as figures and as ratios of the large one to the small one."""
    pages = scratch / "small.html", scratch / "large.html"
    base, made = several(small, pages[0], runs), several(large, pages[1], runs)
    row("bare count(*) GROUP BY pipeline_tag, large file", f"{bare * 1000:.1f} ms", "")
    row("report of the snapshot", f"{base['seconds']:.2f} s", f"{base['megabytes']:.2f} MB: the baseline")
    ratio = f"{made['seconds'] / base['seconds']:.1f}x snapshot"
    row("report of the large file", f"{made['seconds']:.2f} s ({ratio})", f"wanted: {SECONDS:.0f} s; "
        f"{made['seconds'] / bare:.0f}x bare")  # fmt: skip
    spent = f"{made['processor'] / base['processor']:.1f}x snapshot"
    row("  all cores together", f"{made['processor']:.2f} s ({spent})", "what a busy machine leaves alone")
    row("  most memory of its process", f"{made['peak']:.2f} GB", f"{made['peak'] / base['peak']:.1f}x snapshot")
    grown = f"{made['megabytes'] / base['megabytes']:.2f}x snapshot"
    row("  page", f"{made['megabytes']:.2f} MB ({grown})", f"wanted: {MEGABYTES:.0f} MB")
    for name, seconds in sorted(made["sections"].items(), key=lambda pair: -pair[1])[:LARGEST]:
        row(f"    {name}", f"{seconds:.2f} s", f"{seconds / made['seconds']:.0%} of it")
    opened = [in_browser(path, runs) for path in pages]
    if opened[0] is None or opened[1] is None:
        row("in a browser", "not measured", "no Playwright or no Chromium here")
        return
    for name, place in (
        ("first charts drawn", 0),
        ("  work of the page's thread until then", 2),
        ("all charts drawn", 1),
    ):
        was, took = opened[0][place], opened[1][place]
        row(f"  {name}", f"{took:.2f} s ({took / was:.2f}x snapshot)", f"snapshot {was:.2f} s"
            + (f"; wanted: {READY:.0f} s" if place == 0 else ""))  # fmt: skip


if __name__ == "__main__":
    main()
