"""From one share to another, one change of rule a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hubstats.charts.colours import colour
from hubstats.charts.frame import Figure, Header, Range, framed, trace, whiskers
from hubstats.charts.text import plain

RAISES, LOWERS, UNSURE, OTHER_ITEMS = "low-rank", "orthogonal", "other", "scaling and selective"
LONGEST_CHANGE = 240


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a waterfall: from the share it starts at to the share it ends at, in percent."""

    label: str
    """What changes, in words; wrapped where it is long."""
    lead: str
    """How much, in bold before it."""
    end: float
    start: float | None
    """Share that it is compared with; None: the row is a share by itself, the first or the last of the chain."""
    hover: str
    at: Range | None = None
    """Interval: of the effect where there is a start, as shares; else of the share itself."""
    beside: bool = False
    """Stands beside the chain: nothing builds upon it."""
    hollow: bool = False
    """Somebody else's figure."""
    other_items: bool = False
    """The change is one of items and day: no rule explains it."""
    id: str | None = None
    """As `hubstats explain` takes it."""

    @property
    def token(self) -> str:
        """Colour: whether the effect is shown to raise or to lower the share."""
        if self.start is None:
            return "ink"
        if self.other_items:
            return OTHER_ITEMS
        if self.at is None or self.at.low is None or self.at.high is None or self.at.low <= self.start <= self.at.high:
            return UNSURE
        return RAISES if self.end > self.start else LOWERS


def waterfall(changes: Sequence[Change], header: Header) -> Figure:
    """Rows top to bottom: a share, the changes that lead on from it, the share at the end, then what stands beside.

    A bar goes from the share before to the share after, a thin line is the 95% interval of the change, and a dotted
    line leads on to the next row. The labels above the rows are wrapped by the page's script, which knows the width.
    """
    traces: list[Any] = []
    for place, change in enumerate(changes):
        shade = colour(change.token)
        following = changes[place + 1] if place + 1 < len(changes) else None
        if following is not None and not change.beside and not following.beside:
            traces.append(
                trace(
                    x=[change.end, change.end],
                    y=[place, place + 1],
                    mode="lines",
                    line={"color": colour("soft"), "width": 1, "dash": "dot"},
                    hoverinfo="skip",
                )
            )
        if change.start is not None:
            traces.append(
                trace(
                    x=[change.start, change.end],
                    y=[place, place],
                    mode="lines",
                    line={"color": shade, "width": 11},
                    opacity=0.55 if change.beside else 1,
                    hoverinfo="skip",
                )
            )
        if change.at is not None and None not in change.at.inner:
            wide = change.start is None
            inner = whiskers([change.at.inner], [place], colour("ink"), 7 if wide else 2)
            traces.append(inner | {"opacity": 0.4 if wide else 0.8})
        traces.append(
            trace(
                x=[change.end],
                y=[place],
                mode="markers",
                marker={
                    "size": 11 if change.start is None else 8,
                    "symbol": "circle-open" if change.hollow else "circle",
                    "color": colour("ink"),
                    "line": {"color": colour("ink" if change.hollow else "paper"), "width": 2 if change.hollow else 1},
                },
                customdata=[change.hover],
                meta={"ids": [change.id or ""]},
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    words = {
        OTHER_ITEMS: "other items, another day",
        RAISES: "raises the share",
        LOWERS: "lowers the share",
        UNSURE: "not shown to change it",
    }
    present = {change.token for change in changes}
    legend: list[dict[str, Any]] = [
        {"label": label, "colour": colour(token), "shape": "circle"}
        for token, label in words.items()
        if token in present
    ]
    if any(change.hollow for change in changes):
        legend.insert(0, {"label": "as published", "colour": colour("ink"), "shape": "ring"})
    meta = {
        "rows": len(changes),
        "row": 40,
        "rowLabels": [
            {"lead": plain(change.lead), "text": plain(change.label, LONGEST_CHANGE), "beside": change.beside}
            for change in changes
        ],
        "legend": legend,
    }
    axis: dict[str, Any] = {"ticksuffix": "%", "range": _reach(changes)}
    rows = {"visible": False, "range": [len(changes) - 0.4, -0.6]}
    return framed(traces, header, meta, xaxis=axis, yaxis=rows)


def _reach(changes: Sequence[Change]) -> list[float]:
    """From the least to the greatest that is drawn. Intervals beside the chain do not stretch it."""
    ends = [end for change in changes for end in (change.start, change.end) if end is not None]
    for change in changes:
        if change.at is not None and not change.beside:
            ends += [end for end in change.at.inner if end is not None]
    low, high = min(ends, default=0.0), max(ends, default=100.0)
    room = max((high - low) * 0.06, 1.0)
    return [max(low - room, -2.0), min(high + room, 102.0)]
