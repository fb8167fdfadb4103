"""The questions hubstats can be asked: one SQL file each in queries/<section>/NN_<name>.sql.

A file opens with comment lines that say what it answers and how its result may be drawn:

    -- title: How often do cards name the technique that the config proves?
    -- chart: interval
    -- x: technique
    -- count: naming
    -- total: cards
    -- note: A line with three spaces or more after the dashes
    --     goes on with the line above.
    -- param: source VARCHAR = hub  which source to ask
    WITH ... SELECT ... WHERE source = $source;

`count` and `total` name columns of the result; whoever runs the query adds share, low and high with
`hubstats.estimate.add_intervals`. A parameter has a type, a default (NULL for none) and, after two spaces, its
meaning. Nothing here needs a database: this module finds, reads and checks the files, and turns the
texts of `--param x=y` into values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from hubstats.errors import QueryError

Value = str | int | float | bool | date | None

KEYS = ("title", "chart", "x", "y", "unit", "note", "count", "total", "param")
"""All header keys there are; only `param` may stand more than once."""

_FILE_NAME = re.compile(r"(\d\d)_([a-z][a-z0-9_]*)\.sql\Z")
_HEADER_LINE = re.compile(r"--\s?([a-z]+):\s*(.*)\Z")
_CONTINUED = re.compile(r"--\s{3,}(\S.*)\Z")
_PARAM = re.compile(r"([a-z][a-z0-9_]*)\s+([A-Z]+)\s*=\s*(.*?)(?:\s{2,}(\S.*))?\Z")
_NOT_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", re.DOTALL)
_USED = re.compile(r"\$([a-z][a-z0-9_]*)")


def _boolean(text: str) -> bool:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.casefold()]


def _finite(text: str) -> float:
    value = float(text)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(text)
    return value


_PARSERS: Mapping[str, Callable[[str], Value]] = {
    "VARCHAR": str,
    "BIGINT": int,
    "DOUBLE": _finite,
    "BOOLEAN": _boolean,
    "DATE": date.fromisoformat,
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One `$name` of a query."""

    name: str
    type: str
    default: Value
    meaning: str = ""

    def parse(self, text: str) -> Value:
        """`text` as a value of the parameter's type, NULL as None. Raises ValueError."""
        if text.upper() == "NULL":
            return None
        try:
            return _PARSERS[self.type](text)
        except (KeyError, ValueError, OverflowError) as error:
            raise ValueError(f"'{text}' is no {self.type}") from error

    def __str__(self) -> str:
        default = "NULL" if self.default is None else str(self.default)
        return f"{self.name} {self.type} = {default}"


