"""Published and own results: score against memory, and what has been superseded."""

from __future__ import annotations

from typing import Any

from hubstats import charts
from hubstats.report import wording
from hubstats.report.panel import MOST_ROWS, Evidence, Gap, Panel, Row, Table, View, cell, column, rows_of, source_line
from hubstats.report.standing import OWN, Standing

FAR = 1.3
"""Runs that need this many times the median memory are named beside the picture: the rest would be squeezed."""

BELOW = 0.25
"""Runs this far below the best score are counted below the picture."""


MOST_RUNS = 400
"""Runs of one task in a chart and its table."""


def frontier(evidence: Evidence, prose: Row) -> Panel:
    """Score against memory with the frontier: one view a task and origin."""
    views, missing = [], []
    origins = sorted(set(evidence.runs["origin"].to_list()), key=lambda origin: (origin == OWN, origin))
    noise = {(standing.origin, standing.task): standing for standing in evidence.standings}
    for origin in origins:
        rows = rows_of(evidence.answers.query("published_frontier", origin=origin))
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            groups.setdefault((row["task"], row["model_id"] or ""), []).append(row)
        tasks = [task for task, _ in groups]
        for (task, model), members in sorted(groups.items()):
            kept = _bounded(members)
            shown = noise.get((origin, task))
            among = model if tasks.count(task) > 1 else ""
            views.append(_frontier_view(evidence, origin, task, kept, shown, len(members), among))
    if not views:
        missing.append(Gap("No run with a measured peak memory is in this file.", "hubstats crawl snapshot"))
    return Panel(
        "frontier",
        prose["short"],
        prose["heading"],
        (),
        prose["note"] if views else "",
        tuple(missing),
        ("Runs",),
        tuple(views),
    )


def _bounded(rows: list[Row]) -> list[Row]:
    """All rows, or where there are too many those on the frontier and the best of each technique, then the rest by
    score: the page stays small however many runs the file holds."""
    best: dict[str, float] = {}
    for row in rows:
        key = row["variant"] or row["technique"]
        best[key] = max(best.get(key, row["accuracy"]), row["accuracy"])

    def order(row: Row) -> tuple[bool, bool, float]:
        top = row["accuracy"] == best[row["variant"] or row["technique"]]
        return not row["on_frontier"], not top, -row["accuracy"]

    return rows if len(rows) <= MOST_RUNS else sorted(rows, key=order)[:MOST_RUNS]


