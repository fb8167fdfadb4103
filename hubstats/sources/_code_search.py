"""How a code search that shows 1,000 results at most is walked: what to ask next, given what was answered.

Pure: no request is made here. A walk belongs to one query and is saved as JSON text after each page.

Why slices. The server refuses results past the 1,000th, its `total_count` has been found to be wrong by a
factor of 18, and a file that a narrow range of sizes shows can be missing from a wide one. So a query whose
whole answer fits one short page is taken as it is; any other is cut by `size:a..b` into narrow ranges that
lie side by side on one fixed grid, 48 of them or as many as leave 50 expected files in each. A range that
turns out to hold more than the server shows is cut again into equal parts. The end of a range is read from its
pages (a short page with no next one), never from its total.

Why the order is drawn. A sample smaller than the answer must not be the server's "best match" files. The
ranges are visited in an order drawn from the seed, each one whole, so the files of a sample are a cluster
sample of file sizes; on the page where the sample is full, files are picked by a hash of seed, repository and
path. The same seed gives the same order, so a larger sample extends the smaller.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from itertools import pairwise
from math import ceil
from typing import Any, TypeGuard

from hubstats.sources import _fields as fields

PER_PAGE = 100
CAP = 1000
"""Results the server shows of one query."""
FILES_PER_SLICE = 50
FEWEST_SLICES = 48
"""Ranges of under 1,000 bytes where most files are: wider ones have been seen to leave files out."""
MOST_SEARCHES = 400
"""Of one query, and one more for every five files of the sample: a class of few files scattered wide is given up."""
MOST_PARTS = 16
"""Parts an overfull slice is cut into at once."""

Slice = tuple[int, int]
"""File sizes in bytes, both ends included."""

# The search covers files under 384 KB. Steps are narrow where most Python files are.
_BANDS = ((0, 32 * 1024, 64), (32 * 1024, 96 * 1024, 512), (96 * 1024, 384 * 1024, 4096))
GRID: tuple[Slice, ...] = tuple((at, at + step - 1) for low, high, step in _BANDS for at in range(low, high, step))

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Hit:
    """One file that a query found."""

    repo: str
    path: str
    sha: str
    fork: bool | None
    fragments: tuple[str, ...]
    """Pieces of the file around the match, as the server cut them; hostile text."""

    @property
    def place(self) -> tuple[str, str]:
        return (self.repo, self.path)


@dataclass(frozen=True, slots=True)
class Answer:
    """One page of results, read."""

    hits: tuple[Hit, ...] = ()
    bad: tuple[tuple[int, str], ...] = ()
    """Row number and reason of each row that is not a file."""
    rows: int = 0
    total: int | None = None
    incomplete: bool = False
    more: bool = False
    """The server names a next page."""
    refused: bool = False
    """The server will not show this page (HTTP 422)."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Where the reading of one query stands."""

    seed: int = 0
    on: str | None = None
    """When the last page was read, ISO."""
    parts: int = 0
    """Ranges that the grid was merged into; 0: the query as a whole."""
    at: int = 0
    """Position in the drawn order of those ranges."""
    extra: tuple[Slice, ...] = ()
    """Parts of an overfull range, read before the next one."""
    page: int = 1
    skip: int = 0
    """Files of this page that are taken already (the sample was full)."""
    taken: int = 0
    slices: int = 0
    requests: int = 0
    total: int | None = None
    """What the server said of the query as a whole."""
    incomplete: bool = False
    """The server timed out on at least one page."""
    failed: tuple[tuple[str, str, str], ...] = ()
    """Repository, path and blob of files that could not be fetched, to be asked for by the next crawl."""

    def current(self, query: str) -> Slice | None:
        """The range to ask for now; None for the query as a whole."""
        if self.extra:
            return self.extra[0]
        return drawn_order(query, self.seed, self.parts)[self.at] if self.parts else None

    def exhausted(self) -> bool:
        """Nothing of the query is left to read."""
        return not self.extra and self.at >= max(self.parts, 1)

    def ended(self, sample: int) -> bool:
        """The sample is full, the query is read to its end, or reading on is not worth the requests."""
        return self.exhausted() or self.taken >= sample or self.requests >= MOST_SEARCHES + sample // 5

    def save(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, saved: str | None, seed: int) -> Walk:
        """The saved walk, or a fresh one when there is none or the text is not one."""
        try:
            row = json.loads(saved or "null")
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            return cls(seed=seed)
        extra = tuple(
            (pair[0], pair[1])
            for pair in fields.rows(row, "extra")
            if isinstance(pair, list) and len(pair) == 2 and all(type(end) is int for end in pair)
        )
        return cls(
            seed=row["seed"] if type(row.get("seed")) is int else seed,
            on=fields.text(row, "on"),
            parts=min(fields.whole(row, "parts") or 0, len(GRID)),
            at=fields.whole(row, "at") or 0,
            extra=extra,
            failed=tuple((place[0], place[1], place[2]) for place in fields.rows(row, "failed") if is_place(place)),
            page=min(max(fields.whole(row, "page") or 1, 1), CAP // PER_PAGE),
            skip=fields.whole(row, "skip") or 0,
            taken=fields.whole(row, "taken") or 0,
            slices=fields.whole(row, "slices") or 0,
            requests=fields.whole(row, "requests") or 0,
            total=fields.whole(row, "total"),
            incomplete=fields.flag(row, "incomplete") or False,
        )


def is_place(value: Any) -> TypeGuard[list[str]]:
    """Whether a saved entry names a repository, a path and a blob that may be asked for."""
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(part, str) for part in value):
        return False
    return is_repository(value[0]) and bool(_SHA.fullmatch(value[2]))


