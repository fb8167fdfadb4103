"""The panel of advice in a real browser: the page's answer is the command's, and its controls and links work."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubstats import records
from hubstats.ask import connect
from hubstats.recommend import Asked, recommend
from hubstats.techniques import capabilities
from tests.browsing import Watched, write_page
from tests.test_report import FIGURES, RUNS, SHARES, TECHNIQUES, run, technique

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

NAMED = ("hira", "shira", "dora", "loha")


def abilities() -> list[records.Record]:
    """What some techniques of the made-up file can do, as probed; nothing of others."""
    probed = capabilities.load()
    return [
        records.TechniqueCapability(
            key, capability, answer.able, answer.label, answer.detail, "peft", probed.version, probed.probed_on, "cpu"
        )
        for key, capability, answer in probed
        if key in ("lora", "oft", "miss", "hira")
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with what the snapshot lacks: own runs, many settings of a technique, costs not measured."""
    techniques = [*TECHNIQUES, *(technique(key) for key in NAMED)]
    many = [
        found
        for number, (score, memory) in enumerate(itertools.product((0.40, 0.47, 0.5), (12e9, 18e9, 24e9)))
        for found in run("hira", score - number * 1e-4, memory + number * 1e7, experiment=f"hira/{number}")
    ]
    own = [found for key in ("lora", "oft", "dora") for found in run(key, 0.3, 9e9, origin="own")]
    no_memory = [
        found for found in run("loha", 0.49, 1.0)
        if not (isinstance(found, records.BenchMetric) and found.name == "peak_memory")
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("advice")
    return write_page(folder, techniques, SHARES, FIGURES, RUNS, many, own, no_memory, abilities())


ASKED = (
    {},
    {"memory": "12GB"},
    {"memory": "24GB", "needs": "merge,quantised", "time": "1h"},
    {"memory": "20.5GB", "time": "15min"},
    {"needs": "to_lora,several,mixed_batch"},
    {"needs": "layer_conv2d", "memory": "10.7GB"},
    {"time": "1min"},
    {"task": "MetaMathQA", "memory": "22.3GB", "needs": "rank_pattern"},
)


@pytest.mark.parametrize("which", ["snapshot_page", "made"])
def test_the_page_answers_as_the_command_does(watched: Watched, request: pytest.FixtureRequest, which: str) -> None:
    path: Path = request.getfixturevalue(which)
    page = watched.open(path)
    with connect(path.with_name("x.duckdb")) as answers:
        settings, known = answers.query("settings_with_costs"), answers.query("capabilities")
    places = set()
    for wanted in ASKED:
        asked = Asked.read(**wanted)
        told = recommend(settings, known, asked).as_json()
        shown = page.evaluate("asked => hubstats.recommend(hubstats.data.panels.recommend.extra, asked)", told["asked"])
        assert shown == told, wanted
        places |= {one["place"] for contest in told["contests"] for one in contest["fits"]}
        assert len(told["contests"]) >= 1
    assert {"level", "behind"} <= places, "the cases tell something"


def rows_of(page: Page) -> list[str]:
    return page.locator("#recommend .advice > div:first-of-type tbody th").all_inner_texts()


def test_controls_give_the_ranking_a_link_and_the_command(watched: Watched, snapshot_page: Path) -> None:
    page = watched.open(snapshot_page)
    page.get_by_label("Peak memory at most, GB").fill("24")
    page.get_by_label("Training at most, minutes").fill("60")
    page.locator("#recommend label", has_text="Benchmark").locator("select").select_option("MetaMathQA")
    page.locator("#recommend summary", has_text="It must be able to").click()
    page.locator("#recommend .choose label", has_text="4-bit base").locator("input").check()
    page.locator("#recommend .choose input[value=merge]").check()
    with connect(snapshot_page.with_name("x.duckdb")) as answers:
        asked = Asked.read("24GB", "1h", "merge,quantised", "MetaMathQA")
        told = recommend(answers.query("settings_with_costs"), answers.query("capabilities"), asked).contests[0]
    expected = [choice.name for choice in told.fits]
    assert rows_of(page) == expected[:8]
    page.locator("#recommend button", has_text=f"Show all {len(expected)}").click()
    assert rows_of(page) == expected
    assert f"{len(told.excluded)} left out" in page.locator("#recommend .advice").inner_text()
    command = page.locator("#recommend .command code").inner_text()
    assert command == (
        "hubstats recommend --max-memory 24GB --max-time 60min --need merge,quantised --task MetaMathQA --db x.duckdb"
    )
    link = "#" + page.url.split("#")[1]
    again = watched.open(snapshot_page, link)
    assert rows_of(again) == expected[:8]
    assert again.get_by_label("Peak memory at most, GB").input_value() == "24"
    first = again.locator("#recommend tbody td button.figure").first
    first.click()
    assert told.fits[0].explain in again.locator("#strip code").first.inner_text()
    assert watched.complaints == []


def test_a_technique_of_the_advice_opens_its_card(watched: Watched, snapshot_page: Path) -> None:
    page = watched.open(snapshot_page, "#recommend.memory=24&theme=dark")
    name = rows_of(page)[0]
    page.locator("#recommend tbody th a").first.click()
    page.locator("#techniques tr.card").wait_for()
    assert page.locator("#techniques tr:has(+ tr.card) th").inner_text() == name
    assert "Switch to it" in page.locator("#techniques tr.card").inner_text()
    assert page.get_by_label("Peak memory at most, GB").input_value() == "24", "the rest of the page stays as it was"
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.go_back()
    assert page.locator("#techniques tr.card").count() == 0
    assert watched.complaints == []


def test_techniques_are_filtered_by_what_they_can_and_laid_side_by_side(watched: Watched, snapshot_page: Path) -> None:
    page = watched.open(snapshot_page, "#techniques.can=to_lora,quantised&techniques.columns=score,hotswap")
    shown = page.locator("#techniques .scroll").last.locator("tbody th").all_inner_texts()
    with connect(snapshot_page.with_name("x.duckdb")) as answers:
        known = answers.query("capabilities").to_dicts()
        facts = {row["key"]: row["name"] for row in answers.query("technique_facts").to_dicts()}
    able = [
        {row["technique"] for row in known if row["capability"] == capability and row["able"]}
        for capability in ("to_lora", "quantised")
    ]
    assert sorted(shown) == sorted(facts[key] for key in able[0] & able[1])
    assert len(shown) > 2
    heads = page.locator("#techniques .scroll").last.locator("thead th").all_inner_texts()
    assert heads == ["Technique", "MetaMathQA", "Hot swap"]
    page.locator("#techniques summary", has_text="Columns").click()
    page.locator("#techniques label", has_text="Peak memory").locator("input").first.check()
    assert "Peak memory" in page.locator("#techniques .scroll").last.locator("thead").inner_text()
    assert "techniques.columns=score%2Cmemory%2Chotswap" in page.url
    for name in shown[:2]:
        page.locator("#techniques tbody button", has_text=name).first.click()
        page.locator("#techniques tr.card label", has_text=f"Lay {name} beside").locator("input").check()
    assert page.locator("#techniques .beside thead th").all_inner_texts()[1:] == shown[:2]
    assert page.locator("#techniques .beside tbody tr", has_text="Hot swap").count() == 1
    assert watched.complaints == []
