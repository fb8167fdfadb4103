"""The file and the spool beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hubstats import spool
from hubstats.doctor.finding import Finding
from hubstats.errors import HubstatsError, StoreBusy
from hubstats.http.response import origin, shown
from hubstats.sources import discover
from hubstats.store import Store, migrations, read_input, record_classes

AHEAD = timedelta(minutes=10)
"""How far ahead of this machine's clock a saved time may lie: clocks differ."""


def examine(db: Path) -> Iterator[Finding]:
    """What is to be said of the file at `db`; it need not be there."""
    writing = spool.is_writing(db)
    if not db.exists():
        yield Finding("file", "there", "note", f"there is no file {db}", "make one with 'hubstats crawl'")
    else:
        try:
            with Store.open(db) as store:
                store.confine()
                yield from _contents(store, writing=writing)
        except StoreBusy as busy:
            yield Finding("file", "opens", "warning", str(busy), "ask again when that is done")
        except HubstatsError as error:
            if "older schema" in str(error):
                yield Finding("file", "opens", "warning", str(error), "'hubstats status --migrate'")
            else:
                yield Finding("file", "opens", "problem", str(error), _lost(db))
    yield from _spool(db, writing=writing)


def _unheard(line: str) -> None:
    """For a client that is asked for its address only."""


def _lost(db: Path) -> str:
    return (
        f"take it from a copy, or move {db.name} away and crawl again; keep {db.name}.spool, it holds what was fetched"
    )


def _contents(store: Store, *, writing: bool) -> Iterator[Finding]:
    yield _migrations(store)
    yield _blocks(store)
    yield from _orphans(store)
    yield from _cursors(store, writing=writing)
    yield from _figures(store, writing=writing)
    salts = store.frame("SELECT value FROM salt")["value"].to_list()
    if len(salts) != 1 or len(salts[0]) < 16:
        yield Finding(
            "file", "salt", "problem", f"{len(salts)} salts in place of one: hashes of names can be guessed",
            "publish nothing made from this file; crawl into a new one",
        )  # fmt: skip
    else:
        yield Finding("file", "salt", "ok", "names are hashed with a salt of this file alone")


def _migrations(store: Store) -> Finding:
    applied = dict(store.frame("SELECT name, sha256 FROM migration").iter_rows())
    changed = [name for name, sql in migrations() if applied.get(name) != hashlib.sha256(sql.encode()).hexdigest()]
    if changed:
        return Finding(
            "file", "schema", "problem", f"{', '.join(changed)} was another text when it was applied to this file",
            "it was written by a hubstats that was never released, or changed since: crawl into a new file",
        )  # fmt: skip
    return Finding("file", "schema", "ok", f"{len(applied)} migration(s), each with the text that this version has")


def _blocks(store: Store) -> Finding:
    """DuckDB keeps a checksum of every block and holds it against what it reads: so all is read once."""
    tables = store.frame("SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY 1")["table_name"].to_list()
    rows = 0
    for table in tables:
        try:
            seen = store.frame(f'SELECT count(*) AS rows, bit_xor(hash(one)) AS mixed FROM "{table}" AS one')
        except HubstatsError as error:
            return Finding("file", "contents", "problem", f"{table} cannot be read: {error}", _lost(store.path))
        rows += int(seen["rows"][0])
    missing = sorted(set(record_classes()) - set(tables))
    if missing:
        return Finding("file", "contents", "problem", f"no table {', '.join(missing)}", _lost(store.path))
    return Finding("file", "contents", "ok", f"{rows:,} rows of {len(tables)} tables, every block as its checksum says")


def _orphans(store: Store) -> Iterator[Finding]:
    found = store.frame(read_input("doctor_orphans"))
    orphans = [row for row in found.iter_rows() if row[2]]
    for rows_of, belong_to, number in orphans:
        advice = (
            "'hubstats estimate' judges anew" if "technique" in rows_of else "report it; 'hubstats crawl --refresh'"
        )
        yield Finding(
            "file", "foreign keys", "problem", f"{number:,} rows of {rows_of} without their {belong_to}", advice
        )
    if not orphans:
        yield Finding("file", "foreign keys", "ok", f"{found.height} relations, no row without its other half")


