"""Answers to questions, written by the model: in the published batches, or by continuous batching.

In the published batches (the test's order, padded on the left) every row waits for the slowest one. transformers'
continuous batching puts the next question into the place of a finished row and keeps the cache in pages, of no more
positions than a published batch holds. Row by row both give the same text in 32 bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hubstats_bench.batches import padded
from hubstats_bench.experiment import TrainingParams

PAGE = 64
"""Positions of one page of the cache of continuous batching."""
TOKENS_AT_ONCE = {"cpu": 256, "cuda": 2048, "mps": 512}
"""Tokens of one forward pass of continuous batching."""


@dataclass(slots=True)
class Generated:
    """What was written."""

    texts: list[str]
    """Prompt and answer of each question, in order."""
    tokens: int = 0
    """Written in all; those after a row's end of text do not count."""
    passes: int = 0
    """Forward passes of the model that it took."""
    positions: int = 0
    """Of context that attention had to read, over all rows and tokens."""
    note: str = ""
    """Why continuous batching was given up, where it was."""

    def count(self, prompt: int, written: int) -> None:
        """Adds one row."""
        self.tokens += written
        self.positions += written * prompt + written * (written - 1) // 2


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    training: TrainingParams,
    extra: Callable[[int], dict[str, Any]],
    device: str,
    say: Callable[[int], None] = lambda done: None,
    *,
    continuous: bool = False,
) -> Generated:
    """Prompt and answer of each question. `say` hears how many are done.

    Where the technique does not bear continuous batching, the published batches take its place, with a note.
    """
    rows = [ids[: tokenizer.model_max_length] for ids in prompts]
    passes = 0

    def counted(*inputs: Any) -> None:
        nonlocal passes
        passes += 1

    hook = model.get_output_embeddings().register_forward_pre_hook(counted)
    note = ""
    try:
        if continuous:
            try:
                # it works in a thread of its own, which inference mode does not reach
                with torch.no_grad():
                    made = _continuous(model, tokenizer, rows, training, device, say)
                made.passes = passes
                return made
            except RuntimeError as error:
                note, passes = f"answers are generated in batches: {str(error).splitlines()[0][:200]}", 0
        with torch.inference_mode():
            made = _in_batches(model, tokenizer, rows, training, extra, device, say)
    finally:
        hook.remove()
    made.passes, made.note = passes, note
    return made


def generation_config(prompt_length: int, values: dict[str, Any]) -> Any:
    """The config for one batch: of max_length and max_new_tokens, the one that ends earlier counts."""
    from transformers import GenerationConfig

    given = {name: value for name, value in values.items() if value is not None}
    if "max_length" in given and "max_new_tokens" in given:
        given["max_length"] = min(given.pop("max_new_tokens") + prompt_length, given["max_length"])
    return GenerationConfig(**given)


def sampling(model: Any, values: Mapping[str, Any]) -> str | None:
    """How answers are drawn, where neither the values nor the base model's own generation config say "greedily"."""
    own = model.generation_config
    if not values.get("do_sample", own.do_sample):
        return None
    shown = {name: values.get(name, getattr(own, name, None)) for name in ("temperature", "top_k", "top_p")}
    return ", ".join(f"{name} {value:g}" for name, value in shown.items() if value is not None) or "temperature 1"


def _in_batches(
    model: Any,
    tokenizer: Any,
    rows: Sequence[list[int]],
    training: TrainingParams,
    extra: Callable[[int], dict[str, Any]],
    device: str,
    say: Callable[[int], None],
) -> Generated:
    made = Generated([])
    for start in range(0, len(rows), training.batch_size_eval):
        batch = rows[start : start + training.batch_size_eval]
        ids, mask = padded(batch, tokenizer.pad_token_id, "left")
        config = generation_config(ids.shape[1], {"pad_token_id": tokenizer.pad_token_id, **training.generation_kwargs})
        written = model.generate(
            input_ids=ids.to(device), attention_mask=mask.to(device), generation_config=config, **extra(len(batch))
        )
        made.texts += tokenizer.batch_decode(written, skip_special_tokens=True)
        lengths = (written[:, ids.shape[1] :] != tokenizer.pad_token_id).sum(1).tolist()
        for row, length in zip(batch, lengths, strict=True):
            made.count(len(row), length)
        say(len(made.texts))
    return made


def _continuous(
    model: Any,
    tokenizer: Any,
    rows: Sequence[list[int]],
    training: TrainingParams,
    device: str,
    say: Callable[[int], None],
) -> Generated:
    """Raises RuntimeError when a request failed: transformers itself only logs it."""
    from transformers import GenerationConfig
    from transformers.generation import ContinuousBatchingConfig

    values = {name: value for name, value in training.generation_kwargs.items() if value is not None}
    new, longest = values.pop("max_new_tokens", None), values.pop("max_length", None)
    limits = [max(1, min(new or longest, longest - len(row)) if longest else new) for row in rows]
    config = GenerationConfig(**{**model.generation_config.to_dict(), "max_length": None, **values})
    config.pad_token_id = tokenizer.pad_token_id
    if config.eos_token_id is None:
        config.eos_token_id = tokenizer.eos_token_id
    held = training.batch_size_eval * max(len(row) + limit for row, limit in zip(rows, limits, strict=True))
    paged = ContinuousBatchingConfig(
        page_size=PAGE,
        num_blocks=max(4, -(-held // PAGE)),
        max_batch_tokens=TOKENS_AT_ONCE[device],
        max_requests_per_batch=min(len(rows), TOKENS_AT_ONCE[device]),
        seed=training.seed,
    )
    written: dict[str, list[int]] = {}
    with model.continuous_batching_context_manager(config, continuous_batching_config=paged) as manager:
        names = [manager.add_request(list(row), max_new_tokens=limit) for row, limit in zip(rows, limits, strict=True)]
        while len(written) < len(names):
            answer = manager.get_result(timeout=1)
            if answer is not None and answer.is_finished():
                if answer.error is not None:
                    raise RuntimeError(f"continuous batching failed: {answer.error}")
                written[answer.request_id] = list(answer.generated_tokens)
                say(len(written))
            elif answer is None and not manager.is_running():
                raise RuntimeError("continuous batching stopped before all answers were written")
    made = Generated([])
    for name, row in zip(names, rows, strict=True):
        answer = [token for token in written[name] if token != tokenizer.pad_token_id]
        made.texts.append(tokenizer.decode([*row, *answer], skip_special_tokens=True))
        made.count(len(row), len(answer))
    return made
