"""What every chart kind starts from: values with intervals, the header, the figure's frame and interval lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from hubstats.charts.colours import colour

Figure = dict[str, Any]
Interval = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Header:
    """What stands around a chart."""

    x: str
    y: str = ""
    alt: str = ""
    """The chart in one sentence, for those who do not see it."""


@dataclass(frozen=True, slots=True)
class Range:
    """A value with its inner interval and, where known, the wider one that holds what could not be seen."""

    value: float | None
    low: float | None = None
    high: float | None = None
    outer_low: float | None = None
    outer_high: float | None = None

    @property
    def inner(self) -> Interval:
        """Both ends of the inner interval."""
        return self.low, self.high

    @property
    def outer(self) -> Interval:
        """Both ends of the wider interval."""
        return self.outer_low, self.outer_high

    def from_(self, edge: float) -> Range:
        """The same with intervals that begin at `edge` at the earliest."""
        low = None if self.low is None else max(self.low, edge)
        outer = None if self.outer_low is None else max(self.outer_low, edge)
        return replace(self, low=low, outer_low=outer)


def library() -> str:
    """The source of plotly.js, minified, to be put into a page."""
    import plotly

    return (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def trace(**settings: Any) -> Figure:
    """One trace as Plotly reads it. tests/test_charts.py has Plotly's own classes check every property."""
    return {"type": "scatter", **settings}


def framed(traces: Sequence[Figure], header: Header, meta: dict[str, Any], **layout: Any) -> Figure:
    """The figure as a JSON-ready dict: `traces` on a bare ground; `meta` is for the page's own script.

    Made of plain dicts: Plotly's classes take milliseconds a trace, and a page has thousands.
    """
    axis = {
        "zeroline": False,
        "gridcolor": colour("line"),
        "linecolor": colour("soft"),
        "tickfont": {"color": colour("soft")},
        "title": {"font": {"color": colour("soft")}},
        "fixedrange": True,
        "automargin": True,
    }
    base: dict[str, Any] = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": colour("ink"), "family": "system-ui, sans-serif"},
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "hoverlabel": {
            "bgcolor": colour("paper"),
            "bordercolor": colour("soft"),
            "font": {"color": colour("ink")},
            "align": "left",
        },
        "margin": {"l": 8, "r": 14, "t": 34 if header.y else 12, "b": 8, "pad": 2},
        "meta": {"alt": header.alt, "yTitle": header.y, **meta},
        "xaxis": axis | {"title": {"text": header.x, "font": {"color": colour("soft")}}} | layout.pop("xaxis", {}),
        "yaxis": axis | layout.pop("yaxis", {}),
    }
    made: Figure = _jsonable({"data": list(traces), "layout": base | layout})
    return made


def _jsonable(value: Any) -> Any:
    """The value with days as text, and null for what is not finite."""
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, date) else value


def whiskers(
    ends: Sequence[Interval], across: Sequence[Any], shade: str, width: float, *, upright: bool = False
) -> Figure:
    """Interval lines as one trace: plain segments, since Plotly's error bars are of one width and take distances
    where we have ends."""
    along: list[Any] = []
    beside: list[Any] = []
    for (low, high), place in zip(ends, across, strict=True):
        if low is None or high is None:
            continue
        along += [low, high, None]
        beside += [place, place, None]
    x, y = (beside, along) if upright else (along, beside)
    return trace(x=x, y=y, mode="lines", line={"color": shade, "width": width}, hoverinfo="skip")
