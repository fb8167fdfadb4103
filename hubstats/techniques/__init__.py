"""The techniques hubstats counts: one TOML file each, beside this module, checked when loaded.

The file's name is the registry key. A file says what the technique is and how it shows itself:

    name = "DoRA"
    family = "low-rank"
    kind = "variant"             # method, variant, recipe, legacy, external, baseline or confounder
    parent = "lora"
    peft_type = "LORA"           # of a variant: the type whose config its flag stands in
    [detect]
    tags = ["dora"]
    config = [[{ key = "use_dora", op = "equals", value = true }]]     # any of the lists, all of a list
    aliases = [{ text = "DoRA", case = "exact", boundary = "word" }]

A space in an alias stands for one to three spaces, hyphens or underscores. `boundary` is "word" (no letter, digit
or underscore on either side) or "alone" (no hyphen, slash or dot that joins it to a word either). An alias marked
`ambiguous` counts only where the same document shows the technique otherwise, or where one of its `near` words
or its paper's number stands close by; `unless` words close by rule an alias out. `ignore` lists names that hold an
alias and mean something else. Condition values are compared, never the presence of a key: PEFT writes every key with
its default. `legacy_types` of a variant are dropped types whose configs have the same setting under the same key.
A table `[bench]` belongs to the bench and is not read here.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from hubstats.errors import TechniqueError

Kind = Literal["method", "variant", "recipe", "legacy", "external", "baseline", "confounder"]
"""method: a PEFT type. variant: a setting of one. recipe: a way of training that leaves no setting behind; without a
parent it does not even say which parameters are tuned (DreamBooth), so it is named and never counted as used.
legacy: a type PEFT has dropped. external: outside the library. baseline: what PEFT is compared with.
confounder: a name that looks like a technique and is none."""

Family = Literal[
    "soft-prompt",
    "prefix",
    "low-rank",
    "orthogonal",
    "scaling",
    "selective",
    "mixture",
    "shared-vector",
    "spectral",
    "other",
]
Op = Literal["equals", "one_of", "prefix", "not_null", "greater"]

KINDS: tuple[str, ...] = get_args(Kind)
FAMILIES: tuple[str, ...] = get_args(Family)
OPS: tuple[str, ...] = get_args(Op)
CASES = ("exact", "any")
BOUNDARIES = ("word", "alone")
OWNS_PEFT_TYPE = ("method", "legacy")

_IDENTITY_KEYS = (
    *("name", "family", "kind", "parent", "library", "peft_type", "config_class"),
    *("since", "paper", "paper_year", "note"),
)
_TOP_KEYS = frozenset((*_IDENTITY_KEYS, "detect", "bench"))
_DETECT_KEYS = frozenset(("aliases", "tags", "config", "weights", "site_types", "calls", "ignore", "legacy_types"))
_ALIAS_KEYS = frozenset(("text", "case", "boundary", "ambiguous", "near", "unless"))
_KEY = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Alias:
    """One spelling of a technique, with the rule for accepting it."""

    text: str
    case: str
    boundary: str
    ambiguous: bool = False
    near: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one value of a config; dots in `key` lead into nested objects."""

    key: str
    op: str
    value: Any = None

    def holds(self, config: Mapping[str, Any]) -> bool:
        """True when the config's value passes; a missing key never does. Types count, but `1` and `"true"` are true."""
        found: Any = config
        for part in self.key.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return False
            found = found[part]
        if self.op == "equals" and isinstance(self.value, bool):
            return is_true(found) if self.value else is_false(found)
        if self.op == "equals":
            return type(found) is type(self.value) and bool(found == self.value)
        if self.op == "one_of":
            return any(type(found) is type(value) and found == value for value in self.value)
        if self.op == "prefix":
            return isinstance(found, str) and found.startswith(self.value)
        if self.op == "greater":
            return isinstance(found, int | float) and not isinstance(found, bool) and found > self.value
        # not_null: PEFT and its forks write "not set" as null, false, {} or []
        return found is not None and not is_false(found) and found not in ({}, [], "")


def is_true(value: Any) -> bool:
    """True for what writers of configs put for true: true, 1 and "true"."""
    return value is True or (type(value) is int and value == 1) or (isinstance(value, str) and value.lower() == "true")


def is_false(value: Any) -> bool:
    """True for what writers of configs put for false: false, 0 and "false"; null is neither."""
    return (
        value is False or (type(value) is int and value == 0) or (isinstance(value, str) and value.lower() == "false")
    )


