"""What a figure is, and what it rests on: `hubstats explain ID`.

An id is the key of any derived table (`estimate.estimate_id`, `trend.trend_id`, ...; where a key has several columns,
these joined by '/'), as every answer that carries it shows. Which tables there are, and what their columns mean, is
read from the record classes and from the comments of the schema, so that a new kind of figure explains itself.

    found = explain(store, "hub/repositories/evidence/lora")
    found.lines()        # as text, safe to print
    found.as_json()
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import lru_cache
from math import floor, isfinite, log10
from typing import Any

from hubstats import estimate
from hubstats.errors import ConfigError
from hubstats.estimate import basis
from hubstats.records import Basis, Record
from hubstats.store import Store, read_input

NEAR = 8
"""Ids offered in place of one that is not there."""
MAIN = ("share", "estimate", "score")
"""What columns low and high are the interval of: the first of these that the table has."""
ASIDE = ("method", "caveat", "detector_version", "as_of", "hubstats_version")
"""Columns that have lines of their own."""
PLAIN = 4
"""Significant digits of a number that comes without an interval."""


def tables() -> tuple[type[Record], ...]:
    """The derived tables, those of the figures first."""
    return (*estimate.TABLES, Basis)


@dataclass(frozen=True, slots=True)
class Value:
    """One column of a figure, or a pair of bounds."""

    name: str
    text: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A figure with all that stands behind it."""

    figure_id: str
    table: str
    says: str
    """What the table holds, one line."""
    figure: Mapping[str, Any]
    """The row, unrounded."""
    values: tuple[Value, ...]
    """The row as it should be read."""
    bases: tuple[Mapping[str, Any], ...]
    """Rows of the table basis."""
    strata: tuple[Mapping[str, Any], ...]
    """Source, stratum, frame_size and sample_size of the samples behind it."""
    rows: str
    """SELECT of the rows behind it."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input queries, each once."""
        return tuple(dict.fromkeys(str(row["input"]) for row in self.bases))

    def lines(self) -> Iterator[str]:
        """As text for a terminal; nothing in it can move a cursor or turn a line around."""
        yield clean(self.figure_id)
        yield f"  {clean(self.says)}"
        yield ""
        name, text = (max((len(getattr(value, key)) for value in self.values), default=0) for key in ("name", "text"))
        for value in self.values:
            yield f"  {value.name:<{name}}  {value.text:<{min(text, 40)}}  {value.meaning}".rstrip()
        yield ""
        for label in ASIDE:
            if self.figure.get(label) is not None:
                yield f"{label.replace('_', ' ')}: {_text(self.figure[label])}"
        yield "rests on" if self.bases else "rests on no rows of this file"
        for row in self.bases:
            newest = f", the newest of {_text(row['as_of'])}" if row["as_of"] is not None else ""
            whose = f" of {clean(str(row['source']))}" if row["source"] else ""
            yield f"  {row['input']}: {row['rows']:,} rows{whose}{newest}; SQL sha256 {row['input_sha256'][:16]}"
        for row in {str(row["source"]): row for row in self.bases}.values():
            yield from self._provenance(row)
        yield f"the rows behind it: hubstats sql {_quoted(self.rows)}"
        if self.bases:
            yield f"the queries: hubstats explain {_quoted(clean(self.figure_id))} --sql"

    def _provenance(self, row: Mapping[str, Any]) -> Iterator[str]:
        whose = clean(str(row["source"] or "the others"))
        if row["crawl_id"] is None:
            yield f"{whose}: no crawl of it is in this file"
        else:
            where = f", {clean(row['endpoint'])}" if row["endpoint"] else ""
            yield f"{whose}: crawl {row['crawl_id']} of {_text(row['crawled_at'])}, {row['crawl_state']}{where}"
        if row["caveat"]:
            yield f"  {clean(row['caveat'])}"
        if row["seed"] is not None:
            yield (
                f"  a {row['design']} sample with seed {row['seed']}: {row['sample_size']:,} of {row['frame_size']:,} "
                f"repositories, in {row['strata']} strata"
            )
            for stratum in self.strata:
                if stratum["source"] == row["source"]:
                    yield (
                        f"    {stratum['sample_size']:,} of {stratum['frame_size']:,}  {clean(str(stratum['stratum']))}"
                    )
        yield f"  detector {row['detector_version']}, hubstats {row['hubstats_version']}"

    def sql(self) -> Iterator[str]:
        """The input queries, each under its name; of one that has changed since, a line that says so."""
        for row in {row["input"]: row for row in self.bases}.values():
            yield f"-- inputs/{row['input']}.sql, sha256 {row['input_sha256']}"
            text = read_input(row["input"])
            if basis.fingerprint(text) != row["input_sha256"]:
                yield "-- this is not the text that the figure was made with: run hubstats estimate"
            yield text.rstrip()
            yield ""

    def as_json(self) -> str:
        """All of it as JSON; characters beyond ASCII are escaped."""
        whole = {
            "id": self.figure_id,
            "table": self.table,
            "says": self.says,
            "figure": self.figure,
            "shown": {value.name: value.text for value in self.values},
            "meaning": {value.name: value.meaning for value in self.values},
            "rests_on": self.bases,
            "strata": self.strata,
            "queries": {name: read_input(name) for name in self.inputs},
            "rows": self.rows,
        }
        return json.dumps(whole, indent=2, default=_plain)


