"""hubstats.sources.hub: rows and files as records, and both walks against the stand-in over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstats.errors import AccessDenied, BadPage, RateLimited, Stopped, Unreachable
from hubstats.http import Headers, Response
from hubstats.http.services import hub_client
from hubstats.records import AdapterConfig, Failure, HubModel, ModelCard, Page, Record, SourceOptions, Subject
from hubstats.sources import SampledSource
from hubstats.sources._hub_rows import file_status, parse_model
from hubstats.sources._repository_files import BYTE_CAPS, decode, read_config
from hubstats.sources.hub import Hub, open_source
from tests.servers import hub as stand_in
from tests.servers.catalogue import LISTING_EXPANDS
from tests.servers.faults import FaultPlan
from tests.servers.http_server import LoopbackServer, json_reply
from tests.servers.hub import HubServer, Model, synthetic_hub
from tests.servers.quota import Quota
from tests.servers.wire import Reply, Request

BOTH = ("README.md", "adapter_config.json")
AT = datetime(2026, 11, 20, tzinfo=UTC)


# Rows ------------------------------------------------------------------------------------------------------------


def test_a_row_of_the_listing() -> None:
    row = {
        "_id": "65a",
        "id": "org/tuned",
        "author": "org",
        "createdAt": "2024-05-01T10:00:00.123Z",
        "lastModified": "2024-05-02T10:00:00+02:00",
        "downloads": 12,
        "likes": 3,
        "tags": ["peft", "base_model:org/base", "base_model:adapter:org/base", "lora"],
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "gated": "manual",
        "disabled": False,
        "siblings": [{"rfilename": n} for n in ("README.md", "a.safetensors", "x/b.bin", "notes.txt")],
    }
    assert parse_model(row, seen_at=AT) == HubModel(
        source="hub",
        model_id="org/tuned",
        author="org",
        created_at=datetime(2024, 5, 1, 10, 0, 0, 123000, tzinfo=UTC),
        last_modified=datetime(2024, 5, 2, 8, tzinfo=UTC),
        downloads=12,
        likes=3,
        tags=("peft", "base_model:org/base", "base_model:adapter:org/base", "lora"),
        library_name="peft",
        pipeline_tag="text-generation",
        base_model="org/base",
        base_model_relation="adapter",
        gated=True,
        disabled=False,
        has_card=True,
        has_adapter_config=False,
        weight_files=("a.safetensors", "x/b.bin"),
        seen_at=AT,
    )


@pytest.mark.parametrize(
    ("tags", "base", "relation"),
    [
        (["base_model:org/base"], "org/base", None),
        (["base_model:quantized:org/base"], "org/base", "quantized"),
        (["base_model:merge:a/one", "base_model:merge:b/two"], "a/one", "merge"),
        (["base_model:strange:org/base"], None, None),
        (["base_model:", "base_model:adapter:", "my_base_model:x"], None, None),
    ],
)
def test_base_model_from_tags(tags: list[str], base: str | None, relation: str | None) -> None:
    model = parse_model({"id": "a/b", "tags": tags})
    assert isinstance(model, HubModel)
    assert (model.base_model, model.base_model_relation) == (base, relation)


def test_without_a_file_list_nothing_is_said_about_files() -> None:
    model = parse_model({"id": "gpt2"})
    assert model == HubModel("hub", "gpt2")


@pytest.mark.parametrize(
    "row", [None, 3, [], "a/b", {}, {"id": ""}, {"id": "  "}, {"id": 5}, {"id": None, "modelId": []}]
)
def test_a_row_that_names_no_repository_is_a_failure(row: object) -> None:
    failure = parse_model(row, place="row 7 of page ab")
    assert isinstance(failure, Failure)
    assert failure.item == "row 7 of page ab"


FIELD_NAMES = ["id", "author", "createdAt", "downloads", "likes", "tags", "siblings", "gated", "disabled", "rfilename"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just("\ud800\x00"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELD_NAMES), inner, max_size=8),
    max_leaves=25,
)


@given(ANYTHING)
def test_any_row_becomes_a_record_that_can_be_stored(row: object) -> None:
    for record in (parse_model(row), parse_model({"id": "a/b", **(row if isinstance(row, dict) else {})})):
        assert isinstance(record, HubModel | Failure)
        values = [getattr(record, name) for name in record.__dataclass_fields__]
        for value in values:
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, str):
                    text.encode()
                    assert "\x00" not in text
                if isinstance(text, int):
                    assert abs(text) < 2**63


# Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "peft_type", "why"),
    [
        ('{"peft_type": "LORA", "r": 8}', "ok", "LORA", None),
        ('{"peft_type": "BRAND_NEW"}', "ok", "BRAND_NEW", None),
        ('{"peft_type": "LORA", "r": NaN, "alpha": Infinity, "r": 3}', "ok", "LORA", None),
        ('{"peft_type": "LORA", "r": ' + "9" * 20_000 + "}", "ok", "LORA", None),
        ('{"peft_type": "\\ud800LORA\\u0000"}', "ok", "?LORA", None),
        ('[{"peft_type": "LORA"}]', "malformed", None, "a list and no object"),
        ('"LORA"', "malformed", None, "a str and no object"),
        ('{"architecture": "pfeiffer"}', "malformed", None, "not a PEFT config"),
        ('{"peft_type": null}', "malformed", None, "NoneType"),
        ('{"peft_type": ["LORA"]}', "malformed", None, "list"),
        ('{"peft_type": ""}', "malformed", None, "str"),
        ('{"peft_type": "LORA"', "malformed", None, "not JSON"),
        ("", "malformed", None, "not JSON"),
        ("[" * 200_000, "malformed", None, "too deeply"),
        ('{"peft_type": "LORA", "x": ' + '{"a":' * 100_000 + "1" + "}" * 100_001, "malformed", None, "too deeply"),
    ],
)
def test_adapter_configs(body: str, status: str, peft_type: str | None, why: str | None) -> None:
    found = read_config(body)
    assert found[:2] == (status, peft_type)
    assert why is None if found[2] is None else why is not None and why in found[2]


@given(st.text())
def test_utf8_is_read_as_it_is(text: str) -> None:
    expected = text.encode("utf-8", "replace").decode()
    plain = expected.removeprefix("\ufeff")
    assert decode(expected.encode()) == (plain, 0)
    assert decode(b"\xef\xbb\xbf" + plain.encode()) == (plain, 0)


@pytest.mark.parametrize(
    ("body", "cut", "text", "replaced"),
    [
        (b"caf\xe9 au lait \xff", False, "caf\ufffd au lait \ufffd", 2),
        ("a\ufffdb".encode() + b"\xe2\x82", False, "a\ufffdb\ufffd", 2),
        ("a\ufffdb".encode() + b"\xe2\x82", True, "a\ufffdb", 0),
        (b"\xe9x\xe2\x82", True, "\ufffdx", 1),
        (b"a\x00b", False, "a\x00b", 0),
    ],
)
def test_what_is_not_utf8_is_replaced_and_counted(body: bytes, cut: bool, text: str, replaced: int) -> None:
    assert decode(body, cut=cut) == (text, replaced)


def answer(status: int, code: str | None = None, message: str | None = None, body: bytes = b"") -> Response:
    headers = {"X-Error-Code": code, "X-Error-Message": message}
    return Response(status, "https://hub.test/a/b", Headers({k: v for k, v in headers.items() if v}), body)


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (answer(404, "EntryNotFound", "Entry not found"), "missing"),
        (answer(404, "RevisionNotFound"), "missing"),
        (answer(404), "missing"),
        (answer(401, "GatedRepo"), "gated"),
        (answer(403, "GatedRepo"), "gated"),
        (answer(403, None, "Access to this resource is disabled."), "disabled"),
        (answer(451), "disabled"),
        (answer(404, "RepoNotFound"), "unavailable"),
        (answer(401, "RepoNotFound"), "unavailable"),
        (answer(401, None, "Invalid username or password."), "unavailable"),
        (answer(401), "unavailable"),
        (answer(403, None, "Forbidden"), "unavailable"),
        (answer(400), "failed"),
        (answer(304), "failed"),
        (answer(200), "ok"),
    ],
)
def test_what_an_answer_says_about_a_file(response: Response, status: str) -> None:
    assert file_status(response)[0] == status


def test_a_token_the_hub_does_not_know_says_nothing_about_the_file() -> None:
    with pytest.raises(AccessDenied, match="HF_TOKEN"):
        file_status(answer(401, None, "Invalid credentials in Authorization header"))


# The listing -----------------------------------------------------------------------------------------------------

Opener = Callable[..., Hub]


@pytest.fixture
def crawl(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Opens the source on a server, with short pauses between tries."""
    opened: list[Hub] = []

    def make(server: HubServer, *, token: str | None = None, notify: Any = lambda line: None, **more: Any) -> Hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nonexistent/token")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        limits = {name: more.pop(name) for name in ("tries", "longest_wait", "read_seconds") if name in more}
        client = hub_client(notify, backoff=0.001, longest_backoff=0.002, pause=0.01, margin=0.0, **limits)
        opened.append(Hub(client, SourceOptions(**more), notify))
        return opened[-1]

    yield make
    for hub in opened:
        hub.close()
    from huggingface_hub.utils._http import close_session

    close_session()


