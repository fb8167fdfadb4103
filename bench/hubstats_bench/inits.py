"""Initialisations that look at training data, and X-LoRA's experts: what is done before or right after wrapping.

Their time is reported apart (`prepare`): it is part of what such a technique costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hubstats_bench.batches import Batch
from hubstats_bench.objective import next_token_loss

EXPERT_SHARE = 4
"""Each expert of X-LoRA is trained for this part of the run's steps (one in four), on its own part of the rows."""
EXPERT_LEARNING_RATE = 1e-3


def before_wrapping(model: Any, config: Any, batches: Sequence[Batch], steps: int, folder: Path) -> list[str]:
    """Prepares the bare model or the config, where the technique asks for it; returns notes."""
    if hasattr(config, "xlora_depth"):
        return _train_experts(model, config, batches, steps, folder)
    kind = getattr(config, "init_lora_weights", None)
    if kind == "corda":
        from peft.tuners.lora.corda import preprocess_corda

        preprocess_corda(model, config, run_model=lambda: _run(model, batches))
        return [f"CorDA looked at {_rows(batches)} training rows first"]
    if kind == "lora_ga":
        from peft.tuners.lora.loraga import preprocess_loraga

        preprocess_loraga(model, config, train_step=lambda: _differentiate(model, batches))
        model.zero_grad(set_to_none=True)
        return [f"LoRA-GA looked at the gradients of {_rows(batches)} training rows first"]
    return []


def after_wrapping(model: Any, config: Any, batches: Sequence[Batch]) -> list[str]:
    """The same for what needs the wrapped model."""
    if getattr(config, "init_lora_weights", None) != "eva":
        return []
    from peft import initialize_lora_eva_weights

    inputs = [{"input_ids": batch.input_ids, "attention_mask": batch.attention_mask} for batch in batches]
    initialize_lora_eva_weights(model, inputs, show_progress_bar=False)
    return [f"EVA looked at {_rows(batches)} training rows first"]


def wants_batches(config: Any) -> bool:
    """Whether any of the above applies, so that batches are worth making."""
    return hasattr(config, "xlora_depth") or getattr(config, "init_lora_weights", None) in ("corda", "lora_ga", "eva")


def _rows(batches: Sequence[Batch]) -> int:
    return sum(len(batch.input_ids) for batch in batches)


def _run(model: Any, batches: Sequence[Batch]) -> None:
    with torch.no_grad():
        for batch in batches:
            for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True):
                # its hooks take one text at a time
                model(input_ids=ids[None, : int(mask.sum())])


def _differentiate(model: Any, batches: Sequence[Batch]) -> None:
    for batch in batches:
        logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        next_token_loss(logits, batch.labels, batch.tokens).backward()


def _train_experts(model: Any, config: Any, batches: Sequence[Batch], steps: int, folder: Path) -> list[str]:
    from peft import LoraConfig, get_peft_model

    model.config.use_cache = False  # X-LoRA runs the model twice and refuses a cache
    names = sorted(config.adapters)
    each = max(1, steps // EXPERT_SHARE)
    for number, name in enumerate(names):
        lora = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
        expert: Any = get_peft_model(model, lora)
        optimizer = torch.optim.AdamW([p for p in expert.parameters() if p.requires_grad], lr=EXPERT_LEARNING_RATE)
        own = batches[number :: len(names)] or batches
        for step in range(each):
            batch = own[step % len(own)]
            logits = expert(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
            next_token_loss(logits, batch.labels, batch.tokens).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        place = folder / f"expert-{name}"
        expert.save_pretrained(place)
        config.adapters[name] = str(place)
        expert.unload()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return [f"X-LoRA's {len(names)} experts were trained first: LoRA of rank 8, {each} steps each"]
