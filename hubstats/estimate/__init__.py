"""From what the store holds to figures with intervals.

interval       Wilson's and Clopper and Pearson's intervals, for every share hubstats shows
survey         one share from a stratified sample of items that belong to authors
author_votes   what an author's vote is worth on each of their items
population     which items make which population, by which rule: the shares
capture        how many adapters there are, by two sources; what a dump has of the census
contrast       the difference of two shares of the same items
chain          shares from a published figure to ours, one change of rule a step
reconcile      which steps lead from each published share to ours
domain         a share among some of the items only
trend          shares by month of creation and by version of PEFT
events         what happened to tools and sites meanwhile
concentration  how much is the work of a few authors
recall         what cards name against what configs say, and the mention share corrected by it
runs           fine-tuning runs that may be compared, and how far each one's score and cost scatter
standing       which runs cannot be told from the best of their task
frontier       which runs no other beats on score and cost, and with what probability
claims         which published figures about performance still hold
performance    the four of these as one part
canonical      rows without names, in an order that follows from what they say: what every figure is made from
basis          which rows, crawl and sample stand behind the figures of each source

Each part is a module with INPUTS (names of the inputs/*.sql whose rows it works on), TABLES (classes of the records it
makes, each a table of its own) and `estimate(frames, registry)`, a pure function from the one to the other.

    frames = {name: store.frame(read_input(name)) for name in INPUTS}
    made = estimate_all(frames, registry)      # Estimate -> its records, NotEstimated -> what could not be made, ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from hubstats.estimate import capture, concentration, events, performance, population, recall, reconcile, trend
from hubstats.estimate.canonical import canonical
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


PARTS: tuple[Part, ...] = (population, capture, reconcile, trend, events, concentration, recall, performance)

INPUTS = tuple(dict.fromkeys(name for part in PARTS for name in part.INPUTS))

TABLES = tuple(dict.fromkeys(table for part in PARTS for table in part.TABLES))


def estimate_all(frames: Mapping[str, pl.DataFrame], registry: Registry) -> dict[type[Record], list[Record]]:
    """Every figure that the rows of `INPUTS` allow, by table; a table without rows is there, empty.

    The rows may come in any order, and names are replaced: neither changes a bit of a figure.
    """
    return figures(canonical(frames), registry)


def figures(rows: Mapping[str, pl.DataFrame], registry: Registry) -> dict[type[Record], list[Record]]:
    """As `estimate_all`, from rows that `canonical` made, in the order they come in."""
    made: dict[type[Record], list[Record]] = {table: [] for table in TABLES}
    for part in PARTS:
        for record in part.estimate(rows, registry):
            made[type(record)].append(record)
    return made


def inputs_of(table: type[Record]) -> tuple[str, ...]:
    """The inputs that the figures of a table are made from."""
    return tuple(dict.fromkeys(name for part in PARTS if table in part.TABLES for name in part.INPUTS))


__all__ = [
    "INPUTS",
    "PARTS",
    "TABLES",
    "Design",
    "Part",
    "Share",
    "Target",
    "add_intervals",
    "canonical",
    "estimate_all",
    "estimate_shares",
    "figures",
    "inputs_of",
    "wilson_interval",
]
