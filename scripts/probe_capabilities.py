"""Asks the installed peft what each technique can do, and writes hubstats/techniques/capabilities.json.

    python scripts/probe_capabilities.py             # needs torch, transformers, peft; bitsandbytes for two answers
    python scripts/probe_capabilities.py --only lora,oft --show

Every answer is the outcome of a real call on a model of two small layers, on the CPU: outputs are compared, not
promises. An adapter is first given random values, so that it changes what the model says by an amount that is known;
"the same" means a difference below a thousandth of that amount. What PEFT refuses or fails at is a no with its own
words, what could not be set up here stays unknown. Nothing is taken from documentation.
"""

from __future__ import annotations

import argparse
import copy
import inspect
import json
import logging
import os
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent))

from hubstats import techniques

OUT = Path(__file__).parent.parent / "hubstats" / "techniques" / "capabilities.json"
SAME = 1e-3
"""Largest difference, as a part of what the adapter changes, at which two outputs count as the same."""
LEAST = 1e-4
"""Smallest change of the logits at which an adapter counts as doing something."""
WIDTH, LAYERS, WORDS = 64, 2, 96
LONGEST = 160
REFUSALS = (ValueError, NotImplementedError)
"""What PEFT raises on purpose for what it does not offer."""

Answer = tuple[bool | None, str, str]
"""Whether it can, how that is known, and what was seen."""

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "adalora": {"total_step": 1000},
    "adaption_prompt": {"adapter_len": 10, "adapter_layers": LAYERS},
    "boft": {"boft_block_size": 4},
    "c3a": {"block_size": 64},
    "cartridge": {"num_virtual_tokens": 16},
    "cpt": {"cpt_token_ids": [5, 6, 7, 8], "cpt_mask": [1, 1, 1, 1], "cpt_tokens_type_mask": [1, 2, 3, 4]},
    "gralora": {"gralora_k": 2},
    "ia3": {"target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"]},
    "multitask_prompt_tuning": {"num_virtual_tokens": 16, "num_tasks": 2},
    "p_tuning": {"num_virtual_tokens": 16, "encoder_hidden_size": 128},
    "prefix_projection": {"num_virtual_tokens": 16, "encoder_hidden_size": 128},
    "prefix_tuning": {"num_virtual_tokens": 16},
    "prompt_tuning": {"num_virtual_tokens": 16},
    "poly": {"n_tasks": 2, "n_skills": 2},
    "road": {"group_size": 64},
    "trainable_tokens": {"token_indices": [5, 6, 7]},
    "unilora": {"theta_d_length": 256},
    "vblora": {"num_vectors": 64, "vector_length": 64},
    "xlora": {"hidden_size": WIDTH, "adapters": {"0": "lora-a", "1": "lora-b"}},
    "alora": {"alora_invocation_tokens": [9]},
    "bdlora": {"use_bdlora": {"target_modules_bd_a": ["v_proj"], "target_modules_bd_b": ["q_proj"], "nblocks": 2}},
    "corda": {"corda_config": {"corda_method": "kpm"}},
    "gralora_hybrid": {"gralora_k": 2, "hybrid_r": 4},
    "kasa": {"kasa_config": {"beta": 0.0001, "gamma": 0.001}},
    "loftq": {"loftq_config": {"loftq_bits": 4, "loftq_iter": 1}},
    "lora_ga": {"lora_ga_config": {}},
    "lora_layer_replication": {"layer_replication": [[0, LAYERS], [LAYERS - 1, LAYERS]]},
    "lora_target_parameters": {"target_modules": [], "target_parameters": ["q_proj.weight", "v_proj.weight"]},
    "miss_mini": {"mini_r": 8},
    "monteclora": {"monteclora_config": {"num_samples": 8}},
    "supertuning_supra": {"lora_alpha": 16.0},
    "tinylora_weight_tying": {"weight_tying": 1.0},
    "velora": {"velora_config": {"num_groups": 64}},
}
"""What is set besides the usual rank and places; what turns out not to be needed is left out again."""

USUAL: Mapping[str, Any] = {"target_modules": ["q_proj", "v_proj"], "r": 16}
"""As a config of LoRA has them; kept wherever the config class has the field and takes the value."""

