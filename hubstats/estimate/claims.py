"""What others published about performance, checked against the newest imported results.

A printed figure says its value to half a unit of its last digit: 53.2% is anything from 53.15% to 53.25%. It is

    current        the newest result of that experiment rounds to it
    superseded     an earlier result does, the newest one does not: by which run, of when
    unconfirmed    no result in the file ever rounds to it
    not checkable  the file holds no result of that experiment with that metric

and a statement about the frontier is current where today's results still bear it out, else superseded. GB is 10^9
bytes and GiB 2^30, whatever the text printed. A metric that was redefined has another name since, so that results
before and after are never compared: forgetting_before_fix is PEFT's forgetting before 2026-07-14.

The list is hubstats/snapshot/claims.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubstats.errors import ConfigError
from hubstats.estimate.frontier import frontier
from hubstats.estimate.runs import Contest
from hubstats.records import NotEstimated, PublishedClaim, Record

if TYPE_CHECKING:
    import polars as pl

LIST = Path(__file__).parent.parent / "snapshot" / "claims.toml"
ORIGIN = "peft-method-comparison"
"""Whose results the claims are checked against."""

UNITS = {"%": Decimal("0.01"), "1": Decimal(1), "nats": Decimal(1), "GB": Decimal(10**9), "GiB": Decimal(2**30)}
RULES = ("on_frontier", "off_frontier", "dominates")

REDEFINED = {
    "forgetting_before_fix": "as computed before 2026-07-14",
    "forgetting": "as computed since 2026-07-14 (PEFT pull request 3419)",
}
"""Metrics that exist in two versions."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One published figure or statement; fields as in claims.toml."""

    claim_id: str
    origin: str
    url: str
    published_on: str
    says: str
    task: str
    metric: str
    experiment: str | None = None
    technique: str | None = None
    other: str | None = None
    cost: str | None = None
    rule: str = "value"
    printed: str | None = None
    unit: str | None = None
    note: str | None = None

    @property
    def value(self) -> float | None:
        """The printed figure in our unit: a share, bytes, ..."""
        return None if self.printed is None else float(Decimal(self.printed) * UNITS[self.unit or "1"])

    @property
    def rounding(self) -> float:
        """Half a unit of the last printed digit, in our unit; with a hair for the rounding of binary fractions."""
        exponent = Decimal(self.printed or "0").as_tuple().exponent
        last = Decimal(1).scaleb(int(exponent)) * UNITS[self.unit or "1"]
        return float(last / 2) * (1 + 1e-9)


@lru_cache(maxsize=4)
def read_claims(path: Path = LIST) -> tuple[Claim, ...]:
    """The list of claims. Raises ConfigError, naming the claim, where one cannot be checked as it is written."""
    claims = []
    for publication in tomllib.loads(path.read_text(encoding="utf-8"))["publication"]:
        for entry in publication["claim"]:
            entry = dict(entry)
            name = f"claim/{publication['origin']}/{entry.pop('key', '?')}"
            try:
                claim = Claim(name, publication["origin"], publication["url"], publication["published_on"], **entry)
                fits = (claim.rule == "value") == (claim.printed is not None) and (claim.unit or "1") in UNITS
                if not fits or (claim.rule != "value" and (claim.rule not in RULES or claim.cost is None)):
                    raise ValueError("needs printed and a known unit, or a rule and a cost")
                if claim.value is not None and claim.experiment is None:
                    raise ValueError("needs an experiment")
            except (TypeError, ValueError, ArithmeticError) as error:
                raise ConfigError(f"{path.name}: {name}: {error}") from error
            claims.append(claim)
    twice = {claim.claim_id for claim in claims if [other.claim_id for other in claims].count(claim.claim_id) > 1}
    if twice:
        raise ConfigError(f"{path.name}: {', '.join(sorted(twice))} stands there twice")
    return tuple(claims)


def checked(frame: pl.DataFrame, held: Iterable[Contest]) -> Iterator[Record]:
    """One PublishedClaim a claim, against the rows of `runs.judged` and their contests.

    A NotEstimated instead of all where the file holds no published result, and nothing where it holds no result.
    """
    import polars as pl

    if not frame.height:
        return
    runs = frame.filter(pl.col("origin") == ORIGIN)
    if not runs.height:
        why = "the file holds no published result to check claims against; run hubstats crawl snapshot"
        yield NotEstimated(ORIGIN, "claims", "published_claim", why)
        return
    published = [contest for contest in held if contest.origin == ORIGIN]
    for claim in read_claims():
        yield _check_value(claim, runs) if claim.rule == "value" else _check_frontier(claim, published)


