"""Rows as text: a table for people, CSV, JSON or Parquet for programs.

CSV is opened with spreadsheets, which run a cell that begins like a formula. Names and texts here were chosen by
strangers, so such a cell gets an apostrophe in front, unless it is a number. JSON and Parquet hold every text as it is.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from hubstats.errors import ConfigError

if TYPE_CHECKING:
    import polars

PIPE_WIDTH = 10_000
FORMULA = "^[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]"
"""What spreadsheets take for the beginning of a formula: = + - @, the same in full width, and what some skip before."""
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def encode(frame: polars.DataFrame, format: str) -> bytes:
    """The frame as csv, json or parquet; in CSV lists become JSON text, and no cell is a formula."""
    if format not in ("csv", "json", "parquet"):
        raise ConfigError("a table is for the screen: add --format csv, json or parquet to write a file")
    if format == "parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return buffer.getvalue()
    if format == "json":
        return json.dumps(frame.to_dicts(), ensure_ascii=False, indent=2, default=_plain).encode() + b"\n"
    return _no_formulas(_flat(frame)).write_csv().encode()


def print_table(frame: polars.DataFrame, title: str | None = None) -> tuple[str, ...]:
    """The frame as a table on stdout; in a pipe as wide as the rows need, on a terminal as wide as it is.

    Columns that do not fit on a terminal are left out from the right; returns their names.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = {name: [_cell(value) for value in frame[name].to_list()] for name in frame.columns}
    numbers = {name for name, kind in frame.schema.items() if kind.is_numeric()}
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    shown = list(cells)
    if room is not None:
        widths = [_narrowest(name, cells[name], name in numbers) + 3 for name in cells]
        while len(shown) > 1 and sum(widths[: len(shown)]) > room:
            shown.pop()
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in shown:
        # A number is never broken; a long text is, where there is no room for it.
        side: Literal["left", "right"] = "right" if name in numbers else "left"
        least = _narrowest(name, cells[name], name in numbers) if room is not None else None
        table.add_column(name, justify=side, overflow="fold", no_wrap=name in numbers, min_width=least)
    for row in zip(*(cells[name] for name in shown), strict=True):
        # Text, not markup: names on the Hub may hold square brackets.
        table.add_row(*map(Text, row))
    Console(width=room or PIPE_WIDTH, highlight=False).print(table)
    return tuple(frame.columns[len(shown) :])


def _narrowest(name: str, cells: list[str], number: bool) -> int:
    """The least width at which a column still reads well."""
    longest = max(map(len, cells), default=0)
    return max(len(name), longest if number else min(longest, 20))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)  # a year is no quantity
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    # Control characters could move the terminal's cursor or change its title.
    return "".join(char if char.isprintable() else " " for char in str(value))


def _flat(frame: polars.DataFrame) -> polars.DataFrame:
    import polars

    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    return frame.with_columns(
        polars.col(name).map_elements(
            lambda value: json.dumps(value.to_list() if hasattr(value, "to_list") else value, default=_plain),
            return_dtype=polars.String,
        )
        for name in nested
    )


def guarded(text: str) -> str:
    """The text as a cell of CSV: with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if re.match(FORMULA, text) and not re.match(NUMBER, text) else text


def _no_formulas(frame: polars.DataFrame) -> polars.DataFrame:
    import polars

    def column(name: str) -> polars.Expr:
        text = polars.col(name).cast(polars.String)
        is_formula = text.str.contains(FORMULA) & ~text.str.contains(NUMBER)
        return polars.when(is_formula).then(polars.concat_str(polars.lit("'"), text)).otherwise(text).alias(name)

    kinds = (polars.String, polars.Categorical, polars.Enum)
    return frame.with_columns(column(name) for name, kind in frame.schema.items() if isinstance(kind, kinds))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (datetime, date)) else str(value)
