"""Learning rates: which to try, and how near the best one has to be met.

Rates lie on a grid of half a decade and are rounded to three digits, so that the same ones come out everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

FACTOR = 10**0.5
TOLERANCE = 0.02
"""Nats per token of the held-out answers above the best that still count as near it."""

Scores = Mapping[float, float | None]
"""Learning rate -> held-out answer NLL; None: the trial was lost (it diverged, or did not run)."""


def around(centre: float, count: int) -> list[float]:
    """`count` rates on the grid around `centre`; of an even number one more lies above it than below.

    Usual settings are for long runs, and short ones like larger rates.
    """
    below = (count - 1) // 2
    return [_rounded(centre * FACTOR**step) for step in range(-below, count - below)]


def best(scores: Scores) -> float | None:
    """The rate with the lowest NLL, of equals the smallest; None when every trial was lost."""
    return min(((nll, rate) for rate, nll in scores.items() if nll is not None), default=(0.0, None))[1]


def further(scores: Scores) -> list[float]:
    """Two more rates to try: beyond the edge where the best lies, or else between the best and its neighbours.

    When all were lost they were too large, and the two lie below.
    """
    tried, top = sorted(scores), best(scores)
    if top is None or top == tried[0]:
        return [_rounded(tried[0] / FACTOR), _rounded(tried[0] / FACTOR**2)]
    if top == tried[-1]:
        return [_rounded(top * FACTOR), _rounded(top * FACTOR**2)]
    place = tried.index(top)
    return [_rounded(math.sqrt(top * tried[place + side])) for side in (-1, 1)]


def neighbours(rate: float) -> list[float]:
    """The rate between those half a decade below and above it."""
    return around(rate, 3)


@dataclass(frozen=True, slots=True)
class Band:
    """The learning rates whose NLL is within a tolerance of the best."""

    best: float
    nll: float
    low: float
    high: float
    open_low: bool
    """Whether the band may go on below: nothing smaller was tried."""
    open_high: bool

    @property
    def decades(self) -> float:
        """Its width; a lower bound where it is open."""
        return math.log10(self.high / self.low)


def band(scores: Scores, tolerance: float = TOLERANCE) -> Band | None:
    """The band around the best rate; None when every trial was lost.

    Its ends are interpolated between tried rates, linearly in NLL and the logarithm of the rate. Next to a lost
    trial it ends at the last rate that was not lost.
    """
    top = best(scores)
    if top is None:
        return None
    nll = scores[top]
    assert nll is not None
    above = [rate for rate in sorted(scores) if rate >= top]
    below = [rate for rate in sorted(scores, reverse=True) if rate <= top]
    low, open_low = _end(below, scores, nll + tolerance)
    high, open_high = _end(above, scores, nll + tolerance)
    return Band(top, nll, low, high, open_low, open_high)


def _end(outward: list[float], scores: Scores, limit: float) -> tuple[float, bool]:
    """Where the NLL passes the limit on the way outward, and whether it did not."""
    inside, inside_nll = outward[0], scores[outward[0]]
    for rate in outward[1:]:
        nll = scores[rate]
        if nll is None or inside_nll is None:
            return inside, False
        if nll > limit:
            part = (limit - inside_nll) / (nll - inside_nll)
            return inside * (rate / inside) ** part, False
        inside, inside_nll = rate, nll
    return inside, True


def _rounded(rate: float) -> float:
    short = float(f"{rate:.2g}")
    # half decades of rounded rates miss whole ones by a hair: 0.0999 is meant to be 0.1
    return short if abs(short / rate - 1) < 0.002 else float(f"{rate:.3g}")
