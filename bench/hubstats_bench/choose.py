"""Which techniques a plan takes: the most and the least used of those that can be benched, and why these.

Popularity is one set of estimates from the DuckDB file: one source, one measure, one rule, never a mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hubstats.errors import BenchError
from hubstats.techniques import Registry, Technique
from hubstats_bench.benchable import NOT_TRAINED
from hubstats_bench.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Popularity:
    """One set of shares."""

    source: str
    measure: str
    rule: str
    subjects: int
    shares: Mapping[str, float]
    """Registry key -> share; a technique that is not there was not seen."""

    @property
    def basis(self) -> str:
        """What the shares are shares of."""
        return f"{self.measure} of {self.source}, by the rule {self.rule}, {self.subjects:,} seen"


@dataclass(frozen=True, slots=True)
class Choice:
    """One technique a plan takes."""

    technique: str
    experiment: Experiment
    share: float | None
    """None: never seen."""
    why: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen, and what was not."""

    choices: tuple[Choice, ...]
    left_out: tuple[tuple[str, str], ...]
    """(technique, reason): only those whose popularity would have counted."""
    notes: tuple[str, ...]


def by_popularity(
    popularity: Popularity,
    experiments: Sequence[Experiment],
    registry: Registry,
    most: int,
    least: int,
    unmet: Callable[[Experiment], str | None],
) -> Selection:
    """The `most` most used and the `least` least used methods of PEFT. Raises BenchError when none can be benched.

    Among equals, and among those never seen, the one that PEFT has had longest comes first: it had the most time to
    be used. Variants share their method's popularity and are chosen by hand.
    """
    default = defaults(experiments)
    left_out = []
    candidates: list[tuple[Technique, Experiment]] = []
    for technique in registry:
        if technique.kind != "method" and technique.key not in popularity.shares:
            continue
        experiment = default.get(technique.key)
        reason = unmet(experiment) if experiment is not None else _why_not(technique)
        if technique.kind == "method" and experiment is not None and reason is None:
            candidates.append((technique, experiment))
        elif technique.kind != "baseline" and reason is not None:
            left_out.append((technique.key, reason))
    if not candidates:
        raise BenchError("no technique can be benched here; see what is left out with 'hubstats techniques'")

    def share(technique: Technique) -> float:
        return popularity.shares.get(technique.key, 0.0)

    def age(technique: Technique) -> tuple[tuple[int, ...], str]:
        return tuple(int(part) for part in (technique.since or "99").split(".")), technique.key

    top = sorted(candidates, key=lambda pair: (-share(pair[0]), age(pair[0])))[:most]
    taken = {technique.key for technique, _ in top}
    rest = [pair for pair in candidates if pair[0].key not in taken]
    bottom = sorted(rest, key=lambda pair: (share(pair[0]), age(pair[0])))[:least]
    notes = []
    unseen = [technique.key for technique, _ in candidates if technique.key not in popularity.shares]
    if bottom:
        level = share(bottom[-1][0])
        level_ones = [technique.key for technique, _ in rest if share(technique) == level]
        if len(level_ones) > sum(share(technique) == level for technique, _ in bottom):
            what = "were never seen" if level == 0 else f"have the share {level:.3g}"
            notes.append(f"{len(level_ones)} techniques {what}: of these the ones PEFT has had longest are taken")
    choices = []
    for rank, (technique, experiment) in enumerate(top, start=1):
        found = popularity.shares.get(technique.key)
        seen = "never seen, like the rest" if found is None else f"{found:.3g} of {popularity.measure}"
        choices.append(Choice(technique.key, experiment, found, f"number {rank} in use: {seen}"))
    for technique, experiment in bottom:
        found = popularity.shares.get(technique.key)
        seen = (
            f"never seen, in PEFT since {technique.since}" if found is None else f"{found:.3g} of {popularity.measure}"
        )
        choices.append(Choice(technique.key, experiment, found, f"least used: {seen}"))
    if len(unseen) == len(candidates):
        notes.append("no technique that can be benched was seen at all: crawl first, or name them with --technique")
    return Selection(tuple(choices), tuple(left_out), tuple(notes))


def by_name(names: Sequence[str], experiments: Sequence[Experiment], registry: Registry) -> Selection:
    """The techniques asked for, by key, name or alias. Raises TechniqueError or BenchError for what there is not."""
    default = defaults(experiments)
    choices = []
    for name in names:
        technique = registry.find(name)
        experiment = default.get(technique.key)
        if experiment is None:
            raise BenchError(f"{technique.name} cannot be benched: {_why_not(technique)}")
        choices.append(Choice(technique.key, experiment, None, "asked for"))
    return Selection(tuple(choices), (), ())


def defaults(experiments: Sequence[Experiment]) -> dict[str, Experiment]:
    """Technique -> the experiment with the fewest settings of its own, the plainest one."""
    plainest: dict[str, Experiment] = {}
    for experiment in sorted(experiments, key=lambda e: (len(e.adapter or {}) + len(e.overrides), e.name)):
        if experiment.key is not None:
            plainest.setdefault(experiment.key, experiment)
    return plainest


def _why_not(technique: Technique) -> str:
    if technique.key in NOT_TRAINED:
        return NOT_TRAINED[technique.key]
    if technique.kind == "legacy":
        return "PEFT has dropped it"
    if technique.library != "peft":
        return "it is not in the PEFT library"
    return "there is no experiment for it yet: give one with --experiment DIR"
