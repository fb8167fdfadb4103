"""How many adapters there are, those that no source shows included; and what a dump has of the census.

Two sources that find adapters independently tell how many both miss: if one shows 80% of what the other shows, it
shows 80% of all. With `both`, only_source (b) and only_other (c) repositories, Chapman's estimator (1951, University
of California Publications in Statistics 1:131-160)

    N = (both + b + 1) (both + c + 1) / (both + 1) - 1

has a bias below 2% of N once `both` is 7 or more (Robson and Regier 1964, Transactions of the American Fisheries
Society 93:215-226); below that nothing is said. The interval is the transformed logit one (Sadinle 2009,
Communications in Statistics - Simulation and Computation 38:1909-1924):

    both + b + c - 1/2 + (b + 1/2) (c + 1/2) / (both + 1/2) * exp(+- z s),
    s^2 = 1 / (both + 1/2) + 1 / (b + 1/2) + 1 / (c + 1/2) + (both + 1/2) / ((b + 1/2) (c + 1/2))

which never falls below what was seen. It takes repositories as caught one by one. Those of one author come together,
so s^2 is multiplied with the overdispersion c-hat (Lebreton, Burnham, Clobert and Anderson 1992, Ecological
Monographs 62:67-118), here the variance of log(b c / both) with authors as clusters over that without,

    sum over authors of (b_i / b + c_i / c - both_i / both)^2  /  (1 / b + 1 / c + 1 / both),   at least 1.

No maintained Python library has these; R's recapr and Rcapture do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hubstats.records import FrameCoverage, NotEstimated, PopulationSize, Record
from hubstats.techniques import Registry

if TYPE_CHECKING:
    import polars as pl

INPUTS: tuple[str, ...] = ("captures", "frame_coverage")
TABLES: tuple[type[Record], ...] = (PopulationSize, FrameCoverage, NotEstimated)

LEAST_BOTH = 7
"""Repositories in both sources below which the estimator's own bias matters."""

ASSUMPTIONS = (
    "assumes that being in one source says nothing about being in the other, that all repositories are equally easy "
    "to find in at least one of them, that none came or went between the two, and that ids match. Public repositories "
    "with a card are easier to find in both, which makes the number too low: take it as a lower bound. "
    "Repositories deleted or renamed between the two make it too high"
)
SAMPLED = "of the hub, the repositories drawn into the sample are the first source, so that its own finds are by chance"


@dataclass(frozen=True, slots=True)
class Population:
    """Repositories in all, with the 95% interval."""

    estimate: float
    low: float
    high: float


def chapman(
    both: int, only_one: int, only_other: int, overdispersion: float = 1.0, confidence: float = 0.95
) -> Population:
    """Size of the population that two sources were drawn from; what they showed <= low <= estimate <= high.

    Raises ValueError for a negative count, an overdispersion below 1 and a confidence outside (0, 1).
    """
    from math import exp, inf, sqrt

    from scipy.special import ndtri

    if min(both, only_one, only_other) < 0 or not 1 <= overdispersion < inf or not 0 < confidence < 1:
        raise ValueError(f"{both}, {only_one}, {only_other} at {overdispersion} are no captures")
    estimate = (both + only_one + 1) * (both + only_other + 1) / (both + 1) - 1
    m, b, c = both + 0.5, only_one + 0.5, only_other + 0.5
    spread = sqrt(overdispersion * (1 / m + 1 / b + 1 / c + m / (b * c)))
    reach = exp(min(float(ndtri(0.5 + confidence / 2)) * spread, 500.0))
    seen = both + only_one + only_other
    unseen = b * c / m
    return Population(
        estimate, max(seen, min(seen - 0.5 + unseen / reach, estimate)), max(estimate, seen - 0.5 + unseen * reach)
    )


def estimate(frames: Mapping[str, pl.DataFrame], registry: Registry) -> Iterator[Record]:
    """A PopulationSize for each pair of sources and technique that overlap enough, and the dump's coverage."""
    few: dict[tuple[str, str], list[str]] = {}
    for row in frames["captures"].iter_rows(named=True):
        if row["in_both"] >= LEAST_BOTH:
            yield _population(row)
        elif row["technique"] is None:
            reason = f"{row['in_both']} adapters are in both sources; {LEAST_BOTH} are the least to estimate from"
            yield NotEstimated(_pair(row), "population", row["rule"], reason)
        else:
            few.setdefault((_pair(row), row["rule"]), []).append(row["technique"])
    for (pair, rule), techniques in few.items():
        reason = f"fewer than {LEAST_BOTH} adapters are in both sources of: {', '.join(techniques)}"
        yield NotEstimated(pair, "population by technique", rule, reason)
    yield from (_coverage(row) for row in frames["frame_coverage"].iter_rows(named=True))


def _pair(row: Mapping[str, Any]) -> str:
    return f"{row['source']}+{row['other_source']}"


def _overdispersion(row: Mapping[str, Any]) -> float:
    m, b, c = (row[name] + 0.5 for name in ("in_both", "only_source", "only_other"))
    together = (
        row["source_squared"] / b**2
        + row["other_squared"] / c**2
        + row["both_squared"] / m**2
        + 2 * row["source_other"] / (b * c)
        - 2 * row["both_source"] / (b * m)
        - 2 * row["both_other"] / (c * m)
    )
    return float(max(1.0, together / (1 / m + 1 / b + 1 / c)))


def _population(row: Mapping[str, Any]) -> PopulationSize:
    overdispersion = _overdispersion(row)
    size = chapman(row["in_both"], row["only_source"], row["only_other"], overdispersion)
    notes = [ASSUMPTIONS] if row["source"] != "hub" or row["rule"] == "listing" else [SAMPLED, ASSUMPTIONS]
    return PopulationSize(
        population_id=f"population/{_pair(row)}/{row['rule']}/{row['technique'] or 'all'}",
        source=row["source"],
        other_source=row["other_source"],
        rule=row["rule"],
        technique=row["technique"],
        in_both=row["in_both"],
        only_source=row["only_source"],
        only_other=row["only_other"],
        estimate=size.estimate,
        low=size.low,
        high=size.high,
        overdispersion=overdispersion,
        created_before=_utc(row["created_before"]),
        method="Chapman's estimator; transformed logit interval (Sadinle), overdispersion by author",
        as_of=_utc(row["as_of"]),
        caveat="; ".join(notes),
    )


def _coverage(row: Mapping[str, Any]) -> FrameCoverage:
    census = row["in_both"] + row["only_census"]
    notes = ["in the dump only: deleted or made private since, or outside of what the listing walked"]
    if row["dump_as_of"] is None:
        notes.append("the dump has no creation dates, so that repositories newer than it count as lacking")
    return FrameCoverage(
        coverage_id=f"coverage/dump/hub/{row['unit']}",
        source="dump",
        census="hub",
        unit=row["unit"],
        in_both=row["in_both"],
        only_source=row["only_dump"],
        only_census=row["only_census"],
        covered=row["in_both"] / census if census else None,
        created_before=_utc(row["created_before"]),
        source_as_of=_utc(row["dump_as_of"]),
        census_as_of=_utc(row["census_as_of"]),
        method="repositories matched by id, created by the day of the older of the two",
        caveat="; ".join(notes),
    )


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
