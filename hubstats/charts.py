"""Rows in, Plotly figures out: the chart kinds of the report, and the only door to Plotly.

Each function takes plain rows (a list of small dataclasses) and a header, and returns the figure as a JSON-ready
dict. Colours are those of the light theme; `PALETTE` says what each becomes in the dark one. What Plotly cannot know
before it is drawn (which labels fit, how tall a chart may be) travels in `layout.meta` to the page's own script.

Names come from strangers' repositories and Plotly reads a little HTML in its texts, so every text passes `plain`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

PALETTE: dict[str, tuple[str, str]] = {
    "ink": ("#1b1e23", "#ecebe6"),
    "soft": ("#5b626b", "#a9afb8"),
    "line": ("#dddbd3", "#363b42"),
    "band": ("#eceae2", "#24282e"),
    "paper": ("#fbfaf6", "#14171a"),
    "low-rank": ("#0b66a8", "#6bb3ee"),
    "orthogonal": ("#c24a00", "#f5935a"),
    "prompt and prefix": ("#a1437f", "#df93c3"),
    "shared and spectral": ("#007a5e", "#45c4a3"),
    "scaling and selective": ("#96700a", "#dcb74a"),
    "other": ("#70757d", "#989fa8"),
}
"""Token -> colour on light and on dark paper. Families differ in lightness too, for readers who see fewer hues."""

FAMILY_GROUP = {
    "low-rank": "low-rank",
    "orthogonal": "orthogonal",
    "soft-prompt": "prompt and prefix",
    "prefix": "prompt and prefix",
    "shared-vector": "shared and spectral",
    "spectral": "shared and spectral",
    "scaling": "scaling and selective",
    "selective": "scaling and selective",
}
"""Ten families in six colours: more hues than that cannot be told apart by everyone."""

LONGEST_LABEL = 40
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


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


@dataclass(frozen=True, slots=True)
class Point:
    """One mark of a scatter chart."""

    name: str
    family: str
    x: Range
    y: Range
    hover: str
    own: bool = False
    """Our own run: a diamond; a published one is a circle."""
    size: float | None = None
    """Bytes of peak memory; the mark's area is proportional to it. None: a small hollow mark, size unknown."""
    emphasis: bool = False
    """Drawn in ink and labelled first."""
    rank: float = 0.0
    """Who is labelled when not all labels fit: the higher first."""
    strong: bool = False
    """Its label is bold."""
    labelled: bool = True
    unseen: bool = False
    """x is not known, only that nobody was seen using it: drawn in a strip of its own beside the axis."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of an interval chart."""

    label: str
    at: Range
    hover: str
    family: str = "low-rank"
    hollow: bool = False
    """Somebody else's figure, or one without an interval."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a chart of pairs: from one value to another of the same thing."""

    label: str
    start: float
    end: float
    hover: str
    family: str = "low-rank"


Figure = dict[str, Any]


def plain(text: object, longest: int = LONGEST_LABEL) -> str:
    """Text as one visible line of at most `longest` characters: no control, zero-width or direction marks."""
    line = _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", str(text).replace("\n", " ").replace("\t", " "))
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def safe(text: object, longest: int = LONGEST_LABEL) -> str:
    """`plain` text as Plotly shows it letter by letter, tags and entities included."""
    return escape(plain(text, longest), quote=False)


def short(name: object, longest: int = 26) -> str:
    """A name as it labels a mark: without what stands in brackets behind it."""
    return plain(str(name).partition(" (")[0] or name, longest)


def colour(token: str) -> str:
    """The light theme's colour of a token or a technique family."""
    return PALETTE[token if token in PALETTE else FAMILY_GROUP.get(token, "other")][0]


