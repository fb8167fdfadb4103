"""Shares as records: what the estimates of one population have in common, and what is said beside each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from hubstats.estimate.survey import Share
from hubstats.records import Estimate, FamilyEstimate

Level = Literal["technique", "family"]

NO_FAMILY = "unknown"
"""Family of what the registry does not know: an `other:<VALUE>`."""

INTERVAL = "Wilson interval on the effective size, Clopper-Pearson below 10 effective items"


def utc(moment: Any) -> datetime | None:
    """The moment, which is in UTC, as an aware one; None for anything else."""
    if not isinstance(moment, datetime):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Maker:
    """What the estimates of one population and measure have in common."""

    source: str
    measure: str
    rule: str
    method: str
    detector: str
    as_of: datetime | None

    def record(
        self, level: Level, key: str, share: Share, subjects: int, caveats: list[str]
    ) -> Estimate | FamilyEstimate:
        bounded = share.low is not None
        notes = [note for note in caveats if note] + (
            [] if bounded else ["a single author, or item of unknown author: no interval"]
        )
        name = f"{self.source}/{self.measure}/{self.rule}/{key}"
        common: dict[str, Any] = {
            "source": self.source,
            "measure": self.measure,
            "rule": self.rule,
            "count": share.count,
            "total": share.total,
            "share": share.share,
            "low": share.low,
            "high": share.high,
            "outer_low": share.outer_low,
            "outer_high": share.outer_high,
            "subjects": subjects,
            "effective_size": share.effective_size,
            "design_effect": share.design_effect,
            "method": f"{self.method}; {INTERVAL}" if bounded else self.method,
            "detector_version": self.detector,
            "as_of": self.as_of,
            "caveat": "; ".join(notes) or None,
        }
        if level == "family":
            return FamilyEstimate(estimate_id=f"family/{name}", family=key, **common)
        return Estimate(estimate_id=name, technique=key, **common)
