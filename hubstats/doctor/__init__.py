"""`hubstats doctor`: is the file whole, is the machine fit, do the services answer, and what is to be done.

Nothing is changed: the file is opened read-only and shut off from all else, and services are asked one small question
each, which takes next to nothing of a quota.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from hubstats.doctor import environment, file, services
from hubstats.doctor.finding import Finding, State

__all__ = ["Finding", "State", "examine"]


def examine(db: Path, *, offline: bool = False, notify: Callable[[str], None] = lambda line: None) -> Iterator[Finding]:
    """Every finding about `db`, this machine and, unless `offline`, the services; problems are findings, not errors."""
    yield from environment.examine(db)
    yield from file.examine(db)
    if not offline:
        yield from services.examine(notify)
