"""Rows in, Plotly figures out: the chart kinds of the report, a module each, and the only door to Plotly.

Each function takes plain rows (a list of small dataclasses) and a header, and returns the figure as a JSON-ready
dict; a `Plane` is drawn by the page's script, where the reader chooses its axes. Colours are those of the light
theme; `PALETTE` says what each becomes in the dark one. What Plotly cannot know before it is drawn (which labels fit,
how tall a chart may be) travels in `layout.meta` to the page's own script.

Names come from strangers' repositories and Plotly reads a little HTML in its texts, so every text passes `plain`.
"""

from hubstats.charts.colours import FAMILY_GROUP, PALETTE, colour
from hubstats.charts.frame import Figure, Header, Interval, Range, library
from hubstats.charts.interval_rows import Bar, intervals
from hubstats.charts.pair_rows import Step, pairs
from hubstats.charts.plane import At, Axis, Mark, Plane, at, family_token
from hubstats.charts.text import LONGEST_LABEL, plain, safe, short
from hubstats.charts.time_lines import Moment, When, over_time
from hubstats.charts.waterfall_rows import Change, waterfall

__all__ = [
    "FAMILY_GROUP",
    "LONGEST_LABEL",
    "PALETTE",
    "At",
    "Axis",
    "Bar",
    "Change",
    "Figure",
    "Header",
    "Interval",
    "Mark",
    "Moment",
    "Plane",
    "Range",
    "Step",
    "When",
    "at",
    "colour",
    "family_token",
    "intervals",
    "library",
    "over_time",
    "pairs",
    "plain",
    "safe",
    "short",
    "waterfall",
]
