"""The main chart: how often a technique is used against how well it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hubstats import charts
from hubstats.report import wording
from hubstats.report.panel import (
    MOST_TASKS,
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
    count_words,
    further,
    range_of,
    sample_words,
    share_cell,
    slug,
    source_line,
    span_cell,
    subjects,
    upper_limit,
)
from hubstats.report.standing import REFERENCE, Result, Standing

FLOOR = -20.0
"""Points below LoRA under which a technique is named below the picture and not drawn: the rest would be squeezed."""

RARE = 0.05
"""A technique whose interval ends below this share is little used."""


def popularity(evidence: Evidence, prose: Row) -> Panel:
    """The main chart: one view for each popularity count and task."""
    counts, tasks = evidence.counts()[:MOST_VIEWS], evidence.standings
    missing = []
    if not counts:
        missing.append(Gap("No popularity count is in this file.", "hubstats crawl"))
    elif not any(source == "hub" for source, _, _ in counts):
        missing.append(Gap("The Hub itself has not been sampled into this file.", "hubstats crawl hub"))
    if not tasks:
        missing.append(Gap("No fine-tuning results are in this file.", "hubstats crawl snapshot"))
    elif not any(standing.own for standing in tasks):
        text = "All runs shown are published ones: this file holds no runs of our own."
        missing.append(Gap(text, "hubstats bench run", "then hubstats import --kind published bench/results"))
    views, lead = [], []
    by_task: dict[str, list[Standing]] = {}
    for standing in tasks:
        by_task.setdefault(standing.task, []).append(standing)
    if len(by_task) > MOST_TASKS:
        missing.append(further(len(by_task) - MOST_TASKS))
    for key in counts:
        for task, found in list(by_task.items())[:MOST_TASKS]:
            views.append(_against(evidence, key, task, found))
    if counts and tasks:
        lead.append(_ahead_sentence(evidence, counts[0], tasks[0]))
    return Panel(
        "popularity",
        prose["short"],
        prose["heading"],
        tuple(lead),
        prose["note"],
        tuple(missing),
        ("source: Popularity from", "task: Benchmark"),
        tuple(views),
    )


def _ahead_sentence(evidence: Evidence, key: Key, standing: Standing) -> str:
    where = f"On {standing.task}, {'our own runs' if standing.own else 'published runs'}"
    if standing.noise is None:
        return f"{where}: nothing was repeated in this file, so no technique can be called ahead of LoRA or behind it."
    ahead = standing.others("ahead")
    if not ahead:
        return f"{where}: no technique is ahead of LoRA by more than repeated runs differ. That is a result, too."
    shares = {row["technique"]: row for row in evidence.of(key)}
    rare = [result.name for result in ahead if result.key in shares and _is_underrated(shares[result.key], result)]
    names = wording.listed([charts.plain(result.name) for result in ahead])
    text = f"{where}: {names} {'is' if len(ahead) == 1 else 'are'} ahead of LoRA by more than repeated runs differ."
    if rare:
        text += f" Used by less than {RARE:.0%} and so underrated, as far as this goes: {wording.listed(rare)}."
    return text


def _against(evidence: Evidence, key: Key, task: str, found: Sequence[Standing]) -> View:
    shares = {row["technique"]: row for row in evidence.of(key)}
    if key[2] == "evidence":
        shares = {row["technique"]: row for row in evidence.of((key[0], key[1], "overlay"))} | shares
    marks: list[charts.Mark] = []
    table, left_out = [], []
    for standing in found:
        for result in standing.results:
            result = _for_its_base(evidence, result, standing, shares)
            row = shares.get(result.key) or _unseen(evidence, key, shares, result)
            if row is None:
                left_out.append(result)
                continue
            marks.append(_mark(row, result, standing))
            table.append(_against_row(row, result, standing))
    rows = list(shares.values())
    names = wording.listed([result.name for result in left_out], 4)
    lora = shares.get("lora")
    alt = f"{len(marks)} techniques: share of use against score relative to plain LoRA on {task}." + (
        f" LoRA has a share of {wording.percent(lora['share'], lora['low'], lora['high'])}." if lora else ""
    )
    unseen = upper_limit(rows)
    share = charts.Axis(
        "share", "share", f"Share of {key[1]} ({wording.source_words(key[0])}), logarithmic", unit="%", log=True
    )
    plane = charts.Plane(
        marks,
        [share],
        _measures(found),
        alt,
        strip=f"seen nowhere (under {wording.percent(unseen)})" if unseen else "seen nowhere",
    )
    columns = [
        column("technique", "Technique"),
        column("runs", "Runs"),
        column("share", "Share", number=True),
        column("interval", "95% interval", number=True),
        column("outer", "With unseen", number=True),
        column("score", "Score", number=True),
        column("difference", "Minus LoRA, points", number=True),
        column("margin", "±", number=True),
        column("memory", "Peak memory", number=True),
        column("settings", "Settings run", number=True),
    ]
    origins = " and ".join(sorted({wording.source_words(standing.origin) for standing in found}))
    line = source_line(
        "popularity_vs_performance, all_shares, bench_results, rerun_spread",
        f"n = {subjects(rows):,} {key[1]}; {wording.counted(sum(standing.runs for standing in found), 'run')}",
        f"popularity as of {wording.days([row['as_of'] for row in rows])}",
        f"{origins}, runs of {wording.days([day for standing in found for day in standing.dates])}",
        sample_words(rows),
        f"not counted by this source and so not shown: {names}" if left_out else None,
        explain=None if lora is None else lora.get("id"),
    )
    return View(
        line,
        (count_words(key), task),
        None,
        Table(f"popularity-{'-'.join(key)}-{task}", f"Popularity and score on {task}", columns, table),
        plane=plane,
        keys=("-".join(map(slug, key)), slug(task)),
    )


def _measures(found: Sequence[Standing]) -> list[charts.Axis]:
    """What may be up: the score first, then each cost that some technique has."""
    unit = "similarity \N{MULTIPLICATION SIGN} 100" if found[0].metric == "similarity" else "percentage points"
    score = charts.Axis(
        "score",
        "score against LoRA",
        f"Best score on {charts.plain(found[0].task, 40)} minus plain LoRA\N{RIGHT SINGLE QUOTATION MARK}s, {unit}",
        "more",
        zero_line=True,
        floor=FLOOR,
    )
    costs = (
        charts.Axis("memory", "peak memory", "Peak memory, GB (10\N{SUPERSCRIPT NINE} bytes)", "less"),
        charts.Axis("time", "training time", "Training time, minutes", "less"),
        charts.Axis("size", "checkpoint size", "Checkpoint, MB (10\N{SUPERSCRIPT SIX} bytes)", "less", log=True),
        charts.Axis("forgetting", "forgetting", "Rise of the loss on unrelated text", "less"),
    )
    results = [result for standing in found for result in standing.results]
    return [score, *(axis for axis in costs if any(getattr(result, axis.key) is not None for result in results))]


def _for_its_base(evidence: Evidence, result: Result, standing: Standing, shares: dict[str, Row]) -> Result:
    """The best variant in the name of its base, where the count knows the base alone and no other run shows it."""
    of_base = [other for other in standing.results if other.base == result.base]
    if result.base is None or result.key in shares or result is not of_base[0]:
        return result
    if any(other.key == result.base for other in of_base):
        return result
    name = f"{charts.short(evidence.name(result.base))} (as {result.name})"
    return replace(result, key=result.base, name=name)


def _unseen(evidence: Evidence, key: Key, shares: dict[str, Row], result: Result) -> Row | None:
    """A share of zero for a method that the count looks for in every subject and met nowhere; else None."""
    fact = evidence.facts.get(result.key)
    looked_for = key[2] in ("imports_repositories", "imports_files") or (key[2] == "evidence" and key[1] != "downloads")
    if not shares or not looked_for or fact is None or fact["kind"] != "method" or not fact["config_class"]:
        return None
    high = upper_limit(list(shares.values()))
    return {"share": 0.0, "low": 0.0, "high": high, "outer_low": None, "outer_high": None, "subjects": 0}


def _mark(row: Row, result: Result, standing: Standing) -> charts.Mark:
    unseen = not row["share"]
    margin = result.margin
    own = result.key == REFERENCE
    spread = None if margin is None or own else margin
    share = wording.percent(row["share"], row["low"], row["high"])
    lines = [
        f"<b>{charts.safe(result.name)}</b>" + (" (our own run)" if standing.own else " (published run)"),
        f"used by {share}" if not unseen else "seen nowhere in this source",
        *([f"95% interval {wording.span(row['low'], row['high'])}"] if row["low"] is not None and not unseen else []),
        f"{wording.score(result.score, standing.metric)}, {wording.points(result.difference)} points to LoRA"
        + ("" if margin is None or own else f" ±{margin * 100:.1f}"),
        *([f"{wording.gigabytes(result.memory)} peak memory"] if result.memory else []),
        *([f"{wording.minutes(result.time)} of training"] if result.time else []),
        f"best of {wording.counted(result.settings, 'setting')}",
        *(["<b>underrated</b>: ahead of LoRA, and hardly used"] if _is_underrated(row, result) else []),
    ]
    difference = charts.Range(
        result.difference,
        None if spread is None else result.difference - spread,
        None if spread is None else result.difference + spread,
    )
    at = {
        "share": charts.at(None) if unseen else charts.at(range_of(row, 100)),
        "score": charts.at(difference, 100),
        "memory": charts.at(result.memory, 1e-9),
        "time": charts.at(result.time, 1 / 60),
        "size": charts.at(result.size, 1e-6),
        "forgetting": charts.at(result.forgetting),
    }
    return charts.Mark(
        name=charts.short(result.name),
        key=charts.plain(result.key, 60),
        family=charts.family_token(result.family),
        at={name: value for name, value in at.items() if name == "share" or value[0] is not None},
        hover="<br>".join(lines),
        own=standing.own,
        size=result.memory,
        emphasis=own,
        strong=_is_underrated(row, result),
        rank=(10 if result.place == "ahead" else 0) + (0 if unseen else 2) + abs(result.difference) + row["share"],
        unseen=unseen,
        id=None if unseen else row.get("id"),
        run=result.run_id,
    )


def _is_underrated(row: Row, result: Result) -> bool:
    """Ahead of LoRA by more than chance, and its share's whole interval below RARE."""
    return result.place == "ahead" and row["high"] is not None and bool(row["high"] < RARE)


def _against_row(row: Row, result: Result, standing: Standing) -> list[Any]:
    own = result.key == "lora"
    return [
        charts.plain(result.name, 120),
        "our own" if standing.own else "published",
        share_cell(row),
        span_cell(row["low"], row["high"]),
        span_cell(row["outer_low"], row["outer_high"]),
        cell(wording.score(result.score, standing.metric), result.score, result.run_id),
        cell(wording.points(result.difference), result.difference),
        None if result.margin is None or own else cell(f"{result.margin * 100:.1f}", result.margin),
        None if result.memory is None else cell(wording.gigabytes(result.memory), result.memory),
        result.settings,
    ]
