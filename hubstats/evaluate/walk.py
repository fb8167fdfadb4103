"""The imports of peft in Python source, as the plainest program finds them: every node of the tree, nothing clever.

hubstats.evaluate.imports holds hubstats.imports against this. So it shares no code with that reader, decides nothing
beforehand about a file and knows no scopes: it is meant to be judged right by reading it. What it cannot see:

    a file or cell that does not parse as Python 3   None, not an empty list; the reader's fallback has no rival here
    cells with magics or shell lines                 do not parse as they stand, so the same
    notebooks of format 3, or that are not JSON      None
    uses, importlib.import_module("peft")            no import statements, so not looked for
"""

from __future__ import annotations

import ast
import json
import warnings

Import = tuple[int, str, str | None, str | None]
"""(line, module, name, alias): name is None for `import peft`, `*` for a star."""


def walk(source: bytes | str) -> list[Import] | None:
    """Every name that an import statement takes from peft; None when Python cannot parse the source."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: list[Import] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_peft(alias.name):
                    found.append((node.lineno, alias.name, None, alias.asname))
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module and _is_peft(node.module):
            for alias in node.names:
                found.append((node.lineno, node.module, alias.name, alias.asname))
    return found


def _is_peft(module: str) -> bool:
    return module == "peft" or module.startswith("peft.")


def cells(notebook: bytes) -> list[tuple[int, str]] | None:
    """(place among all cells, source) of every code cell; None when this is no notebook of format 4."""
    try:
        content = json.loads(notebook)
        return [
            (place, "".join(cell["source"]))
            for place, cell in enumerate(content["cells"])
            if cell["cell_type"] == "code"
        ]
    except (ValueError, KeyError, TypeError, RecursionError, MemoryError):
        return None
