"""One self-contained HTML page: no request leaves it, no text from outside becomes markup."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubstats import __version__, charts
from hubstats.errors import HubstatsError
from hubstats.report import capabilities, wording
from hubstats.report.claims import claims
from hubstats.report.concentration import concentration
from hubstats.report.counts import imports, sources
from hubstats.report.findings import Finding, findings, headline
from hubstats.report.history import history
from hubstats.report.panel import Evidence, Panel, Row
from hubstats.report.performance import frontier
from hubstats.report.popularity import popularity
from hubstats.report.questions import Question, not_known, questions
from hubstats.report.recall import recall
from hubstats.report.recommendation import recommend
from hubstats.report.reconciliation import reconciliation
from hubstats.report.simulation import results_path, simulation
from hubstats.report.techniques import holdings, techniques
from hubstats.report.trend import trend

if TYPE_CHECKING:
    from hubstats.ask import Answers


LONGEST_TEXT = 600
"""Characters of any one text on the page: the last guard against what no section cut to size."""

MAKERS: tuple[Callable[[Evidence, Row], Panel], ...] = (
    popularity,
    frontier,
    recommend,
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
"""The sections in the order of the page; the words of each are under its name in prose.toml."""


@dataclass(frozen=True, slots=True)
class Page:
    """The report: the HTML text, and what it was made of."""

    html: str
    findings: tuple[Finding, ...]
    headline: str
    panels: tuple[Panel, ...]
    data: dict[str, Any]
    """Everything on the page, ready for JSON."""


def build(answers: Answers, source: str) -> Page:
    """The page on the file behind `answers`, which is called `source` in it. The same file gives the same page.

    Works on any state of the file: what is missing is said in its place. Raises QueryError when the file's schema
    does not fit the questions, HubstatsError when this installation lacks the template.
    """
    folder = template_folder()
    prose: dict[str, Any] = tomllib.loads((folder / "prose.toml").read_text(encoding="utf-8"))
    evidence = Evidence(answers)
    panels = tuple(make(evidence, prose[make.__name__]) for make in MAKERS)
    apart = (simulation(results_path()), holdings(evidence))
    found, asked = findings(evidence, charts.plain(source, 80)), questions(evidence, panels)
    title, unknown = headline(evidence), not_known(evidence)
    words = charts.plain(source, 80)
    data = _data(panels, apart, found, asked, title, unknown, words, _made(evidence))
    data["capabilities"] = _tidy(capabilities.for_script(evidence))
    return Page(_render(folder, prose, panels, apart, data), found, title, panels, data)


def page_data(answers: Answers, source: str) -> dict[str, Any]:
    """Everything on the page as one structure ready for JSON: the answer, the questions, each section's numbers."""
    return build(answers, source).data


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


def _data(
    panels: Sequence[Panel],
    apart: Sequence[Panel],
    found: Sequence[Finding],
    asked: Sequence[Question],
    title: str,
    unknown: Sequence[str],
    source: str,
    made: str,
) -> dict[str, Any]:
    data = {
        "hubstats": __version__,
        "file": source,
        "made": made,
        "headline": title,
        "unknown": list(unknown),
        "findings": [asdict(finding) for finding in found],
        "questions": [asdict(question) for question in asked],
        "palette": dict(charts.PALETTE.values()),
        "tokens": {token: light for token, (light, _) in charts.PALETTE.items()},
        "panels": {panel.key: panel.for_script() for panel in (*panels, *apart)},
    }
    tidy: dict[str, Any] = _tidy(data)
    return tidy


def _render(
    folder: Path, prose: dict[str, Any], panels: Sequence[Panel], apart: Sequence[Panel], data: dict[str, Any]
) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    # Plotly is most of the page. Packed it is a third of that, and the page is there before it is unpacked and read;
    # the policy names what it unpacks to, so nothing else can run in its place.
    script, library = _joined(folder, "js"), charts.library()
    style = _joined(folder, "css")
    environment.filters["unbroken"] = _unbroken
    return environment.get_template("page.html.j2").render(
        prose=prose,
        panels=panels,
        simulated=apart[0],
        data=data,
        # Our own files and a block without any '<': the only texts that are not escaped.
        style=Markup(style),
        script=Markup(script),
        library=Markup(base64.b64encode(gzip.compress(library.encode(), 9, mtime=0)).decode()),
        script_hashes=Markup(" ".join(map(_hash, (script, library)))),
        # Plotly puts its rules into style elements that it makes empty.
        style_hashes=Markup(" ".join(map(_hash, (style, "")))),
        block=Markup(data_block(data)),
    )


def _joined(folder: Path, kind: str) -> str:
    """The files of one kind in the order of their names, as one text."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((folder / kind).glob(f"*.{kind}")))


def _tidy(value: Any) -> Any:
    """The value with every text in it bounded, and without marks that are not seen or turn text around."""
    if isinstance(value, str):
        return charts.plain(value, LONGEST_TEXT)
    if isinstance(value, dict):
        return {key: _tidy(item) for key, item in value.items()}
    return [_tidy(item) for item in value] if isinstance(value, list | tuple) else value


def _unbroken(text: str) -> Any:
    """Text in which an interval is not broken over two lines."""
    from markupsafe import Markup, escape

    whole = re.sub(r"\S*\d\N{EN DASH}\d\S*", lambda found: f'<span class="whole">{found[0]}</span>', str(escape(text)))
    return Markup(whole)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _made(evidence: Evidence) -> str:
    days = [row["newest"] for row in evidence.contents if row["newest"]]
    if not days:
        return "no data yet"
    counted = wording.counted(len({row["source"] for row in evidence.contents}), "source")
    return f"data up to {wording.day(max(days))}, {counted}"
