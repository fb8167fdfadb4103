"""Shares by month of creation and by version of PEFT, with the interval of every other share.

A month's share is the share of hubstats.estimate.survey in a domain (hubstats.estimate.domain): the items of the
population that were created in the month, weighted to the frame, with the variance over strata and authors. By rule:

rule      items                                     goes to
evidence  adapters shown to use a technique         the technique shown; several share the item equally
overlay   the same                                  each variant or recipe on top
blog      cards that name exactly one technique     the one named

The smoothed line is the centred three-month pooled share: the same estimator over the items of the month before, the
month and the month after together, so that its interval is one of the same kind. It is no average of three shares: a
month with more adapters counts for more. At the first and last month it pools two. Moving averages with equal weights
are the simplest linear filter (Kendall and Stuart 1966, The Advanced Theory of Statistics 3, ch. 46); lowess and
splines draw a nicer line, and no design-based interval comes with it. Neighbouring smoothed points share items, so
that they are not independent; all intervals are for one point, not for the line as a whole.

Versions of PEFT (minor ones, 0.16) are not smoothed: they follow one another at unequal distances.

A period appears as soon as one item of the population is in it; its interval is NULL where its items have one
author. A creation before the Hub was founded, or later than the listing was read, is nobody's. At most MOST_PERIODS
are shown, those with the most items: a file whose dates are made up shall not make a million rows.

Only what still exists has a month. What was deleted since is missing from older months most, and a share holds for
its month only as far as all techniques were deleted alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from hubstats.estimate import events
from hubstats.estimate.chain import Items
from hubstats.estimate.domain import joined, shares_within, sources
from hubstats.records import NotEstimated, Record, TrendPoint
from hubstats.techniques import Registry

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from hubstats.estimate.survey import Share

INPUTS: tuple[str, ...] = ("subjects", "strata", "author_frame")
TABLES: tuple[type[Record], ...] = (TrendPoint, NotEstimated)

Kind = Literal["month", "peft_version"]

EARLIEST = datetime(2016, 1, 1)
"""Naive UTC, as the store's times are: the year Hugging Face was founded; Civitai is younger."""
MOST_PERIODS = 240
REACH = 1
"""Months on either side that the smoothed share pools."""

SMOOTHING = "centred three-month pooled share"
METHOD = (
    "design-weighted share of the items of the period (Hajek, domain); variance over strata and authors; Wilson "
    "interval on the effective size, Clopper-Pearson below 10 effective items"
)
SURVIVORSHIP = (
    "only what still exists: deleted items are missing, more of older months than of newer ones, and the share holds "
    "for its month only if techniques were deleted alike"
)
DATED = "the Hub dates everything created before 2 March 2022 to that day"
VERSIONED = (
    "only items that tell their version of PEFT: on the card since 0.4, in the config since 0.18; cards that their "
    "authors rewrote lost it"
)
TAGGED = "since 0.16 PEFT itself names LoRA on cards, and nothing else: a step there is no change of use"


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    pairs: pl.DataFrame
    """Columns item, technique and part."""
    members: pl.Series
    """Items of the population."""


def estimate(frames: Mapping[str, pl.DataFrame], registry: Registry) -> Iterator[Record]:
    """A TrendPoint for each source, rule, period and technique seen in any; NotEstimated where nothing has a period."""
    for items, rows in sources(frames):
        for rule in _rules(rows):
            yield from _by_month(items, rows, rule)
            yield from _by_version(items, rows, rule)


def _rules(rows: pl.DataFrame) -> Iterator[_Rule]:
    import polars as pl

    shown = rows.filter(pl.col("techniques").list.len() > 0)
    part = 1 / pl.col("techniques").list.len()
    used = shown.select("item", pl.col("techniques").alias("technique"), part.alias("part")).explode("technique")
    if shown.height:
        yield _Rule("evidence", used, shown["item"])
    on_top = shown.select("item", pl.col("overlays").alias("technique"), part=pl.lit(1.0))
    on_top = on_top.explode("technique").drop_nulls("technique")
    if on_top.height:
        yield _Rule("overlay", on_top, shown["item"])
    named = rows.filter(pl.col("blog_technique").is_not_null())
    if named.height:
        pairs = named.select("item", pl.col("blog_technique").alias("technique"), part=pl.lit(1.0))
        yield _Rule("blog", pairs, named["item"])


def _by_month(items: Items, rows: pl.DataFrame, rule: _Rule) -> Iterator[Record]:
    import polars as pl

    created = pl.col("created_at")
    latest = rows["seen_at"].max()
    possible = created >= EARLIEST
    if isinstance(latest, datetime):
        possible &= created <= latest
    here = rows.select("item", "created_at")[rule.members]
    period = pl.when(possible).then(created.dt.year().cast(pl.Int64) * 12 + created.dt.month() - 1)
    placed = here.select("item", created.is_not_null().alias("dated"), period.alias("period"))
    undated, impossible = (~placed["dated"]).sum(), (placed["dated"] & placed["period"].is_null()).sum()
    caveat = joined(
        items.caveat,
        SURVIVORSHIP,
        DATED if items.source in ("hub", "dump") else "",
        TAGGED if rule.name == "blog" else "",
        f"{undated} items without a date are left out" if undated else "",
        f"{impossible} items with an impossible date are left out" if impossible else "",
    )
    running = latest.year * 12 + latest.month - 1 if isinstance(latest, datetime) else None
    yield from _points(
        _Periods(items, rule, "month", placed.drop_nulls("period").select("item", "period"), caveat, running),
        "no item has a date of creation",
    )


