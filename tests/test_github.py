"""Code search: the walk under the cap, hostile rows, blobs, and a crawl against the stand-in over real HTTP."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstats.errors import AccessDenied, SourceError
from hubstats.http import github_client
from hubstats.records import CodeFile, CodeImport, Failure, Page, SearchCount, SearchHit, SourceOptions
from hubstats.sources import open_source
from hubstats.sources._blobs import MAX_BLOB, read_blob
from hubstats.sources._code_search import (
    CAP,
    GRID,
    PER_PAGE,
    Answer,
    Hit,
    Walk,
    advance,
    cut,
    drawn_order,
    parse_answer,
    parse_hit,
)
from hubstats.sources.github import COUNTS, GitHub, count_queries, harvest_queries
from tests.conftest import clean_environment
from tests.servers.faults import FaultPlan
from tests.servers.github import GitHubServer, Quota, SourceFile, synthetic_github

QUERY = '"from peft import" LoraConfig extension:py'
SHA = "0123456789abcdef0123456789abcdef01234567"

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def odd_rows(keys: list[str]) -> st.SearchStrategy[Any]:
    """Objects that have the right keys and anything under them."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, ANY_JSON))


class Engine:
    """Files by size behind a search that shows 1,000 results a query and says any total it likes."""

    def __init__(self, sizes: list[int], total: Any = None) -> None:
        self.files = [(Hit(f"o/r{n}", "a.py", SHA, False, ()), size) for n, size in enumerate(sizes)]
        self.total = total or (lambda found: found)
        self.asked: list[tuple[Any, int]] = []

    def answer(self, piece: Any, page: int) -> Answer:
        self.asked.append((piece, page))
        assert page * PER_PAGE <= CAP, "the server refuses this page"
        found = [hit for hit, size in self.files if piece is None or piece[0] <= size <= piece[1]]
        shown = found[:CAP][(page - 1) * PER_PAGE : page * PER_PAGE]
        more = page * PER_PAGE < min(len(found), CAP)
        return Answer(tuple(shown), (), len(shown), self.total(len(found)), False, more)

    def walk(self, sample: int, walk: Walk | None = None, seed: int = 0) -> tuple[list[Hit], Walk]:
        """All files taken, with the saved text read back between any two pages as after a kill."""
        walk = walk or Walk(seed=seed)
        taken: list[Hit] = []
        seen: set[tuple[str, str]] = set()
        while not walk.ended(sample):
            chosen, walk = advance(walk, QUERY, self.answer(walk.current(QUERY), walk.page), seen, sample)
            taken += chosen
            seen.update(hit.place for hit in chosen)
            walk = Walk.load(walk.save(), seed=99)
        return taken, walk


def test_grid_covers_every_searchable_size_once() -> None:
    edges = [edge for piece in GRID for edge in piece]
    assert edges[0] == 0
    assert edges[-1] == 384 * 1024 - 1
    assert all(right == left + 1 for left, right in zip(edges[1::2], edges[2::2], strict=False))


@given(st.integers(1, len(GRID)), st.integers())
def test_drawn_slices_cover_the_grid_once_whatever_their_number(parts: int, seed: int) -> None:
    slices = sorted(drawn_order(QUERY, seed, parts))
    assert len(slices) == parts
    assert slices[0][0] == 0
    assert slices[-1][1] == GRID[-1][1]
    assert all(right[0] == left[1] + 1 for left, right in pairwise(slices))


@given(st.integers(0, 400_000), st.integers(1, 20_000), st.integers(2, 16))
def test_cut_covers_the_slice_once_and_gets_narrower(low: int, width: int, parts: int) -> None:
    pieces = cut((low, low + width), parts)
    assert pieces[0][0] == low
    assert pieces[-1][1] == low + width
    assert all(right[0] == left[1] + 1 for left, right in pairwise(pieces))
    assert all(piece[1] - piece[0] < width for piece in pieces)


def test_small_answer_is_taken_whole_with_one_request() -> None:
    engine = Engine([10, 20, 30])
    taken, walk = engine.walk(sample=1000)
    assert len(taken) == 3
    assert engine.asked == [(None, 1)]
    assert walk.exhausted()
    assert walk.total == 3


