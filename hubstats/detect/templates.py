"""What tools write into cards by themselves: which template a card is, and what its fixed parts state.

adapter: qlora                 axolotl's config, in a details block
- load_in_4bit: True           PEFT's bitsandbytes block
tags: [llama-factory, lora]    LLaMA-Factory's finetuning_type
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from hubstats.detect.evidence import Evidence, spanned
from hubstats.detect.front_matter import FrontMatter
from hubstats.detect.structure import Structure
from hubstats.records import EvidenceKind
from hubstats.techniques import Registry

_ADAPTERHUB = re.compile(r"[Aa]n \[adapter\]\(https://adapterhub\.ml|^# Adapter `", re.M)

# First match wins: a tool's own words stand before those of the library it builds on.
_TEMPLATES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "axolotl",
        re.compile(
            r"axolotl version: ?`|<summary>See axolotl config|axolotl-badge|axolotl-ai-cloud/axolotl/(?:raw|main)"
        ),
    ),
    (
        "mergekit",
        re.compile(r"merge of pre-trained language models created using \[mergekit\]|^## Merge Details", re.M),
    ),
    (
        "diffusers",
        re.compile(
            r"According to the training script|These are .{0,120} LoRA ada?p(?:ta)?tion weights for"
            r"|information the training script had access to"
        ),
    ),
    ("unsloth", re.compile(r"trained 2x faster with \[Unsloth\]|unsloth%20made%20with%20love")),
    ("trl", re.compile(r"It has been trained using \[TRL\]|^Cite TRL as", re.M)),
    ("adapterhub", _ADAPTERHUB),
    ("autotrain", re.compile(r"Trained Using AutoTrain|AutoTrain")),
)
_NEEDLES: dict[str, tuple[str, ...]] = {
    "axolotl": ("axolotl",),
    "mergekit": ("mergekit", "Merge Details"),
    "diffusers": ("the training script", "ion weights for"),
    "unsloth": ("nsloth",),
    "trl": ("TRL",),
    "adapterhub": ("dapter",),
    "autotrain": ("AutoTrain",),
}
"""Words without one of which the template cannot be there; looking for a word is a hundred times as fast."""
_TAG_TEMPLATES = {
    "llama-factory": "llama-factory",
    "simpletuner": "simpletuner",
    "template:sd-lora": "diffusers",
    "diffusers-training": "diffusers",
    "mergekit": "mergekit",
    "axolotl": "axolotl",
    "unsloth": "unsloth",
    "autotrain": "autotrain",
    "trl": "trl",
}
_PEFT = re.compile(r"^\s*[-*]\s+PEFT:? \d+\.\d+", re.M)
_PEFT_WROTE = re.compile(
    r"^#{1,6} Framework versions[ \t]*\r?\n(?:[ \t\r]*\n|[-*] [^\n]{1,80}\n){0,12}?[-*] PEFT:? \d", re.M
)
_MODEL_ID = "# Model Card for Model ID"
TRAINER = "generated automatically according to the information the Trainer had access to"
_BITSANDBYTES = "quantization config was used during training"
_SETTING = re.compile(
    r"^(?P<indent>[ \t>]{0,12})(?:[-*][ \t]+)?(?P<quote>[`'\"]?)(?P<key>[a-z_0-9]{4,40})(?P=quote)"
    r"[ \t]{0,4}[:=][ \t]{0,4}"
    r"['\"`]?(?P<value>[\w.+\-]{1,60})",
    re.M,
)
_FINETUNING_TYPES = {"lora": "lora", "oft": "oft", "freeze": "freeze_tuning", "full": "full_finetuning"}
_AXOLOTL_ADAPTERS = {"lora": "lora", "qlora": "qlora", "llama-adapter": "adaption_prompt"}
_TRUE_SETTINGS = {
    "peft_use_dora": "dora",
    "use_dora": "dora",
    "peft_use_rslora": "rslora",
    "use_rslora": "rslora",
    "pissa_init": "pissa",
    "use_galore": "galore",
    "use_apollo": "apollo",
    "use_badam": "badam",
    "use_llama_pro": "llama_pro",
    "shift_attn": "longlora",
    "relora": "relora",
    "use_lisa": "lisa",
}
_NUMBER_SETTINGS = {"loraplus_lr_ratio": "lora_plus", "relora_steps": "relora", "lisa_n_layers": "lisa"}
SETTINGS = ("load_in_4bit", "finetuning_type", *_TRUE_SETTINGS, *_NUMBER_SETTINGS)
"""Keys of settings without which no setting shows a technique; `adapter` is one more."""
_SETTING_KEYS = frozenset({*SETTINGS, "adapter"})
_SETTING_STEMS = ("adapter", "load_in_4bit", "finetuning_type", "use_", "pissa_init", "shift_attn", "relora",
                  "loraplus_lr_ratio", "lisa_n_layers")  # fmt: skip
"""One of these is in each of the keys."""
_LYCORIS_CONFIG = re.compile(
    r"LyCORIS Config:?[ \t]*\r?\n[ \t]*```(?:json)?[ \t]*\r?\n[^`]{0,4000}?"
    r"(?P<algo>\"algo\"[ \t]*:[ \t]*\"(?P<value>[\w\-]{2,20})\")"
)
"""The settings that SimpleTuner prints into a LyCORIS adapter's card; the tags are `lora` and `lycoris` for all."""
_LYCORIS_ALGORITHMS = {
    "lora": "locon",
    "locon": "locon",
    "loha": "loha",
    "lokr": "lokr",
    "dylora": "dylora",
    "glora": "glora",
    "ia3": "ia3",
    "boft": "boft",
    "diag-oft": "lycoris_diag_oft",
    "full": "full_finetuning",
}
UNNAMED_RULES = frozenset({"trainer:load_in_4bit", "name:repository"})
"""Rules whose evidence follows from a text that does not name the technique."""
MAX_SETTINGS = 4_000


