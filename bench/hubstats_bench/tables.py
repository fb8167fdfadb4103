"""Rows for people: what has been run, what was tried, what the results tell. Plain values, in the order shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from hubstats_bench.compare import Comparison, Contest
from hubstats_bench.result import Stored
from hubstats_bench.tune import Tuned

Row = dict[str, Any]
SHOWN = (
    *("answer_nll", "token_accuracy", "test_accuracy", "forgetting", "step_time", "trainable_parameters"),
    *("train_operations_share", "decode_bandwidth_share"),
)
RELOAD = {1.0: "equal", 0.0: "DIFFERS"}


def results(found: Iterable[Stored]) -> list[Row]:
    """One row a result; trials are left to `trials`."""
    return [
        {
            "task": each.task,
            "experiment": each.experiment,
            "seed": each.seed,
            "rate": None if each.role == "base" else each.learning_rate,
            "status": each.status,
            **{name: each.values.get(name) for name in SHOWN},
            "reload": RELOAD.get(each.values.get("reload_equal", -1.0), ""),
            "message": each.message[:80],
        }
        for each in found
        if each.purpose != "trial"
    ]


def trials(found: Iterable[Stored]) -> list[Row]:
    """One row a trial, those of one experiment together, by length and rate."""
    ordered = sorted(found, key=lambda each: (each.task, each.experiment, each.steps, each.learning_rate))
    return [
        {
            "task": each.task,
            "experiment": each.experiment,
            "steps": each.steps,
            "rate": each.learning_rate,
            "status": each.status,
            "heldout_nll": each.values.get("answer_nll"),
            "message": each.message[:80],
        }
        for each in ordered
        if each.purpose == "trial"
    ]


def tuned(found: Sequence[Tuned]) -> list[Row]:
    """One row a setting: the rate that was found."""
    return [
        {
            "experiment": each.setting.experiment,
            "trials": each.tried,
            "rate": each.rate,
            "heldout_nll": each.last.get(each.rate) if each.rate is not None else None,
            "note": each.note,
        }
        for each in found
    ]


def standings(contest: Contest) -> list[Row]:
    """One row an entrant, best first."""
    return [
        {"measure": contest.measure, "place": place, **asdict(standing)}
        for place, standing in enumerate(contest.standings, start=1)
    ]


def pairs(contest: Contest) -> list[Row]:
    """One row for every two entrants."""
    return [
        {
            "measure": contest.measure,
            "one": one,
            "other": other,
            "difference": each.mean,
            "low": each.low,
            "high": each.high,
            "standard_error": each.error,
            "degrees": each.degrees,
            "p": each.p,
            "p_holm": p,
            "seeds_known": each.seeds_known,
        }
        for one, other, each, p in contest.pairs
    ]


def rates(found: Comparison) -> list[Row]:
    """One row an experiment whose learning rate was sought: the band of rates near the best."""
    rows = []
    for each in found.sensitivities:
        band = each.band
        row: Row = {"experiment": each.experiment, "steps": each.steps, "tried": each.tried, "lost": each.lost}
        row |= dict.fromkeys(("best", "heldout_nll", "low", "high", "decades", "at_least"))
        if band is not None:
            row |= {"best": band.best, "heldout_nll": band.nll, "low": band.low, "high": band.high}
            row |= {"decades": band.decades, "at_least": band.open_low or band.open_high}
        rows.append(row)
    return rows


def refused(found: Comparison) -> list[Row]:
    """One row a run that is compared with nothing."""
    return [{"run": name, "reason": reason} for name, reason in found.refused]
