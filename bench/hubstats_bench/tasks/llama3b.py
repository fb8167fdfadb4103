"""Llama-3.2-3B's true shape with random weights: what techniques cost in memory and time, and nothing of how good.

    Question: kaoemi tuhe rasino ... Think step by step.
    Answer: pile wosa ...

Model and rows are made, so that it needs no network, no licence and no file. Rows are as long as the published ones:
210 tokens in the mean (4.2 million in the published 20,000 rows), cut at 768, spread like GSM8K's own lengths (log-
normal, with 270 to 150 as 95% to 50%). Figures carry the task's name and are compared with no other task's.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

from hubstats_bench import answers
from hubstats_bench.spec import Evaluation, Origin
from hubstats_bench.tasks import Row, Size, Task, metamathqa

MADE = Origin("made", "words", "1")
MODEL = "made:llama-3.2-3b"
LENGTH = 210
"""Mean tokens of a row."""
SPREAD = math.log(270 / 150) / 1.645
"""Of the logarithm of the length."""
FRAME = 40
"""Tokens of the prompt's fixed words: the made tokenizer has a token for every character."""


def data(folder: Path | None) -> tuple[Origin, ...]:
    """Nothing to find: the words are made."""
    return (MADE,)


def training(data: Sequence[Origin], wanted: int, seed: int) -> list[Row]:
    """Rows of made-up words, drawn by the seed."""
    draw = random.Random(seed)
    middle = math.log(LENGTH) - SPREAD**2 / 2
    rows = []
    for number in range(wanted):
        length = max(20, round(draw.lognormvariate(middle, SPREAD)) - FRAME)
        rows.append(Row(f"words-{number:05d}", _words(draw, length // 3), " " + _words(draw, length - length // 3)))
    return rows


def questions(data: Sequence[Origin], split: str) -> list[Row]:
    """Fifty fixed rows of each split; their answers are numbers that nobody can know."""
    rows = training(data, 50, {"valid": 1_000_001, "heldout": 1_000_002, "test": 1_000_003}[split])
    return [Row(f"{split}-{row.row_id}", row.query, row.response, "0") for row in rows]


def _words(draw: random.Random, characters: int) -> str:
    letters = "".join(draw.choice("bdfgklmnprstw") + draw.choice("aeiou") for _ in range(characters // 2 + 1))
    cut = [letters[start : start + 5] for start in range(0, len(letters), 5)]
    return " ".join(cut)[: max(1, characters)].strip() or "a"


def _unrelated(data: Sequence[Origin]) -> list[str]:
    return []


TASK = Task(
    name="llama3b",
    published_name="llama3b",
    about="Llama-3.2-3B's shape with random weights, for memory and time only",
    defaults={**metamathqa.TASK.defaults, "model_id": MODEL, "max_steps": 30, "eval_steps": 30},
    size=Size(3.2e9, 128_256, LENGTH, 0, 50, 50),
    models=(MODEL,),
    data=data,
    training=training,
    questions=questions,
    unrelated=_unrelated,
    answer=answers.extract,
    quality=False,
    evaluation=Evaluation(generate=0, unrelated=False, reload=False, merge=False),
    long_rows="cut",
)
