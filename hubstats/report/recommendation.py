"""The panel of advice: what `hubstats recommend` reads, for the page's script to answer with.

The page carries, of each technique in a contest, only the settings that no other one beats in score, memory and time
alike: whatever the limits, the answer is one of these. Critical values come ready, by the number that fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hubstats import charts
from hubstats.recommend import critical_values, grouped
from hubstats.recommend import ranking as told
from hubstats.report import wording
from hubstats.report.capabilities import asked_words
from hubstats.report.panel import LONGEST_ID, Evidence, Gap, Panel, Row, View, source_line

MOST_CONTESTS = 12
MOST_SETTINGS = 2_000
"""Settings in all contests together."""


def recommend(evidence: Evidence, prose: Row) -> Panel:
    """What the script needs to answer: contests with their settings, kinds of task, sentences."""
    contests = grouped(evidence.settings)
    kept = list(contests.items())[:MOST_CONTESTS]
    missing = []
    if not contests:
        missing.append(Gap("No fine-tuning runs are in this file.", "hubstats crawl snapshot"))
    if not evidence.capabilities:
        missing.append(Gap("What each technique can do is not in this file.", "hubstats crawl snapshot"))
    techniques = len({row["technique"] for rows in contests.values() for row in rows})
    made, left_out = [], len(contests) - len(kept)
    room = MOST_SETTINGS
    for key, rows in kept:
        chosen = _undominated(rows)[: max(room, 0)]
        room -= len(chosen)
        made.append(_contest(key, rows, chosen))
    there = {key[1] for key, _ in kept}
    kinds = {kind: [task for task in tasks if task in there] for kind, tasks in told.TASKS.items()}
    count = sum(map(len, contests.values()))
    shown = sum(len(contest["rows"]) for contest in made)
    line = source_line(
        "settings_with_costs, capabilities",
        f"n = {wording.counted(count, 'setting')} of {wording.counted(techniques, 'technique')}",
        f"runs of {wording.days([row['as_of'] for rows in contests.values() for row in rows])}",
        f"the {shown:,} that no other of its technique beats" if shown < count else None,
        f"capabilities asked of {asked_words(evidence)}" if evidence.capabilities else None,
        f"{wording.counted(left_out, 'further benchmark')} by hubstats recommend only" if left_out else None,
    )
    extra = {
        "contests": made,
        "kinds": {kind: tasks for kind, tasks in kinds.items() if tasks},
        "nearest": told.NEAREST,
        "notes": {
            "unsure": told.UNSURE,
            "these": told.THESE_RUNS,
            "runs": told.NO_RUNS,
            "capabilities": told.NO_CAPABILITIES,
        },
        "library": _library(evidence.capabilities),
    }
    return Panel(
        "recommend",
        prose["short"],
        prose["heading"],
        (),
        prose["note"] if made else "",
        tuple(missing),
        (),
        (View(line),) if made else (),
        extra if made else {},
    )


def _contest(key: told.Key, rows: Sequence[Row], chosen: Sequence[Row]) -> dict[str, Any]:
    origin, task, model, metric = key
    techniques = Counter(row["technique"] for row in rows)
    return {
        "origin": origin,
        "origin_words": wording.source_words(origin),
        "task": task,
        "model": model,
        "metric": metric,
        "hardware": sorted({row["accelerator"] for row in rows if row["accelerator"]}),
        "total": len(rows),
        "newest": _day(max((row["as_of"] for row in rows if row["as_of"]), default=None)),
        "criticals": critical_values(rows, len(techniques)),
        "settings": techniques,
        "rows": [
            {name: row[name] for name in PLAIN}
            | {"explain": charts.plain(row["standing_id"], LONGEST_ID), "run_on": _day(row["as_of"])}
            for row in chosen
        ],
    }


PLAIN = (
    "technique", "name", "family", "score", "low", "high", "variance", "peak_memory", "train_time", "total_time",
    "checkpoint_size", "accelerator", "experiment", "learning_rate",
)  # fmt: skip


def _undominated(rows: Sequence[Row]) -> list[Row]:
    """Settings that no other of their technique beats or equals in score, memory and time alike; in their order.

    A setting without a measured memory or time is kept: nothing can be said to beat it.
    """
    kept: dict[str, list[Row]] = {}
    for row in rows:  # the best score first
        mine = kept.setdefault(row["technique"], [])
        if None in _costs(row) or not any(_beats(other, row) for other in mine):
            mine.append(row)
    chosen = {id(row) for mine in kept.values() for row in mine}
    return [row for row in rows if id(row) in chosen]


def _costs(row: Row) -> tuple[float | None, float | None]:
    return row["peak_memory"], row["train_time"]


def _beats(other: Row, row: Row) -> bool:
    """Whether an earlier setting, whose score is no lower, costs no more."""
    pairs = zip(_costs(other), _costs(row), strict=True)
    return all(mine is not None and theirs is not None and mine <= theirs for mine, theirs in pairs)


def _library(rows: Sequence[Row]) -> dict[str, str] | None:
    versions = {(row["library"], row["library_version"], row["asked_on"]) for row in rows}
    found = max(versions, default=None, key=str)
    return None if found is None else {"name": f"{found[0]} {found[1]}", "asked_on": str(found[2])}


def _day(moment: Any) -> str | None:
    return None if moment is None else str(moment.date().isoformat())
