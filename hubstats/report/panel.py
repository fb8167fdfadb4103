"""What a section of the page is made of, and the evidence all sections rest on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from hubstats import charts
from hubstats.report import wording
from hubstats.report.standing import Standing, standings

if TYPE_CHECKING:
    import polars

    from hubstats.ask import Answers

PREFERRED = (
    ("hub", "repositories", "evidence"),
    ("dump", "repositories", "evidence"),
    ("github", "repositories", "imports_repositories"),
    ("snapshot", "repositories", "imports_repositories"),
    ("code", "repositories", "imports_repositories"),
    ("hub", "authors", "evidence"),
    ("hub", "downloads", "evidence"),
    ("hub", "repositories", "blog"),
    ("snapshot", "configs", "evidence"),
    ("configs", "configs", "evidence"),
    ("civitai", "checkpoints", "site_type"),
)
"""Popularity counts, the most telling first: sampled use before code, code before uploads."""

FULL = "full_finetuning"
MOST_VIEWS = 10
"""Popularity counts offered in one chart."""

MOST_TASKS = 6
"""Benchmarks offered in one chart, published ones before our own of the same name."""

LONGEST_ID = 400

MOST_ROWS = 24
"""Lines in a chart of lines; the table below it has all."""

Key = tuple[str, str, str]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gap:
    """Something missing, and the command that fills it."""

    text: str
    command: str | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for the page's script: a cell is a value, or {shown, value} where they differ."""

    key: str
    caption: str
    columns: list[dict[str, Any]]
    rows: list[list[Any]]
    cards: list[list[dict[str, Any]]] | None = None
    choice: int | None = None
    """Column that a drop-down filters by."""
    keys: list[str] | None = None
    """Technique of each row: rows can be chosen by what techniques can do, and laid side by side."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a figure rests on."""

    query: str
    """Names of the questions, with commas; empty where it rests on no question to the file."""
    facts: tuple[str, ...]
    """How many, of when, by whom, and what to keep in mind."""
    explain: str | None = None
    """Id that `hubstats explain` knows."""

    @property
    def line(self) -> str:
        """All of it in one line."""
        return " \N{MIDDLE DOT} ".join((*([f"query {self.query}"] if self.query else []), *self.facts))


