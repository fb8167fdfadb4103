"""Doing one blocking thing for many items at once, with little in memory."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 256
"""Results handed over at once, at most."""
AHEAD = 8
LEAST_AHEAD = 32
"""Items under way or waiting, per thread and at least: enough that none idles while a batch is being written, few
enough that even the largest files of all of them fit into memory."""
GATHER_SECONDS = 0.03


def in_threads(work: Callable[[Item], Result], items: Iterable[Item], most: int) -> Iterator[list[Result]]:
    """Batches of `work(item)` in the order they finish, on as many threads as help, `most` at most.

    It begins with one thread and adds another while the threads wait for answers far longer than they would for each
    other: on a fast network more threads than that only fight for the interpreter. `items` is read in the caller's
    thread and only as results are taken, so both sides stay small. The first exception of `work` ends it, after the
    results before it have been handed over. The threads are daemons: when the caller leaves early, nobody waits for
    requests that are under way.
    """
    waiting: queue.SimpleQueue[tuple[Item] | None] = queue.SimpleQueue()
    finished: queue.SimpleQueue[_Done[Result] | BaseException] = queue.SimpleQueue()
    left = threading.Event()

    def run() -> None:
        while (task := waiting.get()) is not None and not left.is_set():
            began, used = time.perf_counter(), time.thread_time()
            try:
                result = work(task[0])
            except BaseException as error:  # handed to the caller's thread, whatever it is
                finished.put(error)
            else:
                finished.put(_Done(result, time.perf_counter() - began, time.thread_time() - used))

    threads = 0
    pending = 0
    source = iter(items)
    exhausted = False
    outcomes: list[_Done[Result] | BaseException] = []
    try:
        while True:
            if threads == 0 or (threads < most and _would_help(outcomes, threads)):
                threads += 1
                threading.Thread(target=run, name=f"hubstats-{threads}", daemon=True).start()
            while not exhausted and pending < max(LEAST_AHEAD, AHEAD * threads):
                try:
                    waiting.put((next(source),))
                    pending += 1
                except StopIteration:
                    exhausted = True
            if pending == 0:
                return
            outcomes = [_next(finished)]
            # Gathering for a moment spares a page, and a switch of threads, per item.
            time.sleep(GATHER_SECONDS)
            with suppress(queue.Empty):
                while len(outcomes) < BATCH:
                    outcomes.append(finished.get_nowait())
            pending -= len(outcomes)
            batch = [outcome.result for outcome in outcomes if isinstance(outcome, _Done)]
            error = next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None)
            if batch:
                yield batch
            if error is not None:
                raise error
    finally:
        left.set()
        for _ in range(threads):
            waiting.put(None)


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items, each made on a thread of its own while the one before it is used; two of them are in memory.

    What making them raises is raised where the item would have stood.
    """
    made: queue.Queue[_Made[Item] | BaseException | None] = queue.Queue(maxsize=1)
    left = threading.Event()

    def put(outcome: _Made[Item] | BaseException | None) -> None:
        while not left.is_set():
            with suppress(queue.Full):
                made.put(outcome, timeout=0.1)
                return

    def run() -> None:
        try:
            for item in items:
                put(_Made(item))
                if left.is_set():
                    return
            put(None)
        except BaseException as error:  # handed to the caller's thread, whatever it is
            put(error)

    thread = threading.Thread(target=run, name="hubstats-ahead", daemon=True)
    thread.start()
    try:
        while (outcome := made.get()) is not None:
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome.item
    finally:
        left.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class _Made(Generic[Item]):
    item: Item


def _next(finished: queue.SimpleQueue[Result]) -> Result:
    """The next outcome. Waits in short pieces: a Ctrl-C that comes while Polars minds signals wakes no one (2.1.0)."""
    while True:
        with suppress(queue.Empty):
            return finished.get(timeout=0.5)


@dataclass(frozen=True, slots=True)
class _Done(Generic[Result]):
    result: Result
    seconds: float
    """From beginning to end."""
    used: float
    """Of these, in this thread's own work."""


def _would_help(outcomes: Iterable[object], threads: int) -> bool:
    """Whether the last items were waited for: n threads in each other's way take n times their own work.

    Four times that is a network: a nearby server answers in a millisecond, half of it work, the Hub in a hundred.
    """
    done = [outcome for outcome in outcomes if isinstance(outcome, _Done)]
    return sum(one.seconds for one in done) > 4 * threads * sum(one.used for one in done)
