"""One result file of PEFT's method comparison, or of our own bench, read into a run and its metrics.

    {"run_info": {"created_at": "2026-07-14T13:26:19+00:00", "experiment_name": "lora/llama-3.2-3B-rank32",
                  "train_config": {"model_id": ..., "optimizer_kwargs": {"lr": 0.0001}, "seed": 0, ...},
                  "peft_config": {"peft_type": "LORA", "r": 32, ...} or null, "total_time": 1153.1, "error_msg": ""},
     "train_info": {"status": "success", "accelerator_memory_max": 22292725760, "train_time": 942.2, "file_size": ...,
                    "metrics": [..., {"step": 5000, "test accuracy": 0.478, "forgetting": 0.2, "train loss": 0.6}]},
     "meta_info": {"package_info": {"peft-version": ...}, "system_info": {"accelerator": "NVIDIA L40S"}}}

full fine-tuning has no peft_config. Before mid 2025 memory was called cuda_memory_* and parameters were not counted.

What is not a measurement becomes no metric, and the reading says so: the runner writes 99999999 for a checkpoint
it could not save, its viewer 123 for a metric that a file lacks, and a diverged run leaves NaN. `train_time` is the
runner's own figure: wall time of training with the final test but without the validations.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Literal

from hubstats.errors import TechniqueError
from hubstats.records import BenchItem, BenchMetric, BenchRun
from hubstats.sources import _fields as fields
from hubstats.sources import _own_results as own
from hubstats.techniques import Registry

ORIGIN = "peft-method-comparison"
LLM_MATHS = "MetaMathQA"
IMAGES = "image-gen"
GENERATION = "text_generation_benchmark"

FORGETTING_MENDED = datetime(2026, 7, 14, 13, 22, 56, tzinfo=UTC)
"""Commit d787f51b of PEFT (PR 3419) corrected how forgetting is computed. Runs that began before it measured
something else, so their value gets another name and the two never meet in one chart."""

LONGEST_NAME = 300
MEBIBYTE = 1024 * 1024


class OtherShape(ValueError):
    """The JSON is not a result file; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How one metric is called in a result file, and what can be a measurement of it."""

    name: str
    keys: tuple[str, ...]
    unit: str
    direction: Literal["higher", "lower", "none"]
    low: float = 0.0
    high: float = math.inf
    stand_in: float | None = None
    """Written where nothing was measured."""
    scale: float = 1.0
    """Multiplies the file's value into our unit."""


def _memory(which: str) -> tuple[str, str]:
    return f"accelerator_memory_{which}", f"cuda_memory_{which}"


