"""What the names of one file stand for, so that `L(r=8)` is known to construct peft's LoraConfig.

One table per file; the cells of a notebook share it, as they share one namespace. Imports bind names first, uses
are resolved when everything has been read, since a function may use what is imported below it. Scopes are Python's.
A name bound twice in one scope (try: peft, except: a stand-in) is taken as peft's. Trees are walked with a stack of
our own and every name is resolved once, so neither depth nor repetition in a hostile file costs more than its size.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from typing import Any, cast

from hubstats.imports.broken import Scan
from hubstats.imports.facts import CONFIG_NAME, Found, technique_of

_MODULE = re.compile(r"peft(?:\.[^\W\d]\w*)*\Z")
_BINDERS = frozenset(
    (
        *(ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.Global, ast.Nonlocal),
        *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef),
        *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
        *(ast.ExceptHandler, ast.MatchAs, ast.MatchStar),
    )
)
_PARTS = (
    *(ast.stmt, ast.expr, ast.arguments, ast.arg, ast.keyword, ast.comprehension),
    *(ast.ExceptHandler, ast.withitem, ast.match_case, ast.pattern),
)
_VALUES = (ast.Name, ast.Attribute, ast.Call, ast.Dict)
_ORDER = ("from", "star", "import", "importlib", "attribute", "construct", "config_dict")
_MOST_MEANINGS = 8
"""Things one name may stand for at once; a dispatcher has a handful."""
_MOST_HOPS = 8
"""Assignments followed from a name to what it stands for."""
_MOST_PARTS = 12
"""Parts of a dotted name that are looked at."""


def parse(source: bytes | str) -> ast.Module | None:
    """The syntax tree, or None where Python refuses the source or it is nested too deeply."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return None


class _Scope:
    """Names bound in one module, class or function; what is bound to nothing of ours has an empty list."""

    __slots__ = ("bound", "elsewhere", "is_class", "parent")

    def __init__(self, parent: _Scope | None, *, is_class: bool = False) -> None:
        self.parent = parent
        self.is_class = is_class
        self.bound: dict[str, list[str | tuple[ast.expr, _Scope]]] = {}
        self.elsewhere: dict[str, _Scope] = {}

    def bind(self, name: str | None, meaning: str | ast.expr | None = None) -> None:
        if name is None:
            return
        meanings = self.elsewhere.get(name, self).bound.setdefault(name, [])
        if meaning is not None:
            meanings.append(meaning if isinstance(meaning, str) else (meaning, self))

    def look_up(self, name: str) -> tuple[_Scope, list[str | tuple[ast.expr, _Scope]]] | None:
        """The scope that binds the name as seen from here, and its meanings; None when nothing binds it."""
        scope: _Scope | None = self.elsewhere.get(name, self)
        first = True
        while scope is not None:
            if name in scope.bound and (first or not scope.is_class):
                return scope, scope.bound[name]
            scope, first = scope.parent, False
        return None


_Stack = list[tuple[ast.AST, _Scope]]


