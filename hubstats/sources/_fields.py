"""Reading one field of JSON that a stranger wrote: the value when it has the wanted type, else None.

Never raises on a dict, whatever is in it, and what comes back can be written as UTF-8 into any store.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_LARGEST = 2**63 - 1


def clean(text: str, cap: int) -> str:
    """`text` cut at `cap` characters, lone surrogates replaced, NUL removed."""
    return text[:cap].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def text(row: Mapping[str, Any], key: str, cap: int = 1000) -> str | None:
    """The string under `key`, cleaned and at most `cap` characters long."""
    value = row.get(key)
    return clean(value, cap) if isinstance(value, str) else None


def whole(row: Mapping[str, Any], key: str) -> int | None:
    """The number under `key` when it is a whole one from 0 to 2**63 - 1."""
    value = row.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST else None


def flag(row: Mapping[str, Any], key: str) -> bool | None:
    """The truth value under `key`."""
    value = row.get(key)
    return value if isinstance(value, bool) else None


def mapping(row: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`, or an empty one."""
    value = row.get(key)
    return value if isinstance(value, dict) else {}


def rows(row: Mapping[str, Any], key: str) -> list[Any]:
    """The list under `key`, or an empty one."""
    value = row.get(key)
    return value if isinstance(value, list) else []


def texts(row: Mapping[str, Any], key: str, most: int = 200, cap: int = 200) -> tuple[str, ...]:
    """The strings in the list under `key`, at most `most` of them; anything else in it is left out."""
    return tuple(clean(value, cap) for value in rows(row, key)[:most] if isinstance(value, str))


def moment(row: Mapping[str, Any], key: str) -> datetime | None:
    """The ISO 8601 time under `key` in UTC; one without a zone is taken as UTC."""
    value = row.get(key)
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
