"""A folder of model cards (`.md` files) on this machine, as `hubstats import --kind cards` reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from hubstats.records import ModelCard, Page, SourceOptions
from hubstats.sources import Notify
from hubstats.sources._folder import missing, read_folder
from hubstats.sources._repository_files import BYTE_CAPS, CARD, decode


class Cards:
    """Implements Source."""

    name = "cards"
    live = False

    def __init__(self, path: str | None) -> None:
        self._path = path
        self.endpoint = path or "a folder"

    def unavailable(self) -> str | None:
        """Why the folder cannot be read, or None."""
        return missing(self._path, self.name, ".md")

    def pages(self, cursors: Mapping[str, str]) -> Iterator[Page]:
        """All cards of the folder; there is no cursor, since reading them again changes nothing."""
        if self._path is not None:
            yield from read_folder(self.name, self._path, ".md", BYTE_CAPS[CARD], parse)

    def counters(self) -> Mapping[str, int]:
        """Nothing is requested."""
        return {}


def parse(subject: str, content: bytes, cut: bool, now: datetime) -> ModelCard:
    """One card: ok, or too_large with its beginning. Bytes that are not UTF-8 are replaced, and `detail` says so."""
    text, replaced = decode(content, cut=cut)
    detail = f"over {len(content):,} bytes; the beginning is kept" if cut else None
    if replaced:
        detail = f"not UTF-8: {replaced:,} bytes replaced"
    return ModelCard("cards", subject, "too_large" if cut else "ok", text, len(content), None, detail, now)


def open_source(options: SourceOptions, notify: Notify) -> Cards:
    """Cards in the folder `options.path`."""
    return Cards(options.path)
