"""Whether what was trained can be kept and served: loaded again, merged into the base weights, run in batches.

Some techniques fail silently here (their start is redone differently on loading), so every run is checked: a figure
of a technique whose checkpoint is another model is worth little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from hubstats_bench.evaluate import Extra

RELOAD_TOLERANCE = 1e-5
"""Of the largest logit. Loading gives the very same weights back, so the logits should not differ at all."""
MERGE_TOLERANCE = {torch.float32: 1e-3}
BATCH_TOLERANCE = {torch.float32: 3e-5}
"""Only the order of sums may differ."""
TOLERANCE_16_BIT = 5e-2
PROBE_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check."""

    checked: bool
    equal: bool | None = None
    difference: float | None = None
    """Largest difference of two logits."""
    message: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def save(model: Any, folder: Path) -> int:
    """Saves the adapter and returns the bytes of its weights."""
    model.save_pretrained(folder)
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


def probe(model: Any, ids: list[int], extra: Extra, device: str) -> torch.Tensor:
    """Logits on one row of tokens, on the host."""
    with torch.inference_mode():
        inputs = torch.tensor([ids[:PROBE_TOKENS]], device=device)
        logits: torch.Tensor = model(input_ids=inputs, attention_mask=torch.ones_like(inputs), **extra(1)).logits
        return logits.float().cpu()


def batch(model: Any, rows: Sequence[list[int]], extra: Extra, device: str) -> Check:
    """Compares the logits of one row by itself and beside another: some techniques mix what stands in a batch."""
    width = min(PROBE_TOKENS, *(len(row) for row in rows[:2]))
    with torch.inference_mode():
        both = torch.tensor([row[:width] for row in rows[:2]], device=device)
        alone, beside = (
            model(input_ids=ids, attention_mask=torch.ones_like(ids), **extra(len(ids))).logits[:1].float().cpu()
            for ids in (both[:1], both)
        )
    message = "what it makes of a row depends on the rows beside it"
    return _compare(alone, beside, BATCH_TOLERANCE.get(_dtype(model), TOLERANCE_16_BIT), message)


def reload(
    folder: Path, base: Callable[[], Any], config: Any, before: torch.Tensor, ids: list[int], extra: Extra, device: str
) -> Check:
    """Loads the saved adapter onto a fresh base model and compares its logits with those `before`."""
    from peft import PeftModel

    try:
        fresh = base()
        keywords: dict[str, Any] = {}
        if hasattr(config, "xlora_depth"):
            fresh.config.use_cache = False
            keywords["adapters"] = config.adapters
        loaded: Any = PeftModel.from_pretrained(fresh, str(folder), **keywords).to(device).eval()
        after = probe(loaded, ids, extra, device)
    except Exception as error:  # whatever loading raises is the finding
        return Check(True, False, None, f"cannot be loaded: {_line(error)}")
    return _compare(before, after, RELOAD_TOLERANCE, "the loaded model is another one")


def merge(model: Any, before: torch.Tensor, ids: list[int], device: str) -> Check:
    """Merges the adapter into the base weights, for good, and compares the logits with those `before`."""
    base = getattr(model, "base_model", None)
    if not callable(getattr(base, "merge_and_unload", None)):
        return Check(True, None, None, "this technique has no merge")
    dtype = _dtype(model)
    try:
        merged = model.merge_and_unload().eval()
        after = probe(merged, ids, lambda size: {}, device)
    except Exception as error:  # techniques refuse in many ways: NotImplementedError, ValueError, RuntimeError ...
        return Check(True, None, None, f"cannot be merged: {_line(error)}")
    return _compare(before, after, MERGE_TOLERANCE.get(dtype, TOLERANCE_16_BIT), "the merged model is another one")


def _dtype(model: Any) -> torch.dtype:
    found: torch.dtype = next(parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())
    return found


def _compare(before: torch.Tensor, after: torch.Tensor, tolerance: float, message: str) -> Check:
    width = min(before.shape[1], after.shape[1])
    before, after = before[:, -width:], after[:, -width:]
    difference = float((before - after).abs().max())
    equal = difference <= tolerance * max(1.0, float(before.abs().max()))
    return Check(True, equal, difference, "" if equal else f"{message}: logits differ by {difference:.2g}")


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
