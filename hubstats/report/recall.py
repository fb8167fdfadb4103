"""How often cards name the technique that their config proves, and the mention shares corrected by it."""

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
    range_of,
    rows_of,
    share_cell,
    source_line,
    span_cell,
)

NAMED, CORRECTED = "how often cards name it", "mention share, corrected"


def recall(evidence: Evidence, prose: Row) -> Panel:
    """Recall by technique, and what it makes of the mention shares: two views a source."""
    views = []
    rows = [row for row in rows_of(evidence.answers.query("mention_recall")) if row["share"] is not None]
    for source in sorted({row["source"] for row in rows}):
        views.append(_named(evidence, source, [row for row in rows if row["source"] == source]))
    corrected = rows_of(evidence.answers.query("corrected_share"))
    for source in sorted({row["source"] for row in corrected if row["corrected_share"] is not None}):
        views.append(_corrected(evidence, source, [row for row in corrected if row["source"] == source]))
    missing: tuple[Gap, ...] = ()
    if not views:
        missing = (Gap("No repository in this file has both a readable card and a PEFT config.", "hubstats crawl hub"),)
    return Panel(
        "recall",
        prose["short"],
        prose["heading"],
        (),
        prose["note"],
        missing,
        ("Source", "Show"),
        tuple(views),
    )


def _named(evidence: Evidence, source: str, rows: list[Row]) -> View:
    total = sum(row["cards"] for row in rows)
    outer = {"outer_low": None, "outer_high": None}
    bars = [
        charts.Bar(
            label=evidence.name(row["technique"]),
            at=range_of(row | outer, 100),
            hover=f"<b>{charts.safe(evidence.name(row['technique']))}</b><br>"
            f"named by {row['naming']} of {row['cards']} cards<br>{_interval(row['low'], row['high'])}",
            family=evidence.family(row["technique"]),
            id=row["recall_id"],
        )
        for row in rows[:MOST_ROWS]
    ]
    figure = charts.intervals(
        bars,
        charts.Header(
            x="Cards that name the technique their config proves",
            alt=f"Mention recall of {len(rows)} techniques in {total} cards.",
        ),
    )
    columns = [
        column("technique", "Technique by config"),
        column("cards", "Cards", number=True),
        column("naming", "Name it", number=True),
        column("naming_or_variant", "Name it or a variant", number=True),
        column("share", "Recall", number=True, title="part of the cards that name it, weighted to the frame"),
        column("interval", "95% interval", number=True),
        column("precision", "Precision", number=True, title="part of the cards naming it whose config says it"),
        column("precision_interval", "95% interval", number=True),
    ]
    table = [
        [
            charts.plain(evidence.name(row["technique"]), 120),
            row["cards"],
            row["naming"],
            row["naming_or_variant"],
            share_cell(row),
            span_cell(row["low"], row["high"]),
            _share(row, "precision"),
            span_cell(row["precision_low"], row["precision_high"]),
        ]
        for row in rows
    ]
    line = source_line(
        "mention_recall",
        f"n = {total:,} cards with a readable config",
        f"source {charts.plain(wording.source_words(source))}",
        charts.plain(rows[0]["caveat"] or "", 400),
        explain=charts.plain(rows[0]["recall_id"], 120),
    )
    picks = (wording.source_words(source), NAMED)
    return View(line, picks, figure, Table(f"recall-{source}", "Mention recall", columns, table))


def _corrected(evidence: Evidence, source: str, rows: list[Row]) -> View:
    known = [row for row in rows if row["corrected_share"] is not None]
    steps = [
        charts.Step(
            label=charts.short(evidence.name(row["technique"])),
            start=row["mention_share"] * 100,
            end=row["corrected_share"] * 100,
            hover=f"<b>{charts.safe(evidence.name(row['technique']))}</b><br>"
            f"named by {wording.percent(row['mention_share'], row['mention_low'], row['mention_high'])} of cards<br>"
            "corrected "
            f"{wording.percent(row['corrected_share'], row['corrected_low'], row['corrected_high'])}, "
            f"{_interval(row['corrected_low'], row['corrected_high'])}",
            family=evidence.family(row["technique"]),
            low=None if row["corrected_low"] is None else row["corrected_low"] * 100,
            high=None if row["corrected_high"] is None else row["corrected_high"] * 100,
            id=row["recall_id"],
        )
        for row in known[:MOST_ROWS]
    ]
    figure = charts.pairs(
        steps,
        charts.Header(
            x="Share of cards of adapters, logarithmic",
            alt=f"{len(steps)} techniques: share of cards that name each, and the same corrected by recall.",
        ),
        start="named on the card",
        end="corrected by recall and precision",
        log_percent=True,
    )
    columns = [
        column("technique", "Technique"),
        column("mention", "Named on the card", number=True),
        column("mention_interval", "95% interval", number=True),
        column("corrected", "Corrected", number=True),
        column("corrected_interval", "95% interval", number=True),
        column("shown", "Shown to use it", number=True, title="share by evidence of the same source"),
        column("recall", "Recall", number=True),
        column("precision", "Precision", number=True),
        column("measured_on", "Recall measured on"),
    ]
    table = [
        [
            charts.plain(evidence.name(row["technique"]), 120),
            _share(row, "mention_share", "mention"),
            span_cell(row["mention_low"], row["mention_high"]),
            _share(row, "corrected_share", "corrected"),
            span_cell(row["corrected_low"], row["corrected_high"]),
            _share(row, "shown"),
            _share(row, "recall"),
            _share(row, "precision"),
            charts.plain(wording.source_words(row["measured_on"])),
        ]
        for row in rows
    ]
    line = source_line(
        "corrected_share",
        f"n = {rows[0]['cards']:,} readable cards of adapters",
        f"source {charts.plain(wording.source_words(source))}",
        "corrected = mention share \N{MULTIPLICATION SIGN} precision / recall; where fewer than 10 cards name it "
        "and have it proven it is not corrected",
        explain=charts.plain(known[0]["recall_id"], 120),
    )
    picks = (wording.source_words(source), CORRECTED)
    return View(line, picks, figure, Table(f"corrected-{source}", "Mention shares, corrected", columns, table))


def _share(row: Row, name: str, interval: str | None = None) -> object:
    if row[name] is None:
        return None
    stem = interval or name
    return cell(wording.percent(row[name], row.get(f"{stem}_low"), row.get(f"{stem}_high")), row[name])


def _interval(low: float | None, high: float | None) -> str:
    return "no interval" if low is None or high is None else f"95% interval {wording.span(low, high)}"
