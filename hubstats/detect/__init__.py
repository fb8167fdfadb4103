"""Which technique a subject uses, and on what evidence.

`detect` is pure: one Document in, detections with spans and one verdict out. It reads the adapter config by value, the
names of weight files, what trainers write, tags, code, title and text, in that order of strength; a name that stands in
a negation, a comparison, advice, a list, a citation or a link is a mention and no use. Mentions are the techniques and
training recipes that the text names, used or not; DreamBooth is one of them and never a verdict's technique, since it
is a way of making training data, whichever parameters are tuned. Full fine-tuning, merged LoRA and ControlNet are no
mentions. Beside the verdict stands what the rule of "Beyond LoRA" would say (the card names exactly one technique of
the PEFT library), with QLoRA apart and as LoRA.

    >>> from hubstats.records import Document
    >>> from hubstats.techniques import load
    >>> _, verdict = detect(Document("hub", "a/b", config='{"peft_type": "LORA", "use_dora": true}'), load())
    >>> verdict.technique, verdict.overlays
    ('lora', ('dora',))
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from hubstats.detect import templates
from hubstats.detect.card import CardReading, Facts, read_text
from hubstats.detect.config import ConfigReading, read_config
from hubstats.detect.evidence import MAX_EXCERPT, Evidence, spanned
from hubstats.detect.front_matter import FrontMatter, read_front_matter
from hubstats.detect.matching import Matcher, matcher
from hubstats.detect.structure import Structure
from hubstats.detect.verdict import Ruling, is_mention, is_technique, rule
from hubstats.records import Detection, Document, EvidenceKind, Verdict
from hubstats.techniques import Registry, load

__all__ = ["DETECTOR_VERSION", "detect", "used_names", "version"]

RULES = "1"
MAX_CARD_CHARS = 1_000_000
MAX_ALIKE = 4
"""Detections kept of one technique, kind and judgement; more of the same add nothing."""

ADAPTER_FILES = frozenset({"adapter_model.safetensors", "adapter_model.bin", "pytorch_adapter.bin"})
_WHOLE_MODELS = ("merge", "quantized", "finetune")
"""Values of base_model_relation that say the repository holds no adapter."""

_CONFIG_CLASS = re.compile(r"code:(?:\w+Config|get_peft_model)")
"""Rules whose evidence is the construction of a config, or its class by name."""

DETECTOR_VERSION: str
"""Version of the rules and of the registry that comes with hubstats: RULES and a hash of both."""


def __getattr__(name: str) -> str:
    # Lazily: it needs the registry, and `hubstats --help` does not.
    if name == "DETECTOR_VERSION":
        return version(load())
    raise AttributeError(name)


@lru_cache(maxsize=8)
def version(registry: Registry) -> str:
    """The detector's version with a given registry; it changes when a rule or a technique file does."""
    digest = hashlib.sha256(registry.fingerprint.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return f"{RULES}-{digest.hexdigest()[:10]}"


def detect(
    document: Document, registry: Registry, name_ends: Sequence[int] | None = None
) -> tuple[tuple[Detection, ...], Verdict]:
    """All evidence of one document and the verdict on it. Never raises on a document's content.

    `name_ends`: the bytes of the card where a name may end, from whoever has looked already (see `prefilter`). It
    changes how long the reading takes, and nothing else.
    """
    names = matcher(registry)
    card = (document.card or "")[:MAX_CARD_CHARS]
    front = read_front_matter(card)
    tags = tuple(dict.fromkeys([*(entry.value for entry in front.values("tags")), *document.tags]))
    library = document.library_name or front.text("library_name")
    template = templates.template_of(card, tags, library)
    config = read_config(document.config, registry)
    evidence = [*config.evidence, *_weights(document, registry), *_site_type(document, registry)]
    evidence += _tags(card, front, document.tags, template, registry)
    ships_adapter = _ships_adapter(document, config, front, tags, library)
    is_adapter = ships_adapter or _own_mark(evidence, registry)
    structure = Structure(card, front.body)
    evidence += templates.trainer_evidence(card, front, structure, template, tags)
    # A local file's subject id is a path; only a listing's is the name of a repository.
    repository = document.subject_id if document.source in ("hub", "dump") else None
    facts = Facts(repository, is_adapter is not None)
    reading = read_text(card, front, structure, names, registry, facts, name_ends)
    if template == "axolotl":
        reading = _without_fences(reading, structure.fence)
    evidence += reading.evidence
    evidence += _name(document.subject_id, names)
    evidence = _without_house_default(_without_false_default(evidence, registry), registry)
    shown = _shown(evidence, registry)
    evidence += [item for item in reading.pending if item.technique in shown]
    evidence = _distinct(evidence)
    mentions = _mentions(evidence, registry)
    merged = ships_adapter is None and (reading.merged is not None or template == "mergekit")
    ruling = rule(
        evidence,
        registry,
        is_adapter=ships_adapter or _said_adapter(card, front, reading),
        merged=merged,
        mentions=mentions,
        has_config=config.state in ("peft", "adapters"),
    )
    stamp = version(registry)
    detections = tuple(_detection(item, document, stamp) for item in evidence)
    return detections, _verdict(
        document, ruling, mentions, template, _note(ruling, document, config, front), stamp, registry
    )


def used_names(detections: Iterable[Detection], verdict: Verdict) -> tuple[str, ...]:
    """The techniques that the subject itself names as used: what a person would write down who reads only the card.

    DoRA alone gives ("dora",); "LoRA adapter trained with QLoRA" gives both. A base technique that only follows from
    a variant, or QLoRA that only follows from a 4-bit block, is left out.
    """
    decided = {*verdict.overlays, *verdict.techniques, *([verdict.technique] if verdict.technique else [])}
    shown = [item for item in detections if item.use and item.rule not in templates.UNNAMED_RULES]
    # LoraConfig is the class of DoRA's config too: in code it names the base only where no variant is named.
    overlaid = {item.technique for item in shown} & {*verdict.overlays} - {"qlora"}
    named = {item.technique for item in shown if not (overlaid and _CONFIG_CLASS.fullmatch(item.rule or ""))}
    return tuple(sorted(decided & named)) if verdict.state in ("used", "several", "conflict", "merged") else ()


def _weights(document: Document, registry: Registry) -> Iterator[Evidence]:
    for file in document.weight_files[:5_000]:
        folded = file.casefold()
        base_name = folded.rpartition("/")[2]
        for technique in registry:
            for pattern in technique.weights:
                if fnmatchcase(base_name, pattern):
                    yield Evidence(technique.key, "weights", f"weights:{pattern}", None, None, file[:MAX_EXCERPT])


def _site_type(document: Document, registry: Registry) -> Iterator[Evidence]:
    technique = registry.by_site_type(document.site_type) if document.site_type else None
    if technique is not None and document.site_type:
        yield Evidence(technique.key, "type", f"type:{technique.key}", None, None, document.site_type[:MAX_EXCERPT])


def _tags(
    card: str, front: FrontMatter, listed: Sequence[str], template: str | None, registry: Registry
) -> Iterator[Evidence]:
    seen: set[str] = set()
    for value, start, end in [
        *((entry.value, entry.start, entry.end) for entry in front.values("tags")[:2_000]),
        *((tag, None, None) for tag in listed[:2_000]),
    ]:
        key = templates.tag_technique(value, template, registry)
        if key is None or key in seen:
            continue
        seen.add(key)
        kind, name = templates.tag_rule(value, template)
        if start is None or end is None:
            yield Evidence(key, kind, name, None, None, value[:MAX_EXCERPT])
        else:
            yield spanned(key, kind, name, card, start, end)


def _ships_adapter(
    document: Document, config: ConfigReading, front: FrontMatter, tags: Sequence[str], library: str | None
) -> EvidenceKind | None:
    """The kind of evidence that says outright that the repository holds an adapter, whichever it is."""
    if config.state in ("peft", "adapters"):
        return "config"
    files = {file.casefold().rpartition("/")[2] for file in document.weight_files}
    if files & ADAPTER_FILES:
        return "weights"
    folded = {tag.casefold() for tag in tags}
    relation = (front.text("base_model_relation") or "").casefold()
    if relation in _WHOLE_MODELS:
        return None
    labelled = (library or "").casefold() in ("peft", "adapters") or "peft" in folded or relation == "adapter"
    return "tag" if labelled or any(tag.startswith(("base_model:adapter:", "adapterhub:")) for tag in folded) else None


def _said_adapter(card: str, front: FrontMatter, reading: CardReading) -> EvidenceKind | None:
    """The kind of evidence in the text that an adapter is there; what says that it was merged stands against it."""
    if (front.text("base_model_relation") or "").casefold() in _WHOLE_MODELS:
        return None
    if templates.peft_wrote(card, front.body):
        return "trainer"
    return "prose" if reading.adapter_only else None


def _own_mark(evidence: Sequence[Evidence], registry: Registry) -> EvidenceKind | None:
    """The kind of a technique's own mark: a merged model may keep its tag, and its card speaks of an adapter."""
    kinds = {item.kind for item in evidence if item.use and is_technique(item.technique, registry)}
    return next((kind for kind in ("weights", "trainer", "type", "tag") if kind in kinds), None)


def _without_fences(reading: CardReading, fence: object) -> CardReading:
    # Axolotl prints its whole config, unset and leftover keys included: only the settings read as such count.
    inside = fence if callable(fence) else (lambda offset: None)
    keep = tuple(
        item for item in reading.evidence if item.start is None or item.kind != "code" or inside(item.start) is None
    )
    return CardReading(keep, reading.pending, reading.merged, reading.adapter_only)


def _name(subject_id: str, names: Matcher) -> Iterator[Evidence]:
    last = subject_id.rpartition("/")[2]
    for hit in names.find_in_name(last):
        yield Evidence(hit.technique, "name", "name:repository", None, None, last[:MAX_EXCERPT], names=False)


def _without_false_default(evidence: list[Evidence], registry: Registry) -> list[Evidence]:
    """Evidence without the use that only rests on the card being an adapter's, where other bases are shown better."""
    strong = {
        _family(item.technique, registry)
        for item in evidence
        if item.use
        and is_technique(item.technique, registry)
        and not item.rule.startswith(("adapter:", "hinted:", "title:"))
        and item.kind != "name"
    }
    weak = {_family(item.technique, registry) for item in evidence if item.use} - strong
    if not strong or not weak:
        return evidence
    return [
        Evidence(item.technique, item.kind, item.rule, item.start, item.end, item.excerpt, False, item.names)
        if item.use and item.rule.startswith(("adapter:", "hinted:")) and _family(item.technique, registry) in weak
        else item
        for item in evidence
    ]


def _without_house_default(evidence: list[Evidence], registry: Registry) -> list[Evidence]:
    # AdapterHub's card is silent on the method where it is the house's own, bottleneck adapters, and names any other.
    others = any(
        item.use
        and item.kind not in ("config", "weights")
        and _family(item.technique, registry) != "bottleneck_adapter"
        and is_technique(item.technique, registry)
        for item in evidence
    )
    return [item for item in evidence if item.rule != "trainer:adapterhub"] if others else evidence


def _shown(evidence: Iterable[Evidence], registry: Registry) -> set[str]:
    """The techniques that something else than an ambiguous name shows, and those they are variants of."""
    shown: set[str] = set()
    for item in evidence:
        key: str | None = item.technique if item.kind != "name" else None
        while key is not None and key not in shown:
            shown.add(key)
            key = registry.get(key).parent if key in registry and registry.get(key).is_overlay else None
    return shown


def _family(key: str, registry: Registry) -> str:
    return registry.base(key).key if key in registry else key


def _distinct(evidence: Iterable[Evidence]) -> list[Evidence]:
    kept: list[Evidence] = []
    counts: Counter[tuple[str, str, bool]] = Counter()
    seen: set[tuple[str, str, int | None, int | None, bool]] = set()
    for item in evidence:
        place = (item.technique, item.kind, item.start, item.end, item.use)
        group = (item.technique, item.kind, item.use)
        if place in seen or counts[group] >= MAX_ALIKE:
            continue
        seen.add(place)
        counts[group] += 1
        kept.append(item)
    return kept


def _mentions(evidence: Iterable[Evidence], registry: Registry) -> tuple[str, ...]:
    named = {item.technique for item in evidence if item.names and item.kind not in ("config", "weights", "type")}
    return tuple(sorted(key for key in named if is_mention(key, registry)))


def blog_reading(mentions: Iterable[str], registry: Registry, *, fold_qlora: bool) -> str | None:
    """The one technique of the PEFT library that is named, where exactly one is."""
    named = {key for key in mentions if key in registry and registry.get(key).library == "peft"}
    if fold_qlora and "qlora" in named:
        named = named - {"qlora"} | {"lora"}
    return next(iter(named)) if len(named) == 1 else None


def _note(ruling: Ruling, document: Document, config: ConfigReading, front: FrontMatter) -> str | None:
    notes = [ruling.note] if ruling.note else []
    if document.card is not None and len(document.card) > MAX_CARD_CHARS:
        notes.append(f"card cut at {MAX_CARD_CHARS} characters")
    if front.state in ("broken", "not_mapping", "misplaced"):
        notes.append(f"front matter {front.state}")
    if config.state in ("no_peft_type", "not_json", "not_mapping", "too_large"):
        notes.append(f"config {config.state}")
    return "; ".join(notes) or None


def _detection(item: Evidence, document: Document, stamp: str) -> Detection:
    return Detection(
        source=document.source,
        subject_id=document.subject_id,
        technique=item.technique,
        evidence_kind=item.kind,
        span_start=item.start,
        span_end=item.end,
        excerpt=item.excerpt,
        detector_version=stamp,
        rule=item.rule,
        use=item.use,
    )


def _verdict(
    document: Document,
    ruling: Ruling,
    mentions: tuple[str, ...],
    template: str | None,
    note: str | None,
    stamp: str,
    registry: Registry,
) -> Verdict:
    return Verdict(
        source=document.source,
        subject_id=document.subject_id,
        technique=ruling.technique,
        state=ruling.state,
        evidence_kind=ruling.kind,
        overlays=ruling.overlays,
        techniques=ruling.techniques,
        mentions=mentions,
        blog_technique=blog_reading(mentions, registry, fold_qlora=False),
        blog_technique_folded=blog_reading(mentions, registry, fold_qlora=True),
        template=template,
        note=note,
        detector_version=stamp,
    )
