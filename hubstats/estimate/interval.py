"""The Wilson score interval, the one implementation for every share that hubstats shows.

Wilson (1927), Journal of the American Statistical Association 22:209-212; why it and not the textbook interval near
0 and 1, where techniques live: Brown, Cai and DasGupta (2001), Statistical Science 16:101-133. Counts need not be
whole: an effective sample size is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hubstats.errors import QueryError
from hubstats.queries import Query

if TYPE_CHECKING:
    import polars

    Numbers = Sequence[float | None] | polars.Series


def wilson_interval(count: Numbers, total: Numbers, confidence: float = 0.95) -> polars.DataFrame:
    """Columns share, low and high, a row for each pair of `count` and `total`; all three in [0, 1].

    Null where count or total is null or total is 0. Raises ValueError for a count below 0 or above its
    total, for a value that is not finite, and for a confidence outside (0, 1).
    """
    import polars as pl
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    z2 = float(ndtri(0.5 + confidence / 2)) ** 2
    pairs = pl.DataFrame({"count": count, "total": total}, schema={"count": pl.Float64, "total": pl.Float64})
    k, n = pl.col("count"), pl.col("total")
    wrong = pairs.filter(~(k.is_finite() & n.is_finite() & (k >= 0) & (k <= n)))
    if wrong.height:
        raise ValueError(f"{wrong['count'][0]} of {wrong['total'][0]} is no share")
    known = pl.when((n > 0) & k.is_not_null())
    share = k / n
    centre = (k + z2 / 2) / (n + z2)
    half = (z2 * share * (1 - share) * n + z2**2 / 4).sqrt() / (n + z2)
    # At 0 and n the formula gives exactly 0 and 1; rounding must not say otherwise.
    low = pl.when(k == 0).then(0.0).otherwise((centre - half).clip(0, share))
    high = pl.when(k == n).then(1.0).otherwise((centre + half).clip(share, 1))
    return pairs.select(known.then(share).alias("share"), known.then(low).alias("low"), known.then(high).alias("high"))


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
