"""Processes that die: after each death the file opens, nothing acknowledged is lost, and the next call goes on.

Every job is done once undisturbed, with its steps written down (see `victim`). Then it is begun again and again and
killed at seeded steps, at once or some milliseconds later, up to three times on the same file; after each death the
file is looked at, and in the end one call without a death must bring it to what the undisturbed one left.
"""

from __future__ import annotations

import itertools
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import duckdb

from hubstats import store
from hubstats.ask import connect
from hubstats.errors import HubstatsError
from hubstats_bench import plan as bench_plan
from hubstats_bench import tasks
from hubstats_bench.spec import Evaluation, Origin, RunSpec

from .ledger import compare, keys
from .outcome import Outcome, Scale
from .stage import Ran, Stage, finish, stage
from .victim import NEXT

DB = "hubstats.duckdb"
DEATHS = 3
"""Deaths in a row on one file, before it is let live."""
LONGEST_DELAY = 0.03
"""Seconds after a step at which a death comes at the latest: a statement takes about as long."""

LONG_ONLY = ("crawl github", "crawl civitai", "import", "report")
"""Jobs that the short form leaves out: what they write goes the way of a crawl of the Hub, or is written last."""

NEXT_SCHEMA = """
CREATE TABLE added AS SELECT range AS n, hash(range) AS h FROM range(300000);
ALTER TABLE hub_model ADD COLUMN added INTEGER;
UPDATE hub_model SET added = 1;
"""

WORKER = """
import json, os, sys, time
from pathlib import Path
from hubstats_bench import result, spec
record = result.Record(spec.spec_from(json.loads(Path(sys.argv[1]).read_text())))
print(json.dumps({"phase": "train", "done": 1, "of": 1}), flush=True)
time.sleep(0.05)
record.status, record.created_at = "success", "2026-01-01T00:00:00+00:00"
record.value("answer_nll", 1.5, "nats per token", "lower")
result.write(Path(sys.argv[2]), record.document())
"""


@dataclass(frozen=True)
class Job:
    """One thing to be killed at."""

    name: str
    words: Sequence[str]
    start_with: Callable[[Path], None] = lambda home: None
    """Puts what the job finds into its folder."""
    wrong: Callable[[Path, Path], list[str]] = lambda clean, home: []
    """What else is wrong in the end, beside what the file holds."""
    half_done: Callable[[Path], list[str]] = lambda home: []
    """What is wrong right after a death, beside what the file holds."""
    orders: Mapping[str, Any] = field(default_factory=dict)


def torture(scale: Scale, folder: Path) -> Iterator[Outcome]:
    """The jobs under kill -9, then under the gentler signals, then full disks, two writers, and readers."""
    size = {"models": scale.size(40, 90), "files": 24, "uploads": 400, "page_cap": 10}
    with stage(folder, seed=scale.seed, **size) as scene:
        hub = scene.servers["hub"]
        hub.latency = 0.002
        jobs = [job for job in _jobs(scene) if scale.long or job.name not in LONG_ONLY]
        shares = dict(zip((job.name for job in jobs), _shares(scale.size(7, 210), jobs), strict=True))
        every = [_Killer(scene, job, scale.seed) for job in jobs if scale.only in job.name]
        for killer in every:
            deaths = shares[killer.job.name]
            yield killer.torture("kill -9", signal.SIGKILL, deaths)
        if scale.long:
            for killer in every:
                yield killer.torture("Ctrl-C", signal.SIGINT, 6)
                yield killer.torture("SIGTERM", signal.SIGTERM, 4)
        for killer in every:
            if killer.job.name == "crawl hub":
                yield from _full_disk(scene, scale, killer)
                yield from _others_at_once(scene, scale, killer)


def _shares(deaths: int, jobs: Sequence[Job]) -> list[int]:
    """How many deaths each job gets: a crawl of the Hub, which does most things, a third of all."""
    others = max(1, round(deaths * 2 / 3 / (len(jobs) - 1)))
    return [max(1, deaths - others * (len(jobs) - 1)), *[others] * (len(jobs) - 1)]


