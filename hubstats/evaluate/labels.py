"""Labelled cards and configs: a CSV of what a person read, beside the texts or with the commits they are in.

    file,sha256,used,mentioned,confidence,front_matter                   cards, texts beside the CSV
    repo,commit,path,sha256,used,mentioned,confidence,front_matter       cards, texts in git mirrors
    file,sha256,peft_type,variant_flags                                  adapter configs

Several labels in a cell stand apart by `|`; an empty cell is none. `variant_flags` holds settings of the config as
`name` (true) or `name=value`; a column `method` holds the registry key where a file shows its technique without a
`peft_type`, as AdapterHub's do. Other columns are for people. Labels do not tell the placements of bottleneck adapters
apart (Houlsby, Pfeiffer, parallel), so neither does the comparison. A training recipe that sits on no technique
(DreamBooth) says what the model was shown and not which parameters were tuned: a verdict never says that it was used,
so where a label does, `used` leaves it out and `mentioned` keeps it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from hubstats.detect.config import peft_type_key
from hubstats.detect.front_matter import State
from hubstats.detect.verdict import is_bare_recipe
from hubstats.errors import ConfigError, TechniqueError
from hubstats.records import Document
from hubstats.sources._git import GitError, GitRepository, git_dir_of
from hubstats.techniques import Registry

Measure = Literal["used", "mentioned", "front_matter", "method", "variants"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
CONFIDENCE = ("high", "medium", "low")
MAX_LABELS = 64 << 20
MAX_TEXT = 16 << 20

_PART = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+\Z")
_COMMIT = re.compile(r"[0-9a-f]{40,64}\Z")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One file and what a person read in it."""

    name: str
    document: Document
    claims: Mapping[Measure, frozenset[str]]
    sure: bool | None = None
    """Whether the label is of high confidence; None where the labels do not say."""
    variants: frozenset[str] = frozenset()
    """The variants that the labels speak of; a config that shows another one is neither right nor wrong."""


@dataclass(frozen=True, slots=True)
class LabelSet:
    """All rows whose text could be had, and how many could not, by reason."""

    rows: tuple[Labelled, ...]
    left_out: Mapping[str, int]

    @property
    def size(self) -> int:
        """Rows of the CSV."""
        return len(self.rows) + sum(self.left_out.values())


class _NoTextError(Exception):
    """The text of one row cannot be had; says why in a few words."""


def coarse(keys: Iterable[str], registry: Registry) -> frozenset[str]:
    """Technique keys as labels have them: every placement of bottleneck adapters is `bottleneck_adapter`."""
    folded = "bottleneck_adapter"
    return frozenset(folded if key in registry and registry.base(key).key == folded else key for key in keys)


def read_labels(path: Path, registry: Registry, mirrors: Path | None = None) -> LabelSet:
    """The labels in `path` (a CSV, or a folder with labels.csv) with their texts.

    Texts lie beside the CSV under `file`; with `mirrors` they are read from the commits of git repositories in
    `mirrors`/owner+name. Rows whose text a mirror lacks are left out and counted. Raises ConfigError when the labels
    cannot be used: no such file, a column or a file missing, a label that the registry does not know, a text that is
    not the one that was labelled.
    """
    source = path / "labels.csv" if path.is_dir() else path
    columns, cells = _read_csv(source)
    is_cards = "used" in columns
    where = ("repo", "commit", "path", "sha256") if mirrors else ("file",)
    _require(source, columns, ("used", "mentioned", "confidence") if is_cards else ("peft_type", "variant_flags"))
    if mirrors is None and "file" not in columns and "commit" in columns:
        raise ConfigError(f"{source.name} has no texts beside it: name a folder of git mirrors with --mirrors")
    _require(source, columns, where)
    texts = _Mirrors(mirrors) if mirrors else _Folder(source.parent)
    spoken = frozenset[str]() if is_cards else _spoken_of(cells, registry)
    rows, left_out = [], Counter[str]()
    for number, row in enumerate(cells, start=2):
        place = f"{source.name} line {number}"
        claims, sure = _card_claims(place, row, registry) if is_cards else _config_claims(row, registry, spoken, place)
        try:
            name, data = texts.read(row)
            _check(row, data)
        except _NoTextError as reason:
            if mirrors is None:
                raise ConfigError(f"{place}: {reason}") from None
            left_out[str(reason)] += 1
            continue
        text = data.decode("utf-8", errors="replace")
        # The subject has no name of its own: the labels are of the text alone.
        document = Document(
            "labelled", f"row {number}", card=text if is_cards else None, config=None if is_cards else text
        )
        rows.append(Labelled(name, document, claims, sure, spoken))
    return LabelSet(tuple(rows), dict(left_out))


def _read_csv(source: Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    try:
        with source.open("rb") as stream:
            data = stream.read(MAX_LABELS + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the labels {source}: {error.strerror}") from error
    if len(data) > MAX_LABELS:
        raise ConfigError(f"{source.name} is larger than {MAX_LABELS >> 20} MiB: these are no labels")
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), restval="", strict=True)
        cells = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{source.name} is not a CSV file: {error}") from error
    if not cells:
        raise ConfigError(f"{source.name} holds no labels")
    ragged = next((number for number, row in enumerate(cells, start=2) if None in row), None)
    if ragged is not None:
        raise ConfigError(f"{source.name} line {ragged} has more cells than there are columns")
    return tuple(reader.fieldnames or ()), cells