TRAINING = (
    Measure("peak_memory", _memory("max"), "bytes", "lower"),
    Measure("memory_average", _memory("reserved_avg"), "bytes", "lower"),
    Measure("memory_99th", _memory("reserved_99th"), "bytes", "lower"),
    Measure("train_time", ("train_time",), "seconds", "lower"),
    Measure("checkpoint_size", ("file_size",), "bytes", "lower", stand_in=99999999),
    Measure("trainable_parameters", ("num_trainable_params",), "parameters", "lower"),
    Measure("total_parameters", ("num_total_params",), "parameters", "none"),
)
RUN = (Measure("total_time", ("total_time",), "seconds", "lower"),)
FINAL = (
    Measure("test_accuracy", ("test accuracy",), "share", "higher", high=1.0),
    Measure("similarity", ("test dino_similarity",), "cosine", "higher", low=-1.0, high=1.0),
    Measure("forgetting", ("forgetting",), "nats", "lower", low=-math.inf, stand_in=123),
    Measure("drift", ("drift",), "cosine distance", "lower", high=2.0, stand_in=123),
    Measure("train_loss", ("train loss",), "nats", "lower", low=-math.inf),
    Measure("train_samples", ("train samples",), "samples", "none"),
    Measure("train_tokens", ("train total tokens",), "tokens", "none"),
)
GENERATED = (
    Measure("inference_time", ("inference_time",), "seconds", "lower"),
    Measure("base_inference_time", ("base_inference_time",), "seconds", "none"),
    Measure("time_per_token", ("time_per_token",), "seconds", "lower"),
    Measure("generated_tokens", ("generated_tokens",), "tokens", "none"),
)
GENERATION_MEMORY = (
    Measure("logged_memory", ("peak_accelerator_memory_mb",), "bytes", "lower", scale=MEBIBYTE, stand_in=0),
)
GENERATION_SIZE = (
    Measure("trainable_parameters", ("trainable_params",), "parameters", "lower", stand_in=0),
    Measure("total_parameters", ("total_params",), "parameters", "none", stand_in=0),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one result file says."""

    run: BenchRun
    metrics: tuple[BenchMetric, ...]
    unmeasured: tuple[tuple[str, str], ...]
    """Metric name and why its value is no measurement."""
    items: tuple[BenchItem, ...] = ()
    """Our own runs only: the outcome of each question."""
    setting: str | None = None
    """Our own runs only: what all seeds of one setting share."""
    trial: bool = False
    """A short run that looked for a setting: never a result."""


def read_result(raw: bytes, path: str, registry: Registry) -> Reading:
    """The run a result file holds; `path` (with /) names task and experiment where the file does not.

    Raises UnicodeDecodeError, json.JSONDecodeError (both ValueErrors) or OtherShape with what is wrong.
    """
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except RecursionError:
        raise OtherShape("nested too deeply") from None
    run_info = _section(document, "run_info")
    if own.is_own(document):
        return _own(document, run_info, path, registry)
    if isinstance(document.get("generation_info"), dict):
        return _generation(document, run_info, path, registry)
    train_info = _section(document, "train_info")
    measured = [(TRAINING, train_info), (RUN, run_info), (FINAL, _final(fields.rows(train_info, "metrics")))]
    task = task_of(path, measured[-1][1])
    run = _run(document, run_info, task, path, registry)
    status = fields.text(train_info, "status", LONGEST_NAME) or "unknown"
    return _reading(replace(run, status=status), task, measured)


def _own(document: Mapping[str, Any], run_info: Mapping[str, Any], path: str, registry: Registry) -> Reading:
    try:
        run_id, setting, trial = own.identity(document)
    except ValueError as error:
        raise OtherShape(str(error)) from None
    run = own.settle(_run(document, run_info, "own", path, registry), document)
    metrics, unmeasured = own.metrics(document, run_id)
    return Reading(run, metrics, unmeasured, own.items(document, run_id), setting, trial)


def _section(document: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise OtherShape("not a JSON object")
    if not isinstance(document.get(name), dict):
        raise OtherShape(f"no object '{name}'")
    return fields.mapping(document, name)


def _final(logged: list[Any]) -> Mapping[str, Any]:
    """The entry with the test's result, or else the last one: a run that broke off has no test."""
    entries = [entry for entry in logged if isinstance(entry, dict)]
    tested = [entry for entry in entries if any(str(key).startswith("test ") for key in entry)]
    return (tested or entries or [{}])[-1]


def task_of(path: str, final: Mapping[str, Any]) -> str:
    """The task, by its folder in the PEFT repository or else by what it measures."""
    folders = PurePosixPath(path).parts[:-1]
    for name in reversed(folders):
        if name in (LLM_MATHS, IMAGES, GENERATION):
            return name
    if "method_comparison" in folders[:-1]:
        return folders[folders.index("method_comparison") + 1]
    if "test dino_similarity" in final:
        return IMAGES
    return LLM_MATHS if "test accuracy" in final else "unknown"


def _run(
    document: Mapping[str, Any], run_info: Mapping[str, Any], task: str, path: str, registry: Registry
) -> BenchRun:
    meta = fields.mapping(document, "meta_info")
    package, system = fields.mapping(meta, "package_info"), fields.mapping(meta, "system_info")
    training = fields.mapping(run_info, "train_config") or fields.mapping(run_info, "benchmark_config")
    adapter = run_info.get("peft_config")
    adapter = adapter if isinstance(adapter, dict) else None
    stem = PurePosixPath(path).stem
    experiment = fields.text(run_info, "experiment_name", LONGEST_NAME) or stem.replace("--", "/")
    created = fields.moment(run_info, "created_at") or fields.moment(run_info, "timestamp")
    # what ran and what came out, but not the keys that were renamed in the files afterwards (cuda_ to accelerator_)
    train_info = fields.mapping(document, "train_info")
    outcome = {key: train_info.get(key) for key in ("status", "train_time", "file_size", "metrics")}
    content = as_text([run_info, outcome, document.get("generation_info")])
    identity = "\n".join([ORIGIN, task, experiment, created.isoformat() if created else "", content])
    technique, variant, peft_type = None, None, None
    if adapter is not None:
        peft_type = fields.text(adapter, "peft_type", LONGEST_NAME)
        known = registry.by_peft_type(peft_type) if peft_type else None
        technique = known.key if known else None
        variant = _variant(adapter, training, technique, registry)
    elif "peft_config" in run_info:
        technique = "full_finetuning"
    rate = fields.mapping(training, "optimizer_kwargs").get("lr")
    return BenchRun(
        run_id=hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:32],
        origin=ORIGIN,
        task=task,
        experiment=experiment,
        technique=technique,
        variant=variant,
        peft_type=peft_type,
        status="unknown",
        model_id=fields.text(training, "model_id", LONGEST_NAME) or fields.text(meta, "model_id", LONGEST_NAME),
        created_at=created,
        seed=fields.whole(training, "seed"),
        path=path,
        accelerator=fields.text(system, "accelerator", LONGEST_NAME) or fields.text(system, "gpu", LONGEST_NAME),
        peft_version=fields.text(package, "peft-version", LONGEST_NAME),
        torch_version=fields.text(package, "torch-version", LONGEST_NAME),
        transformers_version=fields.text(package, "transformers-version", LONGEST_NAME),
        learning_rate=_number(rate),
        rank=fields.whole(adapter, "r") if adapter else None,
        config=as_text({"adapter_config": adapter, "training_params": training}),
        error=fields.text(run_info, "error_msg") or fields.text(run_info, "error") or None,
    )