class NameTable:
    """Collects the imports and uses of one file; `found()` gives them in the order of the text."""

    def __init__(self, config_classes: Mapping[str, str], *, dynamic: bool = True) -> None:
        self._config_classes = config_classes
        self._dynamic = dynamic
        """Whether imports by a call with a string count: not when the word peft is nowhere spelled out."""
        self._module = _Scope(None)
        self._stars: list[str] = []
        self._rows: list[tuple[int, int, Found]] = []
        self._pending: list[tuple[ast.Call | ast.Attribute, _Scope, int | None]] = []
        self._loose: list[tuple[int, tuple[str, ...], bool, int | None]] = []
        self._known: dict[tuple[int, str], tuple[str, ...]] = {}
        self._types: dict[int, str | None] = {}

    def add_tree(self, tree: ast.Module, cell: int | None) -> None:
        """Takes in the imports and bindings of a parsed file or cell."""
        stack: _Stack = [(tree, self._module)]
        while stack:
            node, scope = stack.pop()
            kind = node.__class__
            if kind is ast.Name:
                scope.bind(cast(ast.Name, node).id)  # only names that are written to get here
            elif kind is ast.Attribute:
                attribute = cast(ast.Attribute, node)
                self._pending.append((attribute, scope, cell))
                base, _ = _chain(attribute)
                if not isinstance(base, ast.Name):
                    stack.append((base, scope))
            elif kind is ast.Call:
                self._pending.append((cast(ast.Call, node), scope, cell))
                stack.extend(_children(node, scope))
            elif kind is ast.Import or kind is ast.ImportFrom:
                self._import(cast("ast.Import | ast.ImportFrom", node), scope, cell)
            elif kind in _BINDERS:
                stack.extend(_bind(node, scope, self._module))
            else:
                stack.extend(_children(node, scope))

    def add_scan(self, scan: Scan, cell: int | None) -> None:
        """Takes in what was read line by line; its names count as the module's."""
        for line, form, module, name, alias, adjacent in scan.imports:
            self._add(cell, line, 0, form, module, name, alias, adjacent)
            if form == "star":
                self._stars.append(module)
            elif form == "from":
                self._module.bind(alias or name, f"{module}.{name}")
            elif form == "import":
                self._module.bind(alias or "peft", module if alias else "peft")
        self._loose.extend((line, parts, called, cell) for line, parts, called in scan.uses)

    def found(self) -> tuple[Found, ...]:
        """All rows by cell, line and column; within one statement as written, uses after imports."""
        for node, scope, cell in self._pending:
            if isinstance(node, ast.Call):
                self._call(node, scope, cell)
                continue
            base, attributes = _chain(node)
            head = base.id if isinstance(base, ast.Name) else None
            for meaning in self._meanings(base, scope):
                self._attribute(meaning, head, attributes, (cell, node.lineno, node.col_offset))
        for line, parts, called, cell in self._loose:
            for meaning in self._name(parts[0], self._module):
                self._attribute(meaning, parts[0], parts[1:], (cell, line, 0))
                if called:
                    self._construct(".".join((meaning, *parts[1:])), ".".join(parts), (cell, line, 0))
        self._pending.clear()
        self._loose.clear()
        self._rows.sort(key=lambda row: (-1 if row[2].cell is None else row[2].cell, row[2].line, row[0], row[1]))
        return tuple(row for _, _, row in self._rows)

    def _add(
        self,
        cell: int | None,
        line: int,
        column: int,
        form: str,
        module: str,
        name: str | None,
        alias: str | None,
        adjacent: bool | None = None,
    ) -> None:
        technique = technique_of(name.upper() if name and form == "config_dict" else name, self._config_classes)
        found = Found(cell, form, module, name, alias, line, technique, adjacent)
        self._rows.append((column, _ORDER.index(form), found))

    def _import(self, node: ast.Import | ast.ImportFrom, scope: _Scope, cell: int | None) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                ours = root in ("peft", "importlib")
                bound = alias.name if alias.asname else root
                scope.bind(alias.asname or root, bound if ours else None)
                if root == "peft":
                    self._add(cell, node.lineno, node.col_offset, "import", alias.name, None, alias.asname)
            return
        module = node.module if node.module and not node.level else ""
        ours = module.partition(".")[0] in ("peft", "importlib")
        for alias in node.names:
            if alias.name != "*":
                scope.bind(alias.asname or alias.name, f"{module}.{alias.name}" if ours else None)
            elif ours:
                self._stars.append(module)
            if module.partition(".")[0] == "peft":
                form = "star" if alias.name == "*" else "from"
                # Where the name stands tells a phrase from a bracket, a line break or a second place in the list.
                apart = alias.col_offset - node.col_offset
                adjacent = module == "peft" and alias.lineno == node.lineno and apart == len("from peft import ")
                self._add(cell, node.lineno, node.col_offset, form, module, alias.name, alias.asname, adjacent)

    def _meanings(self, base: ast.expr, scope: _Scope, hops: int = 0) -> tuple[str, ...]:
        """Dotted names in peft or importlib that a name, or a call that imports a module, may stand for."""
        if isinstance(base, ast.Name):
            return self._name(base.id, scope, hops)
        module = self._imported_module(base, scope, hops) if isinstance(base, ast.Call) else None
        return (module,) if module else ()

    def _name(self, name: str, scope: _Scope, hops: int = 0) -> tuple[str, ...]:
        binding = scope.look_up(name)
        if binding is None:
            return tuple(f"{star}.{name}" for star in self._stars[:1] if name in self._config_classes)
        owner, meanings = binding
        key = (id(owner), name)
        if key not in self._known:
            if hops > _MOST_HOPS:
                return ()
            self._known[key] = ()  # a name that stands for itself stands for nothing
            resolved: dict[str, None] = {}
            for meaning in meanings:
                if isinstance(meaning, str):
                    resolved[meaning] = None
                elif not isinstance(meaning[0], ast.Dict):
                    base, attributes = _chain(meaning[0])
                    for dotted in self._meanings(base, meaning[1], hops + 1):
                        resolved[".".join((dotted, *attributes))] = None
                if len(resolved) >= _MOST_MEANINGS:
                    break
            self._known[key] = tuple(resolved)
        return self._known[key]

    def _imported_module(self, call: ast.Call, scope: _Scope, hops: int = 0) -> str | None:
        """The module that importlib.import_module or __import__ is asked for, when it is peft's."""
        wanted = _argument(call, 0, "name")
        if not self._dynamic or not isinstance(wanted, ast.Constant) or not isinstance(wanted.value, str):
            return None
        module = wanted.value
        if module.startswith("."):
            package = _argument(call, 1, "package")
            within = package.value if isinstance(package, ast.Constant) else None
            module = f"{within}{module}" if within == "peft" and not module.startswith("..") else ""
        if not _MODULE.match(module):
            return None
        base, attributes = _chain(call.func)
        if not isinstance(base, ast.Name):
            return None
        if base.id == "__import__" and not attributes and scope.look_up("__import__") is None:
            return module
        names = self._name(base.id, scope, hops)
        return module if any(".".join((n, *attributes)) == "importlib.import_module" for n in names) else None

    def _call(self, call: ast.Call, scope: _Scope, cell: int | None) -> None:
        where = (cell, call.lineno, call.col_offset)
        module = self._imported_module(call, scope)
        if module:
            self._add(*where, "importlib", module, None, None)
            return
        base, attributes = _chain(call.func)
        head = base.id if isinstance(base, ast.Name) else None
        written = ".".join((head, *attributes)) if head else None
        for meaning in self._meanings(base, scope):
            dotted = ".".join((meaning, *attributes))
            self._construct(dotted, written, where)
            if dotted.startswith("peft.") and dotted.endswith(".get_peft_config"):
                for peft_type in self._peft_types(_argument(call, 0, "config_dict"), scope):
                    self._add(*where, "config_dict", dotted.rpartition(".")[0], peft_type, None)

    def _attribute(
        self, meaning: str, head: str | None, attributes: tuple[str, ...], where: tuple[int | None, int, int]
    ) -> None:
        """A row for a name reached through a module, unless the import has named it already."""
        parts = _peft_parts(".".join((meaning, *attributes)))
        reached = meaning.count(".") + 1
        if not attributes or parts is None or parts[2] < reached or (reached > 1 and parts[1].startswith("__")):
            return
        module, name, at = parts
        written = ".".join((head, *attributes[: at - reached + 1])) if head else None
        self._add(*where, "attribute", module, name, None if written == f"{module}.{name}" else written)

    def _construct(self, dotted: str, written: str | None, where: tuple[int | None, int, int]) -> None:
        parts = _peft_parts(dotted)
        if parts is None:
            return
        module, name, at = parts
        if at != dotted.count(".") or not (name in self._config_classes or CONFIG_NAME.match(name)):
            return
        self._add(*where, "construct", module, name, None if written in (name, f"{module}.{name}") else written)

    def _peft_types(self, value: ast.expr | None, scope: _Scope) -> tuple[str, ...]:
        """The peft_type in a dict literal, or in those that a name was given."""
        dicts: list[tuple[ast.expr, _Scope]] = [(value, scope)] if isinstance(value, ast.Dict) else []
        if isinstance(value, ast.Name) and (binding := scope.look_up(value.id)):
            dicts = [given for given in binding[1][:_MOST_MEANINGS] if not isinstance(given, str)]
        types = (self._peft_type(given, where) for given, where in dicts if isinstance(given, ast.Dict))
        return tuple(dict.fromkeys(peft_type for peft_type in types if peft_type))

    def _peft_type(self, given: ast.Dict, scope: _Scope) -> str | None:
        if id(given) not in self._types:
            entries = zip(given.keys, given.values, strict=True)
            values = [v for k, v in entries if isinstance(k, ast.Constant) and k.value == "peft_type"]
            self._types[id(given)] = self._type_value(values[-1], scope) if values else None
        return self._types[id(given)]

    def _type_value(self, value: ast.expr, scope: _Scope) -> str | None:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value[:100].encode("utf-8", "replace").decode("utf-8") or None
        base, attributes = _chain(value)
        for meaning in self._meanings(base, scope) if attributes else ():
            parts = ".".join((meaning, *attributes)).split(".")
            if parts[0] == "peft" and parts[-2] == "PeftType":
                return parts[-1]
        return None


