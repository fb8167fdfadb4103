"""A learning rate for every technique, found with the same number of trials for each.

A table at one learning rate ranks learning rates, not techniques. Successive halving (Jamieson and Talwalkar 2016,
AISTATS), scored by the answer NLL of held-out questions; the test's questions are not looked at:

    1   6 rates, half a decade apart, around the experiment's own      at  5% of the steps
    2   2 more, twice: beyond the edge where the best lies; for
        techniques whose best is inside, between it and its neighbours at  5%
    3   the best and the rates half a decade below and above it        at 20%
    4   the best of those, under every seed                            at full length, on the test

So each technique has 13 trials, whether its grid had to be extended or not and whatever else is tuned. The rates
beside the best go on to the last rung because the best rate falls as runs get longer. A trial is a run of its own,
with a complete schedule of its length (never a long one cut short), kept as a result with the purpose "trial": what is
done is not done again, and decisions follow from the results alone. A trial that diverges or fails is lost: it counts
as tried, and as worse than all others.

The halving of optuna and of ray.tune is not used: both stop a long run early, which cuts its schedule short; which
trials go on depends on the order in which they report; and both keep their state in a place of their own, beside the
results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hubstats.engines import Engine
from hubstats.errors import BenchError
from hubstats_bench import rates, runner, tasks
from hubstats_bench.result import Stored
from hubstats_bench.spec import Evaluation, RunSpec, run_id, setting_id

SEEDS = 3
"""Fewest seeds of what was tuned."""
START = 6
"""Rates of the first grid."""
ROUNDS = 2
"""How often two more rates are tried."""
RUNGS = (0.05, 0.2)
"""Parts of the full length that trials have."""
FEWEST_STEPS = 10
"""Of a trial, where a run has as many: less says nothing."""
TRIALS = START + 2 * ROUNDS + 3
"""Of each technique."""

Do = Callable[[list[RunSpec]], list[Stored]]
"""Does trials, or finds them done, and returns their results in order."""


@dataclass(slots=True)
class Tuned:
    """What was tried for one setting, and what was found."""

    setting: RunSpec
    first: dict[float, float | None] = field(default_factory=dict)
    """Rate -> held-out NLL of the first rung; None: lost."""
    last: dict[float, float | None] = field(default_factory=dict)
    """The same of the last rung."""
    failures: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float | None:
        """The rate that was chosen; None when the trials of a rung were all lost."""
        return rates.best(self.last) if self.last else None

    @property
    def tried(self) -> int:
        """How many trials it had."""
        return len(self.first) + len(self.last)

    @property
    def note(self) -> str:
        """What there is to say about it, or nothing."""
        if self.rate is None:
            return f"no trial of a rung succeeded: {self.failures[-1] if self.failures else 'none was run'}"
        words = []
        if self.rate in (min({*self.first, *self.last}), max({*self.first, *self.last})):
            words.append("the best rate lies at the edge of what was tried")
        if self.failures:
            words.append(f"{len(self.failures)} trials lost: {self.failures[0]}")
        return "; ".join(words)


def tune(
    specs: Sequence[RunSpec],
    out: Path,
    *,
    timeout: float | None = None,
    retry: bool = False,
    tell: runner.Listener = lambda event: None,
    worker: Sequence[str] | None = None,
    engine: Engine | None = None,
) -> list[Tuned]:
    """Tries learning rates for every setting among `specs` that is trained, and returns what was found, in order.

    Results of trials go into `out` beside the others. Raises BenchError like `runner.sweep`, and when the task has
    no figure to tune by.
    """
    done = 0
    of = len(expected(specs))

    def do(trials: list[RunSpec]) -> list[Stored]:
        nonlocal done
        before = done

        def counted(event: runner.Progress | runner.Outcome) -> None:
            if isinstance(event, runner.Progress):
                event = replace(event, number=event.number + before, of=of)
            tell(event)

        outcomes = runner.sweep(trials, out, timeout=timeout, retry=retry, tell=counted, worker=worker, engine=engine)
        done += len(trials)
        return [outcome.stored for outcome in outcomes]

    return _tuned(specs, do)


def finals(specs: Sequence[RunSpec], tuned: Sequence[Tuned]) -> list[RunSpec]:
    """The runs at full length with the rates that were found; those of settings without one are left out."""
    found = {setting_id(each.setting): each.rate for each in tuned}
    runs = []
    for spec in specs:
        rate = found.get(setting_id(spec))
        if spec.role == "base":
            runs.append(spec)
        elif rate is not None:
            runs.append(spec.replaced(training=spec.training.with_learning_rate(rate)))
    return runs


def waiting(specs: Sequence[RunSpec], stored: Iterable[Stored]) -> int:
    """How many runs of a tuned plan are still to be done, trials included, given the results there are."""
    there = {result.run_id: result for result in stored if result.is_final}
    found = 0

    def look(trials: list[RunSpec]) -> list[Stored]:
        nonlocal found
        known = [there[run_id(trial)] for trial in trials if run_id(trial) in there]
        found += len(known)
        if len(known) < len(trials):
            raise LookupError
        return known

    try:
        runs = finals(specs, _tuned(specs, look))
    except LookupError:
        known_bases = sum(spec.role == "base" and run_id(spec) in there for spec in specs)
        return len(expected(specs)) - found + len(specs) - known_bases
    return sum(run_id(spec) not in there for spec in runs)


def expected(specs: Sequence[RunSpec]) -> list[RunSpec]:
    """As many trials as a tuning of `specs` runs, in its order, to estimate what it takes.

    Which rates come after the first grid is not known before; the experiment's own stands for them.
    """
    settings = _settings(specs)
    later = [*[(RUNGS[0], 2)] * ROUNDS, (RUNGS[1], 3)]
    grid = [_trial(s, rate, RUNGS[0]) for s in settings for rate in rates.around(s.training.learning_rate, START)]
    rest = [(s, part) for part, count in later for s in settings for _ in range(count)]
    return grid + [_trial(s, s.training.learning_rate, part) for s, part in rest]


def _tuned(specs: Sequence[RunSpec], do: Do) -> list[Tuned]:
    """The protocol. All settings take a step together, so that a tuning cut short leaves all equally far."""
    found = [Tuned(setting) for setting in _settings(specs)]
    _try(do, RUNGS[0], [(t, t.first, rates.around(t.setting.training.learning_rate, START)) for t in found])
    for _ in range(ROUNDS):
        _try(do, RUNGS[0], [(t, t.first, rates.further(t.first)) for t in found])
    going_on = [(t, best) for t in found if (best := rates.best(t.first)) is not None]
    _try(do, RUNGS[1], [(t, t.last, rates.neighbours(best)) for t, best in going_on])
    return found


def _try(do: Do, part: float, wanted: Sequence[tuple[Tuned, dict[float, float | None], list[float]]]) -> None:
    """Does the trials and enters their scores."""
    trials = [_trial(tuned.setting, rate, part) for tuned, _, asked in wanted for rate in asked]
    results = iter(do(trials) if trials else [])
    for tuned, scores, asked in wanted:
        for rate in asked:
            result = next(results)
            scores[rate] = result.values.get("answer_nll") if result.status == "success" else None
            if scores[rate] is None:
                tuned.failures.append(f"{rate:g} {result.status} {result.message}".strip())


def _settings(specs: Sequence[RunSpec]) -> list[RunSpec]:
    """One spec of each setting that is trained. Raises BenchError when there is nothing to tune, or nothing by."""
    settings: dict[str, RunSpec] = {}
    for spec in specs:
        if spec.role != "base":
            settings.setdefault(setting_id(spec), spec)
    if not settings:
        raise BenchError("there is nothing to tune: the base model is not trained")
    task = tasks.get(specs[0].task)
    if not task.quality:
        raise BenchError(f"the task {task.name} reports no figure of quality: there is nothing to tune by")
    return list(settings.values())


def _trial(spec: RunSpec, rate: float, part: float) -> RunSpec:
    """A run of a part of the steps, scored by likelihood on held-out questions and by nothing else."""
    whole = spec.training.max_steps
    steps = max(math.ceil(part * whole), min(FEWEST_STEPS, whole))
    training = spec.training.replaced(max_steps=steps, eval_steps=steps, seed=0).with_learning_rate(rate)
    evaluation = Evaluation("heldout", spec.evaluation.items, 0, False, False, False, False)
    return spec.replaced(purpose="trial", training=training, evaluation=evaluation)