def _variant(
    adapter: Mapping[str, Any], training: Mapping[str, Any], base: str | None, registry: Registry
) -> str | None:
    """The most specific setting that the values show: the deepest one, the first by key among equals."""
    shown = {technique.key: technique for technique in registry.variants_in(adapter)}
    optimizer = training.get("optimizer_type")
    recipe = _optimizer_recipe(optimizer, registry) if isinstance(optimizer, str) else None
    if recipe is not None and recipe.parent == base:
        shown[recipe.key] = recipe
    deepest = [key for key in shown if not any(other.parent == key for other in shown.values())]
    return min(deepest, default=None)


@lru_cache(maxsize=256)
def _optimizer_recipe(name: str, registry: Registry) -> Any:
    # LoRA-FA and its like are optimisers: no config shows them, the training parameters do
    try:
        found = registry.find(name)
    except TechniqueError:
        return None
    return found if found.kind == "recipe" else None


def _generation(document: Mapping[str, Any], run_info: Mapping[str, Any], path: str, registry: Registry) -> Reading:
    info = fields.mapping(document, "generation_info")
    parameters = fields.mapping(fields.mapping(document, "meta_info"), "parameters")
    run = _run(document, run_info, GENERATION, path, registry)
    run = replace(run, status=fields.text(run_info, "status", LONGEST_NAME) or "unknown")
    duration = (Measure("total_time", ("duration",), "seconds", "lower", stand_in=0),)
    measured = [
        (GENERATED, fields.mapping(info, "overall")),
        (GENERATION_MEMORY, fields.mapping(info, "memory")),
        (GENERATION_SIZE, parameters),
        (duration, run_info),
    ]
    return _reading(run, GENERATION, measured)


def _reading(run: BenchRun, task: str, measured: list[tuple[tuple[Measure, ...], Mapping[str, Any]]]) -> Reading:
    metrics: list[BenchMetric] = []
    unmeasured: list[tuple[str, str]] = []
    for measures, values in measured:
        for measure in measures:
            key = next((key for key in measure.keys if values.get(key) is not None), None)
            if key is None:
                continue
            value, doubt = _value(values[key], measure)
            if value is None:
                unmeasured.append((measure.name, f"{key} is {doubt}"))
                continue
            name, unit = measure.name, measure.unit
            if name == "forgetting" and (run.created_at is None or run.created_at < FORGETTING_MENDED):
                name = "forgetting_before_fix"
            if name == "train_loss" and task == IMAGES:
                unit = "mean squared error"
            metrics.append(BenchMetric(run.run_id, name, value * measure.scale, unit, measure.direction))
    return Reading(run, tuple(metrics), tuple(unmeasured))


def _value(found: object, measure: Measure) -> tuple[float | None, str]:
    value = _number(found)
    if value is None:
        return None, f"{str(found)[:40]!r}, not a finite number"
    if value == measure.stand_in:
        return None, f"{found}, which stands for 'not measured'"
    if not measure.low <= value <= measure.high:
        return None, f"{found}, outside what it can be"
    return value, ""


def _number(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        value = float(found)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def as_text(value: Any) -> str:
    """JSON text that any reader takes: what JSON has no word for (NaN, infinity) becomes null."""
    return json.dumps(_finite(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
