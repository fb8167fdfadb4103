"""The same rows without a name in them, in an order that depends on nothing but what they say.

A sum of floating-point numbers changes in its last digit with the order of its terms, and rows sorted by name come in
another order once names are replaced by hashes. So that a figure is a function of what was read, and can be made again
bit for bit from rows without names, every estimate starts here:

* Owners, repositories and files become numbers, the same one wherever the same name stood.
* The numbers follow from the rows alone. Names form trees (an owner has repositories, a repository has rows), so that
  a name is described by what hangs below it: names of equal description are interchangeable, and which of them comes
  first changes nothing. That is the canonical form of a tree by Aho, Hopcroft and Ullman (1974, The Design and
  Analysis of Computer Algorithms, example 3.2).
* Rows are sorted by these numbers, and those of inputs without names by their key.

Two files that say the same of their items give the same rows here, whoever the owners are and however the file was
written. `author_hash` stays: it is what anything published shows of an author, and no number depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

ORDER: Mapping[str, tuple[str, ...]] = {
    "strata": ("source", "stratum"),
    "captures": ("source", "other_source", "rule", "technique"),
    "frame_coverage": ("unit",),
    "published_figures": ("figure_id",),
    "reconcile_totals": ("source", "technique", "total"),
    "bench_runs": ("origin", "task", "model_id", "experiment", "created_at", "run_id"),
}
"""Inputs without names -> the columns that tell their rows apart, in the order that the parts rely on."""

TREES: Mapping[str, tuple[str, ...]] = {
    "imports_files": ("author", "subject_id"),
    "imports_repositories": ("author", "subject_id"),
    "reconcile_code": ("author", "repo", "path"),
}
"""Inputs whose names stand in no other -> their levels, from the owner down."""

ITEMS = ("card_names", "reconcile_cards", "reconcile_search")
"""Inputs that say more of the items of `subjects`; what they say of others is used by no part."""
OWNERS = ("author_frame", "mass_uploaders")
"""Inputs that say more of the authors of `subjects`."""
UNPUBLISHED = ("author_hash",)
"""Columns that differ with the salt of a file."""

DIGITS = 9


def canonical(frames: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The rows of every input that is among `frames`, without names and in canonical order; twice is as good as once.

    Raises KeyError for an input that this module knows no order of.
    """
    made = {name: frames[name].sort(ORDER[name], nulls_last=False) for name in ORDER if name in frames}
    made |= {name: _code(frames[name], TREES[name]) for name in TREES if name in frames}
    if "subjects" in frames:
        made |= _subjects(frames)
    return {name: made[name] for name in frames}


# --- trees of one input -------------------------------------------------------------------------------------------


