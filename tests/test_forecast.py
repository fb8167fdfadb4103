"""`hubstats crawl --dry-run`: nothing is asked, nothing is written, and the crawl then keeps to what was said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hubstats import forecast
from hubstats.records import SourceOptions
from hubstats.sources import Ask
from hubstats.sources._forecast import Window
from tests.conftest import Run
from tests.servers.civitai import CivitaiServer, synthetic_civitai
from tests.servers.github import GitHubServer, synthetic_github
from tests.servers.hub import HubServer, synthetic_hub


def rows(run: Run, *words: str, **environment: str) -> list[dict[str, Any]]:
    done = run("crawl", *words, "--dry-run", "--format", "json", **environment)
    assert done.returncode == 0, done.stderr
    assert "nothing was asked and nothing was written" in done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def bounds(row: dict[str, Any]) -> tuple[int, int | None]:
    least, _, most = row["requests"].replace(",", "").partition(" to ")
    if least.endswith(" or more"):
        return int(least.removesuffix(" or more")), None
    return int(least), int(most or least)


def test_of_the_hub_a_crawl_keeps_to_it_and_the_next_one_is_told_smaller(run: Run, tmp_path: Path) -> None:
    with HubServer(synthetic_hub(40, seed=1)) as hub:
        here = {"HF_ENDPOINT": hub.url}
        listing, files = rows(run, "hub", "--sample", "20", **here)
        assert hub.requests == []
        assert [path for path in tmp_path.iterdir() if "duckdb" in path.name] == []
        assert (listing["asks"], listing["requests"]) == (hub.url, "2,915")
        assert bounds(files) == (0, 40)
        assert rows(run, "hub", "--sample", "20", "--tag", "peft", **here)[0]["requests"] == "1 to 2,915"
        assert run("crawl", "hub", "--sample", "20", **here).returncode == 0
        fetched = hub.requests_by_bucket["resolvers"]
        assert 0 < fetched <= 40
        hub.forget()
        again = rows(run, "hub", "--sample", "30", **here)
        assert hub.requests == []
        assert bounds(again[0]) == (2, None)
        assert bounds(again[1]) == (0, 20)  # ten repositories more, two files each
        assert run("crawl", "hub", "--sample", "30", **here).returncode == 0
        assert hub.requests_by_bucket["resolvers"] <= 20


def test_of_github_and_the_image_site(run: Run) -> None:
    with GitHubServer(synthetic_github(12, seed=1)) as github, CivitaiServer(synthetic_civitai(250, seed=1)) as site:
        here = {"HUBSTATS_GITHUB_URL": github.url, "HUBSTATS_CIVITAI_URL": site.url}
        [skipped] = rows(run, "github", **here)
        assert "GITHUB_TOKEN" in skipped["note"]
        here["GITHUB_TOKEN"] = "ghp_good"
        totals, searches, files = rows(run, "github", "--sample", "5", **here)
        [pages] = rows(run, "civitai", "--sample", "250", **here)
        assert not github.requests
        assert not site.requests
        assert run("crawl", "github", "civitai", "--sample", "5", **here).returncode == 0
        asked = github.requests_by_bucket["code_search"]
        least, most = bounds(totals)[0] + bounds(searches)[0], (bounds(totals)[1] or 0) + (bounds(searches)[1] or 0)
        assert least <= asked <= most
        assert github.requests_by_bucket["core"] <= (bounds(files)[1] or 0)
        assert bounds(pages) == (1, 3)
        assert [row["requests"] for row in rows(run, "github", "--sample", "5", **here)][:2] == ["0", "0"]


def test_all_sources_in_the_order_of_a_crawl(run: Run) -> None:
    assert list(dict.fromkeys(row["source"] for row in rows(run))) == ["snapshot", "hub", "github", "civitai"]


def test_an_unknown_source_is_refused(run: Run) -> None:
    assert run("crawl", "nowhere", "--dry-run").returncode == 2


@pytest.mark.parametrize(
    ("requests", "seconds"), [(0, 0), (8, 1), (500, 62.5), (501, 300.125), (2915, 5 * 300 + 415 / 8)]
)
def test_time_is_whole_windows_and_the_rest(requests: int, seconds: float) -> None:
    assert Ask("x", 0, 0, Window(500, 300.0)).seconds(requests) == seconds


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [(0, 40, "0 s to 40 s"), (700, 700, "12 min"), (5, None, "5 s or more"), (60, 12_000, "60 s to 3 h 20 min")],
)
def test_lengths_of_time_in_words(least: float, most: float | None, said: str) -> None:
    assert forecast.span(least, most) == said


def test_local_sources_ask_nobody(tmp_path: Path) -> None:
    [row] = forecast.forecast(tmp_path / "none.duckdb", ["snapshot"], SourceOptions())
    assert (row.least, row.most, row.what) == (0, 0, "nothing: it is read from this machine")
