"""Reading imports from a file that does not parse: Python 2, conflict markers, snippets with ellipses.

The text is first masked: comments and the insides of strings become blanks of the same length, so places stay and
nothing in them can match. `tokenize` is not used: it gives up at the first error, at different ones from one
Python to the next. Every pattern is possessive or has no two ways to match, so time is linear.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from keyword import iskeyword

_LEXEME = re.compile(
    r"""\#[^\n]*+
      | \"{3}(?:[^"\\]++|\\(?:.|\Z)|"(?!""))*+(?:\"{3}|\Z)
      | '{3}(?:[^'\\]++|\\(?:.|\Z)|'(?!''))*+(?:'{3}|\Z)
      | "(?:[^"\\\n]++|\\(?:.|\Z))*+"?
      | '(?:[^'\\\n]++|\\(?:.|\Z))*+'?
      | \\\n""",
    re.S | re.X,
)
_NAME = r"[^\W\d]\w*+"
_MODULE = rf"peft(?!\w)(?:[ \t\f]*+\.[ \t\f]*+{_NAME})*+"
_FROM = re.compile(rf"(?m)(?:^|[;:])[ \t\f]*+(from)[ \t\f]++({_MODULE})[ \t\f]*+import(?!\w)[ \t\f]*+")
_IMPORT = re.compile(r"(?m)(?:^|[;:])[ \t\f]*+(import)[ \t\f]++([^\n;]*+)")
_CLAUSE = re.compile(rf"[ \t\f]*+({_MODULE})(?:[ \t\f]++as[ \t\f]++({_NAME}))?[ \t\f]*+\Z")
_ITEM = re.compile(rf"\s*+({_NAME})(?:\s++as\s++({_NAME}))?\s*+")
_ITEM_ON_LINE = re.compile(rf"[ \t\f]*+({_NAME})(?:[ \t\f]++as[ \t\f]++({_NAME}))?[ \t\f]*+")
_STAR = re.compile(r"\*[ \t\f]*+(?=[;\n]|\Z)")
_END = re.compile(r"[;\n]|\Z")
_USE = re.compile(rf"(?<![\w.])((?:def|class)[ \t\f]++)?({_NAME}(?:[ \t\f]*+\.[ \t\f]*+{_NAME})*+)[ \t\f]*+(\(?)")
_DYNAMIC_CALL = re.compile(r"(?:\bimport_module|\b__import__)[ \t]*\([ \t]*[rRuU]?\Z")
_DYNAMIC_NAME = re.compile(rf"(['\"])(peft(?:\.{_NAME})*+)\1\Z")
_LOOK_BACK = 60


@dataclass(slots=True)
class Scan:
    """What the lines show. Lines count from 1."""

    imports: list[tuple[int, str, str, str | None, str | None, bool | None]] = field(default_factory=list)
    """(line, form, module, name, alias, adjacent): see Found"""
    uses: list[tuple[int, tuple[str, ...], bool]] = field(default_factory=list)
    """(line, dotted name in parts, whether it is called), for every dotted or called name in the code."""


def scan(text: str) -> Scan:
    """Imports of peft, and every name that is called or has attributes, from text that is no Python 3."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", " ")
    breaks = [at for at, character in enumerate(text) if character == "\n"]
    result = Scan()

    def line_of(at: int) -> int:
        return bisect_right(breaks, at - 1) + 1

    def blank(match: re.Match[str]) -> str:
        lexeme = match.group()
        if lexeme[0] not in "'\"":
            return " " * len(lexeme)
        dynamic = _DYNAMIC_NAME.match(lexeme)
        if dynamic and _DYNAMIC_CALL.search(text, max(0, match.start() - _LOOK_BACK), match.start()):
            result.imports.append((line_of(match.start()), "importlib", dynamic.group(2), None, None, None))
        inside = "".join("\n" if character == "\n" else " " for character in lexeme[1:-1])
        return lexeme[0] + inside + lexeme[-1:] if len(lexeme) > 1 else lexeme

    code = _LEXEME.sub(blank, text)
    for match in _FROM.finditer(code):
        line = line_of(match.start(1))
        module = _join(match.group(2))
        for place, (name, alias) in enumerate(_imported(code, match.end())):
            adjacent = place == 0 and code.startswith(f"from peft import {name}", match.start(1))
            result.imports.append((line, "star" if name == "*" else "from", module, name, alias, adjacent))
    for match in _IMPORT.finditer(code):
        line = line_of(match.start(1))
        for clause in map(_CLAUSE.match, match.group(2).split(",")):
            if clause:
                result.imports.append((line, "import", _join(clause.group(1)), None, clause.group(2), None))
    for match in _USE.finditer(code):
        definition, dotted, called = match.groups()
        if not definition and (called or "." in dotted):
            result.uses.append((line_of(match.start(2)), tuple(_join(dotted).split(".")), bool(called)))
    return result


def _imported(code: str, at: int) -> list[tuple[str, str | None]]:
    """Names of an import list that begins at `at`; none when what follows is no import list but prose."""
    if _STAR.match(code, at):
        return [("*", None)]
    bracketed = code.startswith("(", at)
    item_at = _ITEM if bracketed else _ITEM_ON_LINE
    at += bracketed
    names: list[tuple[str, str | None]] = []
    while (item := item_at.match(code, at)) and not iskeyword(item.group(1)):
        names.append((item.group(1), item.group(2)))
        at = item.end()
        if not code.startswith(",", at):
            break
        at += 1
    return names if bracketed or _END.match(code, at) else []


def _join(dotted: str) -> str:
    return "".join(dotted.split())
