"""Which techniques can be told apart, from the outcomes that runs had on the same questions.

Only runs that differ in nothing but the technique and its settings are compared: one task, base model, data, length of
training and set of questions. The others are refused with the reason. Of each experiment the newest setting counts.

"Tied with best" are those that no test tells from the one with the best mean. Holm's correction runs over all pairs of
techniques, not only over those with the best: which one comes out best is chance too, and comparing all others with
the luckiest as if it had been named beforehand rejects too often (with eight equal techniques in 8 of 100 comparisons,
by simulation, where 5 are promised). So the best technique is in the group with a probability of 95%, and if all are
equal, all are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from hubstats.errors import BenchError
from hubstats_bench import rates, result
from hubstats_bench.paired import LEVEL, Difference, Floats, difference, holm, scatter
from hubstats_bench.result import Stored
from hubstats_bench.spec import Origin, RunSpec, setting_id, spec_from

MEASURES = {"answer_nll": "lower", "test_accuracy": "higher"}
"""Measures with an outcome for every question, and which is better."""
_KEYS = {"answer_nll": "nll", "test_accuracy": "correct"}


@dataclass(frozen=True, slots=True)
class Run:
    """One result with its outcomes."""

    stored: Stored
    spec: RunSpec
    outcomes: Mapping[str, Mapping[str, float]]
    """Measure -> question -> outcome."""


@dataclass(frozen=True, slots=True, eq=False)
class Entrant:
    """One setting that takes part: its runs differ in their seeds only."""

    experiment: str
    runs: tuple[Run, ...]

    @property
    def spec(self) -> RunSpec:
        """Of its first run."""
        return self.runs[0].spec


@dataclass(frozen=True, slots=True)
class Standing:
    """How one entrant did by one measure."""

    experiment: str
    technique: str | None
    role: str
    learning_rate: float | None
    trials: int
    """Learning rates that were tried for it, in this folder."""
    seeds: int
    value: float
    seed_sd: float | None
    """Standard deviation between seeds; None with one seed."""
    behind: float
    """How much worse than the best, in the measure's unit: 0 or more."""
    behind_low: float
    """95%, paired by question, of this difference alone."""
    behind_high: float
    p: float | None
    """Of the difference from the best, corrected for all pairs; None of the best itself."""
    tied: bool
    """Whether it may be as good as the best."""
    reload: str
    """equal, differs, or unchecked: whether the saved adapter is the one that was measured."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Entrants that can be compared by one measure, best first."""

    about: str
    measure: str
    questions: int
    standings: tuple[Standing, ...]
    pairs: tuple[tuple[str, str, Difference, float], ...]
    """(one, other, one minus other, corrected p) of every two."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How near the best learning rate a technique has to be trained, by trials of one length."""

    experiment: str
    steps: int
    tried: int
    lost: int
    band: rates.Band | None
    """None: every trial was lost."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the results in a folder tell."""

    contests: tuple[Contest, ...]
    sensitivities: tuple[Sensitivity, ...]
    refused: tuple[tuple[str, str], ...]
    """(run, why it is compared with nothing)."""


def compare(folder: Path, task: str | None = None, tolerance: float = rates.TOLERANCE) -> Comparison:
    """Compares all results in a folder, or those of one task.

    `tolerance`: nats per token above the best that count as near it. Raises BenchError when there are no results.
    """
    found, broken = result.stored(folder)
    refused = [("", line) for line in broken]
    wanted = [stored for stored in found if task in (None, stored.task)]
    if not wanted:
        there = ", ".join(sorted({stored.task for stored in found}))
        what = f"no results of the task {task} in {folder}" if task else f"no results in {folder}"
        raise BenchError(f"{what}{f'; there are some of {there}' if there else ': run something first'}")
    runs: list[Run] = []
    trials: list[Run] = []
    for stored in wanted:
        try:
            run = _load(stored)
        except BenchError as error:
            refused.append((_name(stored), str(error)))
            continue
        if stored.purpose == "trial":
            trials.append(run)
        elif stored.status != "success":
            refused.append((_name(stored), f"{stored.status}: {stored.message[:160]}".rstrip(": ")))
        elif not run.outcomes:
            refused.append((_name(stored), "it kept no outcomes of questions"))
        else:
            runs.append(run)
    contests: list[Contest] = []
    counted = Counter(trial.stored.experiment for trial in trials)
    for entrants, why in _groups(runs):
        if why:
            refused += [(_name(run.stored), why) for entrant in entrants for run in entrant.runs]
            continue
        entrants, stray = _same_questions(entrants)
        refused += stray
        contests += [c for measure in MEASURES if (c := _contest(entrants, measure, counted)) is not None]
    return Comparison(tuple(contests), tuple(_sensitivities(trials, tolerance)), tuple(refused))