@dataclass(frozen=True, slots=True)
class Technique:
    """One technique and the signs it leaves."""

    key: str
    name: str
    family: str
    kind: str
    parent: str | None = None
    library: str | None = None
    peft_type: str | None = None
    """Of a method: its own type. Of a variant: the type it is a setting of."""
    config_class: str | None = None
    since: str | None = None
    """Minor version of PEFT that brought it."""
    paper: str | None = None
    """arXiv id."""
    paper_year: int | None = None
    note: str | None = None
    aliases: tuple[Alias, ...] = ()
    tags: tuple[str, ...] = ()
    config: tuple[tuple[Condition, ...], ...] = ()
    """Any of the groups shows the technique, when all conditions of the group hold."""
    weights: tuple[str, ...] = ()
    """Shell patterns for names of weight files, or of tensors where a source lists them, in lower case."""
    site_types: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    """Function names whose call shows the technique."""
    ignore: tuple[str, ...] = ()
    """Names that contain an alias and mean something else."""
    legacy_types: tuple[str, ...] = ()
    """Of a variant: dropped PEFT types whose configs have its setting too."""

    @property
    def is_overlay(self) -> bool:
        """True for what sits on top of a base technique: a variant or a recipe with a parent."""
        return self.kind in ("variant", "recipe") and self.parent is not None

    def shown_by(self, config: Mapping[str, Any]) -> bool:
        """True when the config's values show this technique's own setting (not its type)."""
        return any(all(condition.holds(config) for condition in group) for group in self.config)


class Registry:
    """All techniques, in the order of their keys."""

    def __init__(self, techniques: Iterable[Technique], fingerprint: str = "") -> None:
        ordered = sorted(techniques, key=lambda technique: technique.key)
        self._by_key = {technique.key: technique for technique in ordered}
        self.fingerprint = fingerprint
        """Short hash of all technique files: it changes when any of them does."""
        self._by_type: dict[str, str] = {}
        self._by_site_type: dict[str, str] = {}
        self._by_tag: dict[str, str] = {}
        self._config_classes: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._index()

    def _index(self) -> None:
        for technique in self:
            if technique.parent is not None and technique.parent not in self._by_key:
                raise TechniqueError(
                    f"{technique.key}.toml: there is no parent '{technique.parent}'{self._near(technique.parent)}"
                )
            if technique.kind in OWNS_PEFT_TYPE and technique.peft_type:
                _claim(self._by_type, technique.peft_type, technique.key, "peft_type")
                if technique.config_class:
                    _claim(self._config_classes, technique.config_class, technique.key, "config class")
            for site_type in technique.site_types:
                _claim(self._by_site_type, site_type.casefold(), technique.key, "site type")
            for tag in technique.tags:
                _claim(self._by_tag, tag.casefold(), technique.key, "tag")
        for technique in self:
            if technique.kind == "variant" and technique.peft_type and technique.peft_type not in self._by_type:
                raise TechniqueError(f"{technique.key}.toml: no technique has the peft_type '{technique.peft_type}'")
            for legacy in technique.legacy_types:
                before = self.by_peft_type(legacy)
                if technique.kind != "variant" or before is None or before.parent != technique.parent:
                    raise TechniqueError(f"{technique.key}.toml: '{legacy}' is no dropped type of its parent")
            ancestors, parent = {technique.key}, technique.parent
            while parent is not None:
                if parent in ancestors:
                    raise TechniqueError(f"{technique.key}.toml: its parents form a circle")
                ancestors.add(parent)
                parent = self._by_key[parent].parent
        _check_aliases(self)
        for technique in self:
            for name in (technique.key, technique.name):
                self._names.setdefault(spelling(name), technique.key)
        for technique in self:
            for alias in technique.aliases:
                self._names.setdefault(spelling(alias.text), technique.key)

    def __iter__(self) -> Iterator[Technique]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def get(self, key: str) -> Technique:
        """The technique with this key; raises TechniqueError with near misses."""
        if key not in self._by_key:
            raise TechniqueError(f"there is no technique '{key}'{self._near(key)}")
        return self._by_key[key]

    def find(self, name: str) -> Technique:
        """The technique with this key, name or alias, whatever the case; raises TechniqueError with near misses."""
        key = self._names.get(spelling(name))
        if key is None:
            raise TechniqueError(f"there is no technique '{name}'{self._near(name)}")
        return self._by_key[key]

    def by_peft_type(self, value: str) -> Technique | None:
        """The method whose PEFT type this is, dropped types included; None for one we do not know."""
        key = self._by_type.get(value)
        return None if key is None else self._by_key[key]

    def by_site_type(self, value: str) -> Technique | None:
        """The technique an image site's type field stands for, or None (Checkpoint, VAE, ...)."""
        key = self._by_site_type.get(value.casefold())
        return None if key is None else self._by_key[key]

    def by_tag(self, value: str) -> Technique | None:
        """The technique a Hub tag names, or None."""
        key = self._by_tag.get(value.casefold())
        return None if key is None else self._by_key[key]

    def config_classes(self) -> Mapping[str, str]:
        """Config class name -> key of the technique whose type it constructs."""
        return MappingProxyType(self._config_classes)

    def base(self, key: str) -> Technique:
        """The technique that an overlay sits on; anything else is its own base."""
        technique = self.get(key)
        while technique.is_overlay and technique.parent is not None:
            technique = self.get(technique.parent)
        return technique

    def carries(self, base: str, overlay: str) -> bool:
        """True when the overlay sits on this base technique: its own, or the dropped type that had it before."""
        if self.base(overlay).key == base:
            return True
        before = self._by_key.get(base)
        return before is not None and before.peft_type in self.get(overlay).legacy_types

    def variants_in(self, config: Mapping[str, Any]) -> tuple[Technique, ...]:
        """The variants a PEFT config's values show, in the order of their keys."""
        peft_type = config.get("peft_type")
        return tuple(
            technique
            for technique in self
            if technique.kind == "variant"
            and peft_type in (technique.peft_type, *technique.legacy_types)
            and technique.shown_by(config)
        )

    def _near(self, name: str) -> str:
        close = get_close_matches(name.casefold(), [*self._by_key, *self._names], n=4, cutoff=0.6)
        keys = list(dict.fromkeys(self._names.get(match, match) for match in close))
        return f"; did you mean {' or '.join(keys)}?" if keys else f"; there are {len(self)}, see `hubstats techniques`"