def library() -> str:
    """The source of plotly.js, minified, to be put into a page."""
    import plotly

    return (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _figure(traces: Sequence[Any], header: Header, meta: dict[str, Any], **layout: Any) -> Figure:
    import plotly.graph_objects as go

    axis = {
        "zeroline": False,
        "gridcolor": colour("line"),
        "linecolor": colour("soft"),
        "tickfont": {"color": colour("soft")},
        "title": {"font": {"color": colour("soft")}},
        "fixedrange": True,
        "automargin": True,
    }
    figure = go.Figure(
        data=list(traces),
        layout={
            "template": go.layout.Template(),
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
        },
    )
    figure.update_xaxes(axis)
    figure.update_yaxes(axis)
    figure.update_xaxes(title_text=header.x)
    figure.update_layout(layout)
    # Through JSON: what is not finite becomes null, dates become text, and nothing of Plotly is left in the value.
    encoded: Figure = json.loads(figure.to_json(engine="json"))
    return encoded


def _whiskers(
    ends: Sequence[Interval], across: Sequence[Any], shade: str, width: float, *, upright: bool = False
) -> Any:
    """Interval lines as one trace: plain segments, since Plotly's error bars are of one width and take distances
    where we have ends."""
    import plotly.graph_objects as go

    along: list[Any] = []
    beside: list[Any] = []
    for (low, high), place in zip(ends, across, strict=True):
        if low is None or high is None:
            continue
        along += [low, high, None]
        beside += [place, place, None]
    x, y = (beside, along) if upright else (along, beside)
    return go.Scatter(x=x, y=y, mode="lines", line={"color": shade, "width": width}, hoverinfo="skip")


def scatter(
    points: Sequence[Point],
    header: Header,
    *,
    log_x: bool = False,
    zero_line: bool = False,
    strip: str = "",
    y_floor: float | None = None,
) -> Figure:
    """Marks with intervals both ways: popularity against performance, accuracy against memory.

    Area of a mark is memory, colour family, shape whose run it is. `zero_line` draws the horizontal at 0, `strip`
    heads the strip of unseen points left of a logarithmic axis, and `y_floor` is the least value shown: leave out
    points below it and say so.
    """
    import plotly.graph_objects as go

    axis = _LogAxis.around(points) if log_x else None
    if axis is not None:
        points = axis.placed(points)

    groups: dict[tuple[str, bool], list[Point]] = {}
    for point in points:
        groups.setdefault((_token(point), point.own), []).append(point)
    traces: list[Any] = []
    for (token, _), members in sorted(groups.items()):
        xs, ys = [point.x for point in members], [point.y for point in members]
        # The wider interval first, so that the inner one lies on it.
        for outer, width, opacity in ((True, 1, 0.35), (False, 2, 0.55)):
            for along, across, upright in ((xs, ys, False), (ys, xs, True)):
                ends = [at.outer if outer else at.inner for at in along]
                segments = _whiskers(ends, [at.value for at in across], colour(token), width, upright=upright)
                if segments.x:
                    traces.append(segments.update(opacity=opacity))
    for (token, own), members in sorted(groups.items()):
        shade = colour(token)
        traces.append(
            go.Scatter(
                x=[point.x.value for point in members],
                y=[point.y.value for point in members],
                mode="markers",
                marker={
                    "size": [_diameter(point.size) for point in members],
                    "symbol": [_symbol(own, point) for point in members],
                    "color": shade,
                    "opacity": 0.92,
                    "line": {"color": colour("paper"), "width": 1.2},
                },
                customdata=[point.hover for point in members],
                hovertemplate="%{customdata}<extra></extra>",
                name=token,
            )
        )
    meta = {
        "aspect": 0.56,
        "labels": _labels(points),
        "legend": _legend(points),
        "obstacles": [
            [point.x.value, point.y.value, *point.x.inner, *point.y.inner, _diameter(point.size) / 2]
            for point in points
        ],
    }
    layout: dict[str, Any] = {"yaxis": {"ticksuffix": " ", "range": _y_range(points, y_floor)}}
    shapes: list[dict[str, Any]] = []
    if zero_line:
        shapes.append(
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0}
            | {"layer": "below", "line": {"color": colour("soft"), "width": 1}}
        )
    if axis is not None:
        layout["xaxis"] = axis.layout()
        if any(point.unseen for point in points):
            edge = axis.edge
            shapes.append(
                {"type": "rect", "xref": "paper", "yref": "paper", "x0": 0, "x1": edge, "y0": 0, "y1": 1}
                | {"layer": "below", "fillcolor": colour("band"), "line": {"width": 0}}
            )
            layout["annotations"] = [
                {"text": safe(strip, 60), "xref": "paper", "yref": "paper", "x": edge / 2, "y": 0, "showarrow": False}
                | {"xanchor": "center", "yanchor": "top", "yshift": -5, "font": {"color": colour("soft")}}
            ]
            meta["narrowStrip"] = safe("seen nowhere", 60)
    layout["shapes"] = shapes
    return _figure(traces, header, meta, **layout)


