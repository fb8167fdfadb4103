"""The client: what is asked again, how long, and what is raised when that does not help."""

from __future__ import annotations

import re
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode, urlsplit

import tenacity

from hubstats.errors import BadPage, ConfigError, RateLimited, SourceError, Stopped, TimedOut, Unreachable
from hubstats.http.quota import HEARTBEAT, Bucket, Gate, Quota
from hubstats.http.response import Headers, Response, joined, one_line, origin, retry_after, shown
from hubstats.http.transport import Broken, NotSent, Reply, TooSlow, Transport

MIB = 1024 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_ERROR_BODY = 64 * 1024
"""Bytes kept of an answer that is an error: enough for its message."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs from service to service."""

    name: str
    route: Callable[[str], str]
    """URL path -> the bucket it counts against, as far as can be told before asking."""
    quota: Callable[[Headers], Quota | None]
    throttled: Callable[[Response], bool] = lambda response: response.status == 429
    """Whether a 4xx means 'slow down' and not 'no'."""
    pause: float = 2.0
    """Seconds of the first pause after a throttle that names no time; doubled each time."""
    excess: Callable[[Headers], str] = lambda headers: ""
    """What the token may do beyond reading what is public, as far as an answer tells: a line, or nothing."""
    address_env: str | None = None
    token_env: str | None = None


