"""Which runs no other beats on score and cost at once, and how sure that is.

A run is on the frontier when no other of its contest (origin, task, base model) is at least as good in score and cost
and better in one: runs level in both are both on it. That is the rule of the PEFT project's own comparison
(method_comparison/processing.py); tests/peft_frontier.json has its answers on its own files.

`probability` says how often the run would be on it if all runs were made again: a parametric bootstrap (Efron and
Tibshirani 1993, An Introduction to the Bootstrap, chapter 6) of DRAWS repetitions, seeded,

    score = score + N(0, variance of its questions + re-run variance)    cut at what the score can be
    cost  = cost * exp(one of the differences between repetitions)       memory and time, see runs.scatter

It takes today's scores as the truth, so runs that lead by luck keep that lead: read a low probability as "chance may
have put it there", not a high one as proof. The Monte-Carlo standard error is sqrt(p (1 - p) / draws) at
p = (hits + 1) / (draws + 2), so never 0.

One sort a draw makes it n log n; runs that stand REACH standard errors and the whole scatter of cost behind another are
not drawn, which moves no probability by more than 1e-5.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hubstats.estimate.runs import COSTS, SCATTERING, Contest, scatter
from hubstats.records import Frontier, NotEstimated, Record

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

DRAWS = 10_000
FEWER_DRAWS = 2_000
MANY = 200
"""Runs above which FEWER_DRAWS are made."""

REACH = 4.5
HAIR = 4e-6
BLOCK = 1_000_000
"""Drawn numbers held at once."""

LIMITS = {"test_accuracy": (0.0, 1.0), "similarity": (-1.0, 1.0), "token_accuracy": (0.0, 1.0)}


def of_contest(contest: Contest) -> Iterator[Record]:
    """The Frontier records of one contest, costs in the order of COSTS, the best score first."""
    if contest.pooled_sd is None:
        why = "no experiment was repeated: the probability of being on the frontier cannot be said"
        yield NotEstimated(contest.origin, contest.measure, "frontier_probability", why)
    for cost in COSTS:
        rows = contest.frame.drop_nulls(cost)
        if not rows.height:
            continue
        scores, costs = rows["score"].to_numpy(), rows[cost].to_numpy()
        on = frontier(scores, costs)
        chances: list[float] | None = None
        draws = DRAWS if rows.height <= MANY else FEWER_DRAWS
        scattered = scatter(contest, cost)
        if contest.pooled_sd is not None:
            seed = zlib.crc32(f"{contest.name}/{cost}".encode())
            errors = rows["variance"].sqrt().to_numpy()
            limits = LIMITS[contest.metric]
            chances = list(map(float, probabilities(scores, errors, costs, scattered, limits, draws, seed)))
        for place, row in enumerate(rows.iter_rows(named=True)):
            chance = None if chances is None else chances[place]
            yield _record(contest, cost, row, bool(on[place]), chance, draws, rows.height, scattered is not None)


def frontier(scores: Floats, costs: Floats) -> Flags:
    """Whether no other point has a score at least as high and a cost at most as high, and one of them better."""
    import numpy as np

    order = np.lexsort((-scores, costs))
    score, cost = scores[order], costs[order]
    starts = np.flatnonzero(np.r_[True, cost[1:] != cost[:-1]])
    group = np.repeat(np.arange(starts.size), np.diff(np.r_[starts, cost.size]))
    top = score[starts]
    cheaper = np.r_[-np.inf, np.maximum.accumulate(top)[:-1]]
    on = np.empty(scores.size, dtype=bool)
    on[order] = (score == top[group]) & (score > cheaper[group])
    return on


def probabilities(
    scores: Floats,
    errors: Floats,
    costs: Floats,
    scattered: Floats | None,
    limits: tuple[float, float] = (0.0, 1.0),
    draws: int = DRAWS,
    seed: int = 0,
) -> Floats:
    """Part of the draws in which each point is on the frontier. The same arguments give the same answer.

    `errors` are standard errors of the scores; `scattered` holds differences of the logarithm of cost, one of which
    is drawn for each point and draw; None: costs are exact, and may then be of any sign.
    """
    import numpy as np

    if scattered is not None and not np.any(scattered):
        scattered = None
    kept = np.flatnonzero(_within_reach(scores, errors, costs, scattered))
    hits = np.zeros(scores.size)
    if not kept.size:
        return hits
    # In order of cost; where costs do not move, the groups of equal cost stay what they are in every draw.
    kept = kept[np.argsort(costs[kept], kind="stable")]
    score, error = scores[kept].astype(np.float32), errors[kept].astype(np.float32)
    starts = np.flatnonzero(np.r_[True, np.diff(costs[kept]) != 0])
    group = np.repeat(np.arange(starts.size), np.diff(np.r_[starts, kept.size]))
    generator = np.random.default_rng(seed)
    found = np.zeros(kept.size)
    step = max(1, BLOCK // kept.size)
    for begin in range(0, draws, step):
        shape = (min(step, draws - begin), kept.size)
        drawn = np.clip(score + error * generator.standard_normal(shape, dtype=np.float32), *limits)
        if scattered is None:
            top = np.maximum.reduceat(drawn, starts, axis=1)
            cheaper = np.full_like(top, -np.inf)
            np.maximum.accumulate(top[:, :-1], axis=1, out=cheaper[:, 1:])
            found += ((drawn == top[:, group]) & (drawn > cheaper[:, group])).sum(axis=0)
            continue
        # Centred, so that single precision keeps a difference of 1e-6; and a hair's breadth beside, so that of two
        # costs that came out level it is chance which is the lower.
        moved = (np.log(costs[kept]) - np.log(costs[kept]).mean()).astype(np.float32)
        moved = moved + scattered.astype(np.float32)[generator.integers(0, scattered.size, shape)]
        order = np.argsort(moved + np.float32(HAIR) * generator.random(shape, dtype=np.float32), axis=1)
        along = np.take_along_axis(drawn, order, axis=1)
        ahead = np.ones_like(along, dtype=bool)
        ahead[:, 1:] = along[:, 1:] > np.maximum.accumulate(along, axis=1)[:, :-1]
        found += np.bincount(order[ahead], minlength=kept.size)
    hits[kept] = found / draws
    return hits


def _within_reach(scores: Floats, errors: Floats, costs: Floats, scattered: Floats | None) -> Flags:
    """Whether nobody beats a point even when its draws are as lucky, and the other's as unlucky, as they come."""
    import numpy as np

    if scattered is None:
        dear, cheap = costs, costs
    else:
        dear, cheap = np.log(costs) + scattered.max() + 2 * HAIR, np.log(costs) + scattered.min() - 2 * HAIR
    high, low = scores + REACH * errors, scores - REACH * errors
    # The best sure score among those surely cheaper than each.
    order = np.argsort(dear, kind="stable")
    best = np.r_[-np.inf, np.maximum.accumulate(low[order])]
    surely_cheaper = np.searchsorted(dear[order], cheap, side="left")
    return np.asarray(best[surely_cheaper] <= high, dtype=bool)


