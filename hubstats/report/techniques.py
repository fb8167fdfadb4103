"""The technique table, with an evidence card for each row, and the table of what the file holds."""

from __future__ import annotations

import re
from typing import Any

from hubstats import charts
from hubstats.report import wording
from hubstats.report.panel import (
    Evidence,
    Gap,
    Key,
    Panel,
    Row,
    Table,
    View,
    cell,
    column,
    sample_words,
    share_cell,
    share_words,
    source_line,
    subjects,
)
from hubstats.report.standing import Result, Standing

SHARE_COLUMNS = 3
_ARXIV = re.compile(r"\d{4}\.\d{4,5}\Z")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def techniques(evidence: Evidence, prose: Row) -> Panel:
    """All techniques that can be counted, a row each."""
    facts = [fact for fact in evidence.facts.values() if fact["kind"] != "confounder"]
    if not facts:
        return Panel(
            "techniques",
            prose["short"],
            prose["heading"],
            missing=(Gap("The technique registry is not in this file.", "hubstats crawl snapshot"),),
        )
    counts = evidence.counts()[:SHARE_COLUMNS]
    shares = {key: _with_variants(evidence, key) for key in counts}
    standing = evidence.published()
    results = {} if standing is None else {result.key: result for result in standing.results}
    best = shares[counts[0]] if counts else {}
    facts.sort(
        key=lambda fact: (
            -(best[fact["key"]]["share"] if fact["key"] in best else -1),
            -_score(results.get(fact["key"])),
            fact["name"],
        )
    )
    columns = [
        column("technique", "Technique"),
        *(
            column(
                "share_" + "_".join(key),
                f"{wording.source_words(key[0])} {key[1]}",
                number=True,
                title=wording.rule_words(key[2]),
            )
            for key in counts
        ),
    ]
    if standing is not None:
        columns += [
            column("score", f"{standing.task}", number=True, title="score of the best current setting"),
            column("difference", "To LoRA", number=True, title="points; best setting against best setting"),
            column("place", "Against LoRA"),
            column("memory", "Peak memory", number=True),
            column("time", "Training", number=True),
            column("size", "Checkpoint", number=True),
            column("settings", "Settings run", number=True),
        ]
    columns += [
        column("family", "Family"),
        column("kind", "Kind"),
        column("since", "In PEFT since"),
        column("paper", "Paper"),
    ]
    rows = [
        _row(fact, [shares[key].get(fact["key"]) for key in counts], results.get(fact["key"]), standing)
        for fact in facts
    ]
    cards = [_card(evidence, fact, standing, results.get(fact["key"])) for fact in facts]
    used = [row for key in counts for row in evidence.of(key)]
    line = source_line(
        "technique_share, bench_results, technique_facts",
        f"n = {len(rows)} techniques"
        + "".join(f"; {wording.source_words(key[0])} {subjects(evidence.of(key)):,} {key[1]}" for key in counts),
        f"popularity as of {wording.days([row['as_of'] for row in used])}" if used else "no popularity count",
        f"{wording.source_words(standing.origin)}, runs of {wording.days(standing.dates)}" if standing else None,
        sample_words(used),
    )
    table = Table("techniques", "All techniques", columns, rows, cards, choice=len(columns) - 4)
    return Panel("techniques", prose["short"], prose["heading"], (), prose["note"], (), (), (View(line, table=table),))


def _with_variants(evidence: Evidence, key: Key) -> dict[str, Row]:
    overlay = (
        {row["technique"]: row for row in evidence.of((key[0], key[1], "overlay"))} if key[2] == "evidence" else {}
    )
    return overlay | {row["technique"]: row for row in evidence.of(key)}


def _score(result: Result | None) -> float:
    return -1.0 if result is None else result.score


