"""Shares and intervals: against published values, against formulas written out by loops, and by simulation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from hubstats.errors import QueryError
from hubstats.estimate import Design, Share, add_intervals, estimate_shares, population, wilson_interval
from hubstats.estimate.interval import clopper_pearson_interval, sparing_interval
from hubstats.estimate.survey import _Population
from hubstats.queries import Query
from hubstats.records import Estimate, FamilyEstimate, NotEstimated, Record
from hubstats.techniques import Registry, Technique

# --- Wilson -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_values(count: int, total: int, low: float, high: float) -> None:
    # Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3
    row = wilson_interval([count], [total]).row(0, named=True)
    assert (round(row["low"], 4), round(row["high"], 4)) == (low, high)


@given(st.integers(1, 10_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_equals_scipy_and_stays_inside(total: int, part: float, confidence: float) -> None:
    count = round(part * total)
    share, low, high = wilson_interval([count], [total], confidence).row(0)
    theirs = binomtest(count, total).proportion_ci(confidence, method="wilson")
    assert low == pytest.approx(theirs.low, abs=1e-9)
    assert high == pytest.approx(theirs.high, abs=1e-9)
    assert 0 <= low <= share <= high <= 1
    assert (low == 0) == (count == 0)
    assert (high == 1) == (count == total)
    more = wilson_interval([2 * count], [2 * total], confidence).row(0)
    assert more[2] - more[1] < high - low


def test_wilson_leaves_unknown_unknown() -> None:
    assert wilson_interval([0, None, 1], [0, 3, None]).rows() == [(None, None, None)] * 3


@pytest.mark.parametrize(("count", "total"), [(2, 1), (-1, 3), (math.nan, 3), (1, math.inf)])
def test_wilson_refuses_what_is_no_share(count: float, total: float) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson_interval([count], [total])


# --- Clopper and Pearson ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        (0, 20, 0, 0.16843347098308534),
        (3, 47, 0.01336176949725493, 0.17539243001292096),
        (9, 30, 0.14734518475470101, 0.4939590414625537),
        (46, 47, 0.8870622828535999, 0.9994614682946577),
        (20, 20, 0.8315665290169146, 1),
    ],
)
def test_clopper_pearson_gives_the_values_of_statsmodels(count: int, total: int, low: float, high: float) -> None:
    # statsmodels 0.15.0, proportion_confint(count, total, method="beta")
    assert clopper_pearson_interval([count], [total]).row(0) == pytest.approx((count / total, low, high), abs=1e-12)


@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_clopper_pearson_equals_scipy_and_stays_inside(total: int, part: float, confidence: float) -> None:
    count = round(part * total)
    share, low, high = clopper_pearson_interval([count], [total], confidence).row(0)
    theirs = binomtest(count, total).proportion_ci(confidence, method="exact")
    assert (low, high) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))
    assert 0 <= low <= share <= high <= 1


def test_the_sparing_interval_is_exact_where_few_are_counted() -> None:
    counts, totals = [0, 9.9, 10, 90, 90.1, None, 0.2], [100, 100, 100, 100, 100, 3, 0.3]
    made, exact, wilson = (
        f(counts, totals).rows() for f in (sparing_interval, clopper_pearson_interval, wilson_interval)
    )
    assert [row == w for row, w in zip(made, wilson, strict=True)] == [False, False, True, True, False, True, False]
    assert [made[i] for i in (0, 1, 4, 6)] == [exact[i] for i in (0, 1, 4, 6)]
    assert made[5] == (None, None, None)


@pytest.mark.parametrize("total", [30, 1000])
def test_the_sparing_interval_covers_where_wilsons_does_not(total: int) -> None:
    counts = np.arange(total + 1)
    bounds = {f: f(counts, np.full(total + 1, total)) for f in (sparing_interval, wilson_interval)}
    worst = dict.fromkeys(bounds, 1.0)
    for truth in np.concatenate([np.linspace(0.05, 10, 400), np.linspace(10, total / 2, 200)]) / total:
        chance = binom.pmf(counts, total, truth)
        for f, made in bounds.items():
            inside = (made["low"].to_numpy() <= truth) & (truth <= made["high"].to_numpy())
            worst[f] = min(worst[f], float(chance[inside].sum()))
    assert worst[wilson_interval] < 0.86
    assert worst[sparing_interval] > 0.925


def query(**header: str) -> Query:
    return Query("q", "s", 1, "?", "SELECT 1;", Path("01_q.sql"), **header)  # type: ignore[arg-type]


def test_intervals_are_added_where_the_query_counts() -> None:
    frame = pl.DataFrame({"k": [1], "n": [2]})
    assert add_intervals(frame, query()).columns == ["k", "n"]
    assert add_intervals(frame, query(count="k", total="n")).columns == ["k", "n", "share", "low", "high"]
    empty = add_intervals(frame.clear(), query(count="k", total="n"))
    assert (empty.height, empty.columns[2:]) == (0, ["share", "low", "high"])


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"k": [1]}, "no column n"),
        ({"k": [1], "n": [2], "low": [0]}, "its own low"),
        ({"k": [3], "n": [2]}, "3.0 of 2.0"),
    ],
)
def test_intervals_refuse_a_query_that_miscounts(columns: Mapping[str, Any], why: str) -> None:
    with pytest.raises(QueryError, match=f"q: .*{why}"):
        add_intervals(pl.DataFrame(columns), query(count="k", total="n"))


# --- one share ----------------------------------------------------------------------------------------------------


def design(strata: list[int], authors: list[int], frame: Mapping[int, int], others: Mapping[int, int] = {}) -> Design:
    """The items' strata and authors, the frame size of each stratum, and read items outside the population."""
    drawn = np.array([strata.count(h) + others.get(h, 0) for h in sorted(frame)], float)
    sizes = np.array([frame[h] for h in sorted(frame)], float)
    stratum = np.array(strata)
    return Design((sizes / drawn)[stratum], np.array(authors), stratum, drawn, drawn / sizes)


