"""What figures rest on: for each source and input the query, its rows, and the crawl and sample behind them.

Which rows stand behind a figure follows from two facts, so that no record has to say it: the inputs of the part that
made it (`hubstats.estimate.inputs_of` its table), and the source or origin it is of. `behind` is the one place that
joins them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hubstats import __version__
from hubstats.records import Basis

if TYPE_CHECKING:
    import polars as pl

OF = ("source", "other_source", "measured_on", "census", "origin")
"""Columns, of inputs and of figures, that say whose rows they are."""
MOMENTS = ("seen_at", "as_of", "created_at")
"""Columns that say of when a row is, the best first."""

OF_NO_SOURCE: Mapping[str, tuple[str, ...]] = {"frame_coverage": ("dump", "hub"), "published_figures": ("snapshot",)}
"""Inputs whose rows do not say whose they are -> the crawls that read them. A dump and the listing share theirs."""
BY_ORIGIN: Mapping[str, tuple[str, ...]] = {
    "peft-method-comparison": ("published", "snapshot"),
    "own": ("published", "snapshot"),
}
"""Origin of runs -> the crawls that may have read them; the last one counts."""

OWN_RULE = ("imports_files", "imports_repositories")
"""Inputs that are read for the rule of the same name and for no other."""


def describe(
    frames: Mapping[str, pl.DataFrame], queries: Mapping[str, str], provenance: pl.DataFrame, detector: str
) -> Iterator[Basis]:
    """A Basis for each source that an input has rows of. `queries` has the SQL of each input, `provenance` the rows of
    inputs/provenance.sql."""
    known = {str(row["source"]): row for row in provenance.iter_rows(named=True)}
    for name, frame in frames.items():
        for source, rows, as_of in _by_source(name, frame):
            crawls = [
                known[one] for one in OF_NO_SOURCE.get(name, BY_ORIGIN.get(source or "", (source,))) if one in known
            ]
            crawl: Mapping[str, Any] = max(crawls, key=lambda row: row["crawl_id"] or 0, default={})
            state = crawl.get("crawl_state")
            yield Basis(
                basis_id=f"basis/{source or '*'}/{name}",
                source=source,
                input=name,
                input_sha256=fingerprint(queries[name]),
                rows=rows,
                as_of=_utc(as_of),
                crawl_id=crawl.get("crawl_id"),
                crawl_state=state,
                crawled_at=_utc(crawl.get("crawled_at")),
                endpoint=crawl.get("endpoint"),
                seed=crawl.get("seed"),
                design=crawl.get("design"),
                strata=crawl.get("strata"),
                sample_size=crawl.get("sample_size"),
                frame_size=crawl.get("frame_size"),
                detector_version=detector,
                hubstats_version=__version__,
                method=f"rows of inputs/{name}.sql as the file gave them when its figures were made",
                caveat=None if state in (None, "done") else f"the last crawl of it is {state}: some of it is not read",
            )


def fingerprint(sql: str) -> str:
    """Hash of the text of a query."""
    return hashlib.sha256(sql.encode()).hexdigest()


def behind(figure: Mapping[str, Any], inputs: tuple[str, ...], bases: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of the table basis that a figure of a part with these `inputs` rests on, in the order of the inputs."""
    whose = {figure[column] for column in OF if figure.get(column) is not None}
    # not_estimated says of a pair of sources one+other.
    whose |= {part for text in whose for part in str(text).split("+")}
    if figure.get("rule") is not None:
        own = figure["rule"] if figure["rule"] in OWN_RULE else None
        inputs = tuple(name for name in inputs if (name == own if own else name not in OWN_RULE))
    rows = [
        row
        for row in bases.iter_rows(named=True)
        if row["input"] in inputs and (row["source"] is None or not whose or row["source"] in whose)
    ]
    return sorted(rows, key=lambda row: (inputs.index(row["input"]), row["source"] or ""))


def _by_source(name: str, frame: pl.DataFrame) -> Iterator[tuple[str | None, int, Any]]:
    """(source, number of rows, newest moment) of each source in an input, by name."""
    import polars as pl

    if frame.is_empty():
        return
    moment = next((column for column in MOMENTS if column in frame.columns), None)
    newest = pl.lit(None, pl.Datetime("us")) if moment is None else pl.col(moment)
    columns = [column for column in OF if column in frame.columns] if name not in OF_NO_SOURCE else []
    if not columns:
        yield None, frame.height, frame.select(newest.max()).item()
        return
    told = pl.concat([frame.select(pl.col(column).alias("source"), newest.alias("moment")) for column in columns])
    found = told.group_by("source").agg(pl.len(), pl.col("moment").max()).sort("source")
    yield from found.iter_rows()


def _utc(moment: Any) -> datetime | None:
    if not isinstance(moment, datetime):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
