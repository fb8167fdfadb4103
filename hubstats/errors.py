"""Every error hubstats raises on purpose. Its text is safe to show and says what to do next.

    HubstatsError
    ├── ConfigError            what the user asked for cannot be done as asked
    │   ├── TechniqueError     a technique file is broken or two of them collide
    │   └── QueryError         no such query, or a parameter is missing, surplus or of the wrong type
    ├── SourceError            a source could not be read
    │   ├── Unreachable        no answer after every retry
    │   │   └── TimedOut       the host is there, but too slow for what was asked
    │   ├── Stopped            the client was closed in the middle (Ctrl-C)
    │   ├── RateLimited        the quota did not come back within the longest wait allowed
    │   ├── AccessDenied       the token is missing, wrong, or lacks a right
    │   └── BadPage            an answer that is not what the interface documents
    ├── StoreError             the DuckDB file cannot be opened, migrated or written
    │   └── StoreBusy          another process holds the file
    ├── EngineError            a cluster is not there, or cannot do the work
    ├── BenchError             a bench plan, experiment or run cannot be used
    └── BundleError            a bundle cannot be made, or is not one that is whole and of this version

The command line prints the text on one line and exits with 1 (2 for ConfigError).
"""

from __future__ import annotations


class HubstatsError(Exception):
    """Base of all expected failures; `str(error)` is one line for the user."""


class ConfigError(HubstatsError):
    """The request itself is wrong; nothing was done."""


class TechniqueError(ConfigError):
    """A technique file is broken, or two of them claim the same name."""


class QueryError(ConfigError):
    """A named query does not exist, or its parameters do not fit."""


class SourceError(HubstatsError):
    """A source could not be read; what was read before is kept and the next call resumes."""

    def __init__(self, message: str, *, url: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.url = url
        self.status = status


class Unreachable(SourceError):
    """The host did not answer, or answered with server errors, through every retry."""


class TimedOut(Unreachable):
    """The host is there, but the answer did not come in time through every try: a smaller question may help."""


class Stopped(SourceError):
    """The client was closed while a request waited or was being read; nothing is known about its subject."""


class RateLimited(SourceError):
    """The quota is used up for longer than we are willing to wait in one go."""

    def __init__(self, message: str, *, wait_seconds: float | None = None, url: str | None = None) -> None:
        super().__init__(message, url=url, status=429)
        self.wait_seconds = wait_seconds


class AccessDenied(SourceError):
    """The token is missing or wrong, or may not see this."""


class BadPage(SourceError):
    """The answer is not what the interface documents (HTML, truncated JSON, another shape)."""


class StoreError(HubstatsError):
    """The DuckDB file cannot be opened, migrated or written."""


class StoreBusy(StoreError):
    """Another process holds the DuckDB file; DuckDB lets either one writer or many readers in."""


class EngineError(HubstatsError):
    """The engine that was asked for is not installed, does not answer, or has no room for the work."""


class BenchError(HubstatsError):
    """A bench plan, experiment or run cannot be used."""


class BundleError(HubstatsError):
    """A bundle of figures cannot be made, or is not one that is whole and of this version."""
