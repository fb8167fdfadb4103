"""The parts of a card's text: code fences, sections, tables, comments, links.

Where a name stands decides what it says: a name in a citation, a link or a table of other people's results is not use.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Section = Literal["training", "howto", "features", "compare", "cite", "future", "other"]
Region = Literal["title", "heading", "prose", "code", "link", "citation", "comment", "identifier"]

_STRUCTURE = re.compile(
    r"^(?P<fence>[ \t>]{0,8}(?:`{3,20}[^`\n]{0,200}|~~~[^\n]{0,200}))$"
    r"|^ {0,3}(?P<hashes>#{1,6})[ \t]+(?P<title>[^\n]{1,300})$"
    r"|<h(?P<level>[1-6])[^>\n]{0,100}>(?P<html>[^<\n]{1,300})</h"
    r"|^(?P<bold>\*\*[^*\n]{3,60}\*\*:?)[ \t]*$"
    r"|(?P<comment><!--)",
    re.MULTILINE,
)
_MARK = re.compile(r"\n[ \t>]{0,8}(?:#|```|~~~|\*\*)|<h[1-6]|<!--")
"""Stands in every line, but for the first of a text, in which `_STRUCTURE` finds something; and is looked for at once,
because it opens with one of two characters."""
_SECTIONS: tuple[tuple[Section, re.Pattern[str]], ...] = (
    (
        "cite",
        re.compile(r"citation|\bcit(?:e|ing)\b|bibtex|reference|bibliograph|acknowledg|related work|credits|thanks"),
    ),
    (
        "compare",
        re.compile(
            r"compar|versus|\bvs\b|baseline|ablation|alternativ|leaderboard|other (?:model|method|version"
            r"|approach)|why "
        ),
    ),
    (
        "future",
        re.compile(
            r"future|roadmap|to-?do\b|next steps|changelog|what's new|release notes|news\b|planned|\bideas?\b"
            r"|\bplans?\b|improvements|enhancements|outlook"
        ),
    ),
    ("features", re.compile(r"\bstack\b|technolog")),
    (
        "howto",
        re.compile(
            r"how to|how do|usage|\buse\b|getting started|get started|quick ?start|inference|deploy|serving|install"
            r"|requirement|hardware|memory|vram|faq|question|tips|tutorial|guide|notebook|downstream|further"
            r"|customi[sz]|fine-?tune (?:the|this|your|it|on|with)|fine-?tuning (?:guide|example|instruction"
            r"|the|this|your|on|with)"
            r"|supported|example"
        ),
    ),
    ("features", re.compile(r"features|framework|tools|librar|highlights")),
    (
        "training",
        re.compile(
            r"train|fine-?tun|procedure|hyper|method|detail|config|adapter|architect|recipe|technical|set-?up|descri"
            r"|overview|summary|specification|about|information|approach|model"
        ),
    ),
)
_NO_TITLE = re.compile(
    r"(?:model card(?: for (?:model id|\[.{0,40}\]|\{\{.{0,40}\}\}))?|uploaded (?:fine-?tuned )?model"
    r"|read ?me|untitled)"
)
"""First headings that a template writes and nobody filled in: the title is the one that follows."""
_WRAPPER = re.compile(r"\s{0,200}`{3,20}[ \t]{0,4}(?:markdown|md)[ \t\r]{0,4}", re.IGNORECASE)
MAX_PARTS = 50_000
"""Fences, headings and comments that are told apart; text after them belongs to the last."""
_URL_STOP = " \t\r\n()<>[]{}\"'`|,"
_IDENTIFIER = re.compile(r"[\w.\-]+(?:/[\w.\-]+)+|[\w\-]+\.(?:safetensors|bin|pt|ckpt|gguf|py|ipynb|ya?ml|json|sh)")


@dataclass(frozen=True, slots=True)
class Fence:
    """One block of code: its language, and where its content stands."""

    language: str
    start: int
    end: int


class Structure:
    """The parts of one card's text, by offset. They are looked for when one is asked for: many cards say nothing."""

    fences: list[Fence]
    comments: list[tuple[int, int]]
    title: tuple[int, int] | None
    _fence_starts: list[int]
    _comment_starts: list[int]
    _heading_starts: list[int]
    _headings: list[tuple[int, Section, str]]

    def __init__(self, text: str, body: int) -> None:
        self.text, self.body = text, body

    def __getattr__(self, name: str) -> Any:
        if name not in Structure.__annotations__:
            raise AttributeError(name)
        self.fences, self.comments, self.title, self._headings, self._heading_starts = [], [], None, [], []
        _read_parts(self)
        self._fence_starts = [part.start for part in self.fences]
        self._comment_starts = [start for start, _ in self.comments]
        return self.__dict__[name]

    def fence(self, offset: int) -> Fence | None:
        """The block of code that holds an offset."""
        index = bisect_right(self._fence_starts, offset) - 1
        return self.fences[index] if index >= 0 and offset < self.fences[index].end else None

    def section(self, offset: int) -> Section:
        """What the headings above an offset say the text is about; citing and comparing cover what is below them."""
        index = bisect_right(self._heading_starts, offset) - 1
        return self._headings[index][1] if index >= 0 else "other"

    def heading(self, offset: int) -> str:
        """The words of the heading above an offset; empty where there is none."""
        index = bisect_right(self._heading_starts, offset) - 1
        return self._headings[index][2] if index >= 0 else ""

    def section_starts(self) -> list[int]:
        """Where each section begins, its heading included."""
        return self._heading_starts

    def section_start(self, offset: int) -> int:
        """Where the section of an offset begins, its heading included."""
        index = bisect_right(self._heading_starts, offset) - 1
        return self._heading_starts[index] if index >= 0 else self.body

    def region(self, start: int, end: int) -> Region:
        """What kind of text holds a span."""
        fence = self.fence(start)
        if fence is not None:
            return "citation" if fence.language in ("bibtex", "bib", "latex", "citation") else "code"
        index = bisect_right(self._comment_starts, start) - 1
        if index >= 0 and start < self.comments[index][1]:
            return "comment"
        run = self._run(start, end)
        if "://" in run or run.startswith(("www.", "arxiv.org")):
            return "link"
        if self.title is not None and self.title[0] <= start < self.title[1]:
            return "title"
        if _IDENTIFIER.fullmatch(run.strip("*_.:;")) and not self._is_whole_part(start, end):
            return "identifier"
        if self.section(start) == "cite" or self._in_bibtex(start):
            return "citation"
        index = bisect_right(self._heading_starts, start) - 1
        if (
            index >= 0
            and "\n" not in self.text[self._heading_starts[index] : min(start, self._heading_starts[index] + 400)]
        ):
            return "heading"
        return "prose"

    def _is_whole_part(self, start: int, end: int) -> bool:
        # PEFT/LoRA and LoRA/QLoRA name techniques; user/model-lora and lora.safetensors name files and repositories.
        before, after = self.text[start - 1 : start], self.text[end : end + 2]
        return not re.match(r"[\w.\-]", before) and not re.match(r"[\w\-]|\.\w", after)

    def _run(self, start: int, end: int) -> str:
        left, right = start, end
        while left > max(0, start - 300) and self.text[left - 1] not in _URL_STOP:
            left -= 1
        while right < min(len(self.text), end + 300) and self.text[right] not in _URL_STOP:
            right += 1
        return self.text[left:right]

    def _in_bibtex(self, start: int) -> bool:
        before = self.text[max(0, start - 1_500) : start]
        entry = max(before.rfind("@article{"), before.rfind("@misc{"), before.rfind("@inproceedings{"))
        return entry >= 0 and "\n}" not in before[entry:] and "\n\n" not in before[entry:]


