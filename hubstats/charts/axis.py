"""A logarithmic axis of shares in percent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hubstats.charts.frame import Range


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic axis in powers of ten."""

    low: float
    high: float

    @staticmethod
    def around(seen: Sequence[Range]) -> LogAxis:
        """An axis on which these are seen."""
        values = [at.value for at in seen if at.value]
        tops = [at.high or at.value for at in seen if at.value]
        if not values:
            return LogAxis(-1.0, 2.0)
        # Intervals may run out at the left: a lower end near zero would stretch the axis without telling more.
        low = math.log10(min(values)) - 0.45
        high = min(math.log10(max(top for top in tops if top)), 2.0) + 0.3
        return LogAxis(low, high)

    def layout(self) -> dict[str, Any]:
        """Plotly's settings: one and three of each power, as percent."""
        ticks = [place for exponent in range(-6, 3) for place in (10**exponent, 3 * 10**exponent) if place <= 100]
        shown = [place for place in ticks if self.low + 0.05 <= math.log10(place) <= self.high]
        return {
            "type": "log",
            "range": [self.low, self.high],
            "tickvals": shown,
            "ticktext": [f"{place:g}%" for place in shown],
            "tickangle": 0,
        }
