"""What each technique can do, for the technique table, its cards and the panel of advice: one structure for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hubstats import charts
from hubstats.report import wording
from hubstats.report.panel import Evidence, Row
from hubstats.techniques.capabilities import CAPABILITIES

LONGEST = 240
"""Characters of what was seen when a capability was asked."""
WORDS = {True: "yes", False: "no", None: "unknown"}


def for_script(evidence: Evidence) -> dict[str, Any]:
    """Capabilities and, for each technique that was asked, (able, label, detail) in their order; null: not asked."""
    answers: dict[str, list[Any]] = {}
    place = {capability.key: number for number, capability in enumerate(CAPABILITIES)}
    for row in evidence.capabilities:
        if row["capability"] in place:
            mine = answers.setdefault(charts.plain(row["technique"], 60), [None] * len(CAPABILITIES))
            mine[place[row["capability"]]] = [row["able"], row["label"], charts.plain(row["detail"], LONGEST)]
    return {
        "list": [
            {"key": one.key, "name": one.name, "meaning": one.meaning, "group": one.group} for one in CAPABILITIES
        ],
        "answers": answers,
        "asked": asked_words(evidence),
    }


def asked_words(evidence: Evidence) -> str:
    """Of what, when and on what the capabilities were asked; empty where the file holds none."""
    versions = {
        (row["library"], row["library_version"], wording.day(row["asked_on"]), row["device"])
        for row in evidence.capabilities
    }
    if not versions:
        return ""
    library, version, day, device = max(versions)
    return charts.plain(f"{library} {version} on {day}, {str(device).upper()}", 120)


def answers_of(evidence: Evidence) -> dict[str, dict[str, Row]]:
    """Technique -> capability -> row."""
    found: dict[str, dict[str, Row]] = {}
    for row in evidence.capabilities:
        found.setdefault(row["technique"], {})[row["capability"]] = row
    return found


def cell_words(row: Row | None) -> str | None:
    """yes, no or unknown, and how that is known; None where it was not asked."""
    if row is None:
        return None
    return WORDS[row["able"]] if row["able"] is None else f"{WORDS[row['able']]}, {row['label']}"


def card_block(answers: dict[str, Row], asked: str) -> dict[str, Any]:
    """The block of an evidence card: what it can, cannot, and what is not known."""
    groups: dict[bool | None, dict[str, list[str]]] = {True: {}, False: {}, None: {}}
    for capability in CAPABILITIES:
        row = answers.get(capability.key)
        if row is not None:
            groups[row["able"]].setdefault(row["label"], []).append(capability.name)
    lines = [
        f"{start}, {label}: {wording.listed(names, len(CAPABILITIES))}" if able is not None else
        f"{start}: {wording.listed(names, len(CAPABILITIES))}"
        for able, start in ((True, "Can"), (False, "Cannot"), (None, "Not known"))
        for label, names in sorted(groups[able].items(), reverse=True)
    ]  # fmt: skip
    if not lines:
        return {"title": "Capabilities", "lines": ["not asked: peft has no config of its own for it"]}
    return {"title": "Capabilities", "lines": [*lines, f"Asked of {asked}"]}


def names(keys: Sequence[str]) -> list[str]:
    """Names of capabilities by key."""
    found = {capability.key: capability.name for capability in CAPABILITIES}
    return [found[key] for key in keys]
