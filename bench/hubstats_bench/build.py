"""From a base model to what is trained: the adapter, the optimiser and the schedule of the published recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hubstats_bench import inits, needs
from hubstats_bench.batches import Batch
from hubstats_bench.experiment import TrainingParams
from hubstats_bench.spec import RunSpec

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises, where it falls along a cosine afterwards."""


@dataclass(slots=True)
class Built:
    """A model that is ready to train."""

    model: Any
    config: Any
    """The PEFT config in use; None for full fine-tuning and the untrained base."""
    notes: list[str]


@dataclass(slots=True)
class Optimisation:
    """An optimiser with its schedule."""

    optimizer: Any
    schedule: Any
    """None: the learning rate stays."""


def seed_everything(seed: int) -> None:
    """Sets all generators as the published runner does for its seed."""
    from transformers import set_seed

    set_seed(seed)
    # its warm-up of the accelerator draws one layer's weights: without it, adapters would start from other numbers
    torch.nn.Linear(1, 1)


def be_deterministic() -> None:
    """Has torch choose deterministic operations where it has any, and warn where it has none."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    # filling every new tensor guards against reading what was never written; here it only takes time
    torch.utils.deterministic.fill_uninitialized_memory = False


def wrap(
    base: Any, spec: RunSpec, around: needs.Surroundings, sample: Callable[[], Sequence[Batch]], folder: Path
) -> Built:
    """The base model with the run's adapter in it, ready to train.

    `sample` gives the training batches that some initialisations look at; `folder` is theirs to write to.
    Raises needs.Unsupported for what cannot be built here.
    """
    training = spec.training
    if spec.adapter is None:
        for parameter in base.parameters():
            if parameter.is_floating_point():
                parameter.requires_grad_(spec.role == "full")
        return Built(_compiled(base, training), None, [])
    from peft import get_peft_model

    config, notes = needs.adapter_config(spec.adapter, around)
    needs.refuse(config, training)
    batches = sample() if inits.wants_batches(config) else []
    notes += inits.before_wrapping(base, config, batches, training.max_steps, folder)
    model = get_peft_model(base, config, autocast_adapter_dtype=training.autocast_adapter_dtype)
    notes += inits.after_wrapping(model, config, batches) + needs.left_out(config)
    return Built(_compiled(model, training), config, notes)


def optimisation(built: Built, training: TrainingParams, tokenizer: Any) -> Optimisation:
    """The optimiser that the training parameters name, and its schedule."""
    from peft import optimizers
    from transformers import get_cosine_schedule_with_warmup

    adamw, keywords = torch.optim.AdamW, dict(training.optimizer_kwargs)
    model, kind = built.model, training.optimizer_type
    if built.config is None and kind in ("lora+", "lora-fa", "riemannian"):
        raise needs.Unsupported(f"the optimiser {kind} is for LoRA, not for full fine-tuning")
    if kind == "lora+":
        optimizer: Any = optimizers.create_loraplus_optimizer(model, optimizer_cls=adamw, **keywords)
    elif kind == "lora-fa":
        optimizer = optimizers.create_lorafa_optimizer(model, **keywords)
    elif kind == "riemannian":
        optimizer = optimizers.create_riemannian_optimizer(model, optimizer_cls=adamw, **keywords)
    else:
        made = getattr(torch.optim, kind, None)
        if made is None:
            raise needs.Unsupported(f"torch has no optimiser {kind!r}")
        optimizer = made(model.parameters(), **keywords)
    schedule = None
    if training.lr_scheduler == "cosine":
        warm_up = int(WARM_UP * training.max_steps)
        schedule = get_cosine_schedule_with_warmup(optimizer, warm_up, training.max_steps)
    if training.init_kv_cache_prefix is not None:
        from peft import initialize_kv_prefix_from_text

        initialize_kv_prefix_from_text(model, tokenizer, text=training.init_kv_cache_prefix)
    return Optimisation(optimizer, schedule)


def parameters(model: Any) -> tuple[int, int]:
    """(trainable, all) parameters, as PEFT counts them. Right only once the optimiser is there: some freeze a part."""
    with suppress(AttributeError):
        trainable, total = model.get_nb_trainable_parameters()
        return int(trainable), int(total)
    counted = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(size for size, wanted in counted if wanted), sum(size for size, _ in counted)


def _compiled(model: Any, training: TrainingParams) -> Any:
    return torch.compile(model, dynamic=True) if training.compile else model