def take(pages: Iterator[Page], cursors: dict[str, str], most: int | None = None) -> list[HubModel]:
    """Models of the pages, with the cursors saved as the pipeline saves them."""
    models: list[HubModel] = []
    for number, page in enumerate(pages):
        models += [record for record in page.records if isinstance(record, HubModel)]
        if page.cursor is not None:
            cursors[page.scope] = page.cursor
        if most is not None and number + 1 == most:
            break
    return models


def test_open_source_is_a_sampled_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    hub = open_source(SourceOptions(), lambda line: None)
    assert isinstance(hub, SampledSource)
    assert (hub.name, hub.endpoint, hub.live, hub.unavailable()) == ("hub", "http://127.0.0.1:9", True, None)


def test_the_census_and_its_increments(crawl: Opener) -> None:
    models = synthetic_hub(2345, seed=3)
    with HubServer(models) as server:
        cursors: dict[str, str] = {}
        found = take(crawl(server).pages(cursors), cursors)
        assert [model.model_id for model in found] == [m.id for m in sorted(models, key=order)]
        assert server.requests_by_bucket == {"api": 3}
        by_id = {model.model_id: model for model in found}
        for model in models:
            seen = by_id[model.id]
            assert (seen.downloads, seen.likes, seen.tags) == (model.downloads, model.likes, tuple(model.tags))
            assert seen.has_card is ("README.md" in model.files)
            assert seen.has_adapter_config is ("adapter_config.json" in model.files)
            assert seen.gated is bool(model.gated)
            assert (seen.created_at, seen.last_modified) == (model.created_at, model.last_modified)

        # Nothing new: the last page again, and a page of changes that holds none.
        server.forget()
        take(crawl(server).pages(cursors), cursors)
        assert server.requests_by_bucket == {"api": 2}

        server.add(synthetic_hub(900, seed=3, first=2345))
        server.change(models[7].id, downloads=4711, last_modified=datetime.now(UTC))
        server.forget()
        again = take(crawl(server).pages(cursors), cursors)
        assert {m.id for m in synthetic_hub(900, seed=3, first=2345)} <= {model.model_id for model in again}
        assert [model.downloads for model in again if model.model_id == models[7].id] == [4711]
        assert server.requests_by_bucket == {"api": 3}  # the last page, the one after it, one page of changes


