"""Where the heavy work runs: in this process, in processes of this machine, or on a Ray cluster.

An engine calls one pure function for many items and hands the results over in the order of the items, so what comes
out is the same whatever the engine and the number of its workers. The function and the items are pickled: a function
of a module, small items that say what to read (a file and a range of rows, a repository and hashes), results that are
records. Workers return records and write nothing; the process that called writes.

    >>> with open_engine("local", workers=1) as engine:
    ...     list(engine.map(abs, [-2, 1, -3], lost=lambda item, why: 0))
    [2, 1, 3]

A worker that dies (killed, out of memory, its node gone) takes nothing with it: what it was at is done again elsewhere,
what was finished is not. An item that brings down its worker ATTEMPTS times is given up: `lost` says what stands in for
its result. An exception that the function raises ends the map, as it would in a loop.

`local` and `ray` are the engines; only `_ray` imports ray, and only when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, TypeVar

from hubstats.errors import ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")

ATTEMPTS = 3
"""Times that an item may bring down its worker before it is given up."""
AHEAD = 2
"""Items under way or waiting for their turn, per worker: this bounds what is in memory, whatever there is to do."""

ENGINES = ("local", "ray")


@dataclass(frozen=True, slots=True)
class Needs:
    """What one item takes while it is worked on; an engine with limited resources runs no more at once than fit."""

    cpus: float = 1.0
    gpus: float = 0.0
    """Whole GPUs, or the part of one."""
    memory: float = 0.0
    """Bytes of main memory, as far as known; 0 where it is of no account."""
    gpu_memory: float = 0.0
    """Bytes of memory that a GPU needs to have: smaller ones are passed over while the cluster has larger ones."""
    alone: bool = False
    """Nothing else may run on the same machine's processors meanwhile: its time is measured."""


class Engine(Protocol):
    """A place where work is done, as a context manager."""

    name: str
    workers: int
    """Items that it works on at once, as far as known; results never depend on it."""

    def map(
        self,
        work: Callable[..., Result],
        items: Iterable[Item],
        *,
        lost: Callable[[Item, str], Result],
        needs: Callable[[Item], Needs] | None = None,
        hear: Callable[[Any], None] | None = None,
    ) -> Iterator[Result]:
        """`work(item)` for each item, in the order of the items; a bounded number of them is under way.

        `items` is read in the caller's thread and only as results are taken. With `hear`, work is called as
        `work(item, say)`, and what it says reaches `hear` in the caller's thread, soon and in order. When the caller
        leaves early, work under way is ended. Raises what `work` raises, EngineError when the engine itself fails.
        """
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_engine(
    name: str,
    *,
    workers: int | None = None,
    address: str | None = None,
    notify: Callable[[str], None] = lambda line: None,
) -> Engine:
    """The engine called `name`; `workers` processes on this machine, or all its cores.

    `address` is a Ray cluster's, HOST:PORT or `auto`; without one (and without RAY_ADDRESS) Ray is started here, with
    `workers` processors. `notify` hears of workers that died. Raises ConfigError for an unknown name or an address
    that the engine does not take, EngineError when ray is not installed; entering, when the cluster does not answer.
    """
    if name not in ENGINES:
        raise ConfigError(f"there is no engine '{name}'; there are: {', '.join(ENGINES)}")
    if name == "local":
        if address is not None:
            raise ConfigError("--address is of a Ray cluster: say --engine ray as well")
        from hubstats.engines.local import Local

        return Local(workers or cores(), notify)
    from hubstats.engines._ray import Ray

    return Ray(address, workers, notify)


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
