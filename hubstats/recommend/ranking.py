"""From rows of settings and capabilities to the answer: who fits, who is level, what is not known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from hubstats.errors import ConfigError
from hubstats.estimate.standing import critical, criticals
from hubstats.quantities import shortened
from hubstats.recommend.advice import Advice, Asked, Choice, Contest, Excluded, Place
from hubstats.techniques import capabilities as probed

if TYPE_CHECKING:
    import polars

Row = dict[str, Any]
Key = tuple[str, str, str | None, str]
"""Of a contest: origin, task, base model, metric."""

OWN = "own"
ACCURACY = "test_accuracy"
TASKS: Mapping[str, tuple[str, ...]] = {
    "math": ("MetaMathQA", "metamathqa", "gsm8k"),
    "image": ("image-gen",),
}
"""Kinds of task; the name of a task in the file is as good."""

NEAREST = 5
"""Techniques shown of those that miss a limit by little, where none fits."""

UNSURE = (
    "How far these scores scatter is not known (nothing was repeated, or how many questions were asked is not said): "
    "who is level with the best cannot be told, and the order is that of scores."
)
THESE_RUNS = (
    "Memory and time are those of these runs: this base model, batch and hardware. A smaller model, gradient "
    "checkpointing or a quantised base need less; by how much was not measured here."
)
NO_RUNS = "The file holds no fine-tuning runs: hubstats crawl snapshot brings the published ones."
NO_CAPABILITIES = "The file holds no capabilities: any hubstats crawl or hubstats estimate brings them."


def recommend(settings: polars.DataFrame, capabilities: polars.DataFrame, asked: Asked) -> Advice:
    """Advice from the answers to settings_with_costs and capabilities; own runs last.

    Raises ConfigError for a task that the file has no runs of, with near misses.
    """
    contests = grouped(settings)
    wanted = _tasks(asked.task, {task for _, task, _, _ in contests})
    known = {(row["technique"], row["capability"]): row for row in capabilities.iter_rows(named=True)}
    versions = {(row["library"], row["library_version"], row["asked_on"]) for row in known.values()}
    library = max(versions, default=None, key=str)
    notes = []
    if not contests:
        notes.append(NO_RUNS)
    if asked.needs and not known:
        notes.append(NO_CAPABILITIES)
    return Advice(
        asked,
        tuple(
            _contest(key, rows, known, asked) for key, rows in contests.items() if wanted is None or key[1] in wanted
        ),
        None if library is None else f"{library[0]} {library[1]}",
        None if library is None else library[2],
        tuple(notes),
    )


def grouped(settings: polars.DataFrame) -> dict[Key, list[Row]]:
    """Rows of settings_with_costs by contest, in the order of the answer; references such as full fine-tuning apart."""
    groups: dict[Key, list[Row]] = {}
    for row in settings.iter_rows(named=True):
        if row["kind"] != "baseline":
            groups.setdefault((row["origin"], row["task"], row["model_id"], row["metric"]), []).append(row)
    order = sorted(groups, key=lambda key: (key[0] == OWN, key[3] != ACCURACY, str(key)))
    return {key: groups[key] for key in order}


def critical_values(rows: Sequence[Row], most: int) -> list[float | None]:
    """Critical values for 0, 1, ... `most` rivals among the settings of a contest; all None where a variance is not
    known: who is level cannot be said then."""
    spread = _spread(rows)
    return [None] * (most + 1) if spread is None else list(criticals(most, *spread))


def _critical(rows: Sequence[Row], rivals: int) -> float | None:
    spread = _spread(rows)
    return None if spread is None else critical(rivals, *spread)


def _spread(rows: Sequence[Row]) -> tuple[float, float] | None:
    """The weight and degrees, among all settings of the contest, that give the largest critical value: safe for
    whatever fits. None where a variance is not known."""
    if not rows or any(
        row["variance"] is None or (row["metric"] == ACCURACY and row["question_error"] is None) for row in rows
    ):
        return None
    variances = [row["variance"] for row in rows]
    largest = max(variances)
    weight = min((value / (value + largest) for value in variances if value + largest > 0), default=0.5)
    # Of a pair: (v + w)^2 / (v^2 / f + w^2 / g) is at least the smaller of f and g.
    degrees = min((row["degrees"] for row in rows if row["degrees"] is not None), default=math.inf)
    return weight, degrees


def _tasks(asked: str | None, there: set[str]) -> set[str] | None:
    if asked is None or not there:
        return None
    folded = {name.casefold(): name for name in there}
    if asked.casefold() in TASKS:
        found = {name for name in TASKS[asked.casefold()] if name in there}
        if not found:
            raise ConfigError(f"the file has no runs of {asked.casefold()} tasks; it has {', '.join(sorted(there))}")
        return found
    if asked.casefold() in folded:
        return {folded[asked.casefold()]}
    every = [*TASKS, *sorted(there)]
    close = get_close_matches(asked.casefold(), [name.casefold() for name in every], n=2, cutoff=0.5)
    near = [next(name for name in every if name.casefold() == match) for match in close]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(every)}"
    raise ConfigError(f"there is no task '{shortened(asked)}'; {hint}")


def _contest(key: Key, rows: Sequence[Row], known: Mapping[tuple[str, str], Row], asked: Asked) -> Contest:
    techniques: dict[str, list[Row]] = {}
    for row in rows:
        techniques.setdefault(row["technique"], []).append(row)
    fits: list[tuple[Row, Choice]] = []
    perhaps: list[Choice] = []
    excluded, able = [], set()
    for technique, runs in techniques.items():
        cannot, can, unknown = _needs(technique, known, asked.needs)
        within = [row for row in runs if not _over(row, asked)]
        if not cannot:
            able.add(technique)
        if cannot or not within:
            shown = max(runs, key=_by_score) if within else min(runs, key=lambda row: _excess(row, asked))
            excluded.append(_excluded(shown, (*cannot, *_over(shown, asked)) if not within else cannot))
            continue
        sure = [row for row in within if not _unmeasured(row, asked)]
        row = max(sure or within, key=_by_score)
        missing = (*unknown, *_unmeasured(row, asked))
        choice = _choice(row, len(runs), can, missing)
        if missing:
            perhaps.append(choice)
        else:
            fits.append((row, choice))
    ranked = _ranked(fits, _critical(rows, len(fits) - 1) if fits else None)
    best = max((choice.score for choice in ranked), default=None)
    maybe = sorted(perhaps, key=lambda choice: (-choice.score, choice.technique))
    if best is not None:
        maybe = [replace(choice, behind=best - choice.score) for choice in maybe]
    missed = [one for one in excluded if one.technique in able]
    missed.sort(key=lambda one: (_excess_of(one.memory, one.time, asked), -one.score, one.technique))
    return Contest(
        *key,
        hardware=tuple(sorted({row["accelerator"] for row in rows if row["accelerator"]})),
        settings=len(rows),
        newest=_day(max((row["as_of"] for row in rows if row["as_of"]), default=None)),
        fits=tuple(ranked),
        perhaps=tuple(maybe),
        excluded=tuple(sorted(excluded, key=lambda one: (-one.score, one.technique))),
        nearest=() if fits or perhaps else tuple(_nearest(missed)),
        notes=tuple(_notes(ranked, asked)),
    )


def _nearest(missed: Sequence[Excluded]) -> list[Excluded]:
    """Of those that miss a limit, the least first: each that scores more than all that miss it by less."""
    kept: list[Excluded] = []
    for one in missed:
        if not kept or one.score > kept[-1].score:
            kept.append(one)
    return kept[:NEAREST]


def _needs(
    technique: str, known: Mapping[tuple[str, str], Row], needs: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(what it cannot, what it can, what is not known) of the needs, as sentences that say how it is known."""
    cannot, can, unknown = [], [], []
    for need in needs:
        name, row = probed.find(need).name, known.get((technique, need))
        if row is None:
            unknown.append(f"{name}: not asked of this technique")
        elif row["able"] is None:
            unknown.append(f"{name}: {row['detail']}")
        elif row["able"]:
            can.append(f"{name}: yes ({row['label']}: {row['detail']})")
        else:
            cannot.append(f"{name}: no ({row['label']}: {row['detail']})")
    return tuple(cannot), tuple(can), tuple(unknown)


