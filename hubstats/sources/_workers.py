"""Doing one blocking thing for many items at once, with little in memory."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 64
"""Results handed over at once, at most."""
AHEAD = 4
"""Items under way or waiting per worker: enough that no worker idles while a batch is being written."""
GATHER_SECONDS = 0.01


def in_threads(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[list[Result]]:
    """Batches of `work(item)` in the order they finish.

    `items` is read in the caller's thread and only as results are taken, so both sides stay small. The first
    exception of `work` ends it, after the results before it have been handed over. The threads are daemons: when
    the caller leaves early, nobody waits for requests that are under way.
    """
    waiting: queue.SimpleQueue[tuple[Item] | None] = queue.SimpleQueue()
    finished: queue.SimpleQueue[tuple[Result] | BaseException] = queue.SimpleQueue()
    left = threading.Event()

    def run() -> None:
        while (task := waiting.get()) is not None and not left.is_set():
            try:
                finished.put((work(task[0]),))
            except BaseException as error:  # handed to the caller's thread, whatever it is
                finished.put(error)

    for number in range(workers):
        threading.Thread(target=run, name=f"hubstats-{number}", daemon=True).start()

    pending = 0
    source = iter(items)
    exhausted = False
    try:
        while True:
            while not exhausted and pending < AHEAD * workers:
                try:
                    waiting.put((next(source),))
                    pending += 1
                except StopIteration:
                    exhausted = True
            if pending == 0:
                return
            outcomes = [finished.get()]
            # Gathering for a moment spares a page, and a switch of threads, per item.
            time.sleep(GATHER_SECONDS)
            with suppress(queue.Empty):
                while len(outcomes) < BATCH:
                    outcomes.append(finished.get_nowait())
            pending -= len(outcomes)
            batch = [outcome[0] for outcome in outcomes if isinstance(outcome, tuple)]
            error = next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None)
            if batch:
                yield batch
            if error is not None:
                raise error
    finally:
        left.set()
        for _ in range(workers):
            waiting.put(None)
