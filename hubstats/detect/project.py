"""The one technique of a project that tells of its own fine-tuning, where no sentence joins the two.

"Fine-tuned Phi-3 for smart meters", and below "LLM: Phi-3 Mini (with LoRA adapter)"     LoRA was used
a tree of files with `adapter_config.json`, and beside it "LoRA settings"               LoRA was used
"a platform that fine-tunes models", and below "LoRA training in one click"             an offer
two techniques, or the one in a negation, a comparison, a plan                          nothing follows
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from hubstats.detect.evidence import Evidence
from hubstats.detect.front_matter import FrontMatter
from hubstats.detect.structure import Structure
from hubstats.detect.verdict import is_bare_recipe, is_technique
from hubstats.techniques import Registry

OPENING_CHARS = 1_500
"""How far the opening reaches: title, tagline, badges and the first section."""

_ADAPTER_FILE = re.compile(r"\badapter_(?:config\.json|model\.(?:safetensors|bin))")
_TUNED = re.compile(
    r"fine-?tun|finetun|微调|微調|精调|ファインチューニング|파인튜닝|ajust(?:e|ado|ada) fin|feinabstimm"
)
_TOLD = re.compile(
    r"\b(?:we|i)\s(?:\w+\s){0,2}(?:fine-?tuned|finetuned|trained)\b|\b(?:was|were|been)\s(?:\w+\s)?(?:fine-?tuned|finetuned)\b",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"\b(?:supports|supporting|supported|support for|toolkit|toolbox|library|framework|platform|package|easily|easy"
    r"|tutorials?|courses?|books?|guides?|lectures?|examples?|collection|curated|awesome|list of|survey|plug-?in"
    r"|one-click|your own)\b|支持|教程|平台|框架|工具"
)
_SILENT = frozenset({"link", "citation", "comment", "identifier", "front_matter"})
"""Rules of names in places that say nothing of the project itself."""
_AGAINST = frozenset({"negated", "compared", "compare", "future", "list"})
_SPOKEN = frozenset({"hinted", "value", "title"})


def sole_technique(
    card: str, front: FrontMatter, structure: Structure, items: Sequence[Evidence], registry: Registry
) -> list[Evidence]:
    """The names in `items` that count as use because the project tells of its own training and names nothing else.

    Empty where any item shows use already, or where the text offers, compares, denies or plans.
    """
    said = [item for item in items if item.kind in ("prose", "title", "code")]
    told = [(item, item.rule.partition(":")[0]) for item in said if _is_base(item.technique, registry)]
    told = [(item, rule) for item, rule in told if rule not in _SILENT]
    rules = {rule for _, rule in told}
    bases = {registry.base(item.technique).key for item, _ in told}
    if len(bases) != 1 or rules & _AGAINST or any(item.use for item in said):
        return []
    files = _ADAPTER_FILE.search(card, front.body) is not None
    spoken = [item for item, rule in told if rule in _SPOKEN and (files or _in_running_text(card, structure, item))]
    named = [item for item, rule in told if rule in ("table", "code")]
    offered = sum(rule == "advised" for _, rule in told)
    opening = _opening(card, front, structure, told)
    if _OFFER.search(opening) is not None:
        return []
    if files and (spoken or named):
        return spoken or named
    tells = _TUNED.search(opening) is not None or _TOLD.search(card, front.body) is not None
    return spoken if tells and len(spoken) > offered else []


def as_use(item: Evidence) -> Evidence:
    """The same place as evidence of use."""
    return replace(item, use=True, rule=f"project:{item.excerpt[:60]}")


def _is_base(key: str, registry: Registry) -> bool:
    return key in registry and is_technique(key, registry) and not is_bare_recipe(registry.get(key))


def _opening(card: str, front: FrontMatter, structure: Structure, told: Sequence[tuple[Evidence, str]]) -> str:
    """Title, tagline and first section, without the lines that name the technique: those were judged by themselves."""
    starts = [start for start in structure.section_starts() if start > (structure.title or (front.body, 0))[0]]
    end = min(starts[1] if len(starts) > 1 else len(card), front.body + OPENING_CHARS)
    naming = {_line_start(card, item.start or 0) for item, _ in told}
    lines, place = [], front.body
    for line in card[front.body : end].splitlines(keepends=True):
        if place not in naming:
            lines.append(line)
        place += len(line)
    return "".join(lines).casefold()


def _in_running_text(card: str, structure: Structure, item: Evidence) -> bool:
    start = item.start or 0
    in_table = card[_line_start(card, start) : start].lstrip().startswith("|")
    return not in_table and structure.section(start) not in ("howto", "compare", "future", "cite")


def _line_start(card: str, offset: int) -> int:
    return card.rfind("\n", max(0, offset - 1_000), offset) + 1
