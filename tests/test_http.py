"""hubstats.http: a scripted transport for what one answer means, loopback servers for what goes over the wire."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

import pytest

from hubstats.errors import AccessDenied, BadPage, ConfigError, RateLimited, SourceError, Stopped, Unreachable
from hubstats.http import Headers, HttpClient, NotSent, Quota, Reply, Response, Rules, TooSlow, github_client
from hubstats.http.quota import Gate
from hubstats.http.response import one_line, retry_after
from hubstats.http.services import civitai_client, hub_client
from tests.servers.faults import RECOVERABLE, FaultPlan
from tests.servers.http_server import LoopbackServer, Request
from tests.servers.http_server import Reply as Served
from tests.servers.hub import HubServer, synthetic_hub
from tests.servers.quota import Quota as Granted

Answer = tuple[int, dict[str, str], bytes] | Exception
QUICK = {"backoff": 0.001, "longest_backoff": 0.002, "pause": 0.01}


class Script:
    """A transport that gives the answers of a list, the last one for ever, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str]]] = []

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str], connect: float, read: float) -> Iterator[Reply]:
        self.asked.append((url, dict(headers)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, sent, body = answer
        yield Reply(status, Headers(sent), iter([body[i : i + 700] for i in range(0, len(body), 700)]))

    def close(self) -> None:
        pass


def client(script: Script, *, notify: Callable[[str], None] = lambda line: None, **limits: Any) -> HttpClient:
    rules = Rules("there", lambda path: "all", lambda headers: None, address_env="THERE_URL", token_env="THERE_TOKEN")
    return HttpClient("https://there.test", script, rules, notify, **{**QUICK, **limits})


OK = (200, {"content-type": "application/json"}, b"[1]")


def response(body: bytes = b"", status: int = 200, headers: dict[str, str] | None = None, **more: Any) -> Response:
    return Response(status, "https://there.test/list?page=1", Headers(headers or {}), body, **more)


# What an answer says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"a": [1, 2', b"[" * 100_000, b"\xff\xfe{", b"9" * 5000])
def test_what_is_no_json_is_a_bad_page(body: bytes) -> None:
    with pytest.raises(BadPage, match=r"there\.test/list") as raised:
        response(body).json()
    assert "\n" not in str(raised.value)


def test_json_cut_at_the_cap_is_a_bad_page() -> None:
    with pytest.raises(BadPage, match="more than"):
        response(b"[1]", truncated=True).json()


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("", None),
        ('<https://there.test/list?page=2>; rel="next"', "https://there.test/list?page=2"),
        ('<https://there.test/a>; rel="prev", <?page=9>; rel=next', "https://there.test/list?page=9"),
        ('<https://THERE.test:443/b,c;d>; title="x"; rel="last next"', "https://THERE.test:443/b,c;d"),
        ('<https://there.test/a>; rel="nextish"', None),
    ],
)
def test_next_page(link: str, url: str | None) -> None:
    assert response(headers={"Link": link}).next_url() == url


@pytest.mark.parametrize(
    "url", ["https://evil.test/x", "http://there.test/x", "https://there.test:8443/", "http://[x", "file:///etc"]
)
def test_a_next_page_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(BadPage, match="another host"):
        response(headers={"Link": f'<{url}>; rel="next"'}).next_url()


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b'{"error": "no such thing"}', {}, "no such thing"),
        (b'{"message": "Bad credentials", "documentation_url": "x"}', {}, "Bad credentials"),
        (b'{"errors": [{"message": "one"}]}', {}, '[{"message": "one"}]'),
        (b'{"error": "in the body"}', {"X-Error-Message": "in the header"}, "in the header"),
        (b"<html>long page</html>", {"Content-Type": "text/html; charset=utf-8"}, ""),
        (b"plain\r\n\x1b[31mtext\x00", {}, "plain [31mtext"),
        (
            b"your token s3cret-value is bad, so is Bearer abc.def and hf_abcdefghijkl",
            {},
            "your token *** is bad, so is Bearer *** and ***",
        ),
        (b"x" * 9999, {}, "x" * 199 + "…"),
    ],
)
def test_reason_is_one_clean_line(body: bytes, headers: dict[str, str], said: str) -> None:
    assert response(body, 400, headers, secret="s3cret-value").reason() == said


