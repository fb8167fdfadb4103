"""Numbers, dates and names as the report prints them: never more digits than are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime

RULES = {
    "evidence": "by what they are shown to use",
    "overlay": "variants on top",
    "blog": "cards that name exactly one technique",
    "blog_folded": "cards that name exactly one, QLoRA as LoRA",
    "site_type": "adapters by the uploader\N{RIGHT SINGLE QUOTATION MARK}s type",
    "site_type_all": "all uploads of a technique by the uploader\N{RIGHT SINGLE QUOTATION MARK}s type",
    "imports_files": "code files as a text search finds them",
    "imports_repositories": "code repositories, copies and tests left out",
    "cards_exactly_one": "cards that name exactly one technique",
    "image_type": "all uploads by the uploader\N{RIGHT SINGLE QUOTATION MARK}s type",
    "image_type_peft": "adapters by the uploader\N{RIGHT SINGLE QUOTATION MARK}s type",
    "github_import": "code search results",
}
"""What a rule counts, in the reader's words."""

SOURCES = {
    "hub": "Hub",
    "dump": "Hub dump",
    "cards": "imported cards",
    "configs": "imported configs",
    "code": "imported code",
    "snapshot": "embedded snapshot",
    "github": "GitHub",
    "civitai": "Civitai",
    "hf-beyond-lora": "the blog post \N{LEFT DOUBLE QUOTATION MARK}Beyond LoRA\N{RIGHT DOUBLE QUOTATION MARK}",
    "peft-method-comparison": "PEFT method comparison",
    "own": "own runs",
}


def rule_words(rule: str) -> str:
    """What a rule counts; a rule we have no words for by its own name."""
    return RULES.get(rule, rule.replace("_", " "))


def counted_words(measure: str, rule: str) -> str:
    """What a count counts: repositories by what they are shown to use; code files as a text search finds them."""
    words = rule_words(rule)
    if rule == "evidence":
        return f"{measure} {words}" if measure != "authors" else f"authors {words}"
    usual = {"cards", "files", "checkpoints", "repositories"}
    return words if measure in usual else f"{words}, by {measure}"


def source_words(source: str) -> str:
    """Name of a source for readers."""
    return SOURCES.get(source, source)


def percent(share: float, low: float | None = None, high: float | None = None) -> str:
    """A share as percent, with as many digits as its interval supports: 98%, 98.4%, 0.31%."""
    places = _places(share, low, high)
    text = f"{share * 100:.{places}f}"
    if share < 1 and float(text) >= 100:
        return f"over {100 - 10**-places:g}%"
    return f"{text}%"


def span(low: float, high: float) -> str:
    """An interval of shares: 97 to 99%."""
    places = _places((low + high) / 2, low, high)
    return f"{low * 100:.{places}f}\N{EN DASH}{high * 100:.{places}f}%"


def _places(share: float, low: float | None, high: float | None) -> int:
    width = None if low is None or high is None else (high - low) * 100
    places = (1 if share >= 0.01 else 2) if not width else min(2, max(0, math.ceil(-math.log10(width))))
    # A share that is small but not nothing keeps its first digit.
    first = math.ceil(-math.log10(share * 100)) if 0 < share < 0.01 else 0
    return min(4, max(places, first))


def points(difference: float) -> str:
    """A difference of two accuracies in percentage points, with its sign."""
    rounded = round(difference * 100, 1)
    sign = "+" if rounded > 0 else "\N{MINUS SIGN}" if rounded < 0 else "\N{PLUS-MINUS SIGN}"
    return f"{sign}{abs(rounded):.1f}"


SCORES = {
    "accuracy": "Test accuracy, %",
    "token_accuracy": "Solution tokens foreseen, %",
    "similarity": "Similarity of the image to the subject",
}
"""A task's score -> the title of its axis."""


def scale(metric: str) -> int:
    """What a score is multiplied with to be shown: shares are percent."""
    return 1 if metric == "similarity" else 100


def score(value: float, metric: str) -> str:
    """A task's score: a share as percent, similarity as it is."""
    return f"{value:.3f}" if metric == "similarity" else f"{value * 100:.1f}%"


def gigabytes(size: float) -> str:
    """Bytes as decimal gigabytes."""
    return f"{size / 1e9:.1f}\N{NO-BREAK SPACE}GB"


def megabytes(size: float) -> str:
    """Bytes as decimal megabytes."""
    return f"{size / 1e6:,.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"


def millions(number: float) -> str:
    """A number of parameters as millions, in three digits."""
    return f"{number / 1e6:.3g} million" if number < 1e9 else f"{number / 1e6:,.0f} million"


def minutes(seconds: float) -> str:
    """Seconds as whole minutes."""
    return f"{seconds / 60:.0f} min"


def day(moment: date | datetime | None) -> str:
    """A date, ISO; 'undated' when there is none."""
    return "undated" if moment is None else moment.strftime("%Y-%m-%d")


def days(moments: Sequence[date | datetime | None]) -> str:
    """The dates something spans: one day, or the first to the last."""
    known = sorted({day(moment) for moment in moments if moment is not None})
    if not known:
        return "undated"
    return known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names as a sentence has them: A, B and C; beyond `most` the rest as a number."""
    if len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: 1 run, 12 runs."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
