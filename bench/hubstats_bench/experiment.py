"""An experiment: a folder in the shape of PEFT's method comparison, whose experiments load here unchanged.

    experiments/lora/rank32/adapter_config.json     {"peft_type": "LORA", "r": 32, ...}; none: full fine-tuning
    experiments/lora/rank32/training_params.json    {"optimizer_kwargs": {"lr": 0.001}}, laid over the task's defaults

The fields of the training parameters are those of the comparison, so an experiment made here runs there as well.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hubstats.errors import BenchError
from hubstats.techniques import Registry, Technique

ADAPTER_FILE = "adapter_config.json"
TRAINING_FILE = "training_params.json"
MAX_BYTES = 1024 * 1024
DTYPES = ("float32", "float16", "bfloat16", "int8", "int4")
PEFT_OPTIMIZERS = {"lora+": "lora_plus", "lora-fa": "lora_fa", "riemannian": "lora_riemannian"}
"""Optimisers that PEFT builds -> the technique that using them is; any other name is a class of torch.optim."""
SHIPPED = Path(__file__).parent / "experiments"


@dataclass(frozen=True, slots=True)
class TrainingParams:
    """How a run trains: the fields of the published comparison, all of them given."""

    model_id: str
    dtype: str
    max_seq_length: int
    batch_size: int
    batch_size_eval: int
    max_steps: int
    eval_steps: int
    compile: bool
    use_gc: bool
    seed: int
    grad_norm_clip: float
    """0: no clipping."""
    optimizer_type: str
    optimizer_kwargs: Mapping[str, Any]
    lr_scheduler: str | None
    use_amp: bool
    autocast_adapter_dtype: bool
    attn_implementation: str | None
    generation_kwargs: Mapping[str, Any]
    query_template: str
    init_kv_cache_prefix: str | None

    @property
    def learning_rate(self) -> float:
        """The learning rate asked for."""
        return float(self.optimizer_kwargs["lr"])

    def replaced(self, **changes: Any) -> TrainingParams:
        """A copy with other values; raises BenchError like `training_from`."""
        return training_from({**self.as_dict(), **changes})

    def with_learning_rate(self, rate: float) -> TrainingParams:
        """A copy with another learning rate."""
        return self.replaced(optimizer_kwargs={**self.optimizer_kwargs, "lr": rate})

    def as_dict(self) -> dict[str, Any]:
        """All fields, as `training_params.json` writes them."""
        return dataclasses.asdict(self)


FIELDS = tuple(field.name for field in dataclasses.fields(TrainingParams))
_WHOLE = ("max_seq_length", "batch_size", "batch_size_eval", "max_steps", "eval_steps")
_FLAGS = ("compile", "use_gc", "use_amp", "autocast_adapter_dtype")


def training_from(values: Mapping[str, Any]) -> TrainingParams:
    """Complete, checked training parameters. Raises BenchError naming the field that is unknown, missing or wrong."""
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise BenchError(f"unknown training parameter '{unknown[0]}'{_near(unknown[0], FIELDS)}")
    missing = [name for name in FIELDS if name not in values]
    if missing:
        raise BenchError(f"no training parameter '{missing[0]}': give it, or a task that has defaults")
    for name in _WHOLE:
        if type(values[name]) is not int or values[name] < 1:
            raise BenchError(f"{name} is {values[name]!r}; it must be a whole number of 1 or more")
    for name in _FLAGS:
        if type(values[name]) is not bool:
            raise BenchError(f"{name} is {values[name]!r}; it must be true or false")
    if type(values["seed"]) is not int or values["seed"] < 0:
        raise BenchError(f"seed is {values['seed']!r}; it must be a whole number of 0 or more")
    if values["dtype"] not in DTYPES:
        raise BenchError(f"dtype is {values['dtype']!r}; it must be one of {', '.join(DTYPES)}")
    if values["lr_scheduler"] not in (None, "cosine"):
        raise BenchError(f"lr_scheduler is {values['lr_scheduler']!r}; it must be null or cosine")
    if not isinstance(values["grad_norm_clip"], int | float) or values["grad_norm_clip"] < 0:
        raise BenchError(f"grad_norm_clip is {values['grad_norm_clip']!r}; it must be 0 (off) or more")
    if not isinstance(values["query_template"], str) or "{query}" not in values["query_template"]:
        raise BenchError("query_template must be a text with {query} in it")
    for name in ("model_id", "optimizer_type"):
        if not isinstance(values[name], str) or not values[name]:
            raise BenchError(f"{name} is {values[name]!r}; it must be a name")
    for name in ("attn_implementation", "init_kv_cache_prefix"):
        if values[name] is not None and not isinstance(values[name], str):
            raise BenchError(f"{name} is {values[name]!r}; it must be a text or null")
    for name in ("optimizer_kwargs", "generation_kwargs"):
        if not isinstance(values[name], Mapping):
            raise BenchError(f"{name} is {values[name]!r}; it must be an object")
    rate = values["optimizer_kwargs"].get("lr")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < float("inf"):
        raise BenchError(f"the learning rate optimizer_kwargs.lr is {rate!r}; it must be above 0")
    return TrainingParams(**{name: values[name] for name in FIELDS})


@dataclass(frozen=True, slots=True)
class Experiment:
    """One technique with its settings."""

    name: str
    """Its folder and the one above: lora/rank32."""
    adapter: Mapping[str, Any] | None
    """The adapter config as written; None: full fine-tuning."""
    overrides: Mapping[str, Any]
    """Training parameters that differ from the task's defaults."""
    technique: str | None
    """Registry key of the base technique, or full_finetuning."""
    variant: str | None
    """Registry key of the most specific variant or recipe that the values show."""

    @property
    def key(self) -> str | None:
        """What popularity is asked for: the variant where there is one, else the technique."""
        return self.variant or self.technique

    def training(self, defaults: Mapping[str, Any]) -> TrainingParams:
        """The training parameters over a task's `defaults`. Raises BenchError."""
        try:
            return training_from({**defaults, **self.overrides})
        except BenchError as error:
            raise BenchError(f"{self.name}: {error}") from None


