"""Rows of a bulk file of Hub metadata or model cards, whatever its columns are called and typed.

    modelId | id, author, createdAt | created_at, lastModified | last_modified, downloads, likes, tags, library_name,
    pipeline_tag, card, gated, disabled, siblings (file names), cardData (JSON), baseModels (what it derives from)

Such files changed their columns over the years: times were text, tags were JSON, a column was all null, siblings were
objects or names. So columns are taken by name, brought to one type where that loses nothing, and left empty with a
count where it does not. Everything that can be done on whole columns is; only the last step makes Python objects.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hubstats.records import Failure, FileStatus, HubModel, ModelCard, Record
from hubstats.sources import _fields as fields
from hubstats.sources._hub_rows import RELATIONS
from hubstats.sources._repository_files import BYTE_CAPS, CARD, CONFIG, MOST_WEIGHT_FILES, WEIGHT_ENDINGS

if TYPE_CHECKING:
    import polars as pl

CARD_CAP = BYTE_CAPS[CARD]
"""Bytes of a card that are kept."""
MOST_TAGS = 500

NAMES = {
    "model_id": ("modelId", "id"),
    "author": ("author",),
    "created_at": ("createdAt", "created_at", "created"),
    "last_modified": ("lastModified", "last_modified"),
    "downloads": ("downloads",),
    "likes": ("likes",),
    "tags": ("tags",),
    "library_name": ("library_name",),
    "pipeline_tag": ("pipeline_tag",),
    "gated": ("gated",),
    "disabled": ("disabled",),
    "card": ("card",),
    "siblings": ("siblings",),
    "base_models": ("baseModels",),
    "card_data": ("cardData",),
}
WEIGHTS = "(?:" + "|".join(map(re.escape, WEIGHT_ENDINGS)) + ")$"

TEXTS = ("model_id", "author", "library_name", "pipeline_tag", "card")
NUMBERS = ("downloads", "likes")
TIMES = ("created_at", "last_modified")
FLAGS = ("gated", "disabled")


class Unusable(ValueError):
    """The column's type cannot hold what its name promises."""


@dataclass(frozen=True)
class Layout:
    """How the columns of one file are read."""

    raw: tuple[str, ...]
    """The file's columns that are needed, by its names."""
    columns: Mapping[str, pl.Expr]
    """Our column -> how it comes out of the raw ones; only what the file has."""
    losses: tuple[pl.Expr, ...]
    """Per raw column, how many values have no reading in our type."""
    unusable: tuple[tuple[str, str], ...]
    """Raw column and why it is left out."""


def layout(schema: pl.Schema) -> Layout:
    """The reading of a file with these columns; one it lacks is simply not there."""
    import polars as pl

    raw: list[str] = []
    columns: dict[str, pl.Expr] = {}
    losses: list[pl.Expr] = []
    unusable: list[tuple[str, str]] = []
    for ours, theirs in NAMES.items():
        readings: list[pl.Expr] = []
        for name in theirs:
            if name not in schema or schema[name] == pl.Null:
                continue
            try:
                readings.append(_reading(ours, pl.col(name), schema[name]))
            except Unusable as error:
                unusable.append((name, str(error)))
                continue
            raw.append(name)
            if ours in (*TEXTS, *NUMBERS):
                losses.append((pl.col(name).is_not_null() & readings[-1].is_null()).sum().alias(name))
        if readings:
            columns[ours] = pl.coalesce(readings)
    if "siblings" in columns and schema["siblings"] != pl.String:
        columns |= _files(columns.pop("siblings"))
    if "card" in columns:
        text = schema["card"] == pl.String
        columns["card_bytes"] = (pl.col("card") if text else columns["card"]).str.len_bytes()
    return Layout(tuple(raw), columns, tuple(losses), tuple(unusable))


