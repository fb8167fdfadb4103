"""The search of GitHub's REST interface (the legacy engine), as far as it is documented: pure functions on files.

Words only: punctuation and case are ignored, and a quoted phrase is a sequence of words, so
"from peft import LoraConfig" finds neither `from peft import get_peft_model, LoraConfig` nor `peft.LoraConfig`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .repositories import blob_id

LANGUAGES = {"py": "python", "ipynb": "jupyter notebook", "md": "markdown", "txt": "text", "toml": "toml"}
QUALIFIERS = ("size", "language", "extension", "filename", "path", "repo", "user", "org", "fork", "in")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file on the default branch of a public repository."""

    repo: str
    path: str
    content: bytes
    fork: bool = False
    """The repository is a fork (found with fork:true only)."""

    @property
    def sha(self) -> str:
        """Blob id, equal for equal content wherever it lies."""
        return blob_id(self.content)


@dataclass(frozen=True, slots=True)
class Qualifier:
    """`name:value`, or `-name:value` for files that must not have it."""

    name: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """A parsed query."""

    alternatives: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    """Joined by OR: the phrases that must occur and those that must not."""
    qualifiers: tuple[Qualifier, ...]
    operators: int
    """How many AND, OR and NOT."""
    words: str
    """The query without qualifiers: what the limit of 256 characters is about."""

    def first(self, name: str) -> str | None:
        """The value of a qualifier that is there."""
        return next((q.value for q in self.qualifiers if q.name == name and not q.negated), None)


def words(text: str) -> str:
    """The words of a text, lower case, one space around each: all that the engine indexes."""
    return " " + " ".join(re.findall(r"\w+", text.lower())) + " "


def parse(query: str) -> Search:
    """Splits a query into phrases, operators and qualifiers."""
    alternatives: list[tuple[list[str], list[str]]] = [([], [])]
    qualifiers: list[Qualifier] = []
    kept: list[str] = []
    operators, negate = 0, False
    for prefix, quoted, plain in re.findall(r'(?:(-?\w+):)?(?:"([^"]*)"|(\S+))', query):
        if not prefix and plain in ("AND", "OR", "NOT"):
            operators += 1
            negate = plain == "NOT"
            if plain == "OR":
                alternatives.append(([], []))
            continue
        name = prefix.lstrip("-").lower()
        if name in QUALIFIERS:
            qualifiers.append(Qualifier(name, quoted or plain, negate or prefix.startswith("-")))
        else:
            term = f"{prefix} {quoted or plain}".strip()
            kept.append(term)
            alternatives[-1][negate].append(words(term))
        negate = False
    frozen = tuple((tuple(wanted), tuple(unwanted)) for wanted, unwanted in alternatives)
    return Search(frozen, tuple(qualifiers), operators, " ".join(kept))


def bounds(size: str) -> tuple[int, int] | None:
    """First and last size that a size: qualifier allows, or None when it is not one."""
    top = 1 << 40
    if match := re.fullmatch(r"(\d+|\*)\.\.(\d+|\*)", size):
        return (0 if match[1] == "*" else int(match[1])), (top if match[2] == "*" else int(match[2]))
    if match := re.fullmatch(r"(>=|<=|>|<|)(\d+)", size):
        n = int(match[2])
        return {">": (n + 1, top), ">=": (n, top), "<": (0, n - 1), "<=": (0, n), "": (n, n)}[match[1]]
    return None


def qualifies(file: SourceFile, qualifier: Qualifier) -> bool:
    """Whether a file passes one qualifier."""
    return _has(file, qualifier.name, qualifier.value.lower()) != qualifier.negated


def _has(file: SourceFile, name: str, value: str) -> bool:
    path = file.path.lower()
    if name == "size":
        span = bounds(value)
        return span is not None and span[0] <= len(file.content) <= span[1]
    if name in ("language", "extension"):
        extension = path.rpartition(".")[2]
        return value == (LANGUAGES.get(extension, "") if name == "language" else extension)
    if name == "filename":
        return value in path.rpartition("/")[2]
    if name == "path":
        return path.startswith(value.strip("/") + "/") if value != "/" else "/" not in path
    if name == "repo":
        return file.repo.lower() == value
    if name in ("user", "org"):
        return file.repo.lower().partition("/")[0] == value
    return True


def text_matches(file: SourceFile, parsed: Search, url: str) -> list[dict[str, Any]]:
    """At most two fragments around what was found, with the places of the words in each."""
    text = file.content.decode(errors="replace")
    phrases = [phrase.split() for wanted, _ in parsed.alternatives for phrase in wanted if phrase.strip()]
    patterns = [re.compile(r"\b" + r"\W+".join(map(re.escape, phrase)) + r"\b", re.IGNORECASE) for phrase in phrases]
    fragments: list[dict[str, Any]] = []
    reached = 0
    for start in sorted(match.start() for pattern in patterns for match in pattern.finditer(text)):
        if start < reached or len(fragments) == 2:
            continue
        first, reached = max(0, start - 80), min(len(text), start + 160)
        fragment = text[first:reached]
        hits = [
            {"text": match[0], "indices": [match.start(), match.end()]}
            for pattern in patterns
            for match in pattern.finditer(fragment)
        ]
        fragments.append(
            {
                "object_url": url,
                "object_type": "FileContent",
                "property": "content",
                "fragment": fragment,
                "matches": hits,
            }
        )
    return fragments