def _code(frame: pl.DataFrame, levels: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    columns = frame.columns
    if "author" not in columns:
        frame = frame.with_columns(author=pl.col("repo").str.split("/").list.first())
    rows = _numbered(frame, levels)
    if "author" not in columns:
        rows = rows.with_columns(repo=pl.concat_str("author", pl.lit("/"), "repo"))
    return rows.select(columns)


def _numbered(frame: pl.DataFrame, levels: Sequence[str]) -> pl.DataFrame:
    """The rows in canonical order, the names of `levels` as numbers; names hang below those before them."""
    said = [name for name in frame.columns if name not in levels]
    rows = frame.with_columns(_rank(said).alias("row_class"))
    below = "row_class"
    for depth in range(len(levels), 0, -1):
        described = _lists(rows, ["source", *levels[:depth]], below, "described")
        described = described.with_columns(_rank(["source", "described"]).alias(f"class_{depth}")).drop("described")
        rows = rows.join(described, on=["source", *levels[:depth]], nulls_equal=True)
        below = f"class_{depth}"
    places = [name for depth, level in enumerate(levels, 1) for name in (f"class_{depth}", level)]
    numbers = [_digits(_rank(["source", *places[: 2 * depth]])).alias(level) for depth, level in enumerate(levels, 1)]
    # By the numbers, not the names: those of equal description are interchangeable.
    return rows.with_columns(numbers).sort("source", *levels, "row_class").select(frame.columns)


# --- items of sources and their authors ---------------------------------------------------------------------------


def _subjects(frames: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    import polars as pl

    items, lacks = frames["subjects"], frames.get("dump_lacks")
    key = ["source", "subject_id"]
    for name in ITEMS:
        if name in frames:
            told = frames[name].with_columns(_rank(_told(frames[name], key)).alias("row_class"))
            items = items.join(_lists(told, key, "row_class", f"by {name}"), on=key, how="left")
    items = items.select(*frames["subjects"].columns, _rank(_told(items, ["subject_id", "author"])).alias("item_class"))
    authors = _authors(items, frames)
    items = items.join(authors, on=["source", "author"], how="left", nulls_equal=False)
    items = items.sort("source", "number", "item_class", "subject_id", nulls_last=True).with_row_index("place")
    ids = items.group_by(key).agg(pl.col("place").first())
    made = {"subjects": _placed(items, frames["subjects"].columns)}
    for name in ITEMS:
        if name in frames:
            rows = frames[name]
            made[name] = _placed(_sorted(rows.join(ids, on=key), rows.columns), rows.columns)
    for name in OWNERS:
        if name in frames:
            rows = frames[name]
            made[name] = _renamed(_sorted(rows.join(authors, on=["source", "author"]), rows.columns), rows.columns)
    if lacks is not None:
        rows = lacks.join(authors, on=["source", "author"], how="left")
        rows = rows.sort("source", "number", *_told(lacks, ["subject_id", "author"]), nulls_last=True)
        # Numbers that no subject has.
        rows = rows.with_row_index("place", items.height).with_columns(subject_id=_digits(pl.col("place")))
        made["dump_lacks"] = _renamed(rows, lacks.columns)
    return made


def _authors(items: pl.DataFrame, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Columns source, author and number: authors in the order of all that is said of them."""
    import polars as pl

    key = ["source", "author"]
    tables = {"subjects": items.select(*key, "item_class")}
    for name in (*OWNERS, "dump_lacks"):
        if name in frames:
            rows = frames[name]
            tables[name] = rows.select(*key, _rank(_told(rows, ["author", "subject_id"])).alias("item_class"))
    known = {name: rows.filter(pl.col("author").is_not_null()) for name, rows in tables.items()}
    authors = pl.concat([rows.select(key) for rows in known.values()]).unique()
    for name, rows in known.items():
        authors = authors.join(_lists(rows, key, "item_class", name), on=key, how="left")
    return authors.sort("source", *known, "author").with_row_index("number").select(*key, "number")


def _placed(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Items by their place instead of their name."""
    import polars as pl

    return _renamed(rows.with_columns(subject_id=_digits(pl.col("place"))), columns)


def _renamed(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    if "author" in columns:
        rows = rows.with_columns(author=pl.when(pl.col("author").is_not_null()).then(_digits(pl.col("number"))))
    return rows.select(columns)


# --- pieces -------------------------------------------------------------------------------------------------------


def _told(frame: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """Columns that say something, names and hashes apart."""
    return [name for name in frame.columns if name not in names and name not in UNPUBLISHED]


def _sorted(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """By all that `columns` say, and for names by the numbers that stand for them."""
    numbers = {"author": "number", "subject_id": "place"}
    by = [numbers.get(name, name) for name in columns if name not in UNPUBLISHED]
    return rows.sort(_rank(by), maintain_order=True)


def _rank(columns: Sequence[str]) -> pl.Expr:
    """Equal rows, equal rank."""
    import polars as pl

    return pl.struct(columns).rank("dense")


def _lists(rows: pl.DataFrame, key: Sequence[str], column: str, name: str) -> pl.DataFrame:
    """The ranks of each group as one text, whatever their order was."""
    import polars as pl

    # All sorted once and joined as lists: half the time of sorting and joining group by group.
    ranks = rows.sort(column).group_by(key).agg(pl.col(column).cast(pl.String).alias(name))
    return ranks.with_columns(pl.col(name).list.join(","))


def _digits(number: pl.Expr) -> pl.Expr:
    """As text that sorts as the number does."""
    import polars as pl

    return number.cast(pl.String).str.zfill(DIGITS).cast(pl.String)
