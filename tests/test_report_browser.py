"""The page in a real browser: it draws, its controls work, it asks nothing of any network, hostile text stays text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import axe_playwright_python
import pytest

from hubstats.ask import connect
from hubstats.charts import PALETTE, Axis, Mark, Plane, plain
from hubstats.explain import explain
from hubstats.store import Store
from tests.browsing import Watched, boxes, collide, write_page
from tests.test_report import FIGURES, HOSTILE, RUNS, SHARES, TECHNIQUES, estimate, run, technique
from tests.test_report_estimates import ALL, CHAIN, EVENTS, hostile

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page"), TECHNIQUES, SHARES, FIGURES, RUNS)


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
    assert page.url.endswith("#popularity.source=snapshot-files-imports-files"), "a name that survives other words"
    again = watched.open(path, "#" + page.url.split("#")[1])
    assert again.locator("#popularity select").first.locator("option:checked").inner_text() == choice
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
    assert "from peft import OFTConfig, get_peft_model" in card.inner_text()
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


SHOTS = Path(__file__).parent.parent / "screenshots"
"""Where the page's pictures are for a person to look at; not kept by git."""
SIZES = ((360, 780), (1280, 900), (2560, 1440))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: size[0])
def test_page_fits_every_window_in_both_themes(
    browser: Browser, snapshot_page: Path, size: tuple[int, int], scheme: str
) -> None:
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    watched = Watched(context.new_page())
    page = watched.open(snapshot_page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(
        "[...document.querySelectorAll('.chart')].every(chart => chart.clientWidth >= chart.firstChild.clientWidth)"
    )
    drawn, given = page.evaluate(
        "(charts => [charts.map(chart => chart.querySelectorAll('.points path').length), charts.map(chart =>"
        " chart.data.filter(one => one.mode.includes('markers')).flatMap(one => one.x).filter(x => x !== null)"
        ".length)])"
        "([...document.querySelectorAll('.chart')])"
    )
    assert drawn == given, "no mark is lost"
    ground, fill = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('#popularity .points path')).fill]"
    )
    theme = ["light", "dark"].index(scheme)
    assert ground == shade("paper", theme)
    assert fill in {shade(token, theme) for token in PALETTE}
    assert not collide(boxes(page, "#popularity .annotation-text"))
    assert watched.complaints == []
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{width}-{scheme}.png", full_page=True)
    context.close()


def shade(token: str, theme: int) -> str:
    colour = PALETTE[token][theme]
    return f"rgb({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))})"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_no_fault(browser: Browser, snapshot_page: Path, scheme: str, width: int) -> None:
    rules = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    state = "#techniques.card=MiSS&techniques.beside=lora,miss&recommend.memory=24&recommend.need=quantised"
    page = Watched(context.new_page()).open(snapshot_page, state)
    for summary in page.locator("summary").all():
        summary.click()
    page.locator("#popularity tbody button.figure").first.click()
    page.locator("#strip .command").first.wait_for()
    page.evaluate(f"{rules};0")
    faults = page.evaluate(
        "axe.run(document).then(found => found.violations.map(one => [one.impact, one.id, one.nodes[0].html]))"
    )
    assert faults == []
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
    assert "</script><img src=x" in drawn, "labels of marks show the letters of a tag"
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
    assert again.locator("#trend select").last.input_value() == "by-version-of-peft"
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


# All kinds that do no harm to one another in one text; the link has to begin one.
@pytest.mark.parametrize("text", [" ".join(HOSTILE[:5]), HOSTILE[2], HOSTILE[5]], ids=["mixed", "link", "long"])
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


# --- the plane: marks by two measures of the reader's choice ---------------------------------------------------------