def explain(store: Store, figure_id: str) -> Explanation:
    """The figure of that id. Raises ConfigError with near ones when there is none, or several begin so."""
    table, key = _find(store, figure_id)
    condition = f"{_key(table)} = $id"
    frame = store.frame(f"SELECT * FROM {table.TABLE} WHERE {condition}", {"id": key})
    figure = frame.row(0, named=True)
    said = store.frame(
        "SELECT column_name AS name, comment FROM duckdb_columns() WHERE table_name = $table AND NOT internal"
        " UNION ALL SELECT '', comment FROM duckdb_tables() WHERE table_name = $table",
        {"table": table.TABLE},
    )
    comments = {str(name): str(comment) for name, comment in said.rows()}
    inputs = (str(figure["input"]),) if table is Basis else estimate.inputs_of(table)
    bases = basis.behind(figure, inputs, store.frame(f"SELECT * FROM {Basis.TABLE}"))
    strata = store.frame(
        "SELECT source, seed, stratum, sample_size, frame_size FROM sample_stratum ORDER BY source, stratum"
    )
    drawn = {(row["source"], row["seed"]) for row in bases}
    return Explanation(
        figure_id=key,
        table=table.TABLE,
        says=comments[""],
        figure=figure,
        values=tuple(_values(table, figure, comments)),
        bases=tuple(bases),
        strata=tuple(row for row in strata.iter_rows(named=True) if (row["source"], row["seed"]) in drawn),
        rows=_rows_behind(table, figure, key),
    )


# --- finding ------------------------------------------------------------------------------------------------------


def _key(table: type[Record]) -> str:
    return table.KEY[0] if len(table.KEY) == 1 else f"concat_ws('/', {', '.join(table.KEY)})"


@lru_cache(maxsize=1)
def _ids() -> str:
    """SELECT of every id there is, with the place of its table."""
    parts = (f"SELECT {place} AS place, {_key(table)} AS id FROM {table.TABLE}" for place, table in enumerate(tables()))
    return " UNION ALL ".join(parts)


def _find(store: Store, figure_id: str) -> tuple[type[Record], str]:
    """The table and key of an id: its own, or the only row of a table that has it in another id column."""
    found = store.frame(f"FROM ({_ids()}) WHERE id = $id ORDER BY place LIMIT 1", {"id": figure_id})
    if found.height:
        return tables()[found["place"][0]], figure_id
    for table in tables():
        for field in fields(table):  # type: ignore[arg-type]
            if field.name.endswith("_id") and field.name not in (*table.KEY, "model_id"):
                rows = store.frame(
                    f"SELECT {_key(table)} AS id FROM {table.TABLE} WHERE {field.name}::VARCHAR = $id LIMIT 2",
                    {"id": figure_id},
                )
                if rows.height == 1:
                    return table, str(rows["id"][0])
    raise ConfigError(_unknown(store, figure_id))