OWN_RANK = ("oft", "oftv2", "coft", "supertuning", "vera", "pvera", "tinylora", "tinylora_weight_tying", "lora_ga")
"""Where r is not the size it is in LoRA, or excludes another setting: left at its default."""

OWN_PLACES = ("adaption_prompt", "ln_tuning", "shadow", "trainable_tokens")
"""Where the adapter goes is part of the technique: left at its default."""

PROBE_ONLY: Mapping[str, Mapping[str, Any]] = {"coft": {"eps": 0.5}}
"""Settings that make an effect large enough to compare; not part of the code shown."""

NOT_ASKED: Mapping[str, str] = {"arrow": "it routes between adapters that were trained before, which the probe has not"}

WHOLE_MODELS = ("adaption_prompt", "alora", "lora_layer_replication", "shadow")
"""Work on a language model, not on a layer of its own."""

EXPRESSIONS: Mapping[str, Mapping[str, str]] = {
    "adalora": {"total_step": "steps"},
    "adaption_prompt": {"adapter_layers": "model.config.num_hidden_layers"},
    "cpt": {"cpt_token_ids": "example_ids", "cpt_mask": "example_mask", "cpt_tokens_type_mask": "example_types"},
    "trainable_tokens": {"token_indices": "token_ids"},
    "xlora": {"hidden_size": "model.config.hidden_size", "adapters": '{"0": "lora-a", "1": "lora-b"}'},
    "alora": {"alora_invocation_tokens": "prompt_ids"},
    "lora_layer_replication": {"layer_replication": "[[0, 2], [1, model.config.num_hidden_layers]]"},
    "lora_target_parameters": {"target_parameters": "expert_parameters"},
    "corda": {"corda_config": 'CordaConfig(corda_method="kpm")'},
    "lora_ga": {"lora_ga_config": "LoraGAConfig()"},
}
"""What to write in code where the value depends on the model or the data."""

STEPS: Mapping[str, Mapping[str, list[str]]] = {
    "corda": {
        "imports": [
            "from peft.tuners.lora.config import CordaConfig",
            "from peft.tuners.lora.corda import preprocess_corda",
        ],
        "before": ["preprocess_corda(model, config, run_model=run_model)"],
    },
    "lora_ga": {
        "imports": ["from peft import LoraGAConfig", "from peft.tuners.lora.loraga import preprocess_loraga"],
        "before": ["preprocess_loraga(model, config, train_step=train_step)"],
    },
    "eva": {
        "imports": ["from peft import initialize_lora_eva_weights"],
        "after": ["initialize_lora_eva_weights(model, batches)"],
    },
}
"""Calls that belong to a technique besides its config."""


class Llama:
    """The model that answers come from; made once, copied for each question."""

    def __init__(self, *, bias: bool = False) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=WORDS,
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=64,
            attn_implementation="eager",
            use_cache=False,
            attention_bias=bias,
            pad_token_id=0,
        )
        self.model = LlamaForCausalLM(config).eval()
        for parameter in self.model.parameters():
            # Larger than a fresh model's, or nothing an adapter does would show in the answer.
            parameter.data = parameter.data * (1 if parameter.ndim == 1 else 5)
        self.ids = torch.randint(10, WORDS, (2, 8), generator=torch.Generator().manual_seed(1))
        self.ids[:, 3] = 9
        self.ids[:, 5] = torch.tensor([5, 6])

    def copy(self) -> Any:
        return copy.deepcopy(self.model)


