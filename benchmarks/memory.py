"""How much memory a process held at most.

`ru_maxrss` does not say it: a child begins with what its parent held when it was started, and keeps it over `exec`.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOOK = 0.05
"""Seconds between two looks at other processes: what they held at most is gone with them."""


def peak_gigabytes(process: int | str = "self") -> float:
    """The most memory that a process has held so far."""
    status = Path(f"/proc/{process}/status")
    if process == "self" and not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024**2


def own_gigabytes(process: int | str = "self") -> float:
    """The memory that a process holds now and shares with no file: without the code of libraries and mapped pages."""
    status = Path(f"/proc/{process}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024**2


@contextmanager
def largest(
    processes: Callable[[], Iterable[int | None]], held_by: Callable[[int | str], float] = peak_gigabytes
) -> Iterator[list[float]]:
    """A list that holds, after the block, the gigabytes that the largest of some processes held meanwhile."""
    held = [0.0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            for process in processes():
                with suppress(OSError, ValueError):  # it has ended since
                    held[0] = max(held[0], held_by(str(process)))

    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    try:
        yield held
    finally:
        over.set()
        watch.join()


def workers() -> list[int | None]:
    """The processes that this one has started through `multiprocessing`."""
    return [worker.pid for worker in multiprocessing.active_children()]


def children() -> list[int | None]:
    """All processes that this one has started, without theirs."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
