"""Text as charts may show it. Names come from strangers' repositories, and Plotly reads a little HTML in its texts."""

from __future__ import annotations

import re
from html import escape

LONGEST_LABEL = 40
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def plain(text: object, longest: int = LONGEST_LABEL) -> str:
    """Text as one visible line of at most `longest` characters: no control, zero-width or direction marks."""
    line = _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", str(text).replace("\n", " ").replace("\t", " "))
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def safe(text: object, longest: int = LONGEST_LABEL) -> str:
    """`plain` text as Plotly shows it letter by letter, tags and entities included."""
    return escape(plain(text, longest), quote=False)


def short(name: object, longest: int = 26) -> str:
    """A name as it labels a mark: without what stands in brackets behind it."""
    return plain(str(name).partition(" (")[0] or name, longest)
