"""Which techniques fit a memory, a time and a list of needs, from measured runs and probed capabilities. Pure.

    asked = Asked.read(memory="12GB", time="1h", needs="merge,quantised", task="math")
    advice = recommend(settings, capabilities, asked)    # frames of the queries settings_with_costs and capabilities
    advice.as_json()

Scores are compared within a contest only: one origin, task, base model and metric. Of each technique the best setting
within the limits is taken. A technique is level with the best unless its lead over its standard error is beyond the
critical value of multiple comparisons with the best (hubstats.estimate.standing), at 95% for the group; in a tie the
one that takes less memory stands first. What is not known is never passed over: a technique with an unknown capability
or a cost that was not measured stands apart, with what is missing. Memory and time are those of the run, on its
hardware, with its base model and batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from hubstats.errors import ConfigError
from hubstats.estimate.standing import critical
from hubstats.techniques import capabilities as probed

if TYPE_CHECKING:
    import polars

Row = dict[str, Any]
Place = Literal["level", "behind", "unknown"]
"""Against the best of those that fit; unknown where nothing was repeated."""

OWN = "own"
TASKS: Mapping[str, tuple[str, ...]] = {
    "math": ("MetaMathQA", "metamathqa", "gsm8k"),
    "image": ("image-gen",),
}
"""Kinds of task; the name of a task in the file is as good."""

BYTES = {"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86400}
NEAREST = 3
"""Settings shown of those that miss a limit by least, where none fits."""

_MEMORY = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)")
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)\s*")


def bytes_of(text: str) -> float:
    """12GB, 12 GiB, 800MB as bytes (GB decimal, GiB binary). Raises ConfigError saying how to write it."""
    found = _MEMORY.fullmatch(text.strip().casefold())
    how = "write a memory as 12GB, 800MB or 16GiB"
    if found is None:
        raise ConfigError(f"'{_short(text)}' is no memory; {how}")
    unit = found[2] if found[2] in BYTES else f"{found[2]}b"
    if unit not in BYTES:
        raise ConfigError(f"'{_short(found[2])}' is no unit of memory{_near(found[2], BYTES)}; {how}")
    return _positive(float(found[1]) * BYTES[unit], text, how)


def seconds_of(text: str) -> float:
    """90s, 45min, 1h, 1h30m as seconds. Raises ConfigError saying how to write it."""
    rest, total, how = text.strip().casefold(), 0.0, "write a time as 45min, 1h or 1h30m"
    if not rest:
        raise ConfigError(f"'' is no time; {how}")
    while rest:
        found = _PART.match(rest)
        if found is None:
            raise ConfigError(f"'{_short(text)}' is no time; {how}")
        if found[2] not in SECONDS:
            raise ConfigError(f"'{_short(found[2])}' is no unit of time{_near(found[2], SECONDS)}; {how}")
        total, rest = total + float(found[1]) * SECONDS[found[2]], rest[found.end() :]
    return _positive(total, text, how)


def _positive(value: float, text: str, how: str) -> float:
    if not value > 0:
        raise ConfigError(f"'{_short(text)}' leaves nothing; {how}")
    return value


def _short(text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown if len(shown) <= 60 else f"{shown[:59]}\N{HORIZONTAL ELLIPSIS}"


def _near(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a technique has to fit."""

    max_memory: float | None = None
    """Bytes, at the peak of training."""
    max_time: float | None = None
    """Seconds of training."""
    needs: tuple[str, ...] = ()
    """Keys of capabilities."""
    task: str | None = None

    @classmethod
    def read(
        cls, memory: str | None = None, time: str | None = None, needs: str | None = None, task: str | None = None
    ) -> Asked:
        """As written on a command line. Raises ConfigError, with near misses, for what cannot be read."""
        wanted = [probed.find(part.strip()).key for part in (needs or "").split(",") if part.strip()]
        return cls(
            None if memory is None else bytes_of(memory),
            None if time is None else seconds_of(time),
            tuple(dict.fromkeys(wanted)),
            task.strip() if task and task.strip() else None,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """One technique at its best setting within the limits."""

    technique: str
    name: str
    family: str
    place: Place
    score: float
    low: float | None
    """95% interval of the score for other test questions; None where not known."""
    high: float | None
    behind: float
    """Score of the best that fits less this one; negative for a technique that scores more but may not fit."""
    memory: float | None
    time: float | None
    total_time: float | None
    size: float | None
    hardware: str | None
    experiment: str
    learning_rate: float | None
    settings: int
    """Settings of the technique that were run: the best of many is luckier than the best of one."""
    settings_within: int
    """Those within the limits."""
    explain: str
    """Id of its standing, for `hubstats explain`."""
    run_on: date | None
    can: tuple[str, ...] = ()
    """Needs it was shown to meet."""
    unknown: tuple[str, ...] = ()
    """What is not known of what was asked, a sentence each."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A technique that does not fit, and why."""

    technique: str
    name: str
    reasons: tuple[str, ...]
    score: float
    memory: float | None
    time: float | None


@dataclass(frozen=True, slots=True)
class Contest:
    """Advice from runs that may be compared with one another."""

    origin: str
    task: str
    model: str | None
    metric: str
    hardware: tuple[str, ...]
    runs: int
    newest: date | None
    fits: tuple[Choice, ...]
    """Level with the best first, in it the least memory first; then the others, best first."""
    perhaps: tuple[Choice, ...]
    """Within all limits that are known, with something unknown; best first."""
    excluded: tuple[Excluded, ...]
    nearest: tuple[Excluded, ...] = ()
    """Where nothing fits: those that can do what is needed and miss a limit by least."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer."""

    asked: Asked
    contests: tuple[Contest, ...]
    library: str | None
    """Name and version of the library whose capabilities were probed."""
    asked_on: date | None
    """Day they were probed."""
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Plain values: bytes, seconds, shares in [0, 1], ISO dates; null for what is not known."""
        made: dict[str, Any] = _plain(asdict(self))
        return made


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def recommend(settings: polars.DataFrame, capabilities: polars.DataFrame, asked: Asked) -> Advice:
    """Advice from the answers to settings_with_costs and capabilities; own runs last.

    Raises ConfigError for a task that the file has no runs of, with near misses.
    """
    rows = [row for row in settings.iter_rows(named=True) if row["kind"] != "baseline"]
    wanted = _tasks(asked.task, {row["task"] for row in rows})
    known = {(row["technique"], row["capability"]): row for row in capabilities.iter_rows(named=True)}
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if wanted is None or row["task"] in wanted:
            groups.setdefault((row["origin"], row["task"], row["model_id"], row["metric"]), []).append(row)
    order = sorted(groups, key=lambda key: (key[0] == OWN, key[3] != "test_accuracy", str(key)))
    versions = {(row["library"], row["library_version"], row["asked_on"]) for row in known.values()}
    library = max(versions, default=None, key=str)
    notes = []
    if not rows:
        notes.append("The file holds no fine-tuning runs: hubstats crawl snapshot brings the published ones.")
    if asked.needs and not known:
        notes.append("The file holds no capabilities: any hubstats crawl or hubstats estimate brings them.")
    return Advice(
        asked,
        tuple(_contest(key, groups[key], known, asked) for key in order),
        None if library is None else f"{library[0]} {library[1]}",
        None if library is None else library[2],
        tuple(notes),
    )


def _tasks(asked: str | None, there: set[str]) -> set[str] | None:
    if asked is None:
        return None
    folded = {name.casefold(): name for name in there}
    if asked.casefold() in TASKS:
        found = {name for name in TASKS[asked.casefold()] if name in there}
        if not found and there:
            raise ConfigError(f"the file has no runs of a {asked.casefold()} task; it has {', '.join(sorted(there))}")
        return found
    if asked.casefold() in folded:
        return {folded[asked.casefold()]}
    every = [*TASKS, *sorted(there)]
    close = get_close_matches(asked.casefold(), [name.casefold() for name in every], n=2, cutoff=0.5)
    near = [next(name for name in every if name.casefold() == match) for match in close]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(every)}"
    raise ConfigError(f"there is no task '{_short(asked)}'; {hint}")


def _contest(key: tuple[Any, ...], rows: Sequence[Row], known: Mapping[tuple[str, str], Row], asked: Asked) -> Contest:
    techniques: dict[str, list[Row]] = {}
    for row in rows:
        techniques.setdefault(row["technique"], []).append(row)
    fits: list[tuple[Row, Choice]] = []
    perhaps: list[tuple[Row, Choice]] = []
    excluded = []
    for runs in techniques.values():
        cannot, can, unknown = _needs(runs[0]["technique"], known, asked.needs)
        within = [row for row in runs if not _over(row, asked)]
        if cannot or not within:
            best = max(runs, key=_by_score)
            over = () if within else tuple(_over(min(runs, key=lambda row: _excess(row, asked)), asked))
            excluded.append(
                _excluded(best if within else min(runs, key=lambda row: _excess(row, asked)), (*cannot, *over))
            )
            continue
        sure = [row for row in within if not _unmeasured(row, asked)]
        row = max(sure or within, key=_by_score)
        missing = (*unknown, *_unmeasured(row, asked))
        choice = _choice(row, len(runs), len(within), can, missing)
        (perhaps if missing else fits).append((row, choice))
    ranked = _ranked(fits)
    best_score = max((choice.score for choice in ranked), default=None)
    maybe = sorted((choice for _, choice in perhaps), key=lambda choice: (-choice.score, choice.technique))
    if best_score is not None:
        maybe = [_placed(choice, "unknown", best_score - choice.score) for choice in maybe]
    missed = [one for one in excluded if not _needs(one.technique, known, asked.needs)[0]]
    missed.sort(key=lambda one: (_excess({"peak_memory": one.memory, "train_time": one.time}, asked), -one.score))
    return Contest(
        origin=key[0],
        task=key[1],
        model=key[2],
        metric=key[3],
        hardware=tuple(sorted({row["accelerator"] for row in rows if row["accelerator"]})),
        runs=len(rows),
        newest=_day(max((row["as_of"] for row in rows if row["as_of"]), default=None)),
        fits=tuple(ranked),
        perhaps=tuple(maybe),
        excluded=tuple(sorted(excluded, key=lambda one: (-one.score, one.technique))),
        nearest=() if fits or perhaps else tuple(missed[:NEAREST]),
        notes=tuple(_notes(rows, ranked, asked)),
    )


def _needs(
    technique: str, known: Mapping[tuple[str, str], Row], needs: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(what it cannot, what it can, what is not known) of the needs, as sentences; keys for what it can."""
    cannot, can, unknown = [], [], []
    for need in needs:
        name, row = probed.find(need).name, known.get((technique, need))
        if row is None:
            unknown.append(f"{name}: not asked of this technique")
        elif row["able"] is None:
            unknown.append(f"{name}: {row['detail']}")
        elif row["able"]:
            can.append(need)
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
    """By how large a factor a row misses the limit it misses most."""
    pairs = ((row["peak_memory"], asked.max_memory), (row["train_time"], asked.max_time))
    return max((value / limit for value, limit in pairs if value is not None and limit is not None), default=0.0)


def _by_score(row: Row) -> tuple[float, str]:
    return row["score"], row["experiment"]


def _choice(row: Row, settings: int, within: int, can: tuple[str, ...], unknown: tuple[str, ...]) -> Choice:
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
        settings_within=within,
        explain=row["standing_id"],
        run_on=_day(row["as_of"]),
        can=can,
        unknown=unknown,
    )


