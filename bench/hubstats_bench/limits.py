"""What the machine could do at best, and how near a run came: operations in training, bytes in decoding.

The limits are measured on the spot, by one large matrix product in the model's dtype and one large copy: bare
figures of this very device, without a table of chips. What a run needs is counted at least: 4 operations a parameter
and token for an adapter (forward, and the gradient of the activations), 6 where all weights get gradients as well
(Kaplan et al. 2020, arXiv:2001.08361, section 2.1), attention and padding left out; in decoding every weight once a
forward pass and the keys and values of each row's context once a token.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

SIDE = {"cpu": 1024, "cuda": 8192, "mps": 2048}
"""Of the square matrices that are multiplied."""
COPIED = {"cpu": 2**26, "cuda": 2**30, "mps": 2**28}
"""Bytes that are copied."""
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """Best rates of a device."""

    operations: float
    """A second, in matrix products."""
    bytes: float
    """A second, read and written."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a base model costs."""

    multiplied: int
    """Parameters that every token is multiplied with."""
    weights: int
    """Bytes read in a forward pass."""
    context: int
    """Bytes of keys and values of one position."""


@cache
def measured(device: str, dtype: torch.dtype) -> Limits:
    """The limits of the device, measured in a fraction of a second and once in a process; leaves no memory reserved."""
    found = _measured(device, dtype)
    if device != "cpu":
        # what it took would count as this process's own when the memory of a run is measured
        getattr(torch, device).empty_cache()
    return found


def _measured(device: str, dtype: torch.dtype) -> Limits:
    left = torch.randn(SIDE[device], SIDE[device], device=device, dtype=dtype)
    source = torch.ones(COPIED[device], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    product = _best(lambda: left @ left, device)
    copy = _best(lambda: target.copy_(source), device)
    return Limits(2 * SIDE[device] ** 3 / product, 2 * COPIED[device] / copy)


def size_of(model: Any) -> Size:
    """The size of a bare base model."""
    embedding = model.get_input_embeddings().weight
    looked_up = 0 if model.config.tie_word_embeddings else embedding.numel()
    config = model.config
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Size(
        multiplied=model.num_parameters() - looked_up,
        weights=model.get_memory_footprint() - looked_up * embedding.element_size(),
        context=2 * config.num_hidden_layers * config.num_key_value_heads * head * embedding.element_size(),
    )


def training_operations(size: Size, tokens: int, everything: bool) -> float:
    """Operations that training on `tokens` needs at least; `everything`: all weights get gradients."""
    return (6.0 if everything else 4.0) * size.multiplied * tokens


def decoding_bytes(size: Size, passes: int, positions: int) -> float:
    """Bytes that decoding reads at least: `passes` over the weights, `positions` of context in all."""
    return float(size.weights) * passes + float(size.context) * positions


def _best(work: Any, device: str) -> float:
    """Seconds of the fastest of some rounds, the first left out."""
    wait = getattr(torch, device).synchronize
    times = []
    for _ in range(ROUNDS + 1):
        wait()
        began = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - began)
    return min(times[1:])
