"""The technique table, with an evidence card for each row, and the table of what the file holds."""

from __future__ import annotations

from typing import Any

from hubstats import charts
from hubstats.report import capabilities, wording
from hubstats.report.cards import Cards
from hubstats.report.panel import (
    MOST_VIEWS,
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
    source_line,
    subjects,
)
from hubstats.report.standing import REFERENCE, Result, Standing
from hubstats.techniques.capabilities import CAPABILITIES

SHARE_COLUMNS = 2
"""Popularity counts shown at first; the others when chosen."""
MOST_BENCHMARKS = 8
SHOWN = ("merge", "quantised", "to_lora")
"""Capabilities shown at first."""
MOST_TECHNIQUES = 400
"""Rows: a registry is far smaller; a file may hold anything."""


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
    counts = evidence.counts()[:MOST_VIEWS]
    shares = {key: _with_variants(evidence, key) for key in counts}
    main = evidence.published() or next(iter(evidence.standings), None)
    others = [standing for standing in evidence.standings if standing is not main]
    # Our own runs stand beside the published ones; further tasks when chosen.
    benchmarks = sorted(([main] if main else []) + others, key=lambda one: (one is not main, not one.own))
    results = [{result.key: result for result in standing.results} for standing in benchmarks[:MOST_BENCHMARKS]]
    best = shares[counts[0]] if counts else {}
    facts.sort(
        key=lambda fact: (
            -(best[fact["key"]]["share"] if fact["key"] in best else -1),
            -(results[0][fact["key"]].score if results and fact["key"] in results[0] else -1.0),
            fact["name"],
        )
    )
    facts = facts[:MOST_TECHNIQUES]
    columns = [
        column("technique", "Technique"),
        *(_share_column(key, number) for number, key in enumerate(counts)),
        *(one for number, standing in enumerate(benchmarks[:MOST_BENCHMARKS]) for one in _columns(standing, number)),
        *(
            column(one.key, one.name, title=one.meaning, hidden=one.key not in SHOWN, group="What it can do")
            for one in CAPABILITIES
            if evidence.capabilities
        ),
    ]
    choice = len(columns)
    about = "About it"
    columns += [
        column("family", "Family", group=about),
        column("kind", "Kind", group=about, hidden=True),
        column("since", "In PEFT since", group=about, hidden=True),
        column("paper", "Paper", group=about),
    ]
    answers = capabilities.answers_of(evidence)
    rows = [
        [
            charts.plain(fact["name"], 120),
            *(share_cell(shares[key].get(fact["key"])) for key in counts),
            *(
                one
                for standing, found in zip(benchmarks, results, strict=False)
                for one in _cells(standing, found.get(fact["key"]))
            ),
            *(
                capabilities.cell_words(answers.get(fact["key"], {}).get(one.key))
                for one in CAPABILITIES
                if evidence.capabilities
            ),
            fact["family"],
            fact["kind"],
            fact["since"],
            cell(f"arXiv:{fact['paper']}", fact["paper"]) if fact["paper"] else None,
        ]
        for fact in facts
    ]
    cards = Cards(evidence)
    used = [row for key in counts[:SHARE_COLUMNS] for row in evidence.of(key)]
    line = source_line(
        "technique_share, bench_results, capabilities, technique_facts",
        f"n = {len(rows)} techniques"
        + "".join(
            f"; {wording.source_words(key[0])} {subjects(evidence.of(key)):,} {key[1]}"
            for key in counts[:SHARE_COLUMNS]
        ),
        f"popularity as of {wording.days([row['as_of'] for row in used])}" if used else "no popularity count",
        f"{wording.source_words(main.origin)}, runs of {wording.days(main.dates)}" if main else None,
        f"capabilities asked of {capabilities.asked_words(evidence)}" if evidence.capabilities else None,
        sample_words(used),
    )
    table = Table(
        "techniques",
        "All techniques",
        columns,
        rows,
        [cards.card(fact) for fact in facts],
        choice=choice,
        keys=[charts.plain(fact["key"], 60) for fact in facts],
    )
    missing = [] if counts else [Gap("No popularity count is in this file.", "hubstats crawl snapshot")]
    if not benchmarks:
        missing.append(Gap("No fine-tuning results are in this file.", "hubstats crawl snapshot"))
    view = View(line, table=table)
    return Panel("techniques", prose["short"], prose["heading"], (), prose["note"], tuple(missing), (), (view,))


def _with_variants(evidence: Evidence, key: Key) -> dict[str, Row]:
    overlay = (
        {row["technique"]: row for row in evidence.of((key[0], key[1], "overlay"))} if key[2] == "evidence" else {}
    )
    return overlay | {row["technique"]: row for row in evidence.of(key)}


def _share_column(key: Key, number: int) -> dict[str, Any]:
    return column(
        "share_" + "_".join(key),
        f"{wording.source_words(key[0])} {key[1]}",
        number=True,
        title=wording.rule_words(key[2]),
        hidden=number >= SHARE_COLUMNS,
        group="How popular",
    )


def _columns(standing: Standing, number: int) -> list[dict[str, Any]]:
    """Columns of one benchmark; those of the first are named without it."""
    whose = "our own" if standing.own else "published"
    task = charts.plain(standing.task, 40)
    prefix = "" if number == 0 else f"{standing.origin}_{standing.task}_"
    group = f"{task}, {whose}"
    ours = standing.own

    def made(name: str, label: str, *, numeric: bool = True, hidden: bool = False, title: str = "") -> dict[str, Any]:
        usual = number == 0 or (ours and name in ("score", "difference"))
        heading = label if number == 0 or name == "score" else f"{label}, {group}"
        return column(
            charts.plain(prefix + name, 80), heading, number=numeric, title=title, hidden=hidden or not usual,
            group=group,
        )  # fmt: skip

    named = task if number == 0 and not ours else group
    return [
        made("score", named, title=f"score of the best current setting, {whose}"),
        made("difference", "To LoRA", title="points; best setting against best setting"),
        made("margin", "\N{PLUS-MINUS SIGN}", title="half width of the 95% interval of the difference", hidden=True),
        made("place", "Against LoRA", numeric=False),
        made("memory", "Peak memory"),
        made("time", "Training"),
        made("size", "Checkpoint"),
        made("parameters", "Trained parameters", hidden=True),
        made("forgetting", "Forgetting", hidden=True, title="rise of the loss on unrelated text"),
        made("settings", "Settings run"),
    ]


def _cells(standing: Standing, result: Result | None) -> list[Any]:
    if result is None:
        return [None] * 10
    lora = result.key == REFERENCE
    return [
        cell(wording.score(result.score, standing.metric), result.score, result.run_id),
        None if lora else cell(wording.points(result.difference), result.difference),
        None if lora or result.margin is None else cell(f"{result.margin * 100:.1f}", result.margin),
        None if lora or result.place == "unknown" else {"tied": "level"}.get(result.place, result.place),
        None if result.memory is None else cell(wording.gigabytes(result.memory), result.memory),
        None if result.time is None else cell(wording.minutes(result.time), result.time),
        None if result.size is None else cell(wording.megabytes(result.size), result.size),
        None if result.parameters is None else cell(wording.millions(result.parameters), result.parameters),
        None if result.forgetting is None else cell(f"{result.forgetting:.2g}", result.forgetting),
        result.settings,
    ]


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