def order(model: Model) -> tuple[datetime, str]:
    return model.created_at, model.object_id


def test_a_crawl_that_was_stopped_goes_on_where_it_was(crawl: Opener) -> None:
    with HubServer(synthetic_hub(2100, seed=1), page_cap=300) as server:
        cursors: dict[str, str] = {}
        first = take(crawl(server).pages(cursors), cursors, most=4)
        began = cursors["changed"]
        rest = take(crawl(server).pages(cursors), cursors)
        ids = [model.model_id for model in first + rest]
        assert len(first) == 900
        assert set(ids) == set(server.by_id)
        assert [request.query for request in server.requests].count(server.requests[0].query) == 1
        assert server.requests_by_bucket == {"api": 8}  # seven pages, and one of what changed since the crawl began
        assert datetime.fromisoformat(cursors["changed"]) >= datetime.fromisoformat(began)


def test_what_changed_is_seen_again_even_when_that_walk_is_broken_off(crawl: Opener) -> None:
    with HubServer(synthetic_hub(500, seed=1), page_cap=100) as server:
        cursors: dict[str, str] = {}
        take(crawl(server).pages(cursors), cursors)
        now = datetime.now(UTC).replace(microsecond=0)
        changed = list(server.by_id)[:230]
        for number, name in enumerate(changed):
            server.change(name, downloads=1_000_000, last_modified=now + timedelta(milliseconds=number))
        before = dict(cursors)
        take(crawl(server).pages(cursors), cursors, most=2)  # the listing's last page and one page of changes
        assert cursors == before
        again = take(crawl(server).pages(cursors), cursors)
        assert set(changed) <= {m.model_id for m in again if m.downloads == 1_000_000}
        server.forget()
        take(crawl(server).pages(cursors), cursors)
        assert server.requests_by_bucket["api"] <= 4