def variance_by_loops(plan: Design, size: list[float], part: list[float], extra: float = 0) -> tuple[float, float]:
    """The share and both variances of hubstats.estimate.survey's text, item by item; `extra` is certain."""
    items = range(len(size))
    weight = [float(w) for w in plan.weight]
    total = sum(weight[i] * size[i] for i in items) + extra
    share = (sum(weight[i] * part[i] for i in items) + extra) / total
    u = [(part[i] - share * size[i]) / total for i in items]
    sampling = 0.0
    for h, (drawn, fraction) in enumerate(zip(plan.drawn, plan.fraction, strict=True)):
        values = [weight[i] * u[i] for i in items if plan.stratum[i] == h]
        values += [0.0] * (int(drawn) - len(values))
        mean = sum(values) / drawn if drawn > 1 else 0
        sampling += (1 - fraction) * drawn / max(drawn - 1, 1) * sum((value - mean) ** 2 for value in values)
    authors = sorted({int(plan.cluster[i]) for i in items if size[i] > 0})
    clustered = sum(sum(weight[i] * u[i] for i in items if plan.cluster[i] == a) ** 2 for a in authors)
    clustered *= len(authors) / (len(authors) - 1)
    within = sum(weight[i] * (weight[i] - 1) * u[i] ** 2 for i in items)
    return share, sampling + max(clustered - within, 0.0)


def test_variance_equals_the_formula_item_by_item() -> None:
    plan = design([0, 0, 0, 0, 1, 1, 1, 2], [0, 0, 1, 2, 2, 3, 3, 3], {0: 40, 1: 6, 2: 5}, others={0: 2})
    size = [1.0, 2.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0]
    part = [1.0, 0.0, 1.0, 0.5, 3.0, 0.0, 0.0, 1.0]
    share, variance = variance_by_loops(plan, size, part)
    # weights 40/6, 6/3 and 5
    assert share == pytest.approx((2.5 * 40 / 6 + 6 + 5) / (5 * 40 / 6 + 10 + 5))
    made = one_share(plan, size, part)
    assert made.share == pytest.approx(share)
    assert made.effective_size == pytest.approx(share * (1 - share) / variance)


PLANS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0, 7.0]), st.floats(0, 1)),
    min_size=4,
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(PLANS, st.lists(st.booleans(), min_size=14, max_size=14), st.integers(0, 20))
def test_sums_over_users_equal_the_formula_over_all_items(
    rows: list[tuple[int, int, float, float]], hide: list[bool], unread: int
) -> None:
    strata = [row[0] for row in rows]
    plan = design(strata, [row[1] for row in rows], {h: 3 * strata.count(h) + 5 for h in range(3)}, {0: 1, 1: 1, 2: 1})
    size = np.array([row[2] for row in rows])
    # few users, so that most of the sums come in advance
    part = np.array([row[3] if n % 3 == 0 else 0.0 for n, row in enumerate(rows)])
    hidden = np.array(hide[: len(rows)])
    use = np.flatnonzero(part)
    for worst in (False, True):
        if not (size > 0).any():
            return
        whole = _Population(plan, size, 0.95, "authors", unread=unread if worst else 0)
        whole = whole.hiding(hidden) if worst else whole
        ratio = whole.ratio(use, part[use])
        amount = np.where(hidden, size, part * size) if worst else part * size
        if len({a for (_, a, s, _) in rows if s > 0}) < 2:
            assert ratio.effective_size is None
            continue
        share, variance = variance_by_loops(plan, size.tolist(), amount.tolist(), unread if worst else 0)
        assert ratio.share == pytest.approx(share, abs=1e-9)
        if 1e-6 < share < 1 - 1e-6 and variance > 1e-12 and ratio.effective_size != whole._most:
            assert ratio.effective_size == pytest.approx(share * (1 - share) / variance, rel=1e-6)