def _claim(owners: dict[str, str], value: str, key: str, what: str) -> None:
    other = owners.setdefault(value, key)
    if other != key:
        raise TechniqueError(f"{key}.toml and {other}.toml both claim the {what} '{value}'")


def spelling(name: str) -> str:
    """A name as aliases are compared: case folded, any run of spaces, hyphens and underscores one space."""
    return re.sub(r"[\s_\-]+", " ", name.casefold()).strip()


def _check_aliases(registry: Registry) -> None:
    # Two techniques may differ by case or by a hyphen alone (MPT and mpt, OLoRA and O-LoRA), never by nothing.
    owners: dict[str, tuple[str, Alias]] = {}
    for technique in registry:
        seen: set[tuple[str, str]] = set()
        for alias in technique.aliases:
            folded = re.sub(r"[\s_]+", " ", alias.text.casefold())
            written = (alias.text if alias.case == "exact" else folded, alias.case)
            if written in seen:
                raise TechniqueError(f"{technique.key}.toml: the alias '{alias.text}' stands there twice")
            seen.add(written)
            other, theirs = owners.setdefault(folded, (technique.key, alias))
            if other != technique.key and ("any" in (alias.case, theirs.case) or alias.text == theirs.text):
                raise TechniqueError(f"{technique.key}.toml and {other}.toml both have the alias '{alias.text}'")


def parse(key: str, text: str) -> Technique:
    """The technique written in one TOML text; raises TechniqueError on anything it does not know."""
    where = f"{key}.toml"
    if not _KEY.match(key):
        raise TechniqueError(f"{where}: a key is lower-case letters, digits and underscores")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is no TOMLDecodeError
        raise TechniqueError(f"{where}: not TOML: {error}") from error
    _known(where, data, _TOP_KEYS)
    detect = data.pop("detect", {})
    data.pop("bench", None)
    if not isinstance(detect, dict):
        raise TechniqueError(f"{where}: detect is not a table")
    _known(f"{where} [detect]", detect, _DETECT_KEYS)
    for required in ("name", "family", "kind"):
        if required not in data:
            raise TechniqueError(f"{where}: no {required}")
    for field, value in data.items():
        wanted = int if field == "paper_year" else str
        if type(value) is not wanted:
            raise TechniqueError(f"{where}: {field} is not a {'number' if wanted is int else 'text'}")
    _one_of(where, "family", data["family"], FAMILIES)
    _one_of(where, "kind", data["kind"], KINDS)
    return Technique(
        key=key,
        aliases=tuple(_alias(where, entry) for entry in _list(where, detect, "aliases")),
        config=tuple(_group(where, entry) for entry in _list(where, detect, "config")),
        tags=_texts(where, detect, "tags"),
        weights=_texts(where, detect, "weights"),
        site_types=_texts(where, detect, "site_types"),
        calls=_texts(where, detect, "calls"),
        ignore=_texts(where, detect, "ignore"),
        legacy_types=_texts(where, detect, "legacy_types"),
        **data,
    )


