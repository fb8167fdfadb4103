"""Texts about software, lessons or lists that others are to use: what they name is on offer.

"a framework for fine-tuning language models", "LoRA training" below it       on offer
"Awesome PEFT: a curated list", "LoRA was applied to vision in ..."           told of others
"a legal assistant", "LoRA fine-tuning of Llama 3" below it                   the project's own
"trained with the Axolotl framework"                                          a tool that was used, not offered
"""

from __future__ import annotations

import re

from hubstats.detect.structure import Structure

LEAD_CHARS = 1_500
"""How far into the text its purpose is looked for, pictures and markup left out."""

_TOOL_TITLE = re.compile(
    r"\b(?:plug-?in|(?:custom )?nodes?|extension|loader|manager|trainer|gui|web-?ui|toolkit|tool|library|framework"
    r"|viewer|browser|converter|merger|extractor|helper|scripts?|templates?|gateway|server|proxy|router|calculator|platform|playground|recipes)\b"
)
_LESSON_TITLE = re.compile(
    r"\b(?:awesome|survey|tutorials?|handbook|syllabus|cheat ?sheet|papers|interview|from scratch|explained|notes on)\b"
    r"|(?:训练|訓練|微调|微調)(?:框架|工具|平台)|教程"
)
_NODE_PACK = re.compile(r"\bcd\s[\w./\\~-]{0,80}custom_nodes\b|custom_nodes[/\\]?[^\n]{0,40}\n\s{0,4}git clone")
"""How a pack of ComfyUI nodes is installed; the files of a LoRA go elsewhere."""
_KIND = (
    r"(?:framework|toolkit|toolbox|library|platform|package|suite|engine|harness|code ?base|playground|studio"
    r"|gui|web ?ui|recipes)"
)
_MAKES = r"(?:fine-?tun|finetun|train|peft|post-train|lora\b|llms?\b|(?:large )?language models|diffusion)"
_SOFTWARE = re.compile(
    rf"(?:\b(?:an?|the first|provides|offers)\s|^)(?:[\w\-,/&]+\s){{0,6}}?{_KIND}\s"
    rf"(?:(?:designed|built|made|meant)\s)?(?:for|to|that|which)\s(?:[\w\-/]+[\s,]+){{0,4}}?{_MAKES}"
    rf"|\ban?\s(?:[\w\-,/&]+\s){{0,5}}?(?:fine-?tuning|finetuning|training|post-training|peft|rlhf)\s"
    rf"(?:and\s[\w\-]+\s)?{_KIND}\b",
    re.MULTILINE,
)
_TOOL_IN_USE = re.compile(
    r"\b(?:using|with|via|by|on|from|through|under|leverag\w+|utili[sz]\w+|built|based|trained|uses|used)\b[^.!?\n]*$"
)
"""Words before the kind of software that make it a tool of the project: `trained with a fine-tuning library`."""
# Each of these opens with fixed text, or is looked for only where fixed text of it stands: that is ten times as quick
# as one expression of all of them.
_THIS = re.compile(
    r"this (?<!\wthis )(?:"
    r"(?:repo(?:sitory)?|guide|notebook|project|article|document|course|book|page|folder|directory)\s"
    r"(?:is|contains|provides|explains|collects|covers|gathers|offers|hosts|serves)\b[^.\n]{0,60}?"
    r"\b(?:tutorials?|guide|course|book|list|collection|survey|recipes|papers|tools and scripts)\b"
    r"|(?:tutorial|course|book|article) "
    r"|(?:document|page) (?:outlines|describes|lists|explains)\b[^.\n]{0,40}\b(?:options|how)\b"
    r"|is (?:the|an?) (?![^.\n]{0,80}\bproject)[^.\n]{0,80}\b(?:class|course|seminar)\b)"
)
_OBJECT = re.compile(r"\s(?:any|your own|hundreds|\d+\+)")
_TUNE_ANY = re.compile(
    r"(?:^\W{0,4}|[.!?]\s|\b(?:to|and|you)\s)(?:easily |quickly )?(?:fine-?tune|finetune|train)\s(?:any|your own"
    r"|hundreds|\d+\+)",
    re.MULTILINE,
)
_LESSON: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("curated ", re.compile(r"\bcurated (?:list|collection|set of (?:papers|resources))\b")),
    ("cheat", re.compile(r"\bcheat ?sheet\b")),
    ("this ", _THIS),
    ("syllabus", re.compile(r"^#{1,6}[^\n]*\bsyllabus\b", re.MULTILINE)),
    (
        "we provide",
        re.compile(
            r"\bwe provide\b[^.\n]{0,40}\b(?:examples|scripts|recipes)\b[^.\n]{0,40}\b(?:fine-?tun|finetun|train)"
        ),
    ),
    (
        "implementation of ",
        re.compile(
            r"\bimplementation of (?:the )?(?:method|technique|algorithm)s?\s"
            r"(?:described|proposed|introduced|presented)\b"
        ),
    ),
    ("种", re.compile(r"(?:微调|微調|训练|訓練)(?:百余|各|多|任意|数百)种")),
    ("教程", re.compile(r"(?:微调|微調|训练|訓練)教程")),
)
_SOFTWARE_WORDS = (
    *("framework", "tool", "library", "platform", "package", "suite", "engine", "harness", "code", "playground"),
    *("studio", "gui", "web", "recipes"),
)
"""One of these is in all that _KIND finds."""
_EXPLAINS = re.compile(
    r"\A(?:\W{0,40}[^\n]{0,200}\n)?\W{0,40}[^.\n]{0,60}\b(?:is|are)\s(?:an?\s)?(?:[\w\-]+\s){0,3}"
    r"(?:techniques?|methods?|approach(?:es)?)\s(?:for|to|that|of|which)\b"
)
"""A text that begins with what a technique is: `Textual Inversion is a technique for capturing concepts`."""
_NOISE = re.compile(r"!\[[^\]\n]{0,300}\]\([^)\n]{0,500}\)|\]\([^)\n]{0,500}\)|<[^>\n]{0,500}>|[*_`\[\]]+")
"""Pictures, badges, targets of links and markup, which can fill the beginning of a page."""
MAX_LEAD = 8_000


