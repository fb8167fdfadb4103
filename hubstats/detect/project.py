"""The one technique of a project that tells of its own fine-tuning, where no sentence joins the two.

"Fine-tuned Phi-3 for smart meters", and below "LLM: Phi-3 Mini (with LoRA adapter)"     LoRA was used
a tree of files with `adapter_config.json`, and beside it "LoRA settings"               LoRA was used
"a platform that fine-tunes models", and below "LoRA training in one click"             an offer
two techniques, or the one in a negation, a comparison, a plan                          nothing follows
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from hubstats.detect.evidence import Evidence
from hubstats.detect.front_matter import FrontMatter
from hubstats.detect.structure import Structure
from hubstats.detect.study import is_arm
from hubstats.detect.verdict import is_bare_recipe, is_technique
from hubstats.techniques import Registry, Technique

OPENING_CHARS = 1_500
"""How far the opening reaches: title, tagline, badges and the first section."""

_ADAPTER_FILE = re.compile(r"\badapter_(?:config\.json|model\.(?:safetensors|bin))")
_TUNED = re.compile(
    r"fine-?tun|finetun|微调|微調|精调|ファインチューニング|파인튜닝|ajust(?:e|ado|ada) fin|feinabstimm"
)
_TOLD = re.compile(
    r"\b(?:we|i)\s(?:\w+\s){0,2}(?:fine-?tuned|finetuned|trained)\b"
    r"|\b(?:was|were|been)\s(?:\w+\s)?(?:fine-?tuned|finetuned)\b",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"\b(?:supports|supporting|supported|support for|toolkit|toolbox|library|framework|platform|package|easily|easy"
    r"|tutorials?|courses?|books?|guides?|lectures?|examples?|collection|curated|awesome|survey|plug-?in"
    r"|lists? of (?:papers|resources|tools|methods|models|libraries)"
    r"|one-click|your own)\b|支持|教程|平台|框架|工具"
)
_OF_TRAINING = re.compile(
    r"\bepochs?\b|\blearning[ _]rate\b|\bbatch[ _]size\b|\b(?:training|eval(?:uation)?|validation) loss\b"
    r"|\btraining (?:data|set|time|examples|samples)\b|\btrained on\b|\btrainable param|\btrigger (?:word|phrase|token)"
    r"|\b(?:accuracy|f1|wer|bleu|rouge)\b|^#{1,6}[^\n]{0,20}\btrain(?:ing|ed)\b|\bhyper-?parameters\b|\bfine-?tuned\b"
    r"|训练轮|学习率|批次|微调|损失|損失|학습률",
    re.IGNORECASE | re.MULTILINE,
)
_ROW_OF_USE = re.compile(
    r"\s{0,4}\|[\s*`]*(?:fine-?tuning|finetuning|training|adapters?|adaptation|peft|method|technique)"
    r"(?: method| technique| strategy)?[\s*`]*\|[^|\n]{0,60}$",
    re.IGNORECASE,
)
_TUNED_CELL = re.compile(r"\bfine-?tuned\b[^|\n]{0,60}\b(?:via|with|using|by|through)\s$|[(+]\s?$", re.IGNORECASE)
_TUNED_CELL_AFTER = re.compile(r"[ \-](?:fine-?tuned|adapter)\b", re.IGNORECASE)
_OF_CHECKPOINTS = re.compile(
    r"\b(?:our|trained|released|fine-?tuned)\s(?:\w+\s)?(?:checkpoints|weights|models|adapters)\b", re.IGNORECASE
)
"""The heading above a table of what was trained."""
_DEFINITION = re.compile(
    r"[\w \-()*_`]{0,40}?\b(?:(?:is|are)(?! (?:used|applied|employed|performed|done|trained|added|attached))|allows?"
    r"|makes?|reduces?|helps?|enables?|works?|needs?|requires?|adds?|freezes?|injects?|introduces?|decomposes?|takes?"
    r"|has|have|was (?:first|introduced|proposed))\b",
    re.IGNORECASE,
)
"""What a technique is or does: `LoRA freezes the weights`, `tuning with LoRA is popular`."""
_COMMAND = re.compile(
    r"--(?:use[_-])?(?:peft|lora|qlora|tuning|finetuning|fine[_-]tuning|adapter|train)[\w\-]{0,20}"
    r"(?:[ =]+[\"']?(?:[a-z]{2,12}|true|\d{1,4})\b|\s*\\?\n)",
    re.IGNORECASE,
)
"""`--peft_method lora`, `--lora_rank 8` in a command below a heading of training"""
_TREE = re.compile(r"[\s│|]*[├└+|][─\-]+[^\n#]{1,80}#[^\n]{0,60}$")
_IN_TREE = re.compile(r"[\s\-](?:adapters?|weights|checkpoints?|fine-?tun|training)", re.IGNORECASE)
"""`├── train.py   # LoRA fine-tuning script`"""
_BOXES = re.compile(r"[\u2500-\u257f]")
_JOINED = re.compile(r"\w[ ]?\+[ ]?$")
_IN_BOX = re.compile(r"[ \-](?:adapters?|fine-?tun|training)", re.IGNORECASE)
"""`│ Llama 3 + LoRA │`, `SFT[LoRA training]` in a drawing of how the project works"""
_OWN_PART = re.compile(r"[ \-](?:adapters?|weights|checkpoints?|modules|matrices)\b", re.IGNORECASE)
_COMMENT = re.compile(
    r"[^\n#]{0,200}#[^\n]{0,100}\b(?:our|my|the|trained|fine-?tuned)\s(?:[\w\-]+\s){0,2}$", re.IGNORECASE
)
"""`# Load our LoRA adapter`"""
_MERGES = re.compile(r"\bmerges?\s(?:the\s)?$", re.IGNORECASE)
_FOUR_BITS = re.compile(r"\b(?:4[-\u2011]?bit|nf4)[\s,(]{1,2}$", re.IGNORECASE)
ENOUGH_OF_TRAINING = 2
"""Different words of training without which a text does not tell of one."""
MAX_LINE = 1_000
_SILENT = frozenset({"link", "citation", "comment", "identifier", "front_matter"})
"""Rules of names in places that say nothing of the project itself."""
_AGAINST = frozenset({"negated", "compared", "compare", "future", "list"})
_SPOKEN = frozenset({"hinted", "value", "title"})


def sole_technique(
    card: str, front: FrontMatter, structure: Structure, items: Sequence[Evidence], registry: Registry
) -> list[Evidence]:
    """The names in `items` that count as use because the project tells of its own training and names nothing else.

    Empty where any item shows use already, or where the text offers, compares, denies or plans.
    """
    said = [item for item in items if item.kind in ("prose", "title", "code")]
    told = [(item, item.rule.partition(":")[0]) for item in said if _is_base(item.technique, registry)]
    told = [(item, rule) for item, rule in told if rule not in _SILENT]
    rules = {rule for _, rule in told}
    bases = {registry.base(item.technique).key for item, _ in told}
    # A plan for another part does not undo what a table says of a part that is there.
    firm = [item for item, rule in told if rule in ("table", *_SPOKEN) and _is_firm(card, item)]
    against = _AGAINST - {"future"} if firm else _AGAINST
    if len(bases) != 1 or rules & against or any(item.use for item in said):
        return []
    files = _ADAPTER_FILE.search(card, front.body) is not None
    spoken = [
        item
        for item, rule in told
        if rule in _SPOKEN and (files or (_in_running_text(card, structure, item) and not _defines(card, item)))
    ]
    named = [item for item, rule in told if rule in ("table", "code")]
    spoken += [item for item in named if not files and _says_what_it_is(card, structure, item)]
    offered = sum(rule == "advised" for _, rule in told)
    opening = _opening(card, front, structure, told)
    own = [item for item in (*spoken, *named) if _in_row_of_files(card, item)]
    if own:
        return own
    if _OFFER.search(opening) is not None:
        return []
    if firm:
        return firm
    if files and (spoken or named):
        return spoken or named
    tells = _TUNED.search(opening) is not None or _TOLD.search(card, front.body) is not None
    # The Hub's metadata say what the repository is: a whole model, as nothing in them speaks of an adapter.
    tells = tells or (front.state == "none" and _tells_of_training(card, front, spoken))
    trees = [item for item in spoken if item.kind == "code"]
    if trees and _tells_of_training(card, front, ()):
        offered = 0  # what a script of the project does is no offer, and its results are told
    return spoken if tells and len(spoken) > offered else []


def beside_kin(card: str, structure: Structure, items: Sequence[Evidence], registry: Registry) -> list[Evidence]:
    """The names in `items` of LoRA beside QLoRA in use, or the other way round, that speak of the same adapter.

    "Fine-tuned with QLoRA", and below "the LoRA adapters take 40 MB": both names stand for what was trained.
    """
    used = {item.technique for item in items if item.use}
    told = [item for item in items if item.kind in ("prose", "code") and not item.use and item.technique not in used]
    found = []
    for item in told:
        rule = item.rule.partition(":")[0]
        if item.technique not in registry or rule not in ("hinted", "code"):
            continue
        technique = registry.get(item.technique)
        start, end = item.start or 0, item.end or 0
        before = card[_line_start(card, start) : start]
        if rule == "code":
            said = (
                _in_diagram(card, structure, item)
                or _MERGES.search(before) is not None
                or (_COMMENT.fullmatch(before) is not None and _OWN_PART.match(card, end) is not None)
            )
        elif technique.kind == "recipe":
            said = _FOUR_BITS.search(before) is not None and not _defines(card, item)
        else:
            said = _OWN_PART.match(card, end) is not None and structure.section(start) in ("training", "other")
        kin = any(key in registry and _are_kin(registry.get(key), technique) for key in used)
        if said and kin:
            found.append(item)
    return found


def _are_kin(one: Technique, other: Technique) -> bool:
    """A recipe and the technique it is made of: QLoRA is LoRA on a base of 4 bits."""
    return (one.kind == "recipe" and one.parent == other.key) or (other.kind == "recipe" and other.parent == one.key)


def _in_row_of_files(card: str, item: Evidence) -> bool:
    """`| adapter_model.safetensors | LoRA weights |`: the project's own files, and what they are."""
    start, end = item.start or 0, item.end or 0
    begin = _line_start(card, start)
    return item.kind == "prose" and _ADAPTER_FILE.search(card, begin, start) is not None and "\n" not in card[begin:end]


