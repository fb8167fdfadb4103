"""A folder of adapter configs (`.json` files) on this machine, as `hubstats import --kind configs` reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from hubstats.records import AdapterConfig, Page, SourceOptions
from hubstats.sources import Notify
from hubstats.sources._folder import missing, read_folder
from hubstats.sources._repository_files import BYTE_CAPS, CONFIG, decode, read_config


class Configs:
    """Implements Source."""

    name = "configs"
    live = False

    def __init__(self, path: str | None) -> None:
        self._path = path
        self.endpoint = path or "a folder"

    def unavailable(self) -> str | None:
        """Why the folder cannot be read, or None."""
        return missing(self._path, self.name, ".json")

    def pages(self, cursors: Mapping[str, str]) -> Iterator[Page]:
        """All configs of the folder; there is no cursor, since reading them again changes nothing."""
        if self._path is not None:
            yield from read_folder(self.name, self._path, ".json", BYTE_CAPS[CONFIG], parse)

    def counters(self) -> Mapping[str, int]:
        """Nothing is requested."""
        return {}


def parse(subject: str, content: bytes, cut: bool, now: datetime) -> AdapterConfig:
    """One config: ok with its peft_type, malformed with the reason, or too_large. The text is kept in any case."""
    text, _ = decode(content, cut=cut)
    if cut:
        detail = f"over {len(content):,} bytes; the beginning is kept"
        return AdapterConfig("configs", subject, "too_large", None, text, len(content), None, detail, now)
    status, peft_type, reason = read_config(text)
    return AdapterConfig("configs", subject, status, peft_type, text, len(content), None, reason, now)


def open_source(options: SourceOptions, notify: Notify) -> Configs:
    """Configs in the folder `options.path`."""
    return Configs(options.path)