def test_filters_are_asked_of_the_server_and_have_cursors_of_their_own(crawl: Opener) -> None:
    with HubServer(synthetic_hub(300, seed=1, peft_share=0.5)) as server:
        cursors: dict[str, str] = {}
        everything = take(crawl(server).pages(cursors), cursors)
        peft = take(crawl(server, filters=("peft",)).pages(cursors), cursors)
        assert {m.model_id for m in peft} == {m.model_id for m in everything if "peft" in m.tags}
        assert set(cursors) == {"listing", "changed", "listing peft", "changed peft"}


@pytest.mark.parametrize("paging", ["repeat_rows", "short"])
def test_uneven_paging_loses_nothing(crawl: Opener, paging: Any) -> None:
    with HubServer(synthetic_hub(700, seed=1), page_cap=100, paging=paging) as server:
        assert {model.model_id for model in take(crawl(server).pages({}), {})} == set(server.by_id)


@pytest.mark.parametrize(("paging", "why"), [("same_page", "goes in circles"), ("elsewhere", "another host")])
def test_paging_that_leads_astray_stops_with_a_reason_and_can_go_on(crawl: Opener, paging: Any, why: str) -> None:
    with HubServer(synthetic_hub(700, seed=1), page_cap=100, paging=paging) as server:
        cursors: dict[str, str] = {}
        with pytest.raises(BadPage, match=why):
            take(crawl(server, token="hf_good").pages(cursors), cursors)
        assert len(server.requests) <= 8
        assert not server.file_host.requests
        server.paging = None
        rest = take(crawl(server).pages(cursors), cursors)
        assert len({model.model_id for model in rest}) >= 600


def test_a_listing_whose_cursors_turn_for_ever_is_given_up(crawl: Opener) -> None:
    class Turning(HubServer):
        def answer(self, request: Any) -> Any:
            turn = len(self.requests) % 20
            rows = [{"id": f"a/m{turn}-{n}", "createdAt": f"2024-01-{1 + turn:02}T00:00:00Z"} for n in range(10)]
            link = ("Link", f'<{self.url}/api/models?cursor={len(self.requests)}>; rel="next"')
            return json_reply(200, rows, link)

    with Turning() as server:
        with pytest.raises(BadPage, match="goes in circles"):
            take(crawl(server).pages({}), {})
        assert len(server.requests) < 60


def test_a_saved_place_of_another_endpoint_is_not_followed(crawl: Opener) -> None:
    lines: list[str] = []
    with HubServer(synthetic_hub(50, seed=1)) as server:
        cursors = {"listing": "http://evil.test/api/models?cursor=x&token=hf_mine", "changed": "no date"}
        assert len(take(crawl(server, notify=lines.append).pages(cursors), cursors)) == 50
        assert "starts over" in lines[0]
        cursors["listing"] = cursors["listing"] + "&token=hf_mine&Access_Token=hf_mine"
        take(crawl(server).pages(cursors), cursors)
        assert "hf_mine" not in repr(server.requests) + repr(cursors)