def _load(stored: Stored) -> Run:
    document = result.read(stored.path)["hubstats"]
    spec = spec_from(document["spec"])
    outcomes: dict[str, dict[str, float]] = {measure: {} for measure in MEASURES}
    for item in document["items"]:
        try:
            for measure, key in _KEYS.items():
                value = item.get(key)
                if isinstance(value, bool | int | float) and math.isfinite(value):
                    outcomes[measure][str(item["item_id"])] = float(value)
        except (AttributeError, KeyError, TypeError, OverflowError) as error:
            raise BenchError(f"its outcomes cannot be read ({type(error).__name__}: {error})") from None
    return Run(stored, spec, {measure: values for measure, values in outcomes.items() if values})


def _name(stored: Stored) -> str:
    return f"{stored.experiment} seed {stored.seed} ({stored.run_id})"


def _terms(spec: RunSpec) -> dict[str, Any]:
    """What must be equal for a comparison to be one of techniques; None agrees with anything."""
    training, asked = spec.training, spec.evaluation
    quantised = training.dtype in ("int4", "int8")
    return {
        "task": spec.task,
        "base model": _origin(spec.model),
        "data": ", ".join(map(_origin, spec.data)),
        "questions": f"{'all' if asked.items is None else asked.items} of {asked.split}",
        "answers": "all" if asked.generate is None else asked.generate,
        "prompt": training.query_template,
        "longest row": training.max_seq_length,
        "generation": sorted((key, str(value)) for key, value in training.generation_kwargs.items()),
        # a quantised base is part of the technique; an untrained model has no length of training
        "numbers": None if quantised else training.dtype,
        "training": None if spec.role == "base" else f"{training.max_steps} steps of {training.batch_size}",
        "options": ", ".join(spec.options),
        "recipe": spec.versions.get("recipe"),
    }


def _origin(origin: Origin) -> str:
    return f"{origin.kind}:{origin.name}@{origin.revision[:12]}"


