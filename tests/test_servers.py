"""What the stand-ins share: quota windows, faults, the engine, the process, synthetic content."""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.servers.civitai import CivitaiServer, synthetic_civitai
from tests.servers.faults import ALL, FILES, PAGES_ONLY, RECOVERABLE, FaultPlan
from tests.servers.github import GitHubServer, synthetic_github
from tests.servers.hub import HubServer, Model, synthetic_hub
from tests.servers.process import served
from tests.servers.quota import FixedWindows, Grant, Quota
from tests.servers.repositories import FileHost
from tests.servers.synthetic_models import CARD_CASES, CONFIG_CASES


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # no proxy may stand between us and the loopback interface
        yield session


@pytest.mark.parametrize(("opens", "first_end", "second_end"), [("clock", 1010.25, 1020.25), ("request", 1011, 1026)])
def test_windows_by_the_clock_and_by_first_request(opens: Any, first_end: float, second_end: float) -> None:
    now = 1000.25
    windows = FixedWindows({"api": Quota(2, 10.0)}, opens=opens, clock=lambda: now)

    def take(caller: str) -> Grant:
        grant = windows.take("api", caller)
        assert grant is not None
        return grant

    grants = [take("me") for _ in range(3)]
    assert [grant.allowed for grant in grants] == [True, True, False]
    assert [grant.left for grant in grants] == [1, 0, 0]
    assert grants[2].ends_at == first_end
    assert windows.take("other", "me") is None
    assert take("you").allowed
    now = 1015.75
    later = take("me")
    assert (later.allowed, later.ends_at) == (True, second_end)
    usage = windows.usage("api")
    assert (usage.granted, usage.used, usage.refused, usage.windows) == (6, 4, 1, (2, 1, 1))
    assert usage.full_share == 1.0


def test_a_window_nobody_used_counts_as_granted_by_the_clock() -> None:
    now = 0.0
    windows = FixedWindows({"api": Quota(2, 10.0)}, clock=lambda: now)
    for now in (0.0, 25.0):  # noqa: B007 - the clock reads it
        windows.take("api", "me")
    usage = windows.usage("api")
    assert (usage.windows, usage.granted, usage.full_share) == ((1, 0, 1), 6, 0.25)


def test_a_plan_depends_on_seed_item_and_turn_alone() -> None:
    items = [f"/a/{n}" for n in range(200)]

    def faults(plan: FaultPlan, order: list[str]) -> dict[str, list[str | None]]:
        drawn: dict[str, list[str | None]] = {item: [] for item in items}
        for _ in range(4):
            for item in order:
                drawn[item].append(plan.draw("GET", item, api=True))
        return drawn

    first = faults(FaultPlan(0.3, seed=1), items)
    assert first == faults(FaultPlan(0.3, seed=1), items[::-1])
    assert first != faults(FaultPlan(0.3, seed=2), items)
    share = sum(drawn[0] is not None for drawn in first.values()) / len(items)
    assert 0.2 < share < 0.4
    always = FaultPlan(1.0, seed=1, per_item=2)
    assert [always.draw("GET", "/x", api=True) is None for _ in range(4)] == [False, False, True, True]
    lost = faults(FaultPlan(0.0, seed=1, never=0.1), items)
    assert {sum(kind is not None for kind in drawn) for drawn in lost.values()} == {0, 4}
    assert {kind for drawn in first.values() for kind in drawn if kind} == set(RECOVERABLE)
    files_only = FaultPlan(1.0, seed=1, per_item=99)
    assert not {files_only.draw("GET", "/f", api=False) for _ in range(99)} & PAGES_ONLY


