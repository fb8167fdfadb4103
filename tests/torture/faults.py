"""Servers that fail: a crawl ends, what was served is in the file as without faults, the rest has a state and a reason.

Each case crawls a stand-in that is well, then the same stand-in under a seeded fault plan, and compares all tables.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from tests.servers.civitai import CivitaiServer
from tests.servers.faults import ALL, PAGES_ONLY, RECOVERABLE, FaultPlan
from tests.servers.faults import FILES as FILE_KINDS
from tests.servers.http_server import LoopbackServer
from tests.servers.hub import HubServer
from tests.servers.repositories import read
from tests.servers.wire import Reply, Request, json_reply

from .ledger import compare
from .outcome import Outcome, Scale
from .stage import Ran, Stage, stage

SOURCES = ("hub", "github", "civitai")
RATE = 0.3
STALL = 0.8
"""Seconds of a stall or a trickle: twice as long as a silence may last."""
ENOUGH = 60
"""Crawls after which a plan that gives each item two faults must have come to its end."""
GOOD = (None, "trickle")
"""What the request log says of an answer that arrived as it was meant."""
NOT_ASKED = "not there"
"""What a file is called that a source had no answer for before it ended; the next crawl asks for it."""
FILES = {"README.md": "model_card", "adapter_config.json": "adapter_config"}
DOWN = ("429_far", "500", "429_bare", "reset", "stall_body", "redirect_loop", "cut_json", "empty_200")
"""Ways in which a server stays down. The last two are no error to HTTP."""


def torture(scale: Scale, folder: Path) -> Iterator[Outcome]:
    """The cases, source by source."""
    size = {"models": scale.size(40, 240), "files": scale.size(24, 120), "uploads": scale.size(900, 5000)}
    seeds = range(scale.seed, scale.seed + scale.size(1, 4))
    with stage(folder, seed=scale.seed, **size, page_cap=scale.size(8, 20)) as scene, _Stranger() as stranger:
        for source in SOURCES:
            case = _Cases(scene, source, stranger)
            ways = {
                "30% of requests fail": [(case.passing, seed) for seed in seeds],
                "30%, hostile answers too": [(case.hostile, seed) for seed in seeds],
                "down in the middle, then well": [(case.down, kind) for kind in DOWN],
                "files never served": [(case.never, seed) for seed in seeds if source == "hub"],
                "paging goes wrong": [(case.paging, mode) for mode in PAGING.get(source, ())],
            }
            for name, calls in ways.items():
                if not scale.long:
                    calls = [call for call in calls if (source, call[0].__name__) in SHORT][:1]
                if calls and scale.only in f"{source}: {name}":
                    yield case.run(name, calls)
        if not scale.only:
            yield _waits(scene)


SHORT = (
    ("hub", "never"),
    ("github", "passing"),
    ("civitai", "down"),
)
"""What the tests do of it, with the first of its variants."""

PAGING = {
    "hub": ("same_page", "repeat_rows", "elsewhere", "short", "skip_rows"),
    "civitai": ("same_page", "repeat_rows", "empty", "skip_rows"),
}
LEAD_ON = ("repeat_rows", "short", "empty")
"""Of these, those in which every row is served and the list ends."""


class _Stranger(LoopbackServer):
    """The host a redirect leads to: it has nothing of the kind, says so in three ways, and must see no token."""

    def answer(self, request: Request) -> Reply:
        kind = sum(request.path.encode()) % 3
        if kind == 0:
            return json_reply(404, {"error": "Entry not found"})
        if kind == 1:
            return Reply(200, b"<!DOCTYPE html><title>Welcome</title>", (("Content-Type", "text/html"),))
        return json_reply(401, {"error": "Invalid username or password."})


class _Cases:
    """What is done to one source. Each method returns what it found wrong; counts go into `lost`, `doubled`."""

    def __init__(self, scene: Stage, source: str, stranger: LoopbackServer) -> None:
        self.scene, self.source, self.stranger = scene, source, stranger
        self.server = scene.servers[source]
        self.numbers = itertools.count()
        self.clean = scene.home(f"{source}-clean") / "hubstats.duckdb"
        first = scene.crawl(self.clean.parent, source)
        if first.code != 0:
            raise RuntimeError(f"the undisturbed crawl of {source} failed: {first.said}")
        self.lost = self.doubled = self.secrets = 0

    def run(self, name: str, calls: Collection[tuple[Callable[[Any], list[str]], Any]]) -> Outcome:
        """All calls of a case as one outcome."""
        began = time.monotonic()
        self.lost = self.doubled = self.secrets = faults = 0
        problems: list[str] = []
        escapes = 0
        for call, what in calls:
            self.server.forget()
            self.stranger.forget()
            found = call(what)
            faults += self.server.faults_sent.total()
            escapes += len(found)
            problems += [f"{self.source}, {name}, {what}: {line}" for line in found]
            self.secrets += sum("authorization" in request.headers for request in self.stranger.requests)
        # A lost or doubled row has its line, too; it is counted once, as what it is.
        return Outcome(
            "faults", f"{self.source}: {name}", faults, rows_lost=self.lost, rows_doubled=self.doubled,
            secrets_found=self.secrets, escapes=escapes, problems=tuple(problems), seconds=time.monotonic() - began,
        )  # fmt: skip

    # --- the cases ------------------------------------------------------------------------------------------------

    def passing(self, seed: int) -> list[str]:
        """Faults that asking again cures: one crawl, and all is there."""
        db = self.fresh()
        with self.trouble(FaultPlan(RATE, seed, RECOVERABLE + FILE_KINDS, seconds=STALL, retry_after=0)):
            return [*self.crawl(db).blame(0), *self.equal(db)]

    def hostile(self, seed: int) -> list[str]:
        """Also answers that end a source or that no one can tell from true ones: crawl until it is done."""
        db = self.fresh()
        found: list[str] = []
        plan = FaultPlan(RATE, seed, ALL, seconds=STALL, retry_after=0, elsewhere=self.stranger.url)
        with self.trouble(plan):
            for _ in range(ENOUGH):
                ran = self.crawl(db)
                found += ran.blame(0, 1)
                if ran.code != 1 or found:
                    break
            else:
                found.append(f"not done after {ENOUGH} crawls: {ran.said.strip()[-200:]}")
        # What was left out is asked for by the next crawl; what was too large stays so until it is changed.
        found += self.crawl(db).blame(0)
        missed = self.unserved(db, found)
        if self.source == "github":
            missed.add("")  # no blob, but another way of comparing: see TEXT_AND_WHY
        return [*found, *self.equal(db, without=missed)]

    def down(self, kind: str) -> list[str]:
        """From a request in the middle on, nothing is served; then the server is well again."""
        db = self.fresh()
        # Some files of the Hub's sample are in by then, but answers that only a page shows for bad must meet a page.
        far = self.source == "github" or (self.source == "hub" and kind not in PAGES_ONLY)
        count, after = itertools.count(), 12 if far else 1
        plan = FaultPlan(0.0, 1, (kind,), never=1.0, seconds=STALL * 3, only=lambda target: next(count) >= after)
        with self.trouble(plan):
            ran = self.crawl(db, timeout=60)
            found = ran.blame(1)
        if "failed" not in ran.out:
            found.append(f"no source is called failed: {ran.out[-300:]}")
        self.unserved(db, found, states=("failed", NOT_ASKED))
        return [*found, *self.crawl(db).blame(0), *self.equal(db)]

    def never(self, seed: int) -> list[str]:
        """One file in five is never served: it is failed, with a reason; once it is served, it comes in."""
        db = self.fresh()
        kinds = ("500", "503_retry", "reset", "truncated", "html_file", "cut_file", "empty_file", "redirect_elsewhere")
        plan = FaultPlan(
            0.0, seed, kinds, never=0.2, seconds=STALL, retry_after=0, elsewhere=self.stranger.url,
            only=lambda target: "/resolve/" in target,
        )  # fmt: skip
        with self.trouble(plan):
            found = self.crawl(db).blame(0)
            found += self.equal(db, without=self.unserved(db, found, states=("failed",)))
        return [*found, *self.crawl(db).blame(0), *self.equal(db)]

    def paging(self, mode: str) -> list[str]:
        """The listing repeats, skips or circles; after that it is well again."""
        server = self.server
        assert isinstance(server, HubServer | CivitaiServer)
        db = self.fresh()
        server.paging = mode  # type: ignore[assignment]
        try:
            ran = self.crawl(db)
        finally:
            server.paging = None
        found = ran.blame(0 if mode in (*LEAD_ON, "skip_rows") else 1)
        if mode == "skip_rows":
            # What was listed must be there as it is; what was skipped is found by a crawl that starts over.
            table = "hub_model" if self.source == "hub" else "image_checkpoint"
            difference = compare(self.clean, db, only=(table,))
            if difference.doubled or not difference.lost:
                found.append(f"rows beyond those listed: {difference.lines}")
            found += self.crawl(db, "--refresh").blame(0)
        elif mode not in LEAD_ON:
            found += self.crawl(db).blame(0)
        return [*found, *self.equal(db, only=LISTED if mode == "skip_rows" else None)]

    # --- their parts ----------------------------------------------------------------------------------------------

    def fresh(self) -> Path:
        return self.scene.home(f"{self.source}-{next(self.numbers)}") / "hubstats.duckdb"

    def crawl(self, db: Path, *more: str, timeout: float = 300.0) -> Ran:
        return self.scene.run(db.parent, "crawl", self.source, *self.scene.options[self.source], *more, timeout=timeout)

    @contextmanager
    def trouble(self, plan: FaultPlan) -> Iterator[None]:
        self.server.faults = plan
        try:
            yield
        finally:
            self.server.faults = None

    def unserved(self, db: Path, found: list[str], states: Collection[str] = ("failed", "too_large")) -> set[str]:
        """Subjects of which something was never served; each such file must have a state that says so, and why."""
        served: dict[str, bool] = {}
        for request in self.server.requests:
            # A body of 2 GB is an answer, if an odd one: what the server had said before does not outlive it.
            well = request.fault in GOOD or (request.status == 200 and self.is_empty(request.path))
            # A refusal says what it has to say in its headers, whatever of its body arrives.
            well = well or (request.fault == "cut_file" and request.status >= 400)
            served[request.path] = well or (request.fault != "huge" and served.get(request.path, False))
        missed = {path for path, well in served.items() if not well and ("/resolve/" in path or "/blobs/" in path)}
        subjects = set()
        with duckdb.connect(str(db), read_only=True) as connection:
            for path in missed:
                if self.source == "hub":
                    subject, _, name = path.lstrip("/").partition("/resolve/main/")
                    rows = connection.execute(
                        f"SELECT status, detail FROM {FILES[name]} WHERE model_id = ?", [subject]
                    ).fetchall()
                else:
                    subject = path.rpartition("/")[2]
                    rows = connection.execute(
                        "SELECT status, detail FROM code_file WHERE blob_sha = ?", [subject]
                    ).fetchall()
                subjects.add(subject)
                found += [
                    f"{path} was never served and is {state}, because {detail}"
                    for state, detail in rows or [(NOT_ASKED, "the source ended before")]
                    if state not in states or not detail
                ]
        return subjects

    def is_empty(self, path: str) -> bool:
        """Whether the file has no bytes, so that a cut or missing body is the true one."""
        subject, _, name = path.lstrip("/").partition("/resolve/main/")
        if not isinstance(self.server, HubServer) or not name:
            return False
        body = self.server.by_id[subject].files.get(name)
        return body is not None and read(body) == b""

    def equal(self, db: Path, *, without: Collection[str] = (), only: Collection[str] | None = None) -> list[str]:
        """All tables against the clean file's; with subjects left out, those that hold crawled rows."""
        if not without:
            difference = compare(self.clean, db, only=only)
            self.lost, self.doubled = self.lost + difference.lost, self.doubled + difference.doubled
            return list(difference.lines)
        left_out = ", ".join("'" + subject.replace("'", "''") + "'" for subject in sorted(without))
        tables = {"hub_model": None, "sample_frame": None, "image_checkpoint": None, "search_count": None}
        column = {"hub": "model_id", "github": "blob_sha"}.get(self.source)
        if self.source == "hub":
            tables |= {"model_card": column, "adapter_config": column}
        else:
            tables |= {"code_file": column, "search_hit": None}
        lines: list[str] = []
        for table, key in tables.items():
            where = "true" if key is None else f"{key} NOT IN ({left_out})"
            # Which of a blob's places was read first, and has the text, hangs on which could be read.
            difference = compare(self.clean, db, only=(table,), where=where, without=TEXT_AND_WHY.get(table, ()))
            self.lost, self.doubled = self.lost + difference.lost, self.doubled + difference.doubled
            lines += difference.lines
        return lines


