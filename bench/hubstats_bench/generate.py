"""Greedy answers to questions, in the published batches: in the test's order, padded on the left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from hubstats_bench.batches import padded
from hubstats_bench.experiment import TrainingParams


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    training: TrainingParams,
    extra: Callable[[int], dict[str, Any]],
    device: str,
    say: Callable[[int], None] = lambda done: None,
) -> tuple[list[str], int]:
    """(texts, tokens generated): prompt and answer of each question. `say` hears how many are done.

    Tokens after a row's end of text do not count.
    """
    with torch.inference_mode():
        texts: list[str] = []
        tokens = 0
        for start in range(0, len(prompts), training.batch_size_eval):
            rows = [ids[: tokenizer.model_max_length] for ids in prompts[start : start + training.batch_size_eval]]
            ids, mask = padded(rows, tokenizer.pad_token_id, "left")
            config = generation_config(
                ids.shape[1], {"pad_token_id": tokenizer.pad_token_id, **training.generation_kwargs}
            )
            written = model.generate(
                input_ids=ids.to(device), attention_mask=mask.to(device), generation_config=config, **extra(len(rows))
            )
            texts += tokenizer.batch_decode(written, skip_special_tokens=True)
            tokens += int((written[:, ids.shape[1] :] != tokenizer.pad_token_id).sum())
            say(len(texts))
        return texts, tokens


def generation_config(prompt_length: int, values: dict[str, Any]) -> Any:
    """The config for one batch: of max_length and max_new_tokens, the one that ends earlier counts."""
    from transformers import GenerationConfig

    given = {name: value for name, value in values.items() if value is not None}
    if "max_length" in given and "max_new_tokens" in given:
        given["max_length"] = min(given.pop("max_new_tokens") + prompt_length, given["max_length"])
    return GenerationConfig(**given)