def _record(
    contest: Contest,
    cost: str,
    row: Mapping[str, Any],
    on: bool,
    chance: float | None,
    draws: int,
    runs: int,
    scattered: bool,
) -> Frontier:
    error = None
    if chance is not None:
        smoothed = (chance * draws + 1) / (draws + 2)
        error = (smoothed * (1 - smoothed) / draws) ** 0.5
    as_of = row["as_of"]
    return Frontier(
        frontier_id=f"frontier/{cost}/{row['run_id']}",
        origin=contest.origin,
        task=contest.task,
        model_id=contest.model_id,
        metric=contest.metric,
        cost_metric=cost,
        run_id=row["run_id"],
        experiment=row["experiment"],
        technique=row["technique"],
        variant=row["variant"],
        score=row["score"],
        cost=row[cost],
        cost_unit=COSTS[cost],
        on_frontier=on,
        probability=chance,
        probability_error=error,
        draws=draws if chance is not None else 0,
        runs=runs,
        method=f"no other of {runs} runs at least as good in {contest.metric} and {cost} and better in one"
        + (f"; probability: parametric bootstrap, {draws:,} seeded draws" if chance is not None else ""),
        as_of=as_of.replace(tzinfo=UTC) if isinstance(as_of, datetime) else None,
        caveat=_caveat(contest, cost, scattered),
    )


def _caveat(contest: Contest, cost: str, scattered: bool) -> str:
    if contest.pooled_sd is None:
        return "nothing was repeated, so the probability is not known"
    words = "one setting a run: another learning rate may move it further than chance does"
    if cost in SCATTERING and not scattered:
        return f"{words}; {cost} taken as exact: its repetitions are too few"
    return words if scattered else f"{words}; {cost} taken as exact"
