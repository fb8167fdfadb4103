"""From what the store holds to shares with intervals.

interval    the Wilson interval, for every share hubstats shows
survey      one share from a stratified sample of items that belong to authors
population  which items make which population, by which rule; all estimates of a file

    frames = {name: store.frame(read_input(name)) for name in INPUTS}
    made = estimate_all(frames, registry)      # made.rows are records for the table, made.skipped says what is not
"""

from __future__ import annotations

from hubstats.estimate.interval import add_intervals, wilson_interval
from hubstats.estimate.population import INPUTS, Estimates, Skipped, estimate_all
from hubstats.estimate.survey import Design, Share, Target, estimate_shares

__all__ = [
    "INPUTS",
    "Design",
    "Estimates",
    "Share",
    "Skipped",
    "Target",
    "add_intervals",
    "estimate_all",
    "estimate_shares",
    "wilson_interval",
]
