"""Shares by month of creation and by version of PEFT, beside what happened to tools and sites."""

from __future__ import annotations

from datetime import date
from typing import Any

from hubstats import charts
from hubstats.report import wording
from hubstats.report.panel import (
    PREFERRED,
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
from hubstats.report.standing import REFERENCE

MOST_TECHNIQUES = 12
FEWEST_MONTHS = 6
FEWEST_VERSIONS = 3
FEWEST_ITEMS = 30
"""Items of a technique that its trend must rest on, over all periods: a line through less shows chance alone."""

RULES = {
    "evidence": "shown to use it",
    "overlay": "shown to use it, on top of a technique",
    "blog": "cards that name it and no other",
}
KINDS = ("by month of creation", "by version of PEFT")


def trend(evidence: Evidence, prose: Row) -> Panel:
    """How each technique's share moved: a view for each technique, source and rule, by month and by version."""
    events = rows_of(evidence.answers.query("events"))
    views: list[View] = []
    order = {source: place for place, source in enumerate(dict.fromkeys(key[0] for key in PREFERRED))}
    seen = False
    for technique in _candidates(evidence):
        for rule in RULES:
            if rule == "blog" and technique != REFERENCE:
                continue
            asked = {"technique": technique, "rule": rule}
            for query, kind in zip(("share_by_month", "share_by_peft_version"), KINDS, strict=True):
                groups: dict[str, list[Row]] = {}
                for row in rows_of(evidence.answers.query(query, **asked)):
                    groups.setdefault(row["source"], []).append(row)
                seen = seen or bool(groups)
                for source, rows in sorted(groups.items(), key=lambda group: order.get(group[0], len(order))):
                    if _enough(rows, FEWEST_MONTHS if kind == KINDS[0] else FEWEST_VERSIONS):
                        picks = (evidence.name(technique), f"{wording.source_words(source)}, {RULES[rule]}", kind)
                        make = _by_month if kind == KINDS[0] else _by_version
                        views.append(make(evidence, technique, rule, rows, picks, events))
    missing: tuple[Gap, ...] = ()
    if not any(view.picks[2] == KINDS[0] for view in views):
        text = (
            f"No technique here has {FEWEST_ITEMS} items over {FEWEST_MONTHS} months: a line through fewer is chance."
            if seen
            else "Nothing in this file has both a technique and a date of creation."
        )
        missing = (Gap(text, "hubstats crawl hub"),)
    return Panel(
        "trend",
        prose["short"],
        prose["heading"],
        (),
        prose["note"] if views else "",
        missing,
        ("Technique", "Counted", "Over"),
        tuple(views),
    )


def _candidates(evidence: Evidence) -> list[str]:
    """Techniques that may have a trend, LoRA first, then the most used."""
    most: dict[str, float] = {}
    for row in evidence.shares:
        if row["origin"] == "file" and row["rule"] in RULES and row["measure"] not in ("authors", "downloads"):
            used = (row["share"] or 0.0) * (row["subjects"] or 0)
            most[row["technique"]] = max(most.get(row["technique"], 0.0), used)
    known = [key for key, used in most.items() if used >= FEWEST_ITEMS or key == REFERENCE]
    return sorted(known, key=lambda key: (key != REFERENCE, -most[key], key))[:MOST_TECHNIQUES]


def _enough(rows: list[Row], periods: int) -> bool:
    return len(rows) >= periods and sum(row["share"] * row["items_read"] for row in rows) >= FEWEST_ITEMS


def _by_month(
    evidence: Evidence, technique: str, rule: str, rows: list[Row], picks: tuple[str, ...], events: list[Row]
) -> View:
    name = evidence.name(technique)
    first, last = rows[0]["month"], rows[-1]["month"]
    within = [event for event in events if first <= event["happened_on"] <= _end(last)]
    listed = [event for event in within if event["kind"] != "release" or technique in event["techniques"]]
    marks = {id(event): str(number) for number, event in enumerate(listed, 1)}
    moments = [
        charts.Moment(
            event["happened_on"],
            marks.get(id(event), ""),
            f"{wording.day(event['happened_on'])}<br>{charts.safe(event['what'], 120)}",
        )
        for event in within
    ]
    periods = [
        charts.When(
            row["month"],
            charts.Range(row["share"] * 100, _percent(row["low"]), _percent(row["high"])),
            charts.Range(_percent(row["smooth"]), _percent(row["smooth_low"]), _percent(row["smooth_high"])),
            f"<b>{row['month']:%Y-%m}: {wording.percent(row['share'], row['low'], row['high'])}</b><br>"
            f"{_interval_words(row['low'], row['high'])}<br>"
            f"with the months around it {_smooth_words(row)}<br>{wording.counted(row['items_read'], 'item')} read",
            row["trend_id"],
        )
        for row in rows
    ]
    figure = charts.over_time(
        periods,
        moments,
        charts.Header(
            x="Month of creation",
            y=f"Share of what was created in the month: {charts.safe(name)}. "
            "Line: centred three-month pooled share, band: its 95% interval",
            alt=f"Share of {name} by month from {first:%Y-%m} to {last:%Y-%m}: "
            f"{wording.percent(rows[0]['share'])} in the first, {wording.percent(rows[-1]['share'])} in the last.",
        ),
        evidence.family(technique),
    )
    columns = [
        column("month", "Month"),
        column("share", "Share", number=True),
        column("interval", "95% interval", number=True),
        column("smooth", "Three months pooled", number=True),
        column("smooth_interval", "95% interval", number=True),
        column("items_read", "Items read", number=True),
        column("events", "Events"),
    ]
    table = [
        [
            f"{row['month']:%Y-%m}",
            share_cell(row),
            span_cell(row["low"], row["high"]),
            None if row["smooth"] is None else cell(_smooth_words(row), row["smooth"]),
            span_cell(row["smooth_low"], row["smooth_high"]),
            row["items_read"],
            charts.plain(row["events"] or "", 400) or None,
        ]
        for row in rows
    ]
    line = source_line(
        f"share_by_month technique={charts.plain(technique)} rule={rule}",
        f"n = {sum(row['items_read'] for row in rows):,} items read in {wording.counted(len(rows), 'month')}",
        charts.plain(rows[-1]["caveat"] or "", 500),
        f"events: query events; {len(within) - len(listed)} releases are ticks at the foot",
        explain=charts.plain(rows[-1]["trend_id"], 120),
    )
    notes = tuple(f"{wording.day(event['happened_on'])}: {charts.plain(event['what'], 200)}" for event in listed)
    key = f"trend-{technique}-{rule}-{rows[0]['source']}"
    return View(line, picks, figure, Table(key, f"Share of {name} by month", columns, table), notes)


def _by_version(
    evidence: Evidence, technique: str, rule: str, rows: list[Row], picks: tuple[str, ...], events: list[Row]
) -> View:
    del events  # a version is its own event
    name = evidence.name(technique)
    outer = {"outer_low": None, "outer_high": None}
    bars = [
        charts.Bar(
            label=str(row["peft_version"]) + (" brought it" if row["brought"] else ""),
            at=range_of(row | outer, 100),
            hover=f"<b>PEFT {charts.safe(row['peft_version'])}: "
            f"{wording.percent(row['share'], row['low'], row['high'])}</b><br>"
            f"{_interval_words(row['low'], row['high'])}<br>"
            f"{wording.counted(row['items_read'], 'item')} read; released {wording.day(row['released_on'])}",
            family=evidence.family(technique),
        )
        for row in rows
    ]
    figure = charts.intervals(
        bars,
        charts.Header(
            x=f"Share that is {charts.safe(name)} among items that tell this version of PEFT",
            alt=f"Share of {name} by {len(rows)} versions of PEFT, {rows[0]['peft_version']} to "
            f"{rows[-1]['peft_version']}.",
        ),
    )
    columns = [
        column("version", "PEFT"),
        column("released_on", "Released"),
        column("share", "Share", number=True),
        column("interval", "95% interval", number=True),
        column("items_read", "Items read", number=True),
        column("brought", "Brought it"),
    ]
    table = [
        [
            charts.plain(row["peft_version"], 20),
            wording.day(row["released_on"]) if row["released_on"] else None,
            share_cell(row),
            span_cell(row["low"], row["high"]),
            row["items_read"],
            "yes" if row["brought"] else "no",
        ]
        for row in rows
    ]
    line = source_line(
        f"share_by_peft_version technique={charts.plain(technique)} rule={rule}",
        f"n = {sum(row['items_read'] for row in rows):,} items that tell their version",
        charts.plain(rows[-1]["caveat"] or "", 500),
        explain=charts.plain(rows[-1]["trend_id"], 120),
    )
    key = f"versions-{technique}-{rule}-{rows[0]['source']}"
    return View(line, picks, figure, Table(key, f"Share of {name} by version of PEFT", columns, table))


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _interval_words(low: float | None, high: float | None) -> str:
    return "no interval" if low is None or high is None else f"95% interval {wording.span(low, high)}"


def _smooth_words(row: Row) -> Any:
    if row["smooth"] is None:
        return "not known"
    return wording.percent(row["smooth"], row["smooth_low"], row["smooth_high"])


def _end(month: date) -> date:
    """Last day of a month, or a day soon after: events of the last month belong to the picture."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
