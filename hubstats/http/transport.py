"""One exchange at a time: the Hub through huggingface_hub's session, the other sites through requests.

A transport sends one GET, hands over status, headers and the body as it arrives, and says of a failure only
whether the server may have seen the request. Everything else is the client's.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from hubstats.errors import BadPage, Unreachable
from hubstats.http.response import Headers, shown

OFFLINE = "the Hub client is in offline mode; unset HF_HUB_OFFLINE to crawl the Hub"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a transport hands over once the headers are there."""

    status: int
    headers: Headers
    chunks: Iterator[bytes]
    """The body as sent, not decompressed, piece by piece as it arrives."""


class Transport(Protocol):
    """One way to perform one exchange."""

    def open(
        self, url: str, headers: Mapping[str, str], connect_seconds: float, read_seconds: float
    ) -> AbstractContextManager[Reply]:
        """GET one URL without following redirects.

        Raises NotSent when the server cannot have seen the request, Broken when it may have.
        """
        ...

    def close(self) -> None:
        """Let go of idle connections."""
        ...


class NotSent(Exception):
    """No connection. The text is the reason in a few words, never a URL."""


class Broken(Exception):
    """The connection failed or fell silent after the request was sent. The text is the reason in a few words."""


class TooSlow(Broken):
    """The answer did not come, or was not complete, in time."""


class HubTransport:
    """huggingface_hub's shared session, with the time limits that it leaves out."""

    def __init__(self) -> None:
        import httpx2
        from huggingface_hub import get_session
        from huggingface_hub.errors import OfflineModeIsEnabled

        self._httpx, self._get_session, self._offline = httpx2, get_session, OfflineModeIsEnabled

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str], connect_seconds: float, read_seconds: float
    ) -> Iterator[Reply]:
        httpx = self._httpx
        timeout = httpx.Timeout(read_seconds, connect=connect_seconds, pool=None)
        try:
            session = self._get_session()
            request = session.build_request("GET", url, headers=headers, timeout=timeout)
            response = session.send(request, stream=True, follow_redirects=False)
            try:
                received = Headers.joined(response.headers.raw)
                yield Reply(response.status_code, received, response.iter_raw())
            finally:
                response.close()
        except self._offline:
            raise Unreachable(OFFLINE) from None
        except httpx.InvalidURL:
            raise BadPage(f"not a usable URL: {shown(url)}") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise NotSent(_cause(error)) from None
        except httpx.TimeoutException as error:
            raise TooSlow(_cause(error)) from None
        except httpx.RequestError as error:
            raise Broken(_cause(error)) from None
        except RuntimeError as error:
            # Other code in this process may close the shared session; the next try gets a new one.
            if "closed" not in str(error):
                raise
            raise Broken("the shared session was closed") from None

    def close(self) -> None:
        """Nothing: the session is huggingface_hub's, and others in this process may use it."""


class RequestsTransport:
    """A requests session of our own, one per thread: sessions are not documented as thread-safe."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._sessions: list[Any] = []

    def close(self) -> None:
        """Close the idle connections of every thread's session."""
        for session in self._sessions:
            session.close()

    def _session(self) -> Any:
        import requests

        if not hasattr(self._local, "session"):
            session: Any = requests.Session()
            # With no auth set, requests would replace our Authorization by what ~/.netrc holds for the host.
            session.auth = lambda prepared: prepared
            # The client follows redirects. Without this, requests reads their whole body, however long, in passing.
            session.get_redirect_target = lambda response: None
            self._local.session = session
            self._sessions.append(session)
        return self._local.session

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str], connect_seconds: float, read_seconds: float
    ) -> Iterator[Reply]:
        import requests
        from urllib3.exceptions import HTTPError, ReadTimeoutError

        try:
            response = self._session().get(
                url,
                headers=dict(headers),
                stream=True,
                allow_redirects=False,
                timeout=(connect_seconds, read_seconds),
            )
            try:
                # read1 hands over what has arrived; read(n) would wait for n bytes, past any total limit.
                chunks = iter(lambda: response.raw.read1(65536, decode_content=False), b"")
                yield Reply(response.status_code, Headers(response.headers), chunks)
            finally:
                response.close()
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema):
            raise BadPage(f"not a usable URL: {shown(url)}") from None
        except (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError) as error:
            raise NotSent(_cause(error)) from None
        except requests.exceptions.ConnectionError as error:
            refused = any(isinstance(e, ConnectionRefusedError | socket.gaierror | ssl.SSLError) for e in _chain(error))
            raise (NotSent if refused else Broken)(_cause(error)) from None
        except (requests.exceptions.Timeout, ReadTimeoutError) as error:
            raise TooSlow(_cause(error)) from None
        except (requests.exceptions.RequestException, HTTPError, OSError) as error:
            raise Broken(_cause(error)) from None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that it was made from, outermost first."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting.extend(e for e in inner if isinstance(e, BaseException))


def _cause(error: BaseException) -> str:
    """Why a connection failed, in a few words and without the URL that some libraries put into their text."""
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, socket.gaierror):
            return "host name not found"
        if isinstance(one, ConnectionRefusedError):
            return "connection refused"
        if isinstance(one, ssl.SSLError):
            return f"TLS failed ({one.reason or 'certificate'})"
    if any("timeout" in type(one).__name__.lower() for one in chain):
        return "no answer in time"
    for one in chain:
        if isinstance(one, OSError) and one.strerror:
            return one.strerror.lower()
    return "the connection broke off"