@pytest.mark.parametrize(
    "lie", [lambda n: n, lambda n: n // 18, lambda n: min(n, 999), lambda n: 4 * n + 1, lambda n: None]
)
def test_every_file_is_found_once_whatever_the_totals_say(lie: Any) -> None:
    sizes = list(range(0, 12_000, 3)) + [5000] * 900 + [200_000] * 700
    engine = Engine(sizes, lie)
    taken, walk = engine.walk(sample=10**6)
    assert len(taken) == len(sizes) == len({hit.repo for hit in taken})
    assert walk.exhausted()
    assert walk.taken == len(sizes)


def test_more_files_of_one_size_than_the_server_shows_end_the_slice() -> None:
    engine = Engine([777] * 1500)
    taken, walk = engine.walk(sample=10**6)
    assert len(taken) == CAP
    assert walk.exhausted()


def test_larger_sample_extends_the_smaller_and_a_resume_asks_for_nothing_twice() -> None:
    sizes = [(n * 7919) % 30_000 for n in range(3000)]
    straight, _ = Engine(sizes).walk(sample=700)
    engine = Engine(sizes)
    small, walk = engine.walk(sample=250)
    assert len(small) == 250
    before = len(engine.asked)
    grown, walk = engine.walk(sample=700, walk=walk)
    assert small + grown == straight
    assert walk.taken == 700
    # Only the page on which the first sample was full is read again.
    assert len(set(engine.asked[:before]) & set(engine.asked[before:])) <= 1


def test_sample_depends_on_the_seed_and_not_on_the_servers_order() -> None:
    sizes = [(n * 7919) % 30_000 for n in range(3000)]
    one, other = (Engine(sizes).walk(sample=100, seed=seed)[0] for seed in (1, 2))
    assert one != other
    few = Engine(list(range(60)))
    first = {hit.repo for hit in few.walk(sample=10)[0]}
    few.files.reverse()
    assert {hit.repo for hit in few.walk(sample=10)[0]} == first


def test_timed_out_answer_is_recorded_and_not_taken_for_the_whole() -> None:
    engine = Engine([10, 20, 30])
    answer = replace(engine.answer(None, 1), incomplete=True)
    chosen, walk = advance(Walk(), QUERY, answer, set(), 100)
    assert chosen == ()
    assert walk.parts >= 4
    assert walk.incomplete
    assert len(engine.walk(100, walk)[0]) == 3


def test_refused_page_ends_the_slice_only() -> None:
    walk = Walk(parts=4, at=1, page=3)
    chosen, after = advance(walk, QUERY, Answer(refused=True), set(), 100)
    assert chosen == ()
    assert (after.at, after.page) == (2, 1)


def test_server_that_fills_every_page_with_the_same_files_is_left() -> None:
    row = tuple(Hit("o/r", f"{n}.py", SHA, False, ()) for n in range(100))
    walk, seen, requests = Walk(), set(), 0
    while not walk.ended(1000):
        chosen, walk = advance(walk, QUERY, Answer(row, (), 100, 10**9, False, True), seen, 1000)
        seen.update(hit.place for hit in chosen)
        requests += 1
    assert requests <= 600
    assert walk.taken <= 100


@given(st.text() | ANY_JSON.map(lambda value: json.dumps(value)) | odd_rows(list(Walk.__slots__)).map(json.dumps))
def test_any_saved_text_gives_a_walk_that_can_go_on(saved: str) -> None:
    walk = Walk.load(saved, seed=3)
    if not walk.exhausted():
        walk.current(QUERY)
        advance(walk, QUERY, Answer(), set(), 10)
    assert Walk.load(walk.save(), seed=0) == walk


@given(ANY_JSON)
def test_any_body_is_read_without_an_exception(body: Any) -> None:
    assert parse_answer(body, more=False) is None or isinstance(body, dict)


@given(
    st.lists(
        ANY_JSON
        | st.fixed_dictionaries(
            {"repository": odd_rows(["full_name", "fork"]), "path": ANY_JSON | st.just("a.py"), "sha": st.just(SHA)},
            optional={"text_matches": st.lists(odd_rows(["fragment"]))},
        ),
        max_size=5,
    ),
    ANY_JSON,
)
def test_any_row_is_a_hit_or_a_counted_failure(rows: list[Any], total: Any) -> None:
    answer = parse_answer({"items": rows, "total_count": total, "incomplete_results": total}, more=True)
    assert answer is not None
    assert len(answer.hits) + len(answer.bad) == answer.rows == len(rows)
    for hit in answer.hits:
        json.dumps([hit.repo, hit.path, hit.fragments]).encode()


def test_hit_is_read_with_fragments_and_fork() -> None:
    item = {
        "path": "train.py",
        "sha": SHA,
        "repository": {"full_name": "o/r", "fork": True},
        "text_matches": [{"fragment": "from peft import LoraConfig"}, {"fragment": 3}, None],
    }
    assert parse_hit(item) == Hit("o/r", "train.py", SHA, True, ("from peft import LoraConfig",))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"repository": {"full_name": "../etc"}}, "no_repository"),
        ({"repository": {"full_name": "o/r/../../x"}}, "no_repository"),
        ({"repository": {"full_name": "o/r?x=1"}}, "no_repository"),
        ({"repository": None}, "no_repository"),
        ({"path": ""}, "no_path"),
        ({"path": 7}, "no_path"),
        ({"sha": "main"}, "no_sha"),
        ({"sha": SHA + "0" * 60}, "no_sha"),
    ],
)
def test_row_that_would_make_a_bad_url_is_refused(change: dict[str, Any], reason: str) -> None:
    assert parse_hit({"path": "a.py", "sha": SHA, "repository": {"full_name": "o/r"}} | change) == reason