def template_of(text: str, tags: Iterable[str], library: str | None) -> str | None:
    """The tool whose template a card is, or None."""
    folded = {tag.casefold() for tag in tags}
    for tag in ("llama-factory", "simpletuner", "template:sd-lora", "diffusers-training"):
        if tag in folded:
            return _TAG_TEMPLATES[tag]
    for name, pattern in _TEMPLATES:
        if any(needle in text for needle in _NEEDLES[name]) and pattern.search(text):
            return name
    for tag, name in _TAG_TEMPLATES.items():
        if tag in folded:
            return name
    if ("PEFT" in text and _PEFT.search(text)) or (library == "peft" and _MODEL_ID in text):
        return "peft"
    return "transformers" if TRAINER in text else None


def peft_wrote(card: str, body: int) -> bool:
    """True where PEFT added its version to the list of framework versions, as it does when it saves an adapter."""
    return "Framework versions" in card and _PEFT_WROTE.search(card, body) is not None


def trainer_evidence(
    card: str, front: FrontMatter, structure: Structure, template: str | None, tags: Iterable[str]
) -> Iterator[Evidence]:
    """What the fixed parts of a template state."""
    llama_factory = template == "llama-factory" or "llama-factory" in {tag.casefold() for tag in tags}
    for match in islice(_settings(card, structure.body), MAX_SETTINGS):
        key, value = match["key"], match["value"].casefold()
        technique, named = None, True
        if key == "load_in_4bit":
            # In a card's example code it only says how the writer loads the model.
            trained = template == "axolotl" or _BITSANDBYTES in card[max(0, match.start() - 400) : match.start()]
            technique, named = ("qlora" if value == "true" and trained else None), False
        elif structure.fence(match.start()) is None and template != "axolotl":
            continue
        elif key == "adapter":
            technique = _AXOLOTL_ADAPTERS.get(value) if _is_axolotl(card, structure, match.start(), template) else None
        elif key == "finetuning_type":
            technique = _FINETUNING_TYPES.get(value)
        elif key in _TRUE_SETTINGS:
            in_config = template == "axolotl" or llama_factory or "finetuning_type" in card
            technique = _TRUE_SETTINGS[key] if value == "true" and in_config else None
        elif key in _NUMBER_SETTINGS:
            technique = _NUMBER_SETTINGS[key] if re.fullmatch(r"\d+(?:\.\d*)?", value) and float(value) > 0 else None
        if technique is not None:
            if structure.section(match.start()) in ("howto", "cite", "compare") and template != "axolotl":
                continue
            rule = f"trainer:{key}"
            yield spanned(technique, "trainer", rule, card, match.start("key"), match.end("value"), names=named)
    lycoris = _LYCORIS_CONFIG.search(card, structure.body) if "LyCORIS Config" in card else None
    if lycoris is not None and (algorithm := _LYCORIS_ALGORITHMS.get(lycoris["value"].casefold())) is not None:
        yield spanned(algorithm, "trainer", "trainer:algo", card, *lycoris.span("algo"))
    place = _ADAPTERHUB.search(card, structure.body) if template == "adapterhub" else None
    if place is not None:
        yield spanned("bottleneck_adapter", "trainer", "trainer:adapterhub", card, place.start(), place.end())
        return
    for entry in front.values("tags"):
        if entry.value.casefold().startswith("adapterhub:"):
            yield spanned("bottleneck_adapter", "trainer", "trainer:adapterhub", card, entry.start, entry.end)
            return


def _settings(card: str, body: int) -> Iterator[re.Match[str]]:
    """The lines, from `body` on, that set one of the keys that show something; in order, a few times quicker than
    looking at every line."""
    places: set[int] = set()
    for stem in _SETTING_STEMS:
        place = card.find(stem, body)
        while place >= 0:
            line = card.rfind("\n", 0, place) + 1
            if line >= body:
                places.add(line)
            end = card.find("\n", place)
            place = card.find(stem, end) if end >= 0 else -1
    for place in sorted(places):
        match = _SETTING.match(card, place)
        if match is not None and match["key"] in _SETTING_KEYS:
            yield match


def _is_axolotl(card: str, structure: Structure, offset: int, template: str | None) -> bool:
    if template == "axolotl":
        return True
    fence = structure.fence(offset)
    return fence is not None and "base_model:" in card[fence.start : min(fence.end, fence.start + 20_000)]


def tag_technique(tag: str, template: str | None, registry: Registry) -> str | None:
    """The technique a tag names; LLaMA-Factory's `freeze` and `full` count only in its own cards."""
    folded = tag.casefold()
    if template == "llama-factory" and folded in _FINETUNING_TYPES:
        return _FINETUNING_TYPES[folded]
    technique = registry.by_tag(folded)
    return None if technique is None else technique.key


def tag_rule(tag: str, template: str | None) -> tuple[EvidenceKind, str]:
    """The kind of evidence a tag is, and the rule's name: LLaMA-Factory writes its own setting as a tag."""
    folded = tag.casefold()[:60]
    if template == "llama-factory" and folded in _FINETUNING_TYPES:
        return "trainer", f"trainer:llama-factory:{folded}"
    return "tag", f"tag:{folded}"
