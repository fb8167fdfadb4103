r"""The code cells of a Jupyter notebook, with what IPython adds to Python taken out.

    {"cells": [{"cell_type": "code", "source": ["!pip install peft\n", "from peft import LoraConfig\n"]}, ...]}

Format 3 keeps the cells in worksheets and calls the source `input`; both are read.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

_CELL_MAGIC = re.compile(r"\s*%%\s*(\w+)")
_PYTHON_MAGICS = frozenset(("time", "timeit", "capture", "prun", "memit", "python", "python3", "px", "wandb"))
"""Cell magics whose body is Python. Any other hands the body to something else: a shell, a file, HTML."""
_TIMED = re.compile(r"([ \t]*)%time[ \t]+(?=\S)")
_LINE_MAGIC = re.compile(r"[ \t]*(?:[%!?]|[\w.]+[ \t]*=[ \t]*[%!](?!=)|[\w.]+\?{1,2}[ \t]*$)")


class NotebookError(ValueError):
    """The file is not a notebook; the text says how."""


class Cell(NamedTuple):
    """One code cell: where it stands among all cells, from 0, and its text."""

    place: int
    source: str


def code_cells(data: bytes) -> list[Cell]:
    """The notebook's code cells, none when its kernel is not Python. Raises NotebookError on anything else."""
    try:
        notebook = json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotebookError(f"not JSON: {type(error).__name__}") from error
    if not isinstance(notebook, dict):
        raise NotebookError("not a notebook: the JSON is not an object")
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        sheets = notebook.get("worksheets")
        if not isinstance(sheets, list):
            raise NotebookError("not a notebook: no list of cells")
        cells = [cell for sheet in sheets for cell in _list(sheet, "cells")]
    if _language(notebook) not in ("", "python", "python2", "python3", "ipython"):
        return []
    return [
        Cell(place, _source(cell))
        for place, cell in enumerate(cells)
        if isinstance(cell, dict) and cell.get("cell_type") == "code"
    ]


def without_magics(source: str) -> str | None:
    """The cell with every magic, shell and help line made `pass`; None when its cell magic says it is not Python.

    Line numbers stay. Meant for a cell that does not parse as it stands: where % or ! begin a line of an ordinary
    expression or string, nothing has to be taken out.
    """
    magic = _CELL_MAGIC.match(source)
    if magic and magic.group(1) not in _PYTHON_MAGICS:
        return None
    lines = []
    inside = False
    for line in source.split("\n"):
        timed = _TIMED.match(line)
        if inside or (_LINE_MAGIC.match(line) and not timed):
            lines.append("" if inside else line[: len(line) - len(line.lstrip())] + "pass")
            inside = line.rstrip().endswith("\\")
        else:
            lines.append(_TIMED.sub(r"\1", line) if timed else line)
    return "\n".join(lines)


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    for block, key in (("language_info", "name"), ("kernelspec", "language")):
        value = metadata.get(block) if isinstance(metadata, dict) else None
        name = value.get(key) if isinstance(value, dict) else None
        if isinstance(name, str):
            return name.lower()
    return ""


def _source(cell: dict[str, Any]) -> str:
    value = cell.get("source", cell.get("input"))
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str)).removeprefix("\ufeff")


def _list(value: object, key: str) -> list[Any]:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, list) else []
