"""The published comparison's recipe: Llama-3.2-3B trained on MetaMathQA, tested on GSM8K's 1,319 questions.

    {"type": "GSM_Rephrased", "query": "...", "original_question": "...", "response": "... The answer is: 72"}

Same rows in the same order, same prompt, same 50 validation questions, same test, same text for forgetting (the first
100 articles of FineWiki). The published validation questions are among those that the training rows were made from;
`heldout` is ours: questions of GSM8K's training file that no training row of the run goes back to. It changes
nothing in training and is scored besides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from hubstats.errors import BenchError
from hubstats_bench import answers
from hubstats_bench.origins import file_origins, hub_origin
from hubstats_bench.spec import Evaluation, Origin
from hubstats_bench.tasks import Row, Size, Task, gsm8k

METAMATH = "meta-math/MetaMathQA"
METAMATH_FILE = "MetaMathQA-395K.json"
WIKI = "HuggingFaceFW/finewiki"
WIKI_FILE = "finewiki-100.jsonl"
LONGEST = 1300
"""Characters of question and response together; longer rows are left out, as published."""
VALID = 50
ARTICLES = 100
READ_ROWS = 20_000
"""Training rows that the published 5,000 steps of 4 read; no held-out question stands behind one of them."""
HELD_OUT = 512


def data(folder: Path | None) -> tuple[Origin, ...]:
    """The three data sets on the Hub, or as files: MetaMathQA's own, GSM8K's own, articles as {"text": ...}."""
    if folder is not None:
        return file_origins(folder, (METAMATH_FILE, *gsm8k.FILES, WIKI_FILE))
    return (hub_origin(METAMATH, "dataset"), hub_origin(gsm8k.HUB, "dataset"), hub_origin(WIKI, "dataset"))


def training(data: Sequence[Origin], wanted: int, seed: int) -> list[Row]:
    """The first rows that are short enough, in the published order whatever the seed."""
    rows: list[Row] = []
    for number, (query, response, _) in enumerate(_metamath(data)):
        if len(rows) == wanted:
            break
        if len(f"{query} {response}") <= LONGEST:
            rows.append(Row(f"metamath-{number:06d}", query, response))
    return rows


def questions(data: Sequence[Origin], split: str) -> list[Row]:
    """The test's questions; the published 50 for validation; or our held-out ones."""
    if split == "test":
        return [_row(f"gsm8k-test-{number:04d}", *pair) for number, pair in enumerate(_gsm8k(data, "test"))]
    pairs = _gsm8k(data, "train")
    if split == "valid":
        import numpy

        order = numpy.arange(len(pairs))
        numpy.random.RandomState(0).shuffle(order)
        return [_row(f"gsm8k-train-{number:04d}", *pairs[number]) for number in map(int, order[:VALID])]
    tested = {gsm8k.group(question) for question, _ in _gsm8k(data, "test")}
    seen = {gsm8k.group(original) for original in _originals(data)}
    held = {
        gsm8k.group(pair[0]): _row(f"gsm8k-train-{number:04d}", *pair)
        for number, pair in enumerate(pairs)
        if gsm8k.group(pair[0]) not in seen | tested
    }
    return [held[key] for key in sorted(held, key=lambda key: hashlib.sha256(key.encode()).digest())[:HELD_OUT]]


def _originals(data: Sequence[Origin]) -> set[str]:
    originals, read = set(), 0
    for query, response, original in _metamath(data):
        if read == READ_ROWS:
            break
        if len(f"{query} {response}") <= LONGEST:
            originals.add(original)
            read += 1
    return originals


def _row(row_id: str, question: str, solution: str) -> Row:
    return Row(row_id, question, solution, answers.extract(solution))


def _metamath(data: Sequence[Origin]) -> list[tuple[str, str, str]]:
    origin = data[0]
    if origin.kind == "hub":
        from datasets import load_dataset

        rows = load_dataset(origin.name, split="train", revision=origin.revision)
        return list(zip(rows["query"], rows["response"], rows["original_question"], strict=True))
    try:
        found = json.loads(Path(str(origin.location)).read_text(encoding="utf-8"))
        return [(row["query"], row["response"], row["original_question"]) for row in found]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{origin.location} is not MetaMathQA's own file: {error}") from None


def _gsm8k(data: Sequence[Origin], split: str) -> list[tuple[str, str]]:
    if data[0].kind == "hub":
        from datasets import load_dataset

        rows = load_dataset(gsm8k.HUB, "main", split=split, revision=data[1].revision)
        return [(row["question"], row["answer"]) for row in rows]
    return gsm8k.read_jsonl(Path(str(next(o.location for o in data if o.name == f"{split}.jsonl"))))


def _unrelated(data: Sequence[Origin]) -> list[str]:
    origin = data[-1]
    if origin.kind == "hub":
        from datasets import load_dataset

        rows = load_dataset(origin.name, split="train", streaming=True, revision=origin.revision)
        return [row["text"] for row in rows.take(ARTICLES)]
    try:
        lines = Path(str(origin.location)).read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["text"] for line in lines[:ARTICLES]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{origin.location} holds no articles as {{'text': ...}}: {error}") from None


TASK = Task(
    name="metamathqa",
    published_name="MetaMathQA",
    about="the published comparison to the letter: Llama-3.2-3B, MetaMathQA, GSM8K",
    defaults={
        "model_id": "meta-llama/Llama-3.2-3B",
        "dtype": "bfloat16",
        "max_seq_length": 768,
        "batch_size": 4,
        "batch_size_eval": 50,
        "max_steps": 5000,
        "eval_steps": 250,
        "compile": False,
        "use_gc": False,
        "seed": 0,
        "grad_norm_clip": 1.0,
        "optimizer_type": "AdamW",
        "optimizer_kwargs": {"lr": 1e-4, "weight_decay": 0.1},
        "lr_scheduler": "cosine",
        "use_amp": False,
        "autocast_adapter_dtype": True,
        "attn_implementation": None,
        "generation_kwargs": {"max_length": 800, "max_new_tokens": 300},
        "query_template": "Question: {query} Think step by step.\nAnswer:",
        "init_kv_cache_prefix": None,
    },
    size=Size(3.2e9, 128_256, 210, 60_000, 1_319),
    models=("meta-llama/Llama-3.2-3B",),
    data=data,
    training=training,
    questions=questions,
    unrelated=_unrelated,
    answer=answers.extract,
    evaluation=Evaluation(validate=True),
    long_rows="cut",
)