@pytest.fixture(scope="module")
def opened(browser: Browser, path: Path) -> Iterator[Page]:
    """One page for all that only calls its functions."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Watched(context.new_page()).open(path)
    context.close()


SHARE = Axis("share", "share", "Share", unit="%", log=True)
SCORE = Axis("score", "score", "Score", "more", zero_line=True, floor=-20.0)
MEMORY = Axis("memory", "memory", "Memory", "less", "GB")
TIME = Axis("time", "time", "Time", "less", "min")


def mark(name: str = "OFT", **more: Any) -> Mark:
    at = {"share": (1.0, 0.5, 3.0, 0.1, 9.0), "score": (-2.0, -3.0, -1.0), "memory": (20.0,), "time": (10.0,)}
    return Mark(name, name, "orthogonal", at | more.pop("at", {}), name, **more)


def figure_of(page: Page, marks: list[Mark], across: Axis = SHARE, up: Axis = SCORE, limit: float | None = None,
              **more: Any) -> dict[str, Any]:  # fmt: skip
    plane = Plane(marks, [across], [up], "words", **more).for_script()
    found: dict[str, Any] = page.evaluate(
        "([plane, limit]) => hubstats.planeFigure(plane, plane.across[0], plane.up[0], limit)", [plane, limit]
    )
    return found


def dots(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [trace for trace in found["figure"]["data"] if trace["mode"] == "markers"]


def lines(found: dict[str, Any]) -> set[tuple[tuple[float | None, ...], tuple[float | None, ...]]]:
    return {(tuple(one["x"]), tuple(one["y"])) for one in found["figure"]["data"] if one["mode"] == "lines"}


def test_plane_keeps_values_and_both_intervals(opened: Page) -> None:
    found = figure_of(opened, [mark(id="hub/x", run="run")])
    [dot] = dots(found)
    assert (dot["x"], dot["y"], dot["meta"]["ids"]) == ([1.0], [-2.0], [["hub/x", "run"]])
    edge = 10 ** found["figure"]["layout"]["xaxis"]["range"][0]
    assert ((0.5, 3.0, None), (-2.0, -2.0, None)) in lines(found), "inner interval"
    assert ((0.1, 9.0, None), (-2.0, -2.0, None)) in lines(found), "outer interval"
    assert ((1.0, 1.0, None), (-3.0, -1.0, None)) in lines(found), "interval of the score"
    assert edge < 1.0


def test_plane_tells_own_runs_and_sizes_apart(opened: Page) -> None:
    found = figure_of(
        opened, [mark("a", size=10e9), mark("b", size=40e9), mark("ours", own=True), mark("c", own=True, size=1e10)]
    )
    symbols = {symbol for dot in dots(found) for symbol in dot["marker"]["symbol"]}
    assert symbols == {"circle", "diamond", "diamond-open"}
    labels = [entry["label"] for entry in found["figure"]["layout"]["meta"]["legend"]]
    assert {"published run", "our own run"} <= set(labels)
    small, large = dots(found)[0]["marker"]["size"]
    assert large / small == pytest.approx(2.0), "area is proportional to memory"


def test_the_unseen_stand_in_a_strip_left_of_every_value(opened: Page) -> None:
    marks = [mark(), *(mark(f"none {n}", unseen=True, at={"share": (None,), "score": (-float(n),)}) for n in range(7))]
    found = figure_of(opened, marks, strip="seen nowhere")
    start, end = found["figure"]["layout"]["xaxis"]["range"]
    [band] = [shape for shape in found["figure"]["layout"]["shapes"] if shape["type"] == "rect"]
    edge = 10 ** (start + band["x1"] * (end - start))
    places = sorted(x for dot in dots(found) for x in dot["x"])
    assert all(10**start < place < edge for place in places[:7])
    assert edge < places[7] == 1.0
    assert [note["text"] for note in found["figure"]["layout"]["annotations"]] == ["seen nowhere"]
    level = [xs for xs, ys in lines(found) if ys[0] == ys[1]]
    assert level
    assert all(xs[0] >= edge * 0.999 for xs in level), "intervals do not reach into the strip"


def test_what_lies_below_the_picture_is_said(opened: Page) -> None:
    found = figure_of(opened, [mark(at={"score": (-3.0,)}), mark("low", at={"score": (-60.0,)})])
    assert -25 < found["figure"]["layout"]["yaxis"]["range"][0] <= -3
    assert found["says"] == ["Below the picture: low \N{MINUS SIGN}60.0."]


RUNS_AT = {
    "a": (10.0, 30.0),
    "b": (12.0, 28.0),
    "c": (14.0, 35.0),
    "d": (14.0, 35.0),
    "e": (9.0, 20.0),
    "f": (15.0, 34.0),
}


@pytest.mark.parametrize(
    ("better", "edge", "shape"),
    [
        (("less", "more"), "eacd", "hv"),
        (("less", "less"), "e", "hv"),
        (("more", "more"), "cdf", "vh"),
        (("more", "less"), "ebf", "vh"),
    ],
)
def test_frontier_of_any_two_directions(opened: Page, better: tuple[str, str], edge: str, shape: str) -> None:
    marks = [mark(name, at={"memory": (x,), "time": (y,)}) for name, (x, y) in RUNS_AT.items()]
    across, up = replace(MEMORY, better=better[0]), replace(TIME, better=better[1])  # type: ignore[arg-type]
    found = figure_of(opened, marks, across, up, path=True)
    path = found["figure"]["data"][0]
    assert path["line"]["shape"] == shape
    assert sorted(zip(path["x"], path["y"], strict=True)) == sorted(RUNS_AT[name] for name in edge)
    corners = found["figure"]["layout"]["meta"]["path"]
    assert all(one[0] == other[0] or one[1] == other[1] for one, other in pairwise(corners)), (
        "steps for labels to avoid"
    )


def test_frontier_gives_the_chance_to_be_on_it_and_a_limit_says_what_fits(opened: Page) -> None:
    marks = [
        mark("cheap", at={"memory": (10.0,), "score": (5.0,)}, chance={"memory": 0.993}),
        mark("good", at={"memory": (14.0,), "score": (9.0,)}, chance={"memory": 0.4}),
        mark("worse", at={"memory": (13.0,), "score": (4.0,)}),
    ]
    found = figure_of(opened, marks, MEMORY, SCORE, limit=12.0, path=True)
    texts = {label["text"] for label in found["figure"]["layout"]["meta"]["labels"]}
    assert texts == {"cheap \N{MIDDLE DOT} over 99%", "good \N{MIDDLE DOT} 40%", "worse"}
    hovers = " ".join(text for dot in dots(found) for text in dot["customdata"])
    assert "would be on the frontier in 40% of repetitions" in hovers
    assert "would be on the frontier in under 5% of repetitions" in hovers, "the query leaves out the least"
    assert found["fits"] == "1 of 3 are within 12 GB; by score the first is cheap (5.0 at 10.0 GB)."
    faint = {
        name
        for dot in dots(found)
        for name, seen in zip(dot["customdata"], dot["marker"]["opacity"], strict=True)
        if seen < 0.5
    }
    assert {name.split("<")[0] for name in faint} == {"good", "worse"}


def test_measures_change_the_marks_and_the_link(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    page.locator("#popularity label", has_text="Up").locator("select").select_option("peak memory")
    assert page.url.endswith("#popularity.up=memory")
    drawn = page.evaluate(
        "document.querySelector('#popularity .chart').data.filter(trace => trace.mode === 'markers')"
        ".flatMap(trace => trace.customdata.map((text, place) => [text.split('</b>')[0].slice(3), trace.y[place]]))"
    )
    with connect(path.with_name("x.duckdb")) as answers:
        rows = answers.query("popularity_vs_performance").to_dicts()
    asked = {row["name"]: row["memory"] / 1e9 for row in rows if row["task"] and row["name"] != "Full fine-tuning"}
    assert dict(drawn) == pytest.approx(asked)
    page.locator("#frontier label", has_text="Across").locator("select").select_option("score")
    assert "frontier.across=score" in page.url
    assert page.locator("#frontier label", has_text="Up").locator("option").all_inner_texts() == [
        "peak memory",
        "training time",
    ]
    assert watched.complaints == []


# --- where a figure comes from, and the five questions ----------------------------------------------------------------


def test_every_figure_says_where_it_comes_from(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    page.locator("#popularity .chart").scroll_into_view_if_needed()
    dot = page.locator("#popularity .points path").last
    dot.click(force=True)
    shown = page.locator("#strip code").first
    shown.wait_for()
    assert shown.inner_text() == "hubstats explain snapshot/repositories/imports_repositories/lora --db x.duckdb"
    assert "query popularity_vs_performance" in page.locator("#strip .source").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#strip").is_hidden()
    page.locator("#sources details summary").click()
    cell = page.locator("#sources tbody button.figure", has_text="75%")
    cell.focus()
    page.keyboard.press("Enter")
    command = page.locator("#strip code").first.inner_text()
    page.keyboard.press("Escape")
    assert cell.evaluate("cell => cell === document.activeElement"), "back where it was"
    page.locator("#frontier .source button").click()
    assert "hubstats query frontiers --db x.duckdb" in page.locator("#strip").inner_text()
    with Store.open(path.with_name("x.duckdb")) as store:
        assert explain(store, command.split()[2]).figure["share"] == 0.75


def test_five_questions_set_the_page_to_what_answers_them(watched: Watched, path: Path) -> None:
    page = watched.open(path)
    links = page.locator(".questions a")
    assert links.all_inner_texts() == [
        "Should I still use LoRA?",
        "What fits in 12 GB?",
        "Who really uses LoHa?",
        "Is 98.4% true?",
        "What changed since the blog post?",
    ]
    assert all(len(text) > 30 for text in page.locator(".questions li p:first-of-type").all_inner_texts())
    page.evaluate("document.body.dataset.kept = 'yes'")
    for link in links.all():
        link.click()
        target = (link.get_attribute("href") or "").split("at=")[1].split("&")[0]
        heading = page.locator(f"#{target} h2")
        page.locator(f"#{target} h2:focus").wait_for()
        page.locator("html[data-drawn=true]").wait_for(state="attached")
        box = heading.bounding_box()
        assert box is not None
        assert -5 <= box["y"] < 600, target
    assert page.locator("body").get_attribute("data-kept") == "yes", "nothing was loaded again"
    fresh = watched.open(path, "#at=sources&sources.technique=oft&theme=dark")
    assert fresh.locator("#sources select").input_value() == "oft"
    assert fresh.locator("html").get_attribute("data-theme") == "dark"
    assert watched.complaints == []


def test_printed_page_has_no_controls_and_light_ground(watched: Watched, path: Path) -> None:
    page = watched.open(path, "#theme=dark")
    page.emulate_media(media="print")
    assert page.locator(".controls:visible, .contents:visible, button:not(.figure, th button):visible").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_empty_file_opens_too(watched: Watched, tmp_path: Path) -> None:
    page = watched.open(write_page(tmp_path))
    assert page.locator("h1").inner_text().startswith("This file holds no figures yet")
    assert page.locator(".missing code", has_text="hubstats crawl").count() > 0
    assert watched.complaints == []
