"""One line a row, from one value to another of the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hubstats.charts.axis import LogAxis
from hubstats.charts.colours import colour
from hubstats.charts.frame import Figure, Header, Range, framed, trace, whiskers
from hubstats.charts.text import safe


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a chart of pairs: from one value to another of the same thing."""

    label: str
    start: float
    end: float
    hover: str
    family: str = "low-rank"
    low: float | None = None
    high: float | None = None
    """95% interval of `end`, where it has one."""
    id: str | None = None
    """As `hubstats explain` takes it."""


def pairs(steps: Sequence[Step], header: Header, *, start: str, end: str, log_percent: bool = False) -> Figure:
    """One line a row from a hollow mark (`start`) to a full one (`end`); on a logarithmic axis of percent if asked."""
    axis = LogAxis.around([at for step in steps for at in _ranges(step)]) if log_percent else None
    traces: list[Any] = []
    for place, step in enumerate(steps):
        shade = colour(step.family)
        if step.low is not None and step.high is not None:
            ends = _ranges(step)[1].from_(10**axis.low if axis else step.low).inner
            traces.append(whiskers([ends], [place], shade, 7) | {"opacity": 0.4})
        traces.append(
            trace(
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
                meta={"ids": [step.id or ""] * 2},
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    rows = {
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
    return framed(traces, header, meta, yaxis=rows, xaxis=axis.layout() if axis else {})


def _ranges(step: Step) -> tuple[Range, Range]:
    return Range(step.start), Range(step.end, step.low, step.high)
