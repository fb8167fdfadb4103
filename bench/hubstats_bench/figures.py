"""From what a run measured to what its result file says: values, items, and the keys of the published files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from hubstats_bench import limits
from hubstats_bench.evaluate import ItemScore
from hubstats_bench.generate import Generated
from hubstats_bench.result import Record
from hubstats_bench.tasks import Task
from hubstats_bench.train import Trained


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured, besides the times that the record has already."""

    trained: Trained
    scores: Sequence[ItemScore]
    generated: Generated
    forgetting: float | None
    trainable: int
    total: int
    checkpoint: int | None
    """Bytes."""
    peaks: Mapping[str, int]
    joules: float | None
    bounds: limits.Limits
    base: limits.Size


def fill(record: Record, task: Task, found: Measured) -> None:
    """Writes what was measured into the record."""
    trained, times, generated = found.trained, record.times, found.generated
    final: dict[str, Any] = {
        "step": len(trained.losses),
        "train samples": trained.samples,
        "train total tokens": trained.tokens,
    }
    if task.quality:
        final |= _quality(record, task, found)
    for name, bytes_ in found.peaks.items():
        record.value(name, bytes_, "bytes", "lower")
    record.value("checkpoint_size", found.checkpoint, "bytes", "lower")
    record.value("trainable_parameters", found.trainable, "parameters", "lower")
    record.value("total_parameters", found.total, "parameters", "none")
    record.value("energy", found.joules, "joules", "lower")
    if trained.losses:
        _training(record, found)
    record.value("train_samples", trained.samples, "samples", "none")
    record.value("train_tokens", trained.tokens, "tokens", "none")
    record.value("evaluation_time", _sum(times, "score", "generate", "validate", "unrelated"), "seconds", "lower")
    record.value("load_time", times.get("load"), "seconds", "lower")
    record.value("prepare_time", times.get("prepare"), "seconds", "lower")
    if generated.tokens:
        seconds = times["generate"]
        needed = limits.decoding_bytes(found.base, generated.passes, generated.positions)
        record.value("generation_time", seconds, "seconds", "lower")
        record.value("decode_tokens_per_second", generated.tokens / seconds, "tokens per second", "higher")
        record.value("decode_bandwidth_share", needed / seconds / found.bounds.bytes, "share", "higher")
    record.value("limit_operations", found.bounds.operations, "operations per second", "none")
    record.value("limit_bandwidth", found.bounds.bytes, "bytes per second", "none")
    for name, check in record.checks.items():
        if check["difference"] is not None:
            record.value(f"{name}_difference", check["difference"], "logits", "lower")
        if check["equal"] is not None:
            record.value(f"{name}_equal", float(check["equal"]), "yes or no", "higher")
    # the published train_time: tokenising, both passes over unrelated text, the steps and the test, not the validations
    published = _sum(times, "data", "unrelated", "train", "generate")
    record.value("train_time", published, "seconds", "lower")
    reserved = sorted(trained.reserved)
    record.train_info = {
        "accelerator_memory_reserved_avg": int(fmean(reserved)) if reserved else None,
        "accelerator_memory_max": found.peaks.get("peak_memory"),
        "accelerator_memory_reserved_99th": reserved[int(0.99 * (len(reserved) - 1))] if reserved else None,
        "train_time": published,
        "file_size": found.checkpoint,
        "num_trainable_params": found.trainable,
        "num_total_params": found.total,
        "metrics": [*trained.validations, final],
    }


def _quality(record: Record, task: Task, found: Measured) -> dict[str, Any]:
    """Enters how good the model is, and returns what the published files say of it."""
    scores, trained = found.scores, found.trained
    answered = [score for score in scores if score.correct is not None]
    accuracy = fmean(bool(score.correct) for score in answered) if answered else None
    metrics = {metric.name: metric for metric in task.metrics}
    values = {
        "answer_nll": fmean(score.nll for score in scores if score.nll is not None),
        "token_accuracy": sum(score.right for score in scores) / sum(score.tokens for score in scores),
        "test_accuracy": accuracy,
        "forgetting": found.forgetting,
    }
    for name, value in values.items():
        record.value(name, value, metrics[name].unit, metrics[name].direction)
    record.value("questions", len(scores), "questions", "none")
    record.value("questions_answered", len(answered), "questions", "none")
    record.items = [asdict(score) for score in scores]
    shown: dict[str, Any] = {}
    if trained.losses:
        steps = record.spec.training.eval_steps
        shown["train loss"] = fmean(trained.objective[-steps:])
        record.value("train_loss", fmean(trained.losses[-steps:]), "nats per token", "lower")
    if accuracy is not None:
        shown["test accuracy"] = accuracy
    if found.forgetting is not None:
        shown["forgetting"] = found.forgetting
    return shown


def _training(record: Record, found: Measured) -> None:
    """Enters how fast the steps were."""
    trained = found.trained
    needed = limits.training_operations(found.base, trained.tokens, record.spec.role == "full")
    record.value("steps_time", trained.seconds, "seconds", "lower")
    record.value("step_time", trained.seconds / len(trained.losses), "seconds", "lower")
    record.value("train_tokens_per_second", trained.tokens / trained.seconds, "tokens per second", "higher")
    record.value("train_operations_share", needed / trained.seconds / found.bounds.operations, "share", "higher")


def _sum(times: Mapping[str, float], *names: str) -> float:
    return sum(times.get(name, 0.0) for name in names)
