"""Published figures about performance: which of them today's results still bear out."""

from __future__ import annotations

from hubstats import charts
from hubstats.report import wording
from hubstats.report.panel import Evidence, Gap, Panel, Row, Table, View, cell, column, source_line

UNITS = {"%": 100.0, "GB": 1e-9, "GiB": 2.0**-30}
"""Printed unit -> what a value is multiplied by to be printed so."""

MOST_CLAIMS = 200


def claims(evidence: Evidence, prose: Row) -> Panel:
    """Each quoted figure against the newest imported results."""
    rows = evidence.claims()
    if not rows or all(row["state"] == "not checkable" for row in rows):
        gap = Gap(
            "Published figures cannot be checked: the file holds no results they are about.", "hubstats crawl snapshot"
        )
        return Panel("claims", prose["short"], prose["heading"], missing=(gap,))
    columns = [
        column("says", "What was published"),
        column("printed", "Printed", number=True),
        column("now", "Now", number=True),
        column("change", "Change", number=True),
        column("state", "State"),
        column("published_on", "Published"),
        column("since", "No longer since"),
        column("note", "Note"),
        column("where", "Where"),
        column("run", "Superseded by the run"),
    ]
    table = [
        [
            charts.plain(row["says"], 200),
            None if row["printed"] is None else cell(charts.plain(_united(row["printed"], row)), row["value"]),
            None if row["value_now"] is None else cell(_like_printed(row["value_now"], row), row["value_now"]),
            None if row["change"] is None else cell(_signed(row["change"], row), row["change"]),
            charts.plain(row["state"], 40),
            charts.plain(row["published_on"], 20),
            charts.plain(row["superseded_on"] or "", 20) or None,
            charts.plain("; ".join(text.rstrip(".") for text in (row["note"], row["caveat"]) if text), 500) or None,
            charts.plain(wording.source_words(row["origin"]), 80),
            charts.plain(row["superseded_by"] or "", 120) or None,
        ]
        for row in rows[:MOST_CLAIMS]
    ]
    states = {state: sum(row["state"] == state for row in rows) for state in sorted({row["state"] for row in rows})}
    line = source_line(
        "published_claims",
        f"n = {wording.counted(len(rows), 'claim')}",
        f"published {wording.listed(sorted({charts.plain(row['published_on'], 20) for row in rows}), 4)}",
        wording.listed([f"{number} {charts.plain(state, 40)}" for state, number in states.items()]),
    )
    return Panel(
        "claims",
        prose["short"],
        prose["heading"],
        (),
        prose["note"],
        (),
        (),
        (View(line, table=Table("claims", "Published figures and what became of them", columns, table, choice=4)),),
    )


def _decimals(row: Row) -> int:
    return len(str(row["printed"] or "").partition(".")[2])


def _united(number: str, row: Row) -> str:
    unit = row["printed_unit"]
    return f"{number}{unit}" if unit == "%" else number if unit in (None, "1") else f"{number} {unit}"


def _like_printed(value: float, row: Row) -> str:
    """A value in the unit and with the digits that the figure was printed with."""
    return _united(f"{value * UNITS.get(row['printed_unit'], 1.0):.{_decimals(row)}f}", row)


def _signed(change: float, row: Row) -> str:
    number = f"{abs(change) * UNITS.get(row['printed_unit'], 1.0):.{_decimals(row)}f}"
    nothing = not float(number)
    text = ("\N{PLUS-MINUS SIGN}" if nothing else "+" if change > 0 else "\N{MINUS SIGN}") + number
    return f"{text} points" if row["printed_unit"] == "%" else _united(text, row)