def _children(node: ast.AST, scope: _Scope) -> _Stack:
    """The parts of a node that can bind or use a name, last one first, each with the scope it is seen in."""
    parts: _Stack = []
    for field in reversed(node._fields):
        value: Any = getattr(node, field, None)
        for part in reversed(value) if value.__class__ is list else (value,):
            if part.__class__ is ast.Name and part.ctx.__class__ is ast.Load:
                continue
            if isinstance(part, _PARTS) and part.__class__ is not ast.Constant:
                parts.append((part, scope))
    return parts


def _bind(node: ast.AST, scope: _Scope, module: _Scope) -> _Stack:
    """Binds what a node of _BINDERS binds; its parts, each with the scope it is seen in."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
        for target in node.targets if isinstance(node, ast.Assign) else (node.target,):
            if isinstance(target, ast.Name) and isinstance(node.value, _VALUES):
                scope.bind(target.id, node.value)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
        inner = _Scope(scope, is_class=isinstance(node, ast.ClassDef))
        if not isinstance(node, ast.Lambda):
            scope.bind(node.name)
        if not isinstance(node, ast.ClassDef):
            for argument in _arguments(node.args):
                inner.bind(argument)
        body = set(map(id, node.body)) if isinstance(node.body, list) else {id(node.body)}
        return [(part, inner if id(part) in body else scope) for part, _ in _children(node, scope)]
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return _children(node, _Scope(scope))
    elif isinstance(node, ast.Global):
        scope.elsewhere.update(dict.fromkeys(node.names, module))
    elif isinstance(node, ast.Nonlocal) and scope.parent is not None:
        scope.elsewhere.update(dict.fromkeys(node.names, scope.parent))
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        scope.bind(node.name)
    return _children(node, scope)


def _chain(node: ast.expr) -> tuple[ast.expr, tuple[str, ...]]:
    """`a.b.c` as the expression a and the names b and c; at most the first dozen names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return node, tuple(reversed(names[-_MOST_PARTS:]))


def _peft_parts(dotted: str) -> tuple[str, str, int] | None:
    """Module, name and the name's place in the dotted name; None outside peft.

    The name is the first part that begins with a capital, a class or constant, and else the last part.
    """
    parts = dotted.split(".")
    if parts[0] != "peft" or len(parts) == 1:
        return None
    at = next((i for i, part in enumerate(parts) if part.lstrip("_")[:1].isupper()), len(parts) - 1)
    return ".".join(parts[:at]), parts[at], at


def _arguments(arguments: ast.arguments) -> list[str]:
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    return [argument.arg for argument in every if argument is not None]


def _argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    if len(call.args) > position:
        return call.args[position]
    return next((k.value for k in call.keywords if k.arg == keyword), None)
