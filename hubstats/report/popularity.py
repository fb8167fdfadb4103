"""The main chart: how often a technique is used against how well it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hubstats import charts
from hubstats.report import wording
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
    count_words,
    range_of,
    sample_words,
    share_cell,
    source_line,
    span_cell,
    subjects,
)
from hubstats.report.standing import Result, Standing

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
        missing.append(Gap("All runs shown are published ones: this file holds no runs of our own yet."))
    views, lead = [], []
    by_task: dict[str, list[Standing]] = {}
    for standing in tasks:
        by_task.setdefault(standing.task, []).append(standing)
    for key in counts:
        for task, found in by_task.items():
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
        ("Popularity from", "Benchmark"),
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
    rare = [result.name for result in ahead if (shares.get(result.key) or {"high": None})["high"] is not None]
    rare = [result.name for result in ahead if result.name in rare and shares[result.key]["high"] < RARE]
    names = wording.listed([charts.plain(result.name) for result in ahead])
    text = f"{where}: {names} {'is' if len(ahead) == 1 else 'are'} ahead of LoRA by more than repeated runs differ."
    if rare:
        text += f" Used by less than {RARE:.0%} and so underrated, as far as this goes: {wording.listed(rare)}."
    return text


def _against(evidence: Evidence, key: Key, task: str, found: Sequence[Standing]) -> View:
    shares = {row["technique"]: row for row in evidence.of(key)}
    if key[2] == "evidence":
        shares = {row["technique"]: row for row in evidence.of((key[0], key[1], "overlay"))} | shares
    points, table, left_out, below = [], [], [], []
    for standing in found:
        for result in standing.results:
            result = _for_its_base(evidence, result, standing, shares)
            row = shares.get(result.key) or _unseen(evidence, key, shares, result)
            if row is None:
                left_out.append(result)
                continue
            if result.difference * 100 < FLOOR:
                below.append(f"{charts.plain(result.name)} {wording.points(result.difference)}")
            else:
                points.append(_point(row, result, standing))
            table.append(_against_row(row, result, standing))
    rows = list(shares.values())
    names = wording.listed([result.name for result in left_out], 4)
    lora = shares.get("lora")
    alt = f"{len(points)} techniques: share of use against score relative to plain LoRA on {task}." + (
        f" LoRA has a share of {wording.percent(lora['share'], lora['low'], lora['high'])}." if lora else ""
    )
    metric = found[0].metric
    unseen = _upper_limit(rows)
    figure = charts.scatter(
        points,
        charts.Header(
            x=f"Share of {key[1]} ({wording.source_words(key[0])}), logarithmic",
            y="Best score minus plain LoRA\N{RIGHT SINGLE QUOTATION MARK}s best, "
            + ("percentage points" if metric == "accuracy" else "similarity \N{MULTIPLICATION SIGN} 100"),
            alt=alt,
        ),
        log_x=True,
        zero_line=True,
        strip=f"seen nowhere (under {wording.percent(unseen)})" if unseen else "seen nowhere",
        y_floor=FLOOR if below else None,
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
        "popularity_vs_performance, intervals upwards from rerun_spread",
        f"n = {subjects(rows):,} {key[1]}; {wording.counted(sum(standing.runs for standing in found), 'run')}",
        f"popularity as of {wording.days([row['as_of'] for row in rows])}",
        f"{origins}, runs of {wording.days([day for standing in found for day in standing.dates])}",
        sample_words(rows),
        f"below the picture: {wording.listed(below, 8)}" if below else None,
        f"not counted by this source and so not shown: {names}" if left_out else None,
    )
    return View(
        line,
        (count_words(key), task),
        figure,
        Table(f"popularity-{'-'.join(key)}-{task}", f"Popularity and score on {task}", columns, table),
    )


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
    high = _upper_limit(list(shares.values()))
    return {"share": 0.0, "low": 0.0, "high": high, "outer_low": None, "outer_high": None, "subjects": 0}


def _upper_limit(rows: Sequence[Row]) -> float | None:
    """Upper end of the interval of a share of zero, as if every subject were an opinion of its own."""
    from hubstats.estimate import wilson_interval

    number = subjects(rows)
    return float(wilson_interval([0], [number])["high"][0]) if number else None


def _point(row: Row, result: Result, standing: Standing) -> charts.Point:
    unseen = not row["share"]
    margin = result.margin
    own = result.key == "lora"
    difference = result.difference * 100
    spread = None if margin is None or own else margin * 100
    share = wording.percent(row["share"], row["low"], row["high"])
    lines = [
        f"<b>{charts.safe(result.name)}</b>" + (" (our own run)" if standing.own else " (published run)"),
        f"used by {share}" if not unseen else "seen nowhere in this source",
        *([f"95% interval {wording.span(row['low'], row['high'])}"] if row["low"] is not None and not unseen else []),
        f"{wording.score(result.score, standing.metric)}, {wording.points(result.difference)} points to LoRA"
        + ("" if margin is None or own else f" ±{margin * 100:.1f}"),
        *([f"{wording.gigabytes(result.memory)} peak memory"] if result.memory else []),
        f"best of {wording.counted(result.settings, 'setting')}",
    ]
    at = charts.Range(None) if unseen else range_of(row, 100)
    return charts.Point(
        name=result.name,
        family=result.family,
        x=at,
        y=charts.Range(
            difference, None if spread is None else difference - spread, None if spread is None else difference + spread
        ),
        hover="<br>".join(lines),
        own=standing.own,
        size=result.memory,
        emphasis=own,
        rank=(1 if result.place == "ahead" else 0) * 10 + (0 if unseen else 2) + abs(difference) / 100 + row["share"],
        unseen=unseen,
    )


def _against_row(row: Row, result: Result, standing: Standing) -> list[Any]:
    own = result.key == "lora"
    return [
        charts.plain(result.name, 120),
        "our own" if standing.own else "published",
        share_cell(row),
        span_cell(row["low"], row["high"]),
        span_cell(row["outer_low"], row["outer_high"]),
        cell(wording.score(result.score, standing.metric), result.score),
        cell(wording.points(result.difference), result.difference),
        None if result.margin is None or own else cell(f"{result.margin * 100:.1f}", result.margin),
        None if result.memory is None else cell(wording.gigabytes(result.memory), result.memory),
        result.settings,
    ]
