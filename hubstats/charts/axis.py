"""A logarithmic axis of shares in percent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hubstats.charts.frame import Range


@dataclass(frozen=True, slots=True)
class LogAxis:
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
    def around(seen: Sequence[Range], *, strip: bool = False) -> LogAxis:
        """An axis on which these are seen, with a strip at its left if asked."""
        values = [at.value for at in seen if at.value]
        tops = [at.high or at.value for at in seen if at.value]
        if not values:
            return LogAxis(-1.0, 2.0, -3.0 if strip else -1.0)
        # Intervals may run out at the left: a lower end near zero would stretch the axis without telling more.
        low = math.log10(min(values)) - 0.45
        high = min(math.log10(max(top for top in tops if top)), 2.0) + 0.3
        return LogAxis(low, high, low - (0.62 * (high - low) if strip else 0.0))

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