class _Killer:
    """One job, its undisturbed end, and its steps."""

    def __init__(self, scene: Stage, job: Job, seed: int) -> None:
        self.scene, self.job, self.seed = scene, job, seed
        self.numbers = itertools.count()
        self.clean = scene.home(f"{job.name}-clean")
        job.start_with(self.clean)
        trace = self.clean / "steps.txt"
        ran = scene.run(self.clean, *job.words, trace=str(trace), **job.orders)
        if ran.blame(0):
            raise RuntimeError(f"the undisturbed {job.name} failed: {ran.said}")
        self.steps = trace.read_text(encoding="utf-8").split()

    def torture(self, how: str, sign: signal.Signals, deaths: int) -> Outcome:
        """Kills until there were so many deaths."""
        began = time.monotonic()
        random = Random(f"{self.job.name}/{how}/{self.seed}")
        died = lost = doubled = escapes = 0
        problems: list[str] = []
        while died < deaths:
            home = self.fresh()
            seen: dict[str, set[tuple[object, ...]]] = {}
            where: list[str] = []
            for _ in range(min(DEATHS, deaths - died)):
                die = self.moment(random, sign)
                where.append(f"{self.steps[die[0] - 1]} (step {die[0]}, {die[1] * 1000:.0f} ms)")
                ran = self.scene.run(home, *self.job.words, die=die, **self.job.orders)
                bad = self.end(ran, sign)
                died += 1
                now = _seen(home / DB, bad, self.job.orders.get("schema"))
                for table, known in seen.items():
                    if gone := known - now.get(table, set()):
                        lost += len(gone)
                        bad.append(f"{len(gone)} rows of {table} that were there are gone")
                bad += self.job.half_done(home)
                seen = now
                escapes += len(bad)
                problems += [f"{self.job.name}, {how} at {', then '.join(where)}: {line}" for line in bad]
                if ran.code == 0:
                    break
            last = self.scene.run(home, *self.job.words, **self.job.orders)
            bad = [*last.blame(0), *self.job.wrong(self.clean, home)]
            escapes += len(bad)
            if (home / DB).exists():
                difference = compare(self.clean / DB, home / DB)
                lost, doubled = lost + difference.lost, doubled + difference.doubled
                bad += difference.lines
            problems += [f"{self.job.name}, after {how} at {', then '.join(where)}: {line}" for line in bad]
            shutil.rmtree(home)
        return Outcome(
            "kills", f"{self.job.name}: {how}", kills=died, rows_lost=lost, rows_doubled=doubled, escapes=escapes,
            problems=tuple(problems), seconds=time.monotonic() - began,
        )  # fmt: skip

    def fresh(self) -> Path:
        home = self.scene.home(f"{self.job.name}-{next(self.numbers)}")
        self.job.start_with(home)
        return home

    def moment(self, random: Random, sign: signal.Signals) -> tuple[int, float, int]:
        """A step: half of the time any, else one of a kind drawn first, so that rare kinds have their turn."""
        step = random.randrange(len(self.steps)) + 1
        if random.random() < 0.5:
            kind = random.choice(sorted(set(self.steps)))
            step = random.choice([n for n, label in enumerate(self.steps, start=1) if label == kind])
        delay = random.choice((0.0, random.random() * LONGEST_DELAY))
        return step, delay, int(sign)

    def end(self, ran: Ran, sign: signal.Signals) -> list[str]:
        """What is wrong with how the process ended. A job that was done before its moment came ends well."""
        if sign is signal.SIGKILL:
            return ran.blame(0, -signal.SIGKILL)
        bad = ran.blame(0, 1, 130)
        if ran.code and "interrupted" not in ran.said + ran.out:
            bad.append(f"it does not say that it was interrupted: {ran.said.strip()[-200:]!r}")
        return bad


def _seen(db: Path, bad: list[str], schema: str | None = None) -> dict[str, set[tuple[object, ...]]]:
    """What a reader finds in the file after a death; a file that was never begun holds nothing.

    With the next schema the reader knows it as the killed process did; a file that has not come to it yet is refused
    as older, and still holds what it held.
    """
    if not db.exists():
        return {}
    with _knowing(schema):
        try:
            with connect(db) as answers:
                answers.sql("SELECT count(*) FROM crawl")
        except HubstatsError as error:
            if "older schema" not in str(error):
                if "is empty" not in str(error):
                    bad.append(f"the file does not open: {error}")
                return {}
            if schema is None:  # a file that was begun, and has no table yet
                return {}
    return keys(db)


@contextmanager
def _knowing(schema: str | None) -> Iterator[None]:
    if schema is None:
        yield
        return
    known = [*store.migrations(), (NEXT, schema)]
    with mock.patch.object(store, "migrations", return_value=known):
        yield


# --- the jobs -----------------------------------------------------------------------------------------------------


