"""One line a row: a value with its inner and its outer interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hubstats.charts.colours import colour
from hubstats.charts.frame import Figure, Header, Range, framed, trace, whiskers
from hubstats.charts.text import safe, short


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
    id: str | None = None
    """As `hubstats explain` takes it."""


def intervals(bars: Sequence[Bar], header: Header, *, labels_above: bool = False, log_x: bool = False) -> Figure:
    """One line a row, top to bottom: value, inner interval (thick), outer interval (thin). Shares as percent."""
    places = list(range(len(bars)))
    traces: list[Any] = []
    for bar, place in zip(bars, places, strict=True):
        shade = colour(bar.family)
        for ends, width, opacity in ((bar.at.outer, 2, 0.45), (bar.at.inner, 7, 0.5)):
            if None not in ends:
                traces.append(whiskers([ends], [place], shade, width) | {"opacity": opacity})
        traces.append(
            trace(
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
                meta={"ids": [bar.id or ""]},
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
    return framed(traces, header, rows, **layout)


def _percent_end(bars: Sequence[Bar]) -> float:
    ends = [end for bar in bars for end in (bar.at.value, bar.at.high, bar.at.outer_high) if end is not None]
    top = max(ends, default=100.0)
    return 104.0 if top > 60 else top * 1.08
