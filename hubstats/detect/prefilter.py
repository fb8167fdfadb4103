"""Which of many cards can say anything at all: one pass over their bytes that lets no card slip through that could.

Of the Hub's cards few name a technique. Every rule of the detector needs some word to be there: a name, a tag,
`adapter`, `merged into`, the key of a setting, the fixed words of a template. `Prefilter` looks for all of those words
at once, in linear time, over the texts of thousands of cards lying one after the other, and tells for each card which
signs it has. A card with no sign is silent: `bulk` knows its verdict without reading it. A card with one may still be;
`detect` reads it.

The signs are wider than the rules, never narrower. Names are looked for without regard to what stands near them,
between any characters that are no ASCII letters or digits, with anything at all in the places of their hyphens, spaces
and brackets; a text with characters that fold to ASCII letters (full-width letters, ligatures), or with invisible ones,
has the sign ODD, whatever it says. That is held by a property test against `detect` itself.

Hyperscan does it where it is installed (`pip install hubstats[fast]`), the regular expressions of Polars where it is
not, at a tenth of the speed. Both are linear in the text; which cards they let through may differ, what is said of them
not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

from hubstats.detect import templates
from hubstats.detect.matching import INVISIBLE, plain
from hubstats.techniques import Alias, Registry

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

NAME, SHOWN, ODD, UNSLOTH, TRL, AUTOTRAIN, TRAINER, TOOL, CITES = range(9)
"""NAME: a technique's name or tag. SHOWN: another word that a rule needs. ODD: characters that hide words. UNSLOTH,
TRL, AUTOTRAIN, TRAINER: the words that make a card that tool's. TOOL: a word that may be a tool's tag. CITES: words
that make a card TRL's where they open a line."""

Engine = Literal["hyperscan", "polars"]

_STEM = "lora"
"""Most names are its compounds: a word that begins or ends with it stands for all of those."""
_OUTSIDE = "[^0-9A-Za-z]"
_LAST_FOLDED = 0x20000
"""Beyond are ideographs and marks that fold to nothing in ASCII."""
_SEPARATORS = re.compile(r"[\s_\-]+")
_GAPS = re.compile(r"[\s_\-()]+")


class Sign:
    """One pattern, in the words of both engines. `text` may hold GAP."""

    GAP = "\ue000"
    """Whatever may stand in the place of one to three spaces, hyphens, underscores or brackets."""

    def __init__(self, kind: int, text: str, *, caseless: bool = False, ends: str = "") -> None:
        """`ends`: where the pattern is the end of a word, "<" at its beginning, ">" at its end, "<>" at both."""
        self.kind, self.caseless = kind, caseless
        before, after = "<" in ends, ">" in ends
        self.text = f"{_OUTSIDE * before}{text}{_OUTSIDE * after}"
        self.row = f"{f'(?:^|{_OUTSIDE})' * before}{text}{f'(?:{_OUTSIDE}|$)' * after}"

    def in_bytes(self) -> bytes:
        """For texts that lie one after the other."""
        return self.text.replace(self.GAP, r"[\s_\-()\x80-\xff]{1,12}").encode()

    def in_rows(self) -> str:
        """For one text."""
        text = self.row.replace(self.GAP, r"[\s_\-()[^\x00-\x7f]]{1,3}")
        return f"(?i:{text})" if self.caseless else f"(?:{text})"


def signs(registry: Registry) -> list[Sign]:
    """Every sign of a registry's techniques and of the detector's own rules."""
    found = [Sign(NAME, _STEM, caseless=True, ends="<"), Sign(NAME, _STEM, caseless=True, ends=">")]
    exact, caseless = _names(registry)
    found += [Sign(NAME, _spelled(name), ends="<>") for name in sorted(exact)]
    found += [Sign(NAME, _spelled(name), ends="<>", caseless=True) for name in sorted(caseless)]
    tools = ("adapter", "peft", "--lora_", "axolotl", "mergekit", "llama-factory", "diffusers-training",
             "## merge details")  # fmt: skip
    merged = (r"weights[^.\n]*merged", r"merged[ ](?:16|4)[ _\-]?bit", "merged into")
    exact_words = ("配器", "LyCORIS Config", *templates.SETTINGS, "the training script", "ion weights for")
    found += [Sign(SHOWN, text, caseless=True) for text in (*tools, *merged)]
    found += [Sign(SHOWN, re.escape(text)) for text in exact_words]
    found += [
        Sign(ODD, r"\x00"),
        Sign(UNSLOTH, r"trained 2x faster with \[Unsloth\]"),
        Sign(UNSLOTH, "unsloth%20made%20with%20love"),
        Sign(TRL, r"It has been trained using \[TRL\]"),
        Sign(AUTOTRAIN, "AutoTrain"),
        Sign(TRAINER, re.escape(templates.TRAINER)),
        *(Sign(TOOL, rf"[\s\"'\[,]{tool}[\s\"'\],]", caseless=True) for tool in ("trl", "autotrain", "unsloth")),
        Sign(CITES, "Cite TRL as"),
    ]
    return found


