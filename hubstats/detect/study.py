"""Texts of a project that trained several techniques to hold them against each other, and what they trained.

"We compare three PEFT methods on GSM8K", and a table of accuracies with a row for each      all rows were trained
"compared with other PEFT methods, ours is better", the same table                           no study: a claim
"supported methods", and a table of the memory that each needs                               no study: an offer
"""

from __future__ import annotations

import re

from hubstats.detect.structure import Structure

LEAD_CHARS = 3_000
"""How far into the text its purpose is looked for."""
MAX_TABLE = 6_000
"""Characters of a table, above and below a row, that are read."""

_METHODS = (
    r"(?:fine[- ]?tuning|finetuning|tuning|peft|parameter[- ]efficient|adaptation|adapters?|training)\b[^.!?\n]{0,60}?"
    r"\b(?:methods?|techniques?|strateg(?:y|ies)|approaches|configurations?|variants?)\b|\bpeft\b"
)
_STUDY = re.compile(
    r"\b(?:comparison|comparing|compares?|compared(?! (?:to|with|against))|benchmark(?:s|ed|ing)?|bake-?off"
    r"|evaluat(?:es?|ed|ing)|head-to-head|ablation|empirical study|investigat(?:es?|ed|ing)"
    rf"|experiments? (?:with|on))\b[^.!?\n]{{0,120}}?\b(?:{_METHODS})"
    rf"|\b(?:{_METHODS})[^.!?\n]{{0,60}}?\b(?:are|were|is) (?:\w+ )?(?:compared|evaluated|benchmarked)\b"
    rf"|\b(?:{_METHODS})[^.!?\n]{{0,20}}?\b(?:comparison|benchmark(?:ing)?|bake-?off|experiments)\b"
)
_STUDY_WORDS = ("compar", "benchmark", "bake", "evaluat", "head-to-head", "ablation", "empirical", "investigat",
                "experiment")  # fmt: skip
"""One of these is in all that _STUDY finds; looking for words is much quicker."""
_NO_STUDY = re.compile(
    r"\b(?:an?|the|this|our|is)\s(?:[\w\-]+\s){0,3}(?:library|toolkit|toolbox|survey|tutorial|guide|plug-?in|package)\b"
    r"|\b(?:awesome|curated|cheat ?sheet|we propose|we introduce|novel|supported)\b"
)
_QUALITY = re.compile(
    r"\b(?:acc(?:uracy)?|f1|rouge|bleu|meteor|bert-?score|loss|scores?|em|exact|perplexity|ppl|wer|cer|mcc|auc|auroc"
    r"|precision|recall|win|pass@\d+|mmlu|gsm8k|glue|sst-?2|mrpc|rte|pearson|spearman|correlation|fid|clip)\b"
)


def is_study(card: str, structure: Structure) -> bool:
    """Whether the beginning of a text says that it holds fine-tuning methods against each other."""
    lead = card[structure.body : structure.body + LEAD_CHARS].casefold()
    return (
        any(word in lead for word in _STUDY_WORDS)
        and _STUDY.search(lead) is not None
        and _NO_STUDY.search(lead[:800]) is None
    )


def is_arm(card: str, start: int, end: int) -> bool:
    """Whether a name stands for a row or a column of measured values: `| LoRA (r=8) | 0.3% | 81.2 |`."""
    line_start = card.rfind("\n", max(0, start - MAX_TABLE), start) + 1
    line_end = card.find("\n", end, end + MAX_TABLE)
    line_end = min(len(card), end + MAX_TABLE) if line_end < 0 else line_end
    before = card[line_start:start].strip().removeprefix("|").split("|")
    cells = [cell.strip() for cell in card[line_start:line_end].strip().strip("|").split("|")]
    column = len(before) - 1
    above = _lines(card[max(0, line_start - MAX_TABLE) : line_start].splitlines()[::-1])
    below = _lines(card[line_end : line_end + MAX_TABLE].splitlines()[1:])
    if above:
        values = [cell for cell in cells[column + 1 :] if _is_measured(cell)]
        return column <= 2 and bool(values) and _QUALITY.search(above[-1].casefold()) is not None
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in below]
    return column > 0 and any(
        len(row) > column and _is_measured(row[column]) and _QUALITY.search(row[0].casefold()) for row in rows
    )


def _lines(lines: list[str]) -> list[str]:
    """The lines of a table that come first: those up to one without a bar."""
    end = next((number for number, line in enumerate(lines) if "|" not in line), len(lines))
    return lines[:end]


def _is_measured(cell: str) -> bool:
    return re.match(r"[*_`~<>≈±+\-\s]{0,6}\d", cell) is not None