@pytest.mark.parametrize(
    ("plan", "size", "uses", "target", "theirs"),
    [
        ("strata", [2, 1, 5, 1, 1, 3, 2, 2, 4], [1, 0, 1, 1, 0, 0, 1, 0, 1], "frame", (0.636364, 0.193137)),
        ("strata", [1] * 9, [1, 0, 1, 1, 0, 0, 1, 0, 1], "frame", (0.521739, 0.181883)),
        ("authors", [1, 2, 3, 1, 2, 1, 1, 4, 2, 2], [1, 1, 0, 1, 0, 1, 1, 1, 0, 0], "authors", (0.526316, 0.245156)),
        ("authors", [1] * 10, [1, 1, 0, 1, 0, 1, 1, 1, 0, 0], "authors", (0.6, 0.221359)),
    ],
)
def test_shares_and_standard_errors_are_those_of_svy(
    plan: str, size: list[float], uses: list[int], target: Any, theirs: tuple[float, float]
) -> None:
    # svy 0.35.0, Taylor linearisation: Design(stratum, wgt, pop_size) and Design(psu, wgt); estimation.ratio and .mean
    drawn = {
        "strata": design([0] * 6 + [1] * 3, list(range(9)), {0: 40, 1: 6}),
        "authors": design([0] * 10, [0, 0, 1, 2, 2, 3, 3, 3, 4, 4], {0: 10}),
    }[plan]
    made = one_share(drawn, size, [s * u for s, u in zip(size, uses, strict=True)], target=target)
    assert made.effective_size is not None
    error = math.sqrt(made.share * (1 - made.share) / made.effective_size)
    assert (made.share, error) == pytest.approx(theirs, abs=6e-7)


def one_share(plan: Design, size: list[float], amount: list[float], **how: Any) -> Share:
    whole, given = np.array(size, float), np.array(amount, float)
    use = np.flatnonzero(given)
    return estimate_shares(plan, whole, {"t": (use, given[use] / whole[use])}, **how)["t"]


def test_a_domain_leaves_the_design_whole() -> None:
    # 10 of 100 read, 5 of them in the domain, 2 of these users: to leave out the others makes it too certain
    plan = design([0] * 10, list(range(10)), {0: 100})
    votes = {"t": (np.array([0, 1]), np.ones(2))}
    size = np.array([1.0] * 5 + [0.0] * 5)
    made = estimate_shares(plan, size, votes, target="frame")["t"]
    u = [(b - 0.4) / 50 for b in (1, 1, 0, 0, 0)]
    variance = 0.9 * 10 / 9 * sum((10 * value) ** 2 for value in u)
    assert (made.share, made.total) == (pytest.approx(0.4), pytest.approx(50))
    assert made.effective_size == pytest.approx(0.24 / variance)
    fixed = design([0] * 5, list(range(5)), {0: 50})
    assert estimate_shares(fixed, np.ones(5), votes, target="frame")["t"].effective_size == pytest.approx(
        0.24 / (variance * 9 / 10 * 5 / 4)
    )


