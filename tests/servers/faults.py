"""A seeded plan of what goes wrong, shared by the stand-ins.

    FaultPlan(rate=0.3, seed=7)                                  # every third request, kinds that a retry cures
    FaultPlan(rate=0.1, seed=7, kinds=("503", "reset"))
    FaultPlan(rate=0.3, seed=7, kinds=ALL, elsewhere=sink.url)   # hostile kinds too
    FaultPlan(rate=0.0, never=0.01, seed=7)                      # one item in a hundred is never served

Whether the n-th request for an item (method and target) fails, and how, depends on seed, item and n alone: neither
the order in which threads happen to ask nor the port matters, so a run can be repeated. After `per_item` faults an
item is served, unless it is one of the share `never`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from hashlib import blake2b
from time import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .http_server import LoopbackServer
    from .wire import Reply, Request

RECOVERABLE = (
    "429",  # with the service's own headers and Retry-After in seconds
    "429_date",  # Retry-After as a date
    "429_bare",  # no headers at all
    "429_html",  # a web page as body
    "429_past",  # the reset lies in the past
    "500",
    "502",
    "503",
    "503_retry",  # with Retry-After
    "504",
    "reset",
    "close",
    "stall",
    "stall_body",
    "trickle",
    "truncated",
    "truncated_chunks",
    "wrong_gzip",
    "html_200",
    "cut_json",
    "empty_200",
)
"""Cured by asking again, whatever the client makes of a file."""

HOSTILE = ("429_far", "redirect_loop", "redirect_elsewhere", "huge")
"""A reset a year ahead, a redirect to itself, one to another host, and a body of 2 GB."""

FILES = ("html_file", "cut_file", "empty_file")
"""A file in whose place a web page comes with status 200, or the beginning of it, or nothing: cured by asking again, of
a client that holds what came against the ETag."""

ALL = RECOVERABLE + HOSTILE + FILES

PAGES_ONLY = frozenset({"html_200", "cut_json", "empty_200"})
"""Kinds that only a JSON page shows for what they are."""

HTML = b"<!DOCTYPE html><html><head><title>One moment</title></head><body><h1>One moment</h1></body></html>"
YEAR = 365 * 86400


@dataclass(slots=True)
class FaultPlan:
    """Which requests go wrong, and how. See the module."""

    rate: float = 0.3
    seed: int = 0
    kinds: Sequence[str] = RECOVERABLE
    per_item: int = 2
    """At most so many faults per item."""
    never: float = 0.0
    """Share of items that fail every time."""
    seconds: float = 0.5
    """How long a stall or a trickle lasts."""
    retry_after: int = 1
    """Seconds that an honest Retry-After or reset names."""
    elsewhere: str | None = None
    """Where redirect_elsewhere points: scheme, host and port of another server."""
    only: Callable[[str], bool] | None = None
    """Restricts the plan to targets (path with query) it is true of."""
    asked: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        unknown = set(self.kinds) - set(ALL)
        if unknown:
            raise ValueError(f"no such fault: {sorted(unknown)}; there are: {ALL}")
        if "redirect_elsewhere" in self.kinds and self.elsewhere is None:
            raise ValueError("redirect_elsewhere needs elsewhere=URL of another server")

    def draw(self, method: str, target: str, *, api: bool) -> str | None:
        """The fault for this request, or None when it is to be served."""
        if self.only is not None and not self.only(target):
            return None
        item = f"{method} {target}"
        self.asked[item] += 1
        lost = self._uniform("never", item) < self.never
        if not lost and (
            self.given[item] >= self.per_item or self._uniform("rate", item, self.asked[item]) >= self.rate
        ):
            return None
        kinds = [kind for kind in self.kinds if kind not in (FILES if api else PAGES_ONLY)]
        if not kinds:
            return None
        self.given[item] += 1
        return kinds[int(self._uniform("kind", item, self.asked[item]) * len(kinds))]

    def _uniform(self, *parts: object) -> float:
        digest = blake2b(repr((self.seed, parts)).encode(), digest_size=7).digest()
        return int.from_bytes(digest, "big") / 2**56


def spoil(kind: str, reply: Reply, request: Request, server: LoopbackServer, bucket: str) -> Reply:
    """What goes out instead of `reply`."""
    plan = server.faults
    assert plan is not None
    if kind.startswith("429"):
        return _throttle(kind, request, server, bucket, plan.retry_after)
    if kind[:3] in ("500", "502", "503", "504"):
        headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html"),)
        if kind == "503_retry":
            headers += (("Retry-After", str(plan.retry_after)),)
        return replace(reply, status=int(kind[:3]), body=HTML, headers=headers)
    if kind in ("reset", "close", "stall", "stall_body", "trickle", "truncated"):
        return replace(reply, delivery=kind, seconds=plan.seconds)
    if kind == "truncated_chunks":
        return replace(reply, delivery="truncated", chunked=True)
    if kind == "wrong_gzip":
        return replace(reply, compress=False).with_headers(("Content-Encoding", "gzip"))
    if kind in ("html_200", "html_file"):
        return replace(reply, status=200, body=HTML, headers=(("Content-Type", "text/html; charset=utf-8"),))
    if kind in ("cut_json", "cut_file"):
        return replace(reply, body=reply.body[: len(reply.body) * 2 // 3])
    if kind in ("empty_200", "empty_file"):
        return replace(reply, status=200, body=b"")
    if kind == "redirect_loop":
        return replace(reply, status=302, body=b"", headers=(("Location", "/_loop" + request.target),))
    if kind == "redirect_elsewhere":
        return replace(reply, status=302, body=b"", headers=(("Location", f"{plan.elsewhere}{request.target}"),))
    assert kind == "huge"
    headers = tuple(h for h in reply.headers if h[0] != "Content-Length")
    return replace(reply, status=200, headers=headers, delivery="endless", length=2_000_000_000)


def _throttle(kind: str, request: Request, server: LoopbackServer, bucket: str, seconds: int) -> Reply:
    """A 429 in one of its shapes. Only plain 429 tells the truth about when to come back."""
    reply = server.refuse(request, bucket, seconds)
    reply = replace(reply, status=429, headers=tuple(h for h in reply.headers if h[0].lower() != "retry-after"))
    if kind == "429_bare":
        return replace(reply, headers=(), body=b"")
    if kind == "429_html":
        return replace(reply, headers=(("Content-Type", "text/html"), ("Retry-After", str(seconds))), body=HTML)
    if kind == "429_date":
        # HTTP dates have whole seconds; one more keeps the date from lying before the wait is over.
        return reply.with_headers(("Retry-After", formatdate(time() + seconds + 1, usegmt=True)))
    reset = {"429": seconds, "429_past": -60, "429_far": YEAR}[kind]
    headers = server.limit_headers(bucket, 0, reset, 500, 300.0)
    if kind != "429_past":
        headers += (("Retry-After", str(reset)),)
    elif not headers:
        headers = (("Retry-After", formatdate(time() - 60, usegmt=True)),)
    return reply.with_headers(*headers)
