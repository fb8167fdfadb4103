"""What single techniques need beyond the common loop, each found by a capability and written once, here.

Values of an adapter config that depend on the model, the tokenizer or the number of steps are written in an
experiment as `"hubstats:<what>"`; `fill` puts the real value in. Whatever else differs shows in the config's fields
or the model's methods: task ids, a step of its own after each optimiser step, refusal of gradient checkpointing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

import torch

from hubstats.errors import BenchError
from hubstats_bench.experiment import TrainingParams
from hubstats_bench.tasks import Row

MARK = "hubstats:"


class Unsupported(BenchError):
    """This technique cannot be benched here, and why."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What config values may depend on."""

    model: Any
    tokenizer: Any
    training: TrainingParams
    example: Row
    """A training row, for techniques that start from one."""


def adapter_config(values: Mapping[str, Any], around: Surroundings) -> tuple[Any, list[str]]:
    """The PEFT config of an experiment, and notes on what was left out.

    Raises Unsupported for a type or field that the installed PEFT does not know. A field it does not know that says
    nothing (null, false, empty) is left out: configs written by older versions carry such.
    """
    from peft import PeftConfig, __version__
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    known = PEFT_TYPE_TO_CONFIG_MAPPING.get(values.get("peft_type"))
    if known is None:
        raise Unsupported(f"peft {__version__} has no type {values.get('peft_type')!r}; another version may")
    names = {field.name for field in fields(known)}
    notes = []
    kept = {}
    for name, value in values.items():
        if name in names:
            kept[name] = fill(value, around)
        elif value in (None, False, "", [], {}):
            notes.append(f"adapter config: {name} is unknown to peft {__version__} and empty: left out")
        else:
            close = get_close_matches(name, names, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise Unsupported(f"adapter config: peft {__version__} knows no {name!r} for {values['peft_type']}{hint}")
    try:
        return PeftConfig.from_peft_type(**kept), notes
    except (TypeError, ValueError) as error:
        raise Unsupported(f"adapter config: {error}") from error


def fill(value: Any, around: Surroundings) -> Any:
    """The value, with every `hubstats:` mark in it replaced. Raises Unsupported for an unknown mark."""
    if isinstance(value, Mapping):
        return {key: fill(inner, around) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, around) for inner in value]
    if not isinstance(value, str) or not value.startswith(MARK):
        return value
    name, _, divisor = value.removeprefix(MARK).partition("/")
    if name not in _FILLS:
        raise Unsupported(f"adapter config: there is no value {value!r}; known: {', '.join(sorted(_FILLS))}")
    found = _FILLS[name](around)
    return found // int(divisor) if divisor else found


def _prompt_tokens(around: Surroundings) -> list[int]:
    """The tokens of the prompt's fixed words, and the end of text: the ones that every example has."""
    template = around.training.query_template.format(query=" ")
    ids = set(around.tokenizer(template, add_special_tokens=False)["input_ids"])
    return sorted(ids | {around.tokenizer.eos_token_id})


def _prompt_end(around: Surroundings) -> list[int]:
    """The tokens that the prompt's last word has where it stands: an aLoRA is at work from there on."""
    before, _, after = around.training.query_template.partition("{query}")
    ids = around.tokenizer(f"{before}x{after}", add_special_tokens=False, return_offsets_mapping=True)
    start = len(before) + 1 + len(after) - len(after.lstrip().split("\n")[-1])
    found = [token for token, (first, _) in zip(ids["input_ids"], ids["offset_mapping"], strict=True) if first >= start]
    if not found:
        raise Unsupported("the prompt has nothing after the question that could invoke the adapter")
    return list(found)


def _example(around: Surroundings) -> list[tuple[int, int]]:
    """(token, type) of one worked example: 1 and 3 for the fixed words, 2 for the question, 4 for the solution."""
    before, _, after = around.training.query_template.partition("{query}")
    parts = ((before, 1), (around.example.query, 2), (after, 3), (around.example.response, 4))
    encode = around.tokenizer
    return [(token, kind) for text, kind in parts for token in encode(text, add_special_tokens=False)["input_ids"]]


def _layers(around: Surroundings) -> int:
    return int(around.model.config.num_hidden_layers)


_FILLS: dict[str, Callable[[Surroundings], Any]] = {
    "steps": lambda around: around.training.max_steps,
    "layers": _layers,
    "hidden-size": lambda around: int(around.model.config.hidden_size),
    "last-layer-twice": lambda around: [[0, _layers(around)], [_layers(around) - 1, _layers(around)]],
    "prompt-tokens": _prompt_tokens,
    "prompt-end": _prompt_end,
    "example-tokens": lambda around: [token for token, _ in _example(around)],
    "example-types": lambda around: [kind for _, kind in _example(around)],
    "example-mask": lambda around: [1 for _ in _example(around)],
    "trained-lora": lambda around: "",  # the experts are trained first and put in by `inits`
}


def extra_inputs(config: Any, device: str) -> Callable[[int], dict[str, Any]]:
    """What a forward pass takes besides ids and mask, for a batch of the given size."""
    if config is not None and (hasattr(config, "n_tasks") or hasattr(config, "num_tasks")):
        return lambda size: {"task_ids": torch.zeros(size, dtype=torch.long, device=device)}
    return lambda size: {}


def alone(config: Any, model: Any) -> str | None:
    """Why this technique must see each row as a row of its own; None when it works token by token.

    Continuous batching packs the tokens of many rows into one: what a layer does to a token must not depend on the
    tokens beside it, save through attention.
    """
    if config is None:
        return None
    if extra_inputs(config, "cpu")(1):
        return "it takes more than token ids"
    if getattr(config, "is_prompt_learning", False) or hasattr(config, "adapter_layers"):
        return "it puts tokens or keys of its own before each row"
    if hasattr(config, "xlora_depth"):
        return "it weighs its experts by the row"
    if getattr(config, "alora_invocation_tokens", None):
        return "it is at work from a token of the row on"
    if not hasattr(model.base_model, "merge_and_unload"):
        return "it adapts the model as a whole"
    return None


def after_step(model: Any) -> Callable[[int], None] | None:
    """What the technique does after each step of the optimiser, while the gradients are still there."""
    found = getattr(getattr(model, "base_model", None), "update_and_allocate", None)
    return found if callable(found) else None


def refuse(config: Any, training: TrainingParams) -> None:
    """Raises Unsupported for settings that the technique does not bear, before anything is built."""
    if config is None or not training.use_gc:
        return
    if hasattr(config, "n_tasks"):
        raise Unsupported("gradient checkpointing loses the task ids that this technique needs: use_gc false")
    if hasattr(config, "xlora_depth"):
        raise Unsupported("gradient checkpointing runs X-LoRA's layers with other scalings: use_gc false")
    if getattr(config, "alora_invocation_tokens", None):
        raise Unsupported("gradient checkpointing runs aLoRA's hooks twice: use_gc false")


def left_out(config: Any) -> list[str]:
    """Notes on what a technique's paper adds to the loss and PEFT leaves to the user, as the published runs do."""
    return [
        f"the penalty of {name} that PEFT leaves to the user is not added, as in the published comparison"
        for name, field in (("KaSA", "kasa_config"), ("MonteCLoRA", "monteclora_config"))
        if getattr(config, field, None)
    ]