def _reading(ours: str, column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """The column brought to our type; raises Unusable when its type says something else."""
    import polars as pl

    text = isinstance(kind, pl.String | pl.Categorical | pl.Enum)
    if ours in TEXTS and isinstance(kind, pl.Binary):
        column, text = column.map_batches(_decoded, return_dtype=pl.String), True
    if ours in TEXTS and text:
        # Cut first: whatever is done to a text copies it. NUL is text to Parquet and to hardly anything after it
        return _cut(column.cast(pl.String)).str.replace_all("\0", "", literal=True)
    if ours in NUMBERS and (text or kind.is_numeric()):
        number = column.cast(pl.String if text else pl.Float64, strict=False).cast(pl.Int64, strict=False)
        number = column.cast(pl.Int64, strict=False) if kind.is_integer() else number
        return pl.when(number >= 0).then(number)
    if ours in TIMES and isinstance(kind, pl.Datetime):
        zoned = column.dt.convert_time_zone("UTC") if kind.time_zone else column.dt.replace_time_zone("UTC")
        return zoned.dt.cast_time_unit("us")
    if ours in TIMES and isinstance(kind, pl.Date):
        return column.cast(pl.Datetime("us", "UTC"))
    if ours in FLAGS and isinstance(kind, pl.Boolean):
        return column
    if ours == "tags" and isinstance(kind, pl.List) and isinstance(kind.inner, pl.String | pl.Categorical):
        return column.list.head(MOST_TAGS).list.eval(
            pl.element().cast(pl.String).str.replace_all("\0", "", literal=True)
        )
    if ours == "siblings" and isinstance(kind, pl.List):
        if isinstance(kind.inner, pl.String):
            return column
        if isinstance(kind.inner, pl.Struct) and "rfilename" in {field.name for field in kind.inner.fields}:
            return column.list.eval(pl.element().struct.field("rfilename").cast(pl.String, strict=False))
    if ours in ("base_models", "card_data") and isinstance(kind, pl.Struct):
        return column
    if text and ours not in NUMBERS:
        return column.cast(pl.String)  # JSON, a time or a list written as text: read row by row
    raise Unusable(f"its type is {str(kind)[:80]}")


def _cut(text: pl.Expr) -> pl.Expr:
    import polars as pl

    return pl.when(text.str.len_bytes() > CARD_CAP).then(text.str.head(CARD_CAP)).otherwise(text)


def _decoded(values: pl.Series) -> pl.Series:
    """Bytes as text; those that are no UTF-8 become U+FFFD."""
    import polars as pl

    texts = [None if value is None else value.decode("utf-8", "replace") for value in values]
    return pl.Series(values.name, texts, dtype=pl.String)


def _files(names: pl.Expr) -> dict[str, pl.Expr]:
    """What the file list of a repository is asked for, so that the list itself need not become Python objects."""
    import polars as pl

    weights = names.list.eval(pl.element().filter(pl.element().str.contains(WEIGHTS)))
    return {
        "has_card": names.list.contains(CARD),
        "has_adapter_config": names.list.contains(CONFIG),
        "weight_files": weights.list.sort().list.head(MOST_WEIGHT_FILES),
    }


@dataclass
class Rows:
    """Turns rows into records. `bad` counts, per column, values that were no such thing and were left empty."""

    source: str
    subject: str
    """What failures are filed under: the file."""
    seen_at: datetime | None
    bad: Counter[str]

    def records(self, frame: pl.DataFrame, first: int) -> Iterator[Record]:
        """The records of a frame whose first row is number `first` of the file."""
        has_text = "card" in frame.columns
        for number, row in enumerate(frame.iter_rows(named=True), first):
            model_id = (row["model_id"] or "").strip()
            if not model_id or len(model_id) > 300:
                why = "the row has no modelId or id" if not model_id else "its id is longer than any repository's"
                yield Failure(self.source, self.subject, f"row {number}", "no_id", f"{why}; it is left out")
                continue
            yield self._model(model_id, row, has_text)
            if has_text:
                yield self._card(model_id, row["card"], row["card_bytes"])

    def _model(self, model_id: str, row: dict[str, Any], has_text: bool) -> HubModel:
        tags = self._tags(row.get("tags"))
        base, relation = _base(row, tags)
        has_card, has_config, weights = row.get("has_card"), row.get("has_adapter_config"), row.get("weight_files")
        if isinstance(row.get("siblings"), str):
            files = self._siblings(row["siblings"])
            if files is not None:
                has_card, has_config, weights = CARD in files, CONFIG in files, _weights(files)
        if has_card is None and has_text:
            has_card = row["card"] is not None
        return HubModel(
            source=self.source,
            model_id=model_id,
            author=row.get("author") or (model_id.split("/", 1)[0] if "/" in model_id else None),
            created_at=self._time(row.get("created_at"), "created_at"),
            last_modified=self._time(row.get("last_modified"), "last_modified"),
            downloads=row.get("downloads"),
            likes=row.get("likes"),
            tags=tags,
            library_name=row.get("library_name"),
            pipeline_tag=row.get("pipeline_tag"),
            base_model=base,
            base_model_relation=relation,
            gated=_flag(row.get("gated")),
            disabled=_flag(row.get("disabled")),
            has_card=has_card,
            has_adapter_config=has_config,
            weight_files=None if weights is None else tuple(weights),
            seen_at=self.seen_at,
        )

    def _card(self, model_id: str, text: str | None, size: int | None) -> ModelCard:
        status: FileStatus = "ok"
        detail = None
        if text is None:
            status, detail = "missing", "the dump has no card for it"
        elif size is not None and size > CARD_CAP:
            text = text.encode()[:CARD_CAP].decode("utf-8", "ignore")
            status, detail = "too_large", f"{size} bytes; the first {CARD_CAP} are kept"
        return ModelCard(self.source, model_id, status, text, size, detail=detail, fetched_at=self.seen_at)

    def _time(self, value: object, column: str) -> datetime | None:
        if value is None or isinstance(value, datetime):
            return value
        parsed = fields.moment({"": value}, "")
        self.bad[column] += parsed is None
        return parsed

    def _tags(self, value: object) -> tuple[str, ...]:
        if isinstance(value, list):
            return tuple(tag for tag in value if tag)
        if not isinstance(value, str) or not value.strip():
            return ()
        if value.lstrip().startswith("["):
            found = _json(value)
            if isinstance(found, list):
                return fields.texts({"": found}, "", MOST_TAGS)
            self.bad["tags"] += 1
            return ()
        return tuple(tag for tag in (part.strip() for part in value.split(",")) if tag)[:MOST_TAGS]

    def _siblings(self, value: str) -> list[str] | None:
        found = _json(value)
        if not isinstance(found, list):
            self.bad["siblings"] += 1
            return None
        names = [entry.get("rfilename") if isinstance(entry, dict) else entry for entry in found]
        return [name for name in names if isinstance(name, str)]


def _weights(files: list[str]) -> list[str]:
    return sorted(name for name in files if name.endswith(WEIGHT_ENDINGS))[:MOST_WEIGHT_FILES]


def _json(value: str) -> Any:
    """What the text holds; None when it is not JSON."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _flag(value: object) -> bool | None:
    if isinstance(value, str):  # the Hub writes gated as false, "auto" or "manual"
        return None if not value else value.casefold() not in ("false", "0", "no", "none")
    return value if isinstance(value, bool) else None


def _base(row: dict[str, Any], tags: tuple[str, ...]) -> tuple[str | None, str | None]:
    """The base model and how it was used: as the Hub worked it out, by its tags, or as the card says."""
    derived = row.get("base_models")
    derived = _json(derived) if isinstance(derived, str) else derived
    if isinstance(derived, dict):
        models = [entry for entry in fields.rows(derived, "models") if isinstance(entry, dict)]
        base = fields.text(models[0], "id", 300) if models else None
        if base:
            return base, fields.text(derived, "relation", 50)
    plain: str | None = None
    for tag in tags:
        if tag.startswith("base_model:"):
            # base_model:owner/name, and beside it base_model:adapter:owner/name
            relation, colon, base = tag.removeprefix("base_model:").partition(":")
            if base and relation in RELATIONS:
                return base, relation
            plain = plain or (relation if not colon else None)
    if plain:
        return plain, None
    card = row.get("card_data")
    card = _json(card) if isinstance(card, str) else card
    if not isinstance(card, dict):
        return None, None
    named = card.get("base_model")
    named = named[0] if isinstance(named, list) and named else named
    found = fields.text({"": named}, "", 300)
    return found, fields.text(card, "base_model_relation", 50) if found else None


def utc(value: datetime | None) -> datetime | None:
    """The time in UTC; one without a zone is taken as UTC."""
    if value is None:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