@pytest.mark.parametrize("kind", ALL)
def test_each_fault_is_what_its_name_says(session: requests.Session, kind: str) -> None:
    model = Model("a/b", files={"README.md": b"# card\n" * 500})
    with FileHost() as sink, HubServer([model]) as hub:
        hub.faults = FaultPlan(1.0, kinds=(kind,), per_item=1, seconds=0.2, elsewhere=sink.url)
        url = hub.url + ("/api/models" if kind in PAGES_ONLY else "/a/b/resolve/main/README.md")
        started = time.monotonic()
        identity = {"Accept-Encoding": "identity"}
        if kind in ("reset", "close", "stall", "stall_body", "truncated", "truncated_chunks", "wrong_gzip"):
            with pytest.raises(requests.RequestException):
                requests.get(url, timeout=5, headers=identity, proxies={"http": ""})
        elif kind == "redirect_loop":
            with pytest.raises(requests.TooManyRedirects):
                session.get(url)
        elif kind == "huge":
            with session.get(url, stream=True) as answer:
                assert answer.headers["content-length"] == "2000000000"
                assert (
                    sum(len(block) for block, _ in zip(answer.iter_content(65536), range(50), strict=False)) > 3_000_000
                )
        else:
            answer = session.get(url, headers=identity | {"Authorization": "Bearer hf_good"})
            expected = 429 if kind.startswith("429") else int(kind[:3]) if kind[:3].isdigit() else 200
            assert answer.status_code == (503 if kind == "redirect_elsewhere" else expected)
            retry = answer.headers.get("retry-after", "")
            ratelimit = answer.headers.get("ratelimit", "")
            if kind in ("429", "429_html", "503_retry"):
                assert retry == "1"
            elif kind == "429_date":
                assert retry.endswith("GMT")
            elif kind == "429_bare":
                assert not retry
                assert not ratelimit
            elif kind == "429_past":
                assert ratelimit.endswith(";r=0;t=0")
            elif kind == "429_far":
                assert ratelimit.endswith(f";t={365 * 86400}")
            elif kind in FILES:
                assert answer.content != b"# card\n" * 500
            elif kind == "trickle":
                assert answer.content == b"# card\n" * 500
            elif kind in PAGES_ONLY:
                with pytest.raises(requests.JSONDecodeError):
                    answer.json()
            elif kind == "redirect_elsewhere":
                assert not sink.saw_token
                assert sink.requests
        if kind in ("stall", "stall_body", "trickle"):
            assert 0.15 < time.monotonic() - started < 4
        assert hub.faults_sent == {kind: 1}
        assert hub.requests[0].fault == kind
        assert session.get(url).status_code == 200  # asked again, it is served


def test_a_patient_client_gets_everything_through_faults(session: requests.Session) -> None:
    models = synthetic_hub(60, seed=5)
    plan = FaultPlan(0.4, seed=5, seconds=0.05)
    with HubServer(models, faults=plan) as hub:
        for model in models:
            for _ in range(plan.per_item + 1):
                try:
                    answer = session.get(f"{hub.url}/{model.id}/resolve/main/adapter_config.json", timeout=5)
                except requests.RequestException:
                    continue
                if answer.status_code in (200, 401, 403, 404):
                    break
            else:
                pytest.fail(f"{model.id} was not served")
            if answer.status_code == 200:
                assert answer.content == model.files["adapter_config.json"]
        assert hub.faults_sent.total() > 20


def test_faults_reach_all_three(session: requests.Session) -> None:
    plan = FaultPlan(1.0, kinds=("429_past",), per_item=1)
    with GitHubServer(synthetic_github(5), faults=plan, quota={"core": Quota(9, 60.0)}) as github:
        answer = session.get(github.url + "/user", headers={"Authorization": "Bearer ghp_good"})
        assert answer.status_code == 429
        assert int(answer.headers["x-ratelimit-reset"]) < time.time()
    with CivitaiServer(faults=FaultPlan(1.0, kinds=("429_past",), per_item=1)) as site:
        answer = session.get(site.url + "/api/v1/models")
        assert (answer.status_code, answer.headers["retry-after"][-3:]) == (429, "GMT")


