"""Shares from a stratified sample whose items belong to authors: weights, variance, interval.

One share is a ratio R = sum(w b) / sum(w a) over the sampled items: w is the design weight, a the size of an item
(1, its downloads, or its part of the author's vote; 0 outside the population) and b the part of `a` that goes to
the technique. Dividing by the estimated total is Hajek's estimator (Saerndal, Swensson and Wretman 1992,
Model Assisted Survey Sampling, ch. 5.7), and its linearised residuals are u = (b - R a) / sum(w a) (ch. 5.5).

Two things make R uncertain, and their variances add (Korn and Graubard 1998, Variance estimation for
superpopulation parameters, Statistica Sinica 8:1131-1151):

* only a sample of the frame was read. Simple random sampling within strata h, f = n / N:
      sum over h of (1 - f) n / (n - 1) * sum over h of (w u - mean)^2                          (SSW 1992, ch. 3.7)
* the frame itself came from authors who upload in series, so that 1,000 repositories of one author are not 1,000
  opinions. With authors as the ultimate clusters (Lumley 2010, Complex Surveys, ch. 2), the squared
  sum over an author's repositories in the frame is estimated without bias by
      m / (m - 1) * sum over authors of (sum of w u)^2   -   sum of w (w - 1) u^2,
  the first term being the usual cluster variance, the second the part of it that is sampling and is in the line above.

Authors are not nested in strata, so their sums run across strata: cluster sums taken stratum by stratum would
lose what an author's repositories in two strata have in common. With everything read (w = 1) only the clusters
remain; with one repository an author and a small sample only the strata do.

The interval is Wilson's on the effective size R (1 - R) / variance, times (z / t)^2 for the degrees of freedom the
variance has (Korn and Graubard 1998, Confidence intervals for proportions with small expected number of positive
counts, Survey Methodology 24:193-201), those by Satterthwaite (1946). At R = 0 or 1 no variance can be estimated, and
the effective size is Kish's for whole authors: (sum W)^2 / sum W^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

Target = Literal["authors", "frame"]
"""What the interval speaks of. authors: the habits of the authors behind the frame (what a new frame would show too).
frame: the very repositories listed; nothing is uncertain once all are read."""


@dataclass(frozen=True, slots=True)
class Design:
    """How the items were drawn: one entry an item, codes from 0."""

    weight: Floats
    cluster: Integers
    """Author of the item; items of unknown authors each have a code of their own."""
    stratum: Integers
    drawn: Floats
    """Items read per stratum, those outside the population included."""
    fraction: Floats
    """Part of each stratum that was read; 1 where the items are all there is."""


@dataclass(frozen=True, slots=True)
class Share:
    """One estimated share; what cannot be said is None."""

    count: float
    total: float
    share: float
    low: float | None
    high: float | None
    outer_low: float | None
    outer_high: float | None
    effective_size: float | None
    design_effect: float | None


@dataclass(frozen=True, slots=True)
class _Ratio:
    count: float
    share: float
    effective_size: float | None
    usable_size: float | None
    """The effective size after the loss for few degrees of freedom: what the interval is made of."""


def estimate_shares(
    design: Design,
    size: Floats,
    votes: Mapping[str, tuple[Integers, Floats]],
    *,
    outer_size: Floats | None = None,
    unread: float = 0.0,
    confidence: float = 0.95,
    target: Target = "authors",
) -> dict[str, Share]:
    """The share of each technique; empty when the population is.

    `size` is a of the module's text. `votes` gives for each technique the items that use it and the part of the
    item that goes to it, so that parts sum to 1 over the techniques of an item. `outer_size` is the size with
    the items that could not be seen counted in; with it come outer intervals: the worst cases in which none, or
    all, of the unseen use the technique (Horowitz and Manski 2000, JASA 95:77-84), each with its own sampling error.
    `unread` items of the frame have no sampled one to stand for them and count as unseen.
    """
    import numpy as np

    if not (size > 0).any():
        return {}
    inner = _Population(design, size, 0.0, confidence, target)
    ratios = [inner.ratio(_spread(use, size)) for use in votes.values()]
    bounds = inner.intervals(ratios)
    outer_bounds: list[tuple[float | None, float | None]] = [(None, None)] * len(ratios)
    if outer_size is not None:
        outer = _Population(design, outer_size, unread, confidence, target)
        unseen = np.where(size > 0, 0.0, outer_size)
        least = [outer.ratio(_spread(use, outer_size)) for use in votes.values()]
        most = [outer.ratio(_spread(use, outer_size) + unseen, extra=unread) for use in votes.values()]
        pairs = zip(outer.intervals(least), outer.intervals(most), strict=True)
        outer_bounds = [(lowest, highest) for (lowest, _), (_, highest) in pairs]
    subjects = int((size > 0).sum())
    shares = {}
    for technique, ratio, (low, high), (outer_low, outer_high) in zip(votes, ratios, bounds, outer_bounds, strict=True):
        bounded = low is not None and high is not None
        shares[technique] = Share(
            count=ratio.count,
            total=inner.total,
            share=ratio.share,
            low=low,
            high=high,
            outer_low=min(low, outer_low) if bounded and low is not None and outer_low is not None else None,
            outer_high=max(high, outer_high) if bounded and high is not None and outer_high is not None else None,
            effective_size=ratio.effective_size,
            design_effect=subjects / ratio.effective_size if ratio.effective_size else None,
        )
    return shares


def _spread(use: tuple[Integers, Floats], size: Floats) -> Floats:
    """Amount of each item that goes to a technique: its part times the item's size."""
    import numpy as np

    items, parts = use
    amount = np.zeros_like(size)
    amount[items] = parts * size[items]
    return amount


