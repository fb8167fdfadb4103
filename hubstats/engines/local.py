"""The engine of one machine: this process for one worker, else a pool of processes that outlives their deaths.

Processes are spawned, not forked: Polars and DuckDB have threads, and a fork copies their locks as they are. To start
and import takes one about a second, so the pool is begun only when this process has worked for that long.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from types import TracebackType
from typing import Any, Generic

from hubstats.engines import AHEAD, ATTEMPTS, Engine, Item, Needs, Result

ALONE = 1.0
"""Seconds of work that this process does before it asks for help: less is done sooner than a pool is begun."""
LOOK = 0.25
"""Seconds of one wait: a wait without end may miss Ctrl-C."""


class Local:
    """Processes of this machine. `needs` are not looked at: `workers` is what the person allows."""

    name = "local"

    def __init__(
        self, workers: int, notify: Callable[[str], None] = lambda line: None, *, alone: float = ALONE
    ) -> None:
        self.workers = max(1, workers)
        self._alone = alone
        self._notify = notify
        self._worked = 0.0
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(at_once=error is not None)

    def map(
        self,
        work: Callable[..., Result],
        items: Iterable[Item],
        *,
        lost: Callable[[Item, str], Result],
        needs: Callable[[Item], Needs] | None = None,
        hear: Callable[[Any], None] | None = None,
    ) -> Iterator[Result]:
        """See Engine.map. Work that is listened to is done in this process, one item after the other."""
        source = iter(items)
        for item in source:
            if hear is None and self.workers > 1 and (self._pool is not None or self._worked >= self._alone):
                yield from self._pooled(work, chain((item,), source), lost)
                return
            began = time.perf_counter()
            result = work(item) if hear is None else work(item, hear)
            self._worked += time.perf_counter() - began
            yield result

    def _pooled(
        self,
        work: Callable[..., Result],
        source: Iterator[Item],
        lost: Callable[[Item, str], Result],
    ) -> Iterator[Result]:
        under_way: deque[_Task[Item, Result]] = deque()
        most = self.workers * AHEAD
        try:
            while True:
                # After a death nobody knows which item it was: those under way are done again one at a time.
                suspects = [task for task in under_way if task.deaths and not task.done]
                if not suspects:
                    under_way.extend(_Task(item) for item in islice(source, most - len(under_way)))
                if not under_way:
                    return
                for task in suspects[:1] or under_way:
                    if task.future is None:
                        task.future = self._submit(work, task.item)
                head = suspects[0] if suspects else under_way[0]
                assert head.future is not None
                wait((head.future,), timeout=LOOK)
                if head.future.done():
                    self._settle(head, under_way, lost)
                while under_way and under_way[0].done:
                    yield under_way.popleft().result()
        except BaseException:
            self._end(at_once=True)
            raise

    def _submit(self, work: Callable[..., Result], item: Item) -> Future[Result]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=multiprocessing.get_context("spawn"), initializer=_follow_the_parent
            )
        try:
            return self._pool.submit(work, item)
        except BrokenProcessPool as error:  # a worker has died since
            broken: Future[Result] = Future()
            broken.set_exception(error)
            return broken

    def _settle(
        self, head: _Task[Item, Result], under_way: Iterable[_Task[Item, Result]], lost: Callable[[Item, str], Result]
    ) -> None:
        """Takes the outcome of a finished task; when a worker died, everything unfinished is to be done again."""
        assert head.future is not None
        try:
            head.take(head.future.result())
            return
        except BrokenProcessPool:
            pass
        self._notify("a worker died; what it was at is done again")
        self._end()
        alone = head.deaths > 0
        for task in under_way:
            if task.future is None or task.done:
                continue
            if task.future.done() and task.future.exception() is None:
                task.take(task.future.result())
                continue
            task.future = None
            task.deaths += 1 if not alone or task is head else 0
        if alone and head.deaths >= ATTEMPTS:
            head.take(lost(head.item, f"the process at work on it died {head.deaths} times; out of memory, perhaps"))

    def _end(self, at_once: bool = False) -> None:
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        processes = list((pool._processes or {}).values()) if at_once else []
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            with suppress(OSError, ValueError):
                process.terminate()


@dataclass(slots=True)
class _Task(Generic[Item, Result]):
    item: Item
    future: Future[Result] | None = None
    deaths: int = 0
    """Times that a worker died while this was under way."""
    done: bool = False
    _result: list[Result] = field(default_factory=list)

    def take(self, result: Result) -> None:
        self._result, self.done, self.future = [result], True, None

    def result(self) -> Result:
        return self._result[0]


def _follow_the_parent() -> None:
    """Ctrl-C reaches all processes of a terminal, and is the parent's to act on; without a parent there is no work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
