"""What a torture plan reports, and the one table that all of them make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path

PLANS = ("faults", "kills", "fuzz", "secrets")
"""In the order of the table; each is a module of this package."""

SHOWN = 12
"""Problems of a case that are printed."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much to do: the short form of the tests, or the long one of `make torture`."""

    long: bool = False
    seed: int = 0
    only: str = ""
    """Part of the names of the cases to run (of kills: of the jobs); empty: all."""

    def size(self, short: int, long: int) -> int:
        """How many kills, inputs, files of this scale."""
        return long if self.long else short

    def seconds(self, short: float, long: float) -> float:
        """The time box of one case at this scale."""
        return long if self.long else short


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: what was done to hubstats, and what of its promises did not hold."""

    plan: str
    case: str
    faults: int = 0
    """Faults injected."""
    kills: int = 0
    """Processes killed, interrupted, or starved of disk."""
    inputs: int = 0
    """Inputs tried."""
    rows_lost: int = 0
    rows_doubled: int = 0
    secrets_found: int = 0
    escapes: int = 0
    """Every other promise broken: an exception, a file touched outside, code run, a bound passed, a wrong state."""
    problems: tuple[str, ...] = ()
    """One line each, with what is needed to repeat it."""
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Nothing was lost, doubled, found or escaped."""
        return not (self.rows_lost or self.rows_doubled or self.secrets_found or self.escapes or self.problems)


Plan = Callable[[Scale, Path], Iterator[Outcome]]


def load_plan(name: str) -> Plan:
    """The `torture` function of a plan; raises ImportError when there is none of that name."""
    plan: Plan = import_module(f"{__package__}.{name}").torture
    return plan


def table(outcomes: Iterable[Outcome]) -> str:
    """The outcomes and their sums as a Markdown table."""
    counts = [field.name for field in fields(Outcome) if field.type == "int"]
    every = [*outcomes]
    rows = [(o.plan, o.case, *(f"{getattr(o, name):,}" for name in counts), f"{o.seconds:.0f}") for o in every]
    sums = (f"{sum(getattr(o, name) for o in every):,}" for name in counts)
    rows.append(("all", "", *sums, f"{sum(o.seconds for o in every):.0f}"))
    head = ("plan", "case", *(name.replace("_", " ") for name in counts), "seconds")
    rule = ("---", "---", *("---:" for _ in (*counts, "seconds")))
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))
