"""Hostile content: every parser takes mangled and monstrous input, in bounded time and memory, and runs none of it.

The inputs are read in one child process with a limit on its memory. Python's audit hooks tell of everything it does to
the outside: a process started, code executed, a connection, a file changed anywhere but in its folder. After a case its
records go through spool and file, so that what a parser lets through is known to be storable. A child that dies or
does not come back is an escape with the input's number, and the next child goes on with the next case.

    python -m tests.torture.fuzz CASE SEED COUNT SECONDS FOLDER      one case, as the child runs it
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tests.conftest import ROOT, clean_environment

from .inputs import CANARY, Inputs
from .outcome import Outcome, Scale

MEMORY = 3 << 30
"""Bytes that the child may take."""
GROWTH_MB = 700
"""Megabytes by which one case may raise the peak."""
INPUT_SECONDS = 10.0
"""For one input, on a machine that has other things to do; a bomb is up to 2 MB."""
FEW = 1000
"""Inputs up to which a case is a short one, with some of the bombs only: each takes its time."""
NAMES = (
    *("front matter", "model card", "adapter config", "Python source", "notebook", "Hub page", "GitHub page"),
    *("image site page", "HTTP answer", "result file", "experiment folder", "technique file", "saved cursor"),
    *("bundle", "Parquet dump"),
)
FORBIDDEN = (
    *("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn", "subprocess.Popen"),
    *("exec", "pickle.find_class", "ctypes.dlopen", "socket.connect", "socket.getaddrinfo", "socket.bind"),
)
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "os.symlink", "os.truncate")


def torture(scale: Scale, folder: Path) -> Iterator[Outcome]:
    """One outcome a parser."""
    waiting = [name for name in NAMES if scale.only in name]
    outside = folder / "outside"
    outside.mkdir()
    (outside / "treasure").write_text("untouched")
    while waiting:
        place = folder / f"inside-{len(waiting)}"
        place.mkdir()
        for outcome in _child(scale, waiting, place):
            waiting.remove(outcome.case)
            yield outcome
    if [path.name for path in folder.rglob("*") if path.name == CANARY] or (
        outside / "treasure"
    ).read_text() != "untouched":
        yield Outcome("fuzz", "files outside", escapes=1, problems=("input was run, or a file outside was changed",))


def _child(scale: Scale, names: list[str], place: Path) -> Iterator[Outcome]:
    """The outcomes of the cases that one child comes through, and of the one that it dies of."""
    count, seconds = scale.size(60, 20_000), scale.seconds(0.8, 60.0)
    words = [sys.executable, "-m", "tests.torture.fuzz", ",".join(names), str(scale.seed), str(count), str(seconds)]
    environment = clean_environment(place, {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "bench")])})
    errors = place.with_suffix(".stderr")
    with errors.open("wb") as messages:
        child = subprocess.Popen(
            [*words, str(place)], cwd=place, env=environment, stdout=subprocess.PIPE, stderr=messages
        )
    began = time.monotonic()
    assert child.stdout is not None
    alarm = _Alarm(child, seconds + 6 * INPUT_SECONDS)
    done = 0
    for line in child.stdout:
        said = json.loads(line)
        alarm.again()
        yield Outcome("fuzz", **said)
        done += 1
        began = time.monotonic()
    child.wait()
    alarm.stop()
    child.stdout.close()
    if done < len(names):
        said = errors.read_text(errors="replace").strip()[-300:]
        at = (place / "at").read_text() if (place / "at").exists() else "the start"
        why = f"{names[done]}: the process ended with {child.returncode} at {at}: {said}"
        yield Outcome("fuzz", names[done], escapes=1, problems=(why,), seconds=time.monotonic() - began)


class _Alarm:
    """Kills a process that has said nothing for so long."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        import threading

        self.process, self.seconds = process, seconds
        self.timer = threading.Timer
        self.again()

    def again(self) -> None:
        """Some more time."""
        self.stop()
        self.running = self.timer(self.seconds, self.process.kill)
        self.running.daemon = True
        self.running.start()

    def stop(self) -> None:
        """No more need."""
        if hasattr(self, "running"):
            self.running.cancel()


# --- in the child -------------------------------------------------------------------------------------------------


class TooLong(BaseException):
    """The input took longer than it may."""


