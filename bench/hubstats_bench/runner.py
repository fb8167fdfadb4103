"""The sweep: each run in a process of its own, finished ones skipped.

Here they go one after the other, on a cluster one per GPU, or per machine without any; each is the same process either
way. Whatever a run does, out of memory, a crash, a hang, ends as a result file with a status, and the sweep goes on.
Only one sweep works on a folder, and only it writes there. Stopping it with Ctrl-C loses what is under way and nothing
else; a run whose machine is lost is begun again on another one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from hubstats.engines import Engine, Needs, open_engine
from hubstats.errors import BenchError
from hubstats_bench import result
from hubstats_bench.cost import Estimator
from hubstats_bench.result import Record, Stored
from hubstats_bench.spec import RunSpec, run_id
from hubstats_bench.worker import LEASH

WORKER = (sys.executable, "-m", "hubstats_bench.worker")
"""The process of one run; it is given the spec's file, the result's place and a folder to work in."""
PATIENCE = 10.0
"""Seconds between asking a run to stop and stopping it."""
TAIL = 4000
"""Characters of what a run said on standard error that are looked at when it died."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a sweep is."""

    number: int
    of: int
    spec: RunSpec
    phase: str
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    """Since the run began."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of a sweep ended."""

    spec: RunSpec
    stored: Stored
    skipped: bool


Listener = Callable[[Progress | Outcome], None]


def sweep(
    specs: Sequence[RunSpec],
    out: Path,
    *,
    timeout: float | None = None,
    retry: bool = False,
    tell: Listener = lambda event: None,
    worker: Sequence[str] | None = None,
    engine: Engine | None = None,
) -> list[Outcome]:
    """Does every run whose result is not in `out` yet, and returns how each ended, in order.

    `timeout` is in seconds a run. With `retry`, runs that failed are done again too. `tell` hears progress and
    outcomes. `worker` is the command of a run, WORKER by default. `engine` is where runs are done, by default here, one
    at a time. Raises BenchError when another sweep works on the folder or it cannot be written, EngineError when the
    engine has no room for a run.
    """
    outcomes: list[Outcome] = []
    with _alone(out):
        stored = result.stored(out)[0]
        done = result.by_run(stored)
        ahead: set[str] = set()
        ended: set[str] = set()

        def is_done(spec: RunSpec) -> bool:
            known = done.get(run_id(spec))
            return known is not None and (known.status == "success" or (known.is_final and not retry))

        def orders() -> Iterator[Order]:
            for number, spec in enumerate(specs, start=1):
                if not is_done(spec) and run_id(spec) not in ahead:
                    ahead.add(run_id(spec))
                    yield Order(spec, number, len(specs), timeout, tuple(worker or WORKER))

        performed = (engine or open_engine("local", workers=1)).map(
            perform, orders(), lost=_lost, needs=_Needs(stored).of, hear=tell
        )
        for spec in specs:
            skip = is_done(spec) or run_id(spec) in ended
            if not skip:
                ended.add(run_id(spec))
                content = next(performed)
                place = out / f"{run_id(spec)}.json"
                result.write(place, content)
                done[run_id(spec)] = result.outline(place)
            outcomes.append(Outcome(spec, done[run_id(spec)], skip))
            tell(outcomes[-1])
    return outcomes


@dataclass(frozen=True, slots=True)
class Order:
    """A run that is to be done: all that the machine which does it has to know."""

    spec: RunSpec
    number: int
    of: int
    timeout: float | None
    worker: tuple[str, ...]


class _Needs:
    """What runs take, from the estimates of the plan."""

    def __init__(self, stored: Sequence[Stored]) -> None:
        self._estimator = Estimator(stored)

    def of(self, order: Order) -> Needs:
        """A whole GPU, or a whole machine: time and memory are measured."""
        memory = self._estimator.cost(order.spec).memory
        if order.spec.device == "cuda":
            return Needs(gpus=1.0, gpu_memory=memory)
        return Needs(memory=memory, alone=True)