LISTED = ("hub_model", "image_checkpoint")
TEXT_AND_WHY = {"code_file": ("text", "detail")}


def _waits(scene: Stage) -> Outcome:
    """With the limits a user has, a pause that the server asks for is kept and told before it begins."""
    began = time.monotonic()
    server = scene.servers["civitai"]
    server.forget()
    first = itertools.count()
    server.faults = FaultPlan(
        1.0, 3, ("429", "503_retry"), per_item=1, retry_after=3, only=lambda target: next(first) in (0, 2)
    )
    home = scene.home("waits")
    kept, scene.limits = scene.limits, {}
    try:
        ran = scene.crawl(home, "civitai")
    finally:
        scene.limits = kept
        faults, server.faults = server.faults_sent.total(), None
    problems = ran.blame(0)
    told = sum("going on in" in line for _, line in ran.lines)
    times = [request.at for request in server.requests]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times) if later - earlier > 1.5]
    if len(gaps) < faults:
        problems.append(f"{faults} answers asked for 3 s, and only {len(gaps)} pauses were that long: {gaps}")
    if told < len(gaps):
        problems.append(f"{len(gaps)} long waits and {told} lines about them: {ran.said}")
    if any(gap > 3 + 1 + 4 for gap in gaps):
        problems.append(f"a wait went past what was asked for: {gaps}")
    return Outcome(
        "faults", "waits are kept and shown", faults, escapes=len(problems), problems=tuple(problems),
        seconds=time.monotonic() - began,
    )  # fmt: skip