def _in_diagram(card: str, structure: Structure, item: Evidence) -> bool:
    start, end = item.start or 0, item.end or 0
    fence = structure.fence(start)
    if fence is None or fence.language not in ("", "text", "txt", "plaintext", "mermaid"):
        return False
    begin = _line_start(card, start)
    line = card[begin : end + 300].split("\n", 1)[0]
    if fence.language != "mermaid" and _BOXES.search(line) is None:
        return False
    return _JOINED.search(card[begin:start]) is not None or _IN_BOX.match(card, end) is not None


def _says_what_it_is(card: str, structure: Structure, item: Evidence) -> bool:
    """A row `| Fine-tuning | LoRA | why |`, a row of results, an option of a training command, a file in a tree."""
    start, end = item.start or 0, item.end or 0
    begin = _line_start(card, start)
    if item.kind == "prose":
        return (
            _ROW_OF_USE.match(card, begin, start) is not None
            or _in_tuned_cell(card, begin, start, end)
            or (_OF_CHECKPOINTS.search(structure.heading(start)) is not None and card[begin:start].lstrip()[:1] == "|")
            or is_arm(card, start, end)
        )
    if structure.section(start) == "training" and _COMMAND.search(card, max(begin, start - 40), end + 40) is not None:
        return True
    if _in_diagram(card, structure, item):
        return True
    return _TREE.match(card, begin, start) is not None and _IN_TREE.match(card, end, end + 60) is not None


