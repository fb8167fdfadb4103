"""Python files on GitHub that import PEFT, by code search, one query per config class of the registry.

    GET /search/code?q="from peft import" LoraConfig extension:py size:4096..4159&per_page=100&page=1
    GET /repos/{owner}/{name}/git/blobs/{sha}

The engine. The REST interface asks the legacy engine, not the one behind the web page. It ignores punctuation,
so a quoted phrase is a run of words: `"from peft import LoraConfig"` also finds `from peft import (LoraConfig`
over two lines, and the same words in a comment, a document or a string. It covers default branches, files
under 384 KB, forks only where they have more stars than their parent, and repositories active or searched
within a year. It answers in "best match" order only and shows 1,000 results of a query. A query has at most 256
characters without its qualifiers and five AND, OR or NOT; ours have 60 and none.

What is asked, and what each answer is good for:

* Count queries, `"from peft import LoraConfig"` and so on, no qualifier: the way the published 71.3% was most
  likely made. Only the server's total is kept (`search_count`). It counts files of any language, copies of the
  peft repository included, and misses classes that are not first after `import`; totals of this engine have been
  wrong by a factor of 18. It is the measure to compare with, not the one to believe.
* Harvest queries, `"from peft import" LoraConfig extension:py` and the same for ipynb: both stand somewhere in
  the file, so the class may come second or in brackets over several lines. Missed: `import peft` with
  `peft.LoraConfig`, `from peft.tuners.lora import LoraConfig`, star imports without the class's name. What
  the file really imports is read from its content by `hubstats.imports`, never from the match.
* `"from peft import" extension:py` and ipynb: files that import from PEFT, whatever they import. Only this
  sample speaks for all files; the samples per class are each as large as asked for, whatever the class's size.
  `search_hit` says which query found a file in which slice.

Reading on. Slicing and the drawn order of slices are explained in `_code_search`. Each query is a walk of its
own with a saved place, so a killed crawl goes on where it was. A query that is finished is left alone until the
last page of it is older than seven days, or `refresh`, or a larger sample is asked for. A file that could not be
fetched is asked for again by the next crawl. `options.sample` is files per harvest query.

What it costs, at the 9 or 10 searches a minute that GitHub grants: one request per query and class for the counts
and for each class too rare to be sliced (a quarter of an hour in all), and 48 or more for each query with over a
hundred files.

A blob is fetched once per crawl, whatever number of places hold it: its text is kept with the first place, the
others carry the same `blob_sha`. `options.extra["known_files"]` may map (repo, path) to the blob whose text is
stored already: those files are not fetched again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hubstats.errors import AccessDenied, BadPage
from hubstats.records import (
    CodeFile,
    Failure,
    Page,
    Record,
    SearchCount,
    SearchHit,
    SourceOptions,
)
from hubstats.sources import Ask, Held
from hubstats.sources import _fields as fields
from hubstats.sources._blobs import BlobReader
from hubstats.sources._code_search import MOST_SEARCHES, PER_PAGE, Answer, Hit, Walk, advance, parse_answer
from hubstats.sources._forecast import Window
from hubstats.sources._pages import ask

if TYPE_CHECKING:
    from hubstats.http import HttpClient
    from hubstats.sources import Notify

SAMPLE = 1000
"""Files harvested per query when no sample is asked for."""
FRESH_FOR = timedelta(days=7)
SEARCHES = Window(9, 60.0)
BLOBS = Window(5000, 3600.0)
"""Quotas of a token, as GitHub's documentation has them."""
COUNTS = "counts"
"""Scope of the walk over the count queries."""
MOST_BAD_PAGES = 3
"""Queries in a row that may fail before the search itself counts as broken."""

NO_TOKEN = (
    "github: code search answers only with a token; set GITHUB_TOKEN to one made at "
    "https://github.com/settings/personal-access-tokens (no scope or permission is needed, only public code is read)"
)


@dataclass(frozen=True, slots=True)
class Query:
    """One text to search for; `technique` is the registry key of the class it names."""

    text: str
    technique: str | None


def count_queries(classes: Mapping[str, str]) -> tuple[Query, ...]:
    """The published way of counting: the import statement as a phrase, for PEFT as a whole and per config class."""
    named = (Query(f'"from peft import {name}"', key) for name, key in sorted(classes.items()))
    return (Query('"from peft import"', None), *named)


