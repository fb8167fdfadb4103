"""Rows as token ids and batches, in the published order: buckets of 20 batches, longest first in each.

All of it is done on the host before a step: token counts and labels are known without asking the accelerator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hubstats_bench.tasks import Row

BATCHES_PER_BUCKET = 20
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Batch:
    """One training batch."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor
    """Every token of a row and the end after it; IGNORED elsewhere. Not shifted."""
    tokens: int
    """Tokens of all rows, without padding: what the loss is divided by."""

    def to(self, device: str) -> Batch:
        """The same on another device."""
        return Batch(self.input_ids.to(device), self.attention_mask.to(device), self.labels.to(device), self.tokens)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A question as token ids."""

    row: Row
    prompt: list[int]
    full: list[int]
    """Prompt and reference solution."""
    answer_from: int
    """Index in `full` of the solution's first token."""


def encode_training(
    rows_of: Callable[[int], list[Row]], wanted: int, tokenizer: Any, template: str, max_length: int, cut: bool
) -> tuple[list[list[int]], int]:
    """Token ids of the first `wanted` rows that `rows_of(number of rows)` gives, and how many were too long.

    Rows of more than `max_length` tokens are cut, or left out and replaced by the rows after them.
    """
    asked = wanted
    while True:
        rows = rows_of(asked)
        encoded = _ids(tokenizer, [template.format(query=row.query) + row.response for row in rows])
        fitting = encoded if cut else [ids for ids in encoded if len(ids) <= max_length]
        if len(fitting) >= wanted or len(rows) < asked or not fitting:
            return [ids[:max_length] for ids in fitting[:wanted]], len(encoded) - len(fitting)
        asked = max(asked + 1, asked * wanted // len(fitting) * 11 // 10)


def encode_questions(rows: Sequence[Row], tokenizer: Any, template: str, max_length: int) -> list[Encoded]:
    """The questions whose prompt and solution together have at most `max_length` tokens."""
    prompts = [template.format(query=row.query) for row in rows]
    texts = [prompt + row.response for prompt, row in zip(prompts, rows, strict=True)]
    prompt_ids = _ids(tokenizer, prompts)
    full = tokenizer(texts, return_offsets_mapping=True) if texts else {"input_ids": [], "offset_mapping": []}
    encoded = []
    for number, row in enumerate(rows):
        ids, offsets = full["input_ids"][number], full["offset_mapping"][number]
        start = len(prompts[number])
        first = next((index for index, (_, end) in enumerate(offsets) if end > start), len(ids))
        if len(ids) <= max_length and first < len(ids):
            encoded.append(Encoded(row, prompt_ids[number], ids, max(first, 1)))
    return encoded


def in_buckets(encoded: Sequence[list[int]], batch_size: int) -> Iterator[list[list[int]]]:
    """Batches of rows: each bucket sorted from long to short, the buckets in order."""
    size = batch_size * BATCHES_PER_BUCKET
    for start in range(0, len(encoded), size):
        bucket = encoded[start : start + size]
        # the sort is torch's own, as published: among rows of one length it, too, decides which come together
        order = torch.argsort(torch.tensor([len(ids) for ids in bucket]), descending=True).tolist()
        for first in range(0, len(order), batch_size):
            yield [bucket[index] for index in order[first : first + batch_size]]


def training_batch(rows: Sequence[list[int]], pad: int) -> Batch:
    """A padded batch. The first padding of a row is its end of text and is learned; the longest row has none."""
    width = max(len(ids) for ids in rows)
    input_ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    labels = torch.full((len(rows), width), IGNORED)
    for number, ids in enumerate(rows):
        row = torch.tensor(ids)
        input_ids[number, : len(ids)] = row
        mask[number, : len(ids)] = 1
        labels[number, : len(ids)] = row
        labels[number, len(ids) : len(ids) + 1] = pad
    return Batch(input_ids, mask, labels, sum(map(len, rows)))


def padded(rows: Sequence[list[int]], pad: int, side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, padded on the left or on the right."""
    width = max(len(ids) for ids in rows)
    input_ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for number, ids in enumerate(rows):
        place = slice(width - len(ids), width) if side == "left" else slice(0, len(ids))
        input_ids[number, place] = torch.tensor(ids)
        mask[number, place] = 1
    return input_ids, mask


def _ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    return [list(ids) for ids in tokenizer(texts)["input_ids"]] if texts else []
