"""The colours of all charts, on light and on dark paper."""

from __future__ import annotations

PALETTE: dict[str, tuple[str, str]] = {
    "ink": ("#1b1e23", "#ecebe6"),
    "soft": ("#5b626b", "#a9afb8"),
    "line": ("#dddbd3", "#363b42"),
    "band": ("#eceae2", "#24282e"),
    "paper": ("#fbfaf6", "#14171a"),
    "low-rank": ("#2c6eb5", "#3c6dcb"),
    "orthogonal": ("#812601", "#bc4508"),
    "prompt and prefix": ("#5f295b", "#934e77"),
    "shared and spectral": ("#2aa090", "#71a181"),
    "scaling and selective": ("#927b1e", "#e5b200"),
    "other": ("#656565", "#b7bdd2"),
}
"""Token -> colour on light and on dark paper. The six families and ink were found by a search for the greatest least
distance between any two as seen with each kind of colour blindness; tests/test_charts.py holds them to it."""

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
