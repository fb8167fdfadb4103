"""What an author's vote is worth on each of their items: exact where all was read, without bias where not."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, betabinom

from hubstats.estimate.author_votes import author_votes, expected_inverse

NO_FRAME = pl.DataFrame(schema={"author": pl.String, "stratum": pl.String, "repositories": pl.Int64})


def test_what_was_all_read_is_split_exactly() -> None:
    items = pl.DataFrame({"author": ["a", "a", "a", "b", None, "c"], "stratum": ["x", "y", "x", "x", "x", "y"]})
    within = np.array([True, True, True, True, True, False])
    assert author_votes(items, within, NO_FRAME).tolist() == [1 / 3, 1 / 3, 1 / 3, 1, 0, 0]
    frame = pl.DataFrame(
        {"author": ["a", "a", "b", "c"], "stratum": ["x", "y", "x", "y"], "repositories": [2, 1, 1, 1]}
    )
    assert author_votes(items, within, frame) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1, 0, 0])


def test_unread_repositories_count_as_those_read_suggest() -> None:
    # everything read of stratum x belongs to the population, so all 9 unread of author a do too
    items = pl.DataFrame({"author": ["a", "b", "c"], "stratum": ["x", "x", "y"]})
    frame = pl.DataFrame({"author": ["a", "a", "c"], "stratum": ["x", "unread", "y"], "repositories": [10, 500, 7]})
    votes = author_votes(items, np.array([True, True, False]), frame)
    assert votes == pytest.approx([1 / 10, 1, 0])


def test_expected_inverse_of_a_beta_binomial() -> None:
    # k + X for one stratum: the sum over the beta-binomial itself, against its continuous stand-in
    for seen, unread, a, b in ((1, 40, 2.0, 3.0), (3, 500, 1.2, 0.4), (1, 299, 1.01, 0.99)):
        law = betabinom(unread, a, b)
        exact = sum(law.pmf(x) / (seen + x) for x in range(unread + 1))
        made = expected_inverse(*(np.array([float(v)]) for v in (seen, unread, law.mean(), law.var())))[0]
        assert made == pytest.approx(exact, rel=0.1)
        assert made > 1.05 / (seen + law.mean()), "one over the expected number is too small, and noticeably"


def test_continued_fraction_equals_the_integral() -> None:
    for seen, unread, a, b in ((1.0, 10.0, 0.5, 0.5), (2.0, 1000.0, 2.0, 7.0), (5.0, 3000.0, 40.0, 0.3)):
        law = beta(a, b)
        # over quantiles: the density itself has no bound
        exact = quad(lambda q: 1 / (seen + unread * law.ppf(q)), 0, 1, limit=200)[0]  # noqa: B023
        made = expected_inverse(*(np.array([v]) for v in (seen, unread, unread * law.mean(), unread**2 * law.var())))[0]
        assert made == pytest.approx(exact, rel=2e-3)


@settings(max_examples=200, deadline=None)
@given(st.floats(1, 1e4), st.floats(0, 1e9), st.floats(0, 1), st.floats(0, 1))
def test_expected_inverse_stays_between_its_bounds(seen: float, unread: float, part: float, spread: float) -> None:
    mean, variance = unread * part, unread**2 * part * (1 - part) * spread
    made = expected_inverse(*(np.array([v]) for v in (seen, unread, mean, variance)))[0]
    assert math.isfinite(made)
    assert 1 / (seen + mean) * (1 - 1e-9) <= made <= ((1 - part) / seen + part / (seen + unread)) * (1 + 1e-9)


# --- simulation: the share of votes from a sample ------------------------------------------------------------------


def hub(rng: np.random.Generator, alike: bool) -> pl.DataFrame:
    """A frame of two strata, one nearly all adapters and one with few; `alike`: authors differ only by chance."""
    authors = 1500
    parts = []
    for stratum, rate in (("adapters", 0.9), ("rest", 0.1)):
        sizes = np.minimum(np.floor(rng.pareto(1.1, authors)), 400).astype(int)
        own = np.full(authors, rate) if alike else rng.beta(rate * 0.5, (1 - rate) * 0.5, authors)
        author = np.repeat(np.arange(authors), sizes)
        parts.append(
            pl.DataFrame({"author": author, "stratum": stratum, "within": rng.random(len(author)) < own[author]})
        )
    frame = pl.concat(parts)
    # prolific authors prefer the technique, so that shares of repositories and of authors differ
    number = frame.group_by("author").agg(pl.len().alias("n")).sort("author")
    taste = dict(zip(number["author"], rng.beta(1 + np.log(number["n"]), 2), strict=True))
    likes = np.array([taste[a] for a in frame["author"]])
    return frame.with_columns(pl.col("author").cast(pl.String), uses=pl.Series(rng.random(len(likes)) < likes))


@pytest.mark.parametrize("alike", [False, True])
def test_the_share_of_votes_is_nearly_without_bias(alike: bool) -> None:
    rng = np.random.default_rng(11)
    frame = hub(rng, alike)
    owned = frame.group_by("author", "stratum").agg(pl.len().cast(pl.Int64).alias("repositories"))
    voters = frame.filter("within").with_columns(vote=1 / pl.len().over("author"))
    truth = voters.filter("uses")["vote"].sum() / voters["vote"].sum()
    votes_in_all = voters["vote"].sum()
    strata = {name: group for (name,), group in frame.group_by("stratum", maintain_order=True)}
    shares, totals = [], []
    for replication in range(150):
        drawn = pl.concat(
            group.sample(400, seed=replication).with_columns(weight=pl.lit(group.height / 400))
            for group in strata.values()
        )
        voted = drawn.with_columns(
            vote=pl.col("weight") * pl.Series(author_votes(drawn, drawn["within"].to_numpy(), owned))
        )
        totals.append(voted["vote"].sum())
        shares.append(voted.filter("uses")["vote"].sum() / totals[-1])
    unweighted = frame.filter("within")["uses"].mean()
    bias = (float(np.mean(shares)) - truth) / float(np.std(shares))
    # 150 replications: standard error 0.08 of the sampling error
    assert abs(bias) < 0.3, "the bias should be small against the sampling error"
    assert np.mean(totals) == pytest.approx(votes_in_all, rel=0.04), "as many votes as there are authors"
    assert abs(unweighted - truth) > 4 * abs(np.mean(shares) - truth), "or the simulation is too easy"