class _Population:
    """The denominator of many shares, with all that does not depend on the technique."""

    def __init__(self, design: Design, size: Floats, extra: float, confidence: float, target: Target) -> None:
        import numpy as np

        self._within = size > 0
        self._size = size[self._within]
        self._weight = design.weight[self._within]
        self._stratum = design.stratum[self._within]
        authors, self._cluster = np.unique(design.cluster[self._within], return_inverse=True)
        self._clusters = len(authors)
        self._drawn, self._fraction = design.drawn, design.fraction
        self.total = float((self._weight * self._size).sum()) + extra
        # No share can rest on more items than the population has.
        self._most = float((self._weight * (self._size if self._size.max() <= 1 else 1.0)).sum()) + extra
        self._confidence, self._target = confidence, target
        sums = np.bincount(self._cluster, self._weight * self._size)
        self._kish = float(sums.sum() ** 2 / (sums**2).sum())

    def ratio(self, amount: Floats, extra: float = 0.0) -> _Ratio:
        """The share of `amount`, one number an item of the design, in the population's size."""
        from scipy.stats import t

        b = amount[self._within]
        count = float((self._weight * b).sum()) + extra
        share = min(max(count / self.total, 0.0), 1.0)
        variance, freedom = self._variance((b - share * self._size) / self.total)
        if freedom < 1:
            return _Ratio(count, share, None, None)
        # Rounding leaves a share of one technique only a hair below 1.
        if not 1e-12 < share < 1 - 1e-12:
            return _Ratio(count, share, self._kish, self._kish)
        effective = min(share * (1 - share) / variance, self._most) if variance > 0 else self._most
        tail = 0.5 + self._confidence / 2
        loss = float(t.ppf(tail, 1e9) / t.ppf(tail, freedom)) ** 2
        return _Ratio(count, share, effective, effective * loss)

    def intervals(self, ratios: list[_Ratio]) -> list[tuple[float | None, float | None]]:
        """Wilson's interval of each share; (None, None) where its variance is not known."""
        from hubstats.estimate.interval import wilson_interval

        sizes = [ratio.usable_size for ratio in ratios]
        counts = [None if ratio.usable_size is None else ratio.share * ratio.usable_size for ratio in ratios]
        return [(row[1], row[2]) for row in wilson_interval(counts, sizes, self._confidence).iter_rows()]

    def _variance(self, residual: Floats) -> tuple[float, float]:
        """(variance, its degrees of freedom); degrees below 1 where none can be estimated."""
        import numpy as np

        weighted = self._weight * residual
        strata = len(self._drawn)
        squares = np.bincount(self._stratum, weighted**2, strata)
        sums = np.bincount(self._stratum, weighted, strata)
        several = self._drawn > 1
        spread = np.zeros(strata)
        spread[several] = (self._drawn * squares - sums**2)[several] / (self._drawn - 1)[several]
        sampling = float(((1 - self._fraction) * spread).sum())
        if self._target == "frame":
            return max(sampling, 0.0), float((self._drawn - 1)[several].sum())
        if self._clusters < 2:
            return 0.0, 0.0
        cluster_squares = np.bincount(self._cluster, weighted) ** 2
        clustered = float(cluster_squares.sum()) * self._clusters / (self._clusters - 1)
        authors = clustered - float((self._weight * (self._weight - 1) * residual**2).sum())
        fourth = float((cluster_squares**2).sum()) - float(cluster_squares.sum()) ** 2 / self._clusters
        freedom = float(self._clusters - 1)
        if fourth > 0:
            freedom = min(freedom, max(2 * float(cluster_squares.sum()) ** 2 / fourth, 1.0))
        return sampling + max(authors, 0.0), freedom