@pytest.mark.parametrize(
    ("status", "error"), [(401, AccessDenied), (403, AccessDenied), (404, BadPage), (304, BadPage)]
)
def test_require_ok_names_host_and_reason(status: int, error: type[SourceError]) -> None:
    with pytest.raises(error, match=r"there\.test/list answered \d+: no") as raised:
        response(b'{"error": "no"}', status).require_ok("THERE_TOKEN")
    assert raised.value.status == status
    assert "page=1" not in str(raised.value)


def test_retry_after_as_seconds_and_as_date() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    date = {"date": format_datetime(now, usegmt=True)}
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert retry_after(Headers({"Retry-After": "120"})) == 120
    assert retry_after(Headers({"Retry-After": later, **date})) == 90
    assert retry_after(Headers({"Retry-After": format_datetime(now - timedelta(days=1)), **date})) == 0
    assert [retry_after(Headers({"Retry-After": bad})) for bad in ("", "soon", "-3", "1.5", "²", "9" * 400)] == [
        None, None, None, None, None, 999_999_999,
    ]  # fmt: skip


# What is asked again ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [(503, {}, b""), (500, {}, b"x"), (408, {}, b""), (429, {}, b""), TooSlow("late")])
def test_passing_trouble_is_asked_again(first: Answer) -> None:
    script = Script(first, first, OK)
    asking = client(script)
    assert asking.get("/list").json() == [1]
    assert asking.counters() == {"requests": 3, "bytes": asking.counters()["bytes"], "retries": 2}


@pytest.mark.parametrize("status", [200, 204, 304, 400, 401, 403, 404, 410, 416, 422])
def test_a_final_status_is_returned_at_once(status: int) -> None:
    script = Script((status, {}, b""))
    assert client(script).get("/list").status == status
    assert len(script.asked) == 1


def test_trouble_that_lasts_is_unreachable_and_leaves_the_query_out() -> None:
    script = Script((502, {}, b'{"error": "bad gateway"}'))
    with pytest.raises(Unreachable, match=r"there\.test/list answered 502 4 times: bad gateway") as raised:
        client(script, tries=4).get("/list", params=[("token", "hunter2"), ("q", "a b")])
    assert len(script.asked) == 4
    assert raised.value.status == 502
    assert "hunter2" not in str(raised.value) + str(raised.value.url)
    assert script.asked[0][0] == "https://there.test/list?token=hunter2&q=a%20b"


def test_a_host_that_never_answered_is_given_up_sooner() -> None:
    script = Script(NotSent("connection refused"))
    with pytest.raises(Unreachable, match="connection refused; check the network or THERE_URL"):
        client(script).get("/list")
    assert len(script.asked) == 3
    once_up = Script(OK, NotSent("connection refused"))
    asking = client(once_up)
    asking.get("/list")
    with pytest.raises(Unreachable):
        asking.get("/list")
    assert len(once_up.asked) == 1 + 8


@pytest.mark.parametrize("body", [b"<html>one moment</html>", b'[{"id": "a/b"', b""])
def test_a_page_that_is_no_json_is_asked_again_where_json_is_expected(body: bytes) -> None:
    assert client(Script((200, {}, body), OK)).get("/list", expect_json=True).json() == [1]
    assert client(Script((200, {}, body), OK)).get("/list").body == body
    with pytest.raises(BadPage, match="did not send JSON"):
        client(Script((200, {}, body))).get("/list", expect_json=True)


# Quotas and throttles --------------------------------------------------------------------------------------------


def test_a_wait_longer_than_we_wait_is_rate_limited_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(RateLimited, match="THERE_TOKEN for a larger quota") as raised:
        client(Script((429, {"retry-after": "3600"}, b""))).get("/list")
    assert time.monotonic() - started < 1
    assert raised.value.wait_seconds == pytest.approx(3600, abs=2)


