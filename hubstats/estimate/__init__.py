"""From what the store holds to figures with intervals.

interval    the Wilson interval, for every share hubstats shows
survey      one share from a stratified sample of items that belong to authors
population  which items make which population, by which rule: the shares

Each part is a module with INPUTS (names of the inputs/*.sql whose rows it works on), TABLES (classes of the records it
makes, each a table of its own) and `estimate(frames, registry)`, a pure function from the one to the other.

    frames = {name: store.frame(read_input(name)) for name in INPUTS}
    made = estimate_all(frames, registry)      # Estimate -> its records, NotEstimated -> what could not be made, ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from hubstats.estimate import population
from hubstats.estimate.interval import add_intervals, wilson_interval
from hubstats.estimate.survey import Design, Share, Target, estimate_shares
from hubstats.records import Record
from hubstats.techniques import Registry

if TYPE_CHECKING:
    import polars as pl


class Part(Protocol):
    """One kind of figure."""

    INPUTS: tuple[str, ...]
    TABLES: tuple[type[Record], ...]

    def estimate(self, frames: Mapping[str, pl.DataFrame], registry: Registry) -> Iterator[Record]:
        """Records of TABLES. Deterministic; no number in them is NaN or infinite."""
        ...


PARTS: tuple[Part, ...] = (population,)

INPUTS = tuple(dict.fromkeys(name for part in PARTS for name in part.INPUTS))

TABLES = tuple(dict.fromkeys(table for part in PARTS for table in part.TABLES))


def estimate_all(frames: Mapping[str, pl.DataFrame], registry: Registry) -> dict[type[Record], list[Record]]:
    """Every figure that the rows of `INPUTS` allow, by table; a table without rows is there, empty."""
    made: dict[type[Record], list[Record]] = {table: [] for table in TABLES}
    for part in PARTS:
        for record in part.estimate(frames, registry):
            made[type(record)].append(record)
    return made


__all__ = [
    "INPUTS",
    "PARTS",
    "TABLES",
    "Design",
    "Part",
    "Share",
    "Target",
    "add_intervals",
    "estimate_all",
    "estimate_shares",
    "wilson_interval",
]
