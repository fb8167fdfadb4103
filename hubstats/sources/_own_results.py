"""One result file of our own bench, read into a run, its metrics and the outcome of each question.

It has the published shape with one more key, whose `values` and `items` are rows already:

    "hubstats": {"format": 1, "run_id": "6d1ab5d642eb2dd4", "setting_id": ..., "task": "gsm8k", "status": "success",
                 "values": [{"name": "answer_nll", "value": 1.04, "unit": "nats per token", "direction": "lower"}, ...],
                 "items": [{"item_id": "gsm8k-test-0000", "nll": 0.98, "correct": null, ...}, ...]}

Its origin is "own", so it is never mixed with published figures unseen.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, Literal, cast

from hubstats.records import BenchItem, BenchMetric, BenchRun
from hubstats.sources import _fields as fields

ORIGIN = "own"
FORMAT = 1
LONGEST_NAME = 300
LONGEST_ANSWER = 1_000
MAX_ITEMS = 100_000
MAX_VALUES = 1_000
_RUN_ID = re.compile(r"[0-9a-f]{16}\Z")
_DIRECTIONS = ("higher", "lower", "none")


def is_own(document: Any) -> bool:
    """Whether the JSON claims to be a result of our bench."""
    return isinstance(document, dict) and isinstance(document.get("hubstats"), dict)


def identity(document: Mapping[str, Any]) -> tuple[str, str, bool]:
    """(run id, setting id, whether it was only a trial). Raises ValueError saying what is wrong."""
    ours = fields.mapping(document, "hubstats")
    if ours.get("format") != FORMAT:
        raise ValueError(f"format {ours.get('format')!r} of the bench's results; this version reads {FORMAT}")
    run_id, setting = ours.get("run_id"), ours.get("setting_id")
    if not isinstance(run_id, str) or not _RUN_ID.match(run_id):
        raise ValueError("'hubstats' has no run_id of 16 hexadecimal digits")
    return run_id, setting if isinstance(setting, str) else run_id, ours.get("purpose") == "trial"


def settle(run: BenchRun, document: Mapping[str, Any]) -> BenchRun:
    """The run as read by the published shape, with what our key knows better."""
    ours = fields.mapping(document, "hubstats")
    return dataclasses.replace(
        run,
        run_id=identity(document)[0],
        origin=ORIGIN,
        task=fields.text(ours, "recipe", LONGEST_NAME) or fields.text(ours, "task", LONGEST_NAME) or "unknown",
        technique=fields.text(ours, "technique", LONGEST_NAME) or None,
        variant=fields.text(ours, "variant", LONGEST_NAME) or None,
        peft_type=run.peft_type if ours.get("role") == "technique" else None,
        status=fields.text(ours, "status", LONGEST_NAME) or "unknown",
        error=fields.text(ours, "message") or None,
    )


def metrics(document: Mapping[str, Any], run_id: str) -> tuple[tuple[BenchMetric, ...], tuple[tuple[str, str], ...]]:
    """The measured values, and (name, why) of those that are none."""
    found: dict[str, BenchMetric] = {}
    unmeasured = []
    for row in fields.rows(fields.mapping(document, "hubstats"), "values")[:MAX_VALUES]:
        if not isinstance(row, dict):
            continue
        name, unit, value = fields.text(row, "name", 100), fields.text(row, "unit", 100), _number(row.get("value"))
        direction = row.get("direction")
        if not name or value is None or direction not in _DIRECTIONS:
            unmeasured.append((name or "a value", f"{str(row.get('value'))[:40]!r} in an unknown unit or direction"))
            continue
        way = cast(Literal["higher", "lower", "none"], direction)
        found[name] = BenchMetric(run_id, name, value, unit or "", way)
    return tuple(found.values()), tuple(unmeasured)


def items(document: Mapping[str, Any], run_id: str) -> tuple[BenchItem, ...]:
    """The outcome of each question, one row a question."""
    found: dict[str, BenchItem] = {}
    for row in fields.rows(fields.mapping(document, "hubstats"), "items")[:MAX_ITEMS]:
        item_id = fields.text(row, "item_id", LONGEST_NAME) if isinstance(row, dict) else None
        if not item_id:
            continue
        correct = row.get("correct")
        found[item_id] = BenchItem(
            run_id=run_id,
            item_id=item_id,
            correct=correct if isinstance(correct, bool) else None,
            answer=fields.text(row, "answer", LONGEST_ANSWER),
            reference=fields.text(row, "reference", LONGEST_ANSWER),
            nll=_number(row.get("nll")),
        )
    return tuple(found.values())


def _number(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        value = float(found)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None
