"""Where records come from: one module per source, found by listing this package.

A source turns an outside interface into pages of records and says where to go on. It does not retry, wait
for quota, write the store or print: `hubstats.http` and `hubstats.pipeline` do. A module here offers

    def open_source(options: SourceOptions, notify: Notify) -> Source

and does nothing at import. `discover()` lists the modules by name; nothing else lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, runtime_checkable

from hubstats.errors import ConfigError
from hubstats.records import Page, SourceOptions, Subject
from hubstats.sources._forecast import Ask, Forecast, Held

__all__ = ["Ask", "Forecast", "Held", "Notify", "SampledSource", "Source", "discover", "open_source", "require"]

Notify = Callable[[str], None]
"""Takes one line for the person waiting: 'hub: quota used up, next window in 212 s'."""


@runtime_checkable
class Source(Protocol):
    """One outside interface."""

    name: str
    """Registry name, equal to the module's name and to `source` in the records."""
    endpoint: str
    """Where it reads from, for provenance: a URL or a path."""
    live: bool
    """True when it asks a server now; False for files and embedded facts."""

    def unavailable(self) -> str | None:
        """One line saying why it cannot run here and what to do, or None when it can."""
        ...

    def pages(self, cursors: Mapping[str, str]) -> Iterator[Page]:
        """Pages from the saved cursors on (scope -> cursor); an empty mapping starts afresh.

        Raises SourceError when it has to stop; what was yielded before stands.
        """
        ...

    def counters(self) -> Mapping[str, int]:
        """Requests, bytes, and per quota bucket what is left: {'requests': 12, 'quota_left:api': 488}."""
        ...


@runtime_checkable
class SampledSource(Source, Protocol):
    """A source whose listing is the frame of a sample, and whose files are fetched for the sample only."""

    def files(self, subjects: Iterable[Subject]) -> Iterator[Page]:
        """Pages with the wanted files of each subject, in any order, one request per file."""
        ...


@runtime_checkable
class BulkSource(Source, Protocol):
    """A source whose pages hold frames, hub_model and model_card row by row for the same repositories."""

    def clean(self, text: str) -> str:
        """The text of a card as it is kept and judged, from that in a frame."""
        ...


def discover() -> tuple[str, ...]:
    """Names of all sources, sorted."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_")))


def require(name: str) -> None:
    """Raises ConfigError with the names there are when no source is called `name`."""
    if name not in discover():
        raise ConfigError(f"there is no source '{name}'; there are: {', '.join(discover())}")


def open_source(name: str, options: SourceOptions, notify: Notify) -> Source:
    """The source called `name`; raises ConfigError with the names there are."""
    require(name)
    module = import_module(f"{__name__}.{name}")
    source: Source = module.open_source(options, notify)
    return source
