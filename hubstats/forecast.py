"""What `hubstats crawl` would ask of whom and how long that takes, without asking: `hubstats crawl --dry-run`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hubstats.pipeline import LIVE_SOURCES
from hubstats.records import SourceOptions
from hubstats.sources import Ask, Forecast, Held, Source, open_source, require
from hubstats.store import Store, read_input


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request of one source, or why there is none."""

    source: str
    asks: str
    """Address of the service, or what is read in its place."""
    what: str
    least: int = 0
    most: int | None = 0
    quota: str = ""
    seconds_least: float = 0.0
    seconds_most: float | None = 0.0
    note: str = ""


def forecast(db: Path, names: Sequence[str], options: SourceOptions) -> Iterator[Row]:
    """The rows for the named sources, or for all that a crawl without a name asks, in its order.

    Nothing is asked and nothing is written; `db` is read for what it holds, if it is there. Raises ConfigError for an
    unknown source, StoreError for a file that cannot be read.
    """
    chosen = list(dict.fromkeys(names)) or ["snapshot", *LIVE_SOURCES]
    for name in chosen:
        require(name)
    for name in chosen:
        source = open_source(name, options, lambda line: None)
        reason = source.unavailable()
        if reason is not None:
            yield Row(name, source.endpoint, "nothing: it would be skipped", note=reason)
        elif isinstance(source, Forecast):
            yield from (_row(source, ask) for ask in source.forecast(_held(db, name, options)))
        else:
            yield Row(name, source.endpoint, "nothing: it is read from this machine")


def _row(source: Source, ask: Ask) -> Row:
    return Row(
        source=source.name,
        asks=source.endpoint,
        what=ask.what,
        least=ask.least,
        most=ask.most,
        quota=str(ask.window) if ask.window else "none announced",
        seconds_least=ask.seconds(ask.least),
        seconds_most=None if ask.most is None else ask.seconds(ask.most),
        note=ask.note,
    )


def _held(db: Path, source: str, options: SourceOptions) -> Held:
    if not db.exists():
        return Held()
    with Store.open(db) as store:
        of = {"source": source}
        key = {**of, "seed": options.seed}
        listed = store.frame("SELECT count(*) AS n FROM hub_model WHERE source = $source", of)["n"][0]
        sampled = "SELECT count(*) AS n FROM sample_frame WHERE source = $source AND seed = $seed"
        drawn = store.frame(sampled, key)["n"][0]
        wanted = store.frame(read_input("wanted_files"), key)
        files = int(wanted["wants_card"].sum()) + int(wanted["wants_config"].sum())
        done = store.frame("SELECT scope FROM crawl_cursor WHERE source = $source AND done", of)["scope"]
        return Held(int(listed), int(drawn), files, store.cursors(source), frozenset(done.to_list()))


def clock(seconds: float) -> str:
    """A length of time as a person says it: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def span(least: float, most: float | None) -> str:
    """`least` to `most`, once where they read the same."""
    low = clock(least)
    if most is None:
        return f"{low} or more"
    return low if low == clock(most) else f"{low} to {clock(most)}"


def total(rows: Sequence[Row]) -> str:
    """All sources, one after the other, in words."""
    unknown = any(row.seconds_most is None for row in rows)
    least = sum(row.seconds_least for row in rows)
    most = None if unknown else sum(row.seconds_most or 0.0 for row in rows)
    requests = sum(row.least for row in rows)
    return f"{requests:,} requests or more, {span(least, most)} at the quotas that the services publish"