def _over(row: Row, asked: Asked) -> list[str]:
    said = []
    if asked.max_memory is not None and row["peak_memory"] is not None and row["peak_memory"] > asked.max_memory:
        said.append(f"needed {gigabytes(row['peak_memory'])}, over {gigabytes(asked.max_memory)}")
    if asked.max_time is not None and row["train_time"] is not None and row["train_time"] > asked.max_time:
        said.append(f"took {minutes(row['train_time'])}, over {minutes(asked.max_time)}")
    return said


def _unmeasured(row: Row, asked: Asked) -> list[str]:
    said = []
    if asked.max_memory is not None and row["peak_memory"] is None:
        said.append("memory: not measured")
    if asked.max_time is not None and row["train_time"] is None:
        said.append("training time: not measured")
    return said


def _excess(row: Row, asked: Asked) -> float:
    return _excess_of(row["peak_memory"], row["train_time"], asked)


def _excess_of(memory: float | None, time: float | None, asked: Asked) -> float:
    """By how large a factor the limit is missed that is missed most."""
    pairs = ((memory, asked.max_memory), (time, asked.max_time))
    return max((value / limit for value, limit in pairs if value is not None and limit is not None), default=0.0)


def _by_score(row: Row) -> float:
    # Rows come by score and then name, and max takes the first of equals.
    return float(row["score"])


