"""The Hugging Face Hub: a census of its model repositories, and the card and adapter config of a sample.

    hub = open_source(SourceOptions(filters=("peft",)), print)
    for page in hub.pages({}): ...                                # 1,000 repositories a page, oldest first
    for page in hub.files([Subject("owner/name")]): ...           # one GET per file

Two walks over `/api/models`, each with a cursor of its own:

listing   by creation, oldest first. That order only grows at its end, so the URL of a page is a lasting place in
          it: the saved cursor is the page to read next, and at the end the last page, which a later crawl reads
          again to find what was added.
changed   by last change, newest first, down to where the walk before it started. On the first crawl it is only set
          to the time that crawl began.

Download counts come with the listing, before any file is asked for: fetching a config counts as a download.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from hubstats.errors import BadPage, SourceError, TimedOut, Unreachable
from hubstats.http import Response
from hubstats.http.response import http_date, origin, shown
from hubstats.records import AdapterConfig, Failure, HubModel, ModelCard, Page, SourceOptions, Subject
from hubstats.sources import Ask, Held, Notify
from hubstats.sources._forecast import Window
from hubstats.sources._hub_rows import SOURCE, card_record, check_file, config_record, parse_model, without_answer
from hubstats.sources._repository_files import BYTE_CAPS, CARD
from hubstats.sources._workers import in_threads

if TYPE_CHECKING:
    from hubstats.http import HttpClient

FIELDS = (
    "author",
    "createdAt",
    "lastModified",
    "downloads",
    "likes",
    "tags",
    "library_name",
    "pipeline_tag",
    "gated",
    "disabled",
    "siblings",
)
PAGE_SIZE = 1000
SMALL_PAGE = 100
PAGE_BYTES = 16 * 1024 * 1024
"""A page of 1,000 is about 1 MB; repositories with many thousand files make it larger."""
MODELS = 2_914_786
"""Rows of the whole listing as a public dump of it had them in 2026; a dry run asks nobody and has to take a number."""
DEFAULT_SAMPLE = 1_000
"""Repositories whose files are fetched when no sample is asked for."""
QUOTAS = {
    "listing": (Window(500, 300.0), Window(1000, 300.0)),
    "files": (Window(3000, 300.0), Window(5000, 300.0)),
}
"""Without a token and with that of a free account, as the Hub's documentation has them (2025-09)."""
_DROPPED = re.compile(r"(limit|expand(\[\])?|(access_)?token|api_key)=", re.IGNORECASE)
"""Parameters that a saved place does not keep: what we set anew, and what could hold a secret."""
SLACK = timedelta(minutes=5)
"""How far past its goal the walk `changed` reads: the Hub's index lags, and clocks differ."""
STALLED = 5
"""Pages without a new repository, or older than those before, until the listing is given up as going in circles."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a page is asked for: reduced when the server cannot manage, never part of a saved cursor."""

    limit: int = PAGE_SIZE
    fields: tuple[str, ...] = FIELDS

    def of(self, url: str) -> str:
        """The same place of the listing in this shape, without parameters that could hold a secret."""
        parts = urlsplit(url)
        # Kept as they are written: decoding would turn a '+' of the cursor into a space.
        kept = [one for one in parts.query.split("&") if one and not _DROPPED.match(unquote(one))]
        query = [f"limit={self.limit}", *(f"expand={name}" for name in self.fields), *kept]
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "&".join(query), ""))


class Walk:
    """Notices a listing that leads in circles: page after page without anything new, or going back.

    One such page alone is no circle: an empty page may lead to itself once. `order` is 1 when times rise along the
    walk, -1 when they fall.
    """

    def __init__(self, order: Literal[1, -1]) -> None:
        self._order = order
        self._furthest: float | None = None
        self._recent: deque[frozenset[str]] = deque(maxlen=STALLED + 1)
        self._stalled = 0

    def check(self, ids: Iterable[str], times: Iterable[datetime]) -> None:
        """Take in one page. Raises BadPage; the page before stays the place to go on from."""
        here = frozenset(ids)
        reached = max((self._order * time.timestamp() for time in times), default=self._furthest)
        back = reached is not None and self._furthest is not None and reached < self._furthest
        known = not here.difference(*self._recent)
        self._stalled = self._stalled + 1 if back or known else 0
        if self._stalled >= STALLED:
            raise BadPage("hub: the listing goes in circles; what was read is kept, the next crawl goes on from there")
        self._recent.append(here)
        if not back:
            self._furthest = reached


@dataclass(frozen=True, slots=True)
class Fetched:
    """One file of one subject: its record, whether the Hub was asked, and the error when no try brought the file."""

    record: ModelCard | AdapterConfig
    asked: bool = True
    failure: SourceError | None = None


