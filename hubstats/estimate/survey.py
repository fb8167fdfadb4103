"""Shares from a stratified sample whose items belong to authors: weights, variance, interval.

One share is a ratio R = sum(w b) / sum(w a) over the sampled items: w is the design weight, a the size of an item
(1, its downloads, or its part of the author's vote; 0 outside the population) and b the part of `a` that goes to
the technique. Dividing by the estimated total is Hajek's estimator (Saerndal, Swensson and Wretman 1992,
Model Assisted Survey Sampling, ch. 5.7), and its linearised residuals are u = (b - R a) / sum(w a) (ch. 5.5).

Two things make R uncertain, and their variances add (Korn and Graubard 1998, Variance estimation for
superpopulation parameters, Statistica Sinica 8:1131-1151):

* only a sample of the frame was read. Simple random sampling within strata h, f = n / N:
      sum over h of (1 - f) n / (n - 1) * sum over h of (w u - mean)^2                          (SSW 1992, ch. 3.7)
  A stratum of which one item was read has no spread of its own: its (w u)^2 is taken about 0, the mean of all u.
* the frame itself came from authors who upload in series, so that 1,000 repositories of one author are not 1,000
  opinions. With authors as the ultimate clusters (Lumley 2010, Complex Surveys, ch. 2), the squared
  sum over an author's repositories in the frame is estimated without bias by
      m / (m - 1) * sum over authors of (sum of w u)^2   -   sum of w (w - 1) u^2,
  the first term being the usual cluster variance, the second the part of it that is sampling and is in the line above.

Authors are not nested in strata, so their sums run across strata: cluster sums taken stratum by stratum would
lose what an author's repositories in two strata have in common. With everything read (w = 1) only the clusters
remain; with one repository an author and a small sample only the strata do.

A rare technique has few authors, and until one of the rare large uploaders is among them the variance between authors
looks small: its estimate and the share are low together, and the interval misses what lies above. So what authors
vary by is judged with the other techniques of the same population: V = sum of the techniques' variances over the sum
of their R (1 - R), a generalised variance function (Wolter 2007, Introduction to Variance Estimation, 2nd ed., ch. 7).
A technique's own variance v with d degrees of freedom is squeezed to (d v + D V R (1 - R)) / (d + D), D = PRIOR_FREEDOM
(Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3:3), never below v, with d + D degrees or as
many as V has. benchmarks/coverage.py shows what it does. For target `frame` there is nothing to squeeze, and the
degrees of freedom are those of the items' squared residuals, so that a few with large weights do not pass for many.

Domains (SSW 1992, ch. 10.3): a share among some items only, such as one month's, is made by giving size 0 to the others
and leaving `Design` whole. `drawn` and `fraction` then still say how many were read in each stratum, and the items
outside the domain enter the variance as zeros, which is what makes it right that the domain's own number is chance.

The interval is a binomial one on the effective size R (1 - R) / variance, times (z / t)^2 for the degrees of freedom
the variance has (Korn and Graubard 1998, Confidence intervals for proportions with small expected number of positive
counts, Survey Methodology 24:193-201), those by Satterthwaite (1946): theirs, Clopper and Pearson's, where few are
counted, Wilson's elsewhere (hubstats.estimate.interval says why). At R = 0 or 1 no variance can be estimated, and
the effective size is Kish's (1965, Survey Sampling, ch. 11.7) for whole authors: (sum W)^2 / sum W^2.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Booleans = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

Target = Literal["authors", "frame"]
"""What the interval speaks of. authors: the habits of the authors behind the frame (what a new frame would show too).
frame: the very repositories listed; nothing is uncertain once all are read."""

PRIOR_FREEDOM = 20.0
"""Degrees of freedom that the variance of authors common to all techniques counts for beside a technique's own."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Design:
    """How the items were drawn: one entry an item, codes from 0. All that was drawn is in it, of whatever population
    or domain: what is not meant has size 0."""

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
    share: float
    effective_size: float | None
    usable_size: float | None
    """The effective size after the loss for few degrees of freedom: what the interval is made of."""


@dataclass(frozen=True, slots=True)
class _Spread:
    """A share and its variance, in parts."""

    share: float
    sampling: float = 0.0
    authors: float = 0.0
    freedom: float = 0.0
    """Degrees of freedom of the part that decides: of authors, or of sampling for target `frame`."""


