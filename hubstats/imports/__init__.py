"""What one Python file or notebook takes from peft: read from its syntax, never from its text.

Forms of what is found, with `from peft import LoraConfig as L` at line 3 as the pattern:

    from         from peft import LoraConfig as L        module peft, name LoraConfig, alias L
    star         from peft import *                      name *
    import       import peft.tuners as t                 module peft.tuners, no name, alias t
    importlib    importlib.import_module("peft")         module peft; also __import__("peft")
    attribute    peft.LoraConfig, p.utils.other          what `import peft as p` is used for
    construct    L(r=8)                                  name LoraConfig, alias L: as the file writes it
    config_dict  get_peft_config({"peft_type": "LORA"})  name LORA; get_peft_config must be peft's own

An import says that a file could use a technique, a construct or config_dict that it does. Names are followed
through aliases, assignments and scopes, so a project's own LoraConfig is not peft's. Comments, strings, relative
imports and other packages' functions of the same name never count; nor do names put together at run time.

Reading is pure, takes time linear in the size of the file (callers cap it) and never raises.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping

from hubstats.imports.broken import scan
from hubstats.imports.facts import FileReading, Found, technique_of
from hubstats.imports.names import NameTable, parse
from hubstats.imports.notebook import NotebookError, code_cells, without_magics
from hubstats.imports.prefilter import declared_encoding, mentions_peft
from hubstats.imports.roles import classify

__all__ = ["FileReading", "Found", "classify", "mentions_peft", "read_imports", "technique_of"]

_LINEAR_CODECS = ("utf-8", "utf-8-sig", "ascii", "iso8859", "cp", "gb", "hz", "euc", "shift_jis", "big5", "koi8", "mac")
"""Encodings a declaration may ask for. Python would take any codec here, and some (punycode) are quadratic."""


def read_imports(data: bytes | str, path: str, config_classes: Mapping[str, str]) -> FileReading:
    """Everything the file takes from peft, in the order of the text.

    Data that is text already is taken as it is, whatever encoding it declares. `path` only tells a notebook (.ipynb)
    from Python source; `config_classes` maps the names of config classes to registry keys. A file that is not Python 3
    is read line by line and marked `fallback`; a notebook that is not one is `malformed`. Nothing raises.
    """
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    table = NameTable(config_classes, dynamic=mentions_peft(raw))
    if path.lower().endswith(".ipynb"):
        return _read_notebook(raw, table)
    encoding = declared_encoding(raw) if data is raw else None
    known = encoding is None or _is_linear(encoding)
    tree = parse(data) if known else None
    if tree is not None:
        table.add_tree(tree, None)
        return FileReading("ok", "ast", table.found())
    table.add_scan(scan(_text(raw, encoding if known else None)), None)
    return FileReading("ok", "fallback", table.found(), "not Python 3: read line by line")


def _read_notebook(data: bytes, table: NameTable) -> FileReading:
    try:
        cells = code_cells(data)
    except NotebookError as error:
        return FileReading("malformed", None, (), str(error))
    broken = 0
    for cell in cells:
        tree = parse(cell.source)
        cleaned = cell.source if tree else without_magics(cell.source)
        if cleaned is None:
            continue
        tree = tree or parse(cleaned)
        if tree:
            table.add_tree(tree, cell.place)
        else:
            broken += 1
            table.add_scan(scan(cleaned), cell.place)
    if broken:
        return FileReading("ok", "fallback", table.found(), f"{broken} of {len(cells)} code cells read line by line")
    return FileReading("ok", "ast", table.found())


def _is_linear(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name.startswith(_LINEAR_CODECS)
    except (LookupError, ValueError):
        return False


def _text(data: bytes, encoding: str | None) -> str:
    """The bytes as text whatever they are; what cannot be decoded becomes U+FFFD."""
    try:
        return data.decode(encoding or "utf-8", "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")
