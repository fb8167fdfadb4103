"""The metadata block at the top of a model card, read with our own limits.

    ---
    library_name: peft
    tags: [lora, trl]
    ---

The block is read as YAML events, never loaded as objects: scalars stay texts (`no` is "no", 2024-13-45 is itself),
aliases are not followed, nesting and size are bounded. A block that is not YAML is read line by line for the few
keys we need, and said to be broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

import yaml

State = Literal["ok", "none", "empty", "broken", "not_mapping", "misplaced"]
"""ok. none: no block. empty: a block without content. broken: not YAML, or too deep or too long to be read as such.
not_mapping: a list or a single value. misplaced: a block stands further down, where the Hub does not look; its entries
are what the writer meant to say, and are read when it is closed and YAML."""

MAX_CHARS = 262_144
MAX_CHARS_PURE = 65_536
MAX_DEPTH = 40
MAX_ENTRIES = 20_000
MAX_LOWER_BLOCKS = 50

# The Hub allows white space and a byte order mark before the first line, and nothing else.
_OPEN = re.compile(r"\ufeff?\s{0,200}---[ \t]*(?:\r\n|\r|\n)")
_CLOSE = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)
_LOWER_BLOCK = re.compile(
    r"^---[ \t]*\r?\n(?:[^\n]*\n){0,3}?(?:tags|library_name|license|base_model|language|pipeline_tag)[ \t]*:",
    re.MULTILINE,
)
_FENCE = re.compile(r"^[ \t>]{0,8}(?:```|~~~)", re.MULTILINE)
# Whatever else YAML would read otherwise, or not at all, is no plain value here.
_WORD = r"[A-Za-z0-9][A-Za-z0-9_./+\-]*+(?::[A-Za-z0-9_./+\-]++)*+"
_PLAIN = rf"{_WORD}(?: {_WORD})*+"
_PLAIN_KEY = re.compile(rf"([A-Za-z][A-Za-z0-9_]{{0,60}}):(?: ({_PLAIN}))? *\n")
_PLAIN_ITEM = re.compile(rf"( *)- ({_PLAIN}) *\n")
MAX_PLAIN_LINES = 400
_LINE_KEY = re.compile(r"([A-Za-z_][\w-]{0,60})[ \t]*:(?:[ \t]+(.*))?$")
_LINE_ITEM = re.compile(r"[ \t]*-[ \t]+(.+)$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One scalar: the top-level key it stands under, the path below it, its text, and where it stands in the card."""

    key: str
    path: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What the block says. `start` and `end` bound its content, `body` is where the text begins."""

    state: State
    entries: tuple[Entry, ...] = ()
    start: int = 0
    end: int = 0
    body: int = 0

    def values(self, key: str) -> tuple[Entry, ...]:
        """The scalar or the list items that stand directly under a top-level key."""
        return tuple(entry for entry in self.entries if entry.key == key and entry.path == "")

    def text(self, key: str) -> str | None:
        """The first value of a key, or None."""
        return next((entry.value for entry in self.values(key)), None)


def read_front_matter(card: str) -> FrontMatter:
    """The block of a card; never raises."""
    opening = _OPEN.match(card)
    if opening is None:
        return _lower_block(card)
    start = opening.end()
    closing = _CLOSE.search(card, start)
    if closing is None:
        # A rule at the top of a text opens no block; one followed by a key does, and was never closed.
        if not _LINE_KEY.match(card, start, _line_end(card, start)):
            return FrontMatter("none")
        end = min(len(card), start + 4_096)
        return FrontMatter("broken", tuple(_by_line(card, start, end)), start, end, start)
    end, body = closing.start(), closing.end()
    if not card[start:end].strip():
        return FrontMatter("empty", (), start, end, body)
    if end - start > MAX_CHARS:
        return FrontMatter("broken", tuple(_by_line(card, start, start + MAX_CHARS)), start, end, body)
    plain = _plain_lines(card, start, end)
    if plain is not None:
        return FrontMatter("ok", plain, start, end, body)
    try:
        return _from_events(card, start, end, body)
    except (yaml.YAMLError, _TooMuchError, ValueError, RecursionError):
        return FrontMatter("broken", tuple(_by_line(card, start, end)), start, end, body)


def _lower_block(card: str) -> FrontMatter:
    """The first block that stands further down, its text part of the card's; one inside a code fence is an example."""
    fences, counted = 0, 0
    for lower in islice(_LOWER_BLOCK.finditer(card), MAX_LOWER_BLOCKS):
        fences += sum(1 for _ in _FENCE.finditer(card, counted, lower.start()))
        counted = lower.start()
        if fences % 2:
            continue
        start = card.index("\n", lower.start()) + 1
        closing = _CLOSE.search(card, start)
        block = FrontMatter("misplaced")
        if closing is not None and 0 < closing.start() - start <= MAX_CHARS:
            with suppress(yaml.YAMLError, _TooMuchError, ValueError, RecursionError):
                block = replace(_from_events(card, start, closing.start(), 0), state="misplaced")
        return block
    return FrontMatter("none")