def _unknown(store: Store, figure_id: str) -> str:
    asked = clean(figure_id[:200])
    begun = store.frame(
        f"SELECT id, count(*) OVER () AS found FROM ({_ids()}) WHERE $id <> '' AND starts_with(id, $id)"
        f" ORDER BY id LIMIT {NEAR}",
        {"id": figure_id},
    )
    if begun.height:
        listed = ", ".join(clean(name) for name in begun["id"])
        return (
            f"'{asked}' is the beginning of {begun['found'][0]:,} ids: {listed}{', ...' * (begun['found'][0] > NEAR)}"
        )
    near = store.frame(
        f"SELECT DISTINCT id, jaro_winkler_similarity(left(id, 200), $id) AS alike FROM ({_ids()})"
        " WHERE $id <> '' AND (contains(id, $id) OR alike > 0.7)"
        f" ORDER BY contains(id, $id) DESC, alike DESC, id LIMIT {NEAR}",
        {"id": figure_id[:200]},
    )["id"].to_list()
    if near:
        return f"there is no figure '{asked}'; near it are: {', '.join(map(clean, near))}"
    return f"there is no figure '{asked}'; ids are in the first column of: hubstats sql 'FROM estimate'"


# --- what it says -------------------------------------------------------------------------------------------------


def _values(table: type[Record], figure: Mapping[str, Any], comments: Mapping[str, str]) -> Iterator[Value]:
    main = next((name for name in MAIN if name in figure), None)
    paired: dict[str, tuple[str, str]] = {}
    for name in figure:
        stem = name.removesuffix("_low")
        if name == "low" and main:
            paired[main] = ("low", "high")
        elif stem != name and f"{stem}_high" in figure:
            whole = next((one for one in (stem, f"{stem}_share") if one in figure), "")
            paired[whole or stem] = (name, f"{stem}_high")
    bounds = {name for pair in paired.values() for name in pair}
    for name, value in figure.items():
        aside = ASIDE if len(table.KEY) > 1 else (*table.KEY, *ASIDE)
        if name in aside or (value is None and name not in paired):
            continue
        if name in bounds:
            stem = name.removesuffix("_low")
            if stem in paired and stem not in figure and value is not None:
                text = " to ".join(f"{figure[bound]:.3g}" for bound in paired[stem])
                yield Value(f"{stem} bounds", text, clean(comments.get(name, "").removeprefix("Lower end of the ")))
            continue
        digits = _digits(figure, paired.get(name))
        if name == "count" and main == "share" and figure.get("total"):
            digits = _digits(figure, paired.get("share"), figure["total"])  # as sure as the share it makes
        text = shown(value, digits)
        low, high = (figure.get(bound) for bound in paired.get(name, ("", "")))
        if low is not None and high is not None and value is not None:
            text += f" ({shown(low, digits)} to {shown(high, digits)})"
        yield Value(name, text, clean(comments.get(name, "")))


def _digits(figure: Mapping[str, Any], pair: tuple[str, str] | None, scale: float = 1.0) -> int | None:
    """Decimal places that an interval leaves of its value: two digits of its half. None: there is no interval."""
    low, high = (figure.get(name) for name in pair) if pair else (None, None)
    if low is None or high is None or not high > low:
        return None
    return 1 - floor(log10((high - low) / 2 * scale))


def shown(value: Any, digits: int | None = None) -> str:
    """A value as text: a float to so many decimal places (negative: tens, hundreds), without them to PLAIN digits."""
    if isinstance(value, float) and isfinite(value):
        if digits is not None:
            return f"{round(value, digits) + 0.0:,.{max(digits, 0)}f}"  # plus 0.0: no minus before a zero
        return f"{value:,.0f}" if abs(value) >= 10**PLAIN else f"{value:.{PLAIN}g}"
    return _text(value)


def _text(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return clean(str(value))


def clean(text: str) -> str:
    """The text without what could move a cursor, hide or turn letters: such characters become a space."""
    return "".join(char if char.isprintable() else " " for char in text)


def _quoted(text: str) -> str:
    """As one word of a shell, in double quotes where they do: SQL has single ones."""
    return f'"{text}"' if "'" in text and not set(text) & set('"$`\\!') else shlex.quote(text)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (datetime, date)) else str(value)


