"""How few authors each technique is the work of."""

from __future__ import annotations

from hubstats import charts
from hubstats.report import wording
from hubstats.report.panel import (
    MOST_ROWS,
    Evidence,
    Gap,
    Panel,
    Row,
    Table,
    View,
    cell,
    column,
    rows_of,
    source_line,
    span_cell,
)


def concentration(evidence: Evidence, prose: Row) -> Panel:
    """The part of each technique that belongs to its largest authors: a view a source."""
    rows = rows_of(evidence.answers.query("concentration"))
    uploaders = rows_of(evidence.answers.query("mass_uploaders"))
    sources = sorted({row["source"] for row in rows}, key=lambda source: (source == "snapshot", source))
    views = tuple(
        _view(evidence, source, [row for row in rows if row["source"] == source],
              sum(row["source"] == source for row in uploaders))
        for source in sources
    )  # fmt: skip
    missing = () if views else (Gap("No item of a known author is in this file.", "hubstats crawl hub"),)
    return Panel(
        "concentration",
        prose["short"],
        prose["heading"],
        (),
        prose["note"] if views else "",
        missing,
        ("Source",),
        views,
    )


def _view(evidence: Evidence, source: str, rows: list[Row], mass_uploaders: int) -> View:
    def name(row: Row) -> str:
        return "all techniques" if row["technique"] == "*" else evidence.name(row["technique"])

    steps = [
        charts.Step(
            label=charts.short(name(row)),
            start=row["largest"] * 100,
            end=row["top10"] * 100,
            hover=f"<b>{charts.safe(name(row))}</b><br>"
            f"largest author {wording.percent(row['largest'], row['largest_low'], row['largest_high'])}<br>"
            f"ten largest {wording.percent(row['top10'])}<br>"
            f"as concentrated as {_authors(row)} of equal size",
            family="other" if row["technique"] == "*" else evidence.family(row["technique"]),
            id=row["concentration_id"],
        )
        for row in rows[:MOST_ROWS]
    ]
    figure = charts.pairs(
        steps,
        charts.Header(
            x="Part of the technique\N{RIGHT SINGLE QUOTATION MARK}s items, %",
            alt=f"{len(steps)} techniques: part of the largest author and of the ten largest.",
        ),
        start="author with the most",
        end="ten with the most",
    )
    columns = [
        column("technique", "Technique"),
        column("largest", "Largest author", number=True),
        column("interval", "95% interval", number=True),
        column("top5", "Five largest", number=True),
        column("top10", "Ten largest", number=True),
        column("effective", "Effective authors", number=True),
        column("authors", "Authors read", number=True),
        column("items", "Items read", number=True),
        column("mass_uploaders", "Mass uploaders", number=True),
        column("mass_part", "Their part", number=True),
    ]
    table = [
        [
            charts.plain(name(row), 120),
            cell(wording.percent(row["largest"], row["largest_low"], row["largest_high"]), row["largest"]),
            span_cell(row["largest_low"], row["largest_high"]),
            cell(wording.percent(row["top5"]), row["top5"]),
            cell(wording.percent(row["top10"]), row["top10"]),
            cell(_authors(row), row["effective_authors"]),
            row["authors"],
            row["items_read"],
            row["mass_uploaders"],
            cell(wording.percent(row["mass_part"]), row["mass_part"]),
        ]
        for row in rows
    ]
    whole = rows[0]
    line = source_line(
        "concentration, mass_uploaders",
        f"n = {whole['items_read']:,} items of {wording.counted(whole['authors'], 'author')}",
        f"{wording.counted(mass_uploaders, 'mass uploader')} in the whole listing",
        charts.plain(whole["caveat"] or "", 400),
        f"the {MOST_ROWS} largest drawn" if len(rows) > MOST_ROWS else None,
        explain=charts.plain(whole["concentration_id"], 120),
    )
    key = f"concentration-{source}"
    return View(line, (wording.source_words(source),), figure, Table(key, "Largest authors", columns, table))


def _authors(row: Row) -> str:
    effective = row["effective_authors"]
    return f"{effective:,.0f}" if effective >= 10 else f"{effective:.1f}"
