"""HTTP/1.1 as bytes: requests read, answers written, and every way in which an answer can fail to arrive.

Keep-alive, pipelining, HEAD, gzip when asked for, chunked bodies, conditional and range requests. Raw asyncio, because
a stand-in must not be what a benchmark of the crawler measures.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
import struct
import time
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

REASONS = {int(status): status.phrase for status in HTTPStatus}
BODILESS = frozenset({204, 304})
Headers = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Request:
    """One request as read. Header names are lower case; `path` is decoded, `target` is as sent."""

    method: str
    target: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes = b""

    def param(self, name: str) -> str | None:
        """The last value of a query parameter."""
        values = self.params(name)
        return values[-1] if values else None

    def params(self, name: str) -> list[str]:
        """Every value of a query parameter; `name[]` counts as `name`."""
        return [value for key, value in self.query if key == name or key == name + "[]"]

    def token(self) -> str | None:
        """The credential of an Authorization header, without its scheme."""
        _, _, credential = self.headers.get("authorization", "").partition(" ")
        return credential.strip() or None


@dataclass(slots=True)
class Reply:
    """One answer, and how it is to be delivered."""

    status: int = 200
    body: bytes = b""
    headers: Headers = ()
    api: bool = False
    """A JSON page of an interface, whose corruption a client can notice; False for files, where it cannot."""
    compress: bool = True
    """gzip it when asked to."""
    chunked: bool = False
    """Send it in chunks, without Content-Length."""
    delivery: str = "whole"
    """whole, reset, close, stall, stall_body, trickle, truncated, endless: see `Connection.deliver`."""
    seconds: float = 0.0
    """How long a stall or a trickle lasts."""
    length: int = 0
    """Bytes of an endless body."""

    def with_headers(self, *more: tuple[str, str]) -> Reply:
        """The same with more headers."""
        return replace(self, headers=self.headers + more)


def json_reply(status: int, value: Any, *headers: tuple[str, str]) -> Reply:
    """A JSON answer of an interface."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, body, (("Content-Type", "application/json; charset=utf-8"), *headers), api=True)


def conditional(request: Request, reply: Reply, etag: str) -> Reply:
    """`reply` with its ETag, or 304 when the request names that ETag (weak comparison, as GET asks for)."""
    wanted = request.headers.get("if-none-match")
    if wanted is not None:
        known = {part.strip().removeprefix("W/") for part in wanted.split(",")}
        if "*" in known or etag.removeprefix("W/") in known:
            return Reply(304, b"", (*(h for h in reply.headers if h[0] != "Content-Type"), ("ETag", etag)))
    return reply.with_headers(("ETag", etag))


