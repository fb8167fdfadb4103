"""Checkpoints of the image site Civitai, with the type their uploader chose (LORA, LoCon, DoRA, ...).

One request lists up to 100 uploads of all types:

    GET /api/v1/models?sort=Newest&limit=100&nsfw=true&cursor=2026-11-02 10:00:00|2100391
    {"items": [{"id": 2100391, "type": "LORA", "stats": {"downloadCount": 93}, "modelVersions": [...]}],
     "metadata": {"nextCursor": "2026-11-01 09:12:44|2098112"}}

Order. `Newest` is the only order that stands still: it sorts by the publication of an upload's newest
version, then by id, and its cursor names a place in that order. Orders by downloads or likes move while one
reads them and would also make the sample one of popular uploads. So a sample of N is the N uploads that were
published or updated last, not a sample of all years; `published_at` lets a query restrict it further.

What is seen. Without `nsfw=true` the site leaves out a large part of its uploads, and how large depends on
where one asks from, so `nsfw=true` is sent and stands in `endpoint` and in the scope of the cursor
(`SourceOptions.extra["nsfw"] = False` asks for the narrow list). There is no LoHa or LoKr type; those hide
under LoCon. Types are kept as served.

Walking. The server drops hidden rows after cutting the page, so a page may be short or empty with more to
come: only a missing cursor is the end. Two walks share one saved state. The deep walk goes down from the top
until the sample is full or the list ends, and a larger sample goes on from there. The top-up, run first by
every later crawl, goes down from the top until a whole page shows no date that is newer than those the last
crawl began with; when it fills a sample by itself it becomes the deep walk. The date that the server sorts by
is not in the answer (the newest version's is, which is the same but for hidden versions), so dates of first
versions have to agree. Download counts of older uploads are read again only by `refresh`, which starts over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hubstats.errors import AccessDenied, BadPage
from hubstats.records import Failure, ImageCheckpoint, Page, Record, SourceOptions
from hubstats.sources import Ask, Held
from hubstats.sources import _fields as fields
from hubstats.sources._pages import ask

if TYPE_CHECKING:
    from hubstats.http import HttpClient
    from hubstats.sources import Notify

SAMPLE = 10_000
"""Uploads read when no sample is asked for: the size of the published figure."""
PAGE_SIZE = 100
MAX_REPEATS = 3
"""Times one cursor is followed: an empty page may name itself as the next one, once or twice."""
MAX_STALLED = 200
"""Pages in a row without one new upload before a walk counts as endless."""


Mark = tuple[str, str]
"""Latest date of a newest and of a first version among some uploads, ISO."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the two walks stand; saved as JSON text."""

    begun: bool = False
    high: Mark | None = None
    """Mark of the first page with dates of the last finished walk: what is no newer was read."""
    top: str | None = None
    """Cursor of an interrupted top-up."""
    top_high: Mark | None = None
    """What `high` becomes when that top-up ends."""
    top_taken: int = 0
    deep: str | None = None
    taken: int = 0
    """Uploads read by the deep walk."""
    ended: bool = False
    """The deep walk has reached the end of the list."""

    def save(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, saved: str | None) -> Progress:
        """The saved state; a text that is not one starts afresh."""
        try:
            row = json.loads(saved or "{}")
        except (ValueError, RecursionError):
            row = {}
        row = row if isinstance(row, dict) else {}
        return cls(
            begun=fields.flag(row, "begun") or False,
            high=_mark(row, "high"),
            top=fields.text(row, "top"),
            top_high=_mark(row, "top_high"),
            top_taken=fields.whole(row, "top_taken") or 0,
            deep=fields.text(row, "deep"),
            taken=fields.whole(row, "taken") or 0,
            ended=fields.flag(row, "ended") or False,
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the site, read."""

    checkpoints: tuple[ImageCheckpoint, ...]
    failures: tuple[Failure, ...]
    mark: Mark | None
    """None when the page shows no date."""
    cursor: str | None
    """Where the next page starts; None at the end of the list."""


def parse_page(body: Any, where: str, now: datetime) -> Listing:
    """What one answer lists; `where` names the page in failures. Raises BadPage when it is no listing at all."""
    if not isinstance(body, dict):
        raise BadPage(f"civitai: page '{where}' is not a JSON object; the service may be down, try later")
    metadata = fields.mapping(body, "metadata")
    cursor = _name(metadata, "nextCursor", 1000)
    if cursor is None and metadata.get("nextCursor") not in (None, ""):
        raise BadPage(f"civitai: page '{where}' has a cursor that is neither text nor a number")
    if not isinstance(body.get("items"), list):
        if cursor is None:
            raise BadPage(f"civitai: page '{where}' lists no items; the interface may have changed")
        return Listing((), (Failure("civitai", where, "page", "no_items", "page without a list", now),), None, cursor)
    checkpoints: list[ImageCheckpoint] = []
    failures: list[Failure] = []
    marks: list[Mark] = []
    for number, item in enumerate(body["items"]):
        read = parse_item(item, now)
        if isinstance(read, str):
            failures.append(Failure("civitai", where, f"row {number}", read, "left out of the sample", now))
            continue
        checkpoints.append(read)
        # A date still to come says nothing about the order, and would make all later uploads look known.
        dates = [date for date, _ in _dated_versions(item) if date <= now]
        if dates:
            marks.append((max(dates).isoformat(), min(dates).isoformat()))
    return Listing(tuple(checkpoints), tuple(failures), _latest(marks), cursor)


def parse_item(item: Any, now: datetime) -> ImageCheckpoint | str:
    """The upload that one item describes, or why there is none: not_an_object, no_id."""
    if not isinstance(item, dict):
        return "not_an_object"
    identity = _name(item, "id", 64)
    if identity is None:
        return "no_id"
    dated = _dated_versions(item)
    # The site lists the newest version first, which decides where no version shows its date.
    first = next((version for version in fields.rows(item, "modelVersions") if isinstance(version, dict)), {})
    newest = max(dated, key=lambda pair: pair[0])[1] if dated else first
    return ImageCheckpoint(
        source="civitai",
        checkpoint_id=identity,
        type=fields.text(item, "type"),
        name=fields.text(item, "name"),
        creator=fields.text(fields.mapping(item, "creator"), "username"),
        downloads=fields.whole(fields.mapping(item, "stats"), "downloadCount"),
        base_model=fields.text(newest, "baseModel"),
        published_at=min((date for date, _ in dated), default=None),
        nsfw=fields.flag(item, "nsfw"),
        tags=fields.texts(item, "tags"),
        seen_at=now,
    )


def _dated_versions(item: Mapping[str, Any]) -> list[tuple[datetime, Mapping[str, Any]]]:
    versions = (version for version in fields.rows(item, "modelVersions") if isinstance(version, dict))
    return [(date, version) for version in versions if (date := fields.moment(version, "publishedAt"))]


def _name(row: Mapping[str, Any], key: str, cap: int) -> str | None:
    number = fields.whole(row, key)
    return str(number) if number is not None else (fields.text(row, key, cap) or "").strip() or None


def _latest(marks: Iterable[Mark | None]) -> Mark | None:
    """The later date of each kind. ISO times in UTC are compared as times: fractions may be absent."""
    known = [mark for mark in marks if mark is not None]
    if not known:
        return None
    newest, first = (max(column, key=datetime.fromisoformat) for column in zip(*known, strict=True))
    return newest, first


def _mark(row: Mapping[str, Any], key: str) -> Mark | None:
    pair = fields.texts(row, key)
    dates = [fields.moment({"date": text}, "date") for text in pair]
    if len(dates) != 2 or dates[0] is None or dates[1] is None:
        return None
    return dates[0].isoformat(), dates[1].isoformat()


class Civitai:
    """The listing of all uploads, newest first."""

    name = "civitai"
    live = True

    def __init__(self, client: HttpClient, options: SourceOptions, notify: Notify) -> None:
        self._client = client
        self._notify = notify
        self._sample = SAMPLE if options.sample is None else max(options.sample, 0)
        self._refresh = options.refresh
        self._nsfw = "false" if options.extra.get("nsfw") is False else "true"
        self._scope = f"Newest nsfw={self._nsfw}"
        self._seen: set[str] = set()
        self._stalled = 0
        self.endpoint = f"{client.address}/api/v1/models?sort=Newest&nsfw={self._nsfw}"

    def unavailable(self) -> str | None:
        """None: the listing needs no token."""
        return None

    def counters(self) -> Mapping[str, int]:
        """Requests, bytes and quota as the client counts them."""
        return self._client.counters()

    def forecast(self, held: Held) -> tuple[Ask, ...]:
        """Pages of uploads; the site announces no quota."""
        progress = Progress() if self._refresh else Progress.load(held.cursors.get(self._scope))
        asks = []
        if progress.begun:
            asks.append(Ask("what is new since, 100 uploads a page", 1, None))
        if not self._finished(progress):
            pages = -(-(self._sample - progress.taken) // PAGE_SIZE)
            short = "where pages are short it takes more"
            asks.append(Ask("uploads, newest first, 100 a page", 1, pages, None, short))
        return tuple(asks)

    def pages(self, cursors: Mapping[str, str]) -> Iterator[Page]:
        """Pages of uploads: first what is new since the last crawl, then on to the end of the sample.

        Raises SourceError when the site cannot be read; what was yielded before stands.
        """
        progress = Progress() if self._refresh else Progress.load(cursors.get(self._scope))
        self._seen, self._stalled = set(), 0
        full = self._sample
        asked: Counter[str | None] = Counter()
        topping = progress.begun
        while topping and full > 0:
            listing = self._read(progress.top, PAGE_SIZE, asked)
            fresh = self._unseen(listing)
            progress = replace(
                progress,
                top=listing.cursor,
                top_high=progress.top_high or listing.mark,
                top_taken=progress.top_taken + len(fresh),
            )
            known = listing.mark is not None and _latest((progress.high, listing.mark)) == progress.high
            if known or listing.cursor is None:
                topping = False
                high = _latest((progress.high, progress.top_high))
                progress = replace(progress, high=high, top=None, top_high=None, top_taken=0)
            elif progress.top_taken >= full:
                topping = False
                progress = Progress(True, progress.top_high, deep=listing.cursor, taken=progress.top_taken)
            yield self._page(listing, fresh, progress, done=not topping and self._finished(progress))
        asked.clear()
        while not self._finished(progress):
            listing = self._read(progress.deep, min(PAGE_SIZE, full - progress.taken), asked)
            fresh = self._unseen(listing)
            progress = replace(
                progress,
                begun=True,
                high=progress.high or listing.mark,
                deep=listing.cursor,
                taken=progress.taken + len(fresh),
                ended=listing.cursor is None,
            )
            yield self._page(listing, fresh, progress, done=self._finished(progress))

    def _finished(self, progress: Progress) -> bool:
        return progress.ended or progress.taken >= self._sample

    def _read(self, cursor: str | None, limit: int, asked: Counter[str | None]) -> Listing:
        where = cursor or "first"
        if asked[cursor] >= MAX_REPEATS or self._stalled >= MAX_STALLED:
            raise BadPage(f"civitai: the listing goes in circles at cursor '{where}'; what was read is kept, try later")
        asked[cursor] += 1
        params = [("sort", "Newest"), ("limit", str(limit)), ("nsfw", self._nsfw)]
        if cursor is not None:
            params.append(("cursor", cursor))
        answer, body = ask(self._client, "/api/v1/models", params)
        if answer.status in (401, 403):
            raise AccessDenied(
                f"civitai: the site refuses to answer here (HTTP {answer.status}); it may block this network or region",
                url=answer.url,
                status=answer.status,
            )
        if answer.status != 200:
            raise BadPage(
                f"civitai: HTTP {answer.status} for page '{where}'; if this stays, start over with --refresh",
                url=answer.url,
                status=answer.status,
            )
        return parse_page(body, where, datetime.now(UTC))

    def _unseen(self, listing: Listing) -> tuple[ImageCheckpoint, ...]:
        fresh = {item.checkpoint_id: item for item in listing.checkpoints if item.checkpoint_id not in self._seen}
        self._seen.update(fresh)
        self._stalled = 0 if fresh else self._stalled + 1
        return tuple(fresh.values())

    def _page(self, listing: Listing, fresh: tuple[ImageCheckpoint, ...], progress: Progress, done: bool) -> Page:
        records: tuple[Record, ...] = (*fresh, *listing.failures)
        return Page(records, self._scope, progress.save(), done, expected=self._sample, items=len(fresh))


def open_source(options: SourceOptions, notify: Notify) -> Civitai:
    """The source `civitai`; HUBSTATS_CIVITAI_URL sets another base URL."""
    from hubstats.http import civitai_client

    return Civitai(civitai_client(notify), options, notify)
