"""A headless Chromium on the report: what it complained of, what it asked for, where marks and labels stand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubstats.ask import connect
from hubstats.report import build
from tests.test_report import write

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def write_page(folder: Path, *groups: Any) -> Path:
    """The report of a file with these records, in a folder with the file, x.duckdb."""
    return build_page(write(folder / "x.duckdb", *groups))


def build_page(db: Path) -> Path:
    """The report of a file, beside it."""
    with connect(db) as answers:
        html = build(answers, db.name).html
    path = db.with_name("report.html")
    path.write_text(html, encoding="utf-8")
    return path


class Watched:
    """A page with everything it complained of or asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path: Path, fragment: str = "") -> Page:
        """Opens a page and waits until all of it is drawn."""
        if self.page.url != "about:blank":
            # Another fragment of the same page alone would not load it anew.
            self.page.goto("about:blank")
        self.page.goto(path.as_uri() + fragment)
        # By selector: the page's policy forbids the evaluation that waiting for an expression needs.
        self.page.locator("html[data-ready=true][data-drawn=true]").wait_for(state="attached", timeout=60_000)
        return self.page


def boxes(page: Page, selector: str) -> list[list[float]]:
    """Left, top, right and bottom of each element, in pixels of the window."""
    found: list[list[float]] = page.evaluate(
        "selector => [...document.querySelectorAll(selector)].map(text => {"
        "const box = text.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom]; })",
        selector,
    )
    return found


def collide(found: list[list[float]]) -> bool:
    """Whether any two of these boxes overlap by more than a pixel."""
    return any(
        not (left >= other[2] or right <= other[0] or top + 1 >= other[3] or bottom - 1 <= other[1])
        for place, (left, top, right, bottom) in enumerate(found)
        for other in found[place + 1 :]
    )