def harvest_queries(classes: Mapping[str, str]) -> tuple[Query, ...]:
    """The queries whose files are read: importing from PEFT at all first, then per config class."""
    stems = [Query('"from peft import"', None)]
    stems += [Query(f'"from peft import" {name}', key) for name, key in sorted(classes.items())]
    return tuple(Query(f"{stem.text} extension:{ext}", stem.technique) for stem in stems for ext in ("py", "ipynb"))


class GitHub:
    """Code search and the files it finds."""

    name = "github"
    live = True

    def __init__(self, client: HttpClient, options: SourceOptions, notify: Notify, classes: Mapping[str, str]) -> None:
        self._client = client
        self._options = options
        self._notify = notify
        self._classes = classes
        self._sample = SAMPLE if options.sample is None else max(options.sample, 0)
        self._reader = self._fresh_reader()
        self.endpoint = client.address

    def unavailable(self) -> str | None:
        """How to make a token, when none is set."""
        return None if self._client.has_token else NO_TOKEN

    def counters(self) -> Mapping[str, int]:
        """Requests, bytes and quota as the client counts them."""
        return self._client.counters()

    def pages(self, cursors: Mapping[str, str]) -> Iterator[Page]:
        """The count of every query, then the files of every harvest query.

        Raises AccessDenied for a token GitHub does not take, SourceError when it has to stop; what was yielded
        before stands. A query that cannot be read becomes a Failure and is asked again by the next crawl.
        """
        if not self._client.has_token:
            raise AccessDenied(NO_TOKEN)
        self._reader = self._fresh_reader()
        yield from self._count(cursors.get(COUNTS))
        bad = 0
        for query in harvest_queries(self._classes):
            try:
                yield from self._harvest(query, cursors.get(query.text))
                bad = 0
            except BadPage as error:
                bad += 1
                if bad >= MOST_BAD_PAGES:
                    raise
                yield Page((Failure(self.name, query.text, "page", "bad_page", str(error), datetime.now(UTC)),))

    def forecast(self, held: Held) -> tuple[Ask, ...]:
        """Searches, then the files they find: how many a query needs is known once it has been asked."""
        counts = len(count_queries(self._classes))
        if not self._options.refresh:
            started, asked = _load_counts(held.cursors.get(COUNTS))
            counts -= len(asked) if started is not None and datetime.now(UTC) - started <= FRESH_FOR else 0
        least = most = files = 0
        for query in harvest_queries(self._classes):
            walk = Walk.load(held.cursors.get(query.text), self._options.seed)
            if walk.ended(self._sample) and (self._options.refresh or _is_old(walk.on)):
                walk = Walk(seed=self._options.seed)
            if not walk.ended(self._sample):
                least, most = least + 1, most + MOST_SEARCHES + self._sample // 5 - walk.requests
                files += self._sample - walk.taken
        bound = "the bound is that of every class being given up; most are rare and take one or two"
        return (
            Ask("the totals of the queries", counts, counts, SEARCHES),
            Ask("searches for files, of rare classes one, of others by sizes", least, most, SEARCHES, bound),
            Ask("files that they find", 0, files, BLOBS, "LoRA's classes fill the sample, most others have a few"),
        )

    def _fresh_reader(self) -> BlobReader:
        known = self._options.extra.get("known_files") or {}
        return BlobReader(self._client, self.name, self._classes, self._options.workers, known)

    def _count(self, saved: str | None) -> Iterator[Page]:
        queries = count_queries(self._classes)
        started, asked = _load_counts(saved)
        now = datetime.now(UTC)
        all_asked = asked.issuperset(query.text for query in queries)
        if started is None or now - started > FRESH_FOR or (self._options.refresh and all_asked):
            started, asked = now, set()
        bad = 0
        for query in queries:
            if query.text in asked:
                continue
            now = datetime.now(UTC)
            records: tuple[Record, ...]
            try:
                answer = self._search(query.text, page=1, per_page=1)
                if answer.refused:
                    raise BadPage(f"github: the server does not accept the query {query.text}", status=422)
                records = (_search_count(query, answer.total, answer.incomplete, now),)
                bad = 0
            except BadPage as error:
                bad += 1
                if bad >= MOST_BAD_PAGES:
                    raise
                yield Page((Failure(self.name, COUNTS, query.text, "bad_page", str(error), now),))
                continue
            asked.add(query.text)
            cursor = json.dumps({"started": started.isoformat(), "asked": sorted(asked)})
            yield Page(records, COUNTS, cursor, done=len(asked) >= len(queries), expected=len(queries), items=1)

    def _harvest(self, query: Query, saved: str | None) -> Iterator[Page]:
        walk = Walk.load(saved, self._options.seed)
        if walk.ended(self._sample) and (self._options.refresh or _is_old(walk.on)):
            walk = Walk(seed=self._options.seed)
        if walk.failed:
            page_again, walk = self._again(query, walk)
            yield page_again
        seen: set[tuple[str, str]] = set()
        while not walk.ended(self._sample):
            piece = walk.current(query.text)
            sizes = None if piece is None else f"{piece[0]}..{piece[1]}"
            text = query.text if sizes is None else f"{query.text} size:{sizes}"
            page = walk.page
            answer = self._search(text, page)
            chosen, walk = advance(walk, query.text, answer, seen, self._sample)
            seen.update(hit.place for hit in chosen)
            now = datetime.now(UTC)
            files = tuple(self._reader.read(chosen))
            walk = replace(walk, on=now.isoformat(), failed=(*walk.failed, *_failed(files))[:500])
            records: list[Record] = [_search_hit(query, hit, sizes, now) for hit in chosen]
            records += files
            records += [
                Failure(self.name, f"{text} page {page}", f"row {row}", reason, "left out of the sample", now)
                for row, reason in answer.bad
            ]
            if answer.refused and page == 1:
                detail = "the server does not accept this query (HTTP 422); nothing was read of it"
                records.append(Failure(self.name, text, "page", "http_422", detail, now))
            done = walk.ended(self._sample)
            if done:
                records.append(_search_count(query, walk.total, walk.incomplete, now, walk.taken, walk.slices))
                if not walk.exhausted() and walk.taken < self._sample:
                    self._notify(
                        f"github: gave up on {query.text} after {walk.requests} requests for {walk.taken} files"
                    )
            expected = None if walk.total is None else min(walk.total, self._sample)
            yield Page(tuple(records), query.text, walk.save(), done, expected, len(chosen))

    def _again(self, query: Query, walk: Walk) -> tuple[Page, Walk]:
        """The files that the last crawl could not fetch."""
        files = tuple(self._reader.read(Hit(repo, path, sha, None, ()) for repo, path, sha in walk.failed))
        walk = replace(walk, failed=_failed(files))
        return Page(files, query.text, walk.save(), walk.ended(self._sample), items=0), walk

    def _search(self, text: str, page: int, per_page: int = PER_PAGE) -> Answer:
        params = [("q", text), ("per_page", str(per_page)), ("page", str(page))]
        accept = {"Accept": "application/vnd.github.text-match+json"}
        response, body = ask(self._client, "/search/code", params, accept)
        if response.status in (401, 403):
            raise AccessDenied(
                f"github: the token is not accepted (HTTP {response.status}: {response.reason()}); set GITHUB_TOKEN to "
                "a valid one, made at https://github.com/settings/personal-access-tokens",
                url=response.url,
                status=response.status,
            )
        if response.status == 422:
            return Answer(refused=True)
        answer = parse_answer(body, more='rel="next"' in response.headers.get("link", ""))
        if answer is None:
            raise BadPage(f"github: HTTP {response.status} and no search result for {text}", status=response.status)
        return answer


