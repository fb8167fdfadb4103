"""The report in other forms: its numbers as CSV, a file a chart, and its charts as PNG, drawn by a headless Chromium.

A PNG is a picture of the page itself, so that both can never differ.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubstats.errors import HubstatsError
from hubstats.report.page import Page
from hubstats.report.panel import slug
from hubstats.rows import guarded

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDTH = 1280
SCALE = 2
"""Pixels of the picture a pixel of the page."""
ALONE = """section => {
    Object.assign(section.style, { padding: "14px 18px", margin: "0 -18px", border: "0" });
    section.querySelectorAll("nav, .controls, .choose, .note, .missing, .lead, details, button").forEach((part) => {
        part.style.display = "none";
    });
}"""
"""Leaves of a section what its picture needs where it stands alone: heading, legend, chart and source. Room beside the
chart comes from outside, for it keeps the width in which it was drawn."""

PATIENCE = 60_000
"""Milliseconds until a chart must be drawn."""


def as_json(page: Page) -> bytes:
    """Everything on the page as JSON, indented."""
    return (json.dumps(page.data, ensure_ascii=False, allow_nan=False, indent=1, default=str) + "\n").encode()


def as_csv(page: Page) -> Iterator[tuple[str, bytes]]:
    """(file name, content) for the table behind each chart, and for each table: the values, unrounded."""
    taken: set[str] = set()
    for key, panel in page.data["panels"].items():
        for view in panel["views"]:
            table = view.get("table")
            if table is None:
                continue
            name = slug(table["key"], 120) or key
            name = name if name.startswith(key) else f"{key}-{name}"
            while name in taken:
                name += "-"
            taken.add(name)
            yield f"{name}.csv", _csv(table)


def _csv(table: dict[str, Any]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(column["name"] for column in table["columns"])
    writer.writerows([_bare(cell) for cell in row] for row in table["rows"])
    return text.getvalue().encode()


def _bare(cell: Any) -> Any:
    """A cell's value."""
    value = cell["value"] if isinstance(cell, dict) else cell
    return guarded(value) if isinstance(value, str) else value


def as_png(page: Page, state: str = "") -> Iterator[tuple[str, bytes]]:
    """(file name, picture) of each section with a chart, as the page first shows it or in the state of a link.

    Raises HubstatsError when Playwright or a Chromium is missing, and says what to install.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise HubstatsError(
            "PNG needs a headless browser: pip install playwright, then playwright install chromium "
            "(or install your system's chromium); --format html, json and csv need neither"
        ) from None
    with tempfile.TemporaryDirectory(prefix="hubstats-") as folder, sync_playwright() as driver:
        path = Path(folder) / "report.html"
        path.write_text(page.html, encoding="utf-8")
        browser = _browser(driver)
        try:
            opened = browser.new_page(
                viewport={"width": WIDTH, "height": 900}, device_scale_factor=SCALE, color_scheme="light"
            )
            opened.goto(f"{path.as_uri()}#{state.removeprefix('#')}")
            opened.locator("html[data-drawn=true]").wait_for(state="attached", timeout=PATIENCE)
            for section in opened.locator("section:has(.chart)").all():
                key = section.get_attribute("id") or "chart"
                section.evaluate(ALONE)
                yield f"{key}.png", section.screenshot()
        except Error as error:
            raise HubstatsError(f"the charts could not be drawn: {str(error).splitlines()[0]}") from error
        finally:
            browser.close()


def _browser(driver: Playwright) -> Browser:
    """Playwright's own Chromium, else the system's."""
    from playwright.sync_api import Error

    arguments = ["--disable-gpu", "--disable-background-networking"]
    own = Path(driver.chromium.executable_path)
    found = str(own) if own.is_file() else next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise HubstatsError("PNG needs a Chromium: playwright install chromium, or install your system's chromium")
    try:
        return driver.chromium.launch(executable_path=found, args=arguments)
    except Error:
        # As root, and in most containers, Chromium's sandbox cannot start; the page is our own and asks no network.
        return driver.chromium.launch(executable_path=found, args=[*arguments, "--no-sandbox"])
