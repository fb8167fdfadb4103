"""Asking for one JSON page, again when what came was no JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hubstats.errors import BadPage

if TYPE_CHECKING:
    from hubstats.http import HttpClient, Response

TRIES = 3


def ask(
    client: HttpClient,
    path: str,
    params: Sequence[tuple[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    max_bytes: int = 32 * 1024 * 1024,
) -> tuple[Response, Any]:
    """The final answer and, for a 200 that was read whole, its JSON; None in its place for any other.

    A proxy's web page and half a document come with status 200 too, and are mostly gone a moment later, so such
    a page is asked for three times. Raises BadPage when none of the three was JSON, and what the client raises.
    """
    for attempt in range(1, TRIES + 1):
        response = client.get(path, params=params, headers=headers, max_bytes=max_bytes)
        if response.status != 200 or response.truncated:
            return response, None
        try:
            return response, response.json()
        except BadPage:
            if attempt == TRIES:
                raise
    raise AssertionError("unreachable")