def load_experiment(folder: Path, registry: Registry) -> Experiment:
    """The experiment in `folder`. Raises BenchError saying which file is missing, broken or of an unknown type."""
    adapter_file, training_file = folder / ADAPTER_FILE, folder / TRAINING_FILE
    if not adapter_file.is_file() and not training_file.is_file():
        raise BenchError(f"{folder} is no experiment: it has neither {ADAPTER_FILE} nor {TRAINING_FILE}")
    adapter = _read(adapter_file) if adapter_file.is_file() else None
    overrides = _read(training_file) if training_file.is_file() else {}
    unknown = sorted(set(overrides) - set(FIELDS))
    if unknown:
        raise BenchError(f"{training_file}: unknown training parameter '{unknown[0]}'{_near(unknown[0], FIELDS)}")
    name = "/".join(folder.resolve().parts[-2:])
    if adapter is None:
        return Experiment(name, None, overrides, "full_finetuning", None)
    peft_type = adapter.get("peft_type")
    technique = registry.by_peft_type(peft_type) if isinstance(peft_type, str) else None
    if technique is None:
        types = [str(known.peft_type) for known in registry if known.kind == "method" and known.peft_type]
        raise BenchError(f"{adapter_file}: unknown peft_type {peft_type!r}{_near(str(peft_type), types)}")
    return Experiment(name, adapter, overrides, technique.key, _variant(adapter, overrides, technique, registry))


def find_experiments(root: Path, registry: Registry) -> list[Experiment]:
    """All experiments at or below `root`, by name. Raises BenchError when there is none, or one is broken."""
    if not root.is_dir():
        raise BenchError(f"there is no folder {root}; give a folder with {ADAPTER_FILE} in it or below it")
    files = [path for name in (ADAPTER_FILE, TRAINING_FILE) for path in root.rglob(name)]
    folders = sorted({path.parent for path in files})
    if not folders:
        raise BenchError(f"{root} holds no experiment: no {ADAPTER_FILE} and no {TRAINING_FILE} in it or below it")
    return [load_experiment(folder, registry) for folder in folders]


def shipped(registry: Registry) -> list[Experiment]:
    """The experiments that come with hubstats: each PEFT type at a usual size, LoRA's variants, full fine-tuning."""
    return find_experiments(SHIPPED, registry)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BenchError(f"{path} is larger than {MAX_BYTES} bytes: it is no config")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BenchError(f"{path} holds no JSON object")
    return found


def _variant(
    adapter: Mapping[str, Any], overrides: Mapping[str, Any], base: Technique, registry: Registry
) -> str | None:
    shown = {technique.key: technique for technique in registry.variants_in(adapter)}
    optimizer = overrides.get("optimizer_type")
    if optimizer in PEFT_OPTIMIZERS and base.key == "lora":
        recipe = registry.get(PEFT_OPTIMIZERS[optimizer])
        shown[recipe.key] = recipe
    if overrides.get("dtype") == "int4" and base.key == "lora":
        shown["qlora"] = registry.get("qlora")
    deepest = [key for key in shown if not any(other.parent == key for other in shown.values())]
    return min(deepest, default=None)


def _near(name: str, known: list[str] | tuple[str, ...]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(sorted(known)[:60])}"
