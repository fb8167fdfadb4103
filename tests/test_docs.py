"""README and changelog keep up with the code."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main

import hubstats
from hubstats import queries
from hubstats.cli import app
from hubstats.sources import discover

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_has_help_and_is_in_the_readme() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert len(commands) >= 8
    for name, command in commands.items():
        assert command.help, name
        assert f"`hubstats {name}" in README, name


def test_every_option_says_what_it_does() -> None:
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
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