def estimate_shares(
    design: Design,
    size: Floats,
    votes: Mapping[Key, tuple[Integers, Floats]],
    *,
    outer_size: Floats | None = None,
    doubtful: Booleans | None = None,
    unread: float = 0.0,
    sums: Collection[Key] = (),
    confidence: float = 0.95,
    target: Target = "authors",
) -> dict[Key, Share]:
    """The share of each technique, under the keys of `votes`; empty when the population is.

    `size` is a of the module's text. `votes` gives for each technique the items that use it, each once, and the part
    of the item that goes to it, so that parts sum to 1 over the techniques of an item. `outer_size` is the size with
    the items that could not be seen counted in; with it come outer intervals: the worst cases in which none, or
    all, of the unseen use the technique (Horowitz and Manski 2000, JASA 95:77-84), each with its own sampling error.
    `doubtful` items are in the population, but that they do not use a technique was not seen either.
    `unread` items of the frame have no sampled one to stand for them and count as unseen.
    `sums` are the keys of families and other sums of the rest: their variance is judged with that of the rest.
    """
    import numpy as np

    if not (size > 0).any():
        return {}
    inner = _Population(design, size, confidence, target)
    single = [key not in sums for key in votes]
    ratios = inner.ratios(votes.values(), single)
    bounds = inner.intervals(ratios)
    outer_bounds: list[tuple[float | None, float | None]] = [(None, None)] * len(ratios)
    if outer_size is not None:
        hidden = (outer_size > 0) & (size <= 0)
        if doubtful is not None:
            hidden |= doubtful & (outer_size > 0)
        least = _Population(design, outer_size, confidence, target, unread=unread)
        most = least.hiding(hidden)
        pairs = zip(
            least.intervals(least.ratios(votes.values(), single)),
            most.intervals(most.ratios(votes.values(), single)),
            strict=True,
        )
        outer_bounds = [(lowest, highest) for (lowest, _), (_, highest) in pairs]
    subjects = int(np.count_nonzero(size > 0))
    shares = {}
    for technique, ratio, (low, high), (outer_low, outer_high) in zip(votes, ratios, bounds, outer_bounds, strict=True):
        bounded = low is not None and high is not None
        shares[technique] = Share(
            count=ratio.share * inner.total,
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


class _Population:
    """The denominator of many shares, with all that does not depend on the technique.

    A technique is used by few of the items. The residuals of the others are -R a (1 - R times a where `hidden`), so
    that their sums are known in advance but for R, and each share costs as much as its users, not as all items.
    """

    def __init__(
        self,
        design: Design,
        size: Floats,
        confidence: float,
        target: Target,
        *,
        unread: float = 0.0,
    ) -> None:
        import numpy as np

        self._design, self._confidence, self._target = design, confidence, target
        positive = np.where(size > 0, size, 0.0)
        self.total = float((design.weight * positive).sum()) + unread
        # No share can rest on more items than the population has.
        whole = positive if positive.max(initial=0) <= 1 else (positive > 0)
        self._most = float((design.weight * whole).sum()) + unread
        self._unread, self._certain = unread, 0.0
        self._positive, self._size = positive, positive / self.total
        self._weighted = weighted = design.weight * self._size
        self._surplus = design.weight * (design.weight - 1) * self._size**2
        self._all = _Sums(design, weighted, self._surplus, target)
        self._hidden: _Hidden | None = None
        self._authors = np.bincount(design.cluster[positive > 0], minlength=int(design.cluster.max(initial=-1)) + 1) > 0
        self._place = (np.cumsum(self._authors) - 1)[design.cluster]
        self._by_author = _added(design.cluster, weighted)[self._authors]
        whole_units = self._by_author if target == "authors" else weighted
        self._kish = float(whole_units.sum() ** 2 / (whole_units**2).sum())
        self._left = 1 - np.clip(design.fraction, 0, 1)
        self._several, self._one_less = design.drawn > 1, np.maximum(design.drawn - 1, 1)

    def hiding(self, hidden: Booleans) -> _Population:
        """The same, but that `hidden` items and the unread ones count for every technique."""
        import numpy as np

        made = copy(self)
        weighted, surplus = (np.where(hidden, values, 0) for values in (self._weighted, self._surplus))
        made._hidden = _Hidden(
            hidden,
            _Sums(self._design, weighted, surplus, self._target),
            _added(self._design.cluster, weighted)[self._authors],
        )
        made._certain = float((self._design.weight * self._positive)[hidden].sum()) + self._unread
        return made

    def ratios(self, uses: Iterable[tuple[Integers, Floats]], single: Iterable[bool]) -> list[_Ratio]:
        """The share of each of `uses`, items and the part of each that counts; the variances are squeezed together,
        towards those of the `single` ones."""
        import numpy as np

        spreads, together = [], np.zeros(len(self._by_author))
        variance = uncertain = 0.0
        for use, counts in zip(uses, single, strict=True):
            spread, by_author = self._spread(*use)
            spreads.append(spread)
            if by_author is not None and counts:
                together += by_author
                variance += spread.authors
                uncertain += spread.share * (1 - spread.share)
        pooled, freedom = (variance / uncertain, _freedom(together)) if uncertain else (0.0, 0.0)
        return [self._ratio(spread, pooled, freedom) for spread in spreads]

    def ratio(self, items: Integers, parts: Floats) -> _Ratio:
        """The share of one technique by itself."""
        return self.ratios([(items, parts)], [True])[0]

    def _ratio(self, spread: _Spread, pooled: float, pooled_freedom: float) -> _Ratio:
        """A share with its effective size, the variance of authors squeezed towards the `pooled` one."""
        from scipy.special import ndtri, stdtrit

        share, authors, freedom = spread.share, spread.authors, spread.freedom
        if self._target == "authors" and len(self._by_author) < 2:
            return _Ratio(share, None, None)
        # Rounding leaves a share of one technique only a hair below 1.
        if not 1e-12 < share < 1 - 1e-12:
            return _Ratio(round(share), self._kish, self._kish)
        if self._target == "authors" and freedom >= 1:
            usual = pooled * share * (1 - share)
            authors = max(authors, (freedom * authors + PRIOR_FREEDOM * usual) / (freedom + PRIOR_FREEDOM))
            freedom = max(freedom, min(freedom + PRIOR_FREEDOM, pooled_freedom))
        if freedom < 1:
            return _Ratio(share, None, None)
        variance = spread.sampling + authors
        effective = min(share * (1 - share) / variance, self._most) if variance > 0 else self._most
        tail = 0.5 + self._confidence / 2
        loss = float(ndtri(tail) / stdtrit(freedom, tail)) ** 2
        return _Ratio(share, effective, effective * loss)

    def intervals(self, ratios: list[_Ratio]) -> list[tuple[float | None, float | None]]:
        """The interval of each share; (None, None) where its variance is not known."""
        import numpy as np

        from hubstats.estimate.interval import sparing_bounds

        # A size above 0, if a small one: a share of no size has no variance and so none here.
        sized = [place for place, ratio in enumerate(ratios) if ratio.usable_size]
        shares, sizes = (
            np.array([getattr(ratios[place], name) for place in sized], float) for name in ("share", "usable_size")
        )
        ends: list[tuple[float | None, float | None]] = [(None, None)] * len(ratios)
        for place, low, high in zip(sized, *sparing_bounds(shares * sizes, sizes, self._confidence), strict=True):
            ends[place] = float(low), float(high)
        return ends

    def _spread(self, items: Integers, parts: Floats) -> tuple[_Spread, Floats | None]:
        """A share and its variance; with them, where authors vary, the squared sum of residuals of each."""
        import numpy as np

        hidden = self._hidden
        known = self._size[items] > 0
        if hidden is not None:
            known &= ~hidden.items[items]
        if not known.all():
            items, parts = items[known], parts[known]
        design, weight, size = self._design, self._design.weight[items], self._size[items]
        amount = parts * size
        # In the items' own units, so that whole numbers stay whole.
        count = float((weight * parts * (size * self.total)).sum()) + self._certain
        share = min(max(count / self.total, 0.0), 1.0)
        if not 1e-12 < share < 1 - 1e-12:
            return _Spread(share), None
        residual = amount - share * size
        stratum, strata = design.stratum[items], len(design.drawn)
        # Users of the technique one by one; the hidden and the others by their sums.
        residuals, sizes, drawn = weight * residual, weight * size, design.drawn
        others = self._all.squares if hidden is None else self._all.squares - hidden.sums.squares
        others = np.maximum(others - _added(stratum, sizes**2, strata), 0)
        rest, sums = share**2 * others, _added(stratum, weight * amount, strata)
        if hidden is not None:
            rest += (1 - share) ** 2 * hidden.sums.squares
            sums += hidden.sums.sums
        squares = _added(stratum, residuals**2, strata) + rest
        sums -= share * self._all.sums
        spread = np.where(self._several, drawn * squares - sums**2, squares) / self._one_less
        sampling = float((self._left * np.maximum(spread, 0)).sum())
        if self._target == "frame":
            return _Spread(share, sampling, 0.0, self._frame_freedom(share, stratum, residuals, sizes, squares)), None
        clusters = len(self._by_author)
        if clusters < 2:
            return _Spread(share), None
        by_author = _added(self._place[items], weight * amount, clusters)
        if hidden is not None:
            by_author += hidden.by_author
        by_author -= share * self._by_author
        by_author *= by_author
        surplus = self._all.surplus - (0.0 if hidden is None else hidden.sums.surplus)
        within = float((weight * (weight - 1) * residual**2).sum())
        within += share**2 * (surplus - float((weight * (weight - 1) * size**2).sum()))
        within += 0.0 if hidden is None else (1 - share) ** 2 * hidden.sums.surplus
        authors = max(float(by_author.sum()) * clusters / (clusters - 1) - within, 0.0)
        return _Spread(share, sampling, authors, _freedom(by_author)), by_author

    def _frame_freedom(
        self, share: float, stratum: Integers, residuals: Floats, sizes: Floats, squares: Floats
    ) -> float:
        """Degrees of freedom of the items' squared residuals; of the users' `residuals` and `sizes`, both weighted."""
        import numpy as np

        strata, hidden = len(self._design.drawn), self._hidden
        others = self._all.fourths if hidden is None else self._all.fourths - hidden.sums.fourths
        others = np.maximum(others - _added(stratum, sizes**4, strata), 0)
        rest = share**4 * others
        if hidden is not None:
            rest += (1 - share) ** 4 * hidden.sums.fourths
        fourths = _added(stratum, residuals**4, strata) + rest
        together, fourth = float((self._left * squares).sum()), float((self._left**2 * fourths).sum())
        freedom = float(np.maximum(self._design.drawn - 1, 0).sum())
        return min(freedom, max(2 * together**2 / fourth, 1.0)) if fourth > 0 else freedom


def _freedom(squares: Floats) -> float:
    """Degrees of freedom of a sum of squares, one for each author, by Satterthwaite."""
    together = float(squares.sum())
    most = float(len(squares) - 1)
    if not together:
        return most
    fourth = float((squares**2).sum()) - together**2 / len(squares)
    return min(most, max(2 * together**2 / fourth, 1.0)) if fourth > 0 else most


def _added(places: Integers, values: Floats, number: int = 0) -> Floats:
    """The sum of the values of each place, those of no value included up to `number`; added one after the other."""
    import numpy as np

    return np.bincount(places, values, number).astype(np.float64, copy=False)


class _Sums:
    """Sums of weighted sizes over all items or some: per stratum, with their powers, and of w (w - 1) a^2 over all."""

    def __init__(self, design: Design, weighted: Floats, surplus: Floats, target: Target) -> None:
        strata = len(design.drawn)
        self.sums = _added(design.stratum, weighted, strata)
        self.squares = _added(design.stratum, weighted**2, strata)
        # What only target `frame` asks for; a fourth power takes 26 times as long as a square.
        fourths = weighted**4 if target == "frame" else weighted[:0]
        self.fourths = _added(design.stratum[: len(fourths)], fourths, strata)
        self.surplus = float(surplus.sum())


@dataclass(frozen=True, slots=True)
class _Hidden:
    """Items that may use every technique: which, and their sums."""

    items: Booleans
    sums: _Sums
    by_author: Floats
