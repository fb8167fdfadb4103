"""Whether the services answer, and what the tokens may do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hubstats.doctor.finding import Finding
from hubstats.errors import HubstatsError
from hubstats.http import HttpClient, Response, civitai_client, github_client, hub_client
from hubstats.http.response import one_line
from hubstats.http.services import github_excess

LIMITS: Mapping[str, Any] = {
    "tries": 2,
    "first_tries": 1,
    "longest_wait": 5.0,
    "connect_seconds": 5.0,
    "read_seconds": 15.0,
    "total_seconds": 20.0,
}
READ = "make one of the type 'read' at https://huggingface.co/settings/tokens"
WRITES = ("write", "manage", "admin", "delete", "post")
"""Words in a permission of a fine-grained token that reading does not need."""


def examine(notify: Callable[[str], None]) -> Iterator[Finding]:
    """One small question to each service, and one about each token."""
    services = (("hub", hub_client, _hub), ("github", github_client, _github), ("civitai", civitai_client, _site))
    for name, make, ask in services:
        try:
            client = make(notify, **LIMITS)
        except HubstatsError as error:
            yield Finding(name, "settings", "problem", str(error))
            continue
        try:
            yield from ask(client)
        except HubstatsError as error:
            yield Finding(name, "reachable", "warning", str(error), "the snapshot and imports work without it")
        finally:
            client.close()


def _reached(client: HttpClient, path: str, *params: tuple[str, str]) -> tuple[Finding, Response]:
    began = time.monotonic()
    response = client.get(path, params=params)
    left = [
        f"{left:,} {name.removeprefix('quota_left:')}"
        for name, left in client.counters().items()
        if name.startswith("quota_left:")
    ]
    said = f"{client.address} answers in {time.monotonic() - began:.1f} s"
    said += f"; requests left: {', '.join(left)}" if left else ""
    if 200 <= response.status < 300 or response.status == 401:
        return Finding(client.name, "reachable", "ok", said), response
    why = f"{said}, but with {response.status} {response.reason()}".rstrip()
    return Finding(client.name, "reachable", "warning", why, "this network may be blocked; try later"), response


def _hub(client: HttpClient) -> Iterator[Finding]:
    if client.unavailable:
        yield Finding("hub", "reachable", "note", client.unavailable)
        return
    finding, _ = _reached(client, "/api/models", ("limit", "1"))
    yield finding
    if not client.has_token:
        yield Finding("hub", "token", "note", "none is set", f"quotas are larger with one: {READ} and set HF_TOKEN")
        return
    answer = client.get("/api/whoami-v2")
    if answer.status == 401:
        yield Finding("hub", "token", "problem", "the Hub does not know HF_TOKEN", "set it anew, or unset it")
    elif answer.status != 200:
        yield Finding(
            "hub", "token", "warning", f"the Hub answers {answer.status} when asked about it", "ask again later"
        )
    else:
        yield _hub_rights(answer.json())


def _hub_rights(said: Any) -> Finding:
    """From `auth.accessToken` of whoami-v2: its role is read, write or fineGrained."""
    auth = said.get("auth") if isinstance(said, dict) else None
    token = auth.get("accessToken") if isinstance(auth, dict) else None
    role = token.get("role") if isinstance(token, dict) else None
    if role == "read":
        return Finding("hub", "token", "ok", "it may read, no more")
    if role == "fineGrained" and isinstance(token, dict):
        rights = sorted(set(_permissions(token.get("fineGrained"))))
        more = [right for right in rights if any(word in right for word in WRITES)]
        if not more:
            return Finding("hub", "token", "ok", f"fine-grained: {', '.join(rights) or 'what is public'}, no more")
        return Finding("hub", "token", "warning", f"it may do more than is needed: {', '.join(more)[:150]}", READ)
    if role == "write":
        return Finding("hub", "token", "warning", "it may write, and only reading is needed", READ)
    return Finding("hub", "token", "note", "it is accepted; the Hub does not say what it may do")


def _permissions(value: Any) -> Iterator[str]:
    """Every text below `global` and `scoped[].permissions`."""
    if not isinstance(value, dict):
        return
    groups = [
        value.get("global"),
        *(one.get("permissions") for one in value.get("scoped") or () if isinstance(one, dict)),
    ]
    for group in groups:
        if isinstance(group, list):
            yield from (right for right in group if isinstance(right, str))


def _github(client: HttpClient) -> Iterator[Finding]:
    # /rate_limit takes nothing of any quota.
    finding, answer = _reached(client, "/rate_limit")
    yield finding
    if not client.has_token:
        yield Finding(
            "github", "token", "note", "none is set, and code search needs one",
            "make one without any scope at https://github.com/settings/tokens and set GITHUB_TOKEN",
        )  # fmt: skip
    elif answer.status == 401:
        yield Finding("github", "token", "problem", "GitHub does not know GITHUB_TOKEN", "set it anew, or unset it")
    elif "x-oauth-scopes" not in answer.headers:
        yield Finding(
            "github", "token", "ok", "it is accepted; of a fine-grained one GitHub does not say what it may do"
        )
    elif excess := github_excess(answer.headers):
        yield Finding("github", "token", "warning", "it has scopes, and none is needed", one_line(excess))
    else:
        yield Finding("github", "token", "ok", "it has no scope: it may read what is public, no more")


def _site(client: HttpClient) -> Iterator[Finding]:
    finding, _ = _reached(client, "/api/v1/models", ("limit", "1"))
    yield finding