def _jobs(scene: Stage) -> list[Job]:
    cards = scene.home("cards")
    for number in range(60):
        place = cards / f"someone-{number}"
        place.mkdir()
        (place / "README.md").write_text(f"---\ntags:\n- peft\n- lora\n---\n# {number}\n\nTrained with LoRA.\n" * 3)
    base = scene.home("base")
    first = scene.crawl(base, "hub")
    if first.code != 0:
        raise RuntimeError(f"the base file could not be made: {first.said}")
    plan = scene.home("plan") / "plan.json"
    bench_plan.save(bench_plan.Plan("tiny", "2026-01-01", "made", {}, (), (), _specs()), plan)
    worker = plan.with_name("worker.py")
    worker.write_text(WORKER, encoding="utf-8")

    def with_base(home: Path) -> None:
        shutil.copy(base / DB, home / DB)

    return [
        Job("crawl hub", ("crawl", "hub", *scene.options["hub"]), wrong=_leftovers),
        Job("crawl github", ("crawl", "github", *scene.options["github"]), wrong=_leftovers),
        Job("crawl civitai", ("crawl", "civitai", *scene.options["civitai"]), wrong=_leftovers),
        Job("import", ("import", "--kind", "cards", str(cards)), wrong=_leftovers),
        Job("migration", ("status", "--migrate"), start_with=with_base, orders={"schema": NEXT_SCHEMA}),
        Job("report", ("report", "--out", "page.html"), start_with=with_base, wrong=_same_page, half_done=_whole_page),
        Job(
            "bench run",
            ("bench", "run", "--plan", str(plan), "--out", "results"),
            wrong=_same_results,
            half_done=_whole_results,
            orders={"worker": [sys.executable, str(worker)]},
        ),
    ]


def _specs() -> tuple[RunSpec, ...]:
    task = tasks.get("tiny")
    return tuple(
        RunSpec(
            task="tiny", experiment=f"made/{number}", role="technique", technique="lora", variant="rank8",
            adapter={"peft_type": "LORA", "r": number}, training=task.defaults, evaluation=Evaluation(),
            model=Origin("made", "tiny-llama", "1"), data=task.data(None), device="cpu", versions={},
        )
        for number in range(1, 5)
    )  # fmt: skip


def _leftovers(clean: Path, home: Path) -> list[str]:
    """The spool is empty once all has moved in."""
    return [f"{path.relative_to(home)} is left over" for path in (home / f"{DB}.spool").glob("*/*")]


def _whole_page(home: Path) -> list[str]:
    page = home / "page.html"
    if not page.exists() or page.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        return []
    return [f"half a page of {page.stat().st_size} bytes is left"]


def _same_page(clean: Path, home: Path) -> list[str]:
    sizes = [(place / "page.html").stat().st_size for place in (clean, home)]
    left = [path.name for path in home.iterdir() if path.name not in ("page.html", DB)]
    other = [] if sizes[0] == sizes[1] else [f"the page has {sizes[1]} bytes and not {sizes[0]}"]
    return [*_whole_page(home), *other, *(f"{name} is left over" for name in left)]


def _whole_results(home: Path) -> list[str]:
    found = []
    for path in (home / "results").glob("*.json"):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found.append(f"{path.name} is half a result")
    return found


def _same_results(clean: Path, home: Path) -> list[str]:
    def held(place: Path) -> dict[str, str]:
        return {
            path.name: json.loads(path.read_text(encoding="utf-8"))["hubstats"]["status"]
            for path in (place / "results").glob("*.json")
        }

    first, second = held(clean), held(home)
    return [] if first == second else [f"results differ: {first} and {second}"]


# --- disks, writers, readers --------------------------------------------------------------------------------------


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Callable[[], None] | None]:
    """A tmpfs of `size` bytes at `place`; yields what makes it large, or None where no mount is allowed."""
    place.mkdir(parents=True, exist_ok=True)

    def mount(*options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(place)]
        with suppress(OSError):
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        return False

    if not mount(f"size={size}"):
        yield None
        return
    try:
        yield lambda: None if mount("remount", "size=256m") else sys.exit("the tmpfs could not be made larger")
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