@given(ANY_JSON | odd_rows(["content", "encoding", "size"]), st.integers(200, 599))
def test_any_blob_answer_gets_a_status(body: Any, status: int) -> None:
    blob = read_blob(status, body)
    assert (blob.data is not None) == (blob.status in ("ok", "too_large"))


def test_blob_is_decoded_capped_and_never_guessed() -> None:
    text = b"from peft import LoraConfig\n" * 10
    encoded = base64.encodebytes(text).decode()
    assert read_blob(200, {"content": encoded, "encoding": "base64"}).data == text
    assert read_blob(200, {"content": "", "encoding": "none"}).status == "malformed"
    assert read_blob(200, {"content": "@@@", "encoding": "base64"}).status == "malformed"
    assert read_blob(404, None).status == "unavailable"
    assert read_blob(451, None).status == "disabled"
    assert read_blob(200, None, truncated=True).status == "too_large"
    large = read_blob(200, {"content": base64.b64encode(b"x" * (MAX_BLOB + 1)).decode(), "encoding": "base64"})
    assert large.status == "too_large"
    assert large.data is not None
    assert len(large.data) == MAX_BLOB


def test_queries_say_what_they_ask_and_keep_to_the_limits() -> None:
    classes = {"LoraConfig": "lora", "VeryLongMultitaskPromptTuningConfig": "mpt"}
    counted = count_queries(classes)
    assert [(query.text, query.technique) for query in counted] == [
        ('"from peft import"', None),
        ('"from peft import LoraConfig"', "lora"),
        ('"from peft import VeryLongMultitaskPromptTuningConfig"', "mpt"),
    ]
    harvested = harvest_queries(classes)
    assert len(harvested) == 6
    assert len({query.text for query in harvested}) == 6
    assert harvested[0].technique is None
    assert '"from peft import" LoraConfig extension:py' in {q.text for q in harvested}
    assert all(len(query.text) <= 256 for query in (*counted, *harvested))


# --- against the stand-in -----------------------------------------------------------------------------------------

CLASSES = {"LoraConfig": "lora", "LoHaConfig": "loha", "IA3Config": "ia3"}
HEAD = b"from peft import LoraConfig\n"


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    with GitHubServer(synthetic_github(150, seed=1)) as server:
        monkeypatch.setenv("HUBSTATS_GITHUB_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", "ghp_good")
        yield server


class Crawl:
    """What one crawl yielded, and the cursors as the store would keep them."""

    def __init__(self, cursors: dict[str, str] | None = None, stop_after: int | None = None, **options: Any) -> None:
        self.said: list[str] = []
        client = github_client(self.said.append, tries=4, backoff=0.01, longest_backoff=0.02)
        self.source = GitHub(client, SourceOptions(**options), self.said.append, CLASSES)
        self.cursors = dict(cursors or {})
        self.pages: list[Page] = []
        for page in self.source.pages(self.cursors):
            self.pages.append(page)
            if page.cursor is not None:
                self.cursors[page.scope] = page.cursor
            if len(self.pages) == stop_after:
                break
        records = [record for page in self.pages for record in page.records]
        self.rows: Counter[str] = Counter(type(record).__name__ for record in records)
        self.files = {(r.repo, r.path): r for r in records if isinstance(r, CodeFile)}
        self.hits = {(r.query, r.repo, r.path): r for r in records if isinstance(r, SearchHit)}
        self.counts = {r.query: r for r in records if isinstance(r, SearchCount)}
        self.failures = [record for record in records if isinstance(record, Failure)]
        self.imports = [record for record in records if isinstance(record, CodeImport)]


