"""What a server answered, and how to show parts of it: tokens, queries and control characters left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from hubstats.errors import AccessDenied, BadPage

_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_REL_NEXT = re.compile(r"""\brel\s*=\s*["']?[^"',;]*\bnext\b""", re.IGNORECASE)
SECRET = re.compile(r"(?i)(bearer\s+|[?&]?\b(?:access_)?token=)[^\s&\"']+|\b(?:hf|gh[a-z]|github_pat)_[A-Za-z0-9_]{8,}")
"""What looks like a token of the Hub or of GitHub, wherever it stands."""


class Headers(Mapping[str, str]):
    """Response headers, found whatever the case of the name."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in pairs.items()}

    def without(self, secret: str) -> Headers:
        """The same with a secret left out wherever a value repeats it."""
        return Headers({name: value.replace(secret, "***") for name, value in self._values.items()})

    @classmethod
    def joined(cls, raw: Iterable[tuple[bytes, bytes]]) -> Headers:
        """From bytes as received; a header that comes several times becomes one, with commas between."""
        values: dict[str, str] = {}
        for name_bytes, value_bytes in raw:
            name, value = name_bytes.decode("latin-1").lower(), value_bytes.decode("latin-1")
            values[name] = f"{values[name]}, {value}" if name in values else value
        return cls(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Response:
    """The final answer to one request: 2xx, 304 or a 4xx that asking again would not change."""

    status: int
    url: str
    """The URL that answered, after redirects."""
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False
    """The body went on past `max_bytes` and was left there."""
    secret: str | None = field(default=None, repr=False)
    """Never shown: what `reason` has to leave out."""
    parsed: tuple[Any] | None = field(default=None, repr=False, compare=False)
    """The JSON value, once it has been read."""
    redacted: bool = field(default=False, repr=False, compare=False)
    """The body repeated the token, which was taken out."""

    def text(self) -> str:
        """The body as UTF-8, with U+FFFD in place of bytes that are not."""
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON. Raises BadPage when it is not, or was cut at `max_bytes`."""
        if self.parsed is not None:
            return self.parsed[0]
        where = shown(self.url)
        if self.truncated:
            raise BadPage(f"{where} sent more than {len(self.body):,} bytes", url=where, status=self.status)
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            kind = self.headers.get("content-type", "no content type")
            raise BadPage(
                f"{where} did not send JSON ({kind[:60]}: {one_line(str(error))}); run it again",
                url=where,
                status=self.status,
            ) from None

    def next_url(self) -> str | None:
        """The `rel="next"` URL of the Link header. Raises BadPage when it leads to another host."""
        for target, attributes in _LINK.findall(self.headers.get("link", "")):
            if not _REL_NEXT.search(attributes):
                continue
            url = joined(self.url, target)
            if url is None or origin(url) != origin(self.url):
                raise BadPage(f"{shown(self.url)} names a next page on another host, {shown(target)}; stopped there")
            return url
        return None

    def reason(self) -> str:
        """What the server gives as reason, on one line of at most 200 characters; empty when it gives none."""
        said: Any = self.headers.get("x-error-message", "")
        if not said and "html" not in self.headers.get("content-type", ""):
            said = self.text()
            try:
                body = json.loads(self.body)
            except (ValueError, RecursionError):
                body = None
            if isinstance(body, dict):
                said = body.get("error") or body.get("message") or body.get("errors") or ""
        return one_line(said if isinstance(said, str) else json.dumps(said), self.secret)

    def require_ok(self, env: str = "the token") -> Response:
        """This response when it is a 2xx. Raises AccessDenied for 401 and 403, BadPage for anything else."""
        if 200 <= self.status < 300:
            return self
        where = shown(self.url)
        why = f": {self.reason()}" if self.reason() else ""
        if self.status in (401, 403):
            raise AccessDenied(f"{where} answered {self.status}{why}; check {env}", url=where, status=self.status)
        raise BadPage(f"{where} answered {self.status}{why}", url=where, status=self.status)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for, given as a number or as a date; None when absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    date = http_date(value)
    if date is None:
        return None
    now = http_date(headers.get("date")) or datetime.now(UTC)
    return max(0.0, (date - now).total_seconds())


def http_date(value: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(value or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def one_line(text: str, secret: str | None = None) -> str:
    """Text from outside, fit for one line of a terminal: no control characters, no token, 200 characters."""
    if secret:
        text = text.replace(secret, "***")
    text = SECRET.sub(r"\1***", text[:4000])
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= 200 else line[:199] + "…"


def shown(url: str) -> str:
    """A URL as errors show it: no user, no query, no fragment, since those can hold a token."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(not a URL)"
    return one_line(f"{parts.scheme}://{host}{parts.path}" if host else parts.path)


def joined(base: str, target: str) -> str | None:
    """The http(s) URL that `target` means on the page `base`; None when it means none."""
    try:
        url: str = urljoin(base, target)
        return url if urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname else None
    except ValueError:
        return None


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; a URL that has none is its own origin and equal to no server's."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return ("", url, 0)
    return (parts.scheme, (parts.hostname or "").lower(), port)
