"""What an adapter_config.json says, by its values.

    {"peft_type": "LORA", "use_dora": true, "eva_config": null}     lora with dora; the null says nothing

AdapterHub gives its file the same name. It has no peft_type and is read by its own keys, which tell the methods apart:

    {"config": {"mh_adapter": true, "output_adapter": true}}                      bottleneck adapter (Houlsby)
    {"config": {"mh_adapter": true, "output_adapter": true, "phm_layer": true}}   Compacter, in the same places
    {"config": {"architecture": "lora", "composition_mode": "scale"}}             (IA)3
    {"config": {"architecture": "union", "configs": [...]}}                       each of its parts
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hubstats.detect.evidence import Evidence, spanned
from hubstats.techniques import Registry, is_true

MAX_CHARS = 2_000_000
MAX_PARTS = 8
"""Parts of an AdapterHub union that are read."""
OTHER = "other:"
"""Prefix of the key of a peft_type that the registry does not know."""

_ARCHITECTURES = frozenset({"lora", "mtl_lora", "prefix_tuning", "prompt_tuning", "reft"})
_NAMED: Mapping[str, tuple[str, ...]] = {
    **{key: (key,) for key in ("lora", "ia3", "vera", "prefix_tuning", "prompt_tuning", "reft")},
    **dict.fromkeys(("loreft", "noreft", "direft"), ("reft",)),
    "mtl_lora": ("lora",),
    "prefix_tuning_flat": ("prefix_tuning",),
    "dora": ("lora", "dora"),
    "dvora": ("vera",),
    "mam": ("prefix_tuning", "adapter_parallel"),
    "unipelt": ("prefix_tuning", "adapter_pfeiffer", "lora"),
}
"""AdapterHub's names of configs that are no bottleneck adapters, and of its unions."""

State = Literal["none", "peft", "adapters", "no_peft_type", "not_json", "not_mapping", "too_large"]


@dataclass(frozen=True, slots=True)
class ConfigReading:
    """What the file is, and the evidence in it."""

    state: State
    evidence: tuple[Evidence, ...] = ()
    values: Mapping[str, Any] | None = None


def read_config(text: str | None, registry: Registry) -> ConfigReading:
    """The evidence of a config text; never raises."""
    if text is None:
        return ConfigReading("none")
    if len(text) > MAX_CHARS:
        return ConfigReading("too_large")
    try:
        config = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return ConfigReading("not_json")
    if not isinstance(config, dict):
        return ConfigReading("not_mapping")
    peft_type = config.get("peft_type")
    if isinstance(peft_type, str) and peft_type.strip():
        return ConfigReading("peft", tuple(_peft(text, config, peft_type, registry)), config)
    found = tuple(_adapters(text, config, registry))
    return ConfigReading("adapters" if found else "no_peft_type", found, config)


def peft_type_key(value: str, registry: Registry) -> str:
    """The registry key of a peft_type as written in a file; `other:<VALUE>` for one that is not known."""
    name = value.strip().removeprefix("PeftType.")
    known = registry.by_peft_type(name) or registry.by_peft_type(name.upper())
    return known.key if known else OTHER + re.sub(r"[^\w.+-]", "_", name[:60])


def _peft(text: str, config: Mapping[str, Any], peft_type: str, registry: Registry) -> list[Evidence]:
    base = peft_type_key(peft_type, registry)
    found = [_at(text, base, "peft_type", "config:peft_type")]
    known = registry.get(base) if base in registry else None
    if known is not None:
        for variant in registry.variants_in({**config, "peft_type": known.peft_type}):
            key = next(
                condition.key
                for group in variant.config
                for condition in group
                if all(each.holds(config) for each in group)
            )
            found.append(_at(text, variant.key, key, f"config:{key}"))
    return found


def _adapters(text: str, config: Mapping[str, Any], registry: Registry) -> Iterator[Evidence]:
    inner = config.get("config")
    if isinstance(inner, str):
        # `pfeiffer+inv[reduction_factor=2]` is a name with settings, `prefix_tuning|par_bn` a union of two.
        for part in inner[:400].split("|")[:MAX_PARTS]:
            name = part.strip().partition("[")[0].removesuffix("+inv").removesuffix("_inv")
            for key in _NAMED.get(name, ()):
                yield _at(text, key, "config", "config:adapters")
            yield from _placed(text, {"config": name}, registry)
        return
    parts: list[Any] = [inner if isinstance(inner, dict) else config]
    if parts[0].get("architecture") == "union":
        union = parts[0].get("configs")
        parts = union[:MAX_PARTS] if isinstance(union, list) else []
    for part in parts:
        if not isinstance(part, dict):
            continue
        architecture = part.get("architecture")
        keys = _of_architecture(architecture, part) if isinstance(architecture, str) else ()
        for key in keys:
            yield _at(text, key, "architecture", "config:architecture")
        if not keys:
            # Early versions of the library wrote some of these keys with capitals.
            plain = {str(name).lower(): value for name, value in part.items()}
            yield from _placed(text, {"config": plain, "architecture": architecture}, registry)


def _of_architecture(architecture: str, part: Mapping[str, Any]) -> tuple[str, ...]:
    """The techniques of one AdapterHub config with an `architecture`; the library writes three more as `lora`."""
    if architecture == "lora":
        if any(part.get(key) is not None for key in ("vera_d", "vera_b")):
            return ("vera",)
        if part.get("composition_mode") == "scale":
            return ("ia3",)
        return ("lora", "dora") if is_true(part.get("use_dora")) else ("lora",)
    return _NAMED.get(architecture, ()) if architecture in _ARCHITECTURES else ()


def _placed(text: str, config: Mapping[str, Any], registry: Registry) -> Iterator[Evidence]:
    # Compacter and parallel adapters set the placement of the others too: what is more of its own stands.
    shown = {technique.key for technique in registry if technique.library == "adapters" and technique.shown_by(config)}
    own = next((key for key in ("compacter", "adapter_parallel") if key in shown), None)
    for key in sorted(shown) if own is None else [own]:
        yield _at(text, key, "config", "config:adapters")


def _at(text: str, technique: str, key: str, rule: str) -> Evidence:
    # The last occurrence counts when a key stands twice, as in JSON itself.
    name = re.escape(key.split(".")[-1])
    pattern = rf'"{name}"\s{{0,20}}:\s{{0,20}}("[^"\n]{{0,80}}"|[\w.+-]{{1,40}})?'
    place = next(iter(deque(re.finditer(pattern, text), maxlen=1)), None)
    if place is None:  # written with escapes
        return Evidence(technique, "config", rule, None, None, "")
    return spanned(technique, "config", rule, text, place.start(), place.end())
