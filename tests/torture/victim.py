"""`python -m tests.torture.victim WORDS...`: the hubstats command line with short waits and a moment to die at.

The environment variable TORTURE holds JSON, all of it optional:

    limits     keyword defaults of HttpClient, so that a plan of many faults takes seconds
    trace      a file that gets one line per step: the label of what is about to happen
    die        [step, seconds, signal]: that long after the step of that number begins, the process gets the signal
    schema     SQL of one more migration, as the next version of hubstats would bring it
    worker     the command of a bench run
    loud       every library logs all it can to stderr
    broken     the n-th request ends in an exception that nobody foresaw and that quotes the request's headers

A step is anything that changes a disk or asks a server, as Python's audit hooks and the Store see it: a file opened for
writing, renamed or removed, a folder made, a page asked for, a statement that writes, a transaction begun or ended.
"""

from __future__ import annotations

import functools
import itertools
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import Any

NEXT = "0999_next"
"""Name of the migration that `schema` brings."""

AUDITED = {
    "os.mkdir": "mkdir",
    "os.rename": "rename",
    "os.remove": "remove",
    "os.rmdir": "rmdir",
    "os.truncate": "truncate",
    "shutil.rmtree": "rmtree",
}


class Steps:
    """Counts the steps of this process; writes their labels down, or ends the process at one of them."""

    def __init__(self, orders: Mapping[str, Any], home: str) -> None:
        self.number = itertools.count(1)
        self.trace = open(orders["trace"], "w", encoding="utf-8", buffering=1) if "trace" in orders else None  # noqa: PTH123, SIM115
        self.at, self.delay, self.how = orders.get("die") or (0, 0.0, int(signal.SIGKILL))
        self.home = home

    def __call__(self, label: str) -> None:
        number = next(self.number)
        if self.trace is not None:
            self.trace.write(label + "\n")
        if number == self.at:
            if self.delay:
                threading.Thread(target=self.end, daemon=True).start()
            else:
                self.end()

    def end(self) -> None:
        """The signal, after its delay: DuckDB works without the interpreter's lock, so it comes in the middle of it."""
        time.sleep(self.delay)
        os.kill(os.getpid(), self.how)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Python's own account of what touches the disk below the folder of the run."""
        if event == "open":
            path, mode, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if writes and isinstance(path, str) and os.path.abspath(path).startswith(self.home):  # noqa: PTH100
                self("open" + (mode or ""))
        elif event in AUDITED and os.path.abspath(str(arguments[0])).startswith(self.home):  # noqa: PTH100
            self(AUDITED[event])


def before(owner: Any, name: str, label: str, steps: Steps) -> None:
    """Makes each call of `owner.name` a step."""
    original: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(original)
    def stepped(*words: Any, **named: Any) -> Any:
        steps(label)
        return original(*words, **named)

    setattr(owner, name, stepped)


def in_transactions(store: Any, steps: Steps) -> None:
    """Makes the begin of each transaction and its commit a step."""
    original = store.transaction

    @contextmanager
    def stepped(self: Any) -> Any:
        steps("begin")
        with original(self):
            yield
            steps("commit")

    store.transaction = stepped


def _break(kind: Any, at: int) -> None:
    """Makes one exchange of the client a bug that tells all it knows."""
    original = kind._exchange
    number = itertools.count(1)

    def exchange(self: Any, url: str, headers: Mapping[str, str], max_bytes: int) -> Any:
        if next(number) == at:
            raise ValueError(f"cannot send {url} with {{'Authorization': 'Bearer {self._token}', **{dict(headers)}}}")
        return original(self, url, headers, max_bytes)

    kind._exchange = exchange


def main() -> None:
    """Runs hubstats as ordered."""
    orders = json.loads(os.environ.get("TORTURE", "{}"))
    from hubstats import cli, spool, store
    from hubstats.http import client

    client.HttpClient.__init__.__kwdefaults__.update(orders.get("limits", {}))
    if "schema" in orders:
        known = store.migrations()
        store.migrations = lambda: [*known, (NEXT, orders["schema"])]
    if "loud" in orders:
        logging.basicConfig(level=logging.DEBUG)
    if "broken" in orders:
        _break(client.HttpClient, orders["broken"])
    if "worker" in orders:
        from hubstats_bench import benchable, runner

        runner.WORKER = tuple(orders["worker"])
        benchable.missing_packages = list
    if "trace" in orders or "die" in orders:
        steps = Steps(orders, os.getcwd())  # noqa: PTH109
        in_transactions(store.Store, steps)
        for name in ("execute", "_stage", "_take_in", "_remove_owned", "replace", "close"):
            before(store.Store, name, name.strip("_"), steps)
        before(store, "_connect", "connect", steps)
        before(spool.Spool, "commit", "sync", steps)
        before(client.HttpClient, "_exchange", "ask", steps)
        sys.addaudithook(steps.audit)
    cli.main()


if __name__ == "__main__":
    main()
