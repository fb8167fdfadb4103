"""Published results that were superseded: what stood when the publication appeared, and what stands now."""

from __future__ import annotations

from hubstats import charts
from hubstats.report import wording
from hubstats.report.panel import MOST_ROWS, Evidence, Gap, Panel, Row, Table, View, cell, column, rows_of, source_line

MOST_AGAIN = 200
"""Experiments run again in one table, those that moved most."""


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
            for then, now in sorted(members, key=_moved)[:MOST_AGAIN]
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
            charts.Header(x=_measured(evidence, task), alt=f"{len(steps)} experiments on {task}, score then and now."),
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


def _measured(evidence: Evidence, task: str) -> str:
    metrics = {standing.metric for standing in evidence.standings if standing.task == task}
    if metrics == {"accuracy"}:
        return "Test accuracy, %"
    return "Score \N{MULTIPLICATION SIGN} 100"
