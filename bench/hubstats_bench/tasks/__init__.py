"""Tasks: what techniques are trained and tested on. One module each, found by listing this package.

A task says where its data comes from, which rows are for training, which questions for testing, how a question is
put and its answer read, and how it is trained by default. A module here offers `TASK` and does nothing at import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Literal

from hubstats.errors import BenchError
from hubstats_bench.spec import Evaluation, Origin


@dataclass(frozen=True, slots=True)
class Row:
    """One training example, or one question with its reference solution."""

    row_id: str
    query: str
    response: str
    """Written right after the prompt; starts with a space where the prompt needs one."""
    final: str | None = None
    """The reference's final answer, of a question that can be marked."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What a task reports."""

    name: str
    unit: str
    direction: Literal["higher", "lower"]
    chance: float | None = None
    """What guessing reaches; None: not defined."""


ANSWER_NLL = Metric("answer_nll", "nats per token", "lower")
TOKEN_ACCURACY = Metric("token_accuracy", "share", "higher")
EXACT_MATCH = Metric("test_accuracy", "share", "higher", chance=0.0)
FORGETTING = Metric("forgetting", "nats per token", "lower")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a task is, for estimates of time and memory."""

    parameters: float
    """Of the base model."""
    vocabulary: int
    row_tokens: int
    """Mean tokens of a training row that no limit cuts."""
    unrelated_tokens: int
    questions: int
    """Of the test."""
    held_out: int = 512
    """Questions held out."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task."""

    name: str
    published_name: str
    """Its name in result files and charts; a name shared with the published comparison means the same recipe."""
    about: str
    defaults: Mapping[str, Any]
    """Training parameters that experiments are laid over."""
    size: Size
    models: tuple[str, ...]
    """Base models by default, the first that is in reach; see `origins`."""
    data: Callable[[Path | None], tuple[Origin, ...]]
    """Finds the data, in a folder or where the task usually has it. Raises BenchError."""
    training: Callable[[Sequence[Origin], int, int], list[Row]]
    """(data, rows wanted, seed) -> training rows in the order in which they are read, at most as many as wanted."""
    questions: Callable[[Sequence[Origin], str], list[Row]]
    """(data, split) -> questions of 'valid', 'heldout' or 'test'."""
    unrelated: Callable[[Sequence[Origin]], list[str]]
    """Texts that have nothing to do with the task, for forgetting."""
    answer: Callable[[str], str | None]
    """Cuts the final answer out of a text."""
    metrics: tuple[Metric, ...] = (ANSWER_NLL, TOKEN_ACCURACY, EXACT_MATCH, FORGETTING)
    quality: bool = True
    """False: only the plumbing is tested, no figure of quality is reported."""
    evaluation: Evaluation = field(default_factory=Evaluation)
    """What is measured by default."""
    long_rows: Literal["cut", "leave out"] = "leave out"
    """What happens to rows of more than max_seq_length tokens."""
    options: tuple[str, ...] = ()
    """Of `spec.OPTIONS`, taken on an accelerator where nobody asks for others."""


def discover() -> list[str]:
    """Names of all tasks."""
    return sorted(module.name for module in iter_modules(__path__))


def get(name: str) -> Task:
    """The task called `name`. Raises BenchError with what exists."""
    known = discover()
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise BenchError(f"there is no task '{name}': {hint}there are {', '.join(known)}")
    task = import_module(f"{__name__}.{name}").TASK
    if not isinstance(task, Task) or task.name != name:
        raise BenchError(f"the task module {name} offers no TASK of that name")
    return task
