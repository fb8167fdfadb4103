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
from scipy.stats import binomtest

from hubstats.errors import QueryError
from hubstats.estimate import Design, add_intervals, estimate_shares, population, wilson_interval
from hubstats.estimate.survey import _Population
from hubstats.queries import Query
from hubstats.records import Estimate, NotEstimated, Record
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


def variance_by_loops(plan: Design, size: list[float], part: list[float]) -> float:
    """Both variances of hubstats.estimate.survey's text, item by item."""
    items = range(len(size))
    weight = [float(w) for w in plan.weight]
    total = sum(weight[i] * size[i] for i in items)
    share = sum(weight[i] * part[i] for i in items) / total
    u = [(part[i] - share * size[i]) / total for i in items]
    sampling = 0.0
    for h, (drawn, fraction) in enumerate(zip(plan.drawn, plan.fraction, strict=True)):
        if drawn < 2:
            continue
        values = [weight[i] * u[i] for i in items if plan.stratum[i] == h]
        values += [0.0] * (int(drawn) - len(values))
        mean = sum(values) / drawn
        sampling += (1 - fraction) * drawn / (drawn - 1) * sum((value - mean) ** 2 for value in values)
    authors = sorted(set(plan.cluster.tolist()))
    clustered = sum(sum(weight[i] * u[i] for i in items if plan.cluster[i] == a) ** 2 for a in authors)
    clustered *= len(authors) / (len(authors) - 1)
    return sampling + max(clustered - sum(weight[i] * (weight[i] - 1) * u[i] ** 2 for i in items), 0.0)


def test_variance_equals_the_formula_item_by_item() -> None:
    plan = design([0, 0, 0, 0, 1, 1, 1], [0, 0, 1, 2, 2, 3, 3], {0: 40, 1: 6}, others={0: 2})
    size = [1.0, 2.0, 1.0, 1.0, 3.0, 1.0, 1.0]
    part = [1.0, 0.0, 1.0, 0.5, 3.0, 0.0, 0.0]
    population = _Population(plan, np.array(size), 0.0, 0.95, "authors")
    ratio = population.ratio(np.array(part))
    # weights 40/6 and 6/3: 2.5 * 40/6 + 3 * 2 of 5 * 40/6 + 5 * 2
    assert ratio.share == pytest.approx((2.5 * 40 / 6 + 6) / (5 * 40 / 6 + 10))
    variance = population._variance((np.array(part) - ratio.share * np.array(size)) / population.total)[0]
    assert variance == pytest.approx(variance_by_loops(plan, size, part), rel=1e-12)
    assert ratio.effective_size == pytest.approx(ratio.share * (1 - ratio.share) / variance)


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
    three = wilson_interval([0], [3]).row(0)
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
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=12), st.integers(0, 5))
def test_no_input_gives_a_number_that_is_none(rows: list[dict[str, Any]], unread: int) -> None:
    items = subjects(*rows)
    counts = items.filter(pl.col("source") == "hub").group_by("source", "stratum").len("read")
    strata = counts.select("source", "stratum", frame_size=pl.col("read").cast(pl.Int64) + unread)
    items = items.join(counts, on=["source", "stratum"], how="left").with_columns(
        weight=(pl.col("read") + unread).fill_null(1) / pl.col("read").fill_null(1)
    )
    made = list(by_id(estimated(frames(items.drop("read"), strata=strata), REGISTRY)).values())
    sums: dict[tuple[str, str], float] = {}
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
        if row.rule == "evidence":
            sums[row.source, row.measure] = sums.get((row.source, row.measure), 0.0) + row.share
    assert all(total == pytest.approx(1) for total in sums.values())
    assert len({row.estimate_id for row in made}) == len(made)
