"""What the text of a card names, and which of it shows use.

Each name that `matching` finds is judged by the kind of text it stands in (`structure`) and by its sentence
(`context`). A card of an adapter that names a technique without qualification uses it; a card of a base model that
does so only mentions it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from hubstats.detect import context as sentence
from hubstats.detect import settings
from hubstats.detect.evidence import Evidence, spanned
from hubstats.detect.front_matter import FrontMatter
from hubstats.detect.holdings import holds_adapter, merged_at
from hubstats.detect.matching import Hit, Matcher
from hubstats.detect.offer import is_offer, is_tool
from hubstats.detect.project import as_use, beside_kin, sole_technique
from hubstats.detect.structure import Structure
from hubstats.detect.study import is_arm, is_study
from hubstats.detect.verdict import is_bare_recipe, is_technique
from hubstats.records import EvidenceKind
from hubstats.techniques import Registry

MAX_JUDGED = 400
"""Names judged in one card, and of one technique no more than MAX_JUDGED_EACH; the rest repeat them."""
MAX_JUDGED_EACH = 60
MAX_LINE = 4_000
CROWD = 3
"""A sentence or list that names this many base techniques is a survey."""

_CALL = re.compile(r"\s{0,4}\(")
_ARGUMENT = re.compile(
    r"\b([a-z_]\w{0,40})\s{0,3}=\s{0,3}(True|False|None|\"[^\"\n]{0,60}\"|'[^'\n]{0,60}'|-?\d+(?:\.\d+)?)"
)
_UNSLOTH = re.compile(r"\bFast\w{0,20}Model\.get_peft_model\s{0,4}\(")
_PEFT_TYPE = re.compile(r"[\"']peft_type[\"']\s{0,4}:\s{0,4}[\"']([A-Z][A-Z0-9_]{1,40})[\"']")
_LOADS = re.compile(
    r"(?:PeftModel(?:\w{0,40})?\.from_pretrained|AutoPeft\w{0,40}\.from_pretrained|\.load_adapter|\.from_finetuned"
    r"|\.load_lora_weights)\s{0,4}\(\s{0,8}(?:[\w.]{1,60}\s{0,4},\s{0,8})?[\"']([\w.\-]{1,96}(?:/[\w.\-]{1,96})?)[\"']"
)
_LOAD_NEEDLES = ("from_pretrained", ".load_adapter", ".from_finetuned", ".load_lora_weights")
"""One of these is in all that `_LOADS` finds."""
_UNNAMED = ("get_peft_model", "peft_type")
"""Code that shows a technique without its name."""
_OWN_WEIGHTS = re.compile(r"--lora_(?:weights|path|model)[ =]['\"]?([\w.\-]{1,96}/[\w.\-]{1,96})")
_SETTINGS_BELOW = re.compile(
    r"[^\w\n]{0,6}(?:config(?:uration)?|settings|(?:hyper-?)?parameters|adapter)?[^\w\n]{0,6}\n\s{0,4}[-*|+`\s]{0,8}"
    r"(?:lora[_ ])?(?:r|rank|alpha)\b[^\n\d]{0,16}[:=|][\s`*|]{0,6}\d",
    re.IGNORECASE,
)
"""`### LoRA`, and below it `- r: 16`."""
_TOLD = re.compile(
    r"\b(?:we|i)\s(?:\w+\s){0,2}(?:used|utili[sz]ed|fine-?tuned|finetuned|trained|employed|applied|leveraged|adopted"
    r"|chose)\b|\b(?:was|were)\s(?:\w+\s)?(?:fine-?tuned|finetuned|trained)\b",
    re.IGNORECASE,
)
"""Words of one's own training, whatever the heading above them promises."""
_LINK_TEXT = re.compile(r"[^\[\]\n]*\]\(")
"""What follows a name inside the words of a link: it is told of another place."""
_OF_OTHERS = re.compile(
    r"\bvs\b|versus|guide|tutorial|how to|support|merged|\bno\b|without|not\b|compar|\bexamples?\b|\bintegrations?\b"
)
"""Words of a title that announces no adapter."""
_LIST_GAP = re.compile(r"[\s,/&+|*`_()\[\]]*(?:(?:and|or|nor|und|et|y)[\s*`_]*)?(?:the\s)?$")
_LIST_ON = re.compile(r"[*`_\])]{0,3}(?:\s{0,2}[,/]|\s{1,2}(?:or|and|nor)\b)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the subject besides the text."""

    repository: str | None
    """Id of the repository the card belongs to; None for a card of unknown origin."""
    is_adapter: bool
    """Something other than the text says that an adapter is in the repository."""


@dataclass(frozen=True, slots=True)
class CardReading:
    """The evidence in a card's text."""

    evidence: tuple[Evidence, ...]
    pending: tuple[Evidence, ...]
    """Ambiguous names, to be counted only where the technique shows otherwise."""
    merged: tuple[int, int] | None
    """Where the card says that an adapter was merged into the base."""
    adapter_only: bool = False
    """The card says that what the repository holds is an adapter, whichever it is."""


def read_text(
    card: str,
    front: FrontMatter,
    structure: Structure,
    matcher: Matcher,
    registry: Registry,
    facts: Facts,
    name_ends: Sequence[int] | None = None,
) -> CardReading:
    """The evidence in a card's text below the front matter, and the names inside the front matter."""
    if name_ends is not None and not name_ends and not any(word in card for word in _UNNAMED):
        return CardReading((), (), merged_at(card, structure), holds_adapter(card, structure))
    hits = [
        hit for hit in matcher.find(card, name_ends) if hit.start >= front.body or front.start <= hit.start < front.end
    ]
    body_hits = [hit for hit in hits if hit.start >= front.body]
    title_names = _title_names(card, structure, matcher)
    titled = _title_adapter(structure, body_hits, registry, card)
    named = bool(body_hits or title_names or structure.fences)
    offers = named and not facts.is_adapter and is_offer(card, structure, announced=titled is not None)
    tool = offers or (named and not facts.is_adapter and is_tool(card, structure))
    titled = None if tool else titled
    is_adapter = facts.is_adapter or titled is not None
    judge = _Judge(
        card,
        structure,
        registry,
        is_adapter,
        body_hits,
        is_tool=tool,
        offers=offers,
        only=None if facts.is_adapter else titled,
    )
    found: list[Evidence] = []
    pending: list[Evidence] = []
    judged: Counter[str] = Counter()
    for hit in hits:
        judged[hit.technique] += 1
        if judged[hit.technique] > MAX_JUDGED_EACH or (judged.total() > MAX_JUDGED and judged[hit.technique] > 1):
            continue
        if hit.start < front.body or (front.state == "misplaced" and front.start <= hit.start < front.end):
            item = spanned(hit.technique, "prose", "front_matter", card, hit.start, hit.end, use=False)
        else:
            item = judge.evidence(hit)
        (found if hit.settled else pending).append(item)
    found += [] if tool else title_names
    found += [
        item
        for item in _code(card, structure, registry, is_adapter, offers=offers)
        if judge.only is None or not item.use or registry.base(item.technique).key == judge.only
    ]
    found += [] if offers else _loads(card, structure, matcher, facts)
    if not is_adapter and not tool:
        shown = set(map(id, sole_technique(card, front, structure, found, registry)))
        found = [as_use(item) if id(item) in shown else item for item in found]
    shown = set(map(id, beside_kin(card, structure, found, registry))) if not tool else set()
    found = [as_use(item) if id(item) in shown else item for item in found]
    merged = merged_at(card, structure)
    if merged is not None:
        found = [_in_merge(item, card, merged) for item in found]
    return CardReading(tuple(found), tuple(pending), merged, holds_adapter(card, structure))


def _in_merge(item: Evidence, card: str, merged: tuple[int, int]) -> Evidence:
    # "LoRA weights were merged into the base" says that LoRA was used.
    if item.use or item.start is None or item.end is None or not merged[0] <= item.start < merged[1]:
        return item
    return spanned(item.technique, item.kind, f"merged:{item.excerpt}", card, item.start, item.end)


def _title_names(card: str, structure: Structure, matcher: Matcher) -> list[Evidence]:
    # `Model Card for qwen_lora_v2`: the underscore hides the name from the text matcher.
    if structure.title is None or _OF_OTHERS.search(card[slice(*structure.title)].casefold()) is not None:
        return []
    start, end = structure.title
    return [
        spanned(hit.technique, "name", "name:title", card, start + hit.start, start + hit.end, names=False)
        for hit in matcher.find_in_name(card[start:end])
    ]


def _title_adapter(structure: Structure, hits: list[Hit], registry: Registry, card: str) -> str | None:
    """The base technique whose adapter the title announces."""
    if structure.title is None:
        return None
    start, end = structure.title
    bases = {registry.base(hit.technique) for hit in hits if start <= hit.start < end and hit.settled}
    # `DreamBooth LoRA` is an adapter's title, `Full fine-tune and LoRA` is of two things, `ControlNet` is of none.
    rivals = {base.key for base in bases if base.kind != "confounder" and not is_bare_recipe(base)}
    title = card[start:end].casefold()
    announces = (
        len(rivals) == 1 and all(is_technique(key, registry) for key in rivals) and _OF_OTHERS.search(title) is None
    )
    return next(iter(rivals)) if announces else None


def line_start(text: str, offset: int) -> int:
    """Where the line of an offset begins; a line longer than MAX_LINE is taken in pieces."""
    floor = max(0, offset - MAX_LINE)
    found = text.rfind("\n", floor, offset)
    return found + 1 if found >= 0 else (0 if floor == 0 else offset // MAX_LINE * MAX_LINE)


class _Judge:
    """Judges the names of one card."""

    def __init__(
        self,
        card: str,
        structure: Structure,
        registry: Registry,
        is_adapter: bool,
        hits: list[Hit],
        *,
        is_tool: bool = False,
        offers: bool = False,
        only: str | None = None,
    ) -> None:
        self.card, self.structure, self.registry, self.is_adapter = card, structure, registry, is_adapter
        self.is_tool, self.offers = is_tool, offers
        self.only = only
        """The base technique that the title announces, where nothing else says that an adapter is there."""
        self.code_names = _code_names(registry)
        self.by_line: dict[int, set[str]] = {}
        self.starts: dict[int, set[str]] = {}
        for hit in hits:
            self.starts.setdefault(hit.start, set()).add(hit.technique)
            base = registry.base(hit.technique)
            if not is_bare_recipe(base):  # `DreamBooth with LoRA` names one technique
                self.by_line.setdefault(line_start(card, hit.start), set()).add(base.key)
        self.last: tuple[int, bool, str] | None = None
        self.arms: frozenset[str] = frozenset()
        if not is_tool and not is_adapter and is_study(card, structure):
            named = hits[:MAX_JUDGED]
            arms = frozenset(hit.technique for hit in named if hit.settled and is_arm(card, hit.start, hit.end))
            self.arms = arms if len({registry.base(key).key for key in arms}) > 1 else frozenset()

    def evidence(self, hit: Hit) -> Evidence:
        kind, use, rule = self._judge(hit)
        self.last = (hit.end, use, rule)
        return spanned(hit.technique, kind, f"{rule}:{hit.alias.text}", self.card, hit.start, hit.end, use=use)

    def _judge(self, hit: Hit) -> tuple[EvidenceKind, bool, str]:
        if self._is_basis(hit):
            return "prose", False, "basis"
        region = self.structure.region(hit.start, hit.end)
        if region in ("link", "citation", "comment", "identifier"):
            return "prose", False, region
        if region == "code":
            return "code", False, "code"
        kind: EvidenceKind = "title" if region == "title" else "prose"
        words = sentence.read_context(self.card, hit.start, hit.end)
        section = self.structure.section(hit.start)
        if sentence.negated(words):
            return kind, False, "negated"
        if (
            self._goes_on_from_last(hit)
            and self.last is not None
            and self.last[2] in ("negated", "compared", "advised", "list")
        ):
            return kind, False, self.last[2]
        if sentence.compared(words):
            return kind, False, "compared"
        if words.cells > 2:
            return kind, hit.technique in self.arms and is_arm(self.card, hit.start, hit.end), "table"
        crowded = self._crowd(hit) >= CROWD
        if words.to_do:
            return kind, False, "future"
        if section != "compare" and sentence.stated(words) and (not crowded or sentence.trained_all(words)):
            return kind, not self.offers or sentence.told(words), "stated"
        if self._goes_on_from_last(hit) and self.last is not None and self.last[1:] == (True, "stated"):
            return kind, True, "stated"
        if hit.alias.text in self.code_names:
            stands = self.is_adapter and section not in ("cite", "compare", "future", "howto")
            return "code", stands and self._announced(hit.technique), "code"
        value = settings.as_value(words)
        if value is not None and not crowded:
            training = self.is_adapter or section not in ("howto", "compare", "future")
            training = training or (section == "howto" and self._told(hit))
            own = not self.offers or (section == "training" and settings.is_setting(words))
            return kind, value and training and own, "value" if value else "advised"
        if sentence.advised(words):
            return kind, False, "advised"
        if crowded or self._listed(hit, words):
            return kind, False, "list"
        if kind == "title":
            return kind, self.is_adapter, "title"
        if self.is_tool:
            return kind, False, "offered"
        if region == "heading" and section == "training" and settings.heads_settings(words):
            return kind, True, "heading"
        if section in ("training", "other") and self._heads_values(hit):
            return kind, True, "heading"
        if region == "prose" and section not in ("howto", "compare", "future") and sentence.tagline(words):
            return kind, _LINK_TEXT.match(self.card, hit.end, hit.end + 300) is None, "tagline"
        if section in ("compare", "future"):
            return kind, False, section
        if self.is_adapter:
            return kind, self._announced(hit.technique), "adapter"
        # `for LoRA/IA3 adapters` says what there is: weak wording is no use where the line names a rival.
        alone = self._crowd(hit) == 1
        weak = section == "training" and alone
        return kind, weak and sentence.hinted(words), "hinted"

    def _is_basis(self, hit: Hit) -> bool:
        # `LoRA-based DoRA` names what DoRA rests on.
        if self.card[hit.end : hit.end + 7].casefold() not in ("-based ", " based "):
            return False
        base = self.registry.base(hit.technique).key
        return any(
            key != hit.technique and self.registry.base(key).key == base for key in self.starts.get(hit.end + 7, ())
        )

    def _announced(self, key: str) -> bool:
        return self.only in (None, self.registry.base(key).key)

    def _told(self, hit: Hit) -> bool:
        start = max(self.structure.section_start(hit.start), hit.start - 800)
        return _TOLD.search(self.card, start, hit.start) is not None

    def _heads_values(self, hit: Hit) -> bool:
        line = line_start(self.card, hit.start)
        return (
            re.search(r"\w", self.card[line : hit.start]) is None
            and _SETTINGS_BELOW.match(self.card, hit.end, hit.end + 200) is not None
        )

    def _goes_on_from_last(self, hit: Hit) -> bool:
        if self.last is None or not 0 <= hit.start - self.last[0] <= 30:
            return False
        gap = self.card[self.last[0] : hit.start]
        if _LIST_GAP.fullmatch(gap) is None:
            return False
        # `without LoRA, QLoRA or DoRA` goes on; `unlike LoRA, IA3 scales` does not.
        return re.search(r"[a-z/&+|]", gap) is not None or _LIST_ON.match(self.card, hit.end) is not None

    def _crowd(self, hit: Hit) -> int:
        line = line_start(self.card, hit.start)
        return len(self.by_line.get(line, ()))

    def _listed(self, hit: Hit, words: sentence.Context) -> bool:
        # Neighbouring list items that name different techniques are a list of what there is.
        if not words.bullet:
            return False
        line = line_start(self.card, hit.start)
        own = self.by_line.get(line, set())
        before = line_start(self.card, max(0, line - 1))
        after = self.card.find("\n", hit.end) + 1
        beside = [self.by_line[place] for place in (before, after) if place != line and place in self.by_line]
        return any(other - own and own - other for other in beside)


def _code(card: str, structure: Structure, registry: Registry, is_adapter: bool, *, offers: bool) -> Iterator[Evidence]:
    classes = registry.config_classes()
    names = _class_names(registry)
    for fence in structure.fences[:200]:
        section = structure.section(fence.start)
        use = section == "training" or (is_adapter and section not in ("cite", "compare", "future"))
        use = use and not offers
        text = card[fence.start : fence.end]
        for match in islice(names.finditer(text) if "Config" in text else (), 50):
            called = _CALL.match(text, match.end())
            if called is None:
                continue
            key = classes[match[0]]
            start = fence.start + match.start()
            yield spanned(key, "code", f"code:{match[0]}", card, start, fence.start + called.end(), use=use)
            values = {"peft_type": registry.get(key).peft_type, **_arguments(text, called.end())}
            for variant in registry.variants_in(values):
                yield spanned(
                    variant.key, "code", f"code:{variant.key}", card, start, fence.start + called.end(), use=use
                )
        for match in islice(_UNSLOTH.finditer(text), 10):
            start, end = fence.start + match.start(), fence.start + match.end()
            yield spanned("lora", "code", "code:get_peft_model", card, start, end, use=use)
            for variant in registry.variants_in({"peft_type": "LORA", **_arguments(text, match.end())}):
                yield spanned(variant.key, "code", f"code:{variant.key}", card, start, end, use=use)
        for match in islice(_PEFT_TYPE.finditer(text), 10):
            known = registry.by_peft_type(match[1])
            if known is not None:
                start, end = fence.start + match.start(), fence.start + match.end()
                yield spanned(known.key, "code", "code:peft_type", card, start, end, use=use)


@lru_cache(maxsize=4)
def _code_names(registry: Registry) -> frozenset[str]:
    """Names that stand in code: config classes and calls."""
    return frozenset({*registry.config_classes(), *(call for technique in registry for call in technique.calls)})


@lru_cache(maxsize=4)
def _class_names(registry: Registry) -> re.Pattern[str]:
    classes = sorted((name for name in registry.config_classes() if "Config" in name), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, classes))})\b")


