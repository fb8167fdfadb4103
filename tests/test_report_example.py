"""The published example is what the snapshot gives now: the numbers behind each chart, and those in the page."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from hubstats.ask import connect
from hubstats.report import Page, build, outputs

EXAMPLE = Path(__file__).parent.parent / "reports" / "example"
AGAIN = "it is out of date: make example writes it anew"
OTHERWISE = {"hubstats", "crawled_on"}
"""What differs without the figures being others: the version, and the day on which the snapshot was read."""


@pytest.fixture(scope="module")
def page(snapshot_page: Path) -> Page:
    with connect(snapshot_page.with_name("x.duckdb")) as answers:
        return build(answers, "hubstats.duckdb")


def same(one: Any, other: Any) -> bool:
    """Equal, numbers to nine digits: the last bits differ from processor to processor."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one.keys() - OTHERWISE)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        both = isinstance(one, int | float) and isinstance(other, int | float)
        return both and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def rows(content: str) -> list[dict[str, Any]]:
    found = csv.DictReader(io.StringIO(content))
    return [{name: number(text) for name, text in row.items() if name not in OTHERWISE} for row in found]


def number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def test_every_csv_holds_what_the_snapshot_gives(page: Page) -> None:
    made = {name: content.decode() for name, content in outputs.as_csv(page)}
    kept = {path.name: path.read_bytes().decode() for path in EXAMPLE.glob("*.csv")}
    assert kept.keys() == made.keys(), AGAIN
    assert len(kept) > 20
    for name, content in made.items():
        assert same(rows(kept[name]), rows(content)), f"{name}: {AGAIN}"


def test_the_page_holds_what_the_snapshot_gives(page: Page) -> None:
    html = (EXAMPLE / "report.html").read_text(encoding="utf-8")
    [block] = re.findall(r'<script type="application/json" id="hubstats-data">(.*?)</script>', html, re.DOTALL)
    kept, made = json.loads(block), json.loads(json.dumps(page.data))
    # The day on which the file was read stands in one table of the page.
    for data in (kept, made):
        del data["panels"]["holdings"]
    for key in made:
        assert same(kept[key], made[key]), f"{key}: {AGAIN}"
    assert kept.keys() == made.keys(), AGAIN
    assert len(html.encode()) < 8_000_000


def test_a_number_that_differs_is_seen(page: Page) -> None:
    [made] = [rows(content.decode()) for name, content in outputs.as_csv(page) if name == "techniques.csv"]
    other = [dict(row) for row in made]
    other[0]["score"] += 1e-6
    assert not same(other, made)
    assert not same(made[1:], made)
