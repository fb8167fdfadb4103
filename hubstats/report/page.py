"""One self-contained HTML page: no request leaves it, no text from outside becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubstats import __version__, charts
from hubstats.errors import HubstatsError
from hubstats.report import wording
from hubstats.report.claims import claims
from hubstats.report.concentration import concentration
from hubstats.report.counts import imports, sources
from hubstats.report.findings import Finding, findings, headline
from hubstats.report.panel import Evidence, Panel
from hubstats.report.performance import frontier, history
from hubstats.report.popularity import popularity
from hubstats.report.recall import recall
from hubstats.report.reconciliation import reconciliation
from hubstats.report.simulation import results_path, simulation
from hubstats.report.techniques import holdings, techniques
from hubstats.report.trend import trend

if TYPE_CHECKING:
    from hubstats.ask import Answers


LONGEST_TEXT = 600
"""Characters of any one text on the page: the last guard against what no section cut to size."""


@dataclass(frozen=True, slots=True)
class Page:
    """The report: the HTML text, and the findings of its first screen."""

    html: str
    findings: tuple[Finding, ...]
    headline: str
    panels: tuple[Panel, ...]


def build(answers: Answers, source: str) -> Page:
    """The page on the file behind `answers`, which is called `source` in it. The same file gives the same page.

    Works on any state of the file: what is missing is said in its place. Raises QueryError when the file's schema
    does not fit the questions, HubstatsError when this installation lacks the template.
    """
    folder = template_folder()
    prose: dict[str, Any] = tomllib.loads((folder / "prose.toml").read_text(encoding="utf-8"))
    evidence = Evidence(answers)
    makers = (
        popularity,
        frontier,
        sources,
        reconciliation,
        trend,
        recall,
        concentration,
        imports,
        history,
        claims,
        techniques,
    )
    panels = tuple(make(evidence, prose[make.__name__]) for make in makers)
    name = charts.plain(source, 80)
    found = findings(evidence, name)
    title = headline(evidence)
    apart = (simulation(results_path()), holdings(evidence))
    html = _render(folder, prose, panels, apart, found, title, name, _made(evidence))
    return Page(html, found, title, panels)


def template_folder() -> Path:
    """Where template, style, script and prose are: in the package (wheel), else beside the checkout's."""
    package = Path(__file__).parent.parent
    for folder in (package / "_reports", package.parent / "reports"):
        if (folder / "page.html.j2").is_file():
            return folder
    raise HubstatsError("the report's template is missing from this installation: install hubstats again")


def data_block(value: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _render(
    folder: Path,
    prose: dict[str, Any],
    panels: tuple[Panel, ...],
    apart: tuple[Panel, Panel],
    found: tuple[Finding, ...],
    title: str,
    source: str,
    made: str,
) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    scripts = [charts.library(), (folder / "page.js").read_text(encoding="utf-8")]
    block = data_block(
        {
            "palette": dict(charts.PALETTE.values()),
            "panels": {panel.key: _tidy(panel.for_script()) for panel in (*panels, *apart)},
        }
    )
    return environment.get_template("page.html.j2").render(
        prose=prose,
        panels=panels,
        simulated=apart[0],
        findings=found,
        headline=title,
        source=source,
        made=made,
        version=__version__,
        style=Markup((folder / "style.css").read_text(encoding="utf-8")),
        # Our own files and a block without any '<': the only texts that are not escaped.
        scripts=[Markup(script) for script in scripts],
        script_hashes=Markup(" ".join(_hash(script) for script in scripts)),
        data=Markup(block),
    )


def _tidy(value: Any) -> Any:
    """The value with every text in it bounded, and without marks that are not seen or turn text around."""
    if isinstance(value, str):
        return charts.plain(value, LONGEST_TEXT)
    if isinstance(value, dict):
        return {key: _tidy(item) for key, item in value.items()}
    return [_tidy(item) for item in value] if isinstance(value, list | tuple) else value


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _made(evidence: Evidence) -> str:
    days = [row["newest"] for row in evidence.contents if row["newest"]]
    if not days:
        return "no data yet"
    counted = wording.counted(len({row["source"] for row in evidence.contents}), "source")
    return f"data up to {wording.day(max(days))}, {counted}"