def _read_parts(structure: Structure) -> None:
    """Finds the parts: one pass, linear."""
    card, body = structure.text, structure.body
    # Ancestors of the current heading: (level, section).
    above: list[tuple[int, Section]] = []
    position, parts, fence = body, 0, None
    while parts < MAX_PARTS and (match := _next_part(card, position)) is not None:
        parts += 1
        position = match.end() + (match.end() == match.start())
        part = match.lastgroup
        if part == "fence":
            mark = match["fence"].strip(" \t>")
            if fence is None and _WRAPPER.fullmatch(card, body, match.end()):
                continue  # the whole text was pasted with the fence that held it
            if fence is None:
                fence = (
                    mark[: len(mark) - len(mark.lstrip(mark[0]))],
                    mark.lstrip("`~").strip().split(" ")[0].strip("{}.").casefold(),
                    match.end(),
                )
            elif mark.startswith(fence[0]) and not mark.lstrip("`~").strip():
                structure.fences.append(Fence(fence[1], fence[2], match.start()))
                fence = None
        elif fence is not None:
            continue
        elif part == "comment":
            end = card.find("-->", match.end())
            position = len(card) if end < 0 else end + 3
            structure.comments.append((match.start(), position))
        else:
            level = len(match["hashes"] or "") or int(match["level"] or 7)
            name = "title" if match["hashes"] else "html" if match["html"] else "bold"
            start, end = match.span(name)
            section = classify(match[name])
            if structure.title is None and (level == 1 or (level == 2 and section == "other")):
                if _NO_TITLE.fullmatch(match[name].strip(" \t\r*_#:").casefold()) is None:
                    structure.title = (start, end)
                continue
            while above and above[-1][0] >= level:
                above.pop()
            if any(parent in ("cite", "compare") for _, parent in above):
                section = next(parent for _, parent in above if parent in ("cite", "compare"))
            elif section == "other" and above:
                section = above[-1][1]
            above.append((level, section))
            structure._headings.append((start, section, match[name]))
            structure._heading_starts.append(card.rfind("\n", max(0, start - 500), start) + 1 or start)
    if fence is not None:
        structure.fences.append(Fence(fence[1], fence[2], len(card)))


def _next_part(text: str, position: int) -> re.Match[str] | None:
    """What `_STRUCTURE.search` finds from `position` on, in a quarter of its time: it looks at lines with a mark."""
    if position == 0:  # no line break stands before the first line
        end = text.find("\n")
        match = _STRUCTURE.search(text, 0, len(text) if end < 0 else end)
        if match is not None:
            return match
    # The break before a line that begins at `position` belongs to its mark.
    opens = position - 1 if position and text[position - 1] == "\n" else position
    while (mark := _MARK.search(text, opens)) is not None:
        place = mark.start()
        line = place + 1 if text[place] == "\n" else text.rfind("\n", position, place) + 1 or position
        end = text.find("\n", max(line, place))
        # A comment may be on the same line as a later mark: the first match of the line counts.
        match = _STRUCTURE.search(text, line, len(text) if end < 0 else end)
        if match is not None:
            return match
        if end < 0:
            return None
        position = opens = end
    return None


@lru_cache(maxsize=8_192)
def classify(heading: str) -> Section:
    """What a heading announces."""
    folded = heading.casefold()
    return next((section for section, pattern in _SECTIONS if pattern.search(folded)), "other")