def test_retry_after_holds_back_every_thread() -> None:
    script = Script((503, {"retry-after": "1"}, b""), OK)
    lines: list[str] = []
    asking = client(script, notify=lines.append)
    started = time.monotonic()
    threads = [threading.Thread(target=asking.get, args=("/list",)) for _ in range(4)]
    threads[0].start()
    while not asking.counters()["retries"]:
        time.sleep(0.005)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started > 0.95
    assert len(script.asked) == 5
    assert lines == ["there: the server asks to wait; going on in 1 s"]


def test_close_ends_every_wait() -> None:
    for first in ((429, {"retry-after": "600"}, b""), (500, {}, b"")):
        asking = client(Script(first), backoff=600.0, longest_backoff=600.0)
        raised: list[Exception] = []

        def ask(asking: HttpClient = asking, raised: list[Exception] = raised) -> None:
            try:
                asking.get("/list")
            except Exception as stopped:
                raised.append(stopped)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        asking.close()
        for thread in threads:
            thread.join(timeout=2)
        assert [type(error) for error in raised] == [Stopped] * 3
        with pytest.raises(Stopped):
            asking.get("/list")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def may_enter(gate: Gate, route: str) -> bool:
    """Whether a request may go now, without waiting for it."""
    wait, _ = gate._wait(gate._bucket(gate._bucket_of_route.get(route, route)), gate._clock())
    return wait == 0.0


