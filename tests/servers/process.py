"""A stand-in as a process of its own, for benchmarks: the crawl and the server then do not share one interpreter.

with served("hub", "--models", "50000") as hub:
    ...                       # hub.url
    hub.stats()["requests"]   # counted by the server
    hub.order("grow", n=100)  # what LoopbackServer.control understands
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from .faults import FaultPlan

if TYPE_CHECKING:
    from .http_server import LoopbackServer


@dataclass(frozen=True, slots=True)
class Served:
    """A running stand-in."""

    url: str
    pid: int

    def stats(self) -> dict[str, Any]:
        """The server's records: requests, requests_by_bucket, statuses, sent_429, faults_sent, usage."""
        return self.order("stats")

    def order(self, name: str, **params: object) -> dict[str, Any]:
        """Sends an order (forget, grow) and returns the records after it."""
        # Without proxies: an environment that has one must not see loopback traffic.
        opener = build_opener(ProxyHandler({}))
        with opener.open(f"{self.url}/_stand_in/{name}?{urlencode(params)}", timeout=60) as answer:
            records: dict[str, Any] = json.load(answer)
            return records


@contextmanager
def served(name: str, *options: str) -> Iterator[Served]:
    """Runs `python -m tests.servers.<name>` with `options` until the block ends."""
    command = [sys.executable, "-m", f"tests.servers.{name}", *options]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url.startswith("http://"):
                raise RuntimeError(f"{' '.join(command)} did not start: {url!r}")
            yield Served(url, process.pid)
        finally:
            process.stdin.close()  # the server's sign to stop
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def arguments(service: str, *, items: int) -> argparse.ArgumentParser:
    """The options that every stand-in takes when it runs alone."""
    parser = argparse.ArgumentParser(description=f"Stand-in for {service}, with synthetic content")
    parser.add_argument("--models", "--files", dest="items", type=int, default=items, help="how many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--fault-rate", type=float, default=0.0)
    parser.add_argument("--fault-seed", type=int, default=0)
    return parser


def run_alone(server: LoopbackServer, options: argparse.Namespace) -> None:
    """Serves until standard input closes (the parent ended, or wants an end), after printing the URL."""
    server.port, server.latency, server.log = options.port, options.latency, False
    if options.fault_rate:
        server.faults = FaultPlan(options.fault_rate, options.fault_seed)
    with server:
        print(server.url, flush=True)
        while sys.stdin.buffer.read(4096):
            pass