# --- the rows behind it -------------------------------------------------------------------------------------------

_NAMED = {
    "imports_files": ("phrase_import", "technique"),
    "imports_repositories": ("use_import", "technique"),
    "blog": ("subject", "blog_technique"),
    "blog_folded": ("subject", "blog_technique_folded"),
    "github_import": ("phrase_import", "technique"),
}
"""Rule, or published measure -> where its items are, and the column that names their technique."""
_LISTED = {"overlay": "overlays", "named": "mentions", "named_or_variant": "mentions"}
"""Rule -> the column of subject that lists what counts."""


def _rows_behind(table: type[Record], figure: Mapping[str, Any], key: str) -> str:
    """A SELECT of the items that a figure counts, or of its own row where it counts none of this file."""
    runs = [figure[name] for name in ("run_id", "matched_run", "superseded_by") if figure.get(name)]
    if runs and "origin" in figure:
        return f"FROM run_result WHERE run_id IN ({', '.join(map(_literal, runs))})"
    if figure.get("author_hash"):
        of, author = ("image_checkpoint", "creator") if figure["source"] == "civitai" else ("hub_model", "author")
        return _where(of, source=figure["source"], **{f"author_hash({author})": figure["author_hash"]})
    if "census" in figure or (figure.get("other_source") and figure.get("rule") == "listing"):
        return "FROM census_and_dump"
    source = figure.get("source")
    if source is None or table is Basis or not ("technique" in figure or "family" in figure):
        return f"FROM {table.TABLE} WHERE {_key(table)} = {_literal(key)}"
    if figure.get("rule") == "published":
        return _where("published_figure", figure_id=figure["figure_id"])
    return _items(source, figure)


def _items(source: str, figure: Mapping[str, Any]) -> str:
    rule, technique = str(figure.get("rule")), figure.get("technique")
    measure = str(figure.get("measure"))
    if figure.get("family"):
        if rule.startswith("imports"):
            of = f"(FROM {_NAMED[rule][0]} LEFT JOIN technique ON key = technique) AS item"
        else:
            of = "adapter AS item LEFT JOIN technique AS known ON known.key = item.technique"
        return f"{_where(of, **{'item.source': source})} AND coalesce(family, 'unknown') = {_literal(figure['family'])}"
    if rule.startswith("site_type") or measure.startswith("image_type"):
        return f"{_where('subject', source=source)} AND site_type IS NOT NULL"
    named = _NAMED.get(rule) or _NAMED.get(measure)
    period = _period(figure)
    if rule in _LISTED:
        listed = f"list_contains({_LISTED[rule]}, {_literal(technique)})"
        return f"{_where('subject', source=source)} AND {listed}{period}"
    of, column = named or ("adapter", "technique")
    sources = [name for name in (source, figure.get("other_source")) if name]
    chosen = f"FROM {of} WHERE source IN ({', '.join(map(_literal, sources))})"
    if of == "adapter" and figure.get("period_kind") == "peft_version":
        of, chosen = "subject", _where("subject", source=source)
        return f"{chosen} AND list_contains(techniques, {_literal(technique)}){period}"
    return chosen + (f" AND {column} = {_literal(technique)}" if technique else "") + period


def _period(figure: Mapping[str, Any]) -> str:
    if figure.get("period_kind") == "month":
        return f" AND strftime(created_at, '%Y-%m') = {_literal(figure['period'])}"
    if figure.get("period_kind") == "peft_version":
        return f" AND starts_with(peft_version, {_literal(str(figure['period']) + '.')})"
    return ""


def _where(table: str, **equal: Any) -> str:
    return f"FROM {table} WHERE " + " AND ".join(f"{name} = {_literal(value)}" for name, value in equal.items())


def _literal(value: Any) -> str:
    """The value in SQL. Text that cannot be printed is put together from its code points."""
    text = str(value)
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return " || ".join(f"'{char}'" if char.isalnum() else f"chr({ord(char)})" for char in text)
