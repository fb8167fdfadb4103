"""The stages, each a function that reads the store, calls pure code and writes the store.

    crawl     sources -> records -> spool -> store        (import is a crawl of local files)
    detect    cards, configs, site types -> detections and verdicts
    estimate  verdicts and imports -> shares with intervals

Every stage can be run again alone: raw text is kept, and every write has a key.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

from filelock import FileLock, Timeout

from hubstats import __version__, sampling
from hubstats.engines import Engine, open_engine
from hubstats.errors import ConfigError, EngineError, SourceError, StoreBusy, StoreError
from hubstats.records import Basis, Document, NotEstimated, Page, Record, SourceOptions, Subject
from hubstats.sources import BulkSource, SampledSource, Source, open_source, require
from hubstats.sources.hub import DEFAULT_SAMPLE
from hubstats.spool import Spool, clear, discard, spool_folder
from hubstats.store import Store, read_input, wait_for

LIVE_SOURCES = ("hub", "github", "civitai")
"""What a crawl without a source asks for, besides the embedded snapshot."""

COMMIT_SECONDS = 0.5
DRAIN_SECONDS = 5.0
DRAIN_FRAMES_SECONDS = 30.0
"""Rows that come by the thousand move in less often: large transactions leave a smaller file."""
DETECT_BATCH = 5_000
DETECT_CHARACTERS = 32_000_000
"""Bounds of what detection holds in memory at once."""

State = Literal["done", "interrupted", "failed", "skipped"]


class Progress(Protocol):
    """What long work tells the person waiting."""

    def start(self, task: str, total: int | None) -> None:
        """A task begins; `total` items when known."""
        ...

    def advance(self, task: str, items: int, total: int | None = None) -> None:
        """Some more items are done."""
        ...

    def finish(self, task: str) -> None:
        """The task has ended, well or not."""
        ...

    def say(self, line: str) -> None:
        """One line worth reading: a wait, a fallback, a failure."""
        ...


class Silent:
    """A Progress that says nothing."""

    def start(self, task: str, total: int | None) -> None: ...

    def advance(self, task: str, items: int, total: int | None = None) -> None: ...

    def finish(self, task: str) -> None: ...

    def say(self, line: str) -> None: ...


@dataclass
class Report:
    """How the crawl of one source went."""

    source: str
    state: State
    message: str | None = None
    records: Counter[str] = field(default_factory=Counter)
    counters: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Writer:
    """The one process that may change a file, as a context manager.

    Entering takes the lock, creates or migrates the file and absorbs what an earlier, killed process left in the
    spool. Raises StoreBusy naming the process when another one is writing.
    """

    def __init__(self, db: Path, progress: Progress) -> None:
        self.db = db
        self.progress = progress
        self.spool = Spool(spool_folder(db))
        self._lock = FileLock(self.spool.folder / "lock")
        self._committed = self._drained = time.monotonic()

    def __enter__(self) -> Writer:
        if not self.db.parent.is_dir():
            raise StoreError(f"there is no folder {self.db.parent} to put {self.db.name} into; make it first")
        if self.db.is_dir():
            raise StoreError(f"{self.db} is a folder; give the path of a DuckDB file with --db")
        owner = self.spool.folder / "owner"
        try:
            self.spool.folder.mkdir(exist_ok=True)
            self._lock.acquire(timeout=0)
            owner.write_text(str(os.getpid()))
        except Timeout:
            who = owner.read_text() if owner.exists() else "unknown"
            raise StoreBusy(
                f"another hubstats (process {who}) is writing {self.db}; wait for it or end it; "
                "queries and reports work meanwhile"
            ) from None
        except OSError as error:
            raise StoreError(
                f"cannot write beside {self.db}: {error.strerror}; choose another place with --db"
            ) from error
        try:
            clear(self.spool.folder)
            with Store.open(self.db, write=True, patience=60.0) as store:
                for segment in self.spool.segments():
                    store.absorb(segment)
                    discard(segment)
                with store.transaction():
                    store.replace("technique", list(_technique_rows()))
                    store.replace("technique_capability", list(_capability_rows()))
                # Whoever holds the lock is the only writer: a crawl still marked as running was killed.
                store.execute(
                    "UPDATE crawl SET state = 'interrupted', message = $why WHERE state = 'running'",
                    {"why": "the process ended without saying so; what it had committed is kept"},
                )
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush(patience=60.0)
        finally:
            self._lock.release()

    def append(self, source: str, page: Page) -> None:
        """Takes a page; it is on disk within half a second, in the file within a few."""
        self.spool.append(source, page)
        now = time.monotonic()
        if now - self._committed >= COMMIT_SECONDS:
            self.spool.commit()
            self._committed = now
        if self.spool.full or now - self._drained >= (DRAIN_FRAMES_SECONDS if page.tables else DRAIN_SECONDS):
            self.flush(patience=0.5)

    def flush(self, patience: float = 30.0) -> bool:
        """Moves everything spooled into the file; False when readers held it for longer than `patience` seconds."""
        self.spool.seal()
        segments = self.spool.segments()
        if segments:
            store = wait_for(self.db, patience=patience, notify=lambda line: None)
            if store is not None:
                with store:
                    for segment in segments:
                        store.absorb(segment)
                        discard(segment)
            elif patience > 1:
                self.progress.say(
                    f"another program keeps {self.db} open; what was fetched waits safely in {self.spool.folder} "
                    "and moves in at the next crawl"
                )
        self._committed = self._drained = time.monotonic()
        return not self.spool.segments()

    def settle(self) -> None:
        """As `flush`, for work that reads back what it wrote; raises StoreBusy when that must wait."""
        if not self.flush(patience=60.0):
            raise StoreBusy(f"another program keeps {self.db} open; close it there and run the same command again")

    def store(self) -> Store:
        """The file opened for a short transaction of our own."""
        return Store.open(self.db, write=True, patience=60.0)

    def write(self, source: str, records: Sequence[Record]) -> None:
        """Records that are no page of a source: verdicts, a sample."""
        self.append(source, Page(tuple(records)))


# --- crawl --------------------------------------------------------------------------------------------------------


def crawl(
    db: Path,
    names: Sequence[str],
    options: SourceOptions,
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> list[Report]:
    """Crawls the named sources, or all that can be reached, into `db`; one Report a source.

    What is heavy and can be shared out, reading code and judging documents, runs on `engine`, else in this process.

    Ctrl-C ends the source cleanly (state interrupted) and the ones after it are left out. A source that cannot
    run, or that no crawl asked for by name and that does not answer, is skipped with the reason. Detection and
    estimates follow. Raises StoreError or StoreBusy when the file cannot be written, ConfigError for an unknown name.
    """
    progress = progress or Silent()
    chosen = list(dict.fromkeys(names)) or ["snapshot", *LIVE_SOURCES]
    for name in chosen:
        require(name)  # an unknown name is said before anything is written
    reports: list[Report] = []
    with engine or open_engine("local", workers=1) as workers, Writer(db, progress) as writer:
        for name in chosen:
            extra = _extra(writer, name, options) | {"engine": workers}
            source = open_source(name, replace(options, extra=extra), progress.say)
            reason = source.unavailable()
            if reason is not None:
                reports.append(Report(source.name, "skipped", reason))
                continue
            if isinstance(source, SampledSource):
                with writer.store() as store:  # another design is refused before hours of listing, not after
                    sample_design(store, source.name, options)
            report = _crawl_source(writer, source, options, workers)
            if not names and report.state == "failed" and not report.records and report.message:
                report.state = "skipped"
            reports.append(report)
            if report.state == "interrupted":
                return reports
        detect(writer, workers)
        estimate(writer)
    return reports


def _extra(writer: Writer, source: str, options: SourceOptions) -> dict[str, Any]:
    """What the store knows that a source need not fetch, and how its rows will be read."""
    from hubstats.detect import DETECTOR_VERSION

    # A dump whose cards' text is not kept is read again for another detector, and to keep it.
    reader = f" {DETECTOR_VERSION}{' text' if options.keep_text else ''}"
    return {"known_files": _known_files(writer, source), "reader": reader}


def _judged(
    writer: Writer, source: BulkSource, pages: Iterator[Page], engine: Engine, *, keep_text: bool
) -> Iterator[Page]:
    """The pages of a bulk file with verdicts and evidence."""
    from hubstats.detect.bulk import Bulk
    from hubstats.detect.stream import Stream
    from hubstats.techniques import load

    first = next(pages, None)
    if first is None:
        return
    bulk = Bulk(load(), source.name)
    with writer.store() as store:
        known = store.frame(read_input("weight_files"), {"source": source.name})
    known = known.filter(known["weight_files"].list.eval(bulk.weights).list.any())
    stream = Stream(bulk, source.name, source.clean, keep_text=keep_text, weight_files=known)
    yield from stream.pages(chain([first], pages), engine)


def _known_files(writer: Writer, source: str) -> dict[tuple[str, str], str]:
    """Code files whose content is in the store, (repository, path) -> blob hash: these are not fetched again."""
    with writer.store() as store:
        known = store.frame(
            "SELECT repo, path, blob_sha FROM code_file WHERE source = $source AND text IS NOT NULL", {"source": source}
        )
    return {(repo, path): sha for repo, path, sha in known.iter_rows()}


def _crawl_source(writer: Writer, source: Source, options: SourceOptions, engine: Engine) -> Report:
    report = Report(source.name, "done")
    started = time.monotonic()
    with writer.store() as store:
        # A bulk source passes over nothing with --refresh, but warns of a file that is not what it was.
        anew = options.refresh and not isinstance(source, BulkSource)
        cursors = {} if anew else store.cursors(source.name)
        crawl_id = _begin(store, source, options)
    try:
        pages = source.pages(cursors)
        if isinstance(source, BulkSource):
            pages = _judged(writer, source, pages, engine, keep_text=options.keep_text)
        _take(writer, source.name, pages, report, source.name)
        if isinstance(source, SampledSource):
            writer.settle()
            subjects = draw_sample(writer, source.name, options)
            task = f"{source.name} files"
            total = sum(len(subject.files) for subject in subjects)
            _take(writer, source.name, source.files(subjects), report, task, total=total)
        writer.settle()
        with writer.store() as store:
            store.forget_superseded(source.name)
    except KeyboardInterrupt:
        report.state, report.message = "interrupted", "interrupted; run the same command again to go on"
    except (SourceError, EngineError) as error:
        report.state, report.message = "failed", str(error)
    finally:
        report.seconds = time.monotonic() - started
        report.counters = dict(source.counters())
        writer.flush()
        with writer.store() as store:
            _end(store, crawl_id, report)
    return report


def _take(
    writer: Writer, source: str, pages: Iterator[Page], report: Report, task: str, total: int | None = None
) -> None:
    writer.progress.start(task, total)
    try:
        for page in pages:
            writer.append(source, page)
            for record in page.records:
                report.records[record.TABLE] += 1
            for table, rows in page.tables.items():
                report.records[table] += len(rows)
            writer.progress.advance(task, len(page.records) if page.items is None else page.items, page.expected)
    finally:
        close = getattr(pages, "close", None)
        if close is not None:
            close()
        writer.progress.finish(task)


def _begin(store: Store, source: Source, options: SourceOptions) -> int:
    crawl_id = int(store.frame("SELECT coalesce(max(crawl_id), 0) + 1 AS id FROM crawl")["id"][0])
    asked = {
        "sample": options.sample,
        "seed": options.seed,
        "design": options.design,
        "path": options.path,
        "revision": options.revision,
        "filters": list(options.filters),
        "refresh": options.refresh,
    }
    kind = "live" if source.live else ("snapshot" if source.name == "snapshot" else "import")
    store.execute(
        "INSERT INTO crawl (crawl_id, source, kind, endpoint, state, started_at, options, hubstats_version)"
        " VALUES ($id, $source, $kind, $endpoint, 'running', $now, $options, $version)",
        {
            "id": crawl_id,
            "source": source.name,
            "kind": kind,
            "endpoint": source.endpoint,
            "now": _now(),
            "options": json.dumps({key: value for key, value in asked.items() if value not in (None, [], False)}),
            "version": __version__,
        },
    )
    return crawl_id


def _end(store: Store, crawl_id: int, report: Report) -> None:
    store.execute(
        "UPDATE crawl SET state = $state, finished_at = $now, counters = $counters, message = $message"
        " WHERE crawl_id = $id",
        {
            "id": crawl_id,
            "state": report.state,
            "now": _now(),
            "counters": json.dumps({**report.counters, "records": dict(report.records)}),
            "message": report.message,
        },
    )


def sample_design(store: Store, source: str, options: SourceOptions) -> sampling.Design:
    """The design that the sample of this source and seed has, or is to have.

    Raises ConfigError when the file holds it by another one than asked for: half a sample of each is neither.
    """
    held = store.frame(
        "SELECT DISTINCT design FROM sample_stratum WHERE source = $source AND seed = $seed",
        {"source": source, "seed": options.seed},
    )["design"].to_list()
    if options.design is not None and held not in ([], [options.design]):
        raise ConfigError(
            f"{store.path} holds a {held[0]} sample of {source} with seed {options.seed}: go on with --design {held[0]}"
            f", or draw a {options.design} one beside it with another --seed"
        )
    return options.design or (held[0] if held else "stratified")


def draw_sample(writer: Writer, source: str, options: SourceOptions) -> list[Subject]:
    """Draws, or extends, the sample of a source's frame; returns the files still to be fetched.

    Raises ConfigError when the sample asked for is not positive, or of another design than the one in the file.
    """
    wanted = DEFAULT_SAMPLE if options.sample is None else options.sample
    if wanted < 1:
        raise ConfigError(f"--sample {wanted} is not a number of repositories; give 1 or more")
    key = {"source": source, "seed": options.seed}
    with writer.store() as store:
        design = sample_design(store, source, options)
        store.execute(f"CREATE TEMP TABLE frame AS {read_input('frame')}", {**key, "design": design})
        strata = store.frame(read_input("frame_strata"), key)
        drawn = sampling.allocate(
            dict(zip(strata["stratum"], strata["frame_size"], strict=True)),
            wanted,
            {
                name: sampling.grown(reached, before)
                for name, reached, before in strata.select("stratum", "reached", "drawn").iter_rows()
            },
        )
        with store.transaction():
            for table in ("sample_stratum", "sample_frame", "sample_author"):
                store.execute(f"DELETE FROM {table} WHERE source = $source AND seed = $seed", key)
            for name, size in strata.select("stratum", "frame_size").iter_rows():
                store.execute(
                    "INSERT INTO sample_stratum VALUES ($source, $seed, $stratum, $size, $drawn, $now, $design)",
                    {**key, "stratum": name, "size": size, "drawn": drawn[name], "now": _now(), "design": design},
                )
            store.execute(f"INSERT INTO sample_frame BY NAME {read_input('drawn')}", key)
            store.execute(f"INSERT INTO sample_author BY NAME {read_input('drawn_authors')}", key)
        rows = store.frame(read_input("wanted_files"), key)
    return [
        Subject(
            model_id=row["model_id"],
            has_card=row["has_card"],
            has_adapter_config=row["has_adapter_config"],
            last_modified=row["last_modified"].replace(tzinfo=UTC) if row["last_modified"] else None,
            files=tuple(
                name
                for name, is_wanted in (("README.md", row["wants_card"]), ("adapter_config.json", row["wants_config"]))
                if is_wanted
            ),
        )
        for row in rows.iter_rows(named=True)
    ]


# --- detect -------------------------------------------------------------------------------------------------------


def detect(writer: Writer, engine: Engine | None = None) -> int:
    """Judges every subject that has no verdict of this detector version; returns how many were judged."""
    from hubstats import detect as detector
    from hubstats.detect.batch import batches, detect_batch, lost

    engine = engine or open_engine("local", workers=1)
    writer.settle()
    judged = 0
    wanted = {"version": detector.DETECTOR_VERSION, "batch": DETECT_BATCH, "characters": DETECT_CHARACTERS}
    writer.progress.start("detect", None)
    try:
        while True:
            with writer.store() as store:
                batch = store.thrifty(lambda: store.frame(read_input("documents"), wanted))
            if batch.is_empty():
                return judged
            documents = map(_document, batch.iter_rows(named=True))
            for made in engine.map(detect_batch, batches(documents, detector.DETECTOR_VERSION), lost=lost):
                for detections, verdict in made:
                    writer.spool.append(verdict.source, Page((verdict, *detections)))
                judged += len(made)
                writer.progress.advance("detect", len(made))
            writer.settle()
    finally:
        writer.progress.finish("detect")


def _document(row: Mapping[str, Any]) -> Document:
    return Document(
        source=row["source"],
        subject_id=row["subject_id"],
        card=row["card"],
        config=row["config"],
        tags=tuple(row["tags"] or ()),
        library_name=row["library_name"],
        base_model=row["base_model"],
        weight_files=tuple(row["weight_files"] or ()),
        site_type=row["site_type"],
    )


def _technique_rows() -> Iterable[Record]:
    from hubstats.records import TechniqueRow
    from hubstats.techniques import load

    for technique in load():
        yield TechniqueRow(
            key=technique.key,
            name=technique.name,
            family=technique.family,
            kind=technique.kind,
            parent=technique.parent,
            library=technique.library,
            peft_type=technique.peft_type,
            config_class=technique.config_class,
            since=technique.since,
            paper=technique.paper,
            paper_year=technique.paper_year,
            note=technique.note,
        )


def _capability_rows() -> Iterable[Record]:
    from hubstats.records import TechniqueCapability
    from hubstats.techniques.capabilities import load

    asked = load()
    for technique, capability, answer in asked:
        yield TechniqueCapability(
            technique=technique,
            capability=capability,
            able=answer.able,
            label=answer.label,
            detail=answer.detail,
            library="peft",
            library_version=asked.version,
            asked_on=asked.probed_on,
            device=asked.device,
        )


# --- estimate -----------------------------------------------------------------------------------------------------


def estimate(writer: Writer) -> int:
    """Makes every figure anew from what the file holds; returns how many."""
    from hubstats import estimate as estimator
    from hubstats.detect import DETECTOR_VERSION
    from hubstats.estimate import basis
    from hubstats.techniques import load

    writer.settle()
    queries = {name: read_input(name) for name in (*estimator.INPUTS, "provenance")}
    with writer.store() as store:
        store.derive()
        frames = {name: store.thrifty(lambda sql=sql: store.frame(sql)) for name, sql in queries.items()}  # type: ignore[misc]
        bases = list(basis.describe(frames, queries, frames.pop("provenance"), DETECTOR_VERSION))
        rows = estimator.canonical(frames)
        del frames  # as large as the rows
        made = estimator.figures(rows, load())
        with store.transaction():
            for table, records in made.items():
                store.replace(table.TABLE, records)
            store.replace(Basis.TABLE, bases)
            store.execute(
                "INSERT OR REPLACE INTO stage_run VALUES ('estimate', $now, $version)",
                {"now": _now(), "version": __version__},
            )
    return sum(len(records) for table, records in made.items() if table is not NotEstimated)


def rerun(db: Path, progress: Progress | None = None, engine: Engine | None = None) -> tuple[int, int]:
    """Detection and estimates again, without asking any source; (subjects judged, estimates made)."""
    with engine or open_engine("local", workers=1) as workers, Writer(db, progress or Silent()) as writer:
        return detect(writer, workers), estimate(writer)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
