"""Binomial intervals, the one implementation for every share that hubstats shows. Counts need not be whole: an
effective sample size is not.

Wilson (1927), Journal of the American Statistical Association 22:209-212; why it and not the textbook interval near
0 and 1, where techniques live: Brown, Cai and DasGupta (2001), Statistical Science 16:101-133.

Clopper and Pearson (1934), Biometrika 26:404-413, never covers less than it says. Wilson's covers 95% on average but
only 84% at its worst, where less than one item is expected; with Clopper and Pearson's wherever fewer than FEW items
are on the rarer side, the worst over n = 30 to 20,000 is 93%. That is `sparing_interval`, for estimates; a plain count
of a query, where the reader sees count and total, keeps Wilson's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hubstats.errors import QueryError
from hubstats.queries import Query

if TYPE_CHECKING:
    import numpy as np
    import polars
    from numpy.typing import NDArray

    Numbers = Sequence[float | None] | polars.Series
    Floats = NDArray[np.float64]
    Method = Callable[[Floats, Floats, float], tuple[Floats, Floats]]


ROUNDING = 1e-9
"""Relative amount by which a sum of weights may exceed another of the same weights, added up in another order."""


FEW = 10
"""Effective items on the rarer side below which the exact interval stands in for Wilson's."""

NOTHING = 1e-9
"""No share of anything here is that small and known to be."""


def wilson_interval(count: Numbers, total: Numbers, confidence: float = 0.95) -> polars.DataFrame:
    """Columns share, low and high, a row for each pair of `count` and `total`; all three in [0, 1].

    Null where count or total is null or total is 0. Raises ValueError for a count below 0 or above its
    total by more than rounding, for a value that is not finite, and for a confidence outside (0, 1).
    """
    return _framed(_wilson, count, total, confidence)


def clopper_pearson_interval(count: Numbers, total: Numbers, confidence: float = 0.95) -> polars.DataFrame:
    """As `wilson_interval`, by the exact method: quantiles of the beta distribution, which takes parts of an item."""
    return _framed(_clopper_pearson, count, total, confidence)


def sparing_interval(count: Numbers, total: Numbers, confidence: float = 0.95) -> polars.DataFrame:
    """As `wilson_interval`, but Clopper and Pearson's where fewer than FEW are counted, or fewer than FEW are not."""
    return _framed(sparing_bounds, count, total, confidence)


def _framed(method: Method, count: Numbers, total: Numbers, confidence: float) -> polars.DataFrame:
    """What a method says of checked pairs; null where a number is unknown or the total 0."""
    import numpy as np
    import polars as pl

    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    pairs = pl.DataFrame({"count": count, "total": total}, schema={"count": pl.Float64, "total": pl.Float64})
    unknown = (pairs["count"].is_null() | pairs["total"].is_null()).to_numpy()
    k, n = (np.where(unknown, 0.0, pairs[name].fill_null(0).to_numpy()) for name in ("count", "total"))
    wrong = np.flatnonzero(~(np.isfinite(k) & np.isfinite(n) & (k >= 0) & (k <= n * (1 + ROUNDING))))
    if len(wrong):
        raise ValueError(f"{pairs['count'][int(wrong[0])]} of {pairs['total'][int(wrong[0])]} is no share")
    known = n > 0
    k, n = np.minimum(k, n), np.where(known, n, 1.0)
    low, high = method(k, n, confidence)
    made = pl.DataFrame({"share": k / n, "low": low, "high": high})
    return made if known.all() else made.select(pl.when(pl.Series(known)).then(pl.all()))


def sparing_bounds(count: Floats, total: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Ends of `sparing_interval` for arrays that are known to be shares, 0 <= count <= total > 0."""
    import numpy as np

    low, high = _wilson(count, total, confidence)
    few = np.minimum(count, total - count) < FEW
    low[few], high[few] = _clopper_pearson(count[few], total[few], confidence)
    return low, high


def _wilson(k: Floats, n: Floats, confidence: float) -> tuple[Floats, Floats]:
    import numpy as np
    from scipy.special import ndtri

    z2 = float(ndtri(0.5 + confidence / 2)) ** 2
    share = k / n
    centre = (k + z2 / 2) / (n + z2)
    half = np.sqrt(z2 * share * (1 - share) * n + z2**2 / 4) / (n + z2)
    # At 0 and n the formula gives exactly 0 and 1; rounding must not say otherwise.
    low = np.where(k == 0, 0.0, np.clip(centre - half, 0, share))
    return low, np.where(k == n, 1.0, np.clip(centre + half, share, 1))


def _clopper_pearson(k: Floats, n: Floats, confidence: float) -> tuple[Floats, Floats]:
    import numpy as np
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    some, others = np.where(k > 0, k, 1.0), np.where(k < n, n - k, 1.0)
    low = np.where(k > 0, betaincinv(some, n - k + 1, tail), 0.0)
    high = np.where(k < n, betaincinv(k + 1, others, 1 - tail), 1.0)
    # Of a thousandth of an effective item the lower end is 1e-300 or the like: that is 0.
    low, high = np.where(low < NOTHING, 0.0, low), np.where(high > 1 - NOTHING, 1.0, high)
    return np.clip(low, 0, k / n), np.clip(high, k / n, 1)


def add_intervals(frame: polars.DataFrame, query: Query, confidence: float = 0.95) -> polars.DataFrame:
    """`frame` with columns share, low and high behind it when the query names `count` and `total`, else as it is.

    Raises QueryError when the result lacks the columns, has such columns already, or counts what cannot be.
    """
    if query.count is None or query.total is None:
        return frame
    lacking = [name for name in (query.count, query.total) if name not in frame.columns]
    if lacking:
        raise QueryError(f"{query.name}: the result has no column {', '.join(lacking)} that its header names")
    taken = [name for name in ("share", "low", "high") if name in frame.columns]
    if taken:
        raise QueryError(f"{query.name}: the result has its own {', '.join(taken)}, so its header may not count")
    try:
        return frame.hstack(wilson_interval(frame[query.count], frame[query.total], confidence))
    except ValueError as error:
        raise QueryError(f"{query.name}: {error}") from error