def _full_disk(scene: Stage, scale: Scale, killer: _Killer) -> Iterator[Outcome]:
    """A disk that fills up at seeded moments: one line, exit code 1, and with space again it goes on to the end."""
    began = time.monotonic()
    random = Random(scale.seed)
    lost = doubled = filled = escapes = 0
    problems: list[str] = []
    final = sum(path.stat().st_size for path in killer.clean.rglob("*") if path.is_file())
    kind = "tmpfs"
    for number in range(scale.size(1, 14)):
        size = int(final * random.uniform(0.02, 0.9)) if number else 64 * 1024
        home = scene.folder / f"disk-{number}"
        with small_disk(home, size) as enlarge:
            if enlarge is None:
                kind = "RLIMIT_FSIZE"
                ran = _limited(scene, home, killer.job.words, size)
            else:
                ran = scene.run(home, *killer.job.words)
            bad = ran.blame(0, 1)
            if ran.code == 1:
                filled += 1
                if not re.search(r"disk is full|[Nn]o space left|too large", ran.said + ran.out):
                    bad.append(f"it does not say that the disk is full: {ran.said.strip()[-300:]!r}")
            if enlarge is not None:
                enlarge()
            seen = _seen(home / DB, bad)
            last = scene.run(home, *killer.job.words)
            bad += [*last.blame(0), *killer.job.wrong(killer.clean, home)]
            escapes += len(bad)
            if (home / DB).exists():
                now = _seen(home / DB, bad)
                lost += sum(len(known - now[table]) for table, known in seen.items())
                difference = compare(killer.clean / DB, home / DB)
                lost, doubled = lost + difference.lost, doubled + difference.doubled
                bad += difference.lines
            problems += [f"a disk of {size:,} bytes: {line}" for line in bad]
    yield Outcome(
        "kills", f"{killer.job.name}: full disk ({kind})", kills=filled, rows_lost=lost, rows_doubled=doubled,
        escapes=escapes, problems=tuple(problems), seconds=time.monotonic() - began,
    )  # fmt: skip


def _limited(scene: Stage, home: Path, words: Sequence[str], size: int) -> Ran:
    """The same where no mount is allowed: no file may grow past `size` bytes, which the kernel answers with EFBIG."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.torture.victim", *words],
        cwd=home, env=scene.environment(home, {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )  # fmt: skip
    return finish(process, 120)


def _others_at_once(scene: Stage, scale: Scale, killer: _Killer) -> Iterator[Outcome]:
    """While a crawl runs: a second one on the same file is refused and told who has it, and readers get their answers.

    Three readers ask without a pause, and what they saw does not go away.
    """
    began = time.monotonic()
    home = scene.home("others")
    refusals: list[str] = []
    problems: list[str] = []
    answered = itertools.count()
    refused = 0
    over = threading.Event()

    def read(number: int) -> None:
        most = 0
        while not over.is_set():
            try:
                with connect(home / DB) as answers:
                    [[count]] = answers.sql("SELECT count(*) FROM hub_model").rows()
                    answers.query("technique_share")
                if count < most:
                    problems.append(f"reader {number} saw {most} repositories and then {count}")
                most = max(most, count)
                next(answered)
            except HubstatsError as error:
                problems.append(f"reader {number}: {error}")
            time.sleep(0.02 * number)

    with _slow(scene):
        crawling = scene.start(home, *killer.job.words)
        _until(lambda: _has_schema(home / DB))
        threads = [threading.Thread(target=read, args=(number,)) for number in range(1, 4)]
        for thread in threads:
            thread.start()
        problems += scene.run(home, "query", "technique_share").blame(0)
        while crawling.poll() is None and refused < scale.size(1, 8):
            second = scene.run(home, *killer.job.words)
            if crawling.poll() is not None:
                break
            refused += 1
            refusals += second.blame(1)
            if f"process {crawling.pid}" not in second.said:
                refusals.append(f"it does not name process {crawling.pid}: {second.said.strip()[-200:]}")
            if second.seconds > 20:
                refusals.append(f"it took {second.seconds:.0f} s to refuse")
        ended = finish(crawling, 180)
        over.set()
        for thread in threads:
            thread.join()
    problems += ended.blame(0)
    if not refused:
        refusals.append("the first crawl was done before a second one was tried")
    difference = compare(killer.clean / DB, home / DB)
    seconds = time.monotonic() - began
    yield Outcome(
        "kills", "a second crawl on the same file", inputs=refused, escapes=len(refusals), problems=tuple(refusals)
    )
    yield Outcome(
        "kills", "readers during a crawl", inputs=next(answered) + 1, rows_lost=difference.lost,
        rows_doubled=difference.doubled, escapes=len(problems), problems=(*problems, *difference.lines),
        seconds=seconds,
    )  # fmt: skip


@contextmanager
def _slow(scene: Stage) -> Iterator[None]:
    hub = scene.servers["hub"]
    before, hub.latency = hub.latency, 0.25
    try:
        yield
    finally:
        hub.latency = before


def _has_schema(db: Path) -> bool:
    with suppress(HubstatsError, duckdb.Error), connect(db):
        return db.exists()
    return False


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("it did not happen in time")
        time.sleep(0.02)