class HttpClient:
    """GETs from one service. Thread-safe.

    tries            requests sent for one `get` at most; `first_tries` when the host has never answered at all
    longest_wait     seconds to wait for an announced window or Retry-After in one go, else RateLimited
    connect_seconds, read_seconds, total_seconds   limits on connecting, on each silence, on one whole answer
    backoff, longest_backoff   seconds before the second try (doubled each time), and their bound
    pause            seconds for which the host is left alone after a throttle that names no time (doubled each time)
    margin           seconds added to the end of an announced window
    """

    def __init__(
        self,
        base_url: str,
        transport: Transport,
        rules: Rules,
        notify: Callable[[str], None],
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int = 8,
        first_tries: int = 3,
        longest_wait: float = 900.0,
        connect_seconds: float = 10.0,
        read_seconds: float = 30.0,
        total_seconds: float = 120.0,
        backoff: float = 0.5,
        longest_backoff: float = 30.0,
        pause: float | None = None,
        margin: float = 1.0,
        redirects: int = 5,
        unavailable: str | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{rules.address_env or 'the address'} must be an http(s) URL, not '{shown(base_url)}'")
        if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ConfigError(f"{rules.token_env or 'the token'} holds characters that no token has; set it again")
        self.base_url = base_url.rstrip("/")
        self.address = shown(self.base_url)
        """The same as records and messages show it: a mirror's address may hold a user's name and password."""
        self.name = rules.name
        self.unavailable = unavailable
        """Why no request can succeed here and what to do; None when nothing is known to be in the way."""
        self._rules, self._transport, self._notify, self._token = rules, transport, notify, token
        self._headers = {"User-Agent": user_agent(), "Accept-Encoding": "gzip", **(headers or {})}
        self._origin = origin(self.base_url)
        self._tries, self._first_tries, self._redirects = tries, first_tries, redirects
        self._connect_seconds, self._read_seconds, self._total_seconds = connect_seconds, read_seconds, total_seconds
        advice = f", or set {rules.token_env} for a larger quota" if rules.token_env and not token else ""
        self._gate = Gate(rules.name, notify, longest_wait=longest_wait, margin=margin, advice=advice)
        self._pause = rules.pause if pause is None else pause
        self._longest_wait = longest_wait
        self._stop = threading.Event()
        self._answered = False
        self._counted = threading.Lock()
        self._counts = {"requests": 0, "bytes": 0, "retries": 0}
        self._said_at = 0.0
        self._excess_said = token is None
        self._retrying = tenacity.Retrying(
            stop=self._is_enough,
            wait=self._pause_before_next,
            retry=tenacity.retry_if_exception_type(_Again),
            before_sleep=self._before_next,
            sleep=self._sleep,
            reraise=True,
        )
        self._backoff = tenacity.wait_exponential(multiplier=backoff, max=longest_backoff) + tenacity.wait_random(
            0, backoff
        )

    @property
    def has_token(self) -> bool:
        return self._token is not None

    @property
    def stopped(self) -> bool:
        """`close` was called."""
        return self._stop.is_set()

    def close(self) -> None:
        """End every wait with Stopped, promptly and for good. Reads under way end at their next piece."""
        self._stop.set()
        self._gate.stop()
        self._transport.close()

    def counters(self) -> dict[str, int]:
        """Requests sent, bytes received, retries, and `quota_left:BUCKET` for each announced quota."""
        with self._counted:
            counts = dict(self._counts)
        return counts | {f"quota_left:{bucket}": left for bucket, left in self._gate.left().items()}

    def get(
        self,
        url: str,
        *,
        params: Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 32 * MIB,
        expect_json: bool = False,
        check: Callable[[Response], None] | None = None,
    ) -> Response:
        """The final answer to one GET of a URL, or of a path below `base_url`.

        `expect_json`: a 2xx whose body is not JSON (a web page in its place, cut short, empty) is asked for again.
        `check`: raises BadPage for a 2xx that is not what was asked for, which then is asked for again, too.

        Returns for 2xx, 304 and every 4xx of the host asked that is no throttle. Raises Unreachable when all tries
        failed, RateLimited when a quota is away for longer than the longest wait, BadPage for redirects without end
        or when no try brought JSON, or what `check` lets pass, Stopped after `close`.
        """
        if url.startswith("/"):
            url = self.base_url + url
        if params:
            url += ("&" if "?" in url else "?") + urlencode(params, quote_via=quote)
        sent = {**self._headers, **(headers or {})}
        throttles = 0

        def once() -> Response:
            nonlocal throttles
            response = self._follow(url, sent, max_bytes)
            if self._rules.throttled(response):
                throttles += 1
                self._throttle(response, throttles)
            # What a host that a redirect led to refuses is its own trouble: it says nothing of what was asked for.
            elsewhere = response.status >= 400 and origin(response.url) != origin(url)
            if response.status in (408, 425) or response.status >= 500 or elsewhere:
                self._refuse(response)
            if 200 <= response.status < 300:
                try:
                    if check is not None:
                        check(response)
                    if expect_json and not response.truncated:
                        return replace(response, parsed=(response.json(),))
                except BadPage as error:
                    raise _Again(error) from None
            return response

        try:
            return self._retrying(once)
        except _Again as again:
            raise again.final from None

    def _follow(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Response:
        """One answer, redirects followed: each hop counts against the quota like any request."""
        for _ in range(self._redirects + 1):
            response = self._exchange(url, headers, max_bytes)
            target = response.headers.get("location")
            if response.status not in _REDIRECTS or not target:
                return response
            following = joined(url, target)
            if following is None:
                raise BadPage(f"{shown(url)} redirects to something that is not HTTP: {shown(target)}", url=shown(url))
            url = following
        raise BadPage(f"{shown(url)}: more than {self._redirects} redirects", url=shown(url))

    def _exchange(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Response:
        parts = urlsplit(url)
        own = origin(url) == self._origin
        route = self._rules.route(parts.path)
        bucket: Bucket | None = self._gate.enter(route) if own else None
        if own and self._token is not None:
            headers = {**headers, "Authorization": f"Bearer {self._token}"}
        self._count(requests=1)
        started = time.monotonic()
        reached = True
        try:
            with self._transport.open(url, headers, self._connect_seconds, self._read_seconds) as reply:
                self._answered = True
                if own:
                    self._warn_of_excess(reply.headers)
                if bucket is not None:
                    quota = self._rules.quota(reply.headers)
                    refused = quota is not None and quota.remaining == 0 and reply.status in (403, 429)
                    self._gate.leave(bucket, route, quota, refused=refused)
                    bucket = None
                cap = max_bytes if reply.status < 300 else min(max_bytes, _ERROR_BODY)
                body, truncated = self._read(reply, cap, started)
        except NotSent as error:
            reached = False
            raise _Again(self._unreachable(url, str(error))) from None
        except Broken as error:
            raise _Again(self._unreachable(url, str(error), TimedOut if isinstance(error, TooSlow) else None)) from None
        finally:
            if bucket is not None:
                self._gate.lose(bucket, counted=reached)
        if own and self._token is not None:
            kept = body.replace(self._token.encode(), b"***")
            sent = reply.headers.without(self._token)
            return Response(reply.status, url, sent, kept, truncated, self._token, redacted=kept != body)
        return Response(reply.status, url, reply.headers, body, truncated, self._token)

    def _warn_of_excess(self, headers: Headers) -> None:
        """Say once that a token with fewer rights would do."""
        with self._counted:
            excess = "" if self._excess_said else self._rules.excess(headers)
            self._excess_said = self._excess_said or bool(excess)
        if excess:
            self._notify(f"{self.name}: {one_line(excess, self._token)}")

    def _read(self, reply: Reply, max_bytes: int, started: float) -> tuple[bytes, bool]:
        encoding = reply.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip", "x-gzip"):
            raise Broken(f"the answer is compressed in a way that was not asked for ({encoding[:20]})")
        inflate = _Inflate() if "gzip" in encoding else None
        pieces: list[bytes] = []
        kept = raw = 0
        try:
            for chunk in reply.chunks:
                raw += len(chunk)
                if self._stop.is_set():
                    raise Stopped(f"{self.name}: stopped")
                if time.monotonic() - started > self._total_seconds:
                    raise TooSlow(f"the answer was not complete after {self._total_seconds:.0f} s")
                piece = inflate.feed(chunk, max_bytes + 1 - kept) if inflate else chunk
                pieces.append(piece)
                kept += len(piece)
                if kept > max_bytes:
                    return b"".join(pieces)[:max_bytes], True
        finally:
            self._count(bytes=raw)
        if inflate and raw and not inflate.complete:
            raise Broken("the compressed answer ends in the middle")
        return b"".join(pieces), False

    def _throttle(self, response: Response, nth: int) -> None:
        """Hold back the whole host for as long as the answer says, then try again."""
        quota = self._rules.quota(Headers(response.headers))
        asked = retry_after(response.headers)
        used_up = quota is not None and quota.remaining == 0
        if asked is not None:
            self._gate.pause(asked)
        elif not used_up:
            self._gate.pause(min(self._pause * 2 ** (nth - 1), self._longest_wait))
        where = shown(response.url)
        why = f": {response.reason()}" if response.reason() else ""
        text = f"{where} still answers {response.status} after {self._tries} tries{why}; run it again later to go on"
        # The wait itself happens at the gate, once for all threads.
        raise _Again(RateLimited(text, url=where, wait_seconds=asked), wait=0.0)

    def _refuse(self, response: Response) -> None:
        asked = retry_after(response.headers)
        if asked is not None:
            self._gate.pause(asked)
        where = shown(response.url)
        why = f": {response.reason()}" if response.reason() else ""
        text = f"{where} answered {response.status} {self._tries} times{why}; run it again later to go on"
        final = Unreachable(text, url=where, status=response.status)
        raise _Again(final, wait=None if asked is None else 0.0)

    def _unreachable(self, url: str, why: str, kind: type[Unreachable] | None = None) -> Unreachable:
        check = f"check the network or {self._rules.address_env}" if self._rules.address_env else "check the network"
        text = f"cannot reach {shown(url)}: {one_line(why, self._token)}; {check}"
        return (kind or Unreachable)(text, url=shown(url))

    def _is_enough(self, state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= (self._tries if self._answered else self._first_tries)

    def _pause_before_next(self, state: tenacity.RetryCallState) -> float:
        again = _again(state)
        return self._backoff(state) if again.wait is None else again.wait

    def _before_next(self, state: tenacity.RetryCallState) -> None:
        """Tell the user about trouble that lasts, but not once per thread."""
        self._count(retries=1)
        wait = state.next_action.sleep if state.next_action else 0.0
        now = time.monotonic()
        if state.attempt_number >= 2 and wait and now - self._said_at > 5.0:
            self._said_at = now
            self._notify(f"{self.name}: {_again(state).final}; trying again in {wait:.0f} s")

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._stop.wait(min(left, HEARTBEAT)):
                raise Stopped(f"{self.name}: stopped")

    def _count(self, **more: int) -> None:
        with self._counted:
            for name, value in more.items():
                self._counts[name] += value


def user_agent() -> str:
    """Who asks: 'hubstats/1.0.0 (PEFT technique statistics)'."""
    from hubstats import __version__

    return f"hubstats/{__version__} (PEFT technique statistics)"


class _Again(Exception):
    """This try failed; `final` is what to raise when no try is left."""

    def __init__(self, final: SourceError, wait: float | None = None) -> None:
        super().__init__(str(final))
        self.final = final
        self.wait = wait


def _again(state: tenacity.RetryCallState) -> _Again:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, _Again)
    return error


class _Inflate:
    """gzip, one bounded piece at a time: a small answer cannot unfold into more than was asked for."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def feed(self, chunk: bytes, room: int) -> bytes:
        pieces: list[bytes] = []
        try:
            while chunk and room > 0:
                if self._stream.eof:
                    self._stream = zlib.decompressobj(wbits=31)
                piece = self._stream.decompress(chunk, room)
                pieces.append(piece)
                room -= len(piece)
                chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        except zlib.error:
            raise Broken("the compressed answer is damaged") from None
        return b"".join(pieces)
