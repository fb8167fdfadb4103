"""The page in a real browser: it draws, its controls work, it asks nothing of any network, hostile text stays text."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hubstats.ask import connect
from hubstats.charts import plain
from hubstats.report import build
from tests.test_report import FIGURES, HOSTILE, RUNS, SHARES, TECHNIQUES, estimate, run, technique, write

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


def write_page(folder: Path, *groups: Any) -> Path:
    with connect(write(folder / "x.duckdb", *groups)) as answers:
        html = build(answers, "x.duckdb").html
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page"), TECHNIQUES, SHARES, FIGURES, RUNS)


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
        if self.page.url != "about:blank":
            # Another fragment of the same page alone would not load it anew.
            self.page.goto("about:blank")
        self.page.goto(path.as_uri() + fragment)
        self.page.wait_for_function("document.documentElement.dataset.ready === 'true'", timeout=60_000)
        return self.page


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield Watched(context.new_page())
    context.close()


def names(page: Page, panel: str = "techniques") -> list[str]:
    return page.locator(f"#{panel} tbody th").all_inner_texts()


def test_opens_without_a_complaint_or_a_request(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    assert watched.complaints == []
    assert watched.requests == [path.as_uri()]
    assert page.locator(".chart .main-svg").count() > 0
    for key in ("popularity", "frontier", "sources", "imports", "history"):
        assert page.locator(f"#{key} .chart svg .points path").count() > 0, key
    page.evaluate("fetch('https://example.org/').catch(() => {})")
    assert any("Content Security Policy" in complaint for complaint in watched.complaints), "the policy holds"


def test_marks_stand_where_the_query_says(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    drawn = page.evaluate(
        "[...document.querySelector('#popularity .chart').data].filter(trace => trace.mode === 'markers')"
        ".flatMap(trace => trace.x.map((x, place) => [trace.customdata[place], x, trace.y[place]]))"
    )
    shown = {text.split("</b>")[0].removeprefix("<b>"): (x, y) for text, x, y in drawn}
    with connect(path.with_name("x.duckdb")) as answers:
        rows = answers.query("popularity_vs_performance").to_dicts()
    asked = {row["name"]: row for row in rows if row["rule"] == "imports_repositories"}
    for name in ("LoRA", "OFT", "VeRA"):
        assert shown[name][0] == pytest.approx(asked[name]["popularity"] * 100)
        assert shown[name][1] == pytest.approx((asked[name]["accuracy"] - asked["LoRA"]["accuracy"]) * 100)


def test_hover_gives_the_numbers_of_a_mark(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    page.locator("#popularity .chart").scroll_into_view_if_needed()
    boxes = [mark.bounding_box() for mark in page.locator("#popularity .points path").all()]
    box = max((box for box in boxes if box), key=lambda box: box["x"])
    page.mouse.move(box["x"] - 40, box["y"] - 40)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.wait_for_selector("#popularity .hovertext")
    text = page.locator("#popularity .hovertext").text_content() or ""
    assert "LoRA (published run)" in text
    assert "75%" in text
    assert "47.4%" in text


def test_drop_downs_change_the_chart_and_the_permalink(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    before = page.locator("#popularity .source").first.inner_text()
    choice = "embedded snapshot: code files as a text search finds them"
    page.locator("#popularity select").first.select_option(choice)
    assert page.locator("#popularity .source").first.inner_text() != before
    assert "text+search" in page.url
    again = watched.open(path, "#" + page.url.split("#")[1])
    assert again.locator("#popularity select").first.input_value() == choice
    assert watched.complaints == []


def test_table_sorts_with_the_unknown_last_both_ways(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    head = page.locator("#techniques thead button", has_text="MetaMathQA")
    head.click()
    assert page.locator("#techniques thead th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert names(page)[:2] == ["OFT", "MiSS"]
    head.click()
    assert names(page)[0] == "VeRA"
    share = page.locator("#techniques thead button").nth(1)
    share.click()
    assert names(page)[:3] == ["LoRA", "OFT", "VeRA"]
    share.click()
    assert names(page)[:3] == ["VeRA", "OFT", "LoRA"]
    assert set(names(page)[3:]) == {"MiSS", "Full fine-tuning"}


def test_download_holds_the_rows_shown_in_their_order(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    page.locator("#techniques select").select_option("low-rank")
    page.locator("#techniques input[type=search]").fill("o")
    page.locator("#techniques thead button", has_text="MetaMathQA").click()
    shown = names(page)
    with page.expect_download() as waiting:
        page.locator("#techniques button", has_text="Download CSV").click()
    rows = list(csv.reader(io.StringIO(Path(waiting.value.path()).read_text(encoding="utf-8"))))
    assert [row[0] for row in rows[1:]] == shown == ["MiSS", "LoRA"]
    assert page.locator("#techniques [role=status]").inner_text() == "2 of 5 rows"


def test_evidence_card_opens_by_keyboard_and_has_a_permalink(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    button = page.locator("#techniques tbody button", has_text="OFT")
    button.focus()
    page.keyboard.press("Enter")
    card = page.locator("#techniques tr.card")
    assert "from peft import OftConfig" in card.inner_text()
    assert card.locator("a").get_attribute("href") == "https://arxiv.org/abs/2106.09685"
    assert button.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Enter")
    assert card.count() == 0
    fresh = watched.open(path, "#techniques.card=OFT")
    assert fresh.locator("#techniques tr.card").count() == 1


def test_numbers_behind_a_chart_open_as_a_table(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    page.locator("#history summary").click()
    row = page.locator("#history tbody tr", has_text="lora/default")
    assert "48.1" in row.inner_text()
    assert "47.4" in row.inner_text()


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_nothing_is_wider_than_the_window(browser: Browser, path: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = Watched(context.new_page()).open(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(
        "[...document.querySelectorAll('.chart')].every(chart => chart.clientWidth >= chart.firstChild.clientWidth)"
    )
    context.close()


def test_labels_of_marks_do_not_collide(watched: Watched, tmp_path: Path) -> None:
    crowd = [f"crowd{number:02}" for number in range(25)]
    techniques = [*TECHNIQUES, *(technique(key, f"A rather long name {key}") for key in crowd)]
    shares = [*SHARES, *(estimate(key, 4 + number % 3, 100) for number, key in enumerate(crowd))]
    runs = [made for number, key in enumerate(crowd) for made in run(key, 0.47 + number * 1e-3, 2e10)]
    page = watched.open(write_page(tmp_path, techniques, shares, FIGURES, RUNS, runs))
    boxes = page.evaluate(
        "[...document.querySelectorAll('#popularity .annotation-text')].map(text => {"
        "const box = text.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom]; })"
    )
    assert len(boxes) >= 10
    for place, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[place + 1 :]:
            assert left >= other[2] or right <= other[0] or top + 1 >= other[3] or bottom - 1 <= other[1]


def test_dark_theme_reaches_the_charts(browser: Browser, path: Path) -> None:
    fills = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
        page = Watched(context.new_page()).open(path)
        fills[scheme] = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('#popularity .points path')).fill]"
        )
        context.close()
    assert fills["light"][0] != fills["dark"][0]
    assert fills["light"][1] != fills["dark"][1]


def test_every_control_can_be_reached_and_has_a_name(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, select, input, a')].filter(element =>"
        " !(element.textContent.trim() || element.labels?.length)).length"
    )
    assert unnamed == 0
    assert page.locator(".chart:not([aria-label])").count() == 0
    assert page.locator("th:not([scope])").count() == 0


def test_hostile_names_show_as_text(watched: Watched, tmp_path: Path) -> None:
    keys = [f"key{place}" for place in range(len(HOSTILE))]
    techniques = [TECHNIQUES[0], *(technique(key, text, text, text) for key, text in zip(keys, HOSTILE, strict=True))]
    shares = [estimate("lora", 40, 100), *(estimate(name, 5, 100) for name in (*keys, *HOSTILE))]
    runs = [made for key, text in zip(keys, HOSTILE, strict=True) for made in run(key, 0.47, 2e10, experiment=text)]
    target = write_page(tmp_path, techniques, shares, FIGURES, RUNS, runs)
    page = watched.open(target)
    for summary in page.locator("summary").all():
        summary.click()
    shown = names(page)
    for text in HOSTILE:
        assert plain(text, 120) in [name.replace("\n", " ") for name in shown], text[:40]
    for button in page.locator("#techniques tbody button").all():
        button.click()
    drawn = " ".join(page.locator("#popularity .annotation-text").all_text_contents())
    assert "<script>document" in drawn, "labels of marks show the letters of a tag"
    assert page.title() == "Popularity and performance of PEFT techniques"
    assert page.locator("img, iframe, main script").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert watched.complaints == []
    assert watched.requests == [target.as_uri()]


def test_empty_file_opens_too(watched: Watched, tmp_path: Path) -> None:
    page = watched.open(write_page(tmp_path))
    assert page.locator("h1").inner_text().startswith("This file holds no figures yet")
    assert page.locator(".missing code", has_text="hubstats crawl").count() > 0
    assert watched.complaints == []
