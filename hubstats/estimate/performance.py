"""What runs show of performance: who is level with the best, who is on the frontier, which published figures hold.

runs says which runs may be compared and how their scores scatter, standing who is tied with the best, frontier who is
on it with which probability, claims which published figures the newest results still bear out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hubstats.estimate.claims import checked
from hubstats.estimate.frontier import of_contest
from hubstats.estimate.runs import INPUT, contests, judged
from hubstats.estimate.standing import standings
from hubstats.records import Frontier, NotEstimated, PublishedClaim, Record, RunStanding
from hubstats.techniques import Registry

if TYPE_CHECKING:
    import polars as pl

INPUTS: tuple[str, ...] = (INPUT,)
TABLES: tuple[type[Record], ...] = (RunStanding, Frontier, PublishedClaim, NotEstimated)


def estimate(frames: Mapping[str, pl.DataFrame], registry: Registry) -> Iterator[Record]:
    """Standing of each run, frontier of each contest and cost, each published claim; and what could not be said."""
    frame = judged(frames[INPUT])
    held = list(contests(frame))
    yield from standings(frame, held)
    for contest in held:
        yield from of_contest(contest)
    yield from checked(frame, held)