def test_refresh_starts_over(crawl: Opener) -> None:
    with HubServer(synthetic_hub(250, seed=1), page_cap=100) as server:
        cursors: dict[str, str] = {}
        take(crawl(server).pages(cursors), cursors)
        assert len(take(crawl(server, refresh=True).pages(cursors), cursors)) == 250


@pytest.mark.parametrize("refused", [{"siblings"}, set(LISTING_EXPANDS)])
def test_a_server_that_refuses_a_field_is_asked_for_less(
    crawl: Opener, monkeypatch: pytest.MonkeyPatch, refused: set[str]
) -> None:
    monkeypatch.setattr("tests.servers.catalogue.LISTING_EXPANDS", LISTING_EXPANDS - refused)
    lines: list[str] = []
    with HubServer(synthetic_hub(300, seed=1), page_cap=100) as server:
        cursors: dict[str, str] = {}
        models = take(crawl(server, notify=lines.append).pages(cursors), cursors)
        assert {model.model_id for model in models} == set(server.by_id)
        assert {model.has_card for model in models} == {None}
        assert all(model.downloads is not None for model in models)
        assert len(lines) == (1 if refused == {"siblings"} else 2)
        assert "expand=siblings" in cursors["listing"]  # only this run does without


def test_pages_too_large_for_the_server_are_asked_for_smaller(crawl: Opener) -> None:
    lines: list[str] = []
    with HubServer(synthetic_hub(300, seed=1)) as server:
        server.faults = FaultPlan(rate=1.0, kinds=("504",), per_item=99, only=lambda target: "limit=1000" in target)
        models = take(crawl(server, notify=lines.append, tries=2).pages({}), {})
        assert len(models) == 300
        assert lines == ["hub: the listing cannot answer (504); going on 100 repositories a page"]
        server.faults = FaultPlan(rate=1.0, kinds=("stall",), per_item=99, seconds=1.0, only=lambda t: "siblings" in t)
        lines.clear()
        assert len(take(crawl(server, notify=lines.append, tries=1, read_seconds=0.3).pages({}), {})) == 300
        steps = [line.rpartition("; going on ")[2] for line in lines if "; going on " in line]
        assert steps == ["100 repositories a page", "without file lists"]


@pytest.mark.parametrize("body", [{"error": "x"}, "text", 3])
def test_a_listing_that_is_no_list_is_a_bad_page(crawl: Opener, body: Any) -> None:
    class Odd(HubServer):
        def answer(self, request: Any) -> Any:
            return json_reply(200, body)

    with Odd() as server, pytest.raises(BadPage, match="in place of a list"):
        take(crawl(server).pages({}), {})


def test_rows_that_cannot_be_read_are_counted_and_the_rest_goes_on(crawl: Opener) -> None:
    class Odd(HubServer):
        def answer(self, request: Any) -> Any:
            return json_reply(200, [{"id": "a/b"}, None, {"likes": 3}, {"id": "a/c", "tags": 9}])

    with Odd() as server:
        pages = list(crawl(server).pages({}))
    records = [record for page in pages for record in page.records]
    assert [type(record).__name__ for record in records] == ["HubModel", "Failure", "Failure", "HubModel"]
    assert [record.reason for record in records if isinstance(record, Failure)] == ["not_an_object", "no_id"]
    assert len({record.item for record in records if isinstance(record, Failure)}) == 2


def test_a_bad_token_stops_both_walks_with_a_reason(crawl: Opener) -> None:
    with HubServer(synthetic_hub(5, seed=1)) as server:
        hub = crawl(server, token="hf_wrong")
        with pytest.raises(AccessDenied, match="check HF_TOKEN"):
            take(hub.pages({}), {})
        with pytest.raises(AccessDenied, match="HF_TOKEN"):
            list(hub.files([Subject(name) for name in server.by_id]))


# Files over HTTP -------------------------------------------------------------------------------------------------


