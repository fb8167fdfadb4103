"""Final answers of worked solutions: how they are cut out of a text and when two of them are equal.

    "... 48 + 24 = 72 clips.\n#### 72"                     -> "72"
    "... is equal to $4^2 = 16$. The answer is: 16"        -> "16"

The published comparison's rules: the first delimiter of the list that occurs at all, at its last place; numbers are
compared as numbers (16 = 16.0, 1/2 = 0.5), anything else as text.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

DELIMITERS = (
    "The answer is: ",
    "The answer is ",
    "The final answer is: ",
    "The final answer is ",
    "#### ",
)
LONGEST = 100_000
"""Characters of a text that are looked at, from its end."""


def extract(text: str) -> str | None:
    """The final answer a text gives, or None when it gives none in a known form."""
    text = text[-LONGEST:].strip().rstrip(".!?")
    delimiter = next((delimiter for delimiter in DELIMITERS if delimiter in text), None)
    if delimiter is None:
        return None
    answer = text.rpartition(delimiter)[2].strip()
    # what follows after a line break is another paragraph; 50% is written 50 in GSM8K
    return answer.split("\n", 1)[0].strip(" .!?$%")


def number(text: str) -> float | None:
    """The number a text is, a fraction included; None when it is none."""
    parts = text.strip().split("/")
    try:
        values = [Decimal(part.strip()) for part in parts]
        if len(values) == 2 and values[1] != 0:
            return float(values[0] / values[1])
        return float(values[0]) if len(values) == 1 else None
    except (InvalidOperation, OverflowError, ValueError):
        return None


def equal(answer: str | None, reference: str) -> bool:
    """Whether an extracted answer is the reference one. No answer is never right."""
    if answer is None:
        return False
    given, wanted = number(answer), number(reference)
    if given is not None and wanted is not None:
        return given == wanted
    return given is None and wanted is None and answer == reference