@pytest.mark.parametrize("latency", [0.0, 0.02])
def test_pipelined_and_broken_requests(latency: float) -> None:
    with HubServer([Model("a/b", files={"README.md": b"hello"})], latency=latency) as hub:
        with socket.create_connection(("127.0.0.1", hub.port), timeout=5) as client:
            request = b"GET /a/b/resolve/main/README.md HTTP/1.1\r\nHost: x\r\n\r\n"
            client.sendall(request[:20])
            time.sleep(0.05)
            client.sendall(request[20:] + request + request.replace(b"Host: x", b"Connection: close"))
            received = b""
            while block := client.recv(65536):
                received += block
        assert received.count(b"HTTP/1.1 200 OK") == received.count(b"\r\n\r\nhello") == 3
        with socket.create_connection(("127.0.0.1", hub.port), timeout=5) as client:
            client.sendall(b"nonsense\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_the_log_holds_what_a_test_asks_about(session: requests.Session) -> None:
    with HubServer(synthetic_hub(3, seed=1)) as hub:
        session.get(hub.url + "/api/models", params=[("filter", "a"), ("filter", "b")], headers={"User-Agent": "x/1"})
        session.get(hub.url + "/_stand_in/stats")
        (logged,) = hub.requests
        assert (logged.method, logged.path, logged.query) == ("GET", "/api/models", (("filter", "a"), ("filter", "b")))
        assert (logged.headers["user-agent"], logged.status, logged.bucket) == ("x/1", 200, "api")
        hub.forget()
        assert not hub.requests
        assert not hub.requests_by_bucket


@pytest.mark.parametrize(
    ("name", "path", "options"),
    [
        ("hub", "/api/models?limit=1000", ("--models", "30", "--api", "5", "--window", "60")),
        ("github", "/rate_limit", ("--files", "10")),
        ("civitai", "/api/v1/models?limit=100", ("--models", "20")),
    ],
)
def test_each_runs_as_a_process_and_ends_with_its_parent(
    session: requests.Session, name: str, path: str, options: tuple[str, ...]
) -> None:
    with served(name, *options) as server:
        answer = session.get(server.url + path)
        assert answer.status_code == 200
        assert server.stats()["requests"] == 1
        if name == "hub":
            assert len(answer.json()) == 30
            assert answer.headers["ratelimit"] == '"api";r=4;t=60'
            server.order("grow", n=5)
            assert len(session.get(server.url + path).json()) == 35
            assert server.order("forget")["requests"] == 0
        leaving = time.monotonic()
    assert time.monotonic() - leaving < 8  # it ended by itself, before anyone had to kill it
    with pytest.raises(requests.ConnectionError):
        session.get(server.url + path, timeout=2)


def test_synthetic_content_is_the_same_each_time_and_covers_the_odd_cases() -> None:
    def shown(models: list[Model]) -> list[Any]:
        return [
            (m.id, m.object_id, m.shown(), {n: f() if callable(f) else f for n, f in m.files.items()}) for m in models
        ]

    models = synthetic_hub(60, seed=4)
    assert shown(models) == shown(synthetic_hub(40, seed=4) + synthetic_hub(20, seed=4, first=40))
    assert shown(models) != shown(synthetic_hub(60, seed=5))
    assert {m.card_case for m in models[:40]} == set(CARD_CASES)
    assert {m.config_case for m in models[:40]} == set(CONFIG_CASES)
    assert len({m.id for m in models}) == len({m.object_id for m in models}) == 60
    moments = [m.created_at for m in models]
    assert moments == sorted(moments)
    cards = {m.card_case: m.files["README.md"]() for m in models if "README.md" in m.files}  # type: ignore[operator]
    assert len(cards["huge"]) > 850_000
    with pytest.raises(UnicodeDecodeError):
        cards["not_utf8"].decode()
    assert cards["bom"].startswith(b"\xef\xbb\xbf---")
    assert b"\r\n" in cards["crlf"]
    downloads = [m.downloads for m in synthetic_hub(500, seed=4)]
    assert downloads.count(0) > 150
    authors = Counter(m.author for m in synthetic_hub(2000, seed=4))
    assert len(authors) > 300
    assert authors.most_common(1)[0][1] > 20
    assert [u.id for u in synthetic_civitai(9, seed=1)] == [u.id for u in synthetic_civitai(9, seed=1)]
    files = synthetic_github(150, seed=1)
    blobs = Counter(file.sha for file in files)
    assert max(blobs.values()) >= 2
    assert any(file.path.endswith(".ipynb") and json.loads(file.content)["cells"] for file in files)
