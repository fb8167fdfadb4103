"""The values that reading a file gives, and which technique a name stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

CONFIG_NAME = re.compile(r"[A-Z]\w*Config\Z")
"""A class that peft may add later is still told apart: all of its configs are called ...Config."""


class Found(NamedTuple):
    """One import, use or construction: a CodeImport without its file. See hubstats.imports for the forms."""

    cell: int | None
    """Index of the notebook cell among all cells, from 0; None in a .py file."""
    form: str
    module: str
    name: str | None
    alias: str | None
    """The local name where it differs: `as L`, or the call as written when it is not by the class's own name."""
    line: int
    """Line where the statement or expression begins, from 1, within the file or the cell."""
    technique: str | None
    """Registry key when `name` is a config class or a peft_type that the registry knows."""
    adjacent: bool | None = None
    """The line reads `from peft import <name>`: what a text search for that phrase finds. None: another form."""


@dataclass(frozen=True, slots=True)
class FileReading:
    """All that one file takes from peft, and how it was read."""

    status: Literal["ok", "malformed"]
    parser: Literal["ast", "fallback"] | None
    imports: tuple[Found, ...]
    detail: str | None = None


def technique_of(name: str | None, config_classes: Mapping[str, str]) -> str | None:
    """Registry key of a config class (LoraConfig) or of a peft_type in capitals (LORA); None for anything else."""
    if name is None:
        return None
    key = config_classes.get(name)
    if key is None and name.isupper() and name.lower() in config_classes.values():
        key = name.lower()
    return key
