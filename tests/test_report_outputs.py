"""The report as JSON, CSV and PNG: the same numbers as the page."""

from __future__ import annotations

import csv
import io
import json
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hubstats.ask import connect
from hubstats.cli import app
from hubstats.errors import HubstatsError
from hubstats.report import Page, build, outputs
from tests.browsing import CHROMIUM
from tests.test_report import FIGURES, HOSTILE, RUNS, SHARES, TECHNIQUES, page_data, technique, write


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("outputs") / "x.duckdb", TECHNIQUES, SHARES, FIGURES, RUNS)


@pytest.fixture(scope="module")
def page(db: Path) -> Iterator[Page]:
    with connect(db) as answers:
        yield build(answers, "x.duckdb")


def test_json_is_what_the_page_holds(page: Page) -> None:
    assert json.loads(outputs.as_json(page)) == page_data(page.html)


def test_there_is_a_csv_for_every_table_with_its_values(page: Page) -> None:
    files = dict(outputs.as_csv(page))
    tables = [view["table"] for panel in page.data["panels"].values() for view in panel["views"] if view.get("table")]
    assert len(files) == len(tables) > 8
    [name] = [name for name in files if name.startswith("popularity") and "imports-repositories" in name]
    rows = list(csv.DictReader(io.StringIO(files[name].decode())))
    asked = {row.technique: row.share for row in SHARES if row.rule == "imports_repositories"}
    names = {fact.name: fact.key for fact in TECHNIQUES}
    assert {names[row["technique"]]: float(row["share"]) for row in rows if float(row["share"])} == asked
    assert next(row for row in rows if row["technique"] == "LoRA")["margin"] == "", "missing is missing"


def test_a_name_that_is_a_formula_stays_text(tmp_path: Path) -> None:
    formula = '=HYPERLINK("https://example.org")'
    made = write(tmp_path / "y.duckdb", [*TECHNIQUES, technique("evil", formula), technique("tag", HOSTILE[0])], RUNS)
    with connect(made) as answers:
        files = dict(outputs.as_csv(build(answers, "y.duckdb")))
    cells = [cell for content in files.values() for row in csv.reader(io.StringIO(content.decode())) for cell in row]
    assert f"'{formula}" in cells
    assert not any(cell.startswith("=") for cell in cells)


def test_without_playwright_png_says_what_to_install(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(HubstatsError, match="pip install playwright"):
        next(outputs.as_png(page))


def test_the_command_writes_every_form(db: Path, tmp_path: Path) -> None:
    def run(*more: str) -> str:
        done = CliRunner().invoke(app, ["report", "--db", str(db), *more])
        assert done.exit_code == 0, done.output
        return done.output

    assert "files in" in run("--format", "csv", "--out", str(tmp_path / "tables"))
    assert (tmp_path / "tables" / "techniques.csv").stat().st_size > 50
    run("--format", "json", "--out", str(tmp_path / "page.json"))
    assert json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))["file"] == "x.duckdb"
    run("--out", str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.browser
def test_each_chart_has_its_picture(page: Page) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    # In a thread of its own: the browser of the other tests holds this one's event loop.
    with ThreadPoolExecutor(1) as elsewhere:
        pictures = elsewhere.submit(lambda: dict(outputs.as_png(page, "frontier.across=train_time"))).result()
    charts = {
        key for key, panel in page.data["panels"].items() if any("figure" in v or "plane" in v for v in panel["views"])
    }
    assert {name.removesuffix(".png") for name in pictures} == charts
    for content in pictures.values():
        assert content.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", content[16:24])
        assert width > 1000
        assert height > 200
