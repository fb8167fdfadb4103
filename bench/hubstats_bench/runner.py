"""The sweep: each run in a process of its own, one after the other, finished ones skipped.

Whatever a run does, out of memory, a crash, a hang, ends as a result file with a status, and the sweep goes on. Only
one sweep works on a folder. Stopping it with Ctrl-C loses the run under way and nothing else.
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
from typing import IO

from filelock import FileLock, Timeout

from hubstats.errors import BenchError
from hubstats_bench import result
from hubstats_bench.result import Record, Stored
from hubstats_bench.spec import RunSpec, run_id

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
) -> list[Outcome]:
    """Does every run whose result is not in `out` yet, and returns how each ended, in order.

    `timeout` is in seconds a run. With `retry`, runs that failed are done again too. `tell` hears progress and
    outcomes. `worker` is the command of a run, WORKER by default. Raises BenchError when another sweep works on the
    folder or it cannot be written.
    """
    outcomes = []
    with _alone(out):
        done = result.by_run(result.stored(out)[0])
        for number, spec in enumerate(specs, start=1):
            known = done.get(run_id(spec))
            skip = known is not None and (known.status == "success" or (known.is_final and not retry))
            if known is None or not skip:
                known = _one(spec, out, timeout, worker or WORKER, _numbering(tell, number, len(specs)))
                done[known.run_id] = known
            outcomes.append(Outcome(spec, known, skip))
            tell(outcomes[-1])
    return outcomes


def _numbering(tell: Listener, number: int, of: int) -> Callable[[Progress], None]:
    return lambda progress: tell(replace(progress, number=number, of=of))


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
        for line in stream:
            with suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                told = (str(said["phase"]), int(said["done"]), int(said["of"]))
                self.tell(Progress(0, 0, self.spec, *told, seconds=time.monotonic() - self.began))

    def note(self, stream: IO[str]) -> None:
        """The end of standard error."""
        for line in stream:
            self.errors = (self.errors + line)[-TAIL:]


def _one(
    spec: RunSpec, out: Path, timeout: float | None, worker: Sequence[str], tell: Callable[[Progress], None]
) -> Stored:
    """Runs one spec to its end, whichever that is, and leaves its result file."""
    place = out / f"{run_id(spec)}.json"
    ears = _Ears(spec, tell)
    with tempfile.TemporaryDirectory(prefix="hubstats-bench-", ignore_cleanup_errors=True) as scratch:
        order = Path(scratch) / "spec.json"
        order.write_text(json.dumps(spec.as_dict()), encoding="utf-8")
        command = [*worker, str(order), str(place.resolve()), scratch]
        place.unlink(missing_ok=True)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", env=_environment()
        ) as process:
            late = _heard_out(process, ears, timeout)
    if not late and process.returncode == 0 and place.is_file():
        return result.outline(place)
    record = Record(spec, times={"total": time.monotonic() - ears.began})
    record.status, record.message = _verdict(process.returncode, late, timeout, ears.errors)
    result.write(place, record.document())
    return result.outline(place)


def _heard_out(process: subprocess.Popen[str], ears: _Ears, timeout: float | None) -> bool:
    """Waits for a run to end, listening; True when it had to be stopped for taking too long."""
    assert process.stdout is not None
    assert process.stderr is not None
    threads = [
        threading.Thread(target=ears.listen, args=(process.stdout,), daemon=True),
        threading.Thread(target=ears.note, args=(process.stderr,), daemon=True),
    ]
    for thread in threads:
        thread.start()
    late = False
    try:
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
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
