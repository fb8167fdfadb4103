"""What the three stand-ins share: a thread with an event loop, a request log, quota windows and a fault plan.

class Echo(LoopbackServer):
    def answer(self, request: Request) -> Reply:
        return Reply(200, request.path.encode())

with Echo() as server:
    requests.get(server.url + "/x")
    assert server.requests[0].path == "/x"
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Literal, NamedTuple, Self

from .faults import FaultPlan, spoil
from .quota import FixedWindows, Quota, Usage
from .wire import Connection, Headers, Reply, Request, json_reply

KEPT_HEADERS = ("authorization", "user-agent", "accept", "accept-encoding", "if-none-match", "range", "cookie")


class Logged(NamedTuple):
    """One request as it was served."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Those that matter: authorization, user-agent, accept, accept-encoding, if-none-match, range, cookie."""
    status: int
    """0 when the connection was dropped without an answer."""
    bucket: str
    fault: str | None
    at: float
    """Seconds since the server started."""


@dataclass(eq=False)
class LoopbackServer:
    """Base of the stand-ins: a thread with an event loop, a request log, quota windows and a fault plan.

    Subclasses implement `answer`, and `bucket_of`, `limit_headers` and `refuse` if they limit. Whatever changes
    their content from a test's thread does so under `self.lock`. A test may set `server.windows.clock` to a clock of
    its own and need not wait for windows to end.
    """

    quota: Mapping[str, Quota] | None = field(default=None, kw_only=True)
    """Per bucket; None: no limits and no rate-limit headers."""
    faults: FaultPlan | None = field(default=None, kw_only=True)
    latency: float = field(default=0.0, kw_only=True)
    """Seconds before each answer is sent; other connections go on meanwhile."""
    log: bool = field(default=True, kw_only=True)
    """Keep `requests`; the counters are kept in any case."""
    host: str = field(default="127.0.0.1", kw_only=True)
    port: int = field(default=0, kw_only=True)
    phase: float = field(default=0.0, kw_only=True)
    """See quota.FixedWindows."""

    WINDOWS_OPEN: ClassVar[Literal["clock", "request"]] = "clock"

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.windows = FixedWindows(self.quota or {}, opens=self.WINDOWS_OPEN, phase=self.phase)
        self.started = time.monotonic()
        self.connections: set[Connection] = set()
        self.ready = threading.Event()
        self.forget()

    # What a stand-in says -----------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """The service's answer, rate limits and faults apart."""
        raise NotImplementedError

    def bucket_of(self, request: Request) -> str:
        """The quota bucket a request belongs to."""
        return "api"

    def quota_of(self, request: Request, bucket: str) -> tuple[str, Quota | None]:
        """Who is counted, and a quota of their own if they have one."""
        return request.token() or "anonymous", None

    def limit_headers(self, bucket: str, left: int, seconds: float, limit: int, window: float) -> Headers:
        """The rate-limit headers of this service."""
        return ()

    def refuse(self, request: Request, bucket: str, seconds: float) -> Reply:
        """The answer to a request over quota, its rate-limit headers apart."""
        return Reply(429, b"Too Many Requests", (("Content-Type", "text/plain"),))

    def control(self, name: str, request: Request) -> dict[str, Any]:
        """Orders to a server that runs as a process of its own: GET /_stand_in/<name>."""
        if name == "forget":
            self.forget()
        return self.stats()

    # Serving -----------------------------------------------------------------------------------------------------

    def serve(self, request: Request) -> Reply:
        """The answer as it goes out: limited, spoiled by a fault if one is due, and written down."""
        if request.path.startswith("/_stand_in/"):
            return json_reply(200, self.control(request.path.removeprefix("/_stand_in/"), request))
        if request.path.startswith("/_loop/"):
            return Reply(302, b"", (("Location", request.target),))
        with self.lock:
            bucket = self.bucket_of(request)
            reply = self.limited(request, bucket)
            fault = None
            if self.faults is not None and reply.status != 429:
                fault = self.faults.draw(request.method, request.target, api=reply.api and reply.status == 200)
                if fault is not None:
                    reply = spoil(fault, reply, request, self, bucket)
                    self.faults_sent[fault] += 1
            status = 0 if reply.delivery in ("reset", "close", "stall") else reply.status
            self.requests_by_bucket[bucket] += 1
            self.statuses[status] += 1
            if self.log:
                kept = {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}
                at = time.monotonic() - self.started
                self.requests.append(
                    Logged(request.method, request.path, tuple(request.query), kept, status, bucket, fault, at)
                )
        return reply

    def limited(self, request: Request, bucket: str) -> Reply:
        """The answer within the limits, with its rate-limit headers."""
        if not self.windows.quotas:
            return self.answer(request)
        caller, own = self.quota_of(request, bucket)
        grant = self.windows.take(bucket, caller, own)
        if grant is None:
            return self.answer(request)
        reply = self.answer(request) if grant.allowed else self.refuse(request, bucket, grant.seconds)
        if grant.allowed and reply.status == 304 and self.WINDOWS_OPEN == "request":
            grant = self.windows.give_back(bucket, caller, own) or grant
        window = (own or self.windows.quotas[bucket]).seconds
        return reply.with_headers(*self.limit_headers(bucket, grant.left, grant.seconds, grant.limit, window))

    # Records -----------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Empties the records; content and quota windows stay."""
        with self.lock:
            self.requests: list[Logged] = []
            self.requests_by_bucket: Counter[str] = Counter()
            self.statuses: Counter[int] = Counter()
            self.faults_sent: Counter[str] = Counter()

    @property
    def sent_429(self) -> int:
        """How many 429 answers went out, honest and injected."""
        return self.statuses[429]

    def usage(self, bucket: str) -> Usage:
        """Quota granted, used and refused in a bucket."""
        with self.lock:
            return self.windows.usage(bucket)

    def stats(self) -> dict[str, Any]:
        """The records as JSON values."""
        with self.lock:
            usage = {bucket: self.windows.usage(bucket) for bucket in self.windows.quotas}
            return {
                "requests": self.requests_by_bucket.total(),
                "requests_by_bucket": dict(self.requests_by_bucket),
                "statuses": {str(status): count for status, count in self.statuses.items()},
                "sent_429": self.sent_429,
                "faults_sent": dict(self.faults_sent),
                "usage": {
                    bucket: {
                        "granted": u.granted,
                        "used": u.used,
                        "refused": u.refused,
                        "windows": u.windows,
                        "full_share": u.full_share,
                    }
                    for bucket, u in usage.items()
                },
            }

    # Running -----------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> Self:
        """Listens in a thread of its own; returns once connections are accepted."""
        self.loop = asyncio.new_event_loop()
        listener = socket.socket(socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self.started = time.monotonic()
        self.thread = threading.Thread(target=self._run, args=(listener,), name=type(self).__name__, daemon=True)
        self.thread.start()
        self.ready.wait()
        return self

    def stop(self) -> None:
        """Drops every connection and ends the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def _run(self, listener: socket.socket) -> None:
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(
            self.loop.create_server(lambda: Connection(self), sock=listener, backlog=1024)
        )
        self.ready.set()
        try:
            self.loop.run_forever()
        finally:
            server.close()
            for connection in list(self.connections):
                connection.drop()
            # One more turn of the loop, so that cancelled deliveries and closed sockets are done with.
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
