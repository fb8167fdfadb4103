"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "warning", "problem"]
"""ok; worth knowing; will get in the way of something; figures or work are at risk now."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of what `hubstats doctor` prints."""

    area: str
    """file, spool, environment, or the name of a service."""
    check: str
    state: State
    found: str
    advice: str | None = None
    """What to do; None where nothing is to be done."""
