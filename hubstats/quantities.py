"""Amounts as people write them, 12GB or 1h30m, as plain numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from hubstats.errors import ConfigError

BYTES: Mapping[str, float] = {
    "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
SECONDS: Mapping[str, float] = {
    "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86400,
}  # fmt: skip

_MEMORY = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)")
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)\s*")
LONGEST = 60


def bytes_of(text: str) -> float:
    """12GB, 12 GiB, 800MB as bytes (GB decimal, GiB binary). Raises ConfigError saying how to write it."""
    found = _MEMORY.fullmatch(text.strip().casefold())
    how = "write a memory as 12GB, 800MB or 16GiB"
    if found is None:
        raise ConfigError(f"'{shortened(text)}' is no memory; {how}")
    unit = found[2] if found[2] in BYTES else f"{found[2]}b"
    if unit not in BYTES:
        raise ConfigError(f"'{shortened(found[2])}' is no unit of memory{_near(found[2], BYTES)}; {how}")
    return _positive(float(found[1]) * BYTES[unit], text, how)


def seconds_of(text: str) -> float:
    """90s, 45min, 1h, 1h30m as seconds. Raises ConfigError saying how to write it."""
    rest, total, how = text.strip().casefold(), 0.0, "write a time as 45min, 1h or 1h30m"
    if not rest:
        raise ConfigError(f"'' is no time; {how}")
    while rest:
        found = _PART.match(rest)
        if found is None:
            raise ConfigError(f"'{shortened(text)}' is no time; {how}")
        if found[2] not in SECONDS:
            raise ConfigError(f"'{shortened(found[2])}' is no unit of time{_near(found[2], SECONDS)}; {how}")
        total, rest = total + float(found[1]) * SECONDS[found[2]], rest[found.end() :]
    return _positive(total, text, how)


def shortened(text: str) -> str:
    """What somebody wrote, as an error may repeat it: printable and not long."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _positive(value: float, text: str, how: str) -> float:
    if not value > 0:
        raise ConfigError(f"'{shortened(text)}' leaves nothing; {how}")
    return value


def _near(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else ""
