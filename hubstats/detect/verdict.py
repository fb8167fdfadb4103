"""One verdict per subject, by the order of evidence.

The strongest kind that names a base technique in use decides. What a weaker kind says else is kept as a conflict, never
as a correction. Variants and recipes (DoRA, QLoRA) are overlays on their base technique.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from hubstats.detect.evidence import STRENGTH, Evidence
from hubstats.records import EvidenceKind, VerdictState
from hubstats.techniques import Registry, Technique

_LABEL_KINDS = frozenset({"weights", "trainer", "type", "tag", "name"})
"""Kinds whose words also serve as labels of a family: `lora` beside `loha` there means LoHa."""
_BUNDLE = "lycoris"
_BUNDLED = frozenset({"loha", "lokr", "oft", "boft", "ia3", "glora"})
"""Techniques that LyCORIS has too; the library's name beside one of them is no second technique."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The decided part of a Verdict record."""

    state: VerdictState
    technique: str | None
    kind: EvidenceKind | None
    overlays: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    note: str | None = None


def rule(
    evidence: Sequence[Evidence],
    registry: Registry,
    *,
    is_adapter: EvidenceKind | None,
    merged: bool,
    mentions: Collection[str],
    has_config: bool,
) -> Ruling:
    """The ruling on all evidence of one subject. `is_adapter`: the kind of evidence that says an adapter is there."""
    used = [item for item in evidence if item.use and is_technique(item.technique, registry)]
    levels: list[tuple[EvidenceKind, tuple[str, ...]]] = []
    kinds = {item.kind for item in used}
    for kind in filter(kinds.__contains__, STRENGTH):
        bases = _bases(kind, [item for item in used if item.kind == kind], registry)
        if bases:
            levels.append((kind, bases))
    if not levels:
        if merged:
            return Ruling("merged", None, None)
        if is_adapter is not None:
            return Ruling("unknown_adapter", None, is_adapter)
        return Ruling("mentioned" if mentions else "none", None, None)
    kind, bases = levels[0]
    overlays = _overlays(used, bases, registry, has_config)
    if len(bases) > 1:
        return Ruling("several", None, kind, overlays, bases)
    base = bases[0]
    rivals = [
        (other, key)
        for other, keys in levels[1:]
        for key in keys
        if key != base and not _same_family(key, base, other, registry)
    ]
    if merged:
        return Ruling("merged", base, kind, overlays)
    if rivals:
        note = f"{kind} says {base}; " + ", ".join(f"{other} says {key}" for other, key in rivals[:4])
        return Ruling("conflict", base, kind, overlays, tuple(sorted({base, *(key for _, key in rivals)})), note)
    return Ruling("used", base, kind, overlays)


def is_technique(key: str, registry: Registry) -> bool:
    """True for what a verdict may say is used: what tells which parameters were tuned.

    False for what is no mention either, and for a recipe that sits on no technique: DreamBooth says what the model was
    shown, and any parameters may have been tuned on it.
    """
    return is_mention(key, registry) and (key not in registry or not is_bare_recipe(registry.get(key)))


def is_bare_recipe(technique: Technique) -> bool:
    """True for a training recipe that goes with any technique."""
    return technique.kind == "recipe" and technique.parent is None


def is_mention(key: str, registry: Registry) -> bool:
    """True for what a text may mention, used or not: techniques, training recipes, types that we do not know.

    False for the baseline (full fine-tuning) and for names that only look like techniques (ControlNet, a merged LoRA).
    """
    return key not in registry or registry.get(key).kind not in ("baseline", "confounder")


def _base(key: str, registry: Registry) -> str:
    return registry.base(key).key if key in registry else key


def _sits_on(key: str, base: str, registry: Registry) -> bool:
    return key != base and key in registry and base in registry and registry.carries(base, key)


def _bases(kind: EvidenceKind, items: Iterable[Evidence], registry: Registry) -> tuple[str, ...]:
    # What only follows from a 4-bit block needs a base to sit on; it does not make one.
    keys = {item.technique for item in items if item.names or item.kind == "name"}
    # An overlay stands for its base, unless the base it sits on (Bone for MiSS bat) stands there itself.
    bases = {_base(key, registry) for key in keys if not any(_sits_on(key, other, registry) for other in keys)}
    labels = {
        label
        for label in bases
        if (kind in _LABEL_KINDS or label == _BUNDLE) and any(_labels(label, other, registry) for other in bases)
    }
    return tuple(sorted(bases - labels))


def _labels(label: str, other: str, registry: Registry) -> bool:
    """True when `label` is also the word for the family that `other` belongs to."""
    if label == other or other not in registry:
        return False
    technique = registry.get(other)
    if label == _BUNDLE:
        return technique.key in _BUNDLED or technique.library == "LyCORIS"
    if label == "lora":
        low_rank = technique.family in ("low-rank", "shared-vector", "mixture")
        return other == _BUNDLE or (technique.library != "adapters" and low_rank)
    return technique.parent == label


def _same_family(key: str, base: str, kind: EvidenceKind, registry: Registry) -> bool:
    # Writers call any small adapter a LoRA, and a name or title proves no rival.
    return _labels(key, base, registry) or kind == "name"


def _overlays(
    used: Iterable[Evidence], bases: Collection[str], registry: Registry, has_config: bool
) -> tuple[str, ...]:
    found: set[str] = set()
    for item in used:
        if item.technique not in registry or not any(registry.carries(base, item.technique) for base in bases):
            continue
        technique = registry.get(item.technique)
        if not technique.is_overlay:
            continue
        if has_config and item.kind != "config" and _config_would_show(item.technique, registry):
            continue
        found.add(technique.key)
    return tuple(sorted(found))


def _config_would_show(key: str, registry: Registry) -> bool:
    # A conversion on saving puts the initialisation back to its default: of those, absence says nothing.
    conditions = [condition for group in registry.get(key).config for condition in group]
    return bool(conditions) and not any(condition.key == "init_lora_weights" for condition in conditions)