class Subject:
    """One technique with settings that work, and how to put it into a model."""

    def __init__(self, technique: techniques.Technique, llama: Llama, folder: Path) -> None:
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

        self.technique, self.llama, self.folder = technique, llama, folder
        self.config_class = PEFT_TYPE_TO_CONFIG_MAPPING[technique.peft_type]
        self.names = {field.name for field in fields(self.config_class)}
        self.flags = _flags(technique)
        base = SETTINGS.get(technique.key, {} if technique.kind == "method" else SETTINGS.get(technique.parent, {}))
        own = {"r": OWN_RANK, "target_modules": OWN_PLACES}
        usual = {k: v for k, v in USUAL.items() if k in self.names and technique.key not in own[k]}
        self.settings: dict[str, Any] = usual | dict(base) | self.flags
        self.extra: dict[str, Any] = {}
        """What a forward pass takes besides ids."""
        if {"n_tasks", "num_tasks"} & self.names:
            self.extra = {"task_ids": torch.zeros(2, dtype=torch.long)}

    def config(self, **more: Any) -> Any:
        settings = copy.deepcopy(self.settings | PROBE_ONLY.get(self.technique.key, {})) | more
        if self.technique.key == "xlora":
            settings["adapters"] = {name: str(self.folder / path) for name, path in settings["adapters"].items()}
        for name, made in (("corda_config", "CordaConfig"), ("lora_ga_config", "LoraGAConfig")):
            if name in settings:
                settings[name] = getattr(_lora_configs(), made)(**settings[name])
        return self.config_class(**settings)

    def put(self, base: Any = None, *, task: str | None = "CAUSAL_LM", mixed: bool = False, **more: Any) -> Any:
        """The model with the adapter in it, nothing shaken yet."""
        from peft import get_peft_model

        torch.manual_seed(2)
        base = self.llama.copy() if base is None else base
        config = self.config(**({"task_type": task} if task else {}), **more)
        self.prepare(base, config)
        return get_peft_model(base, config, **({"mixed": True} if mixed else {})).eval()

    def prepare(self, base: Any, config: Any) -> None:
        """What the technique wants done to the bare model first."""
        start = getattr(config, "init_lora_weights", None)
        if start == "corda":
            from peft.tuners.lora.corda import preprocess_corda

            alone = isinstance(base, One)
            preprocess_corda(
                base, config, run_model=lambda: [base() if alone else base(row[None]) for row in self.llama.ids]
            )
        if start == "lora_ga":
            from peft.tuners.lora.loraga import preprocess_loraga

            def step() -> None:
                out = base() if isinstance(base, One) else base(self.llama.ids, labels=self.llama.ids).loss
                out.pow(2).sum().backward()

            preprocess_loraga(base, config, train_step=step)

    def shaken(self, **more: Any) -> Any:
        """The same with random values in everything that is trained."""
        model = self.put(**more)
        shake(model)
        return model

    def says(self, model: Any, **more: Any) -> torch.Tensor:
        """The logits of the words of the probe, whatever the technique puts before them."""
        torch.manual_seed(3)
        with torch.no_grad():
            logits = model(input_ids=self.llama.ids, **self.extra, **more).logits
        return logits[:, -self.llama.ids.shape[1] :].float()

    def plain(self, base: Any = None) -> torch.Tensor:
        """What the bare model says."""
        with torch.no_grad():
            return (self.llama.model if base is None else base)(input_ids=self.llama.ids).logits.float()

    def llama_says(self, model: Any) -> torch.Tensor:
        """The logits of a model without an adapter."""
        torch.manual_seed(3)
        with torch.no_grad():
            return model(input_ids=self.llama.ids).logits.float()

    def change(self, model: Any) -> float:
        """How much the adapter changes the logits at most."""
        return distance(self.says(model), self.plain())


def _lora_configs() -> Any:
    from peft.tuners.lora import config

    return config


def _flags(technique: techniques.Technique) -> dict[str, Any]:
    """What the registry says shows a variant in its config, where that is a value to set."""
    if technique.kind != "variant":
        return {}
    for condition in technique.config[0]:
        if condition.op == "equals":
            return {condition.key: condition.value}
    return {}


