"""Python, packages, programs and disk space."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from packaging.requirements import Requirement

from hubstats import __version__
from hubstats.doctor.finding import Finding

LEAST_SPACE = 2 * 1024**3
"""Bytes that the listing of the whole Hub takes, with its spool, and some to spare."""


def examine(db: Path) -> Iterator[Finding]:
    """What is to be said of this machine; `db` names the disk that counts."""
    yield _python()
    yield from _packages()
    yield _registry()
    yield _disk(db)
    if shutil.which("git") is None:
        yield Finding("environment", "git", "note", "git is not there", "install it to import code from repositories")


def _python() -> Finding:
    said = f"hubstats {__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return Finding("environment", "python", "ok", said)


def _packages() -> Iterator[Finding]:
    """Every requirement of the installed hubstats, those of its extras only where they are installed."""
    try:
        required = importlib.metadata.requires("hubstats") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding("environment", "packages", "warning", "hubstats is not installed here, only its files are", None)
        return
    wrong: list[str] = []
    checked = 0
    for text in required:
        requirement = Requirement(text)
        extra = requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            if not extra:
                wrong.append(f"{requirement.name} is missing")
            continue
        checked += 1
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, needed is {requirement.specifier}")
    if wrong:
        advice = "set up anew: make setup, or pip install --upgrade hubstats"
        yield Finding("environment", "packages", "problem", "; ".join(wrong), advice)
    else:
        yield Finding("environment", "packages", "ok", f"{checked} packages as required")


def _registry() -> Finding:
    from hubstats.techniques import load

    here = resources.files("hubstats")
    return Finding("environment", "registry", "ok", f"{len(list(load()))} techniques, read from {here}")


def _disk(db: Path) -> Finding:
    place = db.resolve().parent
    if not place.is_dir():
        return Finding("environment", "disk", "problem", f"there is no folder {place}", "make it, or give another --db")
    free = shutil.disk_usage(place).free
    said = f"{free / 1024**3:,.1f} GiB free at {place}"
    if not os.access(place, os.W_OK):
        return Finding("environment", "disk", "problem", f"{place} cannot be written", "give another place with --db")
    if free < LEAST_SPACE:
        return Finding("environment", "disk", "warning", said, "a large crawl may fill it, stop, and go on later")
    return Finding("environment", "disk", "ok", said)
