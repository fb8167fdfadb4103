"""Concentration by hand, its effective number against the truth by simulation, and mass uploaders from the listing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstats.estimate import concentration
from hubstats.estimate.concentration import effective_authors
from hubstats.estimate.survey import Design
from hubstats.records import Concentration, MassUploader, NotEstimated, Record
from hubstats.store import migrations, read_input
from hubstats.techniques import Registry

from .test_trend import ITEM, frames, subjects

NOBODY = pl.DataFrame(
    schema={
        "source": pl.String,
        "author": pl.String,
        "author_hash": pl.String,
        "uploads": pl.Int64,
        "part": pl.Float64,
        "busiest_on": pl.Date,
        "busiest": pl.Int64,
        "seen_at": pl.Datetime("us"),
    }
)


def records(*rows: Mapping[str, Any], mass: pl.DataFrame = NOBODY, strata: pl.DataFrame | None = None) -> list[Record]:
    given_frames = frames(subjects(*rows), mass_uploaders=mass)
    if strata is not None:
        given_frames["strata"] = strata
    return list(concentration.estimate(given_frames, Registry([])))


def made(*rows: Mapping[str, Any], **more: Any) -> dict[str, Concentration]:
    return {row.concentration_id: row for row in records(*rows, **more) if isinstance(row, Concentration)}


def by(author: str | None, number: int, technique: str = "lora", **more: Any) -> list[dict[str, Any]]:
    return [{"author": author, "techniques": [technique]} | more for _ in range(number)]


def test_parts_of_the_largest_and_the_effective_number() -> None:
    rows = [row for size, author in zip((5, 3, 2, 1, 1, 1, 1), "abcdefg", strict=True) for row in by(author, size)]
    rows += by("a", 2, "ia3")
    found = made(*rows)
    lora = found["concentration/hub/lora"]
    assert (lora.items, lora.items_read, lora.authors) == (14, 14, 7)
    assert (lora.largest, lora.top5, lora.top10) == (pytest.approx(5 / 14), pytest.approx(12 / 14), pytest.approx(1))
    assert lora.effective_authors == pytest.approx(14**2 / (25 + 9 + 4 + 4))
    assert (lora.largest_low, lora.largest_high) == (None, None), "all there is was read"
    together = found["concentration/hub/*"]
    assert together.technique is None
    assert (together.items, together.largest) == (16, pytest.approx(7 / 16))
    assert found["concentration/hub/ia3"].effective_authors == 1


def test_an_item_of_two_techniques_is_shared() -> None:
    found = made(*by("a", 1, techniques=["lora", "ia3"]), *by("b", 1))
    assert found["concentration/hub/lora"].items == 1.5
    assert found["concentration/hub/lora"].largest == pytest.approx(1 / 1.5)


def test_equal_authors_of_a_sample_are_all_there() -> None:
    # one item read of each of 20 authors, each standing for 10: as many authors as items, as far as one can see
    found = made(*[{"author": f"a{n}", "weight": 10.0} for n in range(20)], strata=sampled())
    assert found["concentration/hub/lora"].effective_authors == pytest.approx(200)
    assert found["concentration/hub/lora"].authors == 20
    assert "from a sample" in (found["concentration/hub/lora"].caveat or "")


def sampled() -> pl.DataFrame:
    return pl.DataFrame({"source": ["hub"], "stratum": ["all"], "frame_size": [200]})


def test_the_largest_of_a_sample_has_an_interval() -> None:
    rows = [{"author": f"a{n // 5 if n < 25 else n}", "weight": 2.0} for n in range(100)]
    found = made(*rows, strata=sampled())["concentration/hub/lora"]
    assert found.largest == pytest.approx(0.05)
    assert found.largest_low is not None
    assert found.largest_high is not None
    assert 0.01 < found.largest_low < 0.05 < found.largest_high < 0.12


def test_the_effective_number_of_a_sample_is_that_of_the_frame() -> None:
    rng = np.random.default_rng(11)
    sizes = np.minimum(np.ceil(rng.pareto(1.1, 600)), 200).astype(int)
    author = np.repeat(np.arange(600), sizes)
    stratum = (rng.random(len(author)) < 0.3).astype(int)
    truth = len(author) ** 2 / (sizes**2).sum()
    found, naive = [], []
    for _ in range(300):
        items, weights = [], []
        for h, drawn in enumerate((150, 250)):
            pool = np.flatnonzero(stratum == h)
            items.append(rng.choice(pool, drawn, replace=False))
            weights.append(np.full(drawn, len(pool) / drawn))
        chosen, weight = np.concatenate(items), np.concatenate(weights)
        _, cluster = np.unique(author[chosen], return_inverse=True)
        plan = Design(weight, cluster, stratum[chosen], np.array([150.0, 250.0]), np.array([1.0, 1.0]))
        found.append(effective_authors(plan, np.ones(400)))
        naive.append(weight.sum() ** 2 / (np.bincount(cluster, weight) ** 2).sum())
    assert np.median(found) == pytest.approx(truth, rel=0.1)
    assert np.median(naive) < 0.85 * truth, "sums of weights alone look more concentrated than they are"


def test_unknown_authors_are_left_out_and_said() -> None:
    found = made(*by("a", 1), *by(None, 3))
    assert found["concentration/hub/lora"].items == 1
    assert "3 items of unknown authors" in (found["concentration/hub/lora"].caveat or "")
    [none] = records(*by(None, 3))
    assert none == NotEstimated("hub", "concentration", "evidence", "no author is known")
    assert records() == []


@settings(deadline=None, max_examples=60)
@given(st.lists(ITEM, max_size=12), st.floats(1, 50))
def test_no_input_gives_a_number_that_is_none(rows: list[dict[str, Any]], weight: float) -> None:
    for row in made(*[item | {"weight": weight} for item in rows], strata=sampled()).values():
        parts = [row.largest, row.top5, row.top10, row.mass_part, row.largest_low or 0.0, row.largest_high or 0.0]
        assert all(math.isfinite(part) and 0 <= part <= 1 for part in parts), row
        assert row.largest <= row.top5 + 1e-9 <= row.top10 + 2e-9
        assert math.isfinite(row.effective_authors)
        assert row.effective_authors >= 1


# --- mass uploaders -----------------------------------------------------------------------------------------------


@pytest.fixture
def listing() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for _, sql in migrations():
        connection.execute(sql)
    return connection


def listed(connection: duckdb.DuckDBPyConnection, author: str, number: int, apart: str, first: str) -> None:
    connection.execute(
        "INSERT INTO hub_model (source, model_id, author, created_at)"
        f" SELECT 'hub', $author || '/' || n, $author, TIMESTAMP '{first}' + {apart} * n FROM range({number}) AS t (n)",
        {"author": author},
    )


def test_who_is_flagged_and_why(listing: duckdb.DuckDBPyConnection) -> None:
    listed(listing, "burst", 50, "INTERVAL 1 MINUTE", "2025-03-01")
    listed(listing, "nearly", 49, "INTERVAL 1 MINUTE", "2025-03-01")
    listed(listing, "steady", 80, "INTERVAL 1 DAY", "2025-03-01")
    listed(listing, "floor", 60, "INTERVAL 0 DAY", "2022-03-02 23:29:04")
    listing.execute(
        "INSERT INTO hub_model (source, model_id, author) SELECT 'hub', 'x' || n, 'x' || n FROM range(6761) AS t (n)"
    )
    rows = listing.sql(read_input("mass_uploaders")).pl()
    assert rows.select("author", "uploads", "busiest").rows() in ([("burst", 50, 50), ("steady", 80, 1)], [
        ("steady", 80, 1),
        ("burst", 50, 50),
    ])  # fmt: skip
    found = {
        row.uploads: row
        for row in records({"author": "burst"}, {"author": "burst"}, {"author": "other"}, mass=rows)
        if isinstance(row, MassUploader)
    }
    assert (found[50].reason, found[80].reason) == ("day", "part")
    assert found[50].busiest_on == date(2025, 3, 1)
    assert found[80].part == pytest.approx(80 / 7000)
    assert "burst" not in str(found)
    lora = made({"author": "burst"}, {"author": "burst"}, {"author": "other"}, mass=rows)["concentration/hub/lora"]
    assert (lora.mass_uploaders, lora.mass_part) == (1, pytest.approx(2 / 3))


def test_names_are_hashed_with_the_salt_of_the_file(listing: duckdb.DuckDBPyConnection) -> None:
    other = duckdb.connect()
    for _, sql in migrations():
        other.execute(sql)
    [(here,)], [(again,)] = (listing.execute("SELECT author_hash('ann')").fetchall() for _ in range(2))
    assert here == again
    assert len(here) == 16
    assert other.execute("SELECT author_hash('ann')").fetchall() != [(here,)]
    assert listing.execute("SELECT author_hash('bob')").fetchall() != [(here,)]
    assert listing.execute("SELECT author_hash(NULL)").fetchall() == [(None,)]
    other.execute("UPDATE salt SET value = (SELECT 'x')")
    listing.execute("UPDATE salt SET value = (SELECT 'x')")
    assert (
        other.execute("SELECT author_hash('ann')").fetchall() == listing.execute("SELECT author_hash('ann')").fetchall()
    )


def test_reasons_meet_their_bounds() -> None:
    row = {
        "source": "hub",
        "author": "a",
        "author_hash": "0" * 16,
        "uploads": 60,
        "busiest_on": date(2025, 1, 1),
        "seen_at": datetime(2025, 1, 2),
    }
    mass = pl.DataFrame([row | {"part": 0.02, "busiest": 50}], schema=NOBODY.schema)
    assert [found.reason for found in records(mass=mass) if isinstance(found, MassUploader)] == ["day and part"]
