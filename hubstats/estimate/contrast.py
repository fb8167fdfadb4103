"""The difference of two shares of the same items: what a change of rule does.

Both shares are ratios over one sample (hubstats.estimate.survey): R1 = sum(w b1) / sum(w a1) by the rule before the
change, R2 by the one after. What moves both cancels: the linearised residual of R2 - R1 is the difference of theirs,
    u = (b2 - R2 a2) / sum(w a2)  -  (b1 - R1 a1) / sum(w a1),
and the variance of R2 - R1 that of sum(w u), under the same strata and author clusters: Taylor linearisation of a
function of several totals (Saerndal, Swensson and Wretman 1992, Model Assisted Survey Sampling, ch. 5.5; Wolter 2007,
Introduction to Variance Estimation, ch. 6). Two shares of separate samples would add their variances; here an item on
which the rules agree adds next to nothing.

The interval is Student's with Satterthwaite's (1946) degrees of freedom, kept within [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubstats.estimate.survey import Design

if TYPE_CHECKING:
    from hubstats.estimate.survey import Booleans, Floats

    Amount = tuple[Floats, Floats]
    """Size of each item by one rule, and how much of it goes to the technique: a and b of the module's text."""

NOTHING = 1e-12
"""A weighted residual below this is rounding: the rules agree on the item."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """R2 - R1, in [-1, 1]; the bounds are None where no variance can be estimated."""

    effect: float
    low: float | None
    high: float | None


def estimate_contrast(design: Design, before: Amount, after: Amount, confidence: float = 0.95) -> Contrast | None:
    """The share after a change of rule less the share before it; None where either rule leaves no item.

    Where the rules agree on every item read, the variance is 0, which is no proof that they agree on all: the interval
    is then plus and minus the upper end of Wilson's for none of n, n being Kish's (1965) effective number of authors.
    """
    import numpy as np
    from scipy.special import stdtrit

    from hubstats.estimate.interval import wilson_interval

    weight = design.weight
    totals = [float((weight * size).sum()) for size, _ in (before, after)]
    if min(totals) <= 0:
        return None
    shares = [
        min(max(float((weight * amount).sum()) / total, 0.0), 1.0)
        for (_, amount), total in zip((before, after), totals, strict=True)
    ]
    u1, u2 = (
        (amount - share * size) / total
        for (size, amount), share, total in zip((before, after), shares, totals, strict=True)
    )
    effect = shares[1] - shares[0]
    residual = u2 - u1
    either = (before[0] > 0) | (after[0] > 0)
    variance, freedom = residual_variance(design, residual, either)
    if freedom < 1:
        return Contrast(effect, None, None)
    if variance <= 0 or float(np.abs(weight * residual).max()) < NOTHING:
        authors = np.bincount(design.cluster, weight * np.maximum(before[0] / totals[0], after[0] / totals[1]))
        half = float(wilson_interval([0], [authors.sum() ** 2 / (authors**2).sum()], confidence)["high"][0])
    else:
        half = float(stdtrit(freedom, 0.5 + confidence / 2)) * variance**0.5
    return Contrast(effect, max(effect - half, -1.0), min(effect + half, 1.0))


def residual_variance(design: Design, residual: Floats, within: Booleans) -> tuple[float, float]:
    """Variance of the weighted sum of any residuals, by the two parts of `survey`'s text, and degrees of freedom."""
    import numpy as np

    weighted = design.weight * residual
    drawn, strata = design.drawn, len(design.drawn)
    squares = np.bincount(design.stratum, weighted**2, strata)
    sums = np.bincount(design.stratum, weighted, strata)
    spread = np.where(drawn > 1, drawn * squares - sums**2, squares) / np.maximum(drawn - 1, 1)
    sampling = float(((1 - np.clip(design.fraction, 0, 1)) * np.maximum(spread, 0)).sum())
    authors = np.flatnonzero(np.bincount(design.cluster[within]))
    clusters = len(authors)
    if clusters < 2:
        return 0.0, 0.0
    cluster_squares = np.bincount(design.cluster, weighted)[authors] ** 2
    together = float(cluster_squares.sum())
    alone = float((design.weight * (design.weight - 1) * residual**2).sum())
    fourth = float((cluster_squares**2).sum()) - together**2 / clusters
    freedom = float(clusters - 1)
    if fourth > 0:
        freedom = min(freedom, max(2 * together**2 / fourth, 1.0))
    variance = sampling + max(together * clusters / (clusters - 1) - alone, 0.0)
    # Residuals that cancel within every author leave rounding, which depends on the order of the rows.
    return (variance if variance > NOTHING**2 else 0.0), freedom
