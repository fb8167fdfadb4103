"""How many adapters there are by two sources, and what a dump has of the census: the numbers, and the rows behind."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstats.estimate import capture
from hubstats.estimate.capture import LEAST_BOTH, chapman
from hubstats.records import FrameCoverage, NotEstimated, PopulationSize, Record
from hubstats.store import migrations, read_input
from hubstats.techniques import Registry

# --- the estimator ------------------------------------------------------------------------------------------------


def test_chapman_and_the_transformed_logit_interval() -> None:
    # 10 marked, 15 caught, 5 of them marked: 28 by Chapman, 22 to 65 by Sadinle's interval
    made = chapman(5, 5, 10)
    assert made.estimate == pytest.approx(11 * 16 / 6 - 1)
    assert (round(made.low), round(made.high)) == (22, 65)
    # as printed: 19.5 + 10.5 exp(+-1.96 * 0.7445)
    spread = math.sqrt(2 / 5.5 + 1 / 10.5 + 5.5 / (5.5 * 10.5))
    assert made.high == pytest.approx(19.5 + 10.5 * math.exp(1.959964 * spread), rel=1e-6)
    assert made.low == pytest.approx(19.5 + 10.5 * math.exp(-1.959964 * spread), rel=1e-6)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.floats(1, 1e6))
def test_the_interval_holds_the_estimate_and_what_was_seen(m: int, b: int, c: int, overdispersion: float) -> None:
    made = chapman(m, b, c, overdispersion)
    assert all(math.isfinite(value) for value in (made.estimate, made.low, made.high))
    assert m + b + c <= made.low <= made.estimate <= made.high
    assert made.high >= chapman(m, b, c).high


@pytest.mark.parametrize("counts", [(-1, 2, 3), (1, 2, 3, 0.5), (1, 2, 3, math.nan), (1, 2, 3, 1, 1)])
def test_refuses_what_is_no_capture(counts: Any) -> None:
    with pytest.raises(ValueError, match="no captures"):
        chapman(*counts)


@pytest.mark.parametrize("series", [1, 20])
def test_interval_covers_the_population(series: int) -> None:
    # 1,500 repositories, by authors of `series` each who come and stay away together
    rng = np.random.default_rng(5)
    truth, replications, hits, plain = 1500, 400, 0, 0
    for _ in range(replications):
        one, other = (np.repeat(rng.random(truth // series) < rate, series) for rate in (0.5, 0.3))
        row = {"in_both": one & other, "only_source": one & ~other, "only_other": other & ~one}
        sums = {name: np.add.reduceat(row[name].astype(float), np.arange(0, truth, series)) for name in row}
        counts = {name: int(value.sum()) for name, value in row.items()}
        products = {
            "both_squared": sums["in_both"] @ sums["in_both"],
            "source_squared": sums["only_source"] @ sums["only_source"],
            "other_squared": sums["only_other"] @ sums["only_other"],
            "both_source": sums["in_both"] @ sums["only_source"],
            "both_other": sums["in_both"] @ sums["only_other"],
            "source_other": sums["only_source"] @ sums["only_other"],
        }
        made = chapman(*counts.values(), capture._overdispersion(counts | products))
        alone = chapman(*counts.values())
        hits += made.low <= truth <= made.high
        plain += alone.low <= truth <= alone.high
    # 400 replications at 95%: standard error 1.1 points
    assert 0.91 <= hits / replications <= 0.985
    if series > 1:
        assert plain / replications < 0.6, "to count repositories one by one should fail here"


# --- from the store -----------------------------------------------------------------------------------------------


@pytest.fixture
def file() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for _, sql in migrations():
            connection.execute(sql)
        yield connection


def list_model(file: duckdb.DuckDBPyConnection, source: str, name: str, created: str | None, **more: Any) -> None:
    file.execute(
        "INSERT INTO hub_model (source, model_id, author, created_at, downloads, tags, seen_at)"
        " VALUES ($source, $name, split_part($name, '/', 1), $created, $downloads, $tags, $seen)",
        {"source": source, "name": name, "created": created, "downloads": 7, "tags": ["peft"], "seen": None} | more,
    )


def judge(
    file: duckdb.DuckDBPyConnection, source: str, name: str, *techniques: str, created: str | None = None
) -> None:
    file.execute(
        "INSERT INTO subject BY NAME SELECT $source AS source, $name AS subject_id, 'all' AS stratum, 1 AS weight,"
        " 'used' AS state, $techniques::VARCHAR[] AS techniques, []::VARCHAR[] AS overlays,"
        " split_part($name, '/', 1) AS author, $created::TIMESTAMP AS created_at",
        {"source": source, "name": name, "techniques": list(techniques), "created": created},
    )


def estimated(file: duckdb.DuckDBPyConnection) -> list[Record]:
    frames = {name: file.sql(read_input(name)).pl() for name in capture.INPUTS}
    return list(capture.estimate(frames, Registry([])))


def lacking(file: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return file.sql(read_input("dump_lacks")).pl()


def test_a_dump_is_compared_with_what_is_as_old(file: duckdb.DuckDBPyConnection) -> None:
    for name in ("a/both", "b/both"):
        list_model(file, "hub", name, "2026-01-01")
        list_model(file, "dump", name, "2026-01-01")
    list_model(file, "hub", "c/lacking", "2026-01-15")
    list_model(file, "hub", "c/undated", None)
    list_model(file, "hub", "c/full", "2026-01-02", tags=["text-generation"])
    list_model(file, "hub", "d/newer", "2026-03-01")
    list_model(file, "dump", "e/deleted", "2026-02-01")
    # a date nobody can have, which must not make everything older than the dump
    list_model(file, "dump", "e/future", "2099-01-01", seen="2026-02-02")
    assert lacking(file)["subject_id"].to_list() == ["c/lacking", "c/undated"]
    assert lacking(file).row(0) == ("dump", "c/lacking", "c", 7)
    adapters, repositories = (row for row in estimated(file) if isinstance(row, FrameCoverage))
    assert (adapters.in_both, adapters.only_source, adapters.only_census) == (2, 1, 2)
    assert adapters.covered == pytest.approx(2 / 4)
    assert (repositories.unit, repositories.only_census) == ("repositories", 3)
    assert adapters.created_before == adapters.source_as_of == datetime(2026, 2, 1, tzinfo=UTC)
    assert adapters.census_as_of == datetime(2026, 3, 1, tzinfo=UTC)


def test_without_a_dump_or_without_a_listing_nothing_is_said(file: duckdb.DuckDBPyConnection) -> None:
    list_model(file, "dump", "a/one", "2026-01-01")
    assert (lacking(file).height, estimated(file)) == (0, [])
    file.execute("UPDATE hub_model SET source = 'hub'")
    assert (lacking(file).height, estimated(file)) == (0, [])


def test_a_dump_without_dates_lacks_whatever_it_has_not(file: duckdb.DuckDBPyConnection) -> None:
    list_model(file, "dump", "a/one", None)
    list_model(file, "hub", "a/one", "2026-01-01")
    list_model(file, "hub", "a/two", "2026-02-01")
    assert lacking(file)["subject_id"].to_list() == ["a/two"]
    assert "no creation dates" in str(next(row.caveat for row in estimated(file) if isinstance(row, FrameCoverage)))


def test_two_sources_are_matched_by_id(file: duckdb.DuckDBPyConnection) -> None:
    for n in range(30):
        judge(file, "dump", f"a{n}/x", *(("lora", "ia3") if n == 0 else ("lora",)))
    for n in range(20, 50):
        # the config proves more than the card: what it says holds of the repository in both sources
        judge(file, "configs", f"a{n}/x", "oft" if n == 20 else "lora")
    judge(file, "cards", "no-owner", "lora")
    judge(file, "cards", "a1/x", "lora")
    made = estimated(file)
    sizes = {row.population_id: row for row in made if isinstance(row, PopulationSize)}
    every = sizes["population/configs+dump/evidence/all"]
    assert (every.in_both, every.only_source, every.only_other) == (10, 20, 20)
    assert every.estimate == pytest.approx(31 * 31 / 11 - 1)
    assert every.overdispersion == pytest.approx(1)
    assert (every.low, every.high) == (chapman(10, 20, 20).low, chapman(10, 20, 20).high)
    lora = sizes["population/configs+dump/evidence/lora"]
    assert (lora.in_both, lora.only_source, lora.only_other) == (9, 20, 20)
    assert every.caveat is not None
    assert "too low" in every.caveat
    assert len(sizes) == 2
    reasons = {(row.source, row.measure, row.rule): row.reason for row in made if isinstance(row, NotEstimated)}
    assert reasons["configs+dump", "population by technique", "evidence"].endswith("both sources of: ia3, oft")
    assert reasons["dump+cards", "population", "evidence"].startswith("1 adapters are in both")
    assert reasons["configs+cards", "population", "evidence"].startswith("0 adapters")
    assert str(LEAST_BOTH) in reasons["dump+cards", "population", "evidence"]


def test_authors_who_come_together_widen_the_interval(file: duckdb.DuckDBPyConnection) -> None:
    for n in range(60):
        author = n // 10
        for source in ("hub", "dump"):
            if author in (1, 2) or author == (0 if source == "hub" else 3) or (author > 3 and n % 2):
                list_model(file, source, f"a{author}/m{n}", "2026-01-01")
    (made,) = (row for row in estimated(file) if isinstance(row, PopulationSize))
    assert made.population_id == "population/hub+dump/listing/all"
    assert (made.in_both, made.only_source, made.only_other) == (30, 10, 10)
    assert made.overdispersion > 5
    assert made.high > chapman(30, 10, 10).high + 5


def test_only_repositories_as_old_as_both_sources_count(file: duckdb.DuckDBPyConnection) -> None:
    for n in range(10):
        judge(file, "dump", f"a{n}/x", "lora", created="2026-01-01")
        judge(file, "hub", f"a{n}/x", "lora", created="2026-01-01")
        judge(file, "hub", f"b{n}/x", "lora", created="2026-02-01")
    made = {row.population_id: row for row in estimated(file) if isinstance(row, PopulationSize)}
    every = made["population/hub+dump/evidence/all"]
    assert (every.in_both, every.only_source, every.estimate) == (10, 0, 10)
    assert every.created_before == datetime(2026, 1, 1, tzinfo=UTC)
    assert every.caveat is not None
    assert "sample" in every.caveat
