"""The simulation that proves the intervals, made small: its parts are right. `make bench-coverage` is the proof."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from benchmarks import coverage, synthetic_hub
from benchmarks.coverage import Cell
from benchmarks.synthetic_hub import STRATUM_NAMES, Model, draw, make_frame
from hubstats import sampling
from hubstats.estimate import Design, survey
from hubstats.estimate.survey import _Population

SMALL = Model(repositories=20_000, shares={"lora": 0.7, "20%": 0.2, "10%": 0.1}, largest=200)


def frame(**changes: Any) -> synthetic_hub.Frame:
    return make_frame(replace(SMALL, **changes), np.random.default_rng(7))


def test_kinds_are_put_into_strata_by_the_view() -> None:
    strata = synthetic_hub.strata_of_kinds()
    assert {STRATUM_NAMES[code] for code in strata.ravel()} == set(sampling.STRATA)
    plain = synthetic_hub.KINDS.index((0, 0, 1, 0))
    assert [STRATUM_NAMES[row[plain]] for row in strata] == [
        "adapter, nothing named, since 2025-07",
        "adapter of a series, nothing named",
    ]


def test_a_hub_is_what_its_model_says() -> None:
    hub = frame(repositories=400_000)
    assert hub.size.sum() == pytest.approx(400_000, rel=0.05)
    assert len(hub.author) == hub.adapters.sum() == pytest.approx(48_000, rel=0.2)
    sizes = Counter(np.bincount(hub.author).tolist())
    assert sizes[1] / sizes.total() == pytest.approx(1 - 2**-1.4, abs=0.02)
    assert 100 < max(sizes) <= 200
    assert hub.shares(SMALL)["20%"] == pytest.approx(0.2, abs=0.05)
    assert (np.diff(hub.stratum.astype(int)) >= 0).all()


def test_the_tag_is_one_sided_in_it() -> None:
    hub = frame(repositories=200_000)
    untagged = hub.stratum == STRATUM_NAMES.index("adapter, nothing named, since 2025-07")
    tagged = hub.stratum == STRATUM_NAMES.index("adapter, lora named, since 2025-07")
    assert (hub.technique[untagged] == 0).mean() < 0.5
    assert (hub.technique[tagged] == 0).mean() > 0.97


@pytest.mark.parametrize("design", ["stratified", "simple"])
def test_samples_stand_for_the_hub(design: sampling.Design) -> None:
    hub = frame()
    rng = np.random.default_rng(1)
    adapters, users = [], []
    for _ in range(200):
        sample = draw(hub, 2_000, design, rng)
        assert len(set(sample.item.tolist())) == len(sample.item)
        assert sample.drawn.sum() == 2_000
        adapters.append(sample.design.weight.sum())
        users.append(sample.design.weight[hub.technique[sample.item] == 1].sum())
    assert np.mean(adapters) == pytest.approx(len(hub.author), rel=0.02)
    assert np.mean(users) == pytest.approx((hub.technique == 1).sum(), rel=0.04)


def test_authors_votes_are_whole_once_all_is_read() -> None:
    hub = frame()
    sample = draw(hub, 10**6, "stratified", np.random.default_rng(1))
    votes = np.bincount(hub.author[sample.item], synthetic_hub.author_sizes(hub, sample))
    assert votes[votes > 0] == pytest.approx(1)
    assert (sample.design.weight == 1).all()


def test_votes_are_reckoned_with_all_that_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = frame()
    sample = draw(hub, 2_000, "stratified", np.random.default_rng(1))
    calls: list[tuple[Any, Any, Any]] = []
    monkeypatch.setattr(synthetic_hub, "author_votes", lambda *given: calls.append(given) or np.ones(2_000))
    assert len(synthetic_hub.author_sizes(hub, sample)) == len(sample.item)
    items, within, author_frame = calls[0]
    assert items.height == 2_000
    assert within.sum() == len(sample.item) < 2_000
    assert np.bincount(items["stratum"]).tolist() == sample.drawn.tolist()
    theirs = np.isin(hub.author, hub.author[sample.item])
    assert author_frame["repositories"].sum() == theirs.sum()


def test_the_true_error_is_what_samples_show() -> None:
    hub = frame()
    rng = np.random.default_rng(1)
    cell = Cell("x", SMALL, 2_000, "frame")
    samples = [draw(hub, 2_000, "stratified", rng) for _ in range(400)]
    found = [coverage.estimate(SMALL, hub, sample, cell)["20%"].share for sample in samples]
    assert np.std(found) == pytest.approx(coverage.true_error(hub, 1, samples[0]), rel=0.15)


@pytest.mark.parametrize("target", ["authors", "frame"])
@pytest.mark.parametrize("measure", ["repositories", "authors", "downloads"])
def test_a_cell_gives_a_row_for_each_technique_and_the_same_twice(target: Any, measure: Any) -> None:
    cell = Cell("small", SMALL, 1_000, target, measure=measure)
    rows = coverage.coverage(cell, 15)
    assert rows == coverage.coverage(cell, 15)
    assert [row["technique"] for row in rows] == ["lora", "20%", "10%"]
    for row in rows:
        assert row["coverage"] + row["above"] + row["below"] == pytest.approx(1, abs=0.001)
        assert 0 < row["width"] < 1
    if measure == "repositories":
        assert min(row["coverage"] for row in rows) >= 0.6
        assert rows[0]["naive_coverage"] < 0.6, "the plain count takes the untagged part for the whole"
    assert json.dumps(rows)
    assert coverage.coverage_table(rows).count("\n") == 4


def test_a_series_moves_the_truth() -> None:
    model = replace(SMALL, series_shares={"10%": 1.0})
    assert sum(model.truth().values()) == pytest.approx(1)
    assert model.truth()["10%"] > 0.1
    assert SMALL.truth() == SMALL.shares
    hub = make_frame(replace(model, repositories=400_000, largest=1_000), np.random.default_rng(7))
    large = np.bincount(hub.author)[hub.author] >= synthetic_hub.SERIES
    assert (hub.technique[large] == 2).all()


def test_the_designs_are_compared_at_as_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(coverage.FRAMES, "whole Hub", replace(coverage.WORTH, repositories=100_000))
    monkeypatch.setattr(coverage, "WORTH_SAMPLE", 1_000)
    rows = coverage.worth("whole Hub", 1.0, 12)
    assert [row["target"] for row in rows] == ["frame", "authors", "true standard error"]
    for row in rows:
        assert row["simple_files"] == pytest.approx(row["files"], rel=0.02)
    assert rows[2]["ratio"] > 1.3
    assert coverage.worth_table(rows).count("\n") == 4


def test_every_stated_cell_is_of_its_own_and_its_shares_make_a_whole() -> None:
    assert len(set(map(repr, coverage.CELLS))) == len(coverage.CELLS)
    assert coverage.REPLICATIONS >= 2_000
    for model in [cell.model for cell in coverage.CELLS] + list(coverage.FRAMES.values()):
        assert sum(model.shares.values()) == pytest.approx(1)
        assert not model.series_shares or sum(model.series_shares.values()) == pytest.approx(1)


# --- what the simulation led to in the estimator ------------------------------------------------------------------


def pool() -> tuple[_Population, list[tuple[Any, Any]]]:
    """Everything read of 60 authors: 20 of one repository and 20 of three use a, and one of three uses b."""
    sizes = [1] * 20 + [3] * 40
    cluster = np.repeat(np.arange(60), sizes)
    items = len(cluster)
    plan = Design(np.ones(items), cluster, np.zeros(items, np.int64), np.array([float(items)]), np.ones(1))
    b = np.flatnonzero(cluster == 59)
    a = np.flatnonzero(cluster < 40)
    return _Population(plan, np.ones(items), 0.95, "authors"), [(a, np.ones(len(a))), (b, np.ones(len(b)))]


def test_a_rare_techniques_variance_leans_on_the_others() -> None:
    population, uses = pool()
    alone = [population._spread(*use)[0] for use in uses]
    usual = sum(spread.authors for spread in alone) / sum(spread.share * (1 - spread.share) for spread in alone)
    for spread, ratio in zip(alone, population.ratios(uses, [True, True]), strict=True):
        leaning = spread.freedom * spread.authors + survey.PRIOR_FREEDOM * usual * spread.share * (1 - spread.share)
        variance = max(spread.authors, leaning / (spread.freedom + survey.PRIOR_FREEDOM))
        assert ratio.effective_size == pytest.approx(spread.share * (1 - spread.share) / variance)
    by_itself, beside = population.ratio(*uses[1]), population.ratios(uses, [True, True])[1]
    assert by_itself.usable_size is not None
    assert beside.usable_size is not None
    assert beside.usable_size > 2 * by_itself.usable_size, "one author has hardly a degree of freedom"


def test_one_technique_has_nothing_to_lean_on() -> None:
    population, uses = pool()
    spread = population._spread(*uses[1])[0]
    for ratio in (population.ratio(*uses[1]), population.ratios([uses[1]], [False])[0]):
        assert ratio.effective_size == pytest.approx(spread.share * (1 - spread.share) / spread.authors)
        loss = (ndtri(0.975) / stdtrit(spread.freedom, 0.975)) ** 2
        assert ratio.usable_size == pytest.approx(ratio.effective_size * loss)


def test_a_few_heavy_items_do_not_pass_for_many() -> None:
    # 1,000 read of 1,000,000 of which 3 are adapters, and 200 of 400 that are all adapters.
    weight = np.array([1000.0] * 3 + [2.0] * 200)
    stratum = np.array([0] * 3 + [1] * 200)
    plan = Design(weight, np.arange(203), stratum, np.array([1000.0, 200.0]), np.array([0.001, 0.5]))
    spread = _Population(plan, np.ones(203), 0.95, "frame")._spread(np.array([0, 3, 5, 7]), np.ones(4))[0]
    assert 2 <= spread.freedom < 10
    even = Design(np.full(203, 2.0), np.arange(203), np.zeros(203, np.int64), np.array([203.0]), np.array([0.5]))
    evenly = _Population(even, np.ones(203), 0.95, "frame")._spread(np.arange(100), np.ones(100))[0]
    assert evenly.freedom == 202