def test_known_special_cases() -> None:
    ones = np.ones(40)
    half = (np.arange(20), np.ones(20))
    alone = design([0] * 40, list(range(40)), {0: 40})
    # everything read, one item an author: p (1 - p) / (n - 1)
    assert estimate_shares(alone, ones, {"t": half})["t"].effective_size == pytest.approx(39)
    # ten authors of four items that agree: p (1 - p) / (m - 1)
    series = design([0] * 40, [item // 4 for item in range(40)], {0: 40})
    share = estimate_shares(series, ones, {"t": half})["t"]
    assert share.effective_size == pytest.approx(9)
    assert share.design_effect == pytest.approx(40 / 9)
    # a quarter of the frame, looked at as that frame: (1 - f) p (1 - p) / (n - 1)
    quarter = design([0] * 40, [0] * 40, {0: 160})
    assert estimate_shares(quarter, ones, {"t": half}, target="frame")["t"].effective_size == pytest.approx(39 / 0.75)


def test_shares_of_nothing_and_of_all_rest_on_authors() -> None:
    plan = design([0] * 30, [0] * 10 + [1] * 10 + [2] * 10, {0: 30})
    shares = estimate_shares(
        plan, np.ones(30), {"never": (np.zeros(0, int), np.zeros(0)), "always": (np.arange(30), np.ones(30))}
    )
    # a third is the sum of three authors: too few for Wilson's
    three = clopper_pearson_interval([0], [3]).row(0)
    assert (shares["never"].share, shares["never"].low, shares["never"].high) == (0, 0, pytest.approx(three[2]))
    assert (shares["always"].share, shares["always"].high) == (1, 1)
    assert shares["always"].low == pytest.approx(1 - three[2])


def test_one_author_gives_a_share_without_interval() -> None:
    plan = design([0] * 5, [0] * 5, {0: 5})
    share = estimate_shares(plan, np.ones(5), {"t": (np.arange(2), np.ones(2))}, outer_size=np.ones(5))["t"]
    assert share.share == pytest.approx(0.4)
    assert (share.low, share.high, share.outer_low, share.outer_high, share.effective_size) == (None,) * 5


def test_two_agreeing_authors_are_not_certain() -> None:
    # both use the technique for half of their 20 items: no difference between authors, so no variance
    plan = design([0] * 40, [0] * 20 + [1] * 20, {0: 40})
    share = estimate_shares(plan, np.ones(40), {"t": (np.arange(0, 40, 2), np.ones(20))})["t"]
    assert share.high is not None
    assert share.low is not None
    assert share.high - share.low > 0.8


def test_authors_of_exactly_the_same_habits_have_an_interval() -> None:
    plan = design([0] * 4, [0, 0, 1, 1], {0: 4})
    share = estimate_shares(plan, np.ones(4), {"t": (np.array([0, 2]), np.ones(2))})["t"]
    assert share.low is not None, "no spread between authors is not the same as one author"
    assert share.high is not None
    assert share.high - share.low > 0.8


def test_outer_interval_is_the_worst_case() -> None:
    plan = design([0] * 1000, list(range(1000)), {0: 1000})
    seen = np.where(np.arange(1000) < 800, 1.0, 0.0)
    votes = {"t": (np.arange(400), np.ones(400))}
    share = estimate_shares(plan, seen, votes, outer_size=np.ones(1000))["t"]
    none, every = wilson_interval([400, 600], [999, 999]).rows()
    assert share.share == 0.5
    assert share.outer_low == pytest.approx(wilson_interval([0.4 * 999], [999]).row(0)[1], abs=1e-4)
    assert share.outer_high == pytest.approx(wilson_interval([0.6 * 999], [999]).row(0)[2], abs=1e-4)
    assert none[1] < 0.4 < 0.6 < every[2]
    further = estimate_shares(plan, seen, votes, outer_size=np.ones(1000), unread=1000)["t"]
    assert further.outer_low == pytest.approx(0.2, abs=0.03)
    assert further.outer_high == pytest.approx(0.8, abs=0.03)


# --- simulation ---------------------------------------------------------------------------------------------------


def hub(rng: np.random.Generator, share: float, authors: int = 2500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Authors with heavy-tailed numbers of repositories and tastes of their own; a tag that depends on the technique,
    so that authors lie across strata. Returns author, use and stratum of each repository."""
    sizes = np.minimum(np.ceil(rng.pareto(1.2, authors)), 300).astype(int)
    taste = rng.beta(share, 1 - share, authors)
    author = np.repeat(np.arange(authors), sizes)
    uses = rng.random(len(author)) < taste[author]
    tagged = rng.random(len(author)) < np.where(uses, 0.2, 0.8)
    return author, uses, tagged.astype(int)


def draw(rng: np.random.Generator, stratum: np.ndarray, sizes: tuple[int, int]) -> tuple[np.ndarray, dict[int, int]]:
    pools = [np.flatnonzero(stratum == h) for h in (0, 1)]
    drawn = [rng.choice(pool, size, replace=False) for pool, size in zip(pools, sizes, strict=True)]
    return np.concatenate(drawn), {h: len(pool) for h, pool in enumerate(pools)}


def covered(low: float | None, truth: float, high: float | None) -> bool:
    return low is not None and high is not None and low <= truth <= high


@pytest.mark.parametrize("share", [0.9, 0.03])
def test_interval_covers_the_authors_habits(share: float) -> None:
    rng = np.random.default_rng(20261123)
    replications, hits, naive = 300, 0, 0
    for _ in range(replications):
        author, uses, stratum = hub(rng, share)
        items, frame = draw(rng, stratum, (500, 500))
        plan = design(stratum[items].tolist(), author[items].tolist(), frame)
        votes = {"t": (np.flatnonzero(uses[items]), np.ones(int(uses[items].sum())))}
        made = estimate_shares(plan, np.ones(len(items)), votes)["t"]
        hits += covered(made.low, share, made.high)
        _, low, high = wilson_interval([made.share * len(items)], [len(items)]).row(0)
        naive += covered(low, share, high)
    # 300 replications at 95%: standard error 1.3 points
    assert 0.91 <= hits / replications <= 0.99
    assert naive / replications < 0.8, "the textbook interval should fail here, or the simulation is too easy"


def test_interval_covers_the_frame_and_its_variance_is_unbiased() -> None:
    rng = np.random.default_rng(7)
    author, uses, stratum = hub(rng, 0.3)
    truth, replications, hits = float(uses.mean()), 300, 0
    shares, variances = [], []
    for _ in range(replications):
        items, frame = draw(rng, stratum, (300, 900))
        plan = design(stratum[items].tolist(), author[items].tolist(), frame)
        votes = {"t": (np.flatnonzero(uses[items]), np.ones(int(uses[items].sum())))}
        made = estimate_shares(plan, np.ones(len(items)), votes, target="frame")["t"]
        hits += covered(made.low, truth, made.high)
        shares.append(made.share)
        assert made.effective_size is not None
        variances.append(made.share * (1 - made.share) / made.effective_size)
    assert np.mean(shares) == pytest.approx(truth, abs=4 * np.std(shares) / math.sqrt(replications))
    # the variance of 300 replications is itself known to 8%
    assert np.mean(variances) == pytest.approx(np.var(shares, ddof=1), rel=0.25)
    assert 0.92 <= hits / replications <= 0.98


# --- populations --------------------------------------------------------------------------------------------------

REGISTRY = Registry(
    [
        Technique("lora", "LoRA", "low-rank", "method", peft_type="LORA", site_types=("LORA",)),
        Technique("ia3", "(IA)3", "scaling", "method", peft_type="IA3"),
        Technique("oft", "OFT", "orthogonal", "method", peft_type="OFT"),
        Technique("locon", "LoCon", "low-rank", "external", site_types=("LoCon",)),
    ]
)
SEEN = datetime(2026, 1, 2, 3, tzinfo=UTC)


def subjects(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Frame of inputs/subjects.sql; what a row does not say is a read card of an item that uses nothing."""
    schema = {
        "source": pl.String,
        "subject_id": pl.String,
        "author": pl.String,
        "downloads": pl.Int64,
        "stratum": pl.String,
        "weight": pl.Float64,
        "state": pl.String,
        "techniques": pl.List(pl.String),
        "overlays": pl.List(pl.String),
        "blog_technique": pl.String,
        "blog_technique_folded": pl.String,
        "card_status": pl.String,
        "config_status": pl.String,
        "site_type": pl.String,
        "detector_version": pl.String,
        "seen_at": pl.Datetime("us"),
    }
    usual = {
        "source": "dump",
        "stratum": "all",
        "weight": 1.0,
        "state": "none",
        "techniques": [],
        "overlays": [],
        "card_status": "ok",
        "seen_at": SEEN.replace(tzinfo=None),
        "detector_version": "d1",
    }
    return pl.DataFrame(
        [usual | {"subject_id": f"{row.get('author')}/{n}"} | dict(row) for n, row in enumerate(rows)], schema=schema
    )


def frames(items: pl.DataFrame, **others: pl.DataFrame) -> dict[str, pl.DataFrame]:
    text, imports = (
        pl.String,
        {"source": pl.String, "author": pl.String, "subject_id": pl.String, "technique": pl.String},
    )
    return {
        "subjects": items,
        "strata": pl.DataFrame(schema={"source": text, "stratum": text, "frame_size": pl.Int64}),
        "author_frame": pl.DataFrame(
            schema={"source": text, "author": text, "stratum": text, "repositories": pl.Int64}
        ),
        "dump_lacks": pl.DataFrame(schema={"source": text, "subject_id": text, "author": text, "downloads": pl.Int64}),
        "imports_files": pl.DataFrame(schema=imports | {"seen_at": pl.Datetime("us")}),
        "imports_repositories": pl.DataFrame(schema=imports | {"seen_at": pl.Datetime("us")}),
    } | others


def uses(author: str | None, *techniques: str, **more: Any) -> dict[str, Any]:
    state = "several" if len(techniques) > 1 else "used"
    return {"author": author, "state": state, "techniques": list(techniques)} | more


def estimated(rows: dict[str, pl.DataFrame], registry: Registry) -> list[Record]:
    return list(population.estimate(rows, registry))


def by_id(made: list[Record]) -> dict[str, Estimate]:
    return {row.estimate_id: row for row in made if isinstance(row, Estimate)}


def test_items_downloads_and_authors_are_three_shares() -> None:
    made = by_id(
        estimated(
            frames(
                subjects(
                    uses("ann", "lora", downloads=10),
                    uses("ann", "lora", downloads=0),
                    uses("ann", "ia3", downloads=70),
                    uses("bob", "ia3", "lora", downloads=20),
                    {"author": "cat", "downloads": 1000},
                )
            ),
            REGISTRY,
        )
    )
    lora = {measure: made[f"dump/{measure}/evidence/lora"] for measure in ("repositories", "downloads", "authors")}
    assert lora["repositories"].share == pytest.approx(2.5 / 4)
    assert lora["downloads"].share == pytest.approx((10 + 20 / 2) / 100)
    assert lora["authors"].share == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (lora["authors"].count, lora["authors"].total) == (pytest.approx(7 / 6), pytest.approx(2))
    assert (lora["downloads"].subjects, lora["repositories"].subjects) == (3, 4)
    assert made["dump/repositories/evidence/oft"].share == 0, (
        "a method that nobody uses has its upper bound in a census"
    )
    assert "dump/authors/evidence/oft" not in made
    assert (lora["authors"].as_of, lora["authors"].detector_version) == (SEEN, "d1")


def test_families_have_the_parts_of_their_techniques() -> None:
    rows = [
        uses("ann", "lora", "locon", downloads=10),
        uses("ann", "ia3", "lora", "locon", downloads=90),
        uses("bob", "ia3", downloads=0),
        uses("cat", "other:NEW"),
    ]
    made = estimated(frames(subjects(*rows)), REGISTRY)
    families = {row.estimate_id: row for row in made if isinstance(row, FamilyEstimate)}
    one = families["family/dump/repositories/evidence/low-rank"]
    # the first wholly, of the second two of three parts
    assert (one.share, one.total, one.family) == (pytest.approx((1 + 2 / 3) / 4), 4, "low-rank")
    assert families["family/dump/repositories/evidence/unknown"].share == pytest.approx(1 / 4)
    assert families["family/dump/authors/evidence/low-rank"].share == pytest.approx((1 + 2 / 3) / 2 / 3)
    assert families["family/dump/downloads/evidence/low-rank"].share == pytest.approx((10 + 90 * 2 / 3) / 100)
    assert families["family/dump/repositories/evidence/orthogonal"].share == 0, "a family that nobody uses has a bound"
    single, other = by_id(made)["dump/repositories/evidence/ia3"], families["family/dump/repositories/evidence/scaling"]
    assert (single.share, single.low, single.high, single.outer_high) == (
        other.share,
        other.low,
        other.high,
        other.outer_high,
    )
    # two techniques of a family on the same items are not two independent shares
    both = [uses(f"a{n}", *(("lora", "locon") if n % 2 else ("ia3",))) for n in range(100)]
    made = estimated(frames(subjects(*both)), REGISTRY)
    half = next(row for row in made if isinstance(row, FamilyEstimate) and row.family == "low-rank")
    assert (half.share, half.effective_size) == (0.5, pytest.approx(99))


def test_variants_of_unread_configs_are_in_doubt() -> None:
    rows = [uses(f"a{n}", "lora", overlays=["dora"] if n < 20 else [], config_status="ok") for n in range(100)]
    rows += [uses(f"b{n}", "lora", config_status=None) for n in range(100)]
    made = by_id(estimated(frames(subjects(*rows)), REGISTRY))["dump/repositories/overlay/dora"]
    assert made.share == 0.1
    assert made.outer_low == pytest.approx(made.low, abs=1e-9)
    assert made.outer_high == pytest.approx(wilson_interval([0.6 * 199], [199]).row(0)[2], abs=1e-3)
    assert made.caveat is not None
    assert "whose config was not read" in made.caveat


def test_a_dump_widens_by_what_the_listing_shows_and_it_lacks() -> None:
    rows = [uses(f"a{n}", "lora" if n % 2 else "ia3", downloads=1) for n in range(200)]
    lacks = pl.DataFrame(
        [{"source": "dump", "subject_id": f"c{n}/x", "author": f"c{n}", "downloads": 9} for n in range(200)]
    )
    plain = by_id(estimated(frames(subjects(*rows)), REGISTRY))
    made = by_id(estimated(frames(subjects(*rows), dump_lacks=lacks), REGISTRY))
    for measure, low, high in (("repositories", 0.25, 0.75), ("authors", 0.25, 0.75), ("downloads", 0.05, 0.95)):
        before, after = (each[f"dump/{measure}/evidence/lora"] for each in (plain, made))
        assert (after.share, after.low, after.high, after.subjects) == (
            before.share,
            before.low,
            before.high,
            before.subjects,
        )
        assert after.outer_low is not None
        assert after.outer_high is not None
        assert after.outer_low < low
        assert 0.01 < low - after.outer_low < 0.05
        assert 0.01 < after.outer_high - high < 0.05
        assert after.caveat is not None
        assert "200 adapters that the listing shows" in after.caveat
    others = frames(subjects(*[row | {"source": "cards"} for row in rows]), dump_lacks=lacks)
    assert "the listing shows" not in str(by_id(estimated(others, REGISTRY))["cards/cards/evidence/lora"].caveat)


@pytest.mark.parametrize("weight", [math.nan, math.inf, 0.0, -1.0, 1e300, None])
def test_a_broken_weight_leaves_its_item_out(weight: float | None) -> None:
    rows = [uses(f"a{n}", "lora" if n % 2 else "ia3") for n in range(20)]
    made = by_id(estimated(frames(subjects(*rows, uses("b", "oft", weight=weight))), REGISTRY))
    assert made["dump/repositories/evidence/oft"].share == 0
    assert made["dump/repositories/evidence/lora"].share == 0.5
    assert "1 items without a usable weight" in str(made["dump/repositories/evidence/lora"].caveat)


@pytest.mark.parametrize(
    "hidden",
    [
        {"state": "unknown_adapter"},
        {"card_status": "missing", "config_status": "missing"},
        {"card_status": "failed"},
        {"config_status": "gated"},
    ],
)
def test_unread_items_widen_only_the_outer_interval(hidden: dict[str, Any]) -> None:
    seen = [uses(f"a{n}", "lora" if n % 2 else "ia3") for n in range(200)]
    harmless = [{"author": "v"}, {"author": "v", "state": "merged", "card_status": "missing"}] * 100
    unread = [{"author": f"u{n}"} | hidden for n in range(200)]
    plain = by_id(estimated(frames(subjects(*seen, *harmless)), REGISTRY))["dump/repositories/evidence/lora"]
    worst = by_id(estimated(frames(subjects(*seen, *unread)), REGISTRY))["dump/repositories/evidence/lora"]
    assert (worst.share, worst.low, worst.high) == (plain.share, plain.low, plain.high)
    assert (plain.outer_low, plain.outer_high) == (plain.low, plain.high)
    # 100 or 300 of 400, and the sampling error of that
    assert worst.outer_low == pytest.approx(0.25 - 0.042, abs=0.005)
    assert worst.outer_high == pytest.approx(0.75 + 0.042, abs=0.005)


def test_the_blogs_rules_count_cards_that_name_one() -> None:
    def named(author: str, one: str | None, folded: str | None, card: str = "ok") -> dict[str, Any]:
        return {"author": author, "blog_technique": one, "blog_technique_folded": folded, "card_status": card}

    rows = [named("a", "lora", "lora"), named("b", "qlora", "lora"), named("c", "ia3", "ia3"), named("d", None, None)]
    made = by_id(estimated(frames(subjects(*rows, named("e", None, None, "missing"))), REGISTRY))
    assert made["dump/repositories/blog/lora"].share == pytest.approx(1 / 3)
    assert made["dump/repositories/blog/qlora"].share == pytest.approx(1 / 3)
    assert made["dump/repositories/blog_folded/lora"].share == pytest.approx(2 / 3)
    assert made["dump/repositories/blog_folded/lora"].total == 3


def test_image_site_types() -> None:
    def upload(author: str, kind: str, *techniques: str) -> dict[str, Any]:
        return uses(author, *techniques, source="civitai", site_type=kind, card_status=None)

    rows = [upload(f"u{n}", "LORA", "lora") for n in range(6)] + [upload("x", "LoCon", "locon")] * 2
    rows += [{"author": "y", "source": "civitai", "site_type": "Checkpoint", "card_status": None}]
    made = by_id(estimated(frames(subjects(*rows)), REGISTRY))
    assert made["civitai/checkpoints/site_type/lora"].share == pytest.approx(6 / 8)
    assert made["civitai/authors/site_type/lora"].share == pytest.approx(6 / 7)
    assert made["civitai/checkpoints/evidence/lora"].outer_high == made["civitai/checkpoints/evidence/lora"].high
    assert "civitai/checkpoints/evidence/oft" not in made, "a site that cannot show a technique says nothing about it"


def test_imports_by_files_and_by_repositories() -> None:
    def pairs(*rows: tuple[str, str, str]) -> pl.DataFrame:
        return pl.DataFrame(
            [{"source": "code", "author": a, "subject_id": s, "technique": t, "seen_at": SEEN} for a, s, t in rows]
        ).with_columns(pl.col("seen_at").dt.replace_time_zone(None))

    rows = [("a", "a/1", "lora"), ("a", "a/1", "ia3"), ("b", "b/1", "lora"), ("c", "c/1", "lora")]
    made = by_id(estimated(frames(subjects(), imports_files=pairs(*rows), imports_repositories=pairs(*rows)), REGISTRY))
    files, repositories = made["code/files/imports_files/lora"], made["code/repositories/imports_repositories/lora"]
    assert (files.share, files.total) == (3 / 4, 4)
    assert (repositories.share, repositories.total) == (pytest.approx(2.5 / 3), 3)
    assert repositories.caveat is not None
    assert "no probability sample" in repositories.caveat


def sampled(*rows: Mapping[str, Any], frame: Mapping[str, int], owned: Mapping[tuple[str, str], int]) -> list[Record]:
    items = subjects(*[{"source": "hub", "config_status": "ok"} | dict(row) for row in rows])
    strata = pl.DataFrame([{"source": "hub", "stratum": h, "frame_size": size} for h, size in frame.items()])
    owners = pl.DataFrame(
        [{"source": "hub", "author": a, "stratum": h, "repositories": n} for (a, h), n in owned.items()]
    )
    return estimated(frames(items, strata=strata, author_frame=owners), REGISTRY)


def test_a_sample_is_weighted_to_its_frame() -> None:
    rows = [uses("a", "lora", stratum="tagged", weight=100.0), uses("b", "lora", stratum="tagged", weight=100.0)]
    rows += [uses("c", "ia3", stratum="untagged", weight=10.0), uses("d", "lora", stratum="untagged", weight=10.0)]
    owned = {("a", "tagged"): 1, ("b", "tagged"): 1, ("c", "untagged"): 1, ("d", "untagged"): 3}
    made = by_id(sampled(*rows, frame={"tagged": 200, "untagged": 20}, owned=owned))
    assert made["hub/repositories/evidence/ia3"].share == pytest.approx(10 / 220)
    # d has two more that were not read; all that was read of the stratum were adapters, so the vote is a third
    assert made["hub/authors/evidence/ia3"].share == pytest.approx(10 / (200 + 10 + 10 / 3))
    assert "design-weighted" in made["hub/repositories/evidence/ia3"].method


def test_a_stratum_without_a_sample_is_unseen_and_said_so() -> None:
    rows = [uses(f"a{n}", "lora" if n else "ia3", stratum="read", weight=1.0) for n in range(100)]
    owned = {(f"a{n}", "read"): 1 for n in range(100)}
    made = by_id(sampled(*rows, frame={"read": 100, "unread": 300}, owned=owned))["hub/repositories/evidence/lora"]
    assert made.share == pytest.approx(0.99)
    assert made.outer_low is not None
    assert made.outer_low < 99 / 400
    assert made.caveat is not None
    assert "300 repositories" in made.caveat


def reasons(made: list[Record]) -> dict[tuple[str, str], str]:
    return {(skipped.measure, skipped.rule): skipped.reason for skipped in made if isinstance(skipped, NotEstimated)}


def test_what_cannot_be_estimated_is_said() -> None:
    assert estimated(frames(subjects()), REGISTRY) == []
    nothing = estimated(frames(subjects({"author": "a"}, {"author": "b"})), REGISTRY)
    assert by_id(nothing) == {}
    assert "nothing here" in reasons(nothing)["repositories", "evidence"]
    assert "exactly one" in reasons(nothing)["repositories", "blog"]
    unknown = estimated(frames(subjects(uses(None, "lora", downloads=0), uses(None, "ia3"))), REGISTRY)
    assert reasons(unknown)["authors", "evidence"] == "no author is known"
    assert "downloads" in reasons(unknown)["downloads", "evidence"]
    assert by_id(unknown)["dump/repositories/evidence/lora"].low is not None, "items of unknown authors are their own"
    alone = by_id(estimated(frames(subjects(uses("a", "lora"), uses("a", "ia3"))), REGISTRY))
    one = alone["dump/repositories/evidence/lora"]
    assert (one.share, one.low, one.effective_size) == (0.5, None, None)
    assert one.caveat is not None
    assert "single author" in one.caveat


ROWS = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["hub", "dump", "civitai"]),
        "author": st.sampled_from(["a", "b", "c", None]),
        "downloads": st.sampled_from([None, 0, 1, 10**9]),
        "state": st.sampled_from(["used", "unknown_adapter", "merged", "none"]),
        "techniques": st.lists(st.sampled_from(["lora", "ia3", "other:X"]), unique=True),
        "overlays": st.lists(st.sampled_from(["dora", "rslora"]), unique=True),
        "blog_technique": st.sampled_from([None, "lora", "ia3"]),
        "card_status": st.sampled_from([None, "ok", "missing", "gated"]),
        "config_status": st.sampled_from([None, "ok", "failed"]),
        "site_type": st.sampled_from([None, "LORA", "LoCon", "VAE"]),
        "stratum": st.sampled_from(["x", "y"]),
    }
)


