"""What is asked for, and the answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

from hubstats.quantities import bytes_of, seconds_of
from hubstats.techniques import capabilities as probed

Place = Literal["level", "behind", "unknown"]
"""Against the best of those that fit; unknown where nothing was repeated."""


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
    """95% interval of the score for other test questions and another repetition; None where not known."""
    high: float | None
    behind: float
    """Score of the best that fits less this one; negative for a technique that scores more but may not fit."""
    memory: float | None
    time: float | None
    total_time: float | None
    """Seconds of the whole run, evaluation included: what it costs to run it again."""
    size: float | None
    hardware: str | None
    experiment: str
    learning_rate: float | None
    settings: int
    """Settings of the technique that were run: the best of many is luckier than the best of one."""
    explain: str
    """Id of its standing, for `hubstats explain`."""
    run_on: date | None
    can: tuple[str, ...] = ()
    """Needs it was shown to meet, each with how that is known."""
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
    settings: int
    newest: date | None
    fits: tuple[Choice, ...]
    """Level with the best first, in it the least memory first; then the others, best first."""
    perhaps: tuple[Choice, ...]
    """Within all limits that are known, with something unknown; best first."""
    excluded: tuple[Excluded, ...]
    nearest: tuple[Excluded, ...] = ()
    """Where nothing fits: those that can do what is needed and miss a limit by least, and what a better score takes."""
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
    notes: tuple[str, ...] = ()

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
