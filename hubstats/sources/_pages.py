"""Asking for one JSON page, again when what came was no JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubstats.http import HttpClient, Response


def ask(
    client: HttpClient,
    path: str,
    params: Sequence[tuple[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    max_bytes: int = 32 * 1024 * 1024,
) -> tuple[Response, Any]:
    """The final answer and, for a 200 that was read whole, its JSON; None in its place for any other.

    Raises BadPage when no try brought JSON, and what the client raises.
    """
    response = client.get(path, params=params, headers=headers, max_bytes=max_bytes, expect_json=True)
    return response, response.json() if response.status == 200 and not response.truncated else None
