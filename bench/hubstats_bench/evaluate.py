"""What a model knows: the likelihood of reference solutions, right answers, and what it forgot of other text.

Losses are taken from logits, never from the model's own loss: some techniques add terms to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from hubstats_bench import answers
from hubstats_bench.batches import Encoded, padded

TOKENS_AT_ONCE = {"cpu": 1024, "cuda": 8192, "mps": 2048}
"""Tokens of one forward pass: all their logits are held in 32 bit."""
UNRELATED_LENGTH = 768
"""Tokens of an unrelated text that are read, as published."""

Extra = Callable[[int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ItemScore:
    """One question's outcome."""

    item_id: str
    nll: float | None = None
    """Negative log-likelihood of the reference solution, nats per token."""
    tokens: int = 0
    right: int = 0
    """Tokens of the solution that were the likeliest ones."""
    correct: bool | None = None
    """Whether the answer given is the reference's; None: not asked."""
    answer: str | None = None
    reference: str | None = None


def score_likelihood(model: Any, questions: Sequence[Encoded], pad: int, extra: Extra, device: str) -> list[ItemScore]:
    """Likelihood of each reference solution given its question, in the order of `questions`."""
    with torch.inference_mode():
        scores: dict[int, ItemScore] = {}
        order = sorted(range(len(questions)), key=lambda number: -len(questions[number].full))
        start = 0
        while start < len(order):
            longest = len(questions[order[start]].full)
            batch = order[start : start + max(1, TOKENS_AT_ONCE[device] // longest)]
            start += len(batch)
            ids, mask = padded([questions[number].full for number in batch], pad, "right")
            logits = _logits(model, ids.to(device), mask.to(device), extra)
            for row, number in enumerate(batch):
                question = questions[number]
                first, end = question.answer_from, len(question.full)
                wanted = torch.tensor(question.full[first:end], device=device)
                guessed = logits[row, first - 1 : end - 1]
                nll = cross_entropy(guessed.float(), wanted, reduction="mean").item()
                right = int((guessed.argmax(-1) == wanted).sum())
                scores[number] = ItemScore(question.row.row_id, nll, end - first, right, reference=question.row.final)
        return [scores[number] for number in range(len(questions))]


def unrelated_loss(
    model: Any, tokenizer: Any, texts: Sequence[str], batch_size: int, extra: Extra, device: str
) -> float:
    """Mean cross entropy of the texts' tokens, nats. Batches and padding on the left are as published."""
    with torch.inference_mode():
        losses = []
        for start in range(0, len(texts), batch_size):
            batch = tokenizer(list(texts[start : start + batch_size]), truncation=True, max_length=UNRELATED_LENGTH)
            ids, mask = padded(batch["input_ids"], tokenizer.pad_token_id, "left")
            logits = _logits(model, ids.to(device), mask.to(device), extra)
            for row, kept in enumerate(map(len, batch["input_ids"])):
                wanted = ids[row, -kept:][1:].to(device)
                losses.append(cross_entropy(logits[row, -kept:][:-1].float(), wanted, reduction="none"))
        return float(torch.cat(losses).mean())


def mark(score: ItemScore, text: str, answer: Callable[[str], str | None]) -> ItemScore:
    """The score with the answer that `text` gives, marked against the reference."""
    given = answer(text)
    right = score.reference is not None and answers.equal(given, score.reference)
    return replace(score, correct=right, answer=None if given is None else given[:100])


def _logits(model: Any, ids: torch.Tensor, mask: torch.Tensor, extra: Extra) -> torch.Tensor:
    """Logits of the given tokens only, without those of a technique's virtual tokens before them."""
    logits: torch.Tensor = model(input_ids=ids, attention_mask=mask, **extra(len(ids))).logits
    return logits[:, -ids.shape[1] :]