@dataclass(frozen=True, slots=True)
class _LogAxis:
    """A logarithmic axis in powers of ten, with room at its left for points that have no place on it."""

    low: float
    high: float
    start: float
    """Where the picture starts: at `low`, or before it when there is a strip."""

    @property
    def edge(self) -> float:
        """Right end of the strip as a part of the picture's width."""
        return (self.low - self.start) / (self.high - self.start)

    @staticmethod
    def around(points: Sequence[Point]) -> _LogAxis:
        seen = [point.x for point in points if not point.unseen and point.x.value]
        values = [at.value for at in seen if at.value]
        tops = [at.high or at.value or 0 for at in seen]
        if not values:
            return _LogAxis(-1.0, 2.0, -3.0 if points else -1.0)
        # Intervals may run out at the left: a lower end near zero would stretch the axis without telling more.
        low = math.log10(min(values)) - 0.45
        high = min(math.log10(max(tops)), 2.0) + 0.3
        strip = 0.62 * (high - low) if any(point.unseen for point in points) else 0.0
        return _LogAxis(low, high, low - strip)

    def placed(self, points: Sequence[Point], columns: int = 3) -> list[Point]:
        """The points, those unseen spread over the columns of the strip from top to bottom."""
        width = (self.low - self.start) / columns
        unseen = sorted((point for point in points if point.unseen), key=lambda point: -(point.y.value or 0))
        spread = [
            replace(point, x=Range(10 ** (self.start + width * (place % columns + 0.18))))
            for place, point in enumerate(unseen)
        ]
        # What runs out at the left must not reach into the strip, where places mean nothing.
        edge = 10**self.low
        seen = [replace(point, x=point.x.from_(edge)) for point in points if not point.unseen]
        return seen + spread

    def layout(self) -> dict[str, Any]:
        """Plotly's settings: one and three of each power, as percent."""
        ticks = [place for exponent in range(-6, 3) for place in (10**exponent, 3 * 10**exponent) if place <= 100]
        shown = [place for place in ticks if self.low + 0.05 <= math.log10(place) <= self.high]
        return {
            "type": "log",
            "range": [self.start, self.high],
            "tickvals": shown,
            "ticktext": [f"{place:g}%" for place in shown],
            "tickangle": 0,
        }


def _y_range(points: Sequence[Point], floor: float | None) -> list[float] | None:
    ends = [end for point in points for end in (point.y.value, point.y.low, point.y.high) if end is not None]
    if not ends:
        return None
    low = min(ends) if floor is None else max(min(ends), floor)
    room = (max(ends) - low) * 0.05 or 1.0
    return [low - room, max(ends) + room]


def add_path(figure: Figure, xs: Sequence[float], ys: Sequence[float]) -> Figure:
    """The figure with a stepped line through the given points below its marks: a Pareto frontier."""
    line = {
        "type": "scatter",
        "x": list(xs),
        "y": list(ys),
        "mode": "lines",
        "line": {"color": colour("ink"), "width": 1.5, "shape": "hv"},
        "hoverinfo": "skip",
    }
    steps = [[xs[0], ys[0]]] if xs else []
    for x, y in zip(xs[1:], ys[1:], strict=True):
        steps += [[x, steps[-1][1]], [x, y]]
    meta = {**figure["layout"]["meta"], "path": steps}
    return {**figure, "data": [line, *figure["data"]], "layout": {**figure["layout"], "meta": meta}}