def findable(server: GitHubServer, extension: str = "(py|ipynb)") -> dict[tuple[str, str], SourceFile]:
    """What a search for the phrase must find, read off the files themselves."""
    phrase = re.compile(rb"\bfrom\W+peft\W+import\b", re.IGNORECASE)
    return {
        (file.repo, file.path): file
        for file in server.held.values()
        if not file.fork and len(file.content) < 384 * 1024 and re.search(rf"\.{extension}$", file.path)
        if phrase.search(file.content)
    }


def blobs_asked(server: GitHubServer) -> Counter[str]:
    return Counter(request.path.rpartition("/")[2] for request in server.requests if "/git/blobs/" in request.path)


def test_every_file_that_imports_peft_is_read_and_each_blob_fetched_once(github: GitHubServer) -> None:
    crawl = Crawl()
    expected = findable(github)
    assert crawl.files.keys() == expected.keys()
    assert len(expected) > 100
    assert {file.status for file in crawl.files.values()} == {"ok"}
    assert all(file.blob_sha == expected[place].sha for place, file in crawl.files.items())
    assert not crawl.failures
    assert crawl.rows["CodeFile"] == len(crawl.files), "a file that two queries find is read once"
    asked = blobs_asked(github)
    assert set(asked.values()) == {1}
    assert asked.keys() == {file.sha for file in expected.values()}
    assert len(asked) < len(expected), "the synthetic files hold copies"


def test_text_is_kept_once_per_blob_and_copies_have_the_same_imports(github: GitHubServer) -> None:
    crawl = Crawl()
    texts = Counter(file.blob_sha for file in crawl.files.values() if file.text is not None)
    assert texts.keys() == {file.blob_sha for file in crawl.files.values()}
    assert set(texts.values()) == {1}
    by_place: dict[Any, list[Any]] = {}
    for row in crawl.imports:
        by_place.setdefault((row.repo, row.path), []).append((row.form, row.module, row.name, row.line))
    copies = [file for file in crawl.files.values() if file.text is None]
    assert copies
    for copy in copies:
        original = next(f for f in crawl.files.values() if f.blob_sha == copy.blob_sha and f.text is not None)
        # Each place is read as often as a query finds it, and its imports are replaced together.
        assert set(by_place[copy.repo, copy.path]) == set(by_place[original.repo, original.path])


def test_what_is_imported_comes_from_the_content_and_not_from_the_match(github: GitHubServer) -> None:
    github.held.clear()
    github.add(
        [
            SourceFile("a/a", "one.py", b"from peft import (\n    get_peft_model,\n    LoHaConfig as L,\n)\nL(r=1)\n"),
            SourceFile("a/a", "tests/test_two.py", b"# from peft import LoHaConfig\n"),
            SourceFile("a/a", "three.py", b"print 1\nfrom peft import IA3Config\n"),
        ]
    )
    crawl = Crawl()
    found = {(row.path, row.form, row.name, row.alias, row.technique) for row in crawl.imports}
    assert ("one.py", "from", "LoHaConfig", "L", "loha") in found
    assert ("three.py", "from", "IA3Config", None, "ia3") in found
    assert not any(path == "tests/test_two.py" for path, *_ in found)
    assert crawl.files["a/a", "tests/test_two.py"].role == "test"
    assert crawl.files["a/a", "one.py"].role == "use"
    assert crawl.files["a/a", "three.py"].parser == "fallback"
    assert crawl.files["a/a", "one.py"].revision is None
    hit = crawl.hits['"from peft import" LoHaConfig extension:py', "a/a", "one.py"]
    assert hit.technique == "loha"
    assert hit.fork is False
    assert "LoHaConfig" in hit.fragments[0]