def _disagreement(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first term that differs, in words; None when none does."""
    for name, value in one.items():
        if value is not None and other[name] is not None and value != other[name]:
            return f"{name} {value!r} instead of {other[name]!r}"
    return None


def _groups(runs: Sequence[Run]) -> Iterator[tuple[list[Entrant], str]]:
    """Entrants that may be compared, and those that may not with the reason."""
    settings: dict[str, list[Run]] = {}
    for run in runs:
        settings.setdefault(setting_id(run.spec), []).append(run)
    entrants = [Entrant(group[0].spec.experiment, tuple(group)) for group in settings.values()]
    terms = {id(entrant): _terms(entrant.spec) for entrant in entrants}
    kinds: list[Mapping[str, Any]] = []
    # those that leave least open come first, so that what is open joins them
    for own in sorted(terms.values(), key=lambda own: sum(value is None for value in own.values())):
        if not any(_disagreement(own, kind) is None for kind in kinds):
            kinds.append(own)
    placed: list[Entrant] = []
    superseded: list[Entrant] = []
    contests = []
    for kind in kinds:
        newest: dict[str, Entrant] = {}
        group = [entrant for entrant in entrants if _disagreement(terms[id(entrant)], kind) is None]
        for entrant in sorted(group, key=lambda e: max(run.stored.created_at for run in e.runs)):
            if entrant.experiment in newest:
                superseded.append(newest[entrant.experiment])
            newest[entrant.experiment] = entrant
        if len(newest) > 1:
            contests.append(list(newest.values()))
            placed += newest.values()
    contests.sort(key=len, reverse=True)
    for contest in contests:
        yield contest, ""
    others = contests[0] if contests else entrants
    for entrant in entrants:
        if entrant in placed:
            continue
        if entrant in superseded:
            yield [entrant], "superseded by a newer setting of the same experiment"
            continue
        what = next((w for other in others if (w := _disagreement(terms[id(entrant)], terms[id(other)]))), None)
        yield [entrant], f"there is nothing to compare it with{f': {what}' if what else ''}"


def _same_questions(entrants: Sequence[Entrant]) -> tuple[list[Entrant], list[tuple[str, str]]]:
    """The entrants with only those runs that answered the same questions as most, and the other runs."""
    asked = Counter(frozenset(run.outcomes.get("answer_nll", ())) for entrant in entrants for run in entrant.runs)
    usual = max(asked, key=lambda ids: (asked[ids], len(ids), sorted(ids)))
    kept, stray = [], []
    for entrant in entrants:
        same = tuple(run for run in entrant.runs if run.outcomes.get("answer_nll", {}).keys() == usual)
        stray += [
            (_name(run.stored), f"its questions are others: {len(usual & run.outcomes['answer_nll'].keys())} in common")
            for run in entrant.runs
            if run not in same
        ]
        if same:
            kept.append(Entrant(entrant.experiment, same))
    return kept, stray


def _contest(entrants: Sequence[Entrant], measure: str, trials: Mapping[str, int]) -> Contest | None:
    """The comparison by one measure; None where fewer than two entrants have it, or fewer than two questions."""
    asked = [set(run.outcomes.get(measure, ())) for entrant in entrants for run in entrant.runs]
    most = max(asked, key=len)
    questions = sorted(most)
    if len(questions) < 2:
        return None
    tables: dict[str, Floats] = {}
    taking: list[Entrant] = []
    for entrant in entrants:
        outcomes = [run.outcomes.get(measure, {}) for run in entrant.runs]
        rows = [[each[question] for question in questions] for each in outcomes if each.keys() == set(questions)]
        if rows:
            tables[entrant.experiment] = np.array(rows)
            taking.append(entrant)
    if len(taking) < 2:
        return None
    sign = 1.0 if MEASURES[measure] == "lower" else -1.0
    taking.sort(key=lambda e: (sign * float(tables[e.experiment].mean()), e.experiment))
    trained = {entrant.experiment: entrant.spec.role != "base" for entrant in taking}
    couples = list(combinations([entrant.experiment for entrant in taking], 2))
    between = scatter(table for name, table in tables.items() if trained[name])
    marks = measure == "test_accuracy"
    found = [
        difference(tables[one], tables[other], between, marks=marks, trained=(trained[one], trained[other]))
        for one, other in couples
    ]
    pairs = tuple(
        (*couple, each, p) for couple, each, p in zip(couples, found, holm([d.p for d in found]), strict=True)
    )
    best = taking[0].experiment
    from_best = {other: (each, p) for one, other, each, p in pairs if one == best}
    standings = tuple(
        _standing(entrant, tables[entrant.experiment], from_best.get(entrant.experiment), sign, trials)
        for entrant in taking
    )
    about = f"{_about(taking)}, {len(questions)} questions"
    return Contest(about, measure, len(questions), standings, pairs, tuple(_notes(taking, standings, trials)))


def _about(entrants: Sequence[Entrant]) -> str:
    terms = _terms(next((e for e in entrants if e.spec.role != "base"), entrants[0]).spec)
    return f"{terms['task']} on {terms['base model']}, {terms['training'] or 'untrained'}"


def _standing(
    entrant: Entrant, table: Floats, from_best: tuple[Difference, float] | None, sign: float, trials: Mapping[str, int]
) -> Standing:
    spec = entrant.spec
    means = table.mean(axis=1)
    behind, low, high, p = 0.0, 0.0, 0.0, None
    if from_best is not None:
        # of the best minus this one; worse is more where less is better
        each, p = from_best
        behind, (low, high) = -sign * each.mean, sorted((-sign * each.low, -sign * each.high))
    checked = [run.stored.values.get("reload_equal") for run in entrant.runs]
    reload = "differs" if 0.0 in checked else "equal" if 1.0 in checked else "unchecked"
    return Standing(
        experiment=entrant.experiment,
        technique=spec.variant or spec.technique,
        role=spec.role,
        learning_rate=None if spec.role == "base" else spec.training.learning_rate,
        trials=trials.get(entrant.experiment, 0),
        seeds=len(table),
        value=float(table.mean()),
        seed_sd=float(means.std(ddof=1)) if len(means) > 1 else None,
        behind=behind,
        behind_low=low,
        behind_high=high,
        p=p,
        tied=p is None or p > LEVEL,
        reload=reload,
    )


def _notes(entrants: Sequence[Entrant], standings: Sequence[Standing], trials: Mapping[str, int]) -> Iterator[str]:
    """What a reader must know to take the differences for what they are."""
    trained = [standing for standing in standings if standing.role != "base"]
    single = [standing.experiment for standing in trained if standing.seeds == 1]
    if single:
        if len(single) < len(trained):
            what = "how much the other techniques' seeds scatter stands for what is not known of theirs"
        else:
            what = "differences are those of single runs, not of techniques"
        yield f"one seed only of {', '.join(single)}: {what}"
    if len({standing.trials for standing in trained}) > 1:
        told = ", ".join(f"{standing.experiment} {standing.trials}" for standing in trained)
        yield f"unequal numbers of trials, so a difference may be one of tuning: {told}"
    elif trained and not trained[0].trials:
        yield "learning rates were not tuned: a difference may be one of learning rates (hubstats bench run --tune)"
    for name in ("torch", "peft", "transformers"):
        versions = sorted({entrant.spec.versions.get(name, "none") for entrant in entrants})
        if len(versions) > 1:
            yield f"runs of several versions of {name}: {', '.join(versions)}"
    differing = [standing.experiment for standing in standings if standing.reload == "differs"]
    if differing:
        yield f"what is saved is not what was measured, the reload differs: {', '.join(differing)}"


def _sensitivities(trials: Iterable[Run], tolerance: float) -> Iterator[Sensitivity]:
    """Of each experiment the bands at the length at which most rates were tried, widest first."""
    scores: dict[tuple[str, str], dict[float, float | None]] = {}
    steps: dict[tuple[str, str], tuple[str, int]] = {}
    for trial in trials:
        training = trial.spec.training
        # the setting, whatever its rate
        alike = setting_id(trial.spec.replaced(training=training.with_learning_rate(1.0)))
        key = (trial.stored.experiment, alike)
        steps[key] = (trial.stored.experiment, training.max_steps)
        nll = trial.stored.values.get("answer_nll") if trial.stored.status == "success" else None
        scores.setdefault(key, {})[training.learning_rate] = nll
    fullest: dict[str, tuple[str, str]] = {}
    for key, found in scores.items():
        known = fullest.get(key[0])
        if known is None or (len(found), steps[key][1]) > (len(scores[known]), steps[known][1]):
            fullest[key[0]] = key
    bands = [
        Sensitivity(
            experiment,
            steps[key][1],
            len(scores[key]),
            sum(nll is None for nll in scores[key].values()),
            rates.band(scores[key], tolerance),
        )
        for experiment, key in fullest.items()
    ]
    yield from sorted(bands, key=lambda each: (-each.band.decades if each.band else 1.0, each.experiment))
