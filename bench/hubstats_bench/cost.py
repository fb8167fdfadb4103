"""What a run will cost, roughly, before it is run: seconds and bytes.

Earlier results on the same kind of device are the best guide: the rate is measured, so only the amount of work is
estimated. Without them the machine is asked how fast it multiplies matrices, and an accelerator is taken at the rate
the published runs had. Every figure says which it is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from hubstats_bench import tasks
from hubstats_bench.result import Stored
from hubstats_bench.spec import RunSpec

EFFICIENCY = 0.35
"""Part of a CPU's matrix rate that a training step reaches."""
GPU_RATE = 90e12
"""Operations a second that the published LoRA runs reached on their L40S (25% of its peak)."""
GPU_TOKENS_A_SECOND = 1_480
"""Tokens a second that they decoded in batches of 50."""
START = {"cpu": 20.0, "cuda": 30.0, "mps": 30.0}
"""Seconds to start the process, import torch and load the model."""
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 1, "int4": 0.6}


@dataclass(frozen=True, slots=True)
class Cost:
    """The estimate for one run."""

    seconds: float
    memory: float
    """Bytes."""
    basis: str
    """What the seconds rest on."""


class Estimator:
    """Estimates runs for one device."""

    def __init__(self, earlier: Sequence[Stored] = ()) -> None:
        self._earlier = [run for run in earlier if run.status == "success"]
        self._cpu_rate: float | None = None

    def cost(self, spec: RunSpec) -> Cost:
        """The estimated cost of one run."""
        # a trial leaves out most of what a run measures: it says nothing of how long that takes
        same = [
            run
            for run in self._earlier
            if (run.task, run.role, run.technique, run.variant) == (spec.task, spec.role, spec.technique, spec.variant)
            and "step_time" in run.values
            and run.purpose in ("final", spec.purpose)
        ]
        same.sort(key=lambda run: run.purpose == spec.purpose)
        work = operations(spec)
        if same:
            last = same[-1]
            rest = last.times.get("total", 0.0) - last.values.get("steps_time", 0.0)
            return Cost(rest + last.values["step_time"] * spec.training.max_steps, memory(spec), "an earlier run of it")
        if spec.device == "cpu":
            rate, basis = self._rate_of_cpu() * EFFICIENCY, "this machine's matrix rate"
        else:
            rate, basis = GPU_RATE, "the published runs' rate on an L40S"
        seconds = START[spec.device] + work / rate
        count = scored(spec)
        wanted = count if spec.evaluation.generate is None else min(spec.evaluation.generate, count)
        new = float(spec.training.generation_kwargs.get("max_new_tokens") or 256)
        if spec.device == "cpu":
            # decoding is bound by reading the weights: a batch costs about as much as four rows
            seconds += 2 * size_of(spec).parameters * new * 4 * (wanted / spec.training.batch_size_eval) / rate
        else:
            seconds += wanted * new / GPU_TOKENS_A_SECOND
        return Cost(seconds, memory(spec), basis)

    def _rate_of_cpu(self) -> float:
        """Operations a second of 32 bit matrix products, measured in a fraction of a second."""
        if self._cpu_rate is None:
            import numpy

            size = 1024
            matrix = numpy.ones((size, size), dtype=numpy.float32)
            matrix @ matrix
            began, rounds = time.perf_counter(), 0
            while time.perf_counter() - began < 0.2:
                matrix @ matrix
                rounds += 1
            self._cpu_rate = rounds * 2 * size**3 / (time.perf_counter() - began)
        return self._cpu_rate


def size_of(spec: RunSpec) -> tasks.Size:
    """The size of a run's task."""
    return tasks.get(spec.task).size


def scored(spec: RunSpec) -> int:
    """Questions that a run scores."""
    size, asked = size_of(spec), spec.evaluation
    there = size.held_out if asked.split == "heldout" else size.questions
    return there if asked.items is None else min(asked.items, there)


def operations(spec: RunSpec) -> float:
    """Floating point operations of training and scoring: 4 a parameter and token for adapters, 6 for everything."""
    size = size_of(spec).parameters
    row = min(size_of(spec).row_tokens, spec.training.max_seq_length)
    tokens = 0 if spec.role == "base" else spec.training.max_steps * spec.training.batch_size * row
    read = scored(spec) * row + (2 * size_of(spec).unrelated_tokens if spec.evaluation.unrelated else 0)
    return size * (tokens * (6 if spec.role == "full" else 4) + 2 * read)


def memory(spec: RunSpec) -> float:
    """Bytes at the peak: weights, gradients and optimiser of what is trained, and one batch's logits."""
    size, width = size_of(spec).parameters, BYTES[spec.training.dtype]
    weights = size * width
    if spec.role == "full":
        weights += 3 * size * width
    longest = min(3 * size_of(spec).row_tokens, spec.training.max_seq_length)
    vocabulary = size_of(spec).vocabulary
    logits = 4 * 3 * spec.training.batch_size * longest * vocabulary
    activations = spec.training.batch_size * longest * (size**0.5) * 60
    return float(weights + logits + activations)