LACKS = st.lists(
    st.fixed_dictionaries(
        {"author": st.sampled_from(["a", "z", None]), "downloads": st.sampled_from([None, 0, -3, 2**62])}
    ),
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, max_size=12), st.sampled_from([0, 1, 5, 10**11]), st.integers(0, 3), LACKS)
def test_no_input_gives_a_number_that_is_none(
    rows: list[dict[str, Any]], unread: int, elsewhere: int, lacking: list[dict[str, Any]]
) -> None:
    items = subjects(*rows)
    counts = items.filter(pl.col("source") == "hub").group_by("source", "stratum").len("read")
    strata = counts.select("source", "stratum", frame_size=pl.col("read").cast(pl.Int64) + unread)
    if elsewhere and strata.height:
        strata.extend(
            pl.DataFrame([{"source": "hub", "stratum": "of which nothing was read", "frame_size": elsewhere}])
        )
    owned = items.filter(pl.col("source") == "hub").drop_nulls("author").group_by("source", "author", "stratum").len()
    owned = owned.select("source", "author", "stratum", repositories=pl.col("len").cast(pl.Int64) + unread)
    items = items.join(counts, on=["source", "stratum"], how="left").with_columns(
        weight=(pl.col("read") + unread).fill_null(1) / pl.col("read").fill_null(1)
    )
    lacks = pl.DataFrame(
        [{"source": "dump", "subject_id": f"l/{n}"} | row for n, row in enumerate(lacking)],
        schema={"source": pl.String, "subject_id": pl.String, "author": pl.String, "downloads": pl.Int64},
    )
    everything = frames(items.drop("read"), strata=strata, author_frame=owned, dump_lacks=lacks)
    records = estimated(everything, REGISTRY)
    made = [row for row in records if isinstance(row, Estimate | FamilyEstimate)]
    sums: dict[tuple[str, str, str], float] = {}
    for row in made:
        numbers = [row.count, row.total, row.share, row.low, row.high, row.outer_low, row.outer_high]
        numbers += [row.effective_size, row.design_effect]
        assert all(number is None or math.isfinite(number) for number in numbers), row
        assert row.share is not None
        assert -1e-9 <= row.share <= 1 + 1e-9
        if row.low is not None and row.high is not None:
            assert 0 <= row.low <= row.share + 1e-9
            assert row.share <= row.high + 1e-9
            assert row.high <= 1
            if row.outer_low is not None and row.outer_high is not None:
                assert 0 <= row.outer_low <= row.low
                assert row.high <= row.outer_high <= 1
            if row.rule in ("evidence", "overlay"):
                assert row.outer_low is not None, "nothing is said of what was not seen"
        if row.rule == "evidence":
            key = (type(row).__name__, row.source, row.measure)
            sums[key] = sums.get(key, 0.0) + row.share
    assert all(total == pytest.approx(1) for total in sums.values())
    assert len({row.estimate_id for row in made}) == len(made)