def _arguments(text: str, start: int) -> Mapping[str, Any]:
    """The literal keyword arguments of the call that opens before `start`."""
    depth, end = 1, start
    for end in range(start, min(len(text), start + 2_000)):
        depth += (text[end] in "([{") - (text[end] in ")]}")
        if depth == 0:
            break
    lines = "\n".join(line.split("#", 1)[0] for line in text[start:end].split("\n"))
    return {match[1]: ast.literal_eval(match[2]) for match in _ARGUMENT.finditer(lines)}


def _loads(card: str, structure: Structure, matcher: Matcher, facts: Facts) -> Iterator[Evidence]:
    """Adapters that the card's code loads: the card's own, unless another repository's name stands there."""
    loads = any(word in card for word in _LOAD_NEEDLES)
    for match in islice(_LOADS.finditer(card, structure.body) if loads else (), 20):
        if not _is_own(match[1], facts.repository):
            continue
        end = match.end(1)
        if "load_lora_weights" in match[0]:
            yield spanned("lora", "code", "code:load_lora_weights", card, match.start(), end)
        name = match[1].rpartition("/")[2]
        for hit in matcher.find_in_name(name):
            yield spanned(
                hit.technique, "name", "name:loaded", card, end - len(name) + hit.start, end - len(name) + hit.end
            )
    for match in islice(_OWN_WEIGHTS.finditer(card, structure.body), 5):
        if _is_own(match[1], facts.repository):
            yield spanned("lora", "code", "code:lora_weights", card, match.start(), match.end())


def _is_own(named: str, repository: str | None) -> bool:
    return repository is None or "/" not in named or named.casefold() == repository.casefold()