def fetched(pages: Iterator[Page]) -> tuple[dict[str, ModelCard], dict[str, AdapterConfig]]:
    records = [record for page in pages for record in page.records]
    cards = {record.model_id: record for record in records if isinstance(record, ModelCard)}
    configs = {record.model_id: record for record in records if isinstance(record, AdapterConfig)}
    assert len(cards) + len(configs) == len(records)
    return cards, configs


CARD_STATUS = {"missing": "missing"}
CONFIG_STATUS = {"ok": "ok", "missing": "missing"}


def test_the_files_of_a_sample(crawl: Opener) -> None:
    models = synthetic_hub(400, seed=2)
    with HubServer(models) as server:
        cards, configs = fetched(crawl(server).files(Subject(model.id) for model in models))
        assert server.requests_by_bucket == {"resolvers": 800}
        assert {request.method for request in server.requests} == {"GET"}
    for model in models:
        shut = "disabled" if model.disabled else "gated" if model.gated else None
        card, config = cards[model.id], configs[model.id]
        assert card.status == (shut or CARD_STATUS.get(model.card_case, "ok")), model.card_case
        assert config.status == (shut or CONFIG_STATUS.get(model.config_case, "malformed")), model.config_case
        if card.status == "ok":
            body = stand_in.read(model.files["README.md"])
            assert card.bytes == len(body)
            assert card.etag == stand_in.blob_id(body)
            if model.card_case == "not_utf8":
                assert card.detail == "not UTF-8: 3 bytes replaced"
            else:
                assert card.text == body.decode().removeprefix("\ufeff")
                assert card.detail is None
        if config.status == "ok":
            assert config.peft_type == model.technique
        if config.status == "malformed":
            assert config.config == stand_in.read(model.files["adapter_config.json"]).decode()
            assert config.detail
    cases = Counter(model.card_case for model in models)
    assert {"huge", "not_utf8", "bom", "nul", "missing"} <= set(cases)


def test_only_wanted_files_that_may_exist_are_asked_for(crawl: Opener) -> None:
    with HubServer([Model("a/b", {"README.md": b"# x", "adapter_config.json": b'{"peft_type": "LORA"}'})]) as server:
        hub = crawl(server)
        cards, configs = fetched(hub.files([Subject("a/b", has_card=True, has_adapter_config=False)]))
        assert (cards["a/b"].status, configs["a/b"].status) == ("ok", "missing")
        assert [request.path for request in server.requests] == ["/a/b/resolve/main/README.md"]
        server.forget()
        assert fetched(hub.files([Subject("a/b", files=("adapter_config.json",))]))[0] == {}
        assert [request.path for request in server.requests] == ["/a/b/resolve/main/adapter_config.json"]