def _frontier_view(
    evidence: Evidence, origin: str, task: str, rows: list[Row], standing: Standing | None, total: int, model: str
) -> View:
    metric = standing.metric if standing else "accuracy"
    noise = standing.noise if standing else None
    scale = 100 if metric == "accuracy" else 1
    far = [row for row in rows if not row["on_frontier"] and row["memory"] > FAR * _median(rows, "memory")]
    floor = max(row["accuracy"] for row in rows) - BELOW
    low = [row for row in rows if row["accuracy"] < floor and row not in far]
    shown = [row for row in rows if row not in far and row not in low]
    best: dict[str, Row] = {}
    for row in shown:
        key = row["variant"] or row["technique"]
        if key not in best or row["accuracy"] > best[key]["accuracy"]:
            best[key] = row
    points = []
    for row in shown:
        key = row["variant"] or row["technique"]
        spread = _half_width(row) * scale if row["standard_error"] is not None and row["on_frontier"] else None
        value = row["accuracy"] * scale
        points.append(
            charts.Point(
                name=evidence.name(key),
                family=evidence.family(row["technique"]),
                x=charts.Range(row["memory"] / 1e9),
                y=charts.Range(
                    value, None if spread is None else value - spread, None if spread is None else value + spread
                ),
                hover=f"<b>{charts.safe(evidence.name(key))}</b><br>{charts.safe(row['experiment'], 60)}<br>"
                f"{wording.score(row['accuracy'], metric)}, {wording.gigabytes(row['memory'])}"
                + ("<br>on the frontier" if row["on_frontier"] else "")
                + _chance_words(row["probability"]),
                own=origin == OWN,
                size=12e9 if row["on_frontier"] else 4e9,
                rank=(100 if row["on_frontier"] else 0) + row["accuracy"],
                strong=row["on_frontier"],
                labelled=row["on_frontier"] or best[key] is row,
            )
        )
    edge = sorted((row for row in rows if row["on_frontier"]), key=lambda row: row["memory"])
    names = wording.listed([evidence.name(row["variant"] or row["technique"]) for row in edge], 12)
    figure = charts.scatter(
        points,
        charts.Header(
            x="Peak memory, GB (10\N{SUPERSCRIPT NINE} bytes)",
            y="Test accuracy, %" if metric == "accuracy" else "Similarity of the image to the subject",
            alt=f"{len(rows)} runs on {task}; on the frontier from least memory to most: {names}.",
        ),
        y_floor=floor * scale if low else None,
    )
    figure = charts.add_path(figure, [row["memory"] / 1e9 for row in edge], [row["accuracy"] * scale for row in edge])
    table = [
        [
            charts.plain(evidence.name(row["variant"] or row["technique"]), 120),
            charts.plain(row["experiment"], 120),
            cell(wording.score(row["accuracy"], metric), row["accuracy"]),
            cell(wording.gigabytes(row["memory"]), row["memory"]),
            "yes" if row["on_frontier"] else "no",
            _chance_cell(row["probability"]),
        ]
        for row in rows
    ]
    columns = [
        column("technique", "Technique"),
        column("experiment", "Experiment"),
        column("score", "Score", number=True),
        column("memory", "Peak memory", number=True),
        column("on_frontier", "On the frontier"),
        column("chance", "Chance to be on it again", number=True),
    ]
    scatter = "nothing was repeated in this file: how far runs scatter is not known"
    if noise:
        unit = " points" if scale == 100 else ""
        repeated = f"{noise.runs} runs of {noise.experiments} experiments (query rerun_spread)"
        scatter = f"repeated runs: standard deviation {noise.deviation * scale:.2g}{unit} over {repeated}"
    outside = (
        [
            f"not drawn: {wording.counted(len(low), 'run')} below {wording.score(floor, metric)}",
        ]
        if low
        else []
    )
    outside += [
        f"right of the picture: {evidence.name(row['technique'])}, {wording.score(row['accuracy'], metric)} "
        f"at {wording.gigabytes(row['memory'])}"
        for row in far
    ]
    line = source_line(
        "published_frontier",
        f"n = {wording.counted(total, 'run')}" + (f", the {len(rows)} best kept" if len(rows) < total else ""),
        f"{wording.source_words(origin)}, runs of {wording.days(standing.dates) if standing else 'unknown date'}",
        scatter,
        *outside,
    )
    label = ", ".join(filter(None, (task, charts.plain(model, 60), "our own" if origin == OWN else "published")))
    return View(
        line,
        (label,),
        figure,
        Table("-".join(filter(None, ("frontier", origin, task, model))), f"Runs on {task}", columns, table),
    )


def since(evidence: Evidence) -> str | None:
    """Date of the publication whose figures are in the file: then. ISO."""
    days = [wording.day(row["as_of"]) for row in evidence.shares if row["origin"] == "published" and row["as_of"]]
    return min(days, default=None)


def superseded(evidence: Evidence, task: str | None = None) -> list[tuple[Row, Row]]:
    """(then, now) of each experiment whose result changed since the publication."""
    date = since(evidence)
    pairs = []
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows_of(evidence.answers.query("published_history")):
        if row["created_at"] is not None and (task is None or row["task"] == task):
            groups.setdefault((row["task"], row["experiment"]), []).append(row)
    for rows in groups.values():
        now = next((row for row in reversed(rows) if row["is_current"]), None)
        earlier = [
            row for row in rows if not row["is_current"] and (date is None or wording.day(row["created_at"]) <= date)
        ]
        if now is not None and earlier and earlier[-1]["created_at"] < now["created_at"]:
            pairs.append((earlier[-1], now))
    return sorted(pairs, key=lambda pair: pair[1]["accuracy"] - pair[0]["accuracy"])