def _require(source: Path, columns: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    lacking = [name for name in wanted if name not in columns]
    if lacking:
        raise ConfigError(f"{source.name} has no column {', '.join(lacking)}; it has: {', '.join(columns)}")


def _labels(cell: str) -> tuple[str, ...]:
    return tuple(label.strip() for label in cell.split("|") if label.strip())


def _card_claims(
    place: str, row: Mapping[str, str], registry: Registry
) -> tuple[dict[Measure, frozenset[str]], bool | None]:
    claims: dict[Measure, frozenset[str]] = {}
    measures: tuple[Measure, ...] = ("used", "mentioned")
    for measure in measures:
        try:
            keys = [registry.get(key).key for key in _labels(row[measure])]
        except TechniqueError as error:
            raise ConfigError(f"{place}, {measure}: {error}") from error
        if measure == "used":
            keys = [key for key in keys if not is_bare_recipe(registry.get(key))]
        claims[measure] = coarse(keys, registry)
    if row["confidence"] not in CONFIDENCE:
        raise ConfigError(f"{place}: confidence '{row['confidence']}' is none of {', '.join(CONFIDENCE)}")
    state = row.get("front_matter", "")
    if state:
        states = get_args(State)
        if state not in states:
            raise ConfigError(f"{place}: front_matter '{state}' is none of {', '.join(states)}")
        claims["front_matter"] = frozenset({state})
    return claims, row["confidence"] == "high"


def _config_claims(
    row: Mapping[str, str], registry: Registry, spoken: frozenset[str], place: str
) -> tuple[dict[Measure, frozenset[str]], None]:
    peft_type = row["peft_type"].strip()
    method = frozenset({peft_type_key(peft_type, registry)} if peft_type else ())
    if row.get("method"):
        try:
            method = coarse([registry.get(key).key for key in _labels(row["method"])], registry)
        except TechniqueError as error:
            raise ConfigError(f"{place}, method: {error}") from error
    return {"method": method, "variants": _variants(row, registry) & spoken}, None


def _variants(row: Mapping[str, str], registry: Registry) -> frozenset[str]:
    """The variants that the labelled flags stand for; a flag that makes none is a setting of its method."""
    found: set[str] = set()
    for flag in _labels(row["variant_flags"]):
        if flag in registry:
            found.add(flag)
            continue
        name, _, value = flag.partition("=")
        config = {"peft_type": row["peft_type"].strip(), name: value or True}
        found |= {technique.key for technique in registry.variants_in(config)}
    return frozenset(found)


def _spoken_of(cells: Iterable[Mapping[str, str]], registry: Registry) -> frozenset[str]:
    # All of LoRA's, whose flags every such label lists, and of other methods those that occur.
    flagged = frozenset[str]().union(*(_variants(row, registry) for row in cells))
    return flagged | {each.key for each in registry if each.kind == "variant" and each.peft_type == "LORA"}


def _check(row: Mapping[str, str], data: bytes) -> None:
    if len(data) > MAX_TEXT:
        raise _NoTextError(f"larger than {MAX_TEXT >> 20} MiB")
    labelled = row.get("sha256", "").strip().lower()
    if labelled and hashlib.sha256(data).hexdigest() != labelled:
        raise _NoTextError("the text is another than was labelled (sha256 differs)")


class _Folder:
    """Texts beside the labels."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def read(self, row: Mapping[str, str]) -> tuple[str, bytes]:
        name = row["file"].strip()
        path = (self._folder / name).resolve()
        if not name or not path.is_relative_to(self._folder):
            raise _NoTextError(f"'{name}' is not a file in the folder of the labels")
        try:
            with path.open("rb") as stream:
                return name, stream.read(MAX_TEXT + 1)
        except (OSError, ValueError) as error:
            raise _NoTextError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error


class _Mirrors:
    """Texts in commits of git repositories that lie in folder/owner+name, bare or not, or one level below it."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigError(f"there is no folder of mirrors {folder}")
        self._folder = folder
        self._trees: dict[tuple[str, str], tuple[GitRepository, dict[str, str]] | str] = {}

    def read(self, row: Mapping[str, str]) -> tuple[str, bytes]:
        repo, commit, path = row["repo"].strip(), row["commit"].strip(), row["path"]
        if not _PART.match(repo) or not _COMMIT.match(commit):
            raise _NoTextError("no owner/name and full commit")
        if (repo, commit) not in self._trees:
            self._trees[repo, commit] = self._tree(repo, commit)
        tree = self._trees[repo, commit]
        if isinstance(tree, str):
            raise _NoTextError(tree)
        repository, blobs = tree
        if path not in blobs:
            raise _NoTextError("the commit has no such file")
        try:
            data = next(repository.blobs([blobs[path]]), None)
        except GitError as error:
            raise _NoTextError("the repository is damaged") from error
        if data is None:
            raise _NoTextError("the mirror lacks the file's content")
        return f"{repo}@{commit[:7]}:{path}", data

    def _tree(self, repo: str, commit: str) -> tuple[GitRepository, dict[str, str]] | str:
        folder = self._folder / repo.replace("/", "+")
        inner = sorted(folder.iterdir()) if folder.is_dir() else []
        found = next((place for each in (folder, *inner) if (place := git_dir_of(each)) is not None), None)
        if found is None:
            return "no mirror of the repository"
        repository = GitRepository(found)
        try:
            return repository, {entry.path: entry.sha for entry in repository.files(repository.commit(commit))}
        except GitError:
            return "the mirror lacks the commit"
