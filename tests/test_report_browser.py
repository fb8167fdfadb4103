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
from tests.test_report_estimates import ALL, CHAIN, EVENTS, hostile

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
        # By selector: the page's policy forbids the evaluation that waiting for an expression needs.
        self.page.locator("html[data-ready=true][data-drawn=true]").wait_for(state="attached", timeout=60_000)
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


ESTIMATES = ("reconciliation", "trend", "recall", "concentration", "claims", "method")


@pytest.fixture(scope="module")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("estimated"), *ALL, FIGURES)


def boxes(page: Page, selector: str) -> list[list[float]]:
    found: list[list[float]] = page.evaluate(
        "selector => [...document.querySelectorAll(selector)].map(text => {"
        "const box = text.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom]; })",
        selector,
    )
    return found


def collide(found: list[list[float]]) -> bool:
    return any(
        not (left >= other[2] or right <= other[0] or top + 1 >= other[3] or bottom - 1 <= other[1])
        for place, (left, top, right, bottom) in enumerate(found)
        for other in found[place + 1 :]
    )


def test_marks_of_the_waterfall_stand_where_the_query_says(watched: Watched, estimated: Path) -> None:
    page = watched.open(estimated)
    drawn = page.evaluate(
        "[...document.querySelector('#reconciliation .chart').data].filter(trace => trace.mode === 'markers')"
        ".map(trace => [trace.x[0], trace.y[0]])"
    )
    with connect(estimated.with_name("x.duckdb")) as answers:
        rows = answers.query("reconciliation", technique="lora").to_dicts()
    way = [row["share"] * 100 for row in rows if not row["beside"]]
    aside = [row["share"] * 100 for row in rows if row["beside"]]
    assert [x for x, _ in drawn] == pytest.approx([*way, way[-1], *aside])
    places = [y for _, y in drawn]
    assert places == sorted(places), "from top to bottom"
    assert watched.complaints == []
    assert watched.requests == [estimated.as_uri()]


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_labels_of_waterfall_and_events_fit_and_do_not_collide(browser: Browser, tmp_path: Path, width: int) -> None:
    from dataclasses import replace
    from datetime import timedelta

    near = [replace(EVENTS[0], event_id=f"near{day}", happened_on=EVENTS[0].happened_on + timedelta(days=day))
            for day in range(6)]  # fmt: skip
    groups = [group for group in ALL if group is not EVENTS]
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = Watched(context.new_page()).open(write_page(tmp_path, *groups, near))
    labels = boxes(page, "#reconciliation .annotation-text")
    assert len(labels) == 6
    assert not collide(labels)
    assert all(left >= 0 and right <= width for left, _, right, _ in labels)
    numbers = boxes(page, "#trend .annotation-text")[-len(near) :]
    assert len(numbers) == len(near)
    assert not collide(numbers)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_choices_of_the_trend_follow_each_other_where_a_view_is_missing(watched: Watched, estimated: Path) -> None:
    page = watched.open(estimated)
    over = page.locator("#trend select").last
    over.select_option("by version of PEFT")
    assert "share_by_peft_version" in page.locator("#trend .source").first.inner_text()
    assert page.locator("#trend .events").count() == 0
    again = watched.open(estimated, "#" + page.url.split("#")[1])
    assert again.locator("#trend select").last.input_value() == "by version of PEFT"
    again.locator("#trend select").last.select_option("by month of creation")
    assert again.locator("#trend .events li").all_inner_texts() == [
        "2025-07-03: PEFT writes the tag",
        "2025-07-05: something next to it",
    ]
    assert watched.complaints == []


def test_simulation_is_a_table_in_the_method(watched: Watched, estimated: Path) -> None:
    page = watched.open(estimated)
    assert page.locator("#method thead th", has_text="Naive holds it").count() == 1
    page.locator("#method select").first.select_option("What the two-phase design is worth")
    assert page.locator("#method thead th", has_text="since the tag").count() >= 3
    assert watched.complaints == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_of_the_estimates_shows_as_text(watched: Watched, tmp_path: Path, text: str) -> None:
    target = write_page(tmp_path, *hostile(text))
    page = watched.open(target)
    for key in ESTIMATES:
        for place in range(page.locator(f"#{key} .controls select").count()):
            select = page.locator(f"#{key} .controls select").nth(place)
            for option in select.locator("option").all()[:3]:
                select.select_option(index=int(option.evaluate("option => option.index")))
    for summary in page.locator("summary").all():
        summary.click()
    if text.startswith("<script>"):
        assert "<script>document" in " ".join(page.locator("#reconciliation .annotation-text").all_text_contents())
    assert page.title() == "Popularity and performance of PEFT techniques"
    assert page.locator("img, iframe, main script").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert watched.complaints == []
    assert watched.requests == [target.as_uri()]


def test_labels_of_the_waterfall_show_markup_letter_by_letter(watched: Watched, tmp_path: Path) -> None:
    from dataclasses import replace

    words = "<b>bold</b> &amp; <i>slanted</i> " * 5
    chain = [replace(row, change=words) for row in CHAIN]
    page = watched.open(write_page(tmp_path, TECHNIQUES, chain))
    shown = page.locator("#reconciliation .annotation-text").all_text_contents()
    assert len(shown) == len(CHAIN) + 1
    for text in [shown[0], *shown[1:4], *shown[5:]]:
        assert text.count("<b>bold</b>") == text.count("&amp;") == 5, text


def test_empty_file_opens_too(watched: Watched, tmp_path: Path) -> None:
    page = watched.open(write_page(tmp_path))
    assert page.locator("h1").inner_text().startswith("This file holds no figures yet")
    assert page.locator(".missing code", has_text="hubstats crawl").count() > 0
    assert watched.complaints == []