def _lost(order: Order, why: str) -> dict[str, Any]:
    record = Record(order.spec)
    record.status, record.message = "killed", why
    return record.document()


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".sweep.lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise BenchError(
            f"another sweep is at work on {out}: wait for it, or choose another folder with --out"
        ) from None
    except OSError as error:
        raise BenchError(f"cannot write to {out}: {error.strerror}; choose another folder with --out") from error
    try:
        yield
    finally:
        lock.release()


@dataclass(slots=True)
class _Ears:
    """Reads what a run says while it goes on, so that no pipe fills up."""

    spec: RunSpec
    tell: Callable[[Progress], None]
    began: float = field(default_factory=time.monotonic)
    errors: str = ""

    def listen(self, stream: IO[str]) -> None:
        """Progress, one JSON line each; anything else on standard output is chatter of the libraries."""
        for line in _lines(stream):
            with suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                told = (str(said["phase"]), int(said["done"]), int(said["of"]))
                self.tell(Progress(0, 0, self.spec, *told, seconds=time.monotonic() - self.began))

    def note(self, stream: IO[str]) -> None:
        """The end of standard error."""
        for line in _lines(stream):
            self.errors = (self.errors + line)[-TAIL:]


def _lines(stream: IO[str]) -> Iterator[str]:
    """The lines of a pipe, up to its end, or until an interrupt closes it."""
    with suppress(ValueError):
        yield from stream


def perform(order: Order, tell: Callable[[Progress], None]) -> dict[str, Any]:
    """Runs one spec to its end, whichever that is, in a process of its own; returns its result file's content."""
    ears = _Ears(order.spec, lambda progress: tell(replace(progress, number=order.number, of=order.of)))
    with tempfile.TemporaryDirectory(prefix="hubstats-bench-", ignore_cleanup_errors=True) as scratch:
        written = Path(scratch) / "spec.json"
        written.write_text(json.dumps(order.spec.as_dict()), encoding="utf-8")
        made = Path(scratch) / "result" / f"{run_id(order.spec)}.json"
        made.parent.mkdir()
        command = [*order.worker, str(written), str(made), scratch]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(),
        ) as process:
            late = _heard_out(process, ears, order.timeout)
        if not late and process.returncode == 0 and made.is_file():
            return result.read(made)
    record = Record(order.spec, times={"total": time.monotonic() - ears.began})
    record.status, record.message = _verdict(process.returncode, late, order.timeout, ears.errors)
    return record.document()


def _heard_out(process: subprocess.Popen[str], ears: _Ears, timeout: float | None) -> bool:
    """Waits for a run to end, listening; True when it had to be stopped for taking too long."""
    assert process.stdout is not None
    assert process.stderr is not None
    threads = [
        threading.Thread(target=ears.listen, args=(process.stdout,), daemon=True),
        threading.Thread(target=ears.note, args=(process.stderr,), daemon=True),
    ]
    late = False
    try:
        for thread in threads:
            thread.start()
        # with an end, Python looks again and again; without one it never hears of Ctrl-C where the system gives the
        # signal to one of the listening threads
        process.wait(timeout or threading.TIMEOUT_MAX)
    except subprocess.TimeoutExpired:
        late = True
        _stop(process)
    except BaseException:
        _stop(process)
        raise
    finally:
        for thread in threads:
            if thread.ident is not None:  # an interrupt may come before it is started
                thread.join(PATIENCE)
    return late


def _verdict(code: int, late: bool, timeout: float | None, errors: str) -> tuple[str, str]:
    """Status and message of a run that left no result."""
    said = errors.strip().splitlines()
    last = said[-1] if said else "it said nothing"
    if late:
        return "timeout", f"stopped after {timeout:g} s"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = "; the system ends processes so when memory runs out" if -code == signal.SIGKILL else ""
        return "killed", f"ended by {name}{hint}"
    return "error", f"ended with exit status {code} and no result: {last}"


def _environment() -> dict[str, str]:
    """The run's environment: what makes torch deterministic where it can be, and this very code."""
    paths = [str(Path(__file__).parent.parent), *(path for path in sys.path if path)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONHASHSEED": "0",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "TOKENIZERS_PARALLELISM": "false",
        LEASH: "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
