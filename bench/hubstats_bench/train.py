"""The training loop: the published one's steps in the published order, without its waits for the accelerator."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from hubstats_bench.batches import Batch
from hubstats_bench.build import Optimisation
from hubstats_bench.experiment import TrainingParams
from hubstats_bench.measure import Accelerator
from hubstats_bench.objective import Objective

LOOK_EVERY = 25
"""Steps between two looks at the losses: each look waits for the accelerator."""
RELEASE_EVERY = 10
"""Steps between two emptyings of the allocator's cache, as published: they decide how much memory is reserved."""


class Diverged(Exception):
    """The loss is not a finite number any more."""


@dataclass(slots=True)
class Trained:
    """What training was like."""

    losses: list[float] = field(default_factory=list)
    """Cross entropy of each step's batch, nats per token."""
    objective: list[float] = field(default_factory=list)
    """What was minimised; the same but for techniques that add terms of their own."""
    tokens: int = 0
    """Tokens seen, with one end of text a row, as published."""
    samples: int = 0
    seconds: float = 0.0
    """Steps only."""
    validation_seconds: float = 0.0
    validations: list[dict[str, Any]] = field(default_factory=list)
    """In the published result's shape."""
    reserved: list[int] = field(default_factory=list)
    """Reserved accelerator memory after each step, bytes; empty without an accelerator."""
    own_terms: bool = False


def train(
    model: Any,
    batches: Iterator[Batch],
    objective: Objective,
    optimisation: Optimisation,
    training: TrainingParams,
    accelerator: Accelerator,
    after_step: Callable[[int], None] | None,
    validate: Callable[[], dict[str, Any]] | None,
    say: Callable[[int, float], None],
    release: bool = False,
) -> Trained:
    """Trains for `training.max_steps` steps. `say` hears (steps done, last loss) now and then.

    With `release`, the allocator's cache is emptied as often as the published runner does. Raises Diverged, and
    whatever torch raises when memory is out.
    """
    trained = Trained()
    entropies: list[torch.Tensor] = []
    objectives: list[torch.Tensor] = []
    amp: Any = torch.autocast(accelerator.device) if training.use_amp else nullcontext()
    scaler = torch.amp.GradScaler(accelerator.device, enabled=training.use_amp)
    optimizer, schedule = optimisation.optimizer, optimisation.schedule
    # the norm is taken over what has a gradient: walking through everything else costs time and changes nothing
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.train()
    accelerator.wait()
    began = time.perf_counter()
    for step, batch in enumerate(batches, start=1):
        optimizer.zero_grad(set_to_none=True)
        with amp:
            loss, entropy = objective(batch)
        scaler.scale(loss).backward()
        if training.grad_norm_clip:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(learning, training.grad_norm_clip)
        scaler.step(optimizer)
        scaler.update()
        if schedule is not None:
            schedule.step()
        if after_step is not None:
            after_step(step)
        entropies.append(entropy)
        objectives.append(loss.detach())
        trained.tokens += batch.tokens + len(batch.input_ids)
        trained.samples += len(batch.input_ids)
        if accelerator.is_accelerator:
            trained.reserved.append(accelerator.reserved())
        validating = validate is not None and step % training.eval_steps == 0
        if step % LOOK_EVERY == 0 or step == training.max_steps or validating:
            _look(trained, entropies, objectives)
            say(step, trained.losses[-1])
        if validating and validate is not None:
            accelerator.wait()
            paused = time.perf_counter()
            trained.seconds += paused - began
            model.eval()
            trained.validations.append({"step": step, **validate(), **_recent(trained, training.eval_steps)})
            model.train()
            accelerator.wait()
            began = time.perf_counter()
            trained.validation_seconds += began - paused
        if release and step % RELEASE_EVERY == 0:
            accelerator.release()
        if step == training.max_steps:
            break
    accelerator.wait()
    trained.seconds += time.perf_counter() - began
    _look(trained, entropies, objectives)
    trained.own_terms = objective.own_terms
    model.eval()
    return trained


def _look(trained: Trained, entropies: list[torch.Tensor], objectives: list[torch.Tensor]) -> None:
    """Moves the losses kept on the accelerator into the record, all at once. Raises Diverged."""
    if not entropies:
        return
    trained.losses += torch.stack([value.float() for value in entropies]).tolist()
    trained.objective += torch.stack([value.float() for value in objectives]).tolist()
    entropies.clear()
    objectives.clear()
    for losses in (trained.losses, trained.objective):
        for step, loss in enumerate(losses, start=1):
            if not math.isfinite(loss):
                raise Diverged(f"the loss is {loss} at step {step}")


def _recent(trained: Trained, steps: int) -> dict[str, Any]:
    last = trained.objective[-steps:]
    return {"train loss": sum(last) / len(last), "train samples": trained.samples}