def _cursors(store: Store, *, writing: bool) -> Iterator[Finding]:
    from hubstats.http import hub_client

    now = datetime.now(UTC).replace(tzinfo=None)
    here = hub_client(_unheard).base_url
    found = store.frame(read_input("doctor_cursors"))
    for row in found.iter_rows(named=True):
        source = row["source"]
        said = f"{source}: {row['finished']} of {row['walks']} walks at their end"
        if source not in discover():
            yield Finding("file", "cursors", "warning", f"{said}; this version has no such source", "upgrade hubstats")
        elif row["newest"] > now + AHEAD:
            yield Finding(
                "file", "cursors", "warning", f"{said}; the newest is of {row['newest']:%Y-%m-%d %H:%M} UTC, to come",
                "set this machine's clock",
            )  # fmt: skip
        elif (
            source == "hub"
            and row["listing"]
            and origin(row["listing"]) != origin(here := hub_client(_unheard).base_url)
        ):
            there = shown(row["listing"])
            yield Finding(
                "file", "cursors", "warning", f"{said}, at {there}; HF_ENDPOINT is {shown(here)} now",
                "set HF_ENDPOINT back, or the listing starts over",
            )  # fmt: skip
        else:
            yield Finding("file", "cursors", "ok", said)
    running = store.frame("SELECT source FROM crawl WHERE state = 'running'")["source"].to_list()
    if running and not writing:
        yield Finding(
            "file", "crawls", "note", f"the last crawl of {', '.join(running)} was killed; what was committed is kept",
            "run the same crawl again to go on",
        )  # fmt: skip
    failed = store.frame(
        "SELECT source, message FROM crawl WHERE state IN ('failed', 'interrupted')"
        " QUALIFY row_number() OVER (PARTITION BY source ORDER BY crawl_id DESC) = 1"
        " AND crawl_id = (SELECT max(crawl_id) FROM crawl AS later WHERE later.source = crawl.source)"
    )
    for source, message in failed.iter_rows():
        yield Finding("file", "crawls", "warning", f"{source}: {message}", "run the same crawl again to go on")
    unread = store.frame(
        "SELECT source, count(*) AS files FROM (SELECT source FROM model_card WHERE status = 'failed' UNION ALL"
        " SELECT source FROM adapter_config WHERE status = 'failed' UNION ALL"
        " SELECT source FROM code_file WHERE status = 'failed') GROUP BY source ORDER BY source"
    )
    for source, files in unread.iter_rows():
        yield Finding("file", "failed files", "note", f"{source}: {files:,}", "the next crawl asks for them again")


def _figures(store: Store, *, writing: bool) -> Iterator[Finding]:
    from hubstats.detect import DETECTOR_VERSION

    old = store.frame("SELECT count(*) AS n FROM verdict WHERE detector_version <> $v", {"v": DETECTOR_VERSION})["n"][0]
    stale = store.frame(read_input("status_stale"))["source"].to_list()
    if old:
        yield Finding(
            "file", "verdicts", "warning", f"{old:,} were made by another detector than this one", "'hubstats estimate'"
        )
    if stale and not writing:
        yield Finding(
            "file", "figures", "warning", f"they are older than what was read from {', '.join(stale)}",
            "'hubstats estimate'",
        )  # fmt: skip
    if not old and (not stale or writing):
        yield Finding("file", "figures", "ok", "as new as what they were made from, by this version's detector")


def _spool(db: Path, *, writing: bool) -> Iterator[Finding]:
    folder = spool.spool_folder(db)
    waiting = spool.pending(folder)
    size = sum(waiting.values())
    unknown = sorted(set(waiting) - set(record_classes()) - {spool.CURSOR_TABLE})
    if unknown:
        yield Finding(
            "spool", "left-overs", "problem", f"{folder} holds rows for {', '.join(unknown)}, which this version lacks",
            "upgrade to the hubstats that wrote them and crawl again",
        )  # fmt: skip
    elif writing:
        yield Finding("spool", "left-overs", "ok", f"a crawl is running; {size:,} bytes are on their way")
    elif waiting:
        yield Finding(
            "spool", "left-overs", "note", f"{size:,} bytes of a crawl that was stopped wait in {folder}",
            "the next crawl takes them in; do not remove them",
        )  # fmt: skip
    else:
        yield Finding("spool", "left-overs", "ok", "nothing waits beside the file")
    parts = [path.name for path in db.parent.glob(f"{db.name}*.part")] if db.parent.is_dir() else []
    if parts:
        yield Finding("spool", "left-overs", "note", f"half-written {', '.join(parts)}", "can be removed")
