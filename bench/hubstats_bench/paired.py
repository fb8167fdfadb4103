"""How sure a difference between two techniques is, from their outcomes on the same questions.

Two things make a difference uncertain, and both count:

    questions   the test is a sample. Each question's difference, averaged over seeds first, is one observation:
                answers of one technique to one question under several seeds are not independent.
    seeds       another seed trains another model: s^2 / seeds for either side, s between the means of its runs.

    error^2 = var(differences) / questions + s_a^2 / seeds_a + s_b^2 / seeds_b

with Satterthwaite's degrees of freedom (1946, Biometrics Bulletin 2:110-114). Three seeds say little about s, so it is
pooled over all techniques that are compared: sum of (seeds - 1) s^2 / sum of (seeds - 1). A technique that scatters
more keeps its own. What seeds do to single questions is in both parts, and seeds are not paired though both techniques
may read the same rows: each errs on the safe side. Where nothing has two seeds the second part is not known, and the
test speaks of the two trained models only.

Right and wrong answers are tested exactly besides, and the larger p counts. Under the null hypothesis each question's
difference is as likely to favour one side as the other, so the p value is the share of all 2^n signs that give as
large a total. With one seed each that is McNemar's exact test (1947, Psychometrika 12:153-157); with several it is the
same with a question as the unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
"""One row a seed, one column a question."""
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Scatter:
    """How much the means of runs vary between seeds, pooled over techniques."""

    variance: float
    degrees: int


@dataclass(frozen=True, slots=True)
class Difference:
    """a minus b."""

    mean: float
    error: float
    """Standard error."""
    degrees: float
    low: float
    """95%, of this difference alone."""
    high: float
    p: float
    """Two-sided, of this difference alone."""
    seeds_known: bool
    """Whether the scatter between seeds is in it."""


def scatter(tables: Iterable[Floats]) -> Scatter | None:
    """The pooled scatter between seeds; None when no table has two."""
    repeated = [(table.mean(axis=1), len(table) - 1) for table in tables if len(table) > 1]
    degrees = sum(known for _, known in repeated)
    if not degrees:
        return None
    return Scatter(sum(known * float(means.var(ddof=1)) for means, known in repeated) / degrees, degrees)


def difference(
    a: Floats, b: Floats, between: Scatter | None, *, marks: bool, trained: tuple[bool, bool] = (True, True)
) -> Difference:
    """How `a` and `b` differ on the questions that are their columns.

    `between` is the scatter between seeds. `marks`: the values are 1 for right and 0 for wrong. `trained`: a model
    that was not is the same under every seed. Raises ValueError with fewer than two questions, or other ones on
    either side.
    """
    from scipy.special import stdtr, stdtrit

    if a.shape[1] != b.shape[1] or a.shape[1] < 2:
        raise ValueError(f"{a.shape[1]} and {b.shape[1]} questions: two or more are needed, the same on both sides")
    each = a.mean(axis=0) - b.mean(axis=0)
    parts = [(float(each.var(ddof=1)) / len(each), len(each) - 1)]
    if between is not None:
        sides = [side for side, varies in zip((a, b), trained, strict=True) if varies]
        own = [float(side.mean(axis=1).var(ddof=1)) if len(side) > 1 else 0.0 for side in sides]
        seeds = sum(max(between.variance, each) / len(side) for side, each in zip(sides, own, strict=True))
        parts.append((seeds, between.degrees))
    mean, variance = float(each.mean()), sum(part for part, _ in parts)
    error = math.sqrt(variance)
    if variance > 0:
        degrees = variance**2 / sum(part**2 / known for part, known in parts)
        p = 2 * float(stdtr(degrees, -abs(mean) / error))
        reach = float(stdtrit(degrees, 1 - LEVEL / 2)) * error
    else:
        degrees, p, reach = float(len(each) - 1), float(mean == 0), 0.0
    if marks:
        p = max(p, exact(_totals(a, b))) if len(a) > 1 or len(b) > 1 else exact(_totals(a, b))
    return Difference(mean, error, degrees, mean - reach, mean + reach, p, between is not None or not any(trained))


def _totals(a: Floats, b: Floats) -> list[int]:
    """Each question's difference as a whole number, on a scale common to all questions."""
    totals = np.rint(a.sum(axis=0) * len(b) - b.sum(axis=0) * len(a)).astype(int)
    return [int(total) for total in totals // max(1, int(np.gcd.reduce(totals)))]


def exact(differences: Sequence[int]) -> float:
    """The share of all ways of choosing signs that give a total as far from 0 as the one seen, or further."""
    from scipy.stats import binom

    sizes = np.abs([each for each in differences if each])
    chance = np.ones(1)
    for size in np.unique(sizes):
        count = int((sizes == size).sum())
        steps = np.zeros(2 * count * int(size) + 1)
        steps[:: 2 * int(size)] = binom.pmf(np.arange(count + 1), count, 0.5)
        chance = np.convolve(chance, steps)
    totals = np.arange(len(chance)) - len(chance) // 2
    return min(1.0, float(chance[np.abs(totals) >= abs(sum(differences))].sum()))


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted for their number, by Holm's step-down method (1979, Scandinavian J. of Statistics 6:65-70).

    Rejecting what is at most 0.05 wrongly rejects anything at all with a probability of at most 5%, whatever the
    dependence. scipy has no such function; statsmodels has, and would be a dependency for these five lines.
    """
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, number in enumerate(sorted(range(len(p)), key=lambda number: p[number])):
        largest = max(largest, min(1.0, p[number] * (len(p) - rank)))
        adjusted[number] = largest
    return adjusted