def is_tool(card: str, structure: Structure) -> bool:
    """Whether the text is about software that handles adapters, not about one: by its title, or how it is installed."""
    return _TOOL_TITLE.search(_title(card, structure)) is not None or (
        "custom_nodes" in card and _NODE_PACK.search(card, structure.body) is not None
    )


def is_offer(card: str, structure: Structure, *, announced: bool) -> bool:
    """Whether the text, by its title and its beginning, is about software for training, lessons or a list.

    Where the title announces one technique (`announced`), `a framework for detecting faults` is a project's own.
    """
    if _LESSON_TITLE.search(_title(card, structure)) is not None:
        return True
    lead = _NOISE.sub("", card[structure.body : structure.body + MAX_LEAD])[:LEAD_CHARS].casefold()
    lesson = _is_lesson(lead) or _EXPLAINS.search(lead) is not None
    if lesson or announced:
        return lesson
    return any(word in lead for word in _SOFTWARE_WORDS) and any(
        _TOOL_IN_USE.search(lead[max(0, match.start() - 90) : match.start()] + re.split(_KIND, match[0])[0]) is None
        for match in _SOFTWARE.finditer(lead)
    )


def _is_lesson(lead: str) -> bool:
    if any(word in lead and pattern.search(lead) is not None for word, pattern in _LESSON):
        return True
    return _OBJECT.search(lead) is not None and _TUNE_ANY.search(lead) is not None


def _title(card: str, structure: Structure) -> str:
    return card[slice(*structure.title)].casefold() if structure.title is not None else ""