def is_repository(name: str) -> bool:
    """Whether `name` is owner/name. It becomes part of a URL, so neither half may be `.` or `..`."""
    return bool(_REPOSITORY.fullmatch(name)) and all(half.strip(".") for half in name.split("/"))


def drawn_order(query: str, seed: int, parts: int) -> list[Slice]:
    """The grid merged into `parts` ranges side by side, in the order the seed draws for this query."""
    bounds = [index * len(GRID) // parts for index in range(parts + 1)]
    slices = [(GRID[low][0], GRID[high - 1][1]) for low, high in pairwise(bounds)]
    random.Random(f"{seed}:{query}").shuffle(slices)
    return slices


def cut(piece: Slice, parts: int) -> tuple[Slice, ...]:
    """`piece` in at most `parts` ranges of equal width, side by side."""
    low, high = piece
    step = ceil((high - low + 1) / parts)
    return tuple((at, min(at + step - 1, high)) for at in range(low, high + 1, step))


def advance(
    walk: Walk, query: str, answer: Answer, seen: AbstractSet[tuple[str, str]], sample: int
) -> tuple[tuple[Hit, ...], Walk]:
    """The files to take from this answer, and where the walk stands after it."""
    whole = walk.current(query)
    walk = replace(
        walk,
        requests=walk.requests + 1,
        incomplete=walk.incomplete or answer.incomplete,
        total=answer.total if walk.parts == 0 and walk.page == 1 else walk.total,
    )
    if answer.refused:
        return (), _next_slice(walk)
    total = answer.total or 0
    if whole is None:
        small = answer.rows < PER_PAGE and total <= PER_PAGE and not answer.incomplete and not answer.more
        if not small and walk.skip == 0:
            parts = ceil(max(total, answer.rows) / FILES_PER_SLICE)
            return (), replace(walk, parts=min(max(parts, FEWEST_SLICES), len(GRID)), at=0)
    elif walk.page == 1 and total > CAP and answer.rows >= PER_PAGE and whole[1] > whole[0]:
        return (), _cut_current(walk, whole, total)
    chosen: dict[tuple[str, str], Hit] = {}
    looked_at = walk.skip
    ordered = sorted(answer.hits, key=lambda hit: _draw(walk.seed, hit))
    for hit in ordered[walk.skip :]:
        if walk.taken + len(chosen) >= sample:
            break
        looked_at += 1
        if hit.place not in seen:
            chosen.setdefault(hit.place, hit)
    taken = tuple(chosen.values())
    walk = replace(walk, taken=walk.taken + len(taken))
    if looked_at < len(ordered):
        return taken, replace(walk, skip=looked_at)
    if not (answer.more or answer.rows >= PER_PAGE):
        return taken, _next_slice(walk)
    if walk.page * PER_PAGE < CAP:
        return taken, replace(walk, page=walk.page + 1, skip=0)
    if whole is not None and whole[1] > whole[0] and answer.rows:
        # All that the server shows was full although its total promised less than the cap.
        return taken, _cut_current(walk, whole, 2 * CAP)
    return taken, _next_slice(walk)


def _next_slice(walk: Walk) -> Walk:
    if len(walk.extra) > 1:
        return replace(walk, extra=walk.extra[1:], page=1, skip=0, slices=walk.slices + 1)
    return replace(walk, extra=(), at=walk.at + 1, page=1, skip=0, slices=walk.slices + 1)


def _cut_current(walk: Walk, piece: Slice, total: int) -> Walk:
    parts = cut(piece, min(max(ceil(total / (CAP // 2)), 2), MOST_PARTS))
    return replace(walk, extra=(*parts, *walk.extra[1:]), page=1, skip=0)


def _draw(seed: int, hit: Hit) -> bytes:
    return blake2b(f"{seed}\0{hit.repo}\0{hit.path}".encode(), digest_size=8).digest()


def parse_answer(body: Any, more: bool) -> Answer | None:
    """One page of `GET /search/code`, whatever its rows hold; None when it is no search result at all."""
    if not isinstance(body, dict) or not isinstance(body.get("items"), list):
        return None
    hits: list[Hit] = []
    bad: list[tuple[int, str]] = []
    for number, item in enumerate(body["items"]):
        hit = parse_hit(item)
        if isinstance(hit, Hit):
            hits.append(hit)
        else:
            bad.append((number, hit))
    return Answer(
        hits=tuple(hits),
        bad=tuple(bad),
        rows=len(body["items"]),
        total=fields.whole(body, "total_count"),
        incomplete=fields.flag(body, "incomplete_results") or False,
        more=more,
    )


def parse_hit(item: Any) -> Hit | str:
    """The file that one row names, or why it names none: not_an_object, no_repository, no_path, no_sha."""
    if not isinstance(item, dict):
        return "not_an_object"
    repository = fields.mapping(item, "repository")
    repo = fields.text(repository, "full_name", 201) or ""
    if not is_repository(repo):
        return "no_repository"
    path = fields.text(item, "path", 4096)
    if not path:
        return "no_path"
    sha = fields.text(item, "sha", 65) or ""
    if not _SHA.fullmatch(sha):
        return "no_sha"
    matches: list[Mapping[str, Any]] = [row for row in fields.rows(item, "text_matches")[:8] if isinstance(row, dict)]
    fragments = tuple(piece for row in matches if (piece := fields.text(row, "fragment", 2000)))
    return Hit(repo, path, sha, fields.flag(repository, "fork"), fragments)
