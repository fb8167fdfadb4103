"""What the PEFT library's techniques can do, as asked of an installed peft: capabilities.json, checked when loaded.

Each answer says how it is known. `probed`: a real call on a small model, outputs compared. `introspected`: read off the
config class (it lacks the field). `unknown`: it could not be set up; nothing is guessed. Written by
scripts/probe_capabilities.py, one answer a line:

    "merge": [true, "probed", "the merged model says the same"]
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from hubstats.errors import ConfigError, TechniqueError
from hubstats.techniques import Technique, spelling

Label = Literal["introspected", "probed", "unknown"]
LABELS: tuple[str, ...] = get_args(Label)


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that a technique may be able to do."""

    key: str
    name: str
    meaning: str
    group: str
    aliases: tuple[str, ...] = ()


CAPABILITIES: tuple[Capability, ...] = (
    Capability("merge", "Merge", "merge_and_unload gives a plain model that says the same", "use", ("merging",)),
    Capability("unmerge", "Undo a merge", "merge_adapter and unmerge_adapter lead back", "use"),
    Capability(
        "to_lora", "Convert to LoRA", "convert_to_lora at full rank gives a LoRA that says the same", "use", ("lora",)
    ),
    Capability(
        "quantised",
        "4-bit base",
        "trains on a base model in 4 bits of bitsandbytes",
        "train",
        ("quantized", "quantised_4bit", "quantized_4bit", "4bit", "qlora"),
    ),
    Capability("quantised_8bit", "8-bit base", "the same in 8 bits", "train", ("quantized_8bit", "8bit", "int8")),
    Capability(
        "checkpointing",
        "Gradient checkpointing",
        "gradient checkpointing gives the same gradients",
        "train",
        ("gradient_checkpointing",),
    ),
    Capability(
        "several",
        "Several adapters",
        "two adapters in one model, each as alone",
        "use",
        ("multi_adapter", "several_adapters", "multiple"),
    ),
    Capability("mixed_batch", "Mixed batches", "each row of a batch by its own adapter", "use", ("mixed_batches",)),
    Capability("mixed_types", "Beside other types", "in one PeftMixedModel with another type", "use", ("mixed_model",)),
    Capability("combine", "Weighted sum", "add_weighted_adapter with weights 1 and 0 is the one", "use", ("weighted",)),
    Capability("hotswap", "Hot swap", "hotswap_adapter puts other weights in place", "use", ("hot_swap",)),
    Capability("disable", "Switch off", "disable_adapter gives the bare model's answers", "use"),
    Capability("unload", "Take out", "unload gives the bare model back", "use"),
    Capability("save_load", "Save and load", "says the same once saved and loaded onto the bare model", "use"),
    Capability("modules_to_save", "Whole modules too", "modules_to_save trains lm_head along", "train"),
    Capability("trainable_tokens", "Single tokens too", "trainable_token_indices trains tokens along", "train"),
    Capability("rank_pattern", "Rank by place", "rank_pattern sets another rank for some places", "train"),
    Capability("some_layers", "Some layers only", "layers_to_transform restricts it to some layers", "train"),
    Capability("layer_linear", "Linear", "goes into torch.nn.Linear", "layers", ("linear",)),
    Capability(
        "layer_gpt2_conv1d", "Conv1D of GPT-2", "goes into the Conv1D of transformers", "layers", ("gpt2_conv1d",)
    ),
    Capability("layer_embedding", "Embedding", "goes into torch.nn.Embedding", "layers", ("embedding",)),
    Capability("layer_conv1d", "Conv1d", "goes into torch.nn.Conv1d", "layers", ("conv1d",)),
    Capability("layer_conv2d", "Conv2d", "goes into torch.nn.Conv2d", "layers", ("conv2d",)),
    Capability("layer_conv3d", "Conv3d", "goes into torch.nn.Conv3d", "layers", ("conv3d",)),
    Capability("layer_norm", "LayerNorm", "goes into torch.nn.LayerNorm", "layers", ("norm", "layernorm")),
    Capability(
        "layer_attention",
        "MultiheadAttention",
        "goes into torch.nn.MultiheadAttention",
        "layers",
        ("multihead_attention",),
    ),
    Capability(
        "layer_parameter",
        "Stacked experts",
        "goes into a parameter of three dimensions, as mixtures of experts have",
        "layers",
        ("experts", "target_parameters"),
    ),
)
"""In the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a technique can do something, and how that is known."""

    able: bool | None
    """None: unknown."""
    label: Label
    detail: str
    """What was seen, or why it is not known."""


UNASKED = Answer(None, "unknown", "not asked")