def test_never_more_under_way_than_the_window_has_places_for_and_all_of_them_used() -> None:
    """A server simulated event by event: random delays both ways, answers out of order, windows by the clock."""
    for seed in range(60):
        rng = Random(seed)
        limit, window = rng.choice((1, 3, 10, 60)), rng.choice((10.0, 60.0, 300.0))
        delay = rng.choice((0.001, 0.2, 2.0))
        used = {0: rng.randrange(limit + 1)}  # an earlier run may have used some of it, which only asking can tell
        found_used_up = used[0] == limit
        refused = 0
        clock = Clock()
        start = clock.now - rng.random() * window
        gate = Gate("x", lambda line: None, clock=clock)
        events: list[tuple[float, int, Any]] = []
        for number in range(limit * 4):
            # The thread that asks next: as soon as the gate lets it.
            while not may_enter(gate, "r") or len(events) >= 8:
                if events:
                    events.sort(key=lambda event: event[:2])
                    clock.now, _, (bucket, quota, refusal) = events.pop(0)
                    gate.leave(bucket, "r", quota, refused=refusal)
                else:
                    clock.now += 0.05
                assert clock.now < 1000 + window * 20, f"seed {seed} hangs"
            bucket = gate.enter("r")
            arrival = clock.now + rng.random() * delay
            index = int((arrival - start) // window)
            used.setdefault(index, 0)
            left = limit - used[index]
            refused += left <= 0
            used[index] = min(limit, used[index] + 1)
            ends_in = start + (index + 1) * window - arrival
            rounded = int(ends_in) if rng.random() < 0.5 else -int(-ends_in // 1)
            quota = Quota("api", max(0, left - 1), rounded, limit, window)
            events.append((arrival + rng.random() * delay, number, (bucket, quota, left <= 0)))
        assert refused <= found_used_up, f"seed {seed}: {refused} refused"
        # The first window may have ended, and the last one may go on, before they could be filled.
        whole = [used.get(index, 0) for index in range(1, max(used))]
        fast_enough = 8 * window / (2 * delay) > 2 * limit
        assert not fast_enough or sum(whole) >= 0.98 * limit * len(whole), f"seed {seed}: {whole} of {limit}"


@pytest.mark.parametrize(("phase", "token"), [(0.35, None), (0.9, "hf_good")])
def test_the_quota_is_used_up_and_never_exceeded(
    monkeypatch: pytest.MonkeyPatch, phase: float, token: str | None
) -> None:
    quota = {"resolvers": Granted(60, 2.0)}
    lines: list[str] = []
    with HubServer(synthetic_hub(1, seed=1), quota=quota, token_quota=quota, phase=phase, latency=0.01) as hub:
        asking = connected(monkeypatch, hub.url, token, notify=lines.append)
        name = next(iter(hub.by_id))
        in_threads(lambda: asking.get(f"/{name}/resolve/main/README.md"), 150, threads=12)
        usage = hub.usage("resolvers")
        assert hub.sent_429 == 0
        assert hub.requests_by_bucket == {"resolvers": 150}
    assert usage.full_share is not None
    assert usage.full_share >= 0.98
    assert 2 <= len(lines) <= 3
    assert lines[0].startswith("hub: quota of 60 'resolvers' requests per 2 s used up; going on in ")


def in_threads(work: Callable[[], object], times: int, threads: int) -> None:
    left = iter(range(times))
    lock = threading.Lock()
    errors: list[BaseException] = []

    def run() -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
            try:
                work()
            except BaseException as error:
                errors.append(error)
                return

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert errors == []


def test_a_bare_token_quota_of_another_bucket_does_not_stop_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with HubServer(synthetic_hub(2, seed=1), quota={"api": Granted(1, 300.0), "resolvers": Granted(50, 300.0)}) as hub:
        asking = connected(monkeypatch, hub.url, longest_wait=10.0)
        assert asking.get("/api/models").status == 200
        for name in hub.by_id:
            assert asking.get(f"/{name}/resolve/main/README.md").status in (200, 404)
        with pytest.raises(RateLimited, match="quota of 1 'api' requests per 300 s used up"):
            asking.get("/api/models")
        assert asking.counters()["quota_left:resolvers"] == 48
        assert hub.sent_429 == 0


# GitHub's way of saying it ---------------------------------------------------------------------------------------


class Site(LoopbackServer):
    """Answers from a list, the last one for ever."""

    def __init__(self, *answers: Served) -> None:
        super().__init__()
        self.answers = list(answers)

    def answer(self, request: Request) -> Served:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def limits(remaining: int, reset_in: float, resource: str = "core") -> tuple[tuple[str, str], ...]:
    values = {"limit": 60, "remaining": remaining, "reset": int(time.time() + reset_in), "resource": resource}
    return tuple((f"X-RateLimit-{name}", str(value)) for name, value in values.items())


FINE = Served(200, b"{}", api=True)


def test_github_primary_limit_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Served(403, b'{"message": "API rate limit exceeded"}', limits(0, 1))
    with Site(refusal, FINE) as site:
        asking = on_github(monkeypatch, site.url)
        started = time.monotonic()
        assert asking.get("/repos/a/b").status == 200
        assert 0.9 < time.monotonic() - started < 5
        assert site.statuses == {403: 1, 200: 1}
        asking.close()


def test_github_counts_buckets_apart_and_says_how_to_get_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with Site(Served(200, b"{}", limits(0, 3600, "code_search")), FINE) as site:
        asking = on_github(monkeypatch, site.url)
        asking.get("/search/code?q=x")
        assert asking.get("/repos/a/b").status == 200
        with pytest.raises(RateLimited, match=r"quota of 60 'code_search' requests used up.* GITHUB_TOKEN"):
            asking.get("/search/code?q=y")
        assert len(site.requests) == 2
        asking.close()


def test_github_secondary_limit_is_a_throttle_and_a_missing_right_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    secondary = Served(403, b'{"message": "You have exceeded a secondary rate limit. Please wait"}', limits(40, 600))
    with Site(secondary, secondary, FINE) as site:
        asking = on_github(monkeypatch, site.url, pause=0.1)
        started = time.monotonic()
        assert asking.get("/repos/a/b").status == 200
        assert time.monotonic() - started > 0.28  # 0.1 s, then twice that
        asking.close()
    with Site(Served(403, b'{"message": "Resource not accessible"}', limits(40, 600))) as site:
        asking = on_github(monkeypatch, site.url)
        assert asking.get("/repos/a/b").status == 403
        assert len(site.requests) == 1
        asking.close()


# Over the wire, through both transports ----------------------------------------------------------------------------


def connected(
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    token: str | None = None,
    *,
    notify: Callable[[str], None] = lambda line: None,
    **limits: Any,
) -> HttpClient:
    """A Hub client for the server at `url`, as a user with this token or none has it."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nonexistent/token")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    return hub_client(notify, **{**QUICK, **limits})


def on_github(monkeypatch: pytest.MonkeyPatch, url: str, token: str | None = None, **limits: Any) -> HttpClient:
    monkeypatch.setenv("HUBSTATS_GITHUB_URL", url)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    if token:
        monkeypatch.setenv("GITHUB_TOKEN", token)
    return github_client(lambda line: None, **{**QUICK, **limits})


@pytest.fixture(params=["httpx", "requests"])
def open_client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., HttpClient]]:
    """A client on either real transport, with the token 'hf_good_token' where asked for."""
    opened: list[HttpClient] = []

    def make(url: str, token: str | None = None, **limits: Any) -> HttpClient:
        make_one = connected if request.param == "httpx" else on_github
        opened.append(make_one(monkeypatch, url, token, **limits))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
    from huggingface_hub.utils._http import close_session

    close_session()


def test_who_asks_and_as_whom(open_client: Callable[..., HttpClient]) -> None:
    with Site(FINE) as site:
        asking = open_client(site.url, "hf_good_token")
        assert asking.has_token
        asking.get("/x", headers={"Accept": "text/plain"})
        sent = site.requests[0].headers
    assert sent["user-agent"].startswith("hubstats/")
    assert sent["authorization"] == "Bearer hf_good_token"
    assert sent["accept"] == "text/plain"
    assert sent["accept-encoding"] == "gzip"
    assert len(site.requests) == 1  # the Hub client's own question about coding agents is not among them


def test_an_answer_that_repeats_the_token_is_handed_over_without_it(open_client: Callable[..., HttpClient]) -> None:
    token = "a-token-of-a-shape-that-nobody-knows"

    class Mirror(LoopbackServer):
        def answer(self, request: Request) -> Served:
            said = request.headers["authorization"]
            link = f'<{self.url}/next?auth={said.partition(" ")[2]}>; rel="next"'
            return Served(200, f"you sent {said}".encode(), (("Link", link), ("X-Debug", said)))

    with Mirror() as site:
        got = open_client(site.url, token).get("/x")
        assert got.body == b"you sent Bearer ***"
        assert got.redacted
        assert token not in repr(dict(got.headers))
        assert got.next_url() == f"{site.url}/next?auth=***"


def test_a_mirrors_password_is_not_shown(open_client: Callable[..., HttpClient]) -> None:
    asking = open_client("http://someone:hunter22@127.0.0.1:9")
    assert asking.address == "http://127.0.0.1:9"
    with pytest.raises(Unreachable) as raised:
        asking.get("/x")
    assert "hunter22" not in str(raised.value)


@pytest.mark.parametrize(("scopes", "warned"), [("repo, workflow", True), ("", False), (None, False)])
def test_a_token_with_scopes_earns_one_warning(
    monkeypatch: pytest.MonkeyPatch, scopes: str | None, warned: bool
) -> None:
    class Site(LoopbackServer):
        def answer(self, request: Request) -> Served:
            return Served(200, b"{}", () if scopes is None else (("X-OAuth-Scopes", scopes),))

    said: list[str] = []
    with Site() as site:
        monkeypatch.setenv("HUBSTATS_GITHUB_URL", site.url)
        monkeypatch.setenv("GITHUB_TOKEN", "ghp_mine")
        asking = github_client(said.append, **QUICK)
        for _ in range(3):
            asking.get("/x")
    assert len(said) == int(warned)
    assert all("(scopes: repo, workflow)" in line and "without any scope" in line for line in said)


@pytest.mark.parametrize("char", ["\ufeff", "\xad", "\x1b", "\u202e", "\ue000", "\x85", "\U000e0041"])
def test_no_character_that_steers_a_terminal_stands_in_a_message(char: str) -> None:
    assert one_line(f"a{char}b") == "a b"


def test_a_redirect_takes_the_token_nowhere_else(open_client: Callable[..., HttpClient]) -> None:
    with Site(FINE) as other:
        elsewhere = f"http://localhost:{other.port}/there?signature=1"
        with Site(
            Served(302, b"", (("Location", elsewhere),)), Served(307, b"", (("Location", "/new"),)), FINE
        ) as site:
            asking = open_client(site.url, "hf_good_token")
            assert asking.get("/x").url == elsewhere
            assert "authorization" not in other.requests[0].headers
            assert asking.get("/y").url == f"{site.url}/new"
            assert [r.headers.get("authorization") for r in site.requests] == ["Bearer hf_good_token"] * 3
            assert asking.counters()["requests"] == 4


@pytest.mark.parametrize("target", ["/again", "file:///etc/passwd", "http://[bad", "https://"])
def test_a_redirect_that_leads_nowhere_is_a_bad_page(open_client: Callable[..., HttpClient], target: str) -> None:
    with Site(Served(302, b"", (("Location", target),))) as site:
        with pytest.raises(BadPage, match="redirect"):
            open_client(site.url).get("/x")
        assert len(site.requests) <= 6


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_another_host_refuses_says_nothing_of_what_was_asked_for(status: int) -> None:
    away = (302, {"location": "https://files.test/signed"}, b"")
    asking = client(Script(away, (status, {}, b"expired"), away, OK))
    assert asking.get("/x").body == b"[1]"
    with pytest.raises(Unreachable, match=f"answered {status}"):
        client(Script(*[away, (status, {}, b"expired")] * 9), tries=3).get("/x")
    assert client(Script((status, {}, b"its own word"))).get("/x").status == status


def test_an_answer_that_does_not_pass_the_check_is_asked_for_again() -> None:
    def check(response: Response) -> None:
        if response.body != b"[1]":
            raise BadPage("cut")

    script = Script((200, {}, b"["), OK)
    assert client(script).get("/x", check=check).body == b"[1]"
    with pytest.raises(BadPage, match="cut"):
        client(Script((200, {}, b"[")), tries=3).get("/x", check=check)
    assert client(Script((404, {}, b""))).get("/x", check=check).status == 404


def test_bodies_are_capped_before_they_unfold(open_client: Callable[..., HttpClient]) -> None:
    bomb = gzip.compress(bytes(300_000_000), 1)
    with Site(Served(200, b"abcde" * 100), Served(200, bomb, (("Content-Encoding", "gzip"),), compress=False)) as site:
        asking = open_client(site.url)
        whole = asking.get("/x", max_bytes=500)
        assert (whole.body, whole.truncated) == (b"abcde" * 100, False)
        import tracemalloc

        tracemalloc.start()
        cut = asking.get("/x", max_bytes=1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (len(cut.body), cut.truncated) == (1_000_000, True)
    assert peak < 20_000_000


def test_an_endless_body_is_left_at_the_cap(open_client: Callable[..., HttpClient]) -> None:
    with Site(Served(200, b"", delivery="endless", length=2_000_000_000)) as site:
        answer = open_client(site.url).get("/x", max_bytes=3_000_000)
    assert (len(answer.body), answer.truncated) == (3_000_000, True)


def test_gzip_of_several_parts(open_client: Callable[..., HttpClient]) -> None:
    body = gzip.compress(b"one ") + gzip.compress(b"two")
    with Site(Served(200, body, (("Content-Encoding", "gzip"),), compress=False)) as site:
        assert open_client(site.url).get("/x").body == b"one two"


def test_gzip_that_ends_in_the_middle_is_asked_for_again(open_client: Callable[..., HttpClient]) -> None:
    body = gzip.compress(bytes(range(256)) * 40)
    marked = (("Content-Encoding", "gzip"),)
    with Site(Served(200, body[:-20], marked, compress=False), Served(200, body, marked, compress=False)) as site:
        assert open_client(site.url).get("/x").body == bytes(range(256)) * 40
        assert len(site.requests) == 2


@pytest.mark.parametrize("kind", ["trickle", "stall_body", "stall"])
def test_a_slow_answer_ends_in_time(open_client: Callable[..., HttpClient], kind: str) -> None:
    with Site(Served(200, b"x" * 4000, compress=False, delivery=kind, seconds=9)) as site:
        asking = open_client(site.url, tries=1, first_tries=1, read_seconds=0.8, total_seconds=0.3)
        started = time.monotonic()
        with pytest.raises(Unreachable, match=r"no answer in time|not complete after|broke off"):
            asking.get("/x")
        assert time.monotonic() - started < 3


def test_whatever_goes_wrong_for_a_while_comes_right(open_client: Callable[..., HttpClient]) -> None:
    body = b"[" + b"1," * 2000 + b"1]"
    for kind in RECOVERABLE:
        plan = FaultPlan(rate=1.0, kinds=(kind,), per_item=1, seconds=0.2, retry_after=0)
        with Site(Served(200, body, (("Content-Type", "application/json"),), api=True)) as site:
            site.faults = plan
            asking = open_client(site.url, margin=0.0)
            assert asking.get("/x", expect_json=True).body == body, kind
            assert site.faults_sent == {kind: 1}
            asking.close()


def test_nobody_there(open_client: Callable[..., HttpClient]) -> None:
    with Site(FINE) as site:
        url = site.url
    with pytest.raises(
        Unreachable, match=r"cannot reach http://127\.0\.0\.1:\d+/x: connection refused; check the network or H"
    ):
        open_client(url).get("/x?token=hunter2")
    with pytest.raises(Unreachable, match="host name not found"):
        open_client("http://nobody.invalid").get("/x")


@pytest.mark.parametrize("token", ["hf_abc\ndef", "hf_ä", "a b"])
def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(
    open_client: Callable[..., HttpClient], token: str
) -> None:
    with pytest.raises(ConfigError, match="_TOKEN") as raised:
        # The Hub client itself drops line ends, so hand it over directly.
        client(Script(OK), token=token)
    assert token not in str(raised.value)


def test_an_address_that_is_none_is_refused(open_client: Callable[..., HttpClient]) -> None:
    with pytest.raises(ConfigError, match=r"HF_ENDPOINT|HUBSTATS_GITHUB_URL"):
        open_client("localhost:8000")


def test_netrc_does_not_speak_for_us(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "netrc").write_text("default login someone password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Site(FINE) as site:
        for token in (None, "ghp_mine"):
            asking = on_github(monkeypatch, site.url, token)
            asking.get("/x")
            asking.close()
        assert [r.headers.get("authorization") for r in site.requests] == [None, "Bearer ghp_mine"]


def test_the_hub_client_keeps_to_the_rules_of_huggingface_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    with Site(FINE) as site:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
        assert not connected(monkeypatch, site.url, "hf_good_token").has_token
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        asking = connected(monkeypatch, site.url)
        assert "HF_HUB_OFFLINE" in (asking.unavailable or "")
        with pytest.raises(Unreachable, match="unset HF_HUB_OFFLINE"):
            asking.get("/x")
        assert site.requests == []


def test_a_token_that_cannot_be_read_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked() -> str:
        raise PermissionError(13, "Permission denied", "/home/someone/token")

    monkeypatch.setattr("huggingface_hub.get_token", locked)
    with pytest.raises(AccessDenied, match="set HF_TOKEN or log in again"):
        hub_client(lambda line: None)


def test_the_image_site_needs_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with Site(FINE) as site:
        monkeypatch.setenv("HUBSTATS_CIVITAI_URL", site.url + "/")
        asking = civitai_client(lambda line: None)
        assert asking.base_url == site.url
        assert not asking.has_token
        assert asking.get("/api/v1/models").json() == {}
        asking.close()


def test_importing_it_loads_no_client_library() -> None:
    code = "import sys, hubstats.http; print({'requests', 'huggingface_hub', 'httpx2'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
