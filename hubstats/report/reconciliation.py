"""From each published share of LoRA to ours: a waterfall a chain, from the table `reconciliation`."""

from __future__ import annotations

from typing import Any

from hubstats import charts
from hubstats.report import wording
from hubstats.report.panel import Evidence, Gap, Panel, Row, Table, View, cell, column, rows_of, source_line, span_cell
from hubstats.report.standing import REFERENCE

MEASURES = {
    "cards_exactly_one": "model cards",
    "github_import": "code",
    "image_type": "image site, all uploads",
    "image_type_peft": "image site, three types",
}
"""Published measure -> what it is counted in."""

NEEDED = (
    (
        ("cards_exactly_one",),
        "The chain from the published share of model cards needs cards, and none is in this file.",
        "hubstats crawl hub",
        "",
    ),
    (
        ("github_import",),
        "The chain from the published share of code search results needs code, and none is in this file.",
        "hubstats crawl github",
        "with GITHUB_TOKEN set, or crawl snapshot",
    ),
    (
        ("image_type", "image_type_peft"),
        "The chains from the published shares of image models need uploads, and none is in this file.",
        "hubstats crawl civitai",
        "",
    ),
)
"""Measures of a chain, what to say where it has no items, and what fills it."""

LEAST = 0.0005
"""Effects below this, with their interval, are no change in the digits shown: half a tenth of a point."""

ORDER = ("hub", "dump", "cards", "github", "snapshot", "code", "civitai")
"""Sources, the chain to show first before the others."""


