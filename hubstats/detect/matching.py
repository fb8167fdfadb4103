# ruff: noqa: RUF001 - the characters are those that cards contain
"""Where a text names a technique.

One alternation of all aliases, built as a trie so that each position costs little, finds the longest name first and
consumes it: `X-LoRA` never counts as LoRA. It runs over a folded copy of the text in which widths, superscripts and
odd hyphens are made plain ((IA)³ reads as (ia)3); offsets lead back to the text as it was.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hubstats.techniques import Alias, Registry, spelling

NEAR_CHARS = 120
"""How far from an ambiguous name a word may stand that settles it."""
MAX_HITS_PER_ALIAS = 40
"""Occurrences of one spelling that are looked at; a card that repeats a name more often says nothing new."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = rf"[^\W{_UNSPACED}]"
"""A character that a word goes on with. Chinese, Japanese, Thai and others write no space between words, and Korean
none before a particle: in 采用LoRA微调 and LoRA를 the name stands alone."""
_SEPARATOR = r"[\s_\-]{1,3}"
INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_HYPHENS = dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-")
_FEW = 12
"""Different characters up to which replacing one after the other is quicker than looking each up."""
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True)
class Hit:
    """One name found in a text; offsets count in the text as given."""

    technique: str
    start: int
    end: int
    alias: Alias
    settled: bool
    """False for an ambiguous name that nothing close by settles: it needs other evidence in the document."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A text made plain for matching, with the way back."""

    text: str
    folded: str
    shifts: tuple[int, ...] = ()
    """For each character left out: where it stood, less the number left out before it."""

    def original(self, offset: int) -> int:
        """The offset in the original text of a character of `text`."""
        return offset + bisect_right(self.shifts, offset) if self.shifts else offset


def plain(text: str) -> Plain:
    """The text with compatible characters made plain, invisible ones left out, and a copy in lower case."""
    if text.isascii():
        return Plain(text, text.lower())
    changed = {char: other for char in set(text) if (other := _plain_char(char)) != char}
    shifts: tuple[int, ...] = ()
    if "" in changed.values():
        found = re.finditer(f"[{INVISIBLE}]", text)
        shifts = tuple(match.start() - count for count, match in enumerate(found))
    simple = text
    if len(changed) > _FEW:
        simple = text.translate({ord(char): other for char, other in changed.items()})
    else:
        for char, other in changed.items():
            simple = simple.replace(char, other)
    folded = simple.lower()
    if len(folded) != len(simple):  # some capitals have a longer small letter
        folded = simple.translate(_ASCII_LOWER)
    return Plain(simple, folded, shifts)


@lru_cache(maxsize=65_536)
def _plain_char(char: str) -> str:
    """What stands for a character: nothing for an invisible one, itself where no single other one does."""
    if char in INVISIBLE:
        return ""
    if char in _HYPHENS:
        return "-"
    simple = unicodedata.normalize("NFKC", char) if char > "\x7f" else char
    return simple if len(simple) == 1 else char


