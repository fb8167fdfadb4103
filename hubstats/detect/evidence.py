"""One piece of evidence inside the detector, before it becomes a Detection record."""

from __future__ import annotations

from dataclasses import dataclass

from hubstats.records import EvidenceKind

STRENGTH: tuple[EvidenceKind, ...] = ("config", "weights", "trainer", "type", "tag", "code", "title", "prose", "name")
"""Kinds of evidence, strongest first."""

MAX_EXCERPT = 160


@dataclass(frozen=True, slots=True)
class Evidence:
    """A technique, where it shows, and whether it shows use."""

    technique: str
    kind: EvidenceKind
    rule: str
    start: int | None
    end: int | None
    excerpt: str
    use: bool = True
    names: bool = True
    """False where the technique follows from what stands there without being named (a 4-bit block: QLoRA)."""


def spanned(
    technique: str,
    kind: EvidenceKind,
    rule: str,
    text: str,
    start: int,
    end: int,
    *,
    use: bool = True,
    names: bool = True,
) -> Evidence:
    """Evidence at a span of a text, cut so that the excerpt is the span."""
    end = min(end, start + MAX_EXCERPT)
    return Evidence(technique, kind, rule, start, end, text[start:end], use, names)