def _by_version(items: Items, rows: pl.DataFrame, rule: _Rule) -> Iterator[Record]:
    import polars as pl

    here = rows.select("item", "peft_version")[rule.members]
    version = pl.col("peft_version").str.extract_groups(r"^(?<major>\d{1,3})\.(?<minor>\d{1,3})(\.|$)")
    parts = here.select("item", version)
    parts = parts.unnest("peft_version").with_columns(pl.col("major", "minor").cast(pl.Int64))
    placed = parts.select("item", period=pl.col("major") * 1000 + pl.col("minor"))
    untold = placed["period"].null_count()
    caveat = joined(
        items.caveat,
        VERSIONED,
        TAGGED if rule.name == "blog" else "",
        f"{untold} of {here.height} items do not tell it" if untold else "",
    )
    yield from _points(
        _Periods(items, rule, "peft_version", placed.drop_nulls("period"), caveat, None),
        "no item tells its version of PEFT",
    )


@dataclass(frozen=True, slots=True)
class _Periods:
    """The items of one population, each in a period: months since year 0, or 1000 * major + minor version."""

    items: Items
    rule: _Rule
    kind: Kind
    placed: pl.DataFrame
    """Columns item and period."""
    caveat: str
    running: int | None
    """The period that was not over when the items were read."""


def _points(periods: _Periods, nothing: str) -> Iterator[Record]:
    import polars as pl

    source, rule, kind, placed = periods.items.source, periods.rule, periods.kind, periods.placed
    what = f"trend by {'month' if kind == 'month' else 'PEFT version'}"
    if placed.is_empty():
        yield NotEstimated(source, what, rule.name, nothing)
        return
    sizes = placed.group_by("period").len().sort(["len", "period"], descending=True)
    shown = sorted(sizes["period"].head(MOST_PERIODS).to_list())
    if sizes.height > MOST_PERIODS:
        reason = f"{sizes.height} periods: only the {MOST_PERIODS} with the most items are shown"
        yield NotEstimated(source, f"{what}, all periods", rule.name, reason)
    placed = placed.filter(pl.col("period").is_in(shown))
    techniques = sorted(periods.rule.pairs.join(placed, on="item", how="semi")["technique"].unique().to_list())
    if not techniques:
        yield NotEstimated(source, what, rule.name, "no item of a known period uses any")
        return
    within = _Within(periods, placed, techniques)
    started = events.releases() if kind == "peft_version" else {}
    for period in shown:
        label = f"{period // 12:04d}-{period % 12 + 1:02d}" if kind == "month" else f"{period // 1000}.{period % 1000}"
        starts_on = date(period // 12, period % 12 + 1, 1) if kind == "month" else started.get(label)
        note = "the month was not over" if period == periods.running else ""
        shares, subjects = within.shares(period, period)
        smooth = within.shares(period - REACH, period + REACH)[0] if kind == "month" else {}
        for technique in techniques:
            share, line = shares[technique], smooth.get(technique)
            yield TrendPoint(
                trend_id=f"trend/{source}/{rule.name}/{kind}/{label}/{technique}",
                source=source,
                rule=rule.name,
                technique=technique,
                period_kind=kind,
                period=label,
                starts_on=starts_on,
                count=share.count,
                total=share.total,
                share=share.share,
                low=share.low,
                high=share.high,
                smooth=line.share if line else None,
                smooth_low=line.low if line else None,
                smooth_high=line.high if line else None,
                subjects=subjects,
                effective_size=share.effective_size,
                smoothing=SMOOTHING if line else None,
                method=METHOD if share.low is not None else f"{METHOD}; one author: no interval",
                detector_version=periods.items.detector,
                as_of=periods.items.as_of,
                caveat=joined(note, periods.caveat) or None,
            )


class _Within:
    """Items and votes in the order of their periods, so that a stretch of periods is a slice."""

    def __init__(self, periods: _Periods, placed: pl.DataFrame, techniques: list[str]) -> None:
        import polars as pl

        codes = pl.DataFrame({"technique": techniques}).with_row_index("code")
        pairs = periods.rule.pairs.join(placed, on="item").join(codes, on="technique").sort("period", "code", "item")
        placed = placed.sort("period", "item")
        self._design, self._techniques = periods.items.design, techniques
        self._periods, self._items = (placed[name].to_numpy() for name in ("period", "item"))
        self._of, self._code, self._user, self._part = (
            pairs[name].to_numpy() for name in ("period", "code", "item", "part")
        )

    def shares(self, first: int, last: int) -> tuple[dict[str, Share], int]:
        """The share of every technique among the items of the periods from first to last, and their number."""
        import numpy as np

        members = np.sort(self._items[_stretch(self._periods, first, last)])
        here = _stretch(self._of, first, last)
        code, user, part = self._code[here], self._user[here], self._part[here]
        order = np.lexsort((user, code))
        ends = np.searchsorted(code[order], np.arange(1, len(self._techniques)))
        groups = np.split(order, ends)
        votes = {
            technique: (user[group], part[group]) for technique, group in zip(self._techniques, groups, strict=True)
        }
        return shares_within(self._design, members, votes), len(members)


def _stretch(periods: NDArray[np.int64], first: int, last: int) -> slice:
    import numpy as np

    return slice(int(np.searchsorted(periods, first)), int(np.searchsorted(periods, last, side="right")))
