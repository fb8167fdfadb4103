"""A share over time: points with intervals, a smoothed line in its band, and what happened meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hubstats.charts.colours import colour
from hubstats.charts.frame import Figure, Header, Range, framed, trace, whiskers

LONGEST_GAP = 62
"""Days between the first days of two months that a line may bridge: one month without items."""


@dataclass(frozen=True, slots=True)
class When:
    """One period: the share in percent, and the smoothed one."""

    starts_on: date
    share: Range
    smooth: Range
    hover: str
    id: str | None = None
    """As `hubstats explain` takes it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: a line across the chart."""

    on: date
    mark: str
    """Its number in the list below the chart; empty: a tick at the foot, not in the list."""
    hover: str


def over_time(periods: Sequence[When], moments: Sequence[Moment], header: Header, family: str) -> Figure:
    """The share of one technique by month. Marks of moments are placed by the page's script, so that none covers
    another."""
    shade = colour(family)
    # A month's share stands in its middle.
    days = [period.starts_on + timedelta(days=14) for period in periods]
    top = _top(periods)
    traces: list[Any] = []
    for run in _runs(periods):
        shown = [days[place] for place in run]
        band = [periods[place].smooth for place in run]
        traces.append(
            trace(
                x=[*shown, *reversed(shown)],
                y=[*(at.high for at in band), *(at.low for at in reversed(band))],
                mode="lines",
                line={"width": 0, "color": shade},
                fill="toself",
                fillcolor=shade,
                opacity=0.22,
                hoverinfo="skip",
            )
        )
    ends = [period.share.inner for period in periods]
    traces.append(whiskers(ends, days, shade, 1, upright=True) | {"opacity": 0.4})
    for run in _runs(periods):
        traces.append(
            trace(
                x=[days[place] for place in run],
                y=[periods[place].smooth.value for place in run],
                mode="lines",
                line={"color": shade, "width": 2.5},
                hoverinfo="skip",
            )
        )
    traces.append(
        trace(
            x=days,
            y=[period.share.value for period in periods],
            mode="markers",
            marker={"size": 6, "color": shade, "line": {"color": colour("paper"), "width": 1}},
            customdata=[period.hover for period in periods],
            meta={"ids": [period.id or "" for period in periods]},
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    ticks = [moment for moment in moments if not moment.mark]
    marked = [moment for moment in moments if moment.mark]
    traces.append(_hovered(ticks, 0.0, "line-ns-open", 9))
    # Their numbers are written by the page; here is only what the pointer finds.
    traces.append(_hovered(marked, top * 0.97, "circle", 16) | {"opacity": 0})
    lines = [
        {"type": "line", "x0": moment.on, "x1": moment.on, "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
        | {"line": {"color": colour("soft"), "width": 1, "dash": "dot"}}
        for moment in marked
    ]
    meta = {
        "aspect": 0.42,
        "moments": [{"x": moment.on, "text": moment.mark} for moment in marked],
        "legend": [{"label": "share of the month", "colour": shade, "shape": "circle"}],
    }
    return framed(
        traces,
        header,
        meta,
        yaxis={"range": [0, top], "ticksuffix": "% "},
        xaxis={"type": "date", "hoverformat": "%Y-%m", "showgrid": False},
        shapes=lines,
    )


def _hovered(moments: Sequence[Moment], height: float, symbol: str, size: int) -> Any:
    return trace(
        x=[moment.on for moment in moments],
        y=[height] * len(moments),
        mode="markers",
        marker={"size": size, "symbol": symbol, "color": colour("soft"), "line": {"color": colour("soft"), "width": 1}},
        customdata=[moment.hover for moment in moments],
        hovertemplate="%{customdata}<extra></extra>",
        cliponaxis=False,
    )


def _runs(periods: Sequence[When]) -> list[list[int]]:
    """Places that follow each other and have a band: the line is broken where nothing is known."""
    runs: list[list[int]] = []
    last: date | None = None
    for place, period in enumerate(periods):
        if None in (period.smooth.value, *period.smooth.inner):
            last = None
            continue
        if last is not None and (period.starts_on - last).days <= LONGEST_GAP:
            runs[-1].append(place)
        else:
            runs.append([place])
        last = period.starts_on
    return runs


def _top(periods: Sequence[When]) -> float:
    """Upper end of the picture: the band and the points are in it, single intervals may run out."""
    ends = [end for period in periods for end in (period.share.value, period.smooth.high) if end is not None]
    return min(max(ends, default=100.0) * 1.12 or 1.0, 104.0)
