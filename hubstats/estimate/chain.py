"""A chain of shares from a published figure to ours: each step one change of rule on the same items.

A rule is a table of amounts: how much of each item goes to which technique. A step's share is Hajek's ratio with the
interval of hubstats.estimate.survey; its effect is the difference to the step it follows, over the same items
(hubstats.estimate.contrast). The first step is compared with the published figure, a number without items or interval,
so that its effect has the interval of its own share less that number. Printed figure and effects add up to the last
share exactly. What a step adds depends on the steps before it: another order would split the same sum otherwise.

A step beside the chain (`side`) is compared with the step it follows, and nothing builds upon it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from hubstats.estimate.author_votes import AuthorVotes
from hubstats.estimate.contrast import estimate_contrast
from hubstats.estimate.survey import Design, Share, estimate_shares
from hubstats.records import NotEstimated, Reconciliation

if TYPE_CHECKING:
    import polars as pl

    from hubstats.estimate.survey import Booleans, Floats, Integers

    Amounts = pl.DataFrame
    """Columns item (place in the design, from 0), technique and amount, one row a pair; without a technique the item
    counts for none of those in question."""

_Bounded = tuple[float | None, float | None, float | None]
"""Value, low, high."""

PUBLISHED = "published"
SEARCH_TOTALS = "search_totals"

SHARE = "share: ratio of design-weighted amounts (Hajek), variance over strata and authors"
AGAINST = f"{SHARE}; effect: share less the figure before it, which has no items, with the share's interval"
BETWEEN = f"{SHARE}; effect: difference of two ratios over the same items, linearised; Student's interval"


@dataclass(frozen=True, slots=True)
class Items:
    """The items that all steps of a source's chains share."""

    source: str
    design: Design
    detector: str
    as_of: datetime | None
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule."""

    rule: str
    change: str
    """What it changes about the rule before it, one line."""
    amounts: Amounts
    empty: str = "no item is left by this rule"
    """Why there is no share, when the rule leaves nothing."""
    beside: str | None = None
    """The rule it is compared with, where it stands beside the chain."""
    among: Booleans | None = None
    """The items that the comparison is made on, where not all were looked at."""
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class SearchTotals:
    """What a code search itself said: the published rule to the letter, on another day."""

    counts: Mapping[str, int]
    incomplete: bool
    as_of: datetime | None


def chains(
    measure: str,
    items: Items,
    steps: Sequence[Step],
    figures: pl.DataFrame,
    totals: SearchTotals | None = None,
) -> Iterator[Reconciliation | NotEstimated]:
    """The chain from every published figure of `measure`, and NotEstimated for each step that leaves no item."""
    import polars as pl

    chosen = figures.filter(pl.col("measure") == measure)
    if chosen.is_empty():
        return
    rules = [_Rule(step, items.design) for step in steps]
    for rule in rules:
        if not rule.any:
            yield NotEstimated(items.source, measure, f"reconciliation/{rule.step.rule}", rule.step.empty)
    for figure in chosen.iter_rows(named=True):
        yield from _chain(figure, items, rules, totals)


class _Rule:
    """A step's amounts as arrays over the items."""

    def __init__(self, step: Step, design: Design) -> None:
        self.step = step
        self._items: Integers = step.amounts["item"].to_numpy().astype("int64")
        self._amounts: Floats = step.amounts["amount"].to_numpy().astype("float64")
        self._number = len(design.weight)
        self._size = self._summed(slice(None))
        self.any = bool((self._size > 0).any())

    def of(self, technique: str) -> tuple[Floats, Floats]:
        """(size of each item, amount of it that goes to the technique)."""
        return self._size, self._summed((self.step.amounts["technique"] == technique).fill_null(False).to_numpy())

    def _summed(self, rows: Any) -> Floats:
        import numpy as np

        return np.bincount(self._items[rows], self._amounts[rows], self._number).astype(np.float64)


def _chain(
    figure: Mapping[str, Any], items: Items, rules: Sequence[_Rule], totals: SearchTotals | None
) -> Iterator[Reconciliation]:
    import numpy as np

    technique = str(figure["technique"])
    stem = f"reconciliation/{items.source}/{figure['figure_id']}"
    printed = "as printed" if figure["printed"] is not None else "from the counts printed"
    row = fixed = Reconciliation(
        reconciliation_id=f"{stem}/{PUBLISHED}",
        figure_id=figure["figure_id"],
        source=items.source,
        measure=figure["measure"],
        technique=technique,
        step=0,
        rule=PUBLISHED,
        follows=None,
        side=False,
        change=f"the published figure, {printed}",
        count=figure["count"],
        total=figure["total"],
        share=float(figure["share"]),
        low=None,
        high=None,
        effect=None,
        effect_low=None,
        effect_high=None,
        items=None,
        method="published_figure",
        detector_version="",
        as_of=None,
    )
    yield row
    if totals is not None:
        row = fixed = _search_totals(fixed, stem, totals)
        yield row
    before: _Rule | None = None
    skipped: list[str] = []
    for rule in rules:
        step = rule.step
        against = before if step.beside is None else next((r for r in rules if r.step.rule == step.beside), None)
        if not rule.any:
            skipped += [step.rule] if step.beside is None else []
            continue
        if step.beside is not None and (against is None or not against.any):
            continue
        size, amount = rule.of(technique)
        users = np.flatnonzero(amount)
        share = estimate_shares(items.design, size, {technique: (users, amount[users] / size[users])})[technique]
        if against is None:
            effect = _against(fixed.share, share)
        else:
            effect = _between(items.design, against.of(technique), (size, amount), step.among)
        together = f"with what {', '.join(skipped)} would change, which leaves no item" if skipped else ""
        row = replace(
            row,
            reconciliation_id=f"{stem}/{step.rule}",
            step=row.step + 1,
            rule=step.rule,
            follows=fixed.rule if against is None else against.step.rule,
            side=step.beside is not None,
            change=step.change,
            count=share.count,
            total=share.total,
            share=share.share,
            low=share.low,
            high=share.high,
            effect=effect[0],
            effect_low=effect[1],
            effect_high=effect[2],
            items=int(np.count_nonzero(size > 0)),
            method=AGAINST if against is None else BETWEEN,
            detector_version=items.detector,
            as_of=items.as_of,
            caveat="; ".join(note for note in (step.caveat, together, items.caveat) if note) or None,
        )
        yield row
        if step.beside is None:
            before, skipped = rule, []


