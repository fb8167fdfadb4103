"""The three services: addresses, tokens, and how each of them counts and refuses requests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from hubstats.errors import AccessDenied
from hubstats.http.client import HttpClient, Rules
from hubstats.http.quota import Quota
from hubstats.http.response import Headers, Response, http_date
from hubstats.http.transport import OFFLINE, HubTransport, RequestsTransport


def hub_client(notify: Callable[[str], None], **limits: Any) -> HttpClient:
    """A client for the Hub: huggingface_hub's session, endpoint and token. `limits` as HttpClient takes them.

    Headers are our own and not `build_hf_headers`: that would send a request about coding agents first.
    """
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import OIDCError
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    def quota(headers: Headers) -> Quota | None:
        info = parse_ratelimit_headers(headers)
        if info is None:
            return None
        return Quota(info.resource_type, info.remaining, info.reset_in_seconds, info.limit, info.window_seconds)

    try:
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    except (OSError, OIDCError) as error:
        why = type(error).__name__
        raise AccessDenied(f"huggingface_hub cannot get at its token ({why}); set HF_TOKEN or log in again") from None
    rules = Rules("hub", _hub_route, quota, address_env="HF_ENDPOINT", token_env="HF_TOKEN")
    offline = OFFLINE if constants.is_offline_mode() else None
    return HttpClient(constants.ENDPOINT, HubTransport(), rules, notify, token=token, unavailable=offline, **limits)


def github_client(notify: Callable[[str], None], **limits: Any) -> HttpClient:
    """A client for GitHub's REST API: GITHUB_TOKEN, HUBSTATS_GITHUB_URL. `limits` as HttpClient takes them."""
    rules = Rules(
        "github",
        _github_route,
        _github_quota,
        throttled=_github_throttled,
        pause=60.0,
        excess=github_excess,
        address_env="HUBSTATS_GITHUB_URL",
        token_env="GITHUB_TOKEN",
    )
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    url = os.environ.get("HUBSTATS_GITHUB_URL") or "https://api.github.com"
    token = os.environ.get("GITHUB_TOKEN", "").strip() or None
    return HttpClient(url, RequestsTransport(), rules, notify, token=token, headers=headers, **limits)


def civitai_client(notify: Callable[[str], None], **limits: Any) -> HttpClient:
    """A client for the image site: HUBSTATS_CIVITAI_URL, no token. `limits` as HttpClient takes them."""
    rules = Rules("civitai", lambda path: "api", lambda headers: None, address_env="HUBSTATS_CIVITAI_URL")
    url = os.environ.get("HUBSTATS_CIVITAI_URL") or "https://civitai.com"
    return HttpClient(url, RequestsTransport(), rules, notify, **limits)


def _hub_route(path: str) -> str:
    if path.startswith("/api/") or "/api/" in path.split("/resolve/")[0]:
        return "api"
    return "resolvers" if "/resolve/" in path else "pages"


def _github_route(path: str) -> str:
    if path.endswith("/search/code"):
        return "code_search"
    return "search" if "/search/" in path else "core"


def _github_quota(headers: Headers) -> Quota | None:
    """x-ratelimit-*; the reset is a time of day on the server's clock, so it is read against its Date."""
    try:
        remaining = int(headers["x-ratelimit-remaining"])
        reset = float(headers["x-ratelimit-reset"])
    except (KeyError, ValueError):
        return None
    now = http_date(headers.get("date")) or datetime.now(UTC)
    limit = headers.get("x-ratelimit-limit", "")
    return Quota(
        headers.get("x-ratelimit-resource", "core"),
        max(0, remaining),
        max(0.0, reset - now.timestamp()),
        int(limit) if limit.isdecimal() else None,
    )


def _github_throttled(response: Response) -> bool:
    """GitHub says 'slow down' with 429 and also with 403, which otherwise means a missing right."""
    if response.status != 403:
        return response.status == 429
    if response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers:
        return True
    return "secondary rate limit" in response.reason().lower()


def github_excess(headers: Mapping[str, str]) -> str:
    """What to say of a classic token with scopes; GitHub does not tell what a fine-grained one may do."""
    scopes = headers.get("x-oauth-scopes", "").strip()
    if not scopes:
        return ""
    return (
        f"GITHUB_TOKEN may do more than is needed (scopes: {scopes}): only public code is read; make one without any "
        "scope at https://github.com/settings/tokens and revoke this one if it serves nothing else"
    )