def _names(registry: Registry) -> tuple[set[str], set[str]]:
    """Names with and without regard to case; those that another one, or the stem, stands for are left out."""
    exact: set[str] = set()
    caseless: set[str] = set()
    for technique in registry:
        owned = (technique.config_class,) if technique.kind in ("method", "legacy") else ()
        aliases = [*technique.aliases, *(Alias(name, "exact", "word") for name in (*owned, *technique.calls) if name)]
        for alias in aliases:
            # Where case decides, a name in small letters still counts in a title or a repository's name as `Vera`.
            (caseless if alias.case == "any" or alias.text == alias.text.lower() else exact).add(alias.text)
        caseless.update(technique.tags)
    folded = {_folded(name) for name in caseless}
    exact = {name for name in exact if _folded(name) not in folded and not _has_stem(name)}
    caseless = {name for name in caseless if not _has_stem(name)}
    whole = {_folded(name) for name in caseless}
    # `QLoRA-style` has `QLoRA` in it, between characters that are neither letters nor digits.
    return ({name for name in exact if not _holds(name, whole)}, {name for name in caseless if not _holds(name, whole)})


def _folded(name: str) -> str:
    return _SEPARATORS.sub(" ", name.casefold())


def _has_stem(name: str) -> bool:
    words = re.split("[^0-9a-z]+", plain(name).folded)
    return any(word.startswith(_STEM) or word.endswith(_STEM) for word in words)


def _holds(name: str, others: set[str]) -> bool:
    words = _folded(name).split(" ")
    parts = (
        " ".join(words[a:b]) for a in range(len(words)) for b in range(a + 1, len(words) + 1) if b - a < len(words)
    )
    return any(part in others for part in parts)


def _spelled(name: str) -> str:
    """The pattern of a name, wide where other characters may stand for its own."""
    text = plain(name).text.strip("()")
    assert text.isascii(), f"{name}: the prefilter looks for ASCII names"
    return Sign.GAP.join(map(re.escape, _GAPS.split(text)))


@lru_cache(maxsize=1)
def odd_characters() -> tuple[int, ...]:
    """Code points outside ASCII that hide a word: invisible ones, and those that some folding makes an ASCII letter,
    a digit or another mark that names are written with. Spaces, hyphens and brackets are no matter: names are looked
    for with any such, or none of ASCII, in their places."""
    marks = frozenset("abcdefghijklmnopqrstuvwxyz0123456789+^{}</>")
    return tuple(code for code in range(0x80, _LAST_FOLDED) if _is_odd(chr(code), marks))


def _is_odd(char: str, marks: frozenset[str]) -> bool:
    if char in INVISIBLE:
        return True
    same = char == char.casefold() == char.lower() == unicodedata.normalize("NFKC", char)
    return not same and not "\ud800" <= char <= "\udfff" and not marks.isdisjoint(_foldings(char))


def _foldings(char: str) -> set[str]:
    made = plain(char)
    return {other for form in (made.text, made.folded, char.casefold(), char.lower()) for other in form.casefold()}


def _utf8(codes: Iterable[int]) -> list[str]:
    """Patterns over bytes for any of these code points."""
    ends: dict[bytes, list[int]] = {}
    for code in codes:
        encoded = chr(code).encode()
        ends.setdefault(encoded[:-1], []).append(encoded[-1])
    heads: dict[str, list[str]] = {}
    for lead, lasts in ends.items():
        heads.setdefault(_bytes(_runs(lasts)), []).append("".join(f"\\x{byte:02x}" for byte in lead))
    return [f"(?:{'|'.join(leads)}){tail}" for tail, leads in heads.items()]


