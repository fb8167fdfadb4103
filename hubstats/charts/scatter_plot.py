"""Marks with intervals both ways: popularity against performance, accuracy against memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hubstats.charts.axis import LogAxis
from hubstats.charts.colours import FAMILY_GROUP, PALETTE, colour
from hubstats.charts.frame import Figure, Header, Range, framed, whiskers
from hubstats.charts.text import safe, short


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

    axis = _log_axis(points) if log_x else None
    if axis is not None:
        points = _placed(points, axis)

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
                segments = whiskers(ends, [at.value for at in across], colour(token), width, upright=upright)
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
    return framed(traces, header, meta, **layout)


def _log_axis(points: Sequence[Point]) -> LogAxis:
    unseen = any(point.unseen for point in points)
    return LogAxis.around([point.x for point in points if not point.unseen], strip=unseen)


def _placed(points: Sequence[Point], axis: LogAxis, columns: int = 3) -> list[Point]:
    """The points, those unseen spread over the columns of the strip from top to bottom."""
    width = (axis.low - axis.start) / columns
    unseen = sorted((point for point in points if point.unseen), key=lambda point: -(point.y.value or 0))
    spread = [
        replace(point, x=Range(10 ** (axis.start + width * (place % columns + 0.18))))
        for place, point in enumerate(unseen)
    ]
    # What runs out at the left must not reach into the strip, where places mean nothing.
    edge = 10**axis.low
    seen = [replace(point, x=point.x.from_(edge)) for point in points if not point.unseen]
    return seen + spread


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
