"""The colours of all charts, on light and on dark paper."""

from __future__ import annotations

PALETTE: dict[str, tuple[str, str]] = {
    "ink": ("#1b1e23", "#ecebe6"),
    "soft": ("#5b626b", "#a9afb8"),
    "line": ("#dddbd3", "#363b42"),
    "band": ("#eceae2", "#24282e"),
    "paper": ("#fbfaf6", "#14171a"),
    "low-rank": ("#0b66a8", "#6bb3ee"),
    "orthogonal": ("#c24a00", "#f5935a"),
    "prompt and prefix": ("#a1437f", "#df93c3"),
    "shared and spectral": ("#007a5e", "#45c4a3"),
    "scaling and selective": ("#96700a", "#dcb74a"),
    "other": ("#70757d", "#989fa8"),
}
"""Token -> colour on light and on dark paper. Families differ in lightness too, for readers who see fewer hues."""

FAMILY_GROUP = {
    "low-rank": "low-rank",
    "orthogonal": "orthogonal",
    "soft-prompt": "prompt and prefix",
    "prefix": "prompt and prefix",
    "shared-vector": "shared and spectral",
    "spectral": "shared and spectral",
    "scaling": "scaling and selective",
    "selective": "scaling and selective",
}
"""Ten families in six colours: more hues than that cannot be told apart by everyone."""


def colour(token: str) -> str:
    """The light theme's colour of a token or a technique family."""
    return PALETTE[token if token in PALETTE else FAMILY_GROUP.get(token, "other")][0]
