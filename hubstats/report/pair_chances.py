"""How probably each run would be on the frontier of two costs, if all runs were made again.

The frontier of the score and a cost is estimated with the figures and stands in the table frontier; this is the same
for the other pairs of axes that a reader may choose, by the same drawing: memory and time scatter as repetitions did,
checkpoints and parameters do not. Where neither of two scatters, being on the frontier is no matter of chance.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING

from hubstats.estimate.frontier import FEWER_DRAWS, probabilities
from hubstats.estimate.runs import SCATTERING, Contest, contests, judged, scatter

if TYPE_CHECKING:
    import polars

DRAWS = FEWER_DRAWS
MOST = 1_000
"""Runs of a contest above which it is not drawn."""


def pair_name(one: str, other: str) -> str:
    """Name of a pair of costs, whichever is named first."""
    return "+".join(sorted((one, other)))


def pair_chances(runs: polars.DataFrame, costs: Iterable[str]) -> dict[str, dict[str, float]]:
    """Run id -> pair -> probability, from the rows that the estimates are made of; nothing where none was repeated."""
    found: dict[str, dict[str, float]] = {}
    if not runs.height:
        return found
    for contest in contests(judged(runs)):
        if contest.frame.height > MOST:
            continue
        for one, other in combinations(costs, 2):
            for run, chance in _drawn(contest, one, other):
                found.setdefault(run, {})[pair_name(one, other)] = chance
    return found


def _drawn(contest: Contest, one: str, other: str) -> Iterable[tuple[str, float]]:
    import numpy as np
    import polars as pl

    if one not in SCATTERING:
        one, other = other, one
    spread = scatter(contest, one)
    rows = contest.frame.filter(pl.col(one) > 0, pl.col(other) > 0)
    if spread is None or not rows.height:
        return []
    # The first cost plays the score: less of its logarithm is better, and it scatters about what was measured.
    worth = -np.log(rows[one].to_numpy())
    errors = np.full(worth.size, float(np.sqrt(np.mean(spread**2))))
    chances = probabilities(
        worth - worth.mean(),
        errors,
        rows[other].to_numpy().astype(float),
        scatter(contest, other),
        (-np.inf, np.inf),
        DRAWS,
        zlib.crc32(f"{contest.name}/{pair_name(one, other)}".encode()),
    )
    return zip(rows["run_id"].to_list(), map(float, chances), strict=True)
