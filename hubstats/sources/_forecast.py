"""What a crawl would ask, told before it asks: `hubstats crawl --dry-run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

UNCOUNTED_SECONDS = 1.0
"""Taken for one request where the service announces no quota: answers set the pace then."""


@dataclass(frozen=True, slots=True)
class Window:
    """A published quota: so many requests in so many seconds."""

    requests: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.requests:,} in {self.seconds / 60:.0f} min"


@dataclass(frozen=True, slots=True)
class Ask:
    """Requests of one kind."""

    what: str
    least: int
    most: int | None
    """None: nobody can say before."""
    window: Window | None = None
    """The quota they count against; None where none is announced."""
    note: str = ""

    def seconds(self, requests: int) -> float:
        """How long so many take: whole windows of the quota, and the rest at eight a second."""
        if self.window is None:
            return requests * UNCOUNTED_SECONDS
        full = max(0, requests - 1) // self.window.requests
        return full * self.window.seconds + (requests - full * self.window.requests) * UNCOUNTED_SECONDS / 8


@dataclass(frozen=True, slots=True)
class Held:
    """What the file holds of a source already."""

    listed: int = 0
    """Repositories of its listing."""
    drawn: int = 0
    """Repositories of the sample of this seed."""
    wanted: int = 0
    """Files of those that are still to be fetched."""
    cursors: Mapping[str, str] = field(default_factory=dict)
    finished: frozenset[str] = frozenset()
    """Scopes of the cursors that are at their end."""


@runtime_checkable
class Forecast(Protocol):
    """A source that can say what it would ask."""

    def forecast(self, held: Held) -> tuple[Ask, ...]:
        """Requests by kind, in the order in which they would be sent."""
        ...