def _runs(values: Iterable[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for value in sorted(values):
        if runs and runs[-1][1] == value - 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return runs


def _bytes(runs: Sequence[tuple[int, int]]) -> str:
    return "[" + "".join(f"\\x{a:02x}-\\x{b:02x}" for a, b in runs) + "]"


@dataclass(frozen=True, slots=True)
class Found:
    """The signs of some texts."""

    kinds: np.ndarray[Any, Any]
    """For each text a number, bit k set when it has the sign k."""
    rows: np.ndarray[Any, Any] | None = None
    """The numbers of the texts with names, ascending, each as often as there is one; None: it is not known where."""
    ends: np.ndarray[Any, Any] | None = None
    """Beside each: the byte of the text after the name, or after the character that ends it."""

    def names(self, row: int) -> tuple[int, ...] | None:
        """Where the names of a text may end, ascending: none begins as late as there. None: anywhere."""
        import numpy as np

        if self.rows is None or self.ends is None or self.kinds[row] >> ODD & 1:
            return None
        first, last = np.searchsorted(self.rows, (row, row + 1))
        return tuple(sorted(set(self.ends[first:last].tolist())))


class Prefilter(Protocol):
    """What an engine offers."""

    name: Engine

    def read(self, texts: pl.Series) -> Found:
        """The signs of texts in UTF-8; missing texts have none."""
        ...


def has_hyperscan() -> bool:
    """Whether the faster engine is installed."""
    from importlib.util import find_spec

    return find_spec("hyperscan") is not None


@lru_cache(maxsize=4)
def prefilter(registry: Registry, engine: Engine | None = None) -> Prefilter:
    """The prefilter of a registry, built once; with the fastest engine that is installed, or a named one."""
    chosen = engine or ("hyperscan" if has_hyperscan() else "polars")
    return _Hyperscan(registry) if chosen == "hyperscan" else _Polars(registry)


class _Hyperscan:
    name: Engine = "hyperscan"

    def __init__(self, registry: Registry) -> None:
        import hyperscan

        found = [(sign.kind, sign.in_bytes(), sign.caseless) for sign in signs(registry)]
        found += [(ODD, text.encode(), False) for text in _utf8(odd_characters())]
        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[text for _, text, _ in found],
            ids=[kind for kind, _, _ in found],
            elements=len(found),
            flags=[hyperscan.HS_FLAG_CASELESS if caseless else 0 for _, _, caseless in found],
        )

    def read(self, texts: pl.Series) -> Found:
        """See Prefilter.read."""
        import numpy as np

        offsets, data = _laid_out(texts)
        signs = np.zeros(len(texts), np.uint16)
        found = self._scan(data) if len(data) else []
        events = np.array(found, dtype=np.int64).reshape(-1, 2)
        bits = np.left_shift(1, events[:, 0]).astype(np.uint16)
        names = events[:, 0] == NAME
        rows, ends = [], []
        # The last byte of a match may be the first of the next text, where a name ends its own: both have the sign.
        for back in (1, 2):
            row = np.searchsorted(offsets, np.maximum(events[:, 1] - back, 0), side="right") - 1
            np.bitwise_or.at(signs, row, bits)
            rows.append(row[names])
            ends.append(events[names, 1] - offsets[rows[-1]])
        for number in _joined(offsets, data):
            text = b"\n" + data[offsets[number] : offsets[number + 1]].tobytes() + b"\n"
            alone = self._scan(text)
            for kind, _ in alone:
                signs[number] |= 1 << kind
            ends.append(np.array([end - 1 for kind, end in alone if kind == NAME], np.int64))
            rows.append(np.full(len(ends[-1]), number))
        row = np.concatenate(rows)
        order = np.argsort(row, kind="stable")
        return Found(signs, row[order], np.concatenate(ends)[order])

    def _scan(self, data: Any) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        add = found.append

        def met(kind: int, start: int, end: int, flags: int, context: object) -> None:
            add((kind, end))

        self._database.scan(data, match_event_handler=met)
        return found


def _laid_out(texts: pl.Series) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Where each text begins (and the last ends), and the bytes of all."""
    import numpy as np
    import polars as pl

    column = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, places, data = column.buffers()
    if data is None or not len(column):
        return np.zeros(len(texts) + 1, np.int64), np.zeros(0, np.uint8)
    offsets = np.frombuffer(places, np.int64)[column.offset : column.offset + len(column) + 1]
    held = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], held


def _joined(offsets: np.ndarray[Any, Any], data: np.ndarray[Any, Any]) -> Iterator[int]:
    """Texts whose first or last word goes on in the text beside it, so that no end of a word shows between the two."""
    import numpy as np

    word = np.zeros(256, bool)
    word[list(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] = True
    filled = np.flatnonzero(np.diff(offsets))
    if not len(filled):
        return
    starts, ends = offsets[filled], offsets[filled + 1]
    goes_on = word[data[starts[1:]]]
    suspect = np.zeros(len(filled), bool)
    suspect[1:] |= goes_on & word[data[ends[:-1] - 1]]
    suspect[:-1] |= goes_on & ~np.isin(data[ends[:-1] - 1], (10, 13, 32))
    suspect[0] = suspect[-1] = True  # nothing stands before the first, nothing behind the last
    yield from filled[suspect].tolist()


class _Polars:
    name: Engine = "polars"

    def __init__(self, registry: Registry) -> None:
        kinds: dict[int, list[str]] = {}
        for sign in signs(registry):
            kinds.setdefault(sign.kind, []).append(sign.in_rows())
        runs = "".join(f"\\x{{{a:x}}}-\\x{{{b:x}}}" for a, b in _runs(odd_characters()))
        kinds[ODD].append(f"[{runs}]")
        self._patterns = {kind: "|".join(parts) for kind, parts in kinds.items()}

    def read(self, texts: pl.Series) -> Found:
        """See Prefilter.read."""
        import numpy as np

        signs = np.zeros(len(texts), np.uint16)
        for kind, pattern in self._patterns.items():
            has = texts.str.contains(pattern).fill_null(False).to_numpy()
            signs |= has.astype(np.uint16) << np.uint16(kind)
        return Found(signs)