def history(evidence: Evidence, prose: Row) -> Panel:
    """Results that stood when the publication appeared against those that stand now: a view a task."""
    views = []
    pairs = superseded(evidence)
    date = since(evidence)
    for task in sorted({now["task"] for _, now in pairs}):
        members = [pair for pair in pairs if pair[1]["task"] == task]
        chosen = sorted(members, key=_moved)[:MOST_ROWS]
        chosen.sort(key=lambda pair: -pair[1]["accuracy"])
        steps = [
            charts.Step(
                label=_setting(evidence, now),
                start=then["accuracy"] * 100,
                end=now["accuracy"] * 100,
                hover=f"<b>{charts.safe(now['experiment'], 60)}</b><br>"
                f"{then['accuracy'] * 100:.1f} on {wording.day(then['created_at'])}<br>"
                f"{now['accuracy'] * 100:.1f} on {wording.day(now['created_at'])}",
                family=evidence.family(now["technique"]),
            )
            for then, now in chosen
        ]
        table = [
            [
                charts.plain(now["experiment"], 120),
                charts.plain(evidence.name(now["technique"]), 120),
                cell(f"{then['accuracy'] * 100:.1f}", then["accuracy"]),
                wording.day(then["created_at"]),
                cell(f"{now['accuracy'] * 100:.1f}", now["accuracy"]),
                wording.day(now["created_at"]),
                cell(wording.points(now["accuracy"] - then["accuracy"]), now["accuracy"] - then["accuracy"]),
                None if then["memory"] is None else cell(wording.gigabytes(then["memory"]), then["memory"]),
                None if now["memory"] is None else cell(wording.gigabytes(now["memory"]), now["memory"]),
            ]
            for then, now in sorted(members, key=_moved)[:MOST_RUNS]
        ]
        columns = [
            column("experiment", "Experiment"),
            column("technique", "Technique"),
            column("then", "Then", number=True),
            column("then_on", "Run on"),
            column("now", "Now", number=True),
            column("now_on", "Run on"),
            column("change", "Change", number=True),
            column("memory_then", "Memory then", number=True),
            column("memory_now", "Memory now", number=True),
        ]
        figure = charts.pairs(
            steps,
            charts.Header(
                x="Score \N{MULTIPLICATION SIGN} 100", alt=f"{len(steps)} experiments on {task}, score then and now."
            ),
            start=f"stood on {date}" if date else "before",
            end="stands now",
        )
        line = source_line(
            "published_history",
            f"n = {wording.counted(len(members), 'experiment')} run again"
            + (f", the {len(steps)} that moved most" if len(steps) < len(members) else ""),
            f"runs of {wording.days([now['created_at'] for _, now in members])}",
            wording.source_words(str(members[0][1]["origin"])),
        )
        views.append(
            View(line, (task,), figure, Table(f"history-{task}", f"Results on {task} then and now", columns, table))
        )
    missing: tuple[Gap, ...] = ()
    if not views:
        missing = (
            Gap(
                "Earlier versions of the published results are not in this file.",
                "hubstats import --kind published PATH",
                "with a git repository of PEFT as PATH",
            ),
        )
    return Panel(
        "history",
        prose["short"],
        prose["heading"],
        (),
        prose["note"] if views else "",
        missing,
        ("Task",),
        tuple(views),
    )


def _moved(pair: tuple[Row, Row]) -> tuple[float, str]:
    """Sort key: the largest change first."""
    then, now = pair
    return -abs(now["accuracy"] - then["accuracy"]), now["experiment"]


def _setting(evidence: Evidence, row: Row) -> str:
    words = str(row["experiment"]).rpartition("/")[2]
    for prefix in ("llama-3.2-3B-", "flux2-klein-"):
        words = words.removeprefix(prefix)
    return f"{charts.short(evidence.name(row['technique']))} {words}"


def _median(rows: list[Row], column: str) -> float:
    from statistics import median

    return float(median(row[column] for row in rows))


def _half_width(row: Row) -> float:
    """Half width of the 95% interval of one run's score: other questions and repetitions."""
    from scipy.stats import norm, t

    quantile = norm.ppf(0.975) if row["degrees"] is None else t.ppf(0.975, row["degrees"])
    return float(quantile * row["standard_error"])


def _chance_cell(chance: float | None) -> Any:
    return None if chance is None else cell(f"{chance:.0%}", chance)


def _chance_words(chance: float | None) -> str:
    return "" if chance is None else f"<br>would be on it in {chance:.0%} of repetitions"
