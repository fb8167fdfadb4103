"""Published and own results: the score of each run against what it cost."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hubstats import charts
from hubstats.report import wording
from hubstats.report.pair_chances import pair_chances
from hubstats.report.panel import (
    MOST_TASKS,
    Evidence,
    Gap,
    Panel,
    Row,
    Table,
    View,
    cell,
    column,
    further,
    rows_of,
    source_line,
)
from hubstats.report.standing import OWN, Standing
from hubstats.store import read_input

BELOW = 0.25
"""Runs this far below the best score are counted in words: the picture would be squeezed."""


MOST_RUNS = 400
"""Runs of one task in a chart and its table."""
MOST_MARKS = 1_000
"""Runs in all charts together, unless that left fewer than FEWEST_RUNS for one."""
FEWEST_RUNS = 80


def frontier(evidence: Evidence, prose: Row) -> Panel:
    """Runs by any two measures, with the frontier: one view a task, base model and origin."""
    views, missing = [], []
    origins = sorted(set(evidence.runs["origin"].to_list()), key=lambda origin: (origin == OWN, origin))
    noise = {(standing.origin, standing.task): standing for standing in evidence.standings}
    among_costs = pair_chances(evidence.answers.sql(read_input("bench_runs")), PAIRED)
    for origin in origins:
        rows = rows_of(evidence.answers.query("published_frontier", origin=origin))
        chances = _chances(evidence, origin)
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            groups.setdefault((row["task"], row["model_id"] or ""), []).append(row)
        tasks = [task for task, _ in groups]
        if len(groups) > MOST_TASKS:
            missing.append(further(len(groups) - MOST_TASKS))
        groups = dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))[:MOST_TASKS])
        most = max(FEWEST_RUNS, min(MOST_RUNS, MOST_MARKS // (len(origins) * max(len(groups), 1))))
        for (task, model), members in sorted(groups.items()):
            kept = _bounded(
                members, {key for key, found in chances.items() if any(on for on, _ in found.values())}, most
            )
            shown = noise.get((origin, task))
            among = model if tasks.count(task) > 1 else ""
            views.append(_frontier_view(evidence, origin, task, kept, shown, len(members), among, chances, among_costs))
    if not views:
        missing.append(Gap("No run with a measured peak memory is in this file.", "hubstats crawl snapshot"))
    return Panel(
        "frontier",
        prose["short"],
        prose["heading"],
        (),
        prose["note"] if views else "",
        tuple(missing),
        ("runs: Runs",),
        tuple(views),
    )


RunKey = tuple[str, str | None, str]


def _key(row: Row) -> RunKey:
    return row["task"], row["model_id"], row["experiment"]


def _chances(evidence: Evidence, origin: str) -> dict[RunKey, dict[str, tuple[bool, float | None]]]:
    """For each run and cost: is it on the frontier of score and that cost, and how probably would it be again?"""
    found: dict[RunKey, dict[str, tuple[bool, float | None]]] = {}
    for row in rows_of(evidence.answers.query("frontiers", origin=origin)):
        found.setdefault(_key(row), {})[row["cost_metric"]] = row["on_frontier"], row["probability"]
    return found


def _bounded(rows: list[Row], edge: set[RunKey], most: int) -> list[Row]:
    """All rows, or where there are too many those on a frontier and the best of each technique, then the rest by
    score: the page stays small however many runs the file holds."""
    best: dict[str, float] = {}
    for row in rows:
        key = row["variant"] or row["technique"]
        best[key] = max(best.get(key, row["accuracy"]), row["accuracy"])

    def order(row: Row) -> tuple[bool, bool, bool, float]:
        top = row["accuracy"] == best[row["variant"] or row["technique"]]
        return not row["on_frontier"], _key(row) not in edge, not top, -row["accuracy"]

    return rows if len(rows) <= most else sorted(rows, key=order)[:most]


def _frontier_view(
    evidence: Evidence,
    origin: str,
    task: str,
    rows: list[Row],
    standing: Standing | None,
    total: int,
    model: str,
    chances: dict[RunKey, dict[str, tuple[bool, float | None]]],
    among_costs: dict[str, dict[str, float]],
) -> View:
    metric = standing.metric if standing else "accuracy"
    noise = standing.noise if standing else None
    scale = wording.scale(metric)
    current = {
        _key(run): run for run in evidence.runs.filter(origin=origin, task=task, is_current=True).iter_rows(named=True)
    }
    edge = sorted((row for row in rows if row["on_frontier"]), key=lambda row: row["memory"])
    names = wording.listed([evidence.name(row["variant"] or row["technique"]) for row in edge], 12)
    marks = [
        _run_mark(
            evidence, row, current.get(_key(row), {}), metric, origin == OWN, chances.get(_key(row), {}), among_costs
        )
        for row in rows
    ]
    measured = {name for mark in marks for name in mark.at}
    score = charts.Axis(
        "score",
        "score",
        wording.SCORES[metric],
        "more",
        floor=(max(row["accuracy"] for row in rows) - BELOW) * scale,
    )
    costs = [
        charts.Axis(key, label, title, "less", unit, log=key in ("checkpoint_size", "trainable_parameters"))
        for key, label, title, unit in COSTS
        if key in measured
    ]
    plane = charts.Plane(
        marks,
        [*costs, score],
        [score, *costs],
        f"{len(rows)} runs on {task}; on the frontier from least memory to most: {names}.",
        path=True,
        limit="peak_memory",
    )
    table = [
        [
            charts.plain(evidence.name(row["variant"] or row["technique"]), 120),
            charts.plain(row["experiment"], 120),
            cell(wording.score(row["accuracy"], metric), row["accuracy"], current.get(_key(row), {}).get("run_id")),
            cell(wording.gigabytes(row["memory"]), row["memory"]),
            "yes" if row["on_frontier"] else "no",
            _chance_cell(row["probability"]),
            *_costs_of(current.get(_key(row), {})),
            *_settings_of(current.get(_key(row), {})),
        ]
        for row in rows
    ]
    columns = [
        column("technique", "Technique"),
        column("experiment", "Experiment"),
        column("score", "Score", number=True),
        column("memory", "Peak memory", number=True),
        column("on_frontier", "On the frontier of these two"),
        column("chance", "Chance to be on it again", number=True),
        column("time", "Training", number=True),
        column("size", "Checkpoint", number=True),
        column("parameters", "Trained parameters", number=True),
        column("forgetting", "Forgetting", number=True, title="rise of the loss on unrelated text"),
        column("learning_rate", "Learning rate", number=True),
        column("rank", "Rank", number=True),
        column("seed", "Seed", number=True),
        column("run_on", "Run on"),
        column("peft", "PEFT"),
        column("hardware", "Hardware"),
    ]
    scatter = "nothing was repeated in this file: how far runs scatter is not known"
    if noise:
        unit = " points" if scale == 100 else ""
        repeated = f"{noise.runs} runs of {noise.experiments} experiments (query rerun_spread)"
        scatter = f"repeated runs: standard deviation {noise.deviation * scale:.2g}{unit} over {repeated}"
    line = source_line(
        "published_frontier, frontiers, bench_results",
        f"n = {wording.counted(total, 'run')}" + (f", the {len(rows)} best kept" if len(rows) < total else ""),
        f"{wording.source_words(origin)}, runs of {wording.days(standing.dates) if standing else 'unknown date'}",
        scatter,
    )
    label = ", ".join(filter(None, (task, charts.plain(model, 60), "our own" if origin == OWN else "published")))
    return View(
        line,
        (label,),
        None,
        Table("-".join(filter(None, ("frontier", origin, task, model))), f"Runs on {task}", columns, table),
        plane=plane,
    )


COSTS = (
    ("peak_memory", "peak memory", "Peak memory, GB (10\N{SUPERSCRIPT NINE} bytes)", "GB"),
    ("train_time", "training time", "Training time, minutes", "min"),
    ("checkpoint_size", "checkpoint size", "Checkpoint, MB (10\N{SUPERSCRIPT SIX} bytes)", "MB"),
    ("trainable_parameters", "trained parameters", "Trained parameters, millions", "million"),
    ("forgetting", "forgetting", "Rise of the loss on unrelated text", ""),
)
"""Key, name, axis title and unit of what a run costs; less is better."""

PAIRED = ("peak_memory", "train_time", "checkpoint_size", "trainable_parameters")
"""Costs of which a frontier of two is drawn again and again."""

SCALES = {"peak_memory": 1e-9, "train_time": 1 / 60, "checkpoint_size": 1e-6, "trainable_parameters": 1e-6}


def _run_mark(
    evidence: Evidence,
    row: Row,
    run: Row,
    metric: str,
    own: bool,
    chances: dict[str, tuple[bool, float | None]],
    among_costs: dict[str, dict[str, float]],
) -> charts.Mark:
    key = row["variant"] or row["technique"]
    scale = wording.scale(metric)
    score = charts.Range(row["accuracy"])
    if row["standard_error"] is not None:
        half = _half_width(row)
        score = charts.Range(row["accuracy"], row["accuracy"] - half, row["accuracy"] + half)
    at = {name: charts.at(run.get(name), SCALES.get(name, 1.0)) for name, *_ in COSTS}
    at["peak_memory"] = charts.at(row["memory"], 1e-9)
    at["score"] = charts.at(score, scale)
    lines = [
        f"<b>{charts.safe(evidence.name(key))}</b>",
        charts.safe(row["experiment"], 60),
        f"{wording.score(row['accuracy'], metric)}, {wording.gigabytes(row['memory'])}",
    ]
    costs = [text for text in (charts.safe(part["shown"]) for part in _costs_of(run) if part) if text]
    return charts.Mark(
        name=charts.short(evidence.name(key)),
        key=charts.plain(key or "", 60),
        family=charts.family_token(evidence.family(row["technique"])),
        at={name: value for name, value in at.items() if value[0] is not None},
        hover="<br>".join([*lines, *([", ".join(costs)] if costs else [])]),
        own=own,
        size=row["memory"],
        rank=row["accuracy"],
        run=run.get("run_id"),
        chance={cost: chance for cost, (_, chance) in chances.items() if chance is not None}
        | among_costs.get(str(run.get("run_id")), {}),
    )


def _costs_of(run: Row) -> list[Any]:
    """Cells of training time, checkpoint and trained parameters."""
    time, size, trained = run.get("train_time"), run.get("checkpoint_size"), run.get("trainable_parameters")
    return [
        None if time is None else cell(wording.minutes(time), time),
        None if size is None else cell(wording.megabytes(size), size),
        None if trained is None else cell(wording.millions(trained), trained),
    ]


def _settings_of(run: Row) -> list[Any]:
    """Cells of forgetting, learning rate, rank, seed, day, version and hardware."""
    forgetting, rate, day = run.get("forgetting"), run.get("learning_rate"), run.get("created_at")
    return [
        None if forgetting is None else cell(f"{forgetting:.2g}", forgetting),
        None if rate is None else cell(f"{rate:g}", rate),
        run.get("rank"),
        run.get("seed"),
        None if day is None else wording.day(day),
        *(
            None if run.get(name) is None else charts.plain(str(run[name]), 60)
            for name in ("peft_version", "accelerator")
        ),
    ]


def _half_width(row: Row) -> float:
    """Half width of the 95% interval of one run's score: other questions and repetitions."""
    return _quantile(row["degrees"]) * float(row["standard_error"])


@lru_cache
def _quantile(degrees: int | None) -> float:
    """Of Student's distribution, for a 95% interval; of the normal one without degrees of freedom."""
    from scipy.stats import norm, t

    return float(norm.ppf(0.975) if degrees is None else t.ppf(0.975, degrees))


def _chance_cell(chance: float | None) -> Any:
    if chance is None:
        return None
    # Of so many draws all may be on it, and the chance is still not 1.
    return cell("over 99%" if chance > 0.99 else f"{chance:.0%}", chance)
