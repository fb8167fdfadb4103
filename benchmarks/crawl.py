"""How fast a crawl of the Hub is: `make bench-crawl`, or `python -m benchmarks.crawl --models 50000`.

Three questions, each against the loopback stand-in in a process of its own:

requests   how many requests the crawl needs per listed model and per fetched file
time       the crawl against a bare loop that performs the same requests and throws the answers away
quota      how much of what the server grants is used, and whether a refusal was provoked

The bare loop is one httpx2 client on one thread, asking in turn. The crawl is the `hubstats crawl hub` command, in a
process of its own; its time is given for the crawl stage (listing, sample, files, store) and for the whole command,
which also judges every card and makes the estimates.
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
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2

from benchmarks.memory import largest
from hubstats.ask import connect
from tests.conftest import clean_environment
from tests.servers.process import Served, served

LISTING = (
    "/api/models?limit=1000&sort=createdAt&direction=1&expand=author&expand=createdAt&expand=lastModified"
    "&expand=downloads&expand=likes&expand=tags&expand=library_name&expand=pipeline_tag&expand=gated&expand=disabled"
    "&expand=siblings"
)


@dataclass(frozen=True, slots=True)
class Crawled:
    """One run of the command."""

    stage_seconds: float
    command_seconds: float
    peak_megabytes: float
    requests: int


def crawl(hub: Served, folder: Path, sample: int, workers: int) -> Crawled:
    """Runs `hubstats crawl hub` into a new file in `folder`."""
    hub.order("forget")
    command = [sys.executable, "-m", "hubstats", "crawl", "hub", "--sample", str(sample), "--workers", str(workers)]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "-f", "json"],
        cwd=folder,
        env=clean_environment(folder, {"HF_ENDPOINT": hub.url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with largest(lambda: [process.pid]) as held:
        told = process.stdout.read()
    _, status, _ = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        raise SystemExit(f"the crawl failed: {told}")
    seconds = time.perf_counter() - started
    stats = hub.stats()
    return Crawled(json.loads(told)[0]["seconds"], seconds, held[0] * 1024, stats["requests"])


def files_asked(db: Path) -> list[str]:
    """Paths of the files that a crawl fetched: those of the sample that the listing does not say are absent."""
    with connect(db) as answers:
        sampled = answers.sql(
            "SELECT model_id, has_card, has_adapter_config FROM sample_frame JOIN hub_model USING (source, model_id)"
        )
    return [
        f"/{quote(model_id)}/resolve/main/{name}"
        for model_id, *has in sampled.iter_rows()
        for name, there in zip(("README.md", "adapter_config.json"), has, strict=True)
        if there is not False
    ]


def bare_loop(hub: Served, paths: list[str]) -> float:
    """Seconds to walk the listing and get `paths`, doing nothing with the answers."""
    started = time.perf_counter()
    with httpx2.Client(trust_env=False) as client:
        url: str | None = hub.url + LISTING
        while url:
            url = client.get(url).links.get("next", {}).get("url")
        for path in paths:
            client.get(hub.url + path)
    return time.perf_counter() - started


def compare(models: int, sample: int, runs: int, workers: int) -> None:
    """Requests, time and memory of crawls without a quota."""
    with served("hub", "--models", str(models)) as hub, tempfile.TemporaryDirectory() as scratch:
        stage, command, bare, peak = [], [], [], []
        for number in range(runs):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            made = crawl(hub, folder, sample, workers)
            paths = files_asked(folder / "hubstats.duckdb")
            loop = bare_loop(hub, paths)
            stage.append(made.stage_seconds / loop)
            command.append(made.command_seconds / loop)
            bare.append(loop)
            peak.append(made.peak_megabytes)
        pages = made.requests - len(paths)
        print(f"frame {models:,} models, sample {sample:,}, {len(paths):,} files, {workers} workers, {runs} runs")
        row("requests per listed model", f"{pages / models:.4f}", "0.001 is one page of 1,000")
        row("requests per fetched file", f"{(made.requests - pages) / len(paths):.2f}", "counted by the server")
        row("bare loop", spread(bare, "s"), "baseline")
        row("crawl stage / bare loop", spread(stage, "x"), "wanted: at most 2x")
        row("whole command / bare loop", spread(command, "x"), "judging and estimates included")
        row("peak memory of the command", spread(peak, "MB"), "wanted: under 500 MB")


def quota(models: int, sample: int, workers: int) -> None:
    """How a crawl uses a quota that is far below what it could ask for."""
    options = ("--models", str(models), "--api", "500", "--resolvers", "300", "--window", "4")
    with served("hub", *options) as hub, tempfile.TemporaryDirectory() as scratch:
        crawl(hub, Path(scratch), sample, workers)
        stats = hub.stats()
    used = stats["usage"]["resolvers"]
    print(f"quota of 300 files per 4 s, {stats['requests_by_bucket']['resolvers']:,} files")
    row("share of full windows' quota used", f"{used['full_share']:.3f}", "wanted: at least 0.98")
    row("refusals provoked (429)", str(stats["sent_429"]), "wanted: 0")


def spread(values: list[float], unit: str) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.2f} {unit} ({min(values):.2f} to {max(values):.2f})"


def row(what: str, value: str, remark: str) -> None:
    """One line of the table."""
    print(f"  {what:<36}{value:<30}{remark}", flush=True)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=50_000)
    parser.add_argument("--sample", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=8)
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    compare(options.models, options.sample, options.runs, options.workers)
    quota(2_000, 1_200, options.workers)


if __name__ == "__main__":
    main()
