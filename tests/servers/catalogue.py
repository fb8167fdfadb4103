"""/api/models of the Hub stand-in: filters, order, keyset cursors, and pages that misbehave on purpose."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode

from .repositories import failure
from .synthetic_models import Model, iso
from .wire import Reply, Request

# fmt: off
LISTING_EXPANDS = frozenset({
    "author", "cardData", "config", "createdAt", "disabled", "downloads", "downloadsAllTime", "evalResults", "gated",
    "gguf", "inference", "inferenceProviderMapping", "lastModified", "library_name", "likes", "mask_token",
    "model-index", "pipeline_tag", "private", "resourceGroup", "safetensors", "sha", "siblings", "spaces", "tags",
    "transformersInfo", "trendingScore", "widgetData", "xetEnabled",
})
# fmt: on
LISTED = ("likes", "trendingScore", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt")
FULL = (*LISTED, "author", "sha", "lastModified", "gated", "disabled", "siblings")
SORTS: dict[str, Callable[[Model], float]] = {
    "createdAt": lambda m: m.created_at.timestamp(),
    "lastModified": lambda m: m.last_modified.timestamp(),
    "downloads": lambda m: m.downloads,
    "likes": lambda m: m.likes,
    "trendingScore": lambda m: m.trending,
}
Paging = Literal["repeat_rows", "skip_rows", "same_page", "short", "elsewhere"]


@dataclass
class Catalogue:
    """The models as a listing. `touch` tells it that some have changed; nothing else may outdate what it remembers."""

    models: Mapping[str, Model]
    page_cap: int
    orders: dict[tuple[str, ...], tuple[list[tuple[float, str]], list[Model]]] = field(default_factory=dict)
    encoded: dict[tuple[str, ...], dict[str, bytes]] = field(default_factory=dict)
    short_turn: int = 0

    def touch(self, model: Model | None = None) -> None:
        """Forgets the orders, and the JSON of the model that changed (None: of all)."""
        self.orders.clear()
        for known in self.encoded.values():
            known.pop(model.object_id, None) if model is not None else known.clear()

    def page(self, request: Request, url: str, elsewhere: str, paging: Paging | None) -> Reply:
        """One page; its next link begins with `url`, or with `elsewhere` under that paging."""
        sort = request.param("sort") or "trendingScore"
        expands = request.params("expand")
        limit_text = request.param("limit") or str(self.page_cap)
        if sort not in SORTS:
            return failure(400, f"Invalid sort option: {sort}")
        refused = [name for name in expands if name not in LISTING_EXPANDS]
        if refused:
            return failure(400, f"Invalid option {refused[0]!r}: expected one of {', '.join(sorted(LISTING_EXPANDS))}")
        if not limit_text.isdigit() or int(limit_text) == 0:
            return failure(400, "Invalid limit: expected a positive number")
        limit = min(int(limit_text), self.page_cap)
        up = request.param("direction") == "1"
        keys, rows = self.ordered(request, sort, up)
        start = 0
        if cursor := request.param("cursor"):
            try:
                start = bisect_right(keys, keyset(cursor, sort, up))
            except (ValueError, KeyError, TypeError, IndexError, binascii.Error):
                return failure(400, "Invalid cursor")
        if (skip := request.param("skip")) and skip.isdigit():
            start += int(skip)
        first, end = self.bounds(start, start + limit, paging)
        page = rows[first:end]
        fields = tuple(expands) if expands else FULL if request.param("full") or request.param("config") else LISTED
        body = b"[" + b",".join(self.encode_model(model, fields, bare=bool(expands)) for model in page) + b"]"
        reply = Reply(200, body, (("Content-Type", "application/json; charset=utf-8"),), api=True)
        if end >= len(rows):
            return reply
        # An empty page (paging="short") leads on from where it began.
        last = rows[max(end, 1) - 1]
        following = encode_cursor(sort, up, last) if end > first or start == 0 else str(cursor)
        if paging == "same_page":
            following = encode_cursor(sort, up, rows[first - 1]) if first else encode_cursor(sort, up, last)
        base = elsewhere if paging == "elsewhere" else url
        query = [pair for pair in request.query if pair[0] not in ("cursor", "skip")] + [("cursor", following)]
        return reply.with_headers(("Link", f'<{base}/api/models?{urlencode(query)}>; rel="next"'))

    def bounds(self, start: int, end: int, paging: Paging | None) -> tuple[int, int]:
        """Where a page starts and ends; `paging` bends both."""
        if paging == "repeat_rows" and start:
            return start - 1, end
        if paging == "skip_rows" and start:
            return start + 1, end + 1
        if paging == "short":
            # Deterministic and never twice empty, so that the walk ends.
            self.short_turn = (self.short_turn + 1) % 3
            return start, start + (
                0 if self.short_turn == 0 and start else max(1, (end - start) * self.short_turn // 2)
            )
        return start, end

    def ordered(self, request: Request, sort: str, up: bool) -> tuple[list[tuple[float, str]], list[Model]]:
        """The models that pass the filters, in order, with their sort keys; remembered until something changes."""
        wanted = tuple(part for value in request.params("filter") for part in value.split(",") if part)
        others = tuple(request.param(name) or "" for name in ("author", "search", "pipeline_tag", "gated"))
        key = (sort, str(up), *wanted, *others)
        if key not in self.orders:
            author, search, pipeline, gated = others
            sign, value = (1 if up else -1), SORTS[sort]
            chosen = [
                (sign * value(m), m.object_id, m)
                for m in self.models.values()
                if not m.private
                and (not wanted or set(wanted) <= {*m.tags, m.library_name, m.pipeline_tag})
                and (not author or m.author == author)
                and (not search or search.lower() in m.id.lower())
                and (not pipeline or m.pipeline_tag == pipeline)
                and (not gated or bool(m.gated) == (gated.lower() == "true"))
            ]
            chosen.sort(key=lambda row: row[:2])
            self.orders[key] = [row[:2] for row in chosen], [row[2] for row in chosen]
        return self.orders[key]

    def encode_model(self, model: Model, fields: tuple[str, ...], *, bare: bool) -> bytes:
        """A model as listed: `fields` plus ids, as JSON; remembered until it changes."""
        known = self.encoded.setdefault((*fields, str(bare)), {})
        if model.object_id not in known:
            full = model.shown()
            shown = {"_id": model.object_id, "id": model.id} | {name: full[name] for name in fields if name in full}
            if not bare:
                shown["modelId"] = model.id
            known[model.object_id] = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
        return known[model.object_id]


def encode_cursor(sort: str, up: bool, last: Model) -> str:
    """The predicate 'after this model', as the Hub writes it: base64 of JSON on the sort field and _id."""
    value: Any = SORTS[sort](last)
    if sort in ("createdAt", "lastModified"):
        value = iso(last.created_at if sort == "createdAt" else last.last_modified)
    after = {"$or": [{sort: value, "_id": {"$gt": last.object_id}}, {sort: {"$gt" if up else "$lt": value}}]}
    return base64.b64encode(json.dumps(after, separators=(",", ":")).encode()).decode()


def keyset(cursor: str, sort: str, up: bool) -> tuple[float, str]:
    """The sort key a cursor stands after; raises when it is not one of ours for this order."""
    first = json.loads(base64.b64decode(cursor, validate=True))["$or"][0]
    value, after = first[sort], first["_id"]["$gt"]
    if sort in ("createdAt", "lastModified"):
        value = datetime.fromisoformat(value).timestamp()
    return (float(value) if up else -float(value)), str(after)
