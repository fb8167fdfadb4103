"""The verdicts of many cards at once: those that say nothing are ruled on by the column, the others one by one.

`prefilter` tells which cards have a word that any rule needs. The verdict on a card without one follows from very
little: there is no evidence and no mention, so its state is `none`, and what is left to know is which tool wrote it
(its own words, which the prefilter looked for too) and that nothing is wrong with its front matter. `Bulk.split` finds
the rows for which all of that is certain and makes their verdicts as columns; `detect` judges the rows that are left.
Both together give what `detect` gives on every row, bit for bit: a property test holds it to that.

Rows come as a frame with the columns subject_id and card (missing: no card), and where known tags, library_name and
weight_files; cards as they stand in the file, before NUL and length are seen to.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from hubstats import detect as detector
from hubstats.detect import prefilter
from hubstats.detect.batch import Judged
from hubstats.detect.front_matter import read_front_matter
from hubstats.records import Detection, Verdict
from hubstats.techniques import Registry

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_PASS_ON = (prefilter.NAME, prefilter.SHOWN, prefilter.ODD)

_LETTER = r"A-Za-z0-9\x{A1}-\x{1FFF}\x{3040}-\x{D7FF}"
"""Letters of ASCII and of other scripts: printable to YAML, no line break, no mark that means anything to it."""
_WORD = rf"[{_LETTER}][{_LETTER}_./+\-]*(?::[{_LETTER}_./+\-]+)*"
_PLAIN = rf"{_WORD}(?: {_WORD})*"
_QUOTED = r"\"[ !#-\[\]-~]*\"|'[ -&(-~]*'"
_FLOW = r"\[(?:[A-Za-z0-9][A-Za-z0-9_./+\-]*(?:, ?[A-Za-z0-9][A-Za-z0-9_./+\-]*)*)?\]"
_VALUE = rf"(?:{_PLAIN}|{_QUOTED})"
_KEY = "[A-Za-z][A-Za-z0-9_]{0,60}"
_ITEMS = "|".join(rf"(?:{indent}- {_VALUE} *\n)+" for indent in ("", "  ", "    "))
SIMPLE_BLOCK = rf"\A---\n(?:{_KEY}: (?:{_VALUE}|{_FLOW}) *\n|{_KEY}: *\n(?:{_ITEMS})?)*---[ \t]*(?:\n|\z)"
"""A front matter that is certainly YAML, and a mapping: keys with plain or quoted values, and lists of such."""
_OPENS = r"\A\x{FEFF}?\s{0,200}---"
_RULE = r"(?m)^---"
"""A line without which no block of front matter stands further down."""
_LONGEST = 100_000
"""Bytes of a card that has no note on its length, and no front matter that is too long to be read."""

_BLOCK = re.compile(r"---\n(.{0,20000}?)^---[ \t]*$", re.MULTILINE | re.DOTALL)
_LETTERS = "A-Za-z0-9\u00a1-\u1fff\u3040-\ud7ff"
_PLAIN_END = re.compile(
    rf"(?<=[:\-] )[{_LETTERS}][{_LETTERS}_./+\-]*(?: [{_LETTERS}][{_LETTERS}_./+\-]*)*(?= *$)", re.MULTILINE
)
"""A plain value at the end of a line: any other such value in its place leaves the block the same to YAML."""
_MOST_SHAPES = 20_000

_TAG_WORDS = ("peft", "base_model:adapter:.*", "adapterhub:.*", "llama-factory", "template:sd-lora",
              "diffusers-training", "mergekit", "axolotl")  # fmt: skip
_TOOL_TAGS = "(?i)^(?:unsloth|autotrain|trl)$"
_ASCII = r"\A[\x00-\x7f]*\z"


@dataclass(frozen=True, slots=True)
class Split:
    """What is known at once, and what is left."""

    silent: pl.DataFrame
    """Verdicts of the rows that say nothing."""
    rest: np.ndarray[Any, Any]
    """Numbers of the rows that are to be judged one by one."""
    names: tuple[tuple[int, ...] | None, ...]
    """Of each of these: where in its card names may end, as far as that is known (see `prefilter.Found`)."""


class Bulk:
    """Splits frames of cards for one registry; not to be shared between threads."""

    def __init__(self, registry: Registry, source: str, engine: prefilter.Engine | None = None) -> None:
        self._prefilter = prefilter.prefilter(registry, engine)
        self.engine = self._prefilter.name
        self._source = source
        self._stamp = detector.version(registry)
        tags = {tag.casefold() for technique in registry for tag in technique.tags}
        self._tags = f"(?i)^(?:{'|'.join([*sorted(map(re.escape, tags)), *_TAG_WORDS])})$"
        self._weights = _weight_names(registry)
        self._shapes: dict[bytes, bool] = {}

    @property
    def weights(self) -> pl.Expr:
        """Of a list of weight files: which names any rule looks at."""
        import polars as pl

        return pl.element().str.contains(self._weights)

    def split(self, frame: pl.DataFrame) -> Split:
        """The verdicts that are certain without reading, and the rows that are to be read."""
        import numpy as np
        import polars as pl

        cards = frame["card"]
        found = self._prefilter.read(cards)
        signs = found.kinds
        names = self._ids(frame["subject_id"])
        passed = _has(signs, *_PASS_ON) | _has(names, *_PASS_ON)
        tool_tag = np.zeros(len(frame), bool)
        if "tags" in frame.columns:
            shown, tool_tag = self._of_tags(frame["tags"])
            passed |= shown
        if "library_name" in frame.columns:
            passed |= _true(frame["library_name"].str.contains(r"(?i)^(?:peft|adapters)$"))
        if "weight_files" in frame.columns:
            named = frame.select(pl.col("weight_files").list.eval(self.weights).list.any())
            passed |= _true(named.to_series())
        passed |= _true(cards.str.len_bytes() > _LONGEST)
        # The words of a tool in the text come before tags: only a card without them may be known by a tag.
        cites = _has(signs, prefilter.CITES)
        by_words = _has(signs, prefilter.UNSLOTH, prefilter.TRL) | (_has(signs, prefilter.AUTOTRAIN) & ~cites)
        passed |= ~by_words & (tool_tag | cites | _has(signs, prefilter.TOOL))
        self._pass_bad_blocks(cards, passed)
        silent, rest = np.flatnonzero(~passed), np.flatnonzero(passed)
        verdicts = self._verdicts(frame["subject_id"].gather(silent), signs[silent])
        return Split(verdicts, rest, tuple(map(found.names, rest.tolist())))

    def _ids(self, ids: pl.Series) -> np.ndarray[Any, Any]:
        return self._prefilter.read(ids.str.replace(r"(?s)\A.*/", "") + "\n").kinds

    def _of_tags(self, tags: pl.Series) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Per row: whether a tag shows something, and whether one names a tool."""
        import numpy as np
        import polars as pl

        lengths = tags.list.len().fill_null(0).to_numpy().astype(np.int64)
        flat = tags.filter(pl.Series(lengths > 0)).explode()
        row = np.repeat(np.arange(len(tags)), lengths)
        shown, tool = np.zeros(len(tags), bool), np.zeros(len(tags), bool)
        if len(flat):
            shown[row[_true(flat.str.contains(self._tags) | ~flat.str.contains(_ASCII))]] = True
            tool[row[_true(flat.str.contains(_TOOL_TAGS))]] = True
        return shown, tool

    def _pass_bad_blocks(self, cards: pl.Series, passed: np.ndarray[Any, Any]) -> None:
        """Marks the rows whose front matter may be broken, or stands in the wrong place."""
        import numpy as np

        left = np.flatnonzero(~passed)
        texts = cards.gather(left).fill_null("")
        simple = _true(texts.str.contains(SIMPLE_BLOCK))
        left, texts = left[~simple], texts.filter(~simple)
        opens = _true(texts.str.contains(_OPENS))
        none = ~opens
        none[none] = ~_true(texts.filter(none).str.contains(_RULE))
        passed[left[~opens & ~none]] = True
        for number, text in zip(left[opens].tolist(), texts.filter(opens), strict=True):
            passed[number] = not self._is_well_formed(text)

    def _is_well_formed(self, card: str) -> bool:
        """Whether the block at the top is well-formed: asked of YAML once for each shape that blocks have."""
        block = _BLOCK.match(card)
        if block is None or any(char in block[1] for char in "\t\r\\"):
            return False
        shape = _PLAIN_END.sub("x", block[1])
        digest = hashlib.blake2b(shape.encode(), digest_size=16).digest()  # shapes take kilobytes
        known = self._shapes.get(digest)
        if known is None:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            known = self._shapes[digest] = read_front_matter(f"---\n{shape}---\n").state in ("ok", "empty")
        return known

    def _verdicts(self, ids: pl.Series, signs: np.ndarray[Any, Any]) -> pl.DataFrame:
        import numpy as np
        import polars as pl

        template = np.select([_has(signs, kind) for kind in _TEMPLATES], list(range(len(_TEMPLATES))), len(_TEMPLATES))
        names = pl.Series([*_TEMPLATES.values(), None], dtype=pl.String)
        same: dict[str, Any] = {"source": self._source, "state": "none", "detector_version": self._stamp}
        same |= {"overlays": [], "techniques": [], "mentions": []}
        own = {"subject_id": ids, "template": names.gather(template)}
        columns = [
            pl.col(name) if name in own else pl.lit(same.get(name), dtype=kind).alias(name)
            for name, kind in _schema(Verdict).items()
        ]
        return pl.DataFrame(own).select(columns)