@dataclass(frozen=True, slots=True)
class Entry:
    """One technique: settings with which it goes into a Llama model, and the answers."""

    settings: Mapping[str, Any] | None
    """Fields of its config that are needed, besides the task; None: it could not be set up."""
    answers: Mapping[str, Answer]
    why: str | None = None
    """Why it could not be set up."""
    expressions: Mapping[str, str] = field(default_factory=dict)
    """What to write in code for a value that depends on the model or the data."""
    imports: Sequence[str] = ()
    before: Sequence[str] = ()
    """Calls between making the config and get_peft_model."""
    after: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Probed:
    """All answers of one version of peft."""

    packages: Mapping[str, str]
    probed_on: date
    device: str
    entries: Mapping[str, Entry]

    @property
    def version(self) -> str:
        """Version of peft."""
        return self.packages["peft"]

    def answer(self, technique: str, capability: str) -> Answer:
        """What is known of one technique; `not asked` for one that was not probed."""
        entry = self.entries.get(technique)
        return UNASKED if entry is None else entry.answers.get(capability, UNASKED)

    def __iter__(self) -> Iterator[tuple[str, str, Answer]]:
        """(technique, capability, answer), in the order of techniques and capabilities."""
        for technique, entry in sorted(self.entries.items()):
            for capability in CAPABILITIES:
                yield technique, capability.key, entry.answers[capability.key]

    def code(self, technique: Technique) -> str | None:
        """Python that puts the technique where a LoRA was, as it was tried; None where it could not be set up.

        `model` is the base model; other free names are those of the entry's expressions and calls.
        """
        entry, made = self.entries.get(technique.key), technique.config_class
        if entry is None or entry.settings is None or made is None or not made.isidentifier():
            return None
        fields = [f"    {name}={entry.expressions.get(name, repr(value))}," for name, value in entry.settings.items()]
        lines = [
            f"from peft import {', '.join(sorted((made, 'get_peft_model')))}",
            *entry.imports,
            "",
            f"config = {made}(",
            '    task_type="CAUSAL_LM",',
            *(line.replace("'", '"') for line in fields),
            ")",
            *entry.before,
            "model = get_peft_model(model, config)",
            *entry.after,
        ]
        return "\n".join(lines)


def find(name: str) -> Capability:
    """The capability with this key, name or alias, whatever the case. Raises ConfigError with near misses."""
    known = _names()
    found = known.get(_folded(name))
    if found is None:
        close = get_close_matches(_folded(name), list(known), n=3, cutoff=0.6)
        near = list(dict.fromkeys(known[match].key for match in close))
        hint = (
            f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(c.key for c in CAPABILITIES)}"
        )
        raise ConfigError(f"there is no capability '{name}'{hint}")
    return found


def _folded(name: str) -> str:
    return spelling(name).replace(" ", "_")


@lru_cache(maxsize=1)
def _names() -> Mapping[str, Capability]:
    named: dict[str, Capability] = {}
    for capability in CAPABILITIES:
        for text in (capability.key, capability.name, *capability.aliases):
            named.setdefault(_folded(text), capability)
    return MappingProxyType(named)


@lru_cache(maxsize=1)
def load() -> Probed:
    """The answers that come with hubstats; read once, on the first call."""
    return parse((Path(__file__).parent / "capabilities.json").read_text(encoding="utf-8"))


def parse(text: str) -> Probed:
    """The answers written in a JSON text; raises TechniqueError on anything that is not whole."""
    try:
        document = json.loads(text)
        entries = {key: _entry(key, made) for key, made in document["techniques"].items()}
        probed = Probed(
            MappingProxyType({str(name): str(version) for name, version in document["packages"].items()}),
            date.fromisoformat(document["probed_on"]),
            str(document["device"]),
            MappingProxyType(entries),
        )
        if not probed.version:
            raise ValueError("no version of peft")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TechniqueError(f"capabilities.json is broken: {error}; write it again with its script") from error
    return probed


def _entry(key: str, made: Mapping[str, Any]) -> Entry:
    answers = {name: _answer(f"{key}.{name}", *answer) for name, answer in made["answers"].items()}
    wanted = {capability.key for capability in CAPABILITIES}
    if odd := wanted ^ set(answers):
        raise ValueError(f"{key}: {', '.join(sorted(odd))} missing or not known")
    return Entry(
        made["settings"],
        MappingProxyType(answers),
        made.get("why"),
        made.get("expressions", {}),
        tuple(made.get("imports", ())),
        tuple(made.get("before", ())),
        tuple(made.get("after", ())),
    )


def _answer(where: str, able: bool | None, label: Label, detail: str) -> Answer:
    if label not in LABELS or able not in (True, False, None) or (able is None) != (label == "unknown") or not detail:
        raise ValueError(f"{where}: {able!r}, {label!r} do not go together")
    return Answer(able, label, detail)