def test_repositories_that_are_shut_gone_or_moved(crawl: Opener) -> None:
    card = {"README.md": b"# x", "adapter_config.json": b'{"peft_type": "LORA"}'}
    models = [
        Model("a/gated", card, gated="auto"),
        Model("a/private", card, private=True),
        Model("a/off", card, disabled=True),
        Model("a/old", card),
        Model("a/big", {**card, "README.md": b"x" * (BYTE_CAPS["README.md"] + 5)}, lfs=("README.md",)),
        Model("a/edge", {**card, "README.md": "ä".encode() * (BYTE_CAPS["README.md"] // 2) + b"end"}),
    ]
    with HubServer(models) as server:
        server.rename("a/old", "a/new")
        names = [model.id for model in models if model.id != "a/new"]
        names += ["a/old", "a/none", "a/../api", "x", "a/b/c", "a/b?c#d"]
        for token, gone in ((None, "HTTP 401: Invalid username or password."), ("hf_good", "HTTP 404: ")):
            cards, configs = fetched(crawl(server, token=token).files(Subject(name) for name in names))
            assert {name: card.status for name, card in cards.items()} == {
                "a/gated": "gated",
                "a/private": "unavailable",
                "a/off": "disabled",
                "a/old": "ok",
                "a/big": "too_large",
                "a/edge": "too_large",
                "a/none": "unavailable",
                "a/../api": "unavailable",
                "x": cards["x"].status,
                "a/b/c": "unavailable",
                "a/b?c#d": "unavailable",
            }
            assert (cards["a/none"].detail or "").startswith(gone)
            assert configs["a/big"].status == "ok"
            big, edge = cards["a/big"], cards["a/edge"]
            assert (len(big.text or ""), big.bytes) == (BYTE_CAPS["README.md"], BYTE_CAPS["README.md"] + 5)
            assert edge.text == "ä" * (BYTE_CAPS["README.md"] // 2)
        assert not server.file_host.saw_token
        assert not any(".." in request.path or request.path.startswith("/api") for request in server.requests)


def test_nothing_is_lost_when_a_third_of_all_requests_goes_wrong(crawl: Opener) -> None:
    models = synthetic_hub(120, seed=5)
    with HubServer(models, page_cap=20, faults=FaultPlan(rate=0.3, seed=3, seconds=0.05, retry_after=0)) as server:
        hub = crawl(server, workers=12)
        assert {model.model_id for model in take(hub.pages({}), {})} == set(server.by_id)
        cards, configs = fetched(hub.files(Subject(model.id) for model in models))
        assert sum(server.faults_sent.values()) > 50
    for model in models:
        if not (model.gated or model.disabled):
            assert cards[model.id].status == CARD_STATUS.get(model.card_case, "ok")
            assert configs[model.id].status == CONFIG_STATUS.get(model.config_case, "malformed")


def test_a_file_that_never_comes_is_failed_and_the_rest_goes_on(crawl: Opener) -> None:
    models = synthetic_hub(60, seed=5)
    lost = models[11].id
    with HubServer(models) as server:
        mine = f"/{lost}/"
        server.faults = FaultPlan(rate=1.0, kinds=("503",), per_item=99, only=lambda target: target.startswith(mine))
        cards, configs = fetched(crawl(server, tries=3).files(Subject(model.id) for model in models))
    assert [card.model_id for card in cards.values() if card.status == "failed"] == [lost]
    assert "answered 503" in (cards[lost].detail or "")
    assert configs[lost].status == "failed"
    assert len(cards) == len(configs) == 60


@pytest.mark.parametrize("kind", ["html_file", "cut_file", "empty_file"])
def test_what_came_is_held_against_its_etag(crawl: Opener, kind: str) -> None:
    models = [Model("a/b", files={"README.md": b"# card\n" * 99, "adapter_config.json": b'{"peft_type": "LORA"}'})]
    with HubServer(models, faults=FaultPlan(1.0, 1, (kind,), per_item=2)) as server:
        cards, configs = fetched(crawl(server).files([Subject("a/b")]))
        assert (cards["a/b"].status, cards["a/b"].text) == ("ok", "# card\n" * 99)
        assert configs["a/b"].peft_type == "LORA"
        server.faults = FaultPlan(1.0, 1, (kind,), per_item=99)
        cards, configs = fetched(crawl(server, tries=3).files([Subject("a/b")]))
    assert cards["a/b"].status == configs["a/b"].status == "failed"
    assert "ETag" in (cards["a/b"].detail or "")


def test_a_hash_that_is_not_gits_is_left_alone() -> None:
    from hubstats.sources._hub_rows import check_file

    for etag in ('"' + "a" * 64 + '"', '"opaque"'):
        check_file(Response(200, "https://hub.test/x", Headers({"etag": etag}), b"body"))
    git = '"cc9f2fdb8c3aa2ee3a5aee2b1ef7f4b6b6b4c6f8"'
    with pytest.raises(BadPage, match="cut"):
        check_file(Response(200, "https://hub.test/x", Headers({"etag": git}), b"body"))
    check_file(Response(200, "https://hub.test/x", Headers({"etag": git}), b"body", truncated=True))


def test_a_redirect_to_a_host_that_has_nothing_is_not_a_missing_file(crawl: Opener) -> None:
    class Nothing(LoopbackServer):
        def answer(self, request: Request) -> Reply:
            return Reply(404, b"")

    with Nothing() as other, HubServer([Model("a/b", files={"README.md": b"# x"})]) as server:
        server.faults = FaultPlan(1.0, 1, ("redirect_elsewhere",), per_item=99, elsewhere=other.url)
        cards, _ = fetched(crawl(server, tries=3).files([Subject("a/b")]))
    assert (cards["a/b"].status, "404" in (cards["a/b"].detail or "")) == ("failed", True)


def test_a_hub_of_web_pages_only_ends_the_crawl(crawl: Opener) -> None:
    models = synthetic_hub(60, seed=5)
    with (
        HubServer(models, faults=FaultPlan(1.0, 1, ("html_file",), per_item=99)) as server,
        pytest.raises(BadPage, match="ETag"),
    ):
        fetched(crawl(server, tries=2, workers=2).files(Subject(model.id) for model in models))


def test_a_hub_that_goes_away_ends_the_crawl_and_keeps_what_came(crawl: Opener) -> None:
    models = synthetic_hub(400, seed=5)
    server = HubServer(models).start()
    records: list[Record] = []

    def keep(pages: Iterator[Page]) -> None:
        for page in pages:
            if not records:
                server.stop()
            records.extend(page.records)

    with pytest.raises(Unreachable, match="connection refused"):
        keep(crawl(server, workers=4, tries=2).files(Subject(model.id) for model in models))
    statuses = Counter(record.status for record in records if isinstance(record, ModelCard | AdapterConfig))
    assert statuses["ok"] > 0
    assert 12 <= statuses["failed"] < 100


def test_a_quota_that_stays_away_ends_the_crawl_and_keeps_what_came(crawl: Opener) -> None:
    models = synthetic_hub(50, seed=5)
    with HubServer(models, quota={"resolvers": Quota(30, 300.0)}) as server:
        records: list[Record] = []
        pages = crawl(server, longest_wait=5.0).files(Subject(model.id) for model in models)
        with pytest.raises(RateLimited):
            records.extend(record for page in pages for record in page.records)
        assert server.sent_429 == 0
        assert server.requests_by_bucket == {"resolvers": 30}
    assert all(record.status != "failed" for record in records if isinstance(record, ModelCard | AdapterConfig))
    assert 20 <= len(records) <= 30


def test_closing_ends_a_wait_for_quota_at_once(crawl: Opener) -> None:
    models = synthetic_hub(50, seed=5)
    with HubServer(models, quota={"resolvers": Quota(30, 300.0)}) as server:
        hub = crawl(server)
        closing = threading.Timer(0.7, hub.close)
        closing.start()
        started = time.monotonic()
        with pytest.raises(Stopped):
            list(hub.files(Subject(model.id) for model in models))
        assert time.monotonic() - started < 3
        closing.join()


def test_leaving_early_asks_for_no_more(crawl: Opener) -> None:
    with HubServer(synthetic_hub(500, seed=5), latency=0.05) as server:
        read = 0

        def subjects() -> Iterator[Subject]:
            nonlocal read
            for name in server.by_id:
                read += 1
                yield Subject(name)

        pages = crawl(server, workers=4).files(subjects())
        next(pages)
        assert read <= 40
        asked = len(server.requests)
        pages.close()  # type: ignore[attr-defined]
        time.sleep(0.5)
        assert len(server.requests) <= asked + 2 * 4  # each worker ends the subject it is at


def test_download_counts_come_before_the_fetches_that_raise_them(crawl: Opener) -> None:
    models = synthetic_hub(30, seed=1)
    before = {model.id: model.downloads for model in models}
    with HubServer(models, count_downloads=True) as server:
        hub = crawl(server)
        listed = {model.model_id: model.downloads for model in take(hub.pages({}), {})}
        fetched(hub.files(Subject(model.id) for model in models))
        assert listed == before
        assert any(model.downloads > before[model.id] for model in server.by_id.values())


def test_saved_cursors_are_text_that_survives_json(crawl: Opener) -> None:
    with HubServer(synthetic_hub(150, seed=1), page_cap=50) as server:
        cursors: dict[str, str] = {}
        take(crawl(server).pages(cursors), cursors, most=2)
        cursors = json.loads(json.dumps(cursors))
        assert len(take(crawl(server).pages(cursors), cursors)) >= 100
