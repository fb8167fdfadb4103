"""What happened to the tools and sites that the trend is read from: `events.toml`, checked when loaded.

    [[event]]
    id = "peft-0.16"
    on = 2025-07-03              # UTC
    kind = "release"             # tooling: what software writes; release: of PEFT; site: a site or a publication
    what = "PEFT 0.16"
    link = "https://..."         # where it can be looked up
    peft_version = "0.16"        # of a release its own, of tooling the one that brought it

A technique's share may step at a tooling event without a single person having changed what they do.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any, get_args

from hubstats.errors import ConfigError
from hubstats.records import Event, EventKind, Record
from hubstats.techniques import Registry

if TYPE_CHECKING:
    import polars as pl

INPUTS: tuple[str, ...] = ()
TABLES: tuple[type[Record], ...] = (Event,)

KINDS: tuple[str, ...] = get_args(EventKind)
NEEDED = ("id", "on", "kind", "what", "link")
METHOD = "written down by hand, each with its source; techniques by the version that the registry says brought them"


def load(text: str | None = None) -> tuple[Event, ...]:
    """The events of a TOML text, by date; of the package's own file when None. Raises ConfigError with the reason."""
    if text is None:
        text = (resources.files("hubstats.estimate") / "events.toml").read_text(encoding="utf-8")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"events.toml: {error}") from error
    entries = data.get("event")
    if set(data) != {"event"} or not isinstance(entries, list):
        raise ConfigError("events.toml holds [[event]] tables and nothing else")
    events = [_event(place, entry) for place, entry in enumerate(entries, 1)]
    seen: set[str] = set()
    for event in events:
        if event.event_id in seen:
            raise ConfigError(f"events.toml: {event.event_id} stands there twice")
        seen.add(event.event_id)
    return tuple(sorted(events, key=lambda event: (event.happened_on, event.event_id)))


def _event(place: int, entry: Any) -> Event:
    name = entry.get("id", f"number {place}") if isinstance(entry, Mapping) else f"number {place}"

    def wrong(why: str) -> ConfigError:
        return ConfigError(f"events.toml: event {name}: {why}")

    if not isinstance(entry, Mapping):
        raise wrong("is no table")
    unknown, missing = set(entry) - {*NEEDED, "peft_version"}, [key for key in NEEDED if key not in entry]
    if unknown or missing:
        raise wrong(f"does not know {', '.join(sorted(unknown))}" if unknown else f"lacks {', '.join(missing)}")
    if not isinstance(entry["on"], date) or isinstance(entry["on"], datetime):
        raise wrong("its date is no day, such as 2025-07-03")
    texts = [key for key in (*NEEDED, "peft_version") if key != "on" and key in entry]
    if any(not isinstance(entry[key], str) or not entry[key].strip() for key in texts):
        raise wrong(f"{', '.join(texts)} must be texts")
    if entry["kind"] not in KINDS:
        raise wrong(f"kind '{entry['kind']}' is none of {', '.join(KINDS)}")
    if not entry["link"].startswith("https://"):
        raise wrong("its link does not begin with https://")
    version = entry.get("peft_version")
    if (version is not None and not all(part.isdecimal() for part in version.split(".", 1))) or (
        entry["kind"] == "release" and version is None
    ):
        raise wrong("peft_version is the minor version, such as 0.16, and a release has one")
    return Event(
        event_id=f"event/{entry['id']}",
        happened_on=entry["on"],
        kind=entry["kind"],
        what=entry["what"],
        link=entry["link"],
        peft_version=version,
        techniques=(),
        method=METHOD,
    )


def releases() -> dict[str, date]:
    """Minor version of PEFT -> the day of its release."""
    return {event.peft_version: event.happened_on for event in load() if event.kind == "release" and event.peft_version}


def estimate(frames: Mapping[str, pl.DataFrame], registry: Registry) -> Iterator[Record]:
    """Every event, a release with the techniques that it brought."""
    from dataclasses import replace

    brought: dict[str, list[str]] = {}
    for technique in registry:
        if technique.library == "peft" and technique.since:
            brought.setdefault(technique.since, []).append(technique.key)
    for event in load():
        keys = brought.get(event.peft_version or "", []) if event.kind == "release" else []
        yield replace(event, techniques=tuple(keys))