def as_frames(judged: Judged) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Verdicts and detections as frames with the columns of the records."""
    detections = [detection for found, _ in judged for detection in found]
    return _frame([verdict for _, verdict in judged], Verdict), _frame(detections, Detection)


def _frame(records: Sequence[Any], kind: type[Any]) -> pl.DataFrame:
    import polars as pl

    schema = _schema(kind)
    return pl.DataFrame({name: list(map(attrgetter(name), records)) for name in schema}, schema=schema)


def _schema(kind: type[Any]) -> dict[str, pl.DataType]:
    """The columns of a record class as Polars types."""
    import polars as pl

    types: dict[str, pl.DataType] = {
        "tuple[str, ...]": pl.List(pl.String),
        "int | None": pl.Int64(),
        "bool": pl.Boolean(),
    }
    return {field.name: types.get(str(field.type), pl.String()) for field in fields(kind)}


_TEMPLATES = {
    prefilter.UNSLOTH: "unsloth",
    prefilter.TRL: "trl",
    prefilter.AUTOTRAIN: "autotrain",
    prefilter.TRAINER: "transformers",
}
"""In the order in which `templates` looks for them."""


def _has(signs: np.ndarray[Any, Any], *kinds: int) -> np.ndarray[Any, Any]:
    made: np.ndarray[Any, Any] = (signs & sum(1 << kind for kind in kinds)) != 0
    return made


def _true(flags: pl.Series) -> np.ndarray[Any, Any]:
    # Asking whether any is missing costs nothing; filling them in does, each time.
    made: np.ndarray[Any, Any] = (flags.fill_null(False) if flags.null_count() else flags).to_numpy()
    return made


def _weight_names(registry: Registry) -> str:
    patterns = [pattern for technique in registry for pattern in technique.weights]
    names = {re.escape(part) for pattern in patterns for part in [max(re.split(r"\*", pattern), key=len)]}
    return f"(?i){'|'.join(sorted(names | {re.escape(name) for name in detector.ADAPTER_FILES}))}"