def ranged(request: Request, reply: Reply) -> Reply:
    """`reply` cut to a single byte range when one is asked for: 206, or 416 when it lies outside."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if reply.status != 200 or match is None or match[1] == match[2] == "":
        return reply.with_headers(("Accept-Ranges", "bytes"))
    size = len(reply.body)
    if match[1] == "":
        start, end = max(0, size - int(match[2])), size - 1
    else:
        start, end = int(match[1]), min(int(match[2] or size - 1), size - 1)
    if start >= size or start > end:
        return Reply(416, b"", (("Content-Range", f"bytes */{size}"),))
    part = replace(reply, status=206, body=reply.body[start : end + 1], compress=False, chunked=False)
    return part.with_headers(("Content-Range", f"bytes {start}-{end}/{size}"), ("Accept-Ranges", "bytes"))


class Service(Protocol):
    """What a connection needs of a server."""

    latency: float
    connections: set[Connection]

    def serve(self, request: Request) -> Reply:
        """The answer to one request."""
        ...


class Connection(asyncio.Protocol):
    """One client connection: reads requests one after the other, answers each before the next."""

    def __init__(self, server: Service) -> None:
        self.server = server
        self.buffer = b""
        self.busy = False
        self.task: asyncio.Task[None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections.add(self)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, error: Exception | None) -> None:
        self.server.connections.discard(self)
        self.writable.set()
        if self.task is not None:
            self.task.cancel()

    def drop(self) -> None:
        """Ends the connection now."""
        if self.task is not None:
            self.task.cancel()
        self.transport.abort()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        self.next_request()

    def next_request(self) -> None:
        """Serves whatever complete requests the buffer holds."""
        while not self.busy and self.buffer:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            try:
                request = parse_head(self.buffer[:end])
                length = int(request.headers.get("content-length", "0"))
            except ValueError:
                self.transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                self.transport.close()
                return
            if len(self.buffer) < end + 4 + length:
                return
            request.body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            reply = self.server.serve(request)
            if self.server.latency or reply.delivery != "whole":
                self.busy = True
                self.task = asyncio.get_running_loop().create_task(self.deliver(request, reply))
            else:
                self.transport.write(encode(request, reply))
                if request.headers.get("connection", "").lower() == "close":
                    self.transport.close()

    async def deliver(self, request: Request, reply: Reply) -> None:
        """Answers late or wrongly, then goes on reading.

        reset      the connection is reset (RST) before a byte is sent
        close      it is closed (FIN) before a byte is sent
        stall      nothing is sent for `seconds`, then it is closed
        stall_body headers and half of the body, then silence for `seconds`, then it is closed
        trickle    the whole body, in sixteen pieces over `seconds`
        truncated  headers and half of the body, then it is closed
        endless    `length` bytes of body, as fast as the client takes them
        """
        await asyncio.sleep(self.server.latency)
        if reply.delivery == "reset":
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
            return
        if reply.delivery == "stall":
            await asyncio.sleep(reply.seconds)
        if reply.delivery in ("close", "stall"):
            self.transport.close()
            return
        if reply.delivery == "endless":
            await self.pour(request, reply)
            return
        wire = encode(request, reply)
        head = wire.index(b"\r\n\r\n") + 4
        if reply.delivery == "trickle":
            step = max(1, (len(wire) - head) // 16)
            self.transport.write(wire[:head])
            for start in range(head, len(wire), step):
                await asyncio.sleep(reply.seconds / 16)
                self.transport.write(wire[start : start + step])
        elif reply.delivery in ("stall_body", "truncated"):
            self.transport.write(wire[: head + (len(wire) - head) // 2])
            if reply.delivery == "stall_body":
                await asyncio.sleep(reply.seconds)
            self.transport.close()
            return
        else:
            self.transport.write(wire)
        self.busy = False
        if request.headers.get("connection", "").lower() == "close":
            self.transport.close()
        self.next_request()

    async def pour(self, request: Request, reply: Reply) -> None:
        """Sends `reply.length` bytes, holding no more than a few blocks at a time."""
        head = f"HTTP/1.1 {reply.status} OK\r\nContent-Length: {reply.length}\r\n"
        self.transport.write((head + "".join(f"{n}: {v}\r\n" for n, v in reply.headers) + "\r\n").encode())
        block, left = b"0" * 65536, 0 if request.method == "HEAD" else reply.length
        while left > 0 and not self.transport.is_closing():
            self.transport.write(block[:left])
            left -= len(block)
            await self.writable.wait()
            await asyncio.sleep(0)
        self.transport.close()


def parse_head(head: bytes) -> Request:
    """The request line and headers; raises ValueError when they are not HTTP."""
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(line)
        headers[name.lower()] = value.strip()
    path, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True) if query else []
    return Request(method, target, unquote(path) if "%" in path else path, pairs, headers)


_date: tuple[int, str] = (0, "")


def http_date() -> str:
    """The Date header, made once a second."""
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True))
    return _date[1]


def encode(request: Request, reply: Reply) -> bytes:
    """The answer as bytes on the wire, compressed when the client asked and the answer may be."""
    body = reply.body
    head = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}\r\nDate: {http_date()}\r\n"]
    head += [f"{name}: {value}\r\n" for name, value in reply.headers]
    chunked = reply.chunked
    if reply.compress and len(body) > 255 and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        # As servers that compress on the fly do: the bytes are not those the strong ETag stands for.
        head = [line.replace('ETag: "', 'ETag: W/"') if line.startswith("ETag") else line for line in head]
        head.append("Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n")
        chunked = True
    if reply.status in BODILESS:
        body, chunked = b"", False
    elif chunked and request.method != "HEAD":
        head.append("Transfer-Encoding: chunked\r\n")
        middle = len(body) // 2
        parts = [part for part in (body[:middle], body[middle:]) if part]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    elif not chunked:
        head.append(f"Content-Length: {len(body)}\r\n")
    if request.method == "HEAD":
        body = b""
    return "".join((*head, "\r\n")).encode("latin-1") + body