def _failed(records: Iterable[Record]) -> tuple[tuple[str, str, str], ...]:
    files = (record for record in records if isinstance(record, CodeFile) and record.status == "failed")
    return tuple((file.repo, file.path, file.blob_sha or "") for file in files)


def _load_counts(saved: str | None) -> tuple[datetime | None, set[str]]:
    try:
        row = json.loads(saved or "null")
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        return None, set()
    return fields.moment(row, "started"), set(fields.texts(row, "asked", most=1000))


def _is_old(on: str | None) -> bool:
    date = fields.moment({"on": on}, "on")
    return date is None or datetime.now(UTC) - date > FRESH_FOR


def _search_count(
    query: Query,
    total: int | None,
    incomplete: bool | None,
    now: datetime,
    harvested: int | None = None,
    slices: int | None = None,
) -> SearchCount:
    return SearchCount("github", query.text, query.technique, total, incomplete, harvested, slices, now)


def _search_hit(query: Query, hit: Hit, sizes: str | None, now: datetime) -> SearchHit:
    return SearchHit(
        "github", query.text, hit.repo, hit.path, query.technique, hit.sha, hit.fork, sizes, hit.fragments, now
    )


def open_source(options: SourceOptions, notify: Notify) -> GitHub:
    """The source `github`; GITHUB_TOKEN is needed, HUBSTATS_GITHUB_URL sets another base URL."""
    from hubstats.http import github_client
    from hubstats.techniques import load

    return GitHub(github_client(notify), options, notify, load().config_classes())
