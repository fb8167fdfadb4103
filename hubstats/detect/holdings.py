# ruff: noqa: RUF001 - the characters are those that cards contain
"""What a card's sentences say of the adapter's whereabouts: merged into the base, or all that the repository holds.

"the adapter was merged into the base model"              merged
"this repository contains only the adapter weights"       an adapter is there, whichever it is
"an adapter-only version is available elsewhere"          neither
"""

from __future__ import annotations

import re
from itertools import islice

from hubstats.detect.structure import Structure

_MERGED = re.compile(
    r"(?:lora|adapters?|weights)\b[^.\n]{0,40}\b(?:was|were|has been|have been|is|are|been|then|and)\b"
    r"[^.\n]{0,20}\bmerged\b"
    r"|\bmerged\b[^.\n]{0,30}\b(?:lora|adapters?|qlora|peft)\b|\bmerged (?:16|4)[ _-]?bit\b"
    r"|\bmerged into (?:the base|base|an? (?:standalone|single|full))\b"
    r"|\bfused (?:lora|adapter)|\b(?:lora|adapter)[- ](?:merged|fused)\b"
)
_MERGE_WORD = re.compile(r"[Mm]erged|MERGED|[Ff]used")
_MERGE_NEEDLES = ("erged", "MERGED", "fused", "Fused")
"""One of these is in all that `_MERGE_WORD` finds; looking for a word is many times as quick."""
_CAN_MERGE_INSIDE = re.compile(r"\b(?:can|could|may|not|should|to|(?<!has )(?<!have )be)\b")
_CAN_MERGE = re.compile(
    r"\b(?:can|could|to be|may|not|un|if|optionally|before|without|want|should|must)\b[^.\n]{0,40}$"
)
_HOLDS = r"(?:contains?|includes?|provides?|hosts?|holds?|stores?|ships?|has|is|are)"
_AN_ADAPTER = r"(?:[\w.]+[ -]){0,5}?(?<!\bip[ -])(?<!\bt2i[ -])adapters?\b"
_WEIGHTS = r" (?:weights|checkpoints?|files|parameters|layers|model)\b"
_ADAPTER_ONLY = re.compile(
    r"\badapters?[- ]only (?:version|variant|repo|repository|release|upload|checkpoints?|weights|files|model)\b(?!\]\()"
    rf"|\b{_HOLDS} (?:only|just) {_AN_ADAPTER}{_WEIGHTS}|\b(?:only|just) {_HOLDS} {_AN_ADAPTER}{_WEIGHTS}"
    rf"|\bthis (?:model |hub )?(?:repo|repository|release|upload|checkpoint) {_HOLDS} {_AN_ADAPTER}{_WEIGHTS}"
    r"|[仅僅只](?:包含|提供|含有?|有)[^。,\n]{0,20}[适適]配器"
)
_SENTENCE = re.compile(r"[.!?。！？]\s|[。！？]|\n[ \t]*\n|\n(?=[ \t>]*(?:[-*+#|]|\d+[.)]))")
_ADAPTER_WORD = re.compile(r"dapter(?<=[Aa]dapter)|DAPTER(?<=ADAPTER)|配器(?<=[适適]配器)")
"""All but its first letter, which is a frequent one: there is less to look at."""
_ADAPTER_NEEDLES = ("dapter", "ADAPTER", "配器")
_ELSEWHERE = re.compile(
    r"\b(?:not|no|never|if|when|can|could|should|want|need|also|other|another|separate|available|here|see|find|found)\b"
    r"|n['’]t\b"
)
"""Words of a sentence that speaks of another place, or of what is not so."""


def merged_at(card: str, structure: Structure) -> tuple[int, int] | None:
    """Where the text says that an adapter was merged into the base; not where it says that one can be."""
    if not any(word in card for word in _MERGE_NEEDLES):
        return None
    for word in islice(_MERGE_WORD.finditer(card, structure.body), 40):
        start = max(structure.body, word.start() - 90)
        window = card[start : word.end() + 60]
        folded = window.lower()
        if len(folded) != len(window) or structure.fence(word.start()) is not None:
            continue
        for match in _MERGED.finditer(folded):
            lead = re.split(r"[.!?]\s|\n", folded[: match.start()])[-1]
            begin, end = start + match.start(), start + match.end()
            if _CAN_MERGE.search(lead) or _CAN_MERGE_INSIDE.search(match[0]):
                continue
            if structure.region(begin, begin + 1) in ("prose", "title", "heading"):
                return begin, end
    return None


def holds_adapter(card: str, structure: Structure) -> bool:
    """Whether the text says that the repository holds an adapter; not where it speaks of one elsewhere."""
    if not any(word in card for word in _ADAPTER_NEEDLES):
        return False
    for word in islice(_ADAPTER_WORD.finditer(card, structure.body), 40):
        begin, end = word.start() - 1, word.end()
        if begin < structure.body:
            continue
        start = max(structure.body, begin - 120)
        before = _SENTENCE.split(card[start:begin])[-1]
        after = _SENTENCE.split(card[begin : end + 80])[0]
        said = re.sub(r"[*_`]+", "", before + after).casefold()
        if (
            _ADAPTER_ONLY.search(said) is not None
            and _ELSEWHERE.search(said) is None
            and structure.region(begin, end) in ("prose", "title", "heading")
        ):
            return True
    return False