def _row(fact: Row, shares: list[Row | None], result: Result | None, standing: Standing | None) -> list[Any]:
    cells: list[Any] = [charts.plain(fact["name"], 120), *(share_cell(row) for row in shares)]
    if standing is not None and result is None:
        cells += [None] * 7
    elif standing is not None and result is not None:
        lora = result.key == "lora"
        cells += [
            cell(wording.score(result.score, standing.metric), result.score),
            None if lora else cell(wording.points(result.difference), result.difference),
            None if lora or result.place == "unknown" else {"tied": "level"}.get(result.place, result.place),
            None if result.memory is None else cell(wording.gigabytes(result.memory), result.memory),
            None if result.time is None else cell(wording.minutes(result.time), result.time),
            None if result.size is None else cell(wording.megabytes(result.size), result.size),
            result.settings,
        ]
    paper = cell(f"arXiv:{fact['paper']}", fact["paper"]) if fact["paper"] else None
    return [*cells, fact["family"], fact["kind"], fact["since"], paper]


def _card(evidence: Evidence, fact: Row, standing: Standing | None, result: Result | None) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    shares = [
        f"{share_words(row)}: {wording.source_words(row['source'])}, "
        f"{wording.counted_words(row['measure'], row['rule'])} ({wording.day(row['as_of'])})"
        for row in evidence.shares
        if row["technique"] == fact["key"]
    ]
    blocks.append(
        {
            "title": "Popularity",
            "lines": [charts.plain(line, 200) for line in shares] or ["not counted by any source in this file"],
        }
    )
    if standing is not None and result is not None:
        margin = (
            "" if result.margin is None or result.key == "lora" else f" \N{PLUS-MINUS SIGN}{result.margin * 100:.1f}"
        )
        lines = [
            f"{wording.score(result.score, standing.metric)} on {standing.task}, "
            f"{wording.points(result.difference)}{margin} points to plain LoRA",
            f"best of {wording.counted(result.settings, 'setting')}: {charts.plain(result.experiment, 100)}",
            f"run on {wording.day(result.created_at)}, {wording.source_words(standing.origin)}",
        ]
    else:
        lines = ["no published run on this page's main task"]
    blocks.append({"title": "Performance", "lines": lines})
    about = [f"{fact['family']}, {fact['kind']}" + (f" of {evidence.name(fact['parent'])}" if fact["parent"] else "")]
    if fact["note"]:
        about.append(charts.plain(fact["note"], 300))
    about_block: dict[str, Any] = {"title": "What it is", "lines": about}
    if fact["paper"] and _ARXIV.match(fact["paper"]):
        about_block["arxiv"] = fact["paper"]
    blocks.append(about_block)
    config = fact["config_class"]
    if config and _IDENTIFIER.match(config) and fact["kind"] in ("method", "variant"):
        blocks.append({"title": "In code", "lines": [f"from peft import {config}, get_peft_model"], "code": True})
    return blocks


def holdings(evidence: Evidence) -> Panel:
    """What the file holds, by source."""
    if not evidence.contents:
        return Panel("holdings", "", "", missing=(Gap("The file holds no data yet.", "hubstats crawl"),))
    kinds = {"live": "asked live", "import": "imported", "snapshot": "embedded snapshot (purposive sample)"}
    columns = [
        column("source", "Source"),
        column("kind", "How"),
        column("item", "What"),
        column("items", "How many", number=True),
        column("newest", "Newest"),
        column("crawled_on", "Read on"),
    ]
    rows = [
        [
            charts.plain(wording.source_words(row["source"]), 80),
            kinds.get(row["kind"] or "", row["kind"]),
            row["item"],
            cell(f"{row['items']:,}", row["items"]),
            wording.day(row["newest"]) if row["newest"] else None,
            wording.day(row["crawled_on"]) if row["crawled_on"] else None,
        ]
        for row in evidence.contents
    ]
    table = Table("holdings", "What the file holds", columns, rows)
    line = source_line(
        "file_contents", f"{len(rows)} rows", wording.days([row["crawled_on"] for row in evidence.contents])
    )
    return Panel("holdings", "", "", views=(View(line, table=table),))