class Matcher:
    """Finds the names of a registry's techniques."""

    def __init__(self, registry: Registry) -> None:
        self._aliases: dict[str, list[tuple[str, Alias]]] = {}
        self._papers = {technique.key: technique.paper for technique in registry}
        ignored: set[str] = set()
        for technique in registry:
            names = list(technique.aliases)
            owned = (technique.config_class,) if technique.kind in ("method", "legacy") else ()
            names += [Alias(name, "exact", "word") for name in (*owned, *technique.calls) if name]
            for alias in names:
                self._aliases.setdefault(spelling(alias.text), []).append((technique.key, alias))
            ignored.update(technique.ignore)
        for aliases in self._aliases.values():
            aliases.sort(key=lambda entry: (entry[1].case != "exact", entry[1].ambiguous, entry[0]))
        texts = [alias.text for entries in self._aliases.values() for _, alias in entries]
        self._reach = max(map(_longest, [*texts, *ignored])) + 2
        self._pattern = _trie_pattern([*texts, *ignored])
        self._ignored = {spelling(text) for text in ignored}

    def find(self, text: str, ends: Sequence[int] | None = None) -> list[Hit]:
        """All names in a text, in order, none inside another; linear in its length.

        With `ends`, the bytes of the text (in UTF-8) where names may end, ascending, it looks only there, and finds the
        same names; a text with invisible characters is looked through from end to end.
        """
        source = plain(text)
        if ends is None or source.shifts:
            return list(self._hits(source))
        return list(self._hits(source, self._spans(text, ends)))

    def _spans(self, text: str, ends: Sequence[int]) -> list[tuple[int, int]]:
        """Where names may begin. What begins further ahead of an end, and goes on to it, does so over a second name."""
        spans: list[tuple[int, int]] = []
        for end in ends if text.isascii() else _characters(text, ends):
            start = max(0, end - 2 * self._reach)
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], end + 1)
            else:
                spans.append((start, end + 1))
        return spans

    def find_in_name(self, name: str) -> list[Hit]:
        """The names in an identifier such as `qwen_lora-v1`, where underscores and hyphens part words and case means
        little. Ambiguous spellings do not count; `Lora` does, because `lora` is not ambiguous."""
        return list(self._hits(plain(name[:512].replace("_", "-")), in_name=True))

    def _hits(
        self, source: Plain, spans: Sequence[tuple[int, int]] | None = None, *, in_name: bool = False
    ) -> Iterator[Hit]:
        left = [(0, len(source.folded))] if spans is None else list(reversed(spans))
        position, seen = 0, dict[str, int]()
        while (match := self._next(source.folded, position, left)) is not None:
            start, end = match.span()
            written = source.text[start:end]
            count = seen[written] = seen.get(written, 0) + 1
            if count > MAX_HITS_PER_ALIAS:
                position = end
                continue
            hit = None
            while (name := spelling(source.folded[start:end])) not in self._ignored:
                hit = self._accept(source, name, start, end, in_name)
                shorter = None if hit is not None else self._shorter(source.folded, start, end)
                if shorter is None:
                    break
                end = shorter
            if hit is not None:
                yield hit
            position = end

    def _next(self, folded: str, position: int, left: list[tuple[int, int]]) -> re.Match[str] | None:
        """The first name from `position` on that begins in one of the spans that are left, the first of them last."""
        while left:
            start, end = left[-1]
            # Whatever begins before the end is over, with the character after it, within reach.
            match = self._pattern.search(folded, max(start, position), min(len(folded), end + self._reach))
            if match is not None and match.start() < end:
                return match
            left.pop()
        return None

    def _shorter(self, folded: str, start: int, end: int) -> int | None:
        """The end of the next shorter name at `start`: a rejected name may begin with one that stands."""
        while (match := self._pattern.match(folded, start, end - 1)) is not None:
            end = match.end()
            if not re.match(_WORD, folded[end]):  # the limit is not a word's end
                return end
        return None

    def _accept(self, source: Plain, name: str, start: int, end: int, in_name: bool) -> Hit | None:
        written = _spaced(source.text[start:end])
        for technique, alias in self._aliases[name]:
            settled = not alias.ambiguous
            if in_name:
                if alias.ambiguous or (alias.case == "exact" and _spaced(alias.text) not in (written, name)):
                    continue
            elif (alias.case == "exact" and _spaced(alias.text) != written) or (
                alias.boundary == "alone" and _is_joined(source.folded, start, end)
            ):
                continue
            elif alias.ambiguous or alias.unless:
                around = _around(source.folded, start, end)
                if any(word in around for word in alias.unless):
                    continue
                # `[LISA](https://arxiv.org/abs/2403.17919)`: the technique's own paper leaves no doubt
                paper = self._papers.get(technique)
                settled = settled or (paper is not None and paper in around)
                settled = settled or any(word in around for word in alias.near)
            # The end is one past the last character kept, so that characters left out after the name stay out.
            return Hit(technique, source.original(start), source.original(end - 1) + 1, alias, settled)
        return None


@lru_cache(maxsize=4)
def matcher(registry: Registry) -> Matcher:
    """The matcher of a registry, built once."""
    return Matcher(registry)


def _longest(name: str) -> int:
    """Characters that a name takes at most: each space may be three."""
    folded = re.sub(r"\s+", " ", plain(name).folded)
    return len(folded) + 2 * folded.count(" ")


def _characters(text: str, places: Sequence[int]) -> Iterator[int]:
    """The characters before each of some ascending places, which count bytes of the text in UTF-8."""
    data = text.encode("utf-8", "surrogatepass")
    last = count = 0
    for place in places:
        place = min(place, len(data))
        while place < len(data) and data[place] & 0xC0 == 0x80:  # inside a character
            place -= 1
        count += len(data[last:place].decode("utf-8", "surrogatepass"))
        last = max(last, place)
        yield count


def _spaced(text: str) -> str:
    return re.sub(r"[\s_]+", " ", text)


def _is_joined(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return bool(re.search(rf"{_WORD}[-.@&']\Z|[@#$-]\Z", before) or re.match(rf"[-.@&'’]{_WORD}", after))


def _around(text: str, start: int, end: int) -> str:
    # A blank line ends what belongs together.
    left = text[max(0, start - NEAR_CHARS) : start].rpartition("\n\n")[2]
    right = text[end : end + NEAR_CHARS].partition("\n\n")[0]
    return f"{left} {right}"


_Node = dict[str, "_Node"]


def _trie_pattern(texts: list[str]) -> re.Pattern[str]:
    root: _Node = {}
    for text in texts:
        node = root
        for char in re.sub(r"\s+", " ", plain(text).folded):
            node = node.setdefault(char, {})
        node[""] = {}
    return re.compile(rf"(?<!{_WORD}){_branch(root)}")


def _branch(node: _Node) -> str:
    # Longer names first; a name may end only where no word goes on.
    parts = [
        (_SEPARATOR if char == " " else re.escape(char)) + _branch(child)
        for char, child in sorted(node.items())
        if char
    ]
    if "" in node:
        parts.append(f"(?!{_WORD})")
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
