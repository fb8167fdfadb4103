"""Progress on stderr: bars on a terminal, a line now and then elsewhere.

Rich draws the bars; they are left out when stderr is not a terminal, where only waits, fallbacks and failures are
worth a line.
"""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class TerminalProgress:
    """Implements hubstats.pipeline.Progress on a rich console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, task: str, total: int | None) -> None:
        """A new bar."""
        self._tasks[task] = self._bars.add_task(task, total=total)

    def advance(self, task: str, items: int, total: int | None = None) -> None:
        """Moves the bar on."""
        if total is not None:
            self._bars.update(self._tasks[task], total=total)
        self._bars.advance(self._tasks[task], items)

    def finish(self, task: str) -> None:
        """Stops the bar."""
        self._bars.stop_task(self._tasks[task])

    def say(self, line: str) -> None:
        """One line above the bars; a name in it that strangers chose cannot steer the terminal."""
        self._console.print(Text("".join(char if char.isprintable() else " " for char in line)))


def for_terminal() -> TerminalProgress:
    """Progress on this process's stderr."""
    return TerminalProgress(Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty()))
