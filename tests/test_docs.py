"""README and changelog keep up with the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

import hubstats
from hubstats import queries
from hubstats.cli import app
from hubstats.sources import discover

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_every_command_has_help_and_is_in_the_readme() -> None:
    assert len(COMMANDS) >= 10
    for name, command in COMMANDS.items():
        assert command.help, name
        assert f"`hubstats {name}" in README, name


def test_every_option_says_what_it_does() -> None:
    for name, command in COMMANDS.items():
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name}: {parameter.name}"


def test_every_source_and_question_is_in_the_readme() -> None:
    for name in (*discover(), *(question.name for question in queries.find())):
        assert f"`{name}`" in README, name


def test_version_is_the_newest_in_the_changelog() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == hubstats.__version__


def test_no_path_of_a_developers_machine_is_committed() -> None:
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *(ROOT / "hubstats").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(home|Users|root)/\w+", text), path