def _choice(row: Row, settings: int, can: tuple[str, ...], unknown: tuple[str, ...]) -> Choice:
    return Choice(
        technique=row["technique"],
        name=row["name"],
        family=row["family"],
        place="unknown",
        score=row["score"],
        low=row["low"],
        high=row["high"],
        behind=0.0,
        memory=row["peak_memory"],
        time=row["train_time"],
        total_time=row["total_time"],
        size=row["checkpoint_size"],
        hardware=row["accelerator"],
        experiment=row["experiment"],
        learning_rate=row["learning_rate"],
        settings=settings,
        explain=row["standing_id"],
        run_on=_day(row["as_of"]),
        can=can,
        unknown=unknown,
    )


def _excluded(row: Row, reasons: Iterable[str]) -> Excluded:
    return Excluded(row["technique"], row["name"], tuple(reasons), row["score"], row["peak_memory"], row["train_time"])


def _ranked(fits: Sequence[tuple[Row, Choice]], limit: float | None) -> list[Choice]:
    """Level with the best first, the least memory first among them; then the others by score."""
    if not fits:
        return []
    best = max(row["score"] for row, _ in fits)
    places = level_with_best([row for row, _ in fits], limit)
    made = [
        replace(choice, place=place, behind=best - choice.score)
        for (_, choice), place in zip(fits, places, strict=True)
    ]

    def order(choice: Choice) -> tuple[Any, ...]:
        if choice.place == "level":
            memory = math.inf if choice.memory is None else choice.memory
            return 0, memory, choice.time or math.inf, -choice.score, choice.technique
        return 1, -choice.score, choice.technique

    return sorted(made, key=order)


def level_with_best(rows: Sequence[Row], limit: float | None) -> list[Place]:
    """For each row whether it may be the best of them, `limit` being the critical value for as many rivals."""
    if limit is None:
        return ["unknown"] * len(rows)
    places: list[Place] = []
    for row in rows:
        lead = max(_lead(other, row) for other in rows)
        places.append("level" if lead <= limit else "behind")
    return places


def _lead(other: Row, row: Row) -> float:
    ahead = other["score"] - row["score"]
    if ahead <= 0:
        return 0.0
    spread = math.sqrt(other["variance"] + row["variance"])
    return float(ahead / spread) if spread > 0 else math.inf


def _notes(fits: Sequence[Choice], asked: Asked) -> Iterable[str]:
    if any(choice.place == "unknown" for choice in fits):
        yield UNSURE
    if asked.max_memory is not None or asked.max_time is not None:
        yield THESE_RUNS


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def gigabytes(size: float) -> str:
    """Bytes as decimal gigabytes, for a sentence."""
    return f"{size / 1e9:.1f} GB"


def minutes(seconds: float) -> str:
    """Seconds as minutes, for a sentence."""
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