def chains(evidence: Evidence) -> list[list[Row]]:
    """LoRA's chains, each the steps on one source's items from the published figure on."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows_of(evidence.answers.query("reconciliation", technique=REFERENCE)):
        found.setdefault((row["measure"], row["source"]), []).append(row)
    return sorted(
        (steps for steps in found.values() if len(steps) > 1),
        key=lambda steps: (ORDER.index(steps[0]["source"]) if steps[0]["source"] in ORDER else len(ORDER),
                           steps[0]["measure"], steps[0]["source"]),
    )  # fmt: skip


def reconciliation(evidence: Evidence, prose: Row) -> Panel:
    """What leads from the published shares of LoRA to ours: a view a chain."""
    found = chains(evidence)
    present = {steps[0]["measure"] for steps in found}
    missing = tuple(
        Gap(text, command, after) for measures, text, command, after in NEEDED if present.isdisjoint(measures)
    )
    return Panel(
        "reconciliation",
        prose["short"],
        prose["heading"],
        (),
        prose["note"] if found else "",
        missing,
        ("From the published share of",),
        tuple(_view(evidence, steps) for steps in found),
    )


def _view(evidence: Evidence, steps: list[Row]) -> View:
    by_rule = {row["rule"]: row for row in steps}
    on_the_way = [row for row in steps if not row["beside"]]
    first, last = on_the_way[0], on_the_way[-1]
    source = wording.source_words(first["source"])
    rows = [
        charts.Change(
            label=f"{first['change']} ({MEASURES.get(first['measure'], first['measure'])})",
            lead=wording.percent(first["share"]),
            end=first["share"] * 100,
            start=None,
            hover=f"<b>{wording.percent(first['share'])}</b> {charts.safe(first['change'], 120)}",
            hollow=True,
            id=first["reconciliation_id"],
        ),
        *(_change(row, by_rule) for row in on_the_way[1:]),
        charts.Change(
            label=f"our share at the end of the chain ({source})",
            lead=wording.percent(last["share"], last["low"], last["high"]),
            end=last["share"] * 100,
            start=None,
            hover=_share_hover(last),
            at=charts.Range(last["share"] * 100, _times(last["low"]), _times(last["high"])),
            id=last["reconciliation_id"],
        ),
        *(_change(row, by_rule) for row in steps if row["beside"]),
    ]
    name = evidence.name(first["technique"])
    figure = charts.waterfall(
        rows,
        charts.Header(
            x=f"Share that is {charts.safe(name)}",
            alt=f"{len(on_the_way) - 1} steps from {wording.percent(first['share'])} published to "
            f"{wording.percent(last['share'], last['low'], last['high'])} on {source}.",
        ),
    )
    columns = [
        column("change", "What changes"),
        column("follows", "Compared with"),
        column("beside", "Beside the chain"),
        column("share", "Share", number=True),
        column("interval", "95% interval", number=True),
        column("effect", "Effect, points", number=True),
        column("effect_interval", "95% interval", number=True),
        column("count", "LoRA", number=True),
        column("total", "Of all", number=True),
        column("items", "Items read", number=True),
        column("caveat", "Caveat"),
    ]
    table = [
        [
            charts.plain(row["change"], 240),
            None if row["follows"] is None else charts.plain(by_rule[row["follows"]]["change"], 240),
            "yes" if row["beside"] else "no",
            cell(wording.percent(row["share"], row["low"], row["high"]), row["share"]),
            span_cell(row["low"], row["high"]),
            None if row["effect"] is None else cell(wording.points(row["effect"]), row["effect"]),
            _effect_cell(row),
            _amount(row["count"]),
            _amount(row["total"]),
            row["items"],
            charts.plain(row["caveat"] or "", 400) or None,
        ]
        for row in steps
    ]
    read = max((row["items"] or 0 for row in steps), default=0)
    line = source_line(
        f"reconciliation technique={REFERENCE} source={charts.plain(first['source'], 40)}",
        f"n = {read:,} items read",
        f"{source}, {charts.plain(last['caveat'], 200)}" if last["caveat"] else source,
        explain=charts.plain(last["reconciliation_id"], 120),
    )
    label = f"{MEASURES.get(first['measure'], charts.plain(first['measure']))}: to {source}"
    key = f"reconciliation-{first['measure']}-{first['source']}"
    return View(line, (label,), figure, Table(key, f"From the published share to ours, {label}", columns, table))


def _change(row: Row, by_rule: dict[str, Row]) -> charts.Change:
    before = by_rule[row["follows"]]["share"] * 100
    # The step beside a chain may be made on fewer items than the step it is compared with: its effect is what it shows.
    end = row["share"] * 100 if row["effect"] is None else before + row["effect"] * 100
    text = row["change"]
    return charts.Change(
        label=f"beside the chain: {text}" if row["beside"] else text,
        lead=_lead(row),
        end=end,
        start=before,
        hover=f"{charts.safe(text, 120)}<br>{_effect_hover(row)}<br>{_share_hover(row)}",
        at=charts.Range(end, _plus(before, row["effect_low"]), _plus(before, row["effect_high"])),
        beside=row["beside"],
        other_items=row["follows"] == "published",
        id=row["reconciliation_id"],
    )


def _lead(row: Row) -> str:
    if row["effect"] is None:
        return "effect not known"
    known = [row[name] for name in ("effect", "effect_low", "effect_high") if row[name] is not None]
    if len(known) == 3 and all(abs(value) < LEAST for value in known):
        return "no change"
    return wording.points(row["effect"]) + effect_words(row)


def effect_words(row: Row) -> str:
    """The interval of an effect in points, in brackets; nothing where there is none."""
    if row["effect_low"] is None or row["effect_high"] is None:
        return ""
    return f" ({wording.points(row['effect_low'])} to {wording.points(row['effect_high'])})"


def _effect_hover(row: Row) -> str:
    if row["effect"] is None:
        return "effect not known"
    return f"<b>{wording.points(row['effect'])} points</b>{effect_words(row) or ', no interval'}"


def _share_hover(row: Row) -> str:
    words = f"share {wording.percent(row['share'], row['low'], row['high'])}"
    return words if row["low"] is None else f"{words}, 95% interval {wording.span(row['low'], row['high'])}"


def _effect_cell(row: Row) -> Any:
    words = effect_words(row).strip(" ()")
    return cell(words, f"{row['effect_low']:.6g}..{row['effect_high']:.6g}") if words else None


def _amount(value: float | None) -> Any:
    return None if value is None else cell(f"{value:,.0f}" if value >= 100 else f"{value:.1f}", value)


def _times(share: float | None) -> float | None:
    return None if share is None else share * 100


def _plus(before: float, effect: float | None) -> float | None:
    return None if effect is None else before + effect * 100
