"""Stand-in for the image site's v1 interface.

    with CivitaiServer(synthetic_civitai(300, seed=1)) as site:       # HUBSTATS_CIVITAI_URL = site.url
        site.add(synthetic_civitai(10, seed=1, first=300))            # ten newer ones
        site.remove(17)

    CivitaiServer([Upload(1, "LORA", name="x", downloads=None, creator=None)])
    CivitaiServer(items, quota={"api": Quota(20, 2.0)})               # the edge's limit: 429 with a web page

Served: GET /api/v1/models (limit, page, cursor, query, types, sort, nsfw, username, tag, baseModels),
/api/v1/models/{id}, /api/v1/enums. Pages lead on by metadata.nextCursor alone. Items that are `withheld` are taken out
after the page was cut, so pages are shorter than asked, or empty, while a nextCursor goes on. page * limit > 1000
answers 429 with a JSON error: a page cap, not a rate limit. A bad parameter answers 400 with what the validator found.

`paging` makes it misbehave: "skip_rows" (an item lost at each page's end, as in the site's known bug),
"repeat_rows", "same_page" (for ever), "empty" (every other page empty).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Literal
from urllib.parse import urlencode

from .http_server import LoopbackServer
from .process import arguments, run_alone
from .quota import Quota
from .synthetic_uploads import BASE_MODELS, TYPES, Upload, synthetic_civitai
from .wire import Headers, Reply, Request, json_reply

__all__ = ["CivitaiServer", "Quota", "Upload", "synthetic_civitai"]

SORTS: dict[str, Callable[[Upload], float]] = {
    "Highest Rated": lambda u: -u.thumbs,
    "Most Downloaded": lambda u: -(u.downloads or 0),
    "Most Liked": lambda u: -u.thumbs,
    "Newest": lambda u: -u.published_at.timestamp(),
    "Oldest": lambda u: u.published_at.timestamp(),
}
PERIODS = ("Day", "Week", "Month", "Year", "AllTime")
Paging = Literal["skip_rows", "repeat_rows", "same_page", "empty"]


@dataclass(eq=False)
class CivitaiServer(LoopbackServer):
    """See the module."""

    uploads: Iterable[Upload] = ()
    tokens: Collection[str] = field(default=("civitai_good",), kw_only=True)
    paging: Paging | None = field(default=None, kw_only=True)
    search_down: bool = field(default=False, kw_only=True)
    """Searches by `query` answer 503 with Retry-After, as in an outage of the search engine."""

    def __post_init__(self) -> None:
        LoopbackServer.__post_init__(self)
        self.held: dict[int, Upload] = {}
        self.turn = 0
        self.add(self.uploads)

    def add(self, uploads: Iterable[Upload]) -> None:
        """More uploads, or the same ones anew."""
        with self.lock:
            self.held.update((upload.id, upload) for upload in uploads)

    def remove(self, upload_id: int) -> None:
        """Deletes one."""
        with self.lock:
            del self.held[upload_id]

    def refuse(self, request: Request, bucket: str, seconds: float) -> Reply:
        """The edge's refusal is a web page; it says how long."""
        page = b"<!DOCTYPE html><html><head><title>Access denied</title></head><body>Error 1015</body></html>"
        headers = (("Content-Type", "text/html; charset=UTF-8"), ("Retry-After", str(max(1, ceil(seconds)))))
        return Reply(429, page, headers)

    def limit_headers(self, bucket: str, left: int, seconds: float, limit: int, window: float) -> Headers:
        """The site announces nothing."""
        return ()

    def answer(self, request: Request) -> Reply:
        """Routes by path."""
        token = request.token() or request.param("token")
        known = token in self.tokens
        if request.path == "/api/v1/models":
            return self.listing(request, known)
        if request.path == "/api/v1/enums":
            enums = {"ModelType": [*TYPES], "ModelFileType": ["Model", "VAE"], "BaseModel": list(BASE_MODELS)}
            return json_reply(200, enums | {"BaseModelType": ["Standard", "Inpainting"]})
        if match := re.fullmatch(r"/api/v1/models/(\d+)", request.path):
            upload = self.held.get(int(match[1]))
            if upload is None or upload.withheld:
                return json_reply(404, {"error": f"No model with id {match[1]}"})
            return json_reply(200, upload.shown(self.url))
        return Reply(404, b"<!DOCTYPE html><html><body>404</body></html>", (("Content-Type", "text/html"),))

    def listing(self, request: Request, known: bool) -> Reply:
        """One page of /api/v1/models."""
        if any(request.param(name) is not None for name in ("favorites", "hidden")) and not known:
            return json_reply(401, {"error": "Unauthorized"})
        issues = [*self.issues(request)]
        if issues:
            return json_reply(400, {"error": {"name": "ZodError", "issues": issues}})
        limit = int(float(request.param("limit") or 100))
        page, cursor, query = int(request.param("page") or 0), request.param("cursor"), request.param("query")
        if page and not cursor and page * limit > 1000:
            return json_reply(429, {"error": "You've requested too many pages, please use cursors instead"})
        if page and query:
            return json_reply(400, {"error": "Cannot use page param with query search. Use cursor-based pagination."})
        if query and self.search_down:
            return json_reply(503, {"error": "search unavailable"}, ("Retry-After", "2"), ("Cache-Control", "no-store"))
        sort = request.param("sort") or "Highest Rated"

        def order(upload: Upload) -> tuple[float, int]:
            return SORTS[sort](upload), -upload.id

        rows = sorted(self.chosen(request), key=order)
        start = (page - 1) * limit if page and not cursor else 0
        if cursor:
            wanted = cursor_key(cursor)
            if wanted is None:
                return json_reply(400, {"error": "Invalid cursor"})
            # The cursor names the first row of the page; if that row is gone, the next one is.
            start = bisect_left(rows, wanted, key=order)
        end = start + limit
        cut = rows[start:end]
        following = end
        if self.paging == "skip_rows":
            following = end + 1
        elif self.paging == "repeat_rows":
            following = end - 1 if limit > 1 else end
        elif self.paging == "same_page":
            following = start
        elif self.paging == "empty":
            self.turn += 1
            if self.turn % 2 == 0:
                cut, following = [], start
        metadata: dict[str, Any] = {}
        if limit and following < len(rows) and (end < len(rows) or not cut):
            metadata["nextCursor"] = self.cursor_of(rows[following], sort)
            rest = [pair for pair in request.query if pair[0] not in ("cursor", "page")]
            metadata["nextPage"] = f"{self.url}/api/v1/models?{urlencode([*rest, ('cursor', metadata['nextCursor'])])}"
        if page and not cursor:
            metadata |= {"currentPage": page, "pageSize": limit}
        body = {"items": [upload.shown(self.url) for upload in cut if not upload.withheld], "metadata": metadata}
        kept = () if known else (("Cache-Control", "public, s-maxage=300"),)
        return json_reply(200, body, *kept)

    def chosen(self, request: Request) -> list[Upload]:
        """The uploads that pass the filters; adult ones only when asked for."""
        types, bases = request.params("types"), request.params("baseModels")
        query, tag, user = request.param("query"), request.param("tag"), request.param("username")
        nsfw = request.param("nsfw") == "true"
        return [
            upload
            for upload in self.held.values()
            if (nsfw or not upload.nsfw)
            and (not types or upload.type in types)
            and (not bases or upload.base_model in bases)
            and (not query or query.lower() in upload.name.lower())
            and (not tag or tag in upload.tags)
            and (not user or upload.creator == user)
        ]

    def issues(self, request: Request) -> Iterable[dict[str, Any]]:
        """What the validator of the parameters finds wrong."""
        limit = request.param("limit")
        if limit is not None and not re.fullmatch(r"\d{1,2}|100", limit):
            yield {"code": "too_big", "path": ["limit"], "message": "Invalid input: expected number to be <=100"}
        if not (request.param("page") or "1").isdigit():
            yield {"code": "invalid_type", "path": ["page"], "message": "Invalid input: expected number"}
        for value in request.params("types"):
            if value not in TYPES:
                yield {"code": "invalid_value", "path": ["types"], "message": "Invalid option", "values": [*TYPES]}
        if (request.param("sort") or "Newest") not in SORTS:
            yield {"code": "invalid_value", "path": ["sort"], "message": "Invalid option", "values": [*SORTS]}
        if (request.param("period") or "AllTime") not in PERIODS:
            yield {"code": "invalid_value", "path": ["period"], "message": "Invalid option", "values": [*PERIODS]}

    def cursor_of(self, upload: Upload, sort: str) -> str:
        """Opaque: the row's sort key and its id, joined by a bar."""
        return f"{SORTS[sort](upload)!r}|{upload.id}"


def cursor_key(cursor: str) -> tuple[float, int] | None:
    """A cursor as a key that sorts like its rows; None when it is not one of ours."""
    match = re.fullmatch(r"(-?[\d.e+]+)\|(\d+)", cursor)
    return (float(match[1]), -int(match[2])) if match else None


def main() -> None:
    """Runs the stand-in alone."""
    options = arguments("the image site", items=300).parse_args()
    run_alone(CivitaiServer(synthetic_civitai(options.items, seed=options.seed)), options)


if __name__ == "__main__":
    main()