def _plain_lines(card: str, start: int, end: int) -> tuple[Entry, ...] | None:
    """The entries of a block of nothing but `key: plain value` and lists of plain values, as most are, without the
    parser; None for any other block."""
    entries: list[Entry] = []
    position, key, indent, lines = start, "", None, 0
    while position < end:
        lines += 1
        item = _PLAIN_ITEM.match(card, position, end) if key else None
        if item is not None:
            # The first item says how far in its list stands.
            if indent is None:
                indent = item[1]
            elif indent != item[1]:
                return None
            entries.append(Entry(key, "", item[2], item.start(2), item.end(2)))
            position = item.end()
            continue
        line = _PLAIN_KEY.match(card, position, end)
        if line is None or (key and indent is None) or lines > MAX_PLAIN_LINES:
            return None
        if line[2] is None:
            key, indent = line[1], None
        else:
            key = ""
            entries.append(Entry(line[1], "", line[2], line.start(2), line.end(2)))
        position = line.end()
    return None if key and indent is None else tuple(entries)


class _TooMuchError(Exception):
    """Nested too deep or too many entries."""


def _loader(text: str) -> Any:
    # libyaml takes a tab between key and value, PyYAML's own parser (and so huggingface_hub) does not.
    if "\t" in text and len(text) <= MAX_CHARS_PURE:
        return yaml.SafeLoader
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _from_events(card: str, start: int, end: int, body: int) -> FrontMatter:
    text = card[start:end]
    entries: list[Entry] = []
    # One frame per open collection: [is a mapping, waits for a key, current key].
    stack: list[list[Any]] = []
    shape = ""
    documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=_loader(text))):
        if count > 4 * MAX_ENTRIES or len(stack) > MAX_DEPTH:
            raise _TooMuchError
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise ValueError("two documents")
        elif isinstance(event, yaml.CollectionStartEvent):
            mapping = isinstance(event, yaml.MappingStartEvent)
            shape = shape or ("mapping" if mapping else "list")
            _opens_value(stack)
            stack.append([mapping, mapping, ""])
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
            _closes_value(stack)
        elif isinstance(event, yaml.ScalarEvent):
            shape = shape or "scalar"
            if stack and stack[-1][0] and stack[-1][1]:
                stack[-1][1], stack[-1][2] = False, event.value
                continue
            entry = _entry(stack, event, start)
            _closes_value(stack)
            if entry is not None and len(entries) < MAX_ENTRIES:
                entries.append(entry)
        elif isinstance(event, yaml.AliasEvent):
            if stack and stack[-1][0] and stack[-1][1]:
                raise ValueError("an alias for a key")
            _closes_value(stack)
    if shape != "mapping":
        return FrontMatter("not_mapping" if shape else "empty", (), start, end, body)
    return FrontMatter("ok", tuple(entries), start, end, body)


def _opens_value(stack: list[list[Any]]) -> None:
    if stack and stack[-1][0] and stack[-1][1]:
        raise ValueError("a collection for a key")


def _closes_value(stack: list[list[Any]]) -> None:
    if stack and stack[-1][0]:
        stack[-1][1] = True


def _entry(stack: list[list[Any]], event: yaml.ScalarEvent, offset: int) -> Entry | None:
    if not stack or not stack[0][0] or event.start_mark is None or event.end_mark is None:
        return None
    below = [str(frame[2]) if frame[0] else "-" for frame in stack[1:]]
    path = ".".join(below[1:] if below[:1] == ["-"] else below)
    return Entry(str(stack[0][2]), path, event.value, offset + event.start_mark.index, offset + event.end_mark.index)


def _line_end(card: str, start: int) -> int:
    end = card.find("\n", start)
    return len(card) if end < 0 else end - (end > start and card[end - 1] == "\r")


def _by_line(card: str, start: int, end: int) -> Iterator[Entry]:
    key, position = "", start
    for line in card[start:end].splitlines(keepends=True)[:MAX_ENTRIES]:
        text = line.rstrip()
        if (named := _LINE_KEY.match(text)) is not None:
            key = named[1]
            if named[2]:
                yield from _inline(key, named[2], position + named.start(2))
        elif key and (item := _LINE_ITEM.match(text)) is not None:
            yield from _scalar(key, item[1], position + item.start(1))
        position += len(line)


def _inline(key: str, text: str, start: int) -> Iterator[Entry]:
    if not text.startswith("["):
        yield from _scalar(key, text, start)
        return
    for part in re.finditer(r"[^\[\],]+", text):
        yield from _scalar(key, part[0], start + part.start())


def _scalar(key: str, text: str, start: int) -> Iterator[Entry]:
    value = text.strip().strip("\"'")
    if value and len(value) <= 200:
        yield Entry(key, "", value, start, start + len(text))
