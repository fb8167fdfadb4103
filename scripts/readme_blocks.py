"""Parts of README.md that are made from the code. `make docs` writes them anew, `make lint` checks them.

README.md calls these through cog: [[[cog import readme_blocks; readme_blocks.commands() ]]]
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import cog
import typer.main

from hubstats import queries, techniques
from hubstats.cli import app
from hubstats.records import SourceOptions
from hubstats.sources import discover, open_source

SNAPSHOT = Path(tempfile.gettempdir()) / f"hubstats-readme-{os.getpid()}" / "hubstats.duckdb"


def _hubstats(*words: str) -> str:
    """What the command prints on stdout, run on a file made from the embedded snapshot."""
    if not SNAPSHOT.exists():
        SNAPSHOT.parent.mkdir(exist_ok=True)
        atexit.register(shutil.rmtree, SNAPSHOT.parent)
        _hubstats_process("crawl", "snapshot")
    return _hubstats_process(*words)


def _hubstats_process(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "hubstats", *words], cwd=SNAPSHOT.parent, capture_output=True, text=True, check=True
    )
    return done.stdout


def _block(text: str) -> None:
    cog.outl("\n```\n" + "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n```\n")


def demo() -> None:
    """What `make demo` says at its end."""
    said = _hubstats("report", "--out", "hubstats-report.html")
    _block(said.replace(str(SNAPSHOT.parent.resolve()), "…/hubstats"))


def answer(name: str, rows: int, where: str = "true", columns: list[str] | None = None) -> None:
    """The first rows of a named question."""
    from hubstats.ask import connect
    from hubstats.rows import print_table

    _hubstats("query", "--list")
    with connect(SNAPSHOT) as answers:
        frame = answers.query(name)
    if where != "true":
        frame = frame.filter(frame[where])
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        print_table(frame.select(columns or frame.columns).head(rows))
    _block(shown.getvalue())


def sql(text: str) -> None:
    """The answer to ad hoc SQL."""
    _block(_hubstats("sql", text))


def advice(*words: str, lines: int) -> None:
    """The first lines of what `hubstats recommend` prints."""
    _hubstats("query", "--list")
    said = _hubstats("recommend", *words).splitlines()
    _block("\n".join([*said[:lines], "\N{HORIZONTAL ELLIPSIS}"]))


def _line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", r"\|")


def commands() -> None:
    """One heading a command, with its help and options."""
    for name, command in walk(typer.main.get_command(app)):
        words = [
            f"[{parameter.name.upper()}]{'...' if parameter.nargs == -1 else ''}"
            for parameter in command.params
            if parameter.param_type_name == "argument" and parameter.name
        ]
        cog.outl(f"#### `{' '.join(['hubstats', name, *words])}`\n")
        cog.outl(_line(command.help) + "\n")
        for parameter in command.params:
            option = parameter.param_type_name == "option"
            shown = " ".join(parameter.opts) if option else str(parameter.name).upper()
            cog.outl(f"- `{shown}` {_line(getattr(parameter, 'help', ''))}")
        cog.outl("")


def walk(group: Any, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """(name, command) of every command, those of sub-apps as 'evaluate detection'."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from walk(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


def questions() -> None:
    """A table of the named questions."""
    cog.outl("| question | asks | parameters |\n|---|---|---|")
    for question in queries.find():
        parameters = ", ".join(f"`{parameter.name}`" for parameter in question.parameters)
        cog.outl(f"| `{question.name}` | {_line(question.title)} | {parameters} |")


def sources() -> None:
    """A table of the sources, each with the first line of its module."""
    cog.outl("| source | what it reads |\n|---|---|")
    for name in discover():
        module = __import__(f"hubstats.sources.{name}", fromlist=["__doc__"])
        first = (module.__doc__ or "").split("\n\n")[0]
        kind = "asks a server" if open_source(name, SourceOptions(), lambda line: None).live else "reads local files"
        cog.outl(f"| `{name}` | {_line(first)} ({kind}) |")


def counts() -> None:
    """How many techniques the registry has."""
    registry = techniques.load()
    kinds: dict[str, int] = {}
    for technique in registry:
        kinds[technique.kind] = kinds.get(technique.kind, 0) + 1
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: -item[1]))
    cog.outl(f"The registry holds {sum(kinds.values())} entries: {listed}.")