def shake(model: nn.Module, seed: int = 4, but: Collection[str] = ()) -> None:
    """Adds noise to all that is trained, `but` for these parameters."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name not in but and parameter.requires_grad and parameter.is_floating_point():
            noise = torch.randn(parameter.shape, generator=generator) * (0.05 if parameter.ndim > 1 else 0.1)
            parameter.data += noise.to(parameter)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    if one.shape != other.shape:
        return float("inf")
    gap = (one - other).abs().max().item()
    return gap if gap == gap else float("inf")


def words(error: BaseException) -> str:
    said = " ".join(str(error).split()) or "no message"
    said = said if len(said) <= LONGEST else said[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return f"{type(error).__name__}: {said}"


def judged(gap: float, change: float, same: str, other: str) -> Answer:
    if change < LEAST:
        return None, "unknown", "the adapter changed nothing in the probe, so nothing could be compared"
    if gap <= SAME * change:
        return True, "probed", same
    return False, "probed", f"{other}: off by {min(gap / change, 99.0):.2g} of what the adapter changes"


# --- one function a capability ------------------------------------------------------------------------------------


def merge(subject: Subject) -> Answer:
    model = subject.shaken()
    with_adapter, change = subject.says(model), subject.change(model)
    merged = model.merge_and_unload()
    from peft.tuners.tuners_utils import BaseTunerLayer

    if any(isinstance(module, BaseTunerLayer) for module in merged.modules()):
        return False, "probed", "merge_and_unload leaves layers of the adapter in the model"
    gap = distance(subject.llama_says(merged), with_adapter)
    return judged(gap, change, "the merged model says the same", "the merged model says something else")


def unmerge(subject: Subject) -> Answer:
    model = subject.shaken()
    before, change = subject.says(model), subject.change(model)
    model.merge_adapter()
    model.unmerge_adapter()
    return judged(distance(subject.says(model), before), change, "as before once undone", "not as before once undone")


def disable(subject: Subject) -> Answer:
    model = subject.shaken()
    change = subject.change(model)
    with model.disable_adapter():
        without = subject.says(model)
    return judged(
        distance(without, subject.plain()), change, "switched off, the bare model answers", "not the bare model"
    )


def unload(subject: Subject) -> Answer:
    model = subject.shaken()
    change = subject.change(model)
    bare = model.unload()
    return judged(
        distance(subject.llama_says(bare), subject.plain()), change, "the bare model comes back", "not the bare model"
    )


def _two(subject: Subject) -> tuple[Any, torch.Tensor, torch.Tensor, float]:
    """A model with two adapters that differ, what it says with each, and how much the first changes."""
    model = subject.shaken()
    change = subject.change(model)
    before = {name for name, _ in model.named_parameters()}
    torch.manual_seed(5)
    # AdaLoRA trains one adapter at a time; the other may still be there to be used.
    more = {"inference_mode": True} if subject.technique.peft_type == "ADALORA" else {}
    model.add_adapter("other", subject.config(task_type="CAUSAL_LM", **more))
    model.set_adapter("other")
    shake(model, seed=6, but=before)
    other = subject.says(model)
    model.set_adapter("default")
    return model.eval(), subject.says(model), other, change


def several(subject: Subject) -> Answer:
    alone = subject.says(subject.shaken())
    _, first, other, change = _two(subject)
    if distance(first, other) < LEAST:
        return False, "probed", "after switching, the other adapter says the same as the first"
    return judged(distance(alone, first), change, "two adapters, each as alone", "the second changes the first")


def mixed_batch(subject: Subject) -> Answer:
    model, first, other, change = _two(subject)
    rows = subject.says(model, adapter_names=["default", "other"])
    gap = max(distance(rows[0], first[0]), distance(rows[1], other[1]))
    return judged(gap, change, "each row of a batch by its own adapter", "rows are not as their own adapter says")


def combine(subject: Subject) -> Answer:
    model, first, _, change = _two(subject)
    how = inspect.signature(model.base_model.add_weighted_adapter).parameters
    more = {"combination_type": "linear"} if "combination_type" in how else {}
    model.add_weighted_adapter(["default", "other"], [1.0, 0.0], "mix", **more)
    model.set_adapter("mix")
    return judged(
        distance(subject.says(model), first),
        change,
        "1 of one and 0 of the other is the one",
        "1 of one and 0 of the other is not the one",
    )


def mixed_types(subject: Subject) -> Answer:
    from peft import LoHaConfig, LoraConfig

    model = subject.put(task=None, mixed=True)
    shake(model)
    alone = subject.says(model)
    change = distance(alone, subject.plain())
    other = LoHaConfig if subject.technique.peft_type == "LORA" else LoraConfig
    before = {name for name, _ in model.named_parameters()}
    model.add_adapter("other", other(r=4, target_modules=["k_proj"]))
    model.set_adapter("other")
    shake(model, seed=6, but=before)
    model.set_adapter(["default", "other"])
    both = subject.says(model)
    if distance(both, alone) < LEAST:
        return False, "probed", "a second adapter of another type changes nothing"
    model.set_adapter("default")
    return judged(
        distance(subject.says(model), alone),
        change,
        f"works beside {other.__name__[:-6]} in one model",
        "is changed by another type beside it",
    )


def hotswap(subject: Subject) -> Answer:
    from peft.utils.hotswap import hotswap_adapter

    target = subject.shaken()
    place = subject.folder / "swap" / subject.technique.key
    target.save_pretrained(place)
    wanted, change = subject.says(target), subject.change(target)
    model = subject.put()
    shake(model, seed=7)
    hotswap_adapter(model, str(place), adapter_name="default")
    return judged(
        distance(subject.says(model), wanted),
        change,
        "weights swapped in place",
        "after the swap it says something else",
    )


def save_load(subject: Subject) -> Answer:
    from peft import PeftModel

    model = subject.shaken()
    wanted, change = subject.says(model), subject.change(model)
    place = subject.folder / "saved" / subject.technique.key
    model.save_pretrained(place)
    loaded = PeftModel.from_pretrained(subject.llama.copy(), place).eval()
    return judged(
        distance(subject.says(loaded), wanted),
        change,
        "says the same after saving and loading",
        "says something else after loading",
    )


def to_lora(subject: Subject) -> Answer:
    from peft import convert_to_lora, get_peft_model, set_peft_model_state_dict

    model = subject.shaken()
    wanted, change = subject.says(model), subject.change(model)
    config, weights = convert_to_lora(model, rank=WIDTH)
    lora = get_peft_model(subject.llama.copy(), config).eval()
    set_peft_model_state_dict(lora, weights)
    return judged(
        distance(subject.says(lora), wanted),
        change,
        "convert_to_lora at full rank says the same",
        "convert_to_lora at full rank says something else",
    )


def _quantised(subject: Subject, **how: Any) -> Answer:
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        return None, "unknown", "bitsandbytes was not installed where this was asked"
    place = subject.folder / "base"
    if not place.exists():
        subject.llama.model.save_pretrained(place)
    quantisation = BitsAndBytesConfig(**how)

    def load() -> Any:
        model = AutoModelForCausalLM.from_pretrained(
            place, quantization_config=quantisation, device_map="cpu", attn_implementation="eager", use_safetensors=True
        )
        return model.eval()

    bare = load()
    packed = _packed(bare)
    if not packed:
        return None, "unknown", "the base model was not quantised here"
    model = subject.put(base=load())
    shake(model)
    if _packed(model) < packed:
        return False, "probed", f"{packed - _packed(model)} quantised layers are turned into others"
    # Training first: for inference on a CPU bitsandbytes packs the weights in another way, which has no gradient.
    model.train()
    model(input_ids=subject.llama.ids, labels=subject.llama.ids, **subject.extra).loss.backward()
    gradients = [p.grad for p in model.parameters() if p.requires_grad and p.grad is not None]
    if not gradients or not all(torch.isfinite(grad).all() for grad in gradients):
        return False, "probed", "no usable gradient reaches the adapter"
    change = distance(subject.says(model.eval()), subject.plain(bare))
    if change < LEAST:
        return False, "probed", "put in, and changes nothing on a quantised base"
    if not change < 1e3:
        return False, "probed", "the quantised model with the adapter says nonsense"
    return True, "probed", "forward and backward on a bitsandbytes base, layers stay quantised (CPU)"


def _packed(model: nn.Module) -> int:
    return sum(type(module).__name__ in ("Linear4bit", "Linear8bitLt") for module in model.modules())


def quantised_4bit(subject: Subject) -> Answer:
    return _quantised(subject, load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)


def quantised_8bit(subject: Subject) -> Answer:
    return _quantised(subject, load_in_8bit=True)


def checkpointing(subject: Subject) -> Answer:
    def gradients(save_memory: bool) -> torch.Tensor:
        base = subject.llama.copy()
        if save_memory:
            base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model = subject.put(base=base)
        shake(model)
        model.train()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        torch.manual_seed(8)
        model(input_ids=subject.llama.ids, labels=subject.llama.ids, **subject.extra).loss.backward()
        return torch.cat(
            [p.grad.flatten().float() for p in model.parameters() if p.requires_grad and p.grad is not None]
        )

    plain, again, saving = gradients(False), gradients(False), gradients(True)
    if not torch.equal(plain, again):
        return None, "unknown", "its gradients are random, so they cannot be compared"
    return judged(
        distance(plain, saving),
        plain.abs().max().item(),
        "the same gradients as without",
        "other gradients than without",
    )


def modules_to_save(subject: Subject) -> Answer:
    if "modules_to_save" not in subject.names:
        return False, "introspected", f"{subject.config_class.__name__} has no modules_to_save"
    model = subject.put(modules_to_save=["lm_head"])
    trained = [name for name, p in model.named_parameters() if p.requires_grad and "lm_head" in name]
    return bool(trained), "probed", "lm_head is trained as well" if trained else "lm_head stays frozen"


def trainable_tokens(subject: Subject) -> Answer:
    if "trainable_token_indices" not in subject.names:
        return False, "introspected", f"{subject.config_class.__name__} has no trainable_token_indices"
    model = subject.put(trainable_token_indices=[5, 6])
    trained = [name for name, p in model.named_parameters() if p.requires_grad and "token" in name]
    return bool(trained), "probed", "single tokens are trained as well" if trained else "tokens stay frozen"


def rank_pattern(subject: Subject) -> Answer:
    if "rank_pattern" not in subject.names:
        return False, "introspected", f"{subject.config_class.__name__} has no rank_pattern"

    def size(model: Any) -> int:
        return sum(p.numel() for p in model.parameters() if p.requires_grad)

    usual, changed = size(subject.put()), size(subject.put(rank_pattern={"q_proj": 2}))
    if changed == usual:
        return False, "probed", "rank_pattern changes nothing about what is trained"
    return True, "probed", f"{changed:,} instead of {usual:,} trained parameters with another rank for q_proj"


def some_layers(subject: Subject) -> Answer:
    from peft.tuners.tuners_utils import BaseTunerLayer

    if "layers_to_transform" not in subject.names:
        return False, "introspected", f"{subject.config_class.__name__} has no layers_to_transform"

    def places(model: Any) -> int:
        return sum(isinstance(module, BaseTunerLayer) for module in model.modules())

    usual, changed = places(subject.put()), places(subject.put(layers_to_transform=[0]))
    if changed == usual:
        return False, "probed", "layers_to_transform changes nothing"
    return True, "probed", f"put into {changed} instead of {usual} places with layers_to_transform=[0]"


class One(nn.Module):
    """A model of one layer of a kind."""

    def __init__(self, layer: nn.Module, feed: Callable[[nn.Module], Any]) -> None:
        super().__init__()
        self.layer, self.head, self._feed = layer, nn.Linear(1, 1), feed

    def forward(self, x: Any = None, **more: Any) -> Any:
        out = self._feed(self.layer)
        return out[0] if isinstance(out, tuple) else out


def _experts() -> nn.Module:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, WIDTH, WIDTH))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.einsum("bi,eij->bej", x, self.weight)

    return Experts()


def layer_probe(
    make: Callable[[], nn.Module], feed: Callable[[nn.Module], Any], field: str = "target_modules"
) -> Callable[[Subject], Answer]:
    def probe(subject: Subject) -> Answer:
        if field not in subject.names:
            return False, "introspected", f"{subject.config_class.__name__} has no {field}"
        if make is _linear and "q_proj" in subject.settings.get("target_modules", ()):
            return True, "probed", "put into q_proj and v_proj of a Llama, changes what it says"
        if subject.technique.key in WHOLE_MODELS:
            return None, "unknown", "it works on a language model, the probe for layers has one layer only"
        torch.manual_seed(0)
        base = One(make(), feed)
        bare = base().detach().clone()
        places: dict[str, Any] = (
            {"target_modules": ["layer"]}
            if field == "target_modules"
            else {"target_modules": [], field: ["layer.weight"]}
        )
        if "feedforward_modules" in subject.names:
            places["feedforward_modules"] = []
        if field == "target_modules" and "target_parameters" in subject.settings:
            places["target_parameters"] = None
        if "use_bdlora" in subject.settings:
            places["use_bdlora"] = {"target_modules_bd_a": ["layer"], "nblocks": 2}
        model = subject.put(base=base, task=None, **places)
        shake(model)
        torch.manual_seed(3)
        model.eval()
        extra = {name: value[:1].repeat(len(bare)) for name, value in subject.extra.items()}
        with torch.no_grad():
            changed = distance(model(**extra), bare)
        model.train()
        out = model(**extra)
        if not out.requires_grad:
            return False, "probed", "nothing is trained"
        out.pow(2).sum().backward()
        grads = [p.grad for p in model.parameters() if p.requires_grad and p.grad is not None]
        if changed < LEAST or not any(grad.abs().sum() > 0 for grad in grads):
            return False, "probed", "the adapter is put in and does nothing"
        return True, "probed", "put in, changes the output and receives gradients"

    return probe


def _input(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(9))


def _linear() -> nn.Module:
    return nn.Linear(WIDTH, WIDTH)


def _gpt2() -> nn.Module:
    from transformers.pytorch_utils import Conv1D

    layer = Conv1D(WIDTH, WIDTH)
    nn.init.normal_(layer.weight)
    return layer


PROBES: Mapping[str, Callable[[Subject], Answer]] = {
    "merge": merge,
    "unmerge": unmerge,
    "to_lora": to_lora,
    "quantised": quantised_4bit,
    "quantised_8bit": quantised_8bit,
    "checkpointing": checkpointing,
    "several": several,
    "mixed_batch": mixed_batch,
    "mixed_types": mixed_types,
    "combine": combine,
    "hotswap": hotswap,
    "disable": disable,
    "unload": unload,
    "save_load": save_load,
    "modules_to_save": modules_to_save,
    "trainable_tokens": trainable_tokens,
    "rank_pattern": rank_pattern,
    "some_layers": some_layers,
    "layer_linear": layer_probe(_linear, lambda layer: layer(_input(2, WIDTH))),
    "layer_gpt2_conv1d": layer_probe(_gpt2, lambda layer: layer(_input(2, 3, WIDTH))),
    "layer_embedding": layer_probe(
        lambda: nn.Embedding(WIDTH, WIDTH), lambda layer: layer(torch.arange(12).reshape(2, 6))
    ),
    "layer_conv1d": layer_probe(lambda: nn.Conv1d(16, 16, 4, padding=2), lambda layer: layer(_input(2, 16, 8))),
    "layer_conv2d": layer_probe(lambda: nn.Conv2d(16, 16, 2, padding=1), lambda layer: layer(_input(2, 16, 8, 8))),
    "layer_conv3d": layer_probe(lambda: nn.Conv3d(16, 16, 2, padding=1), lambda layer: layer(_input(2, 16, 4, 4, 4))),
    "layer_norm": layer_probe(lambda: nn.LayerNorm(WIDTH), lambda layer: layer(_input(2, WIDTH))),
    "layer_attention": layer_probe(
        lambda: nn.MultiheadAttention(WIDTH, 4, batch_first=True), lambda layer: layer(*[_input(2, 6, WIDTH)] * 3)
    ),
    "layer_parameter": layer_probe(_experts, lambda layer: layer(_input(2, WIDTH)), "target_parameters"),
}


def ask(subject: Subject, key: str) -> Answer:
    """The answer to one question about one technique."""
    try:
        return PROBES[key](subject)
    except Exception as error:
        if isinstance(error, REFUSALS) or (isinstance(error, TypeError) and "support" in str(error)):
            return False, "probed", f"refused, {words(error)}"
        if key.startswith("quantised") and not isinstance(error, TypeError):
            return None, "unknown", f"fails on a CPU, which may be no word about GPUs, {words(error)}"
        return False, "probed", f"fails, {words(error)}"


def settle(subject: Subject) -> str | None:
    """Finds settings that work and leaves out what is not needed; says why where there are none."""
    if subject.technique.key in NOT_ASKED:
        return NOT_ASKED[subject.technique.key]
    try:
        if subject.change(subject.shaken()) < LEAST:
            return "the adapter changes nothing in the probe"
        if subject.technique.kind == "variant" and not subject.technique.shown_by(subject.config().to_dict()):
            return "the settings do not make the variant"
    except Exception as error:
        return words(error)
    for name in [name for name in subject.settings if name not in subject.flags and name not in USUAL]:
        if subject.technique.kind == "variant" and name in SETTINGS.get(subject.technique.key, {}):
            continue
        kept = subject.settings.pop(name)
        try:
            needed = subject.change(subject.shaken()) < LEAST
        except Exception:
            needed = True
        if needed:
            subject.settings[name] = kept
    return None


def chosen(registry: techniques.Registry, only: set[str]) -> list[techniques.Technique]:
    found = [t for t in registry if t.library == "peft" and t.kind in ("method", "variant")]
    return [t for t in found if not only or t.key in only]


def packages() -> dict[str, str]:
    made = {}
    for name in ("peft", "torch", "transformers", "bitsandbytes", "accelerate"):
        try:
            made[name] = version(name)
        except PackageNotFoundError:
            continue
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="keys of techniques, with commas; writes nothing")
    parser.add_argument("--show", action="store_true", help="print every answer")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    llama, made = Llama(), {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _experts_of_xlora(llama, folder)
        for technique in chosen(techniques.load(), set(filter(None, asked.only.split(",")))):
            made[technique.key] = _entry(Subject(technique, llama, folder))
            if technique.key == "beft":
                _with_bias(made[technique.key]["answers"], Subject(technique, Llama(bias=True), folder))
            seen = Counter(label for _, label, _ in made[technique.key]["answers"].values())
            print(technique.key, dict(seen), made[technique.key].get("why", ""), file=sys.stderr)
            if asked.show:
                for key, answer in made[technique.key]["answers"].items():
                    print(f"    {key:18}", *answer)
    if asked.only:
        return
    document = {
        "packages": packages(),
        "probed_on": datetime.now(UTC).date().isoformat(),
        "device": "cpu",
        "techniques": made,
    }
    asked.out.write_text(written(document), encoding="utf-8")
    labels = Counter(label for entry in made.values() for _, label, _ in entry["answers"].values())
    print(f"{asked.out.name}: {len(made)} techniques, {dict(labels)}", file=sys.stderr)


def _entry(subject: Subject) -> dict[str, Any]:
    why = settle(subject)
    if why is not None:
        return {
            "settings": None,
            "why": why,
            "answers": dict.fromkeys(PROBES, (None, "unknown", f"not set up here, {why}")),
        }
    keep = dict(subject.settings)
    codes = {name: code for name, code in EXPRESSIONS.get(subject.technique.key, {}).items() if name in keep}
    steps = STEPS.get(subject.technique.key, {})
    return {"settings": keep, "expressions": codes, **steps, "answers": {key: ask(subject, key) for key in PROBES}}


def _with_bias(answers: dict[str, Answer], subject: Subject) -> None:
    """Asks for merging once more where the layers have a bias, which is what BEFT trains."""
    for key in ("merge", "unmerge"):
        able, label, detail = ask(subject, key)
        if able and not answers[key][0]:
            answers[key] = (able, label, f"{detail}; only in layers that have a bias")


def _experts_of_xlora(llama: Llama, folder: Path) -> None:
    from peft import LoraConfig, get_peft_model

    for name in ("lora-a", "lora-b"):
        model = get_peft_model(
            llama.copy(), LoraConfig(r=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
        )
        shake(model, seed=len(name))
        model.save_pretrained(folder / name)


def written(document: Mapping[str, Any]) -> str:
    """The document as JSON, one answer a line, so that a new version's changes show in a diff."""
    head = {key: value for key, value in document.items() if key != "techniques"}
    lines = [json.dumps(head, indent=2).removesuffix("\n}") + ',\n  "techniques": {']
    entries = []
    for key, entry in document["techniques"].items():
        rest = {name: value for name, value in entry.items() if name != "answers"}
        answers = ",\n".join(
            f"        {json.dumps(name)}: {json.dumps(answer)}" for name, answer in entry["answers"].items()
        )
        parts = ",\n".join(f"      {json.dumps(name)}: {json.dumps(value)}" for name, value in rest.items())
        entries.append(f'    {json.dumps(key)}: {{\n{parts},\n      "answers": {{\n{answers}\n      }}\n    }}')
    return "\n".join(lines) + "\n" + ",\n".join(entries) + "\n  }\n}\n"


if __name__ == "__main__":
    main()