def _search_totals(published: Reconciliation, stem: str, totals: SearchTotals) -> Reconciliation:
    count, total = totals.counts.get(published.technique, 0), sum(totals.counts.values())
    return replace(
        published,
        reconciliation_id=f"{stem}/{SEARCH_TOTALS}",
        step=1,
        rule=SEARCH_TOTALS,
        follows=PUBLISHED,
        change="their rule on another day: the search's own total for each config class",
        count=count,
        total=total,
        share=count / total,
        effect=count / total - published.share,
        method="share: a class's total over the sum of all; no items, so no interval",
        as_of=totals.as_of,
        caveat="totals of this search engine have been wrong by a factor of 18"
        + ("; it said of some that it had not finished" if totals.incomplete else ""),
    )


def _against(fixed: float, share: Share) -> _Bounded:
    """A share less a number that stands without interval."""
    low, high = (None if bound is None else bound - fixed for bound in (share.low, share.high))
    return share.share - fixed, low, high


def _between(
    design: Design, before: tuple[Floats, Floats], after: tuple[Floats, Floats], among: Booleans | None
) -> _Bounded:
    if among is not None:
        before = (before[0] * among, before[1] * among)
        after = (after[0] * among, after[1] * among)
    contrast = estimate_contrast(design, before, after)
    return (None, None, None) if contrast is None else (contrast.effect, contrast.low, contrast.high)


# --- items --------------------------------------------------------------------------------------------------------


def subjects(
    source: str, rows: pl.DataFrame, strata: pl.DataFrame, author_frame: pl.DataFrame, caveat: str
) -> tuple[Items, Callable[[Amounts], Floats]]:
    """The items that the table subject lists for a source, and the part of their author's vote each has by a rule."""
    import numpy as np
    import polars as pl

    read = rows.group_by("stratum").agg(pl.len().alias("read"), pl.col("weight").first()).sort("stratum")
    coded = read.with_row_index("code").select("stratum", "code")
    own = pl.concat_str(pl.lit("\0"), "subject_id")
    authors = rows.select(pl.coalesce("author", own).rank("dense") - 1).to_series()
    design = Design(
        weight=rows["weight"].cast(pl.Float64).to_numpy(),
        cluster=authors.to_numpy().astype(np.int64),
        stratum=rows.join(coded, on="stratum", how="left", maintain_order="left")["code"].to_numpy().astype(np.int64),
        drawn=read["read"].to_numpy().astype(np.float64),
        fraction=1 / read["weight"].cast(pl.Float64).to_numpy(),
    )
    here = pl.col("source") == source

    @cache
    def owned() -> AuthorVotes:
        # Most callers ask for no vote.
        return AuthorVotes(rows, author_frame.filter(here))

    def votes(amounts: Amounts) -> Floats:
        return owned()(flags(rows.height, amounts["item"]))

    detector = str(rows["detector_version"].drop_nulls().max() or "")
    unread = strata.filter(here).join(read, on="stratum", how="anti")["frame_size"].sum()
    unknown = rows["author"].null_count()
    notes = [caveat] if caveat else []
    if unread:
        notes.append(f"nothing was read yet of strata with {unread} repositories")
    if unknown:
        notes.append(f"{unknown} items of unknown authors are taken as one author each")
    return Items(source, design, detector, utc(rows["seen_at"].max()), "; ".join(notes)), votes


def unweighted(source: str, authors: pl.Series, as_of: datetime | None, caveat: str) -> Items:
    """Items that are all there is, each of a known author."""
    import numpy as np

    number = len(authors)
    design = Design(
        weight=np.ones(number),
        cluster=(authors.rank("dense") - 1).to_numpy().astype(np.int64),
        stratum=np.zeros(number, np.int64),
        drawn=np.array([float(number)]),
        fraction=np.ones(1),
    )
    return Items(source, design, "", as_of, caveat)


def flags(number: int, items: pl.Series) -> Booleans:
    """True at each of `items` among `number` places."""
    import numpy as np

    marked = np.zeros(number, np.bool_)
    marked[items.to_numpy()] = True
    return marked


def utc(moment: Any) -> datetime | None:
    """A time as the store gives it, with its zone; None for anything else."""
    if not isinstance(moment, datetime):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
