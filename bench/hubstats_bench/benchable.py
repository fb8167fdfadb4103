"""What can be benched here, and if not, why not: decided from the config and what is installed, before anything runs.

Only needs that no capability shows are listed; what a technique needs while it runs is found in `needs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from hubstats_bench.experiment import TrainingParams

REQUIRED = ("torch", "peft", "transformers")
INSTALL = 'pip install "hubstats[bench]"'

NOT_TRAINED = {
    "arrow": "routes between adapters that were trained before; it has nothing to train itself",
    "lora_target_parameters": "targets the stacked weights of expert layers; the base models of the tasks have none",
}
"""Techniques of the PEFT library that no run of these tasks can show, and why."""


def missing_packages() -> list[str]:
    """What the bench needs to run at all and is not installed."""
    return [name for name in REQUIRED if find_spec(name) is None]


def unmet(adapter: Mapping[str, Any] | None, training: TrainingParams, device: str) -> str | None:
    """Why this experiment cannot run here, in one line with what to do; None when nothing speaks against it."""
    adapter = adapter or {}
    start = adapter.get("init_lora_weights")
    if adapter.get("arrow_config"):
        return f"Arrow {NOT_TRAINED['arrow']}"
    if training.dtype in ("int4", "int8") or start == "loftq":
        what = "LoftQ" if start == "loftq" else f"a base model in {training.dtype}"
        if find_spec("bitsandbytes") is None:
            return f"{what} needs bitsandbytes: pip install bitsandbytes"
        if device != "cuda" and not (device == "cpu" and training.dtype == "int4" and start != "loftq"):
            return f"{what} needs an NVIDIA GPU: --device cuda"
    if adapter.get("peft_type") == "ADAMSS" and find_spec("sklearn") is None:
        return "AdaMSS needs scikit-learn: pip install scikit-learn"
    if start == "corda" and find_spec("attr") is None:
        return "CorDA needs attrs: pip install attrs"
    if training.init_kv_cache_prefix is not None and adapter.get("peft_type") not in ("PREFIX_TUNING", "CARTRIDGE"):
        return "init_kv_cache_prefix is for prefix tuning and cartridges"
    return None
