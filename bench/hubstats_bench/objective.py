"""What is minimised, and the cross entropy that is reported.

For most techniques both are the cross entropy of the next token. Some add terms of their own to the loss that the
model returns (AdaLoRA a penalty, SHADOW an auxiliary loss, CPT weights): that is part of the technique, so it is what
they are trained with, but never what they are compared by. Which ones do is found in their first steps, not by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from hubstats_bench.batches import IGNORED, Batch

PROBED_STEPS = 3
AGREEMENT = 1e-5


def next_token_loss(logits: torch.Tensor, labels: torch.Tensor, divisor: int) -> torch.Tensor:
    """Sum of the cross entropy of all labels, in nats, divided by `divisor`.

    Logits may be longer than the labels on the left, where a technique puts virtual tokens before the text.
    """
    lead = logits.shape[1] - labels.shape[1]
    if lead > 0:
        labels = torch.nn.functional.pad(labels, (lead, 0), value=IGNORED)
    shifted = torch.nn.functional.pad(labels, (0, 1), value=IGNORED)[:, 1:].reshape(-1)
    flat = logits.float().reshape(-1, logits.shape[-1])
    return cross_entropy(flat, shifted, ignore_index=IGNORED, reduction="sum") / divisor


class Objective:
    """The loss of one batch after the other."""

    def __init__(self, model: Any, extra: Callable[[int], dict[str, Any]]) -> None:
        self._model = model
        self._extra = extra
        self._probed = 0
        self.own_terms = False
        """True once the model's own loss was seen to differ from the cross entropy."""

    def __call__(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """(loss to differentiate, cross entropy without gradient)."""
        extra = self._extra(len(batch.input_ids))
        if self.own_terms or self._probed < PROBED_STEPS:
            outputs = self._model(
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                labels=batch.labels,
                num_items_in_batch=batch.tokens,
                **extra,
            )
            with torch.no_grad():
                entropy = next_token_loss(outputs.logits.detach(), batch.labels, batch.tokens)
                self._compare(outputs.loss.detach().float(), entropy)
            return outputs.loss, entropy
        logits = self._model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, **extra).logits
        loss = next_token_loss(logits, batch.labels, batch.tokens)
        return loss, loss.detach()

    def _compare(self, returned: torch.Tensor, entropy: torch.Tensor) -> None:
        if self._probed < PROBED_STEPS:
            self._probed += 1
            if not torch.allclose(returned, entropy, rtol=AGREEMENT, atol=AGREEMENT):
                self.own_terms = True