def intervals(bars: Sequence[Bar], header: Header, *, labels_above: bool = False, log_x: bool = False) -> Figure:
    """One line a row, top to bottom: value, inner interval (thick), outer interval (thin). Shares as percent."""
    import plotly.graph_objects as go

    places = list(range(len(bars)))
    traces: list[Any] = []
    for bar, place in zip(bars, places, strict=True):
        shade = colour(bar.family)
        for ends, width, opacity in ((bar.at.outer, 2, 0.45), (bar.at.inner, 7, 0.5)):
            if None not in ends:
                traces.append(_whiskers([ends], [place], shade, width).update(opacity=opacity))
        traces.append(
            go.Scatter(
                x=[bar.at.value],
                y=[place],
                mode="markers",
                marker={
                    "size": 11,
                    "symbol": "circle-open" if bar.hollow else "circle",
                    "color": shade,
                    "line": {"color": shade if bar.hollow else colour("paper"), "width": 2 if bar.hollow else 1},
                },
                customdata=[bar.hover],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    rows = {"row": 56 if labels_above else 30, "rows": len(bars), "labelsAbove": labels_above}
    axis: dict[str, Any] = {"range": [len(bars) - 0.4, -0.75 if labels_above else -0.6], "showgrid": False}
    layout: dict[str, Any] = {"yaxis": axis}
    if labels_above:
        axis["visible"] = False
        layout["annotations"] = [
            {
                "text": safe(bar.label, 70)
                + (f" <span style='color:{colour('soft')}'>{bar.detail}</span>" if bar.detail else ""),
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "y": place,
                "yshift": 10,
                "yanchor": "bottom",
                "align": "left",
                "showarrow": False,
                "bgcolor": colour("paper"),
                "borderpad": 1,
            }
            for bar, place in zip(bars, places, strict=True)
        ]
    else:
        axis |= {
            "tickvals": places,
            "ticktext": [safe(short(bar.label), 26) for bar in bars],
            "tickfont": {"color": colour("ink")},
        }
    if log_x:
        layout["xaxis"] = {"type": "log", "dtick": 1, "ticksuffix": "%"}
    elif bars:
        layout["xaxis"] = {"range": [0, _percent_end(bars)], "ticksuffix": "%"}
    return _figure(traces, header, rows, **layout)


def pairs(steps: Sequence[Step], header: Header, *, start: str, end: str, log_percent: bool = False) -> Figure:
    """One line a row from a hollow mark (`start`) to a full one (`end`); on a logarithmic axis of percent if asked."""
    import plotly.graph_objects as go

    traces: list[Any] = []
    for place, step in enumerate(steps):
        shade = colour(step.family)
        traces.append(
            go.Scatter(
                x=[step.start, step.end],
                y=[place, place],
                mode="lines+markers",
                line={"color": shade, "width": 2},
                marker={
                    "size": 10,
                    "symbol": ["circle-open", "circle"],
                    "color": shade,
                    "line": {"color": shade, "width": 2},
                },
                customdata=[step.hover] * 2,
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    axis = {
        "tickvals": list(range(len(steps))),
        "ticktext": [safe(step.label, 30) for step in steps],
        "tickfont": {"color": colour("ink")},
        "range": [len(steps) - 0.4, -0.6],
        "showgrid": False,
    }
    legend = [
        {"label": start, "colour": colour("ink"), "shape": "ring"},
        {"label": end, "colour": colour("ink"), "shape": "circle"},
    ]
    meta = {"row": 28, "rows": len(steps), "legend": legend}
    across: dict[str, Any] = {}
    if log_percent:
        ends = [Point("", "", Range(value), Range(0), "") for step in steps for value in (step.start, step.end)]
        across = _LogAxis.around(ends).layout()
    return _figure(traces, header, meta, yaxis=axis, xaxis=across)


def _token(point: Point) -> str:
    return "ink" if point.emphasis else FAMILY_GROUP.get(point.family, "other")


def _symbol(own: bool, point: Point) -> str:
    shape = "diamond" if own else "circle"
    return shape if point.size is not None else f"{shape}-open"


def _diameter(size: float | None) -> float:
    return 9.0 if size is None else max(5.0, 3.0 * math.sqrt(size / 1e9))


def _labels(points: Iterable[Point]) -> list[dict[str, Any]]:
    return [
        {
            "x": point.x.value,
            "y": point.y.value,
            "text": short(point.name),
            "radius": _diameter(point.size) / 2,
            "rank": point.rank,
            "strong": point.emphasis or point.strong,
            "ground": "band" if point.unseen else "paper",
        }
        for point in sorted(points, key=lambda point: (-point.emphasis, -point.rank, point.name))
        if point.labelled and point.x.value is not None and point.y.value is not None
    ]


def _legend(points: Sequence[Point]) -> list[dict[str, Any]]:
    present = {_token(point) for point in points}
    entries: list[dict[str, Any]] = [
        {"label": token, "colour": light, "shape": "circle"}
        for token, (light, _) in PALETTE.items()
        if token in present and token != "ink"
    ]
    if {point.own for point in points} == {True, False}:
        entries += [
            {"label": "published run", "colour": colour("soft"), "shape": "circle"},
            {"label": "our own run", "colour": colour("soft"), "shape": "diamond"},
        ]
    return entries


def _percent_end(bars: Sequence[Bar]) -> float:
    ends = [end for bar in bars for end in (bar.at.value, bar.at.high, bar.at.outer_high) if end is not None]
    top = max(ends, default=100.0)
    return 104.0 if top > 60 else top * 1.08