def _known(where: str, table: Mapping[str, Any], known: frozenset[str]) -> None:
    for key in table:
        if key not in known:
            raise TechniqueError(f"{where}: unknown key '{key}'; there are: {', '.join(sorted(known))}")


def _one_of(where: str, field: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise TechniqueError(f"{where}: unknown {field} '{value}'; there are: {', '.join(allowed)}")


def _list(where: str, table: Mapping[str, Any], field: str) -> list[Any]:
    value = table.get(field, [])
    if not isinstance(value, list):
        raise TechniqueError(f"{where}: {field} is not a list")
    return value


def _texts(where: str, table: Mapping[str, Any], field: str) -> tuple[str, ...]:
    values = _list(where, table, field)
    if not all(isinstance(value, str) and value.strip() for value in values) or len(set(values)) < len(values):
        raise TechniqueError(f"{where}: {field} is not a list of different texts")
    return tuple(values)


def _alias(where: str, entry: object) -> Alias:
    if not isinstance(entry, dict):
        raise TechniqueError(f"{where}: an alias is a table with text, case and boundary")
    _known(f"{where} alias", entry, _ALIAS_KEYS)
    text = entry.get("text")
    if not isinstance(text, str) or not text.strip() or text != text.strip():
        raise TechniqueError(f"{where}: an alias without text")
    for rule in ("case", "boundary"):
        if rule not in entry:
            raise TechniqueError(f"{where}: the alias '{text}' has no {rule} rule")
    _one_of(where, f"case rule of '{text}'", entry["case"], CASES)
    _one_of(where, f"boundary rule of '{text}'", entry["boundary"], BOUNDARIES)
    ambiguous = entry.get("ambiguous", False)
    if not isinstance(ambiguous, bool):
        raise TechniqueError(f"{where}: ambiguous of '{text}' is not true or false")
    near, unless = _texts(where, entry, "near"), _texts(where, entry, "unless")
    if near and not ambiguous:
        raise TechniqueError(f"{where}: the alias '{text}' has near words but is not ambiguous")
    if any(word != word.casefold() for word in near + unless):
        raise TechniqueError(f"{where}: near and unless words of '{text}' are written in lower case")
    return Alias(text, entry["case"], entry["boundary"], ambiguous, near, unless)


def _group(where: str, entry: object) -> tuple[Condition, ...]:
    if not isinstance(entry, list) or not entry:
        raise TechniqueError(f"{where}: config is a list of lists of conditions")
    conditions = []
    for table in entry:
        if not isinstance(table, dict) or not isinstance(table.get("key"), str):
            raise TechniqueError(f"{where}: a condition is a table with key, op and value")
        _known(f"{where} condition", table, frozenset(("key", "op", "value")))
        op, value = table.get("op"), table.get("value")
        _one_of(where, f"op of '{table['key']}'", op, OPS)
        fits = {
            "equals": value is not None,
            "one_of": isinstance(value, list) and bool(value),
            "prefix": isinstance(value, str) and bool(value),
            "not_null": "value" not in table,
            "greater": isinstance(value, int | float) and not isinstance(value, bool),
        }
        if not fits[str(op)]:
            raise TechniqueError(f"{where}: the condition on '{table['key']}' has no fitting value for {op}")
        conditions.append(Condition(table["key"], str(op), tuple(value) if isinstance(value, list) else value))
    return tuple(conditions)


def read(folder: Path) -> Registry:
    """The registry of all TOML files in a folder; raises TechniqueError when one is broken or two collide."""
    techniques, digest = [], hashlib.sha256()
    for path in sorted(folder.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        techniques.append(parse(path.stem, text))
        digest.update(f"{path.stem}\0{text}\0".encode())
    if not techniques:
        raise TechniqueError(f"there are no technique files in {folder.name}")
    return Registry(techniques, digest.hexdigest()[:12])


@lru_cache(maxsize=1)
def load() -> Registry:
    """The registry that comes with hubstats; read once, on the first call."""
    return read(Path(__file__).parent)
