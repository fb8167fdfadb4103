"""What several test files need: the command as a real process, a browser, the report of the snapshot, real data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browsing import Watched

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with Ctrl-C ignored, and children inherit that: the tests that press it would wait.
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"

Run = Callable[..., subprocess.CompletedProcess[str]]


def clean_environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without tokens, endpoints or proxies of the person who runs the tests; nothing is reached."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "HUBSTATS_", "GITHUB_", "HUGGING", "CIVITAI")) and "proxy" not in name.lower()
    }
    nowhere = "http://127.0.0.1:9"
    environment |= {
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "HF_ENDPOINT": nowhere,
        "HUBSTATS_GITHUB_URL": nowhere,
        "HUBSTATS_CIVITAI_URL": nowhere,
    }
    return environment | dict(more or {})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `hubstats ...` as a process in an empty folder; keyword arguments are environment variables."""

    def call(*words: str | Path, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hubstats", *map(str, words)],
            cwd=tmp_path,
            env=clean_environment(tmp_path, environment),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real cards, configs and result files that lie beside the checkout; the test is skipped without them."""
    if not SHARED.is_dir():
        pytest.skip("the shared real data is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A real Ray cluster of two nodes on this machine, a raylet and workers each; skipped where ray is not installed.

    `cluster.address` is what --address takes; nodes can be added and removed (ray.cluster_utils.Cluster).
    """
    pytest.importorskip("ray", reason="ray is not installed: make setup-cluster")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    # The nodes' processes find the tests' own modules; what they think of usage statistics and logs is ours to say.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}
    made = Cluster(initialize_head=True, head_node_args=node)
    try:
        made.add_node(**node)
        yield made
    finally:
        made.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium for all tests of the page."""
    from tests.browsing import ARGUMENTS, CHROMIUM

    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A fresh window of a usual size."""
    from tests.browsing import Watched

    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield Watched(context.new_page())
    context.close()


@pytest.fixture(scope="session")
def snapshot_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the embedded snapshot, as everybody sees it first; the file, x.duckdb, is beside it."""
    from hubstats import pipeline, records
    from tests.browsing import build_page

    db = tmp_path_factory.mktemp("snapshot") / "x.duckdb"
    pipeline.crawl(db, ["snapshot"], records.SourceOptions(), pipeline.Silent())
    return build_page(db)