def _is_firm(card: str, item: Evidence) -> bool:
    start, end = item.start or 0, item.end or 0
    return _in_tuned_cell(card, _line_start(card, start), start, end) or _in_row_of_files(card, item)


def _in_tuned_cell(card: str, begin: int, start: int, end: int) -> bool:
    """`| Captioner | fine-tuned Qwen (via LoRA) |`, `| Model | Gemma (LoRA fine-tuned) |`."""
    if card[begin:start].lstrip()[:1] != "|":
        return False
    cell = card[max(begin, card.rfind("|", begin, start) + 1) : start]
    before = _TUNED_CELL.search(cell)
    if before is None:
        return False
    return before[0].strip() not in ("(", "+") or _TUNED_CELL_AFTER.match(card, end) is not None


def _tells_of_training(card: str, front: FrontMatter, spoken: Sequence[Evidence]) -> bool:
    """Whether a line that names the technique speaks of tuning, or the text of how training went."""
    lines = (card[_line_start(card, item.start or 0) :][:MAX_LINE].partition("\n")[0] for item in spoken)
    if any(_TUNED.search(line.casefold()) for line in lines):
        return True
    return len({word.casefold() for word in islice(_OF_TRAINING.findall(card, front.body), 50)}) >= ENOUGH_OF_TRAINING


def as_use(item: Evidence) -> Evidence:
    """The same place as evidence of use."""
    return replace(item, use=True, rule=f"project:{item.excerpt[:60]}")


def _is_base(key: str, registry: Registry) -> bool:
    return key in registry and is_technique(key, registry) and not is_bare_recipe(registry.get(key))


def _opening(card: str, front: FrontMatter, structure: Structure, told: Sequence[tuple[Evidence, str]]) -> str:
    """Title, tagline and first section, without the lines that name the technique: those were judged by themselves."""
    starts = [start for start in structure.section_starts() if start > (structure.title or (front.body, 0))[0]]
    end = min(starts[1] if len(starts) > 1 else len(card), front.body + OPENING_CHARS)
    naming = {_line_start(card, item.start or 0) for item, _ in told}
    lines, place = [], front.body
    for line in card[front.body : end].splitlines(keepends=True):
        if place not in naming:
            lines.append(line)
        place += len(line)
    return "".join(lines).casefold()


def _in_running_text(card: str, structure: Structure, item: Evidence) -> bool:
    start = item.start or 0
    in_table = card[_line_start(card, start) : start].lstrip().startswith("|")
    return not in_table and structure.section(start) not in ("howto", "compare", "future", "cite")


def _defines(card: str, item: Evidence) -> bool:
    return _DEFINITION.match(card, item.end or 0, (item.end or 0) + 120) is not None


def _line_start(card: str, offset: int) -> int:
    return card.rfind("\n", max(0, offset - 1_000), offset) + 1