def _placed(choice: Choice, place: Place, behind: float) -> Choice:
    from dataclasses import replace

    return replace(choice, place=place, behind=behind)


def _excluded(row: Row, reasons: tuple[str, ...]) -> Excluded:
    return Excluded(row["technique"], row["name"], reasons, row["score"], row["peak_memory"], row["train_time"])


def _ranked(fits: Sequence[tuple[Row, Choice]]) -> list[Choice]:
    """Level with the best first, the least memory first among them; then the others by score."""
    if not fits:
        return []
    rows = [row for row, _ in fits]
    best = max(row["score"] for row in rows)
    places = level_with_best(rows, criticals(rows)[len(rows) - 1])
    made = [_placed(choice, place, best - choice.score) for (_, choice), place in zip(fits, places, strict=True)]

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


def criticals(rows: Sequence[Row]) -> list[float | None]:
    """Critical values for 0, 1, ... rivals among these rows, at the weight and degrees that give the largest.

    All None where a variance is not known: who is level cannot be said then.
    """
    if any(row["variance"] is None for row in rows) or not rows:
        return [None] * len(rows)
    variances = [row["variance"] for row in rows]
    largest = max(variances)
    weight = min((value / (value + largest) for value in variances if value + largest > 0), default=0.5)
    # Of a pair: (v + w)^2 / (v^2 / f + w^2 / g) is at least the smaller of f and g.
    degrees = min((row["degrees"] for row in rows if row["degrees"] is not None), default=math.inf)
    return [critical(rivals, weight, degrees) for rivals in range(len(rows))]


def _notes(rows: Sequence[Row], fits: Sequence[Choice], asked: Asked) -> Iterable[str]:
    if any(choice.place == "unknown" for choice in fits):
        yield "Nothing was repeated here, so who is level with the best cannot be said; the order is that of scores."
    if asked.max_memory is not None or asked.max_time is not None:
        yield (
            "Memory and time are those of these runs: this base model, batch and hardware. A smaller model, gradient "
            "checkpointing or a quantised base need less; by how much was not measured here."
        )
    if any(row["learning_rate"] is None for row in rows):
        yield "Of some runs the learning rate is not known."


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def gigabytes(size: float) -> str:
    """Bytes as decimal gigabytes, for a sentence."""
    return f"{size / 1e9:.1f} GB"


def minutes(seconds: float) -> str:
    """Seconds as minutes, for a sentence."""
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
