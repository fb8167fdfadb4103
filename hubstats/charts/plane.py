"""Marks on a plane of two measures, chosen by the reader: popularity against performance, score against memory.

The page's script draws it, because what is across and what is up is chosen there; here is what it draws. Values stand
in `at` by the axis's key, as (value, low, high, outer low, outer high), the last ones left out where not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from hubstats.charts.colours import FAMILY_GROUP
from hubstats.charts.frame import Range
from hubstats.charts.text import short

At = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """One measure that may be across or up."""

    key: str
    label: str
    title: str
    """What stands at the axis."""
    better: Literal["less", "more", ""] = ""
    """Which way is better; empty: neither, so no frontier."""
    unit: str = ""
    log: bool = False
    zero_line: bool = False
    """The horizontal at 0 means something."""
    floor: float | None = None
    """Least value drawn; what lies below is counted in words, or the rest would be squeezed."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark: a technique, or a run."""

    name: str
    """Its label."""
    key: str
    """Marks of one key are of one technique: the best of them is labelled."""
    family: str
    """Colour: token of the palette."""
    at: Mapping[str, At]
    hover: str
    """Escaped, one line a `<br>`."""
    own: bool = False
    """Our own run: a diamond; a published one is a circle."""
    size: float | None = None
    """Bytes of peak memory; the mark's area is proportional to it. None: hollow, size unknown."""
    emphasis: bool = False
    """Drawn in ink and labelled first."""
    strong: bool = False
    """Its label is bold."""
    rank: float = 0.0
    """Who is labelled when not all labels fit: the higher first."""
    unseen: bool = False
    """Its share is not known, only that nobody was seen using it: it stands in a strip beside the axis."""
    id: str | None = None
    """Of its share, as `hubstats explain` takes it."""
    run: str | None = None
    """Of its run, likewise."""
    chance: Mapping[str, float] = field(default_factory=dict)
    """Probability of being on the frontier: of the score and the axis with this key, or of the two keys joined by +."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Marks, and the measures that may be across and up; the first of each is drawn unless another is chosen."""

    marks: list[Mark]
    across: list[Axis]
    up: list[Axis]
    alt: str
    """The chart in one sentence, for those who do not see it."""
    strip: str = ""
    """Heads the strip of the unseen."""
    path: bool = False
    """Joins the marks that no other beats both ways."""
    limit: str = ""
    """Key of the axis that the reader may set a limit of; empty: none."""

    def for_script(self) -> dict[str, Any]:
        """As the page's script reads it: of a mark only what is not the usual."""
        usual: dict[str, Any] = {
            "own": False,
            "emphasis": False,
            "strong": False,
            "unseen": False,
            "id": None,
            "run": None,
            "chance": {},
        }
        marks = [
            {name: value for name, value in asdict(mark).items() if name not in usual or value != usual[name]}
            for mark in self.marks
        ]
        return {**asdict(replace(self, marks=[])), "marks": marks}


def family_token(family: str) -> str:
    """Colour of a technique family."""
    return FAMILY_GROUP.get(family, "other")


def mark_name(name: str) -> str:
    """A name as it labels a mark."""
    return short(name)


def at(value: Range | float | None, scale: float = 1.0) -> At:
    """Value and intervals as a mark has them, in six digits; what is not known at the end is left out."""
    if not isinstance(value, Range):
        value = Range(value)
    ends = (value.value, *value.inner, *value.outer)
    found = [None if end is None else _six(end * scale) for end in ends]
    while len(found) > 1 and found[-1] is None:
        found.pop()
    return tuple(found)


def _six(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
