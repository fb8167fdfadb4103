"""A random small Llama on sums of two digits: shows that everything runs, and nothing else.

    Question: 3 + 4
    Answer: 3 + 4 = 7
    #### 7

Its losses carry no information about techniques, so it reports no figure of quality. It needs no network, no model
and no data: the tests of the bench and `hubstats bench run --task tiny` train on it in seconds.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from hubstats_bench import answers
from hubstats_bench.spec import Origin
from hubstats_bench.tasks import Row, Size, Task

MADE = Origin("made", "sums", "1")
MODEL = "made:tiny-llama"


def data(folder: Path | None) -> tuple[Origin, ...]:
    """Nothing to find: the sums are made."""
    return (MADE,)


def training(data: Sequence[Origin], wanted: int, seed: int) -> list[Row]:
    """Sums drawn by the seed."""
    return _sums("train", wanted, seed)


def questions(data: Sequence[Origin], split: str) -> list[Row]:
    """Twelve fixed sums of each split."""
    return _sums(split, 12, {"valid": 1_000_001, "heldout": 1_000_002, "test": 1_000_003}[split])


def _sums(split: str, count: int, seed: int) -> list[Row]:
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        left, right = draw.randint(1, 99), draw.randint(1, 99)
        sum_ = f"{left} + {right}"
        solution = f" {sum_} = {left + right}\n#### {left + right}"
        rows.append(Row(f"tiny-{split}-{number:04d}", sum_, solution, str(left + right)))
    return rows


def _unrelated(data: Sequence[Origin]) -> list[str]:
    return ["The river rises in the hills.", "A ship lay at anchor; nobody was on deck.", "Bread is baked at dawn."]


TASK = Task(
    name="tiny",
    published_name="tiny",
    about="sums on a random small Llama: plumbing only, no figure of quality",
    defaults={
        "model_id": MODEL,
        "dtype": "float32",
        "max_seq_length": 64,
        "batch_size": 4,
        "batch_size_eval": 6,
        "max_steps": 3,
        "eval_steps": 3,
        "compile": False,
        "use_gc": False,
        "seed": 0,
        "grad_norm_clip": 1.0,
        "optimizer_type": "AdamW",
        "optimizer_kwargs": {"lr": 1e-3, "weight_decay": 0.0},
        "lr_scheduler": "cosine",
        "use_amp": False,
        "autocast_adapter_dtype": True,
        "attn_implementation": None,
        "generation_kwargs": {"max_new_tokens": 8, "do_sample": False},
        "query_template": "Question: {query}\nAnswer:",
        "init_kv_cache_prefix": None,
    },
    size=Size(0.3e6, 128, 40, 120, 12, 12),
    models=(MODEL,),
    data=data,
    training=training,
    questions=questions,
    unrelated=_unrelated,
    answer=answers.extract,
    quality=False,
    long_rows="cut",
)
