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
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hubstats.records import Failure, HubModel
from hubstats.sources import _fields as fields
from hubstats.sources._hub_rows import RELATIONS
from hubstats.sources._repository_files import BYTE_CAPS, CARD, CONFIG, MOST_WEIGHT_FILES, WEIGHT_ENDINGS

if TYPE_CHECKING:
    import polars as pl

CARD_CAP = BYTE_CAPS[CARD]
"""Bytes of a card that are kept."""
MOST_TAGS = 500
MOST_ID = 300
"""Characters of a repository's id."""
_SPACES = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
"""What Python's strip() takes off."""

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


SEEN = {"hub_model": "seen_at", "model_card": "fetched_at"}
"""The column of each table that says when the row was seen."""


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
                # The text of cards is what takes time: it is left as it is until a card is wanted (see `clean`).
                whole = ours == "card" and schema[name] == pl.String
                readings.append(pl.col(name) if whole else _reading(ours, pl.col(name), schema[name]))
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
    """Turns the rows of a file into those of the store's tables. `bad` counts, per column, values that were no such
    thing and were left empty."""

    source: str
    subject: str
    """What failures are filed under: the file."""
    seen_at: datetime | None
    bad: Counter[str]

    def tables(self, frame: pl.DataFrame, first: int) -> tuple[dict[str, pl.DataFrame], list[Failure]]:
        """Rows of hub_model, and of model_card where the file has cards, of a frame whose first row is number `first`
        of the file; and what could not be used. The text of a card is as it stands in the file (see `clean`)."""
        import polars as pl

        ids = frame["model_id"].fill_null("").str.strip_chars(_SPACES)
        usable = (ids != "") & (ids.str.len_chars() <= MOST_ID)
        failures = [self._no_id(first + number, ids[number]) for number in usable.not_().arg_true().to_list()]
        # The last of two rows with one id counts.
        frame = frame.with_columns(model_id=ids)
        if failures:
            frame = frame.filter(usable)
        if frame["model_id"].n_unique() < len(frame):
            frame = frame.unique("model_id", keep="last", maintain_order=True)
        tables = {"hub_model": self._models(frame)}
        if "card" in frame.columns:
            tables["model_card"] = self._cards(frame)
        seen = None if self.seen_at is None else self.seen_at.replace(tzinfo=None)
        when = pl.lit(seen, dtype=pl.Datetime("us"))
        tables = {
            name: table.select(pl.lit(self.source).alias("source"), pl.all(), when.alias(SEEN[name]))
            for name, table in tables.items()
        }
        return tables, failures

    def _no_id(self, number: int, model_id: str) -> Failure:
        why = "its id is longer than any repository's" if model_id else "the row has no modelId or id"
        return Failure(self.source, self.subject, f"row {number}", "no_id", f"{why}; it is left out")

    def _models(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        kinds = _hub_model()
        made = {name: frame[name] for name in kinds if name in frame.columns}
        for name in TIMES:
            if name in made:
                made[name] = self._times(made[name], name)
        made["tags"] = (
            self._tags(frame["tags"]) if "tags" in frame.columns else _same([], len(frame), pl.List(pl.String))
        )
        made["base_model"], made["base_model_relation"] = self._bases(frame, made["tags"])
        for name in FLAGS:
            if name in made and made[name].dtype == pl.String:
                made[name] = pl.Series(list(map(_flag, made[name])), dtype=pl.Boolean)
        if "siblings" in frame.columns:
            made |= self._siblings(frame["siblings"])
        columns = {name: pl.col(name) if name in made else pl.lit(None) for name in kinds}
        named = columns["author"]
        columns["author"] = (
            pl.when(named != "").then(named).otherwise(pl.col("model_id").str.extract(r"(?s)\A([^/]*)/"))
        )
        if "card" in frame.columns:
            made["_has_text"] = frame["card"].is_not_null()
            columns["has_card"] = pl.coalesce(columns["has_card"], "_has_text")
        # In one statement: of each that Polars is given, most of the time goes into its beginning.
        return pl.DataFrame(made).select(columns[name].cast(kind).alias(name) for name, kind in kinds.items())

    def _cards(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        size = pl.col("card_bytes")
        large = size > CARD_CAP
        return frame.select(
            "model_id",
            pl.when(pl.col("card").is_null()).then(pl.lit("missing")).when(large).then(pl.lit("too_large"))
            .otherwise(pl.lit("ok")).alias("status"),
            pl.col("card").alias("text"),
            size.cast(pl.Int64).alias("bytes"),
            pl.lit(None, dtype=pl.String).alias("etag"),
            pl.when(pl.col("card").is_null()).then(pl.lit("the dump has no card for it"))
            .when(large).then(pl.format(f"{{}} bytes; the first {CARD_CAP} are kept", size)).alias("detail"),
            pl.lit(None, dtype=pl.Datetime("us")).alias("listed_version"),
        )  # fmt: skip

    def _times(self, values: pl.Series, column: str) -> pl.Series:
        import polars as pl

        if values.dtype == pl.String:
            parsed = [None if value is None else fields.moment({"": value}, "") for value in values]
            self.bad[column] += sum(time is None for time in parsed) - values.null_count()
            values = pl.Series(parsed, dtype=pl.Datetime("us", "UTC"))
        return values.dt.replace_time_zone(None)

    def _tags(self, values: pl.Series) -> pl.Series:
        import polars as pl

        if values.dtype == pl.String:
            return pl.Series(list(map(self._text_tags, values)), dtype=pl.List(pl.String))
        empty = pl.element().is_null() | (pl.element() == "")
        return values.fill_null([]).list.eval(pl.element().filter(~empty))

    def _text_tags(self, value: str | None) -> tuple[str, ...]:
        if not value or not value.strip():
            return ()
        if value.lstrip().startswith("["):
            found = _json(value)
            if isinstance(found, list):
                return fields.texts({"": found}, "", MOST_TAGS)
            self.bad["tags"] += 1
            return ()
        return tuple(tag for tag in (part.strip() for part in value.split(",")) if tag)[:MOST_TAGS]

    def _bases(self, frame: pl.DataFrame, tags: pl.Series) -> tuple[pl.Series, pl.Series]:
        """The base model and how it was used, per row; only rows that tell of one become Python objects."""
        import polars as pl

        told = tags.list.eval(pl.element().str.starts_with("base_model:")).list.any()
        asked = [name for name in ("base_models", "card_data") if name in frame.columns]
        for name in asked:
            told = told | frame[name].is_not_null()
        rows = told.arg_true()
        named = tags.gather(rows).list.eval(pl.element().filter(pl.element().str.starts_with("base_model:")))
        columns: dict[str, pl.Series] = {name: frame[name].gather(rows) for name in asked}
        columns["tags"] = named
        found = [_base(row, row["tags"]) for row in pl.DataFrame(columns).iter_rows(named=True)]
        bases, relations = zip(*found, strict=True) if found else ((), ())
        return tuple(
            _same(None, len(frame), pl.String).scatter(rows, pl.Series(values, dtype=pl.String))
            for values in (bases, relations)
        )  # type: ignore[return-value]  # two of them

    def _siblings(self, values: pl.Series) -> dict[str, pl.Series]:
        import polars as pl

        lists = [None if value is None else self._files(value) for value in values]
        return {
            "has_card": pl.Series([None if files is None else CARD in files for files in lists], dtype=pl.Boolean),
            "has_adapter_config": pl.Series(
                [None if files is None else CONFIG in files for files in lists], dtype=pl.Boolean
            ),
            "weight_files": pl.Series(
                [None if files is None else _weights(files) for files in lists], dtype=pl.List(pl.String)
            ),
        }

    def _files(self, value: str) -> list[str] | None:
        found = _json(value)
        if not isinstance(found, list):
            self.bad["siblings"] += 1
            return None
        names = [entry.get("rfilename") if isinstance(entry, dict) else entry for entry in found]
        return [name for name in names if isinstance(name, str)]


def clean(text: str) -> str:
    """The text of a card as it is kept: without NUL, and no longer than CARD_CAP bytes."""
    if len(text) > CARD_CAP // 4 and len(text.encode()) > CARD_CAP:
        text = text[:CARD_CAP].replace("\0", "").encode()[:CARD_CAP].decode("utf-8", "ignore")
    return text.replace("\0", "")


def _hub_model() -> dict[str, pl.DataType]:
    """The columns of hub_model but for source and seen_at."""
    import polars as pl

    special: dict[str, pl.DataType] = {}
    special.update(dict.fromkeys(TIMES, pl.Datetime("us")))
    special.update(dict.fromkeys(NUMBERS, pl.Int64()))
    special.update(dict.fromkeys((*FLAGS, "has_card", "has_adapter_config"), pl.Boolean()))
    special.update(dict.fromkeys(("tags", "weight_files"), pl.List(pl.String)))
    names = [field.name for field in dataclass_fields(HubModel) if field.name not in ("source", SEEN["hub_model"])]
    return {name: special.get(name, pl.String()) for name in names}


def _same(value: list[str] | None, count: int, kind: pl.DataType | type[pl.DataType]) -> pl.Series:
    import polars as pl

    return pl.repeat(value, count, dtype=kind, eager=True)


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