@dataclass(frozen=True, slots=True)
class View:
    """One state of a panel: a chart with its numbers, or a table alone."""

    source: Source
    picks: tuple[str, ...] = ()
    """Which option of each drop-down shows this view."""
    figure: charts.Figure | None = None
    table: Table | None = None
    notes: tuple[str, ...] = ()
    """Lines below the chart, numbered as its marks are."""
    plane: charts.Plane | None = None
    """In place of a figure: points that the page's script draws, with a choice of what is across and what is up."""
    keys: tuple[str, ...] = ()
    """Short names of the picks, for links; made of the picks themselves where they are not given."""

    def for_script(self) -> dict[str, Any]:
        """What the page's script needs of it."""
        made: dict[str, Any] = {
            "source": asdict(self.source) | {"line": self.source.line},
            "picks": self.picks,
            "keys": self.keys or tuple(map(slug, self.picks)),
            "notes": self.notes,
            "figure": self.figure,
            "table": None if self.table is None else asdict(self.table),
            "plane": None if self.plane is None else self.plane.for_script(),
        }
        if self.table is not None:
            made["source"]["rows"] = len(self.table.rows)
        return {name: value for name, value in made.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Panel:
    """One section of the page."""

    key: str
    short: str
    heading: str
    lead: tuple[str, ...] = ()
    note: str = ""
    missing: tuple[Gap, ...] = ()
    choices: tuple[str, ...] = ()
    """Labels of the drop-downs that choose between the views; one may be `key: label`."""
    views: tuple[View, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    """For a script of the panel's own."""

    def for_script(self) -> dict[str, Any]:
        """What the page's script needs of it."""
        labels = [choice.rpartition(": ")[2] for choice in self.choices]
        return {
            "key": self.key,
            "short": self.short,
            "heading": self.heading,
            "lead": self.lead,
            "note": self.note,
            "missing": [asdict(gap) for gap in self.missing],
            "choices": labels,
            "controls": [slug(choice.partition(": ")[0]) for choice in self.choices],
            "views": [view.for_script() for view in self.views],
            "extra": self.extra,
        }


@dataclass(slots=True)
class Evidence:
    """Everything the page rests on, asked once."""

    answers: Answers
    shares: list[Row] = field(default_factory=list)
    runs: polars.DataFrame = field(init=False)
    facts: dict[str, Row] = field(default_factory=dict)
    standings: list[Standing] = field(default_factory=list)
    contents: list[Row] = field(default_factory=list)
    settings: polars.DataFrame = field(init=False)
    capabilities: list[Row] = field(default_factory=list)
    _claims: list[Row] | None = None

    def __post_init__(self) -> None:
        self.shares = rows_of(self.answers.query("all_shares"))
        self.runs = self.answers.query("bench_results")
        self.facts = {row["key"]: row for row in rows_of(self.answers.query("technique_facts"))}
        self.standings = standings(self.runs, self.answers.query("rerun_spread"))
        self.contents = rows_of(self.answers.query("file_contents"))
        self.settings = self.answers.query("settings_with_costs")
        self.capabilities = rows_of(self.answers.query("capabilities"))

    def claims(self) -> list[Row]:
        """Quoted figures about performance against the newest results."""
        if self._claims is None:
            self._claims = rows_of(self.answers.query("published_claims"))
        return self._claims

    def name(self, key: str | None) -> str:
        """Name to show for a registry key; an unknown key as it is."""
        return charts.plain(self.facts[key]["name"] if key in self.facts else key or "unknown")

    def family(self, key: str | None) -> str:
        """Family of a registry key, other when unknown."""
        return str(self.facts[key]["family"]) if key in self.facts else "other"

    def counts(self) -> list[Key]:
        """(source, measure, rule) of the popularity counts made from this file, the most telling first."""
        found = {
            (row["source"], row["measure"], row["rule"])
            for row in self.shares
            if row["origin"] == "file" and row["rule"] != "overlay"
        }
        order = {key: place for place, key in enumerate(PREFERRED)}
        return sorted(found, key=lambda key: (order.get(key, len(order)), key))

    def of(self, key: Key) -> list[Row]:
        """Shares of one popularity count, the largest first."""
        return [row for row in self.shares if (row["source"], row["measure"], row["rule"]) == key]

    def published(self) -> Standing | None:
        """The standing of published runs on the task with most runs that scores answers."""
        found = [standing for standing in self.standings if not standing.own]
        return max(found, key=lambda standing: (standing.metric == "accuracy", standing.runs), default=None)


def further(number: int) -> Gap:
    """Says that the page leaves out this many benchmarks: it is bounded, whatever the file holds."""
    words = wording.counted(number, "further benchmark")
    return Gap(
        f"{words} of this file {'is' if number == 1 else 'are'} not on the page.", "hubstats query bench_results"
    )


def rows_of(frame: polars.DataFrame) -> list[Row]:
    """A frame's rows by column name."""
    return list(frame.iter_rows(named=True))


def count_words(key: Key) -> str:
    """A popularity count in words: Hub repositories, by what is proven used."""
    source, measure, rule = key
    return f"{wording.source_words(source)}: {wording.counted_words(measure, rule)}"


def source_line(query: str, n: str, dates: str, *more: str | None, explain: str | None = None) -> Source:
    """What a figure rests on, as the line under every chart has it: the questions, how many, of when, and more."""
    return Source(query, tuple(part for part in (n, dates, *more) if part), explain)


def slug(text: str, longest: int = 60) -> str:
    """Text as it may stand in a link or a file's name: small letters, digits and single hyphens."""
    return "-".join(re.findall(r"[a-z0-9]+", text.casefold()))[:longest]


def sample_words(rows: Sequence[Row]) -> str | None:
    """What kind of sample the rows come from, said plainly."""
    kinds = {row["crawl_kind"] for row in rows}
    if "snapshot" in kinds:
        return "embedded snapshot: a purposive sample of repositories, not a live crawl"
    return None if kinds <= {"live", "published", None} else "imported from local files"


def column(
    name: str, label: str, *, number: bool = False, title: str = "", hidden: bool = False, group: str = ""
) -> dict[str, Any]:
    """A column of a table: its name in links and files, and its heading. A hidden one is shown when chosen."""
    made = {"name": name, "label": label, "number": number, "title": title}
    return made | ({"hidden": True} if hidden else {}) | ({"group": group} if group else {})


def cell(shown: str | None, value: Any, id: str | None = None) -> Any:
    """What a table shows for a value; `id` is the figure's, as `hubstats explain` takes it."""
    if value is None or shown is None:
        return None
    return {"shown": shown, "value": value} | ({} if id is None else {"id": charts.plain(id, LONGEST_ID)})


def share_words(row: Row) -> str:
    """A share with the digits that its interval supports."""
    return wording.percent(row["share"], row["low"], row["high"])


def share_cell(row: Row | None) -> Any:
    if row is None:
        return None
    return cell(wording.percent(row["share"], row["low"], row["high"]), row["share"], row.get("id"))


def span_cell(low: float | None, high: float | None) -> Any:
    return (
        None if low is None or high is None else {"shown": wording.span(low, high), "value": f"{low:.6g}..{high:.6g}"}
    )


def subjects(rows: Sequence[Row]) -> int:
    return max((row["subjects"] or 0 for row in rows), default=0)


def upper_limit(rows: Sequence[Row]) -> float | None:
    """Upper end of the interval of a share of zero, as if every subject were an opinion of its own."""
    from hubstats.estimate import wilson_interval

    number = subjects(rows)
    return float(wilson_interval([0], [number])["high"][0]) if number else None


def range_of(row: Row, scale: float = 1.0) -> charts.Range:
    def scaled(name: str) -> float | None:
        # A logarithmic axis has no zero: the line runs off the left side instead.
        return None if row[name] is None else max(row[name] * scale, 1e-4)

    return charts.Range(row["share"] * scale, scaled("low"), scaled("high"), scaled("outer_low"), scaled("outer_high"))
