"""The image site: hostile rows, and crawls of the stand-in over real HTTP from first page to top-up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstats.errors import AccessDenied, BadPage, SourceError
from hubstats.records import Failure, ImageCheckpoint, Page, SourceOptions
from hubstats.sources import Source, open_source
from hubstats.sources.civitai import Progress, parse_item, parse_page
from tests.servers.civitai import CivitaiServer
from tests.servers.faults import FaultPlan
from tests.servers.synthetic_uploads import EPOCH, Upload, synthetic_civitai

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ODD_VERSION = st.fixed_dictionaries(
    {}, optional={"publishedAt": ANY_JSON | st.datetimes().map(str), "baseModel": ANY_JSON}
)
ODD_ITEM = st.fixed_dictionaries(
    {"id": ANY_JSON | st.integers(1)},
    optional=dict.fromkeys(("type", "name", "creator", "stats", "nsfw", "tags"), ANY_JSON)
    | {"modelVersions": ANY_JSON | st.lists(ODD_VERSION | ANY_JSON, max_size=3)},
)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[CivitaiServer]:
    with CivitaiServer(synthetic_civitai(450, seed=1)) as server:
        monkeypatch.setenv("HUBSTATS_CIVITAI_URL", server.url)
        yield server


class Crawl:
    """What one crawl yielded, and the cursors as the store would keep them."""

    def __init__(self, cursors: dict[str, str] | None = None, stop_after: int | None = None, **options: Any) -> None:
        self.source: Source = open_source("civitai", SourceOptions(**options), lambda line: None)
        self.cursors = dict(cursors or {})
        self.pages: list[Page] = []
        for page in self.source.pages(self.cursors):
            self.pages.append(page)
            if page.cursor is not None:
                self.cursors[page.scope] = page.cursor
            if len(self.pages) == stop_after:
                break
        self.records = [record for page in self.pages for record in page.records]
        self.uploads = {r.checkpoint_id: r for r in self.records if isinstance(r, ImageCheckpoint)}
        self.failures = [record for record in self.records if isinstance(record, Failure)]


def visible(site: CivitaiServer) -> dict[str, Upload]:
    return {str(upload.id): upload for upload in site.held.values() if not upload.withheld}


def test_whole_site_is_read_with_every_type_as_served(site: CivitaiServer) -> None:
    crawl = Crawl()
    expected = visible(site)
    assert crawl.uploads.keys() == expected.keys()
    assert len(crawl.records) == len(expected), "one record for each upload, and no failures"
    assert {upload.type for upload in crawl.uploads.values()} == {upload.type for upload in expected.values()}
    assert all(crawl.uploads[key].downloads == upload.downloads for key, upload in expected.items())
    assert any(upload.downloads is None for upload in crawl.uploads.values())
    assert any(upload.creator is None for upload in crawl.uploads.values())
    assert any(upload.nsfw for upload in crawl.uploads.values())
    assert site.requests_by_bucket == {"api": 5}
    assert crawl.pages[-1].done
    assert not crawl.pages[0].done
    assert "sort=Newest" in crawl.source.endpoint
    assert "nsfw=true" in crawl.source.endpoint


def test_fields_are_those_of_the_oldest_and_newest_version(site: CivitaiServer) -> None:
    site.held.clear()
    site.add([Upload(7, "DoRA", "ink", "ann", 5, base_model="Pony", versions=3, tags=("style",))])
    (upload,) = Crawl().uploads.values()
    assert upload.published_at == EPOCH
    assert (upload.type, upload.name, upload.creator, upload.downloads) == ("DoRA", "ink", "ann", 5)
    assert (upload.base_model, upload.nsfw, upload.tags) == ("Pony", False, ("style",))


def test_narrow_listing_is_a_walk_of_its_own(site: CivitaiServer) -> None:
    crawl = Crawl(extra={"nsfw": False})
    assert crawl.uploads
    assert not any(upload.nsfw for upload in crawl.uploads.values())
    assert "nsfw=false" in crawl.source.endpoint
    assert Crawl(crawl.cursors).uploads.keys() == visible(site).keys()


def test_sample_is_exact_and_a_larger_one_goes_on_from_there(site: CivitaiServer) -> None:
    small = Crawl(sample=130)
    assert len(small.uploads) == 130
    newest = sorted(visible(site), key=int, reverse=True)
    assert set(small.uploads) == set(newest[:130])
    site.forget()
    large = Crawl(small.cursors, sample=300)
    assert len(small.uploads.keys() | large.uploads.keys()) == 300
    assert len(site.requests) <= 4, "one page to look for news, and two or three for the other 170"
    assert small.cursors == Crawl(small.cursors, sample=130).cursors, "nothing new: nothing changes"


def test_killed_crawl_resumes_at_its_cursor(site: CivitaiServer) -> None:
    first = Crawl(stop_after=2)
    site.forget()
    second = Crawl(first.cursors)
    assert first.uploads.keys() | second.uploads.keys() == visible(site).keys()
    # The pages read before are not asked for again, but for the first, which is where news would be.
    assert len(site.requests) == 4


@pytest.mark.parametrize("news", [3, 250])
def test_later_crawl_reads_what_is_new_and_stops(site: CivitaiServer, news: int) -> None:
    first = Crawl()
    site.add(Upload(90_000 + n, published_at=EPOCH + timedelta(days=400, minutes=n)) for n in range(news))
    site.forget()
    second = Crawl(first.cursors)
    assert {str(90_000 + n) for n in range(news)} <= second.uploads.keys()
    assert len(site.requests) <= news // 100 + 2
    site.forget()
    third = Crawl(second.cursors)
    assert len(site.requests) == 1
    assert third.cursors == second.cursors


def test_killed_top_up_loses_nothing(site: CivitaiServer) -> None:
    first = Crawl()
    site.add(Upload(90_000 + n, published_at=EPOCH + timedelta(days=400, minutes=n)) for n in range(250))
    second = Crawl(first.cursors, stop_after=1)
    site.add(Upload(95_000 + n, published_at=EPOCH + timedelta(days=401, minutes=n)) for n in range(30))
    third = Crawl(second.cursors)
    fourth = Crawl(third.cursors)
    read = first.uploads | second.uploads | third.uploads | fourth.uploads
    assert read.keys() == visible(site).keys()


def test_more_news_than_the_sample_become_the_sample(site: CivitaiServer) -> None:
    first = Crawl(sample=100)
    site.add(Upload(90_000 + n, published_at=EPOCH + timedelta(days=400, minutes=n)) for n in range(350))
    second = Crawl(first.cursors, sample=100)
    assert second.uploads.keys() == {str(90_000 + n) for n in range(250, 350)}
    third = Crawl(second.cursors, sample=300)
    assert (second.uploads.keys() | third.uploads.keys()) == {str(90_000 + n) for n in range(50, 350)}


def test_refresh_starts_over(site: CivitaiServer) -> None:
    first = Crawl()
    for upload in site.held.values():
        upload.downloads = 123
    again = Crawl(first.cursors, refresh=True)
    assert again.uploads.keys() == visible(site).keys()
    assert {upload.downloads for upload in again.uploads.values()} == {123}


@pytest.mark.parametrize("paging", ["repeat_rows", "empty"])
def test_repeated_rows_and_empty_pages_are_not_the_end(site: CivitaiServer, paging: Any) -> None:
    site.paging = paging
    crawl = Crawl()
    assert crawl.uploads.keys() == visible(site).keys()
    assert len(crawl.records) == len(crawl.uploads)


def test_pages_with_all_rows_withheld_are_not_the_end(site: CivitaiServer) -> None:
    for upload in sorted(site.held.values(), key=lambda upload: upload.id)[100:400]:
        upload.withheld = True
    crawl = Crawl()
    assert crawl.uploads.keys() == visible(site).keys()


def test_listing_that_goes_in_circles_is_left_and_what_was_read_kept(site: CivitaiServer) -> None:
    site.paging = "same_page"
    source = open_source("civitai", SourceOptions(), lambda line: None)
    pages: list[Page] = []
    with pytest.raises(BadPage, match="circles"):
        pages.extend(source.pages({}))
    assert len(site.requests) <= 10


@pytest.mark.parametrize(
    "kinds", [("500", "503", "reset", "truncated"), ("html_200", "cut_json", "empty_200"), ("429", "429_html")]
)
def test_faults_that_pass_lose_no_upload(site: CivitaiServer, kinds: tuple[str, ...]) -> None:
    site.faults = FaultPlan(rate=1.0, seed=3, kinds=kinds, per_item=1)
    crawl = Crawl(sample=150)
    assert len(crawl.uploads) == 150
    assert sum(site.faults_sent.values()) >= 2


def test_refused_site_says_so(site: CivitaiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "answer", lambda request: refused(403))
    with pytest.raises(AccessDenied, match="403"):
        Crawl()
    monkeypatch.setattr(site, "answer", lambda request: refused(400))
    with pytest.raises(SourceError, match="400"):
        Crawl()


def refused(status: int) -> Any:
    from tests.servers.wire import json_reply

    return json_reply(status, {"error": "no"})


def test_source_needs_no_token(site: CivitaiServer) -> None:
    source = open_source("civitai", SourceOptions(), lambda line: None)
    assert source.unavailable() is None
    assert source.live
    assert source.name == "civitai"
    list(source.pages({}))
    assert source.counters()["requests"] == 5
    assert not any("authorization" in request.headers for request in site.requests)


@given(ANY_JSON | st.fixed_dictionaries({"items": ANY_JSON}, optional={"metadata": ANY_JSON}))
def test_any_body_is_a_page_or_one_bad_page(body: Any) -> None:
    with suppress(BadPage):
        listing = parse_page(body, "first", NOW)
        items = body.get("items")
        rows = len(items) if isinstance(items, list) else 1
        assert len(listing.checkpoints) + len(listing.failures) == rows


@given(st.lists(ODD_ITEM | ANY_JSON, max_size=4))
def test_any_item_is_a_checkpoint_or_a_failure(items: list[Any]) -> None:
    listing = parse_page({"items": items, "metadata": {"nextCursor": "x"}}, "first", NOW)
    assert len(listing.checkpoints) + len(listing.failures) == len(items)
    assert listing.cursor == "x"
    for checkpoint in listing.checkpoints:
        assert checkpoint.checkpoint_id
        assert checkpoint.downloads is None or 0 <= checkpoint.downloads < 2**63
        str(checkpoint).encode()  # no lone surrogate is left


@given(
    st.text()
    | ANY_JSON.map(json.dumps)
    | st.fixed_dictionaries({}, optional=dict.fromkeys(Progress.__slots__, ANY_JSON)).map(json.dumps)
)
def test_any_saved_text_gives_a_state_that_can_be_saved(saved: str) -> None:
    progress = Progress.load(saved)
    assert Progress.load(progress.save()) == progress


def test_odd_items_are_read_as_far_as_they_go() -> None:
    assert parse_item({"id": None}, NOW) == "no_id"
    assert parse_item({"id": True}, NOW) == "no_id"
    assert parse_item([], NOW) == "not_an_object"
    read = parse_item({"id": 5, "stats": {"downloadCount": -1}, "creator": None, "modelVersions": [None, {}]}, NOW)
    assert isinstance(read, ImageCheckpoint)
    assert (read.checkpoint_id, read.downloads, read.creator, read.published_at, read.type) == (
        "5",
        None,
        None,
        None,
        None,
    )


def test_date_to_come_does_not_make_later_uploads_look_known() -> None:
    versions = [{"publishedAt": "2999-01-01T00:00:00Z"}, {"publishedAt": "2026-10-01T00:00:00.000Z"}]
    listing = parse_page({"items": [{"id": 1, "modelVersions": versions}]}, "first", NOW)
    assert listing.mark is not None
    assert listing.mark[0].startswith("2026-10-01")


@pytest.mark.parametrize("cursor", [{}, [1], 1.5, True])
def test_cursor_of_an_unknown_kind_is_no_silent_end(cursor: Any) -> None:
    with pytest.raises(BadPage, match="cursor"):
        parse_page({"items": [], "metadata": {"nextCursor": cursor}}, "first", NOW)