@dataclass
class Watch:
    """What the process does to the outside while it reads an input."""

    inside: str
    on: bool = False
    seen: set[str] = field(default_factory=set)

    def __call__(self, event: str, words: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in FORBIDDEN and not (event == "exec" and _importing()):
            self.seen.add(f"{event} {str(words)[:80]}")
        elif event == "open" and isinstance(words[0], str) and words[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self._place(event, words[0])
        elif event in CHANGES:
            self._place(event, os.fsdecode(words[0]))

    def _place(self, event: str, path: str) -> None:
        place = os.path.realpath(path)
        if not place.startswith(self.inside + os.sep) and place != os.devnull:
            self.seen.add(f"{event} {place}")


def _importing() -> bool:
    """Whether what runs now was called for by an import statement, which runs a module of an installed package."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "_find_and_load":
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _late(number: int, frame: FrameType | None) -> None:
    raise TooLong


def run(names: list[str], seed: int, count: int, seconds: float, folder: Path) -> None:
    """Reads the inputs of the cases and prints one line of JSON for each case."""
    from .parsers import Parser, cases

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _late)
    watch = Watch(str(folder.resolve()))
    sys.addaudithook(watch)
    made = cases(folder)
    for name in names:
        began = time.monotonic()
        parser: Parser = made[name]
        inputs = Inputs(seed)
        problems: list[str] = []
        stored: list[Any] = []
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        number = 0
        bombs = parser.bombs if count > FEW else parser.bombs[:: len(parser.bombs) // 6 + 1]
        for number, data in enumerate(_inputs(parser, inputs, max(8, count // parser.cost), bombs), 1):
            if number > len(bombs) + 8 and time.monotonic() - began > seconds:
                break
            (folder / "at").write_text(f"input {number} of seed {seed}")
            if number == 1:
                _one(parser, data, [], watch)  # imports happen now
                watch.seen.clear()
            started = time.monotonic()
            found = _one(parser, data, stored, watch)
            if time.monotonic() - started > INPUT_SECONDS:
                found.append(f"took {time.monotonic() - started:.0f} s")
            found += sorted(watch.seen)
            watch.seen.clear()
            problems += [f"{name}, seed {seed}, input {number} ({data[:40]!r}...): {line}" for line in found]
        problems += [f"{name}: {line}" for line in _store(stored, folder)]
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        if grown > GROWTH_MB:
            problems.append(f"{name}: took {grown} MB")
        said = {
            "case": name,
            "inputs": number,
            "escapes": len(problems),
            "problems": problems[:12],
            "seconds": time.monotonic() - began,
        }
        print(json.dumps(said), flush=True)


def _inputs(parser: Any, inputs: Inputs, count: int, bombs: tuple[bytes, ...]) -> Iterator[bytes]:
    yield from bombs
    for _ in range(count):
        yield parser.make(inputs)


def _one(parser: Any, data: bytes, stored: list[Any], watch: Watch) -> list[str]:
    signal.setitimer(signal.ITIMER_REAL, 3 * INPUT_SECONDS)
    watch.on = True
    try:
        for record in parser.read(data):
            if len(stored) < 3000:
                stored.append(record)
    except TooLong:
        return [f"was still being read after {3 * INPUT_SECONDS:.0f} s"]
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return [f"{type(error).__name__}: {str(error)[:150]} ({Path(where.filename).name}:{where.lineno})"]
    finally:
        watch.on = False
        signal.setitimer(signal.ITIMER_REAL, 0)
    return []


def _store(records: list[Any], folder: Path) -> list[str]:
    """What is wrong when the records go where all records go."""
    from hubstats.errors import HubstatsError
    from hubstats.records import Page
    from hubstats.spool import Spool
    from hubstats.store import Store

    spool = Spool(folder / "spool")
    try:
        spool.append("hub", Page(tuple(records)))
        spool.seal()
        with Store.open(Path(":memory:"), write=True) as store:
            for segment in spool.segments():
                store.absorb(segment)
    except (HubstatsError, ValueError, TypeError) as error:
        return [f"what was read cannot be stored: {type(error).__name__}: {str(error)[:300]}"]
    finally:
        for segment in spool.segments():
            for path in segment.iterdir():
                path.unlink()
            segment.rmdir()
    return []


if __name__ == "__main__":
    which, first, many, long, where = sys.argv[1:]
    run(which.split(","), int(first), int(many), float(long), Path(where))