def test_counts_are_the_published_phrase_for_phrase(github: GitHubServer) -> None:
    crawl = Crawl(sample=0)
    said = dict.fromkeys(CLASSES, 0)
    for file in github.held.values():
        for name in CLASSES:
            phrase = rb"\bfrom\W+peft\W+import\W+" + name.encode() + rb"\b"
            if not file.fork and len(file.content) < 384 * 1024 and re.search(phrase, file.content, re.IGNORECASE):
                said[name] += 1
    got = {name: crawl.counts[f'"from peft import {name}"'] for name in CLASSES}
    assert {name: row.total_count for name, row in got.items()} == said
    assert said["LoraConfig"] > 50
    assert {row.technique for row in got.values()} == {"lora", "loha", "ia3"}
    assert len(github.requests) == 1 + len(CLASSES)
    assert not crawl.files


def test_no_token_is_said_before_anything_is_sent(github: GitHubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    source = open_source("github", SourceOptions(), lambda line: None)
    reason = source.unavailable()
    assert reason is not None
    assert "GITHUB_TOKEN" in reason
    assert "no scope" in reason
    assert "\n" not in reason
    with pytest.raises(AccessDenied):
        list(source.pages({}))
    assert not github.requests


def test_bad_token_stops_with_the_next_step(github: GitHubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_wrong")
    with pytest.raises(AccessDenied, match="set GITHUB_TOKEN") as error:
        Crawl()
    assert "ghp_wrong" not in str(error.value)
    assert len(github.requests) == 1


def test_source_opens_with_the_registry_and_asks_for_each_class(github: GitHubServer) -> None:
    source = open_source("github", SourceOptions(sample=0), lambda line: None)
    assert source.unavailable() is None
    queries = {r.query for page in source.pages({}) for r in page.records if isinstance(r, SearchCount)}
    assert '"from peft import LoraConfig"' in queries
    assert '"from peft import IA3Config"' in queries
    assert len(queries) > 40


def test_killed_crawl_resumes_and_finished_queries_are_left_alone(github: GitHubServer) -> None:
    whole = Crawl()
    for stop in (2, 5, 7):
        github.forget()
        first = Crawl(stop_after=stop)
        half = Counter(request.query for request in github.requests if request.path == "/search/code")
        github.forget()
        second = Crawl(first.cursors)
        rest = Counter(request.query for request in github.requests if request.path == "/search/code")
        assert not half & rest, "no search is asked for twice"
        assert (first.hits | second.hits).keys() == whole.hits.keys()
        assert (first.files | second.files).keys() == whole.files.keys()
    github.forget()
    assert not Crawl(second.cursors).pages
    assert not github.requests


def test_refresh_or_a_week_asks_again(github: GitHubServer) -> None:
    first = Crawl()
    github.add([SourceFile("new/one", "a.py", HEAD)])
    fresh = Crawl(first.cursors, refresh=True)
    assert ("new/one", "a.py") in fresh.files
    phrase = '"from peft import LoraConfig"'
    assert fresh.counts[phrase].total_count == (first.counts[phrase].total_count or 0) + 1
    week_old = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    old = {
        scope: json.dumps(json.loads(text) | ({"started": week_old} if scope == COUNTS else {"on": week_old}))
        for scope, text in first.cursors.items()
    }
    again = Crawl(old)
    assert ("new/one", "a.py") in again.files
    assert again.counts.keys() == first.counts.keys()


def test_known_files_are_not_fetched_again(github: GitHubServer) -> None:
    first = Crawl()
    known = {place: file.blob_sha for place, file in first.files.items() if file.text is not None}
    place = next(iter(known))
    github.add([SourceFile(*place, HEAD + b"x = 2\n")])
    github.forget()
    again = Crawl(first.cursors, refresh=True, extra={"known_files": known})
    assert again.hits.keys() >= first.hits.keys()
    copies = {file.blob_sha for file in first.files.values() if file.text is None}
    assert blobs_asked(github).keys() - copies == {github.held[place].sha}


def test_a_copy_of_what_the_store_holds_is_called_one_after_a_restart_too(github: GitHubServer) -> None:
    first = Crawl()
    known = {place: file.blob_sha for place, file in first.files.items() if file.text is not None}
    copies = {place: file for place, file in first.files.items() if file.text is None}
    assert copies
    again = Crawl(first.cursors, refresh=True, extra={"known_files": known})
    for place, file in copies.items():
        assert (again.files[place].text, again.files[place].detail) == (None, file.detail)


def test_a_blob_that_is_not_what_the_search_named_is_failed_and_asked_for_again(github: GitHubServer) -> None:
    copies = Counter(held.sha for held in github.held.values())
    place, held = next((place, held) for place, held in github.held.items() if copies[held.sha] == 1)
    github.by_blob[held.repo.lower(), held.sha] = SourceFile(*place, b"from peft import Other\n")
    first = Crawl()
    assert first.files[place].status == "failed"
    github.add(())
    assert Crawl(first.cursors).files[place].status == "ok"


def test_sample_bounds_each_query_and_a_larger_one_extends_it(github: GitHubServer) -> None:
    small = Crawl(sample=20)
    per_query = Counter(query for query, _, _ in small.hits)
    assert max(per_query.values()) == 20
    assert small.counts['"from peft import" extension:py'].harvested == 20
    large = Crawl(small.cursors, sample=1000)
    assert (small.files | large.files).keys() == findable(github).keys()
    assert not small.hits.keys() & large.hits.keys()


def test_more_than_the_cap_is_harvested_whole_though_totals_lie_and_wide_queries_lose(github: GitHubServer) -> None:
    github.held.clear()
    head = b"from peft import get_peft_model\n"
    github.add(SourceFile(f"o/r{n}", "a.py", head + b"#" * (n * 37 % 24_000) + b"%d" % n) for n in range(1500))
    github.total_count = lambda count: count // 18 if count > 100 else count
    github.wide_loss = 0.2
    crawl = Crawl(sample=5000)
    assert crawl.files.keys() == findable(github).keys()
    assert len(crawl.files) == 1500
    count = crawl.counts['"from peft import" extension:py']
    assert count.harvested == 1500
    assert (count.total_count or 0) < 100
    assert (count.slices or 0) > 1
    assert crawl.pages[-1].done


def test_time_outs_are_recorded(github: GitHubServer) -> None:
    github.incomplete_every = 3
    counts = Crawl().counts
    assert {row.incomplete for row in counts.values()} == {True, False}


def test_repositories_that_vanished_get_a_status_and_copies_are_still_read(github: GitHubServer) -> None:
    github.held.clear()
    github.add(SourceFile(f"gone/{name}", "a.py", HEAD + name.encode()) for name in ("a", "b", "c"))
    github.add(SourceFile(repo, f"{n}.py", HEAD + b"%d" % n) for repo in ("gone/b", "live/one") for n in range(8))
    github.blocked = {"gone/a": 451, "gone/b": 403}
    github.renamed = {"gone/c": "moved/c"}
    crawl = Crawl()
    assert crawl.files["gone/a", "a.py"].status == "disabled"
    assert crawl.files["gone/b", "a.py"].status == "unavailable"
    live = [file for (repo, _), file in crawl.files.items() if repo == "live/one"]
    assert [file.status for file in live] == ["ok"] * 8
    assert len(crawl.files) == 3 + 16
    assert not crawl.failures


def test_file_that_could_not_be_fetched_is_asked_for_by_the_next_crawl(github: GitHubServer) -> None:
    github.held.clear()
    github.add(SourceFile("o/r", f"{n}.py", HEAD + b"%d" % n) for n in range(5))
    bad = github.held["o/r", "3.py"].sha
    github.faults = FaultPlan(rate=0.0, never=1.0, kinds=("500",), only=lambda target: bad in target)
    first = Crawl()
    assert {place for place, file in first.files.items() if file.status == "failed"} == {("o/r", "3.py")}
    still = Crawl(first.cursors)
    assert [file.status for file in still.files.values()] == ["failed"]
    github.faults = None
    second = Crawl(still.cursors)
    assert second.files.keys() == {("o/r", "3.py")}
    assert second.files["o/r", "3.py"].status == "ok"
    assert not Crawl(second.cursors).pages


def test_github_out_of_reach_stops_and_keeps_the_place(github: GitHubServer) -> None:
    github.faults = FaultPlan(rate=0.0, never=1.0, kinds=("503",), only=lambda target: "/git/blobs/" in target)
    source = GitHub(
        github_client(lambda line: None, tries=2, backoff=0.01), SourceOptions(), lambda line: None, CLASSES
    )
    pages: list[Page] = []
    with pytest.raises(SourceError):
        pages.extend(source.pages({}))
    assert {page.scope for page in pages if page.records} == {COUNTS}
    # Workers that are under way when it gives up still finish their tries.
    asked = {entry.path for entry in github.requests if "/git/blobs/" in entry.path}
    there = {file.sha for file in github.held.values()}
    assert len(asked) < len(there) / 2, "given up after a few files, not after all"


@pytest.mark.parametrize(
    "kinds", [("500", "503", "reset", "truncated", "wrong_gzip"), ("html_200", "cut_json", "empty_200")]
)
def test_faults_that_pass_lose_no_file(github: GitHubServer, kinds: tuple[str, ...]) -> None:
    github.faults = FaultPlan(rate=0.5, seed=5, kinds=kinds, per_item=1)
    crawl = Crawl()
    assert crawl.files.keys() == findable(github).keys()
    assert {file.status for file in crawl.files.values()} == {"ok"}
    assert not crawl.failures
    assert sum(github.faults_sent.values()) > 20


def test_ctrl_c_ends_a_wait_for_quota_at_once(github: GitHubServer, tmp_path: Path) -> None:
    with GitHubServer(github.files, quota={"code_search": Quota(1000, 60.0), "core": Quota(3, 600.0)}) as server:
        environment = clean_environment(tmp_path, {"HUBSTATS_GITHUB_URL": server.url, "GITHUB_TOKEN": "ghp_good"})
        command = [sys.executable, "-m", "hubstats", "crawl", "github"]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as crawling:
            deadline = time.monotonic() + 60
            while blobs_asked(server).total() < 3:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.5)
            crawling.send_signal(signal.SIGINT)
            started = time.monotonic()
            _, said = crawling.communicate(timeout=60)
        assert time.monotonic() - started < 15
        assert crawling.returncode == 1
        assert "Traceback" not in said
        assert blobs_asked(server).total() == 3


def test_one_query_that_cannot_be_read_does_not_stop_the_others(github: GitHubServer) -> None:
    github.faults = FaultPlan(
        rate=0.0, never=1.0, kinds=("html_200",), only=lambda target: "/search/code" in target and "LoHa" in target
    )
    first = Crawl()
    assert first.failures
    assert all("LoHaConfig" in f"{failure.subject_id} {failure.item}" for failure in first.failures)
    assert '"from peft import IA3Config"' in first.counts
    assert first.files
    github.faults = None
    second = Crawl(first.cursors)
    assert {query for query, _, _ in second.hits} == {query for query, _, _ in Crawl().hits if "LoHaConfig" in query}
    assert '"from peft import LoHaConfig"' in second.counts


def test_failures_far_apart_do_not_stop_the_crawl(github: GitHubServer) -> None:
    github.faults = FaultPlan(rate=0.0, never=1.0, kinds=("html_200",), only=lambda target: "ipynb" in target)
    crawl = Crawl()
    assert len(crawl.failures) == 1 + len(CLASSES)
    assert crawl.files.keys() == findable(github, "py").keys()


def test_search_that_is_no_search_any_more_stops_the_crawl(github: GitHubServer) -> None:
    github.faults = FaultPlan(rate=0.0, never=1.0, kinds=("html_200",), only=lambda target: "/search/code" in target)
    with pytest.raises(SourceError, match="JSON"):
        Crawl()
    assert len(github.requests) <= 12


def test_odd_files_lose_nothing(github: GitHubServer) -> None:
    github.held.clear()
    github.add(
        [
            SourceFile("o/r", "latin.py", HEAD + b"name = 'Andr\xe9'\n"),
            SourceFile("o/r", "nul.py", HEAD + b"x = '\x00'\n"),
            SourceFile("o/r", "dir with space/tr\u00e4in #1.py", HEAD),
            SourceFile("o/r", "broken.ipynb", b'{"cells": "from peft import LoraConfig"'),
            SourceFile("o/r", "README.md", HEAD),
        ]
    )
    crawl = Crawl()
    assert {path: file.status for (_, path), file in crawl.files.items()} == {
        "latin.py": "ok",
        "nul.py": "ok",
        "dir with space/tr\u00e4in #1.py": "ok",
        "broken.ipynb": "malformed",
    }
    assert all("\x00" not in (file.text or "") for file in crawl.files.values())