@dataclass(frozen=True, slots=True)
class Query:
    """One question and the SQL that answers it."""

    name: str
    section: str
    """Folder, which is the section of the report."""
    order: int
    title: str
    sql: str
    """The whole file, header included."""
    path: Path
    chart: str | None = None
    x: str | None = None
    y: str | None = None
    unit: str | None = None
    note: str | None = None
    count: str | None = None
    """Column of the result with the counts of a share, `total` the column it is a share of."""
    total: str | None = None
    parameters: tuple[Parameter, ...] = ()

    def parse(self, texts: Iterable[str]) -> dict[str, Value]:
        """What texts such as 'technique=dora' say, as values of the parameters' types.

        Raises QueryError for a text without '=', a parameter that the query does not have or that is given
        twice, and a value that is not of its type.
        """
        given: dict[str, Value] = {}
        for text in texts:
            name, equals, value = text.partition("=")
            name = name.strip()
            if not equals:
                raise QueryError(f"'{text}' is no parameter: write name=value; {self._offer()}")
            if name in given:
                raise QueryError(f"parameter '{name}' of {self.name} is given twice")
            given[name] = self._value(name, value.strip())
        return given

    def bind(self, given: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """Every parameter of the query with its value: as given, else its default. Texts are read as by `parse`.

        Raises QueryError for a parameter that the query does not have and a value that is not of its type.
        """
        values = {parameter.name: parameter.default for parameter in self.parameters}
        for name, value in (given or {}).items():
            values[name] = self._value(name, value if value is None else str(value))
        return values

    def _value(self, name: str, text: str | None) -> Value:
        declared = {parameter.name: parameter for parameter in self.parameters}
        if name not in declared:
            raise QueryError(f"{self.name} has no parameter '{name}'{near(name, declared)}; {self._offer()}")
        if text is None:
            return None
        try:
            return declared[name].parse(text)
        except ValueError as error:
            raise QueryError(f"{self.name}: parameter '{name}': {error}; {self._offer()}") from error

    def _offer(self) -> str:
        if not self.parameters:
            return f"{self.name} takes none"
        return f"{self.name} takes {', '.join(str(parameter) for parameter in self.parameters)}"


def find() -> tuple[Query, ...]:
    """All queries, in the order of their sections and numbers. Raises QueryError for a broken file."""
    return _load(_folder())


def get(name: str) -> Query:
    """The query called `name`; raises QueryError with near misses."""
    known = {query.name: query for query in find()}
    if name not in known:
        raise QueryError(f"there is no query '{name}'{near(name, known)}; 'hubstats query --list' shows all")
    return known[name]


def near(name: str, known: Iterable[str]) -> str:
    """'; did you mean x or y?', or nothing."""
    close = get_close_matches(name.casefold(), list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _folder() -> Path:
    # The wheel carries the files inside the package; an editable install reads the checkout's own.
    package = Path(__file__).parent
    for folder in (package / "_queries", package.parent / "queries"):
        if folder.is_dir():
            return folder
    raise QueryError("the queries are missing from this installation: install hubstats again")


@lru_cache(maxsize=8)
def _load(folder: Path) -> tuple[Query, ...]:
    found: dict[str, Query] = {}
    for path in sorted(folder.glob("*/*.sql")):
        query = parse(path, path.read_text(encoding="utf-8"))
        if query.name in found:
            raise QueryError(f"{path} and {found[query.name].path} are both called '{query.name}'")
        found[query.name] = query
    return tuple(sorted(found.values(), key=lambda query: (query.section, query.order, query.name)))


@dataclass(slots=True)
class _Header:
    values: dict[str, str] = field(default_factory=dict)
    params: list[str] = field(default_factory=list)


def parse(path: Path, text: str) -> Query:
    """The query in one file. Raises QueryError naming the file when its header or its end is wrong."""
    named = _FILE_NAME.match(path.name)
    if named is None:
        raise QueryError(f"{path}: a query file is called NN_name.sql")
    header = _read_header(path, text)
    if not header.values.get("title"):
        raise QueryError(f"{path}: there is no '-- title:'")
    if ("count" in header.values) != ("total" in header.values):
        raise QueryError(f"{path}: 'count' and 'total' go together")
    parameters = tuple(_read_parameter(path, line) for line in header.params)
    _check_body(path, text, [parameter.name for parameter in parameters])
    return Query(
        name=named[2],
        section=path.parent.name,
        order=int(named[1]),
        sql=text,
        path=path,
        parameters=parameters,
        title=header.values["title"],
        chart=header.values.get("chart"),
        x=header.values.get("x"),
        y=header.values.get("y"),
        unit=header.values.get("unit"),
        note=header.values.get("note"),
        count=header.values.get("count"),
        total=header.values.get("total"),
    )


def _header_lines(path: Path, text: str) -> Iterator[tuple[str, str]]:
    key, value = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("--"):
            break
        continued = _CONTINUED.match(line)
        if continued and key:
            value = f"{value} {continued[1].strip()}"
            continue
        if key:
            yield key, value
        match = _HEADER_LINE.match(line)
        if match is None or match[1] not in KEYS:
            raise QueryError(f"{path}, line {number}: '{line}' is no header line; the keys are {', '.join(KEYS)}")
        key, value = match[1], match[2].strip()
    if key:
        yield key, value


def _read_header(path: Path, text: str) -> _Header:
    header = _Header()
    for key, value in _header_lines(path, text):
        if not value:
            raise QueryError(f"{path}: '{key}' is empty")
        if key == "param":
            header.params.append(value)
        elif key in header.values:
            raise QueryError(f"{path}: '{key}' stands there twice")
        else:
            header.values[key] = value
    return header


def _read_parameter(path: Path, line: str) -> Parameter:
    match = _PARAM.match(line)
    if match is None or match[2] not in _PARSERS:
        raise QueryError(
            f"{path}: 'param: {line}' is not of the form 'name TYPE = default  meaning', "
            f"TYPE one of {', '.join(_PARSERS)}"
        )
    bare = Parameter(match[1], match[2], None, match[4] or "")
    try:
        return Parameter(bare.name, bare.type, bare.parse(match[3]), bare.meaning)
    except ValueError as error:
        raise QueryError(f"{path}: default of '{bare.name}': {error}") from error


def _check_body(path: Path, text: str, declared: list[str]) -> None:
    code = _NOT_CODE.sub(" ", text).strip()
    if not code.strip(";").strip():
        raise QueryError(f"{path}: there is no SQL below the header")
    if not code.endswith(";"):
        raise QueryError(f"{path}: the statement has no closing semicolon")
    if code.count(";") != 1:
        raise QueryError(f"{path}: one statement a file")
    if len(set(declared)) != len(declared):
        raise QueryError(f"{path}: a parameter is declared twice")
    used = set(_USED.findall(code))
    if used != set(declared):
        odd = ", ".join(f"${name}" for name in sorted(used ^ set(declared)))
        raise QueryError(f"{path}: {odd}: used without '-- param:', or declared and not used")
