"""What an adapter_config.json says, by its values.

    {"peft_type": "LORA", "use_dora": true, "eva_config": null}     lora with dora; the null says nothing

AdapterHub gives its file the same name: it has no peft_type and is read by its own keys.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hubstats.detect.evidence import Evidence, spanned
from hubstats.techniques import Registry

MAX_CHARS = 2_000_000
OTHER = "other:"
"""Prefix of the key of a peft_type that the registry does not know."""

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


def _adapters(text: str, config: Mapping[str, Any], registry: Registry) -> list[Evidence]:
    inner = config.get("config")
    architecture = inner.get("architecture") if isinstance(inner, dict) else config.get("architecture")
    if architecture in ("lora", "prefix_tuning", "prompt_tuning"):
        return [_at(text, str(architecture), "architecture", "config:architecture")]
    return [
        _at(text, technique.key, "config", "config:adapters")
        for technique in registry
        if technique.library == "adapters" and technique.shown_by(config)
    ]


def _at(text: str, technique: str, key: str, rule: str) -> Evidence:
    # The last occurrence counts when a key stands twice, as in JSON itself.
    name = re.escape(key.split(".")[-1])
    pattern = rf'"{name}"\s{{0,20}}:\s{{0,20}}("[^"\n]{{0,80}}"|[\w.+-]{{1,40}})?'
    place = next(iter(deque(re.finditer(pattern, text), maxlen=1)), None)
    if place is None:  # written with escapes
        return Evidence(technique, "config", rule, None, None, "")
    return spanned(technique, "config", rule, text, place.start(), place.end())