class Hub:
    """See the module. Implements Source and SampledSource."""

    name = SOURCE
    live = True

    def __init__(self, client: HttpClient, options: SourceOptions, notify: Notify) -> None:
        self._client, self._notify = client, notify
        self._filters = options.filters
        self._workers = max(1, options.workers)
        self._refresh = options.refresh
        self._sample = options.sample
        self._shape = Shape()
        self.endpoint = client.address

    def unavailable(self) -> str | None:
        """Why the Hub cannot be asked at all, or None."""
        return self._client.unavailable

    def counters(self) -> Mapping[str, int]:
        """Requests, bytes, retries and quota left, as the client counts them."""
        return self._client.counters()

    def close(self) -> None:
        """End every wait; for Ctrl-C."""
        self._client.close()

    def pages(self, cursors: Mapping[str, str]) -> Iterator[Page]:
        """The listing from its cursor on, then what has changed since the crawl before.

        Raises SourceError when it has to stop; what was yielded before stands.
        """
        if self._refresh:
            cursors = {}
        since = _instant(cursors.get(self._scope("changed")))
        yield from self._listing(self._place(cursors.get(self._scope("listing"))), started=since is not None)
        if since is not None:
            yield from self._changed(since)

    def forecast(self, held: Held) -> tuple[Ask, ...]:
        """The listing as far as it was not read, then the files of the sample."""
        listing, files = (QUOTAS[kind][self._client.has_token] for kind in ("listing", "files"))
        listed = 0 if self._refresh else held.listed
        if self._scope("listing") in held.finished and not self._refresh:
            pages = Ask("what is new or changed since, 1,000 repositories a page", 2, None, listing)
        else:
            most = max(1, -(-(MODELS - listed) // PAGE_SIZE))
            whole = f"the listing, 1,000 repositories a page; {MODELS:,} in all when last counted (2026)"
            pages = Ask(whole, 1 if self._filters else most, most, listing)
        sample = self._sample if self._sample is not None else DEFAULT_SAMPLE
        new = max(0, sample - held.drawn)
        what = f"README.md and adapter_config.json of {new:,} repositories more in the sample"
        if held.wanted:
            what += f", and {held.wanted:,} files that are still to come"
        return pages, Ask(what, held.wanted, held.wanted + 2 * new, files)

    def files(self, subjects: Iterable[Subject]) -> Iterator[Page]:
        """The wanted files of each subject, a page for every few dozen subjects, in the order the answers come.

        A file whose every request failed is recorded as failed and the rest goes on. Raises AccessDenied when the
        Hub refuses the token, RateLimited when the quota stays away, Unreachable or BadPage when nothing but trouble
        is answered any more.
        """
        in_a_row = 0
        for batch in in_threads(self._fetch, subjects, self._workers):
            files = [file for subject in batch for file in subject]
            yield Page(tuple(file.record for file in files), items=len(batch))
            for file in files:
                in_a_row = in_a_row + 1 if file.failure else 0 if file.asked else in_a_row
                if file.failure and in_a_row >= 3 * self._workers:
                    raise file.failure

    # The listing -----------------------------------------------------------------------------------------------------

    def _scope(self, walk: str) -> str:
        """Each set of filters is a listing of its own."""
        return " ".join((walk, *sorted(set(self._filters))))

    def _first(self, sort: str, direction: int) -> str:
        query = [("sort", sort), ("direction", str(direction)), *(("filter", one) for one in self._filters)]
        return f"{self._client.base_url}/api/models?{urlencode(query, quote_via=quote)}"

    def _place(self, cursor: str | None) -> str:
        """Where the listing goes on: the saved page, if it is one of this endpoint's."""
        start = self._first("createdAt", 1)
        if cursor is None:
            return start
        if origin(cursor) == origin(start) and urlsplit(cursor).path == urlsplit(start).path:
            return cursor
        self._notify(f"hub: the saved place belongs to another endpoint than {self.endpoint}; the listing starts over")
        return start

    def _listing(self, place: str, *, started: bool) -> Iterator[Page]:
        walk = Walk(1)
        url: str | None = place
        while url is not None:
            response = self._read(url)
            now = datetime.now(UTC)
            if not started:
                began = http_date(response.headers.get("date")) or now
                yield Page((), self._scope("changed"), began.isoformat(), done=True, items=0)
                started = True
            records = self._parse(url, response, now)
            models = [record for record in records if isinstance(record, HubModel)]
            walk.check((m.model_id for m in models), (m.created_at for m in models if m.created_at))
            following = self._next(response)
            cursor = Shape().of(following or url)
            yield Page(records, self._scope("listing"), cursor, done=following is None)
            url = following

    def _changed(self, since: datetime) -> Iterator[Page]:
        """Its cursor moves only at the end: broken off half way, the walk starts again from the newest."""
        walk = Walk(-1)
        newest = since
        url: str | None = self._first("lastModified", -1)
        while url is not None:
            response = self._read(url)
            records = self._parse(url, response, datetime.now(UTC))
            models = [record for record in records if isinstance(record, HubModel)]
            times = [model.last_modified for model in models if model.last_modified is not None]
            walk.check((model.model_id for model in models), times)
            newest = max((newest, *times))
            following = self._next(response)
            ended = following is None or any(time < since - SLACK for time in times)
            cursor = newest.isoformat() if ended else None
            yield Page(records, self._scope("changed"), cursor, done=ended)
            url = None if ended else following

    def _next(self, response: Response) -> str | None:
        url = response.next_url()
        if url is not None and urlsplit(url).path != urlsplit(self._first("createdAt", 1)).path:
            raise BadPage("hub: the listing names a next page that is no listing; run it again later")
        return url

    def _read(self, url: str) -> Response:
        """One page, smaller or with less in it when the server cannot manage the usual one."""
        while True:
            try:
                response = self._client.get(self._shape.of(url), max_bytes=PAGE_BYTES, expect_json=True)
            except Unreachable as error:
                if not isinstance(error, TimedOut) and error.status is None:
                    raise
                if not self._reduce(f"cannot answer ({error.status or 'no answer in time'})", SMALL_PAGE):
                    raise
                continue
            if response.truncated and self._reduce(f"sends more than {PAGE_BYTES:,} bytes", SMALL_PAGE):
                continue
            if response.status == 400:
                if self._reduce("refuses what was asked for", PAGE_SIZE):
                    continue
                said = (
                    f"hub: the listing answers 400 ({response.reason()}); if that stays so, start over with --refresh"
                )
                raise BadPage(said, url=shown(response.url), status=400)
            return response.require_ok("HF_TOKEN")

    def _reduce(self, why: str, limit: int) -> bool:
        """Ask for less from now on; False when there is nothing left to leave out."""
        if self._shape.limit > limit:
            self._shape = replace(self._shape, limit=limit)
            now = f"{limit} repositories a page"
        elif "siblings" in self._shape.fields:
            self._shape = replace(self._shape, fields=tuple(name for name in FIELDS if name != "siblings"))
            now = "without file lists"
        elif self._shape.fields and limit == PAGE_SIZE:
            self._shape = replace(self._shape, fields=())
            now = "with the fields that it chooses itself"
        else:
            return False
        self._notify(f"hub: the listing {why}; going on {now}")
        return True

    def _parse(self, url: str, response: Response, now: datetime) -> tuple[HubModel | Failure, ...]:
        rows = response.json()
        if not isinstance(rows, list):
            raise BadPage(f"hub: the listing sent a {type(rows).__name__} in place of a list; run it again later")
        page = _digest(Shape().of(url)).hex()
        return tuple(parse_model(row, place=f"row {n} of page {page}", seen_at=now) for n, row in enumerate(rows))

    # Files -----------------------------------------------------------------------------------------------------------

    def _fetch(self, subject: Subject) -> list[Fetched]:
        found = [self._file(subject, name) for name in subject.files if name in BYTE_CAPS]
        return [replace(one, record=replace(one.record, listed_version=subject.last_modified)) for one in found]

    def _file(self, subject: Subject, name: str) -> Fetched:
        listed = subject.has_card if name == CARD else subject.has_adapter_config
        without = partial(without_answer, subject.model_id, name)
        path = _path(subject.model_id)
        if listed is False:
            return Fetched(without("missing", "not in the repository's file list", datetime.now(UTC)), asked=False)
        if path is None:
            return Fetched(without("unavailable", "not a name a repository can have", datetime.now(UTC)), asked=False)
        try:
            response = self._client.get(f"/{path}/resolve/main/{name}", max_bytes=BYTE_CAPS[name], check=check_file)
        except (Unreachable, BadPage) as error:
            return Fetched(without("failed", str(error), datetime.now(UTC)), failure=error)
        record = card_record if name == CARD else config_record
        return Fetched(record(subject.model_id, response, datetime.now(UTC)))


def _path(model_id: str) -> str | None:
    """The repository's part of a URL, quoted; None when it would lead somewhere else on the server."""
    segments = model_id.split("/")
    if len(segments) > 2 or any(segment in ("", ".", "..") for segment in segments):
        return None
    return "/".join(quote(segment, safe="") for segment in segments)


def _instant(cursor: str | None) -> datetime | None:
    """The time a cursor of the walk `changed` names; None when there is none or it cannot be read."""
    try:
        moment = datetime.fromisoformat(cursor or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _digest(url: str) -> bytes:
    return blake2b(url.encode("utf-8", "replace"), digest_size=8).digest()


def open_source(options: SourceOptions, notify: Notify) -> Hub:
    """The source `hub`; huggingface_hub's HF_ENDPOINT, HF_TOKEN and login decide where and as whom."""
    from hubstats.http import hub_client

    return Hub(hub_client(notify), options, notify)
