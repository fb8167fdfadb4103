"""The scene of a plan: three stand-ins with the same content for every run, and hubstats as a process beside them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, clean_environment
from tests.servers.civitai import CivitaiServer, synthetic_civitai
from tests.servers.github import GitHubServer, synthetic_github
from tests.servers.http_server import LoopbackServer
from tests.servers.hub import HubServer, synthetic_hub

LIMITS: Mapping[str, Any] = {
    "backoff": 0.05,
    "longest_backoff": 0.3,
    "pause": 0.1,
    "margin": 0.1,
    "connect_seconds": 2.0,
    "read_seconds": 0.4,
    "total_seconds": 3.0,
    "longest_wait": 5.0,
}
"""The client's limits, all shorter in about the same proportion, so that a plan takes seconds and not hours."""

TELLTALES = ("Traceback", "something went wrong", "Exception ignored", "Fatal Python error")
"""What no message to a user may hold."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How one call of hubstats ended."""

    code: int | None
    """None: it was still running at the end of its time, and was killed for that."""
    out: str
    said: str
    seconds: float
    lines: tuple[tuple[float, str], ...] = ()
    """Standard error with the time of each line, on time.monotonic."""

    def blame(self, *expected: int) -> list[str]:
        """What is wrong with this end, whatever was asked for."""
        found = [f"{word!r} in: {self.said.strip()[-300:]}" for word in TELLTALES if word in self.out + self.said]
        if self.code is None:
            found.append(f"still running after {self.seconds:.0f} s")
        elif self.code not in expected:
            found.append(f"exit code {self.code}, not {expected}: {self.said.strip()[-300:]}")
        return found


@dataclass
class Stage:
    """The stand-ins by source, and how to call hubstats on them."""

    folder: Path
    servers: Mapping[str, LoopbackServer]
    options: Mapping[str, Sequence[str]]
    limits: Mapping[str, Any] = field(default_factory=lambda: dict(LIMITS))
    secrets: Mapping[str, str] = field(default_factory=dict)
    """More of the environment, before all else: tokens."""

    def home(self, name: str) -> Path:
        """A folder for one file."""
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        return place

    def environment(self, home: Path, orders: Mapping[str, Any]) -> dict[str, str]:
        """Endpoints of the stand-ins, a token for GitHub, and the victim's orders."""
        hub, github, site = (self.servers[name].url for name in ("hub", "github", "civitai"))
        more = {
            "HF_ENDPOINT": hub,
            "HUBSTATS_GITHUB_URL": github,
            "GITHUB_TOKEN": "ghp_good",
            "HUBSTATS_CIVITAI_URL": site,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "bench")]),
            "TORTURE": json.dumps({"limits": dict(self.limits), **orders}),
        }
        return clean_environment(home, more | self.secrets)

    def start(self, home: Path, *words: str, **orders: Any) -> subprocess.Popen[str]:
        """hubstats as a process in `home`, under orders as `victim` reads them."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.torture.victim", *words],
            cwd=home,
            env=self.environment(home, orders),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            preexec_fn=_default_interrupt,
        )

    def run(self, home: Path, *words: str, timeout: float = 120.0, **orders: Any) -> Ran:
        """One call of hubstats to its end."""
        return finish(self.start(home, *words, **orders), timeout)

    def crawl(self, home: Path, source: str, timeout: float = 120.0, **orders: Any) -> Ran:
        """`hubstats crawl SOURCE` with the options of the stage."""
        return self.run(home, "crawl", source, *self.options[source], timeout=timeout, **orders)


def _default_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(process: subprocess.Popen[str], timeout: float) -> Ran:
    """Waits for a process, noting when each line of its standard error came; kills it past `timeout` seconds."""
    began = time.monotonic()
    lines: list[tuple[float, str]] = []

    def listen() -> None:
        assert process.stderr is not None
        lines.extend((time.monotonic(), line) for line in process.stderr)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    late = threading.Timer(timeout, process.kill)
    late.start()
    assert process.stdout is not None
    out = process.stdout.read()
    process.wait()
    late.cancel()
    listener.join(5)
    process.stdout.close()
    if process.stderr is not None and not listener.is_alive():
        process.stderr.close()
    seconds = time.monotonic() - began
    code = None if seconds >= timeout and process.returncode == -signal.SIGKILL else process.returncode
    return Ran(code, out, "".join(line for _, line in lines), seconds, tuple(lines))


@contextmanager
def stage(folder: Path, *, seed: int, models: int, files: int, uploads: int, page_cap: int = 20) -> Iterator[Stage]:
    """Three stand-ins, of so many models, source files and uploads."""
    options = {
        "hub": ("--sample", str(models // 2), "--workers", "4"),
        "github": ("--workers", "4"),
        "civitai": ("--sample", str(uploads)),
    }
    with (
        HubServer(synthetic_hub(models, seed=seed), page_cap=page_cap) as hub,
        GitHubServer(synthetic_github(files, seed=seed)) as github,
        CivitaiServer(synthetic_civitai(uploads, seed=seed)) as site,
    ):
        yield Stage(folder, {"hub": hub, "github": github, "civitai": site}, options)