def _check_value(claim: Claim, runs: pl.DataFrame) -> PublishedClaim:
    """The record of a printed figure."""
    import polars as pl

    column = "score" if claim.metric in ("test_accuracy", "similarity") else claim.metric
    found = runs.filter(
        (pl.col("task") == claim.task) & (pl.col("experiment") == claim.experiment) & pl.col(column).is_not_null()
    )
    if column == "score":
        found = found.filter(pl.col("metric") == claim.metric)
    if not found.height:
        return _record(claim, "not checkable", caveat=f"no result of it with {claim.metric} is in the file")
    rows = found.select("run_id", "created_at", "is_current", pl.col(column).alias("value")).to_dicts()
    wanted = claim.value or 0.0
    matching = [row for row in rows if abs(row["value"] - wanted) <= claim.rounding]
    now = next((row for row in reversed(rows) if row["is_current"]), None)
    if now is not None and now in matching:
        return _record(claim, "current", matched=now, now=now)
    state = "superseded" if matching else "unconfirmed"
    matched = matching[-1] if matching else None
    if now is not None:
        caveat = None if matching else "no result in the file ever rounds to the printed figure"
        return _record(claim, state, matched=matched, now=now, by=now if matching else None, caveat=caveat)
    newer = runs.filter(
        (pl.col("task") == claim.task) & (pl.col("experiment") == claim.experiment) & pl.col("is_current")
    ).to_dicts()
    if newer:
        caveat = f"the newest result has no {claim.metric}: no value of today compares with it"
        return _record(claim, state, matched=matched, by=newer[-1] if matching else None, caveat=caveat)
    return _record(claim, state, matched=matched, caveat="the experiment was withdrawn: it has no result of today")


def _check_frontier(claim: Claim, held: list[Contest]) -> PublishedClaim:
    """The record of a statement about the frontier."""
    import polars as pl

    cost = claim.cost or ""
    contest = next((one for one in held if (one.task, one.metric) == (claim.task, claim.metric)), None)
    rows = contest.frame.drop_nulls(cost) if contest is not None else None
    if claim.experiment is not None:
        chosen = pl.col("experiment") == claim.experiment
    else:
        chosen = (pl.col("technique") == claim.technique) & pl.col("variant").is_null()
    mine = rows.filter(chosen).to_dicts() if rows is not None else []
    others = rows.filter(pl.col("experiment") == claim.other).to_dicts() if rows is not None and claim.other else []
    if rows is None or not mine or (claim.rule == "dominates" and not others):
        return _record(claim, "not checkable", caveat=f"no result of it with {claim.metric} and {cost} is in the file")
    if claim.rule == "dominates":
        holds = _beats(mine[0], others[0], cost)
        return _record(claim, "current" if holds else "superseded", by=None if holds else mine[0])
    on = rows.filter(frontier(rows["score"].to_numpy(), rows[cost].to_numpy()))
    edge = on.to_dicts()
    stands = [row for row in mine if row in edge]
    if claim.rule == "off_frontier":
        return _record(claim, "superseded" if stands else "current", by=stands[0] if stands else None)
    rival = next((row for row in edge if _beats(row, mine[0], cost)), None)
    return _record(claim, "current" if stands else "superseded", by=None if stands else rival)


def _beats(one: Mapping[str, Any], other: Mapping[str, Any], cost: str) -> bool:
    level = (one["score"], one[cost]) == (other["score"], other[cost])
    return bool(one["score"] >= other["score"] and one[cost] <= other[cost] and not level)


def _record(
    claim: Claim,
    state: str,
    *,
    matched: Mapping[str, Any] | None = None,
    now: Mapping[str, Any] | None = None,
    by: Mapping[str, Any] | None = None,
    caveat: str | None = None,
) -> PublishedClaim:
    return PublishedClaim(
        claim_id=claim.claim_id,
        origin=claim.origin,
        published_on=claim.published_on,
        url=claim.url,
        says=claim.says,
        rule=claim.rule,
        task=claim.task,
        experiment=claim.experiment,
        metric=claim.metric,
        metric_version=REDEFINED.get(claim.metric),
        cost_metric=claim.cost,
        printed=claim.printed,
        printed_unit=claim.unit,
        value=claim.value,
        state=state,
        matched_run=matched["run_id"] if matched else None,
        matched_on=_day(matched),
        value_now=now["value"] if now else None,
        change=now["value"] - claim.value if now and claim.value is not None else None,
        superseded_by=by["run_id"] if by else None,
        superseded_on=_day(by),
        note=claim.note,
        method="printed to half a unit of its last digit, against the results in the file"
        if claim.rule == "value"
        else "the rule of frontier, on the newest results in the file",
        caveat=caveat,
    )


def _day(row: Mapping[str, Any] | None) -> str | None:
    moment = None if row is None else row.get("created_at", row.get("as_of"))
    return moment.replace(tzinfo=UTC).date().isoformat() if isinstance(moment, datetime) else None
