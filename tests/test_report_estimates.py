"""The page's waterfall, trend, recall, concentration, claims and simulation: they show what the queries answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hubstats import records
from hubstats.ask import connect
from hubstats.errors import HubstatsError
from hubstats.report import Page, build
from hubstats.report.simulation import results_path, simulation
from tests.test_report import DAY, HOSTILE, RUNS, SHARES, TECHNIQUES, estimate, page_data, technique, write

CAVEAT = "only what still exists"


def step(
    number: int, rule: str, follows: str | None, share: float, effect: float | None = None, width: float | None = 0.02,
    *, side: bool = False, change: str | None = None, technique: str = "lora", measure: str = "cards_exactly_one",
    source: str = "hub",
) -> records.Reconciliation:  # fmt: skip
    sure = effect is not None and width is not None
    return records.Reconciliation(
        reconciliation_id=f"reconciliation/{source}/{measure}/{technique}/{rule}",
        figure_id=f"hf-beyond-lora/{measure}/{technique}",
        source=source,
        measure=measure,
        technique=technique,
        step=number,
        rule=rule,
        follows=follows,
        side=side,
        change=change or f"the change {rule}",
        count=share * 200,
        total=200.0,
        share=share,
        low=None if follows is None else share - 0.03,
        high=None if follows is None else share + 0.03,
        effect=effect,
        effect_low=effect - width if sure and effect is not None and width is not None else None,
        effect_high=effect + width if sure and effect is not None and width is not None else None,
        items=None if follows is None else 200,
        method="test",
        detector_version="1",
        as_of=DAY,
        caveat=None if follows is None else "read only",
    )


CHAIN = [
    step(0, "published", None, 0.984),
    step(1, "words", "published", 0.90, -0.084),
    step(2, "plain_search", "words", 0.93, 0.03, side=True),
    step(3, "evidence", "words", 0.85, -0.05),
    step(4, "authors", "evidence", 0.86, 0.01),
]


def month(place: int, share: float, technique: str = "lora", **changes: Any) -> records.TrendPoint:
    year, number = 2025 + (place + 3) // 12, (place + 3) % 12 + 1
    point = records.TrendPoint(
        trend_id=f"trend/hub/evidence/month/{year}-{number:02}/{technique}",
        source="hub",
        rule="evidence",
        technique=technique,
        period_kind="month",
        period=f"{year}-{number:02}",
        starts_on=date(year, number, 1),
        count=share * 40,
        total=40.0,
        share=share,
        low=share * 0.9,
        high=min(1.0, share * 1.1),
        smooth=share + 0.01,
        smooth_low=share * 0.95,
        smooth_high=min(1.0, share * 1.05),
        subjects=40,
        effective_size=30.0,
        smoothing="centred three-month pooled share",
        method="test",
        detector_version="1",
        as_of=DAY,
        caveat=CAVEAT,
    )
    return replace(point, **changes)


def version(number: int, share: float, technique: str = "lora") -> records.TrendPoint:
    return month(
        0,
        share,
        technique,
        trend_id=f"trend/hub/evidence/peft_version/0.{number}/{technique}",
        period_kind="peft_version",
        period=f"0.{number}",
        starts_on=None,
        smooth=None,
        smooth_low=None,
        smooth_high=None,
        smoothing=None,
    )


MONTHS = [month(place, 0.7 + place * 0.02) for place in range(8)]
VERSIONS = [version(number, 0.6 + number * 0.01) for number in (9, 10, 11)]
EVENTS = [
    records.Event(
        "event/tag", date(2025, 7, 3), "tooling", "PEFT writes the tag", "https://example.org", "0.16", (), "t"
    ),
    records.Event("event/next", date(2025, 7, 5), "site", "something next to it", "https://example.org", None, (), "t"),
    records.Event("event/16", date(2025, 7, 3), "release", "PEFT 0.16", "https://example.org", "0.16", ("vera",), "t"),
    records.Event("event/old", date(2020, 1, 1), "tooling", "long before", "https://example.org", None, (), "t"),
]
USED = [
    estimate("lora", 850, 1000, source="hub", rule="evidence"),
    estimate("oft", 100, 1000, source="hub", rule="evidence"),
]


def recalled(technique: str, recall: float, mention: float, corrected: float | None) -> records.MentionRecall:
    return records.MentionRecall(
        f"recall/hub/named/{technique}", "hub", "hub", "named", technique, 50, 40, 39, recall, recall - 0.1,
        min(1.0, recall + 0.05), 0.98, 0.9, 1.0, 300, mention, mention * 0.9, mention * 1.1, corrected,
        None if corrected is None else corrected * 0.8, None if corrected is None else corrected * 1.2, "t", "1", DAY,
        "assumes much",
    )  # fmt: skip


RECALLS = [recalled("lora", 0.9, 0.80, 0.85), recalled("oft", 0.5, 0.02, 0.04), recalled("vera", 0.5, 0.01, None)]


def few(technique: str | None, largest: float, top10: float) -> records.Concentration:
    return records.Concentration(
        f"concentration/hub/{technique or '*'}", "hub", technique, 500.0 if technique is None else 90.0, 80, 30,
        largest, largest - 0.02, largest + 0.02, (largest + top10) / 2, top10, 7.25, 1, 0.125, "t", "1", DAY, "few",
    )  # fmt: skip


CONCENTRATED = [few(None, 0.2, 0.6), few("lora", 0.25, 0.7)]


def claimed(number: int, state: str, **changes: Any) -> records.PublishedClaim:
    claim = records.PublishedClaim(
        f"claim/{number}", "hf-beyond-lora", "2026-06-18", "https://example.org", f"figure {number}", "value",
        "MetaMathQA", "lora/default", "test_accuracy", None, None, "53.2", "%", 0.532, state, None, None, 0.5125,
        -0.0195, "newer", "2026-07-14", "a note.", "t",
    )  # fmt: skip
    return replace(claim, **changes)


CLAIMS = [
    claimed(1, "superseded"),
    claimed(2, "current", printed="9.97", printed_unit="GiB", value=9.97 * 2**30, value_now=10_708_058_112.0,
            change=10_708_058_112.0 - 9.97 * 2**30, superseded_by=None, superseded_on=None),
]  # fmt: skip

ALL: tuple[Sequence[records.Record], ...] = (
    TECHNIQUES, SHARES, USED, RUNS, CHAIN, MONTHS, VERSIONS, EVENTS, RECALLS, CONCENTRATED, CLAIMS,
)  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("estimates") / "x.duckdb", *ALL, crawl="live")


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    with connect(path) as answers:
        return build(answers, "x.duckdb")


@pytest.fixture(scope="module")
def data(page: Page) -> dict[str, Any]:
    return page_data(page.html)


def asked(path: Path, query: str, **values: Any) -> list[dict[str, Any]]:
    with connect(path) as answers:
        return answers.query(query, **values).to_dicts()


def value(cell: Any) -> Any:
    return cell["value"] if isinstance(cell, dict) else cell


def column(view: dict[str, Any], name: str) -> list[Any]:
    names = [column["name"] for column in view["table"]["columns"]]
    return [value(row[names.index(name)]) for row in view["table"]["rows"]]


def drawn(view: dict[str, Any], mode: str = "markers") -> list[tuple[Any, Any]]:
    """(x, y) of every mark of a chart."""
    traces = [trace for trace in view["figure"]["data"] if trace["mode"] == mode]
    return [point for trace in traces for point in zip(trace["x"], trace["y"], strict=True)]


def build_from(tmp_path: Path, *groups: Sequence[records.Record]) -> Page:
    with connect(write(tmp_path / "x.duckdb", *groups, crawl="live")) as answers:
        return build(answers, "x.duckdb")


# --- waterfall --------------------------------------------------------------------------------------------------------


def test_waterfall_has_every_number_of_the_query(data: dict[str, Any], path: Path) -> None:
    [view] = data["panels"]["reconciliation"]["views"]
    rows = asked(path, "reconciliation", technique="lora")
    for name in ("share", "effect", "count", "total", "items"):
        assert column(view, name) == [row[name] for row in rows], name
    assert column(view, "change") == [row["change"] for row in rows]
    assert "n = 200 items read" in view["source"]["line"]
    assert "query reconciliation technique=lora" in view["source"]["line"]
    assert view["source"]["explain"] == "reconciliation/hub/cards_exactly_one/lora/authors"


def test_waterfall_steps_from_the_published_share_to_ours_with_what_is_beside_it_last(data: dict[str, Any]) -> None:
    [view] = data["panels"]["reconciliation"]["views"]
    assert drawn(view) == [
        (pytest.approx(98.4), 0),
        (pytest.approx(90.0), 1),
        (pytest.approx(85.0), 2),
        (pytest.approx(86.0), 3),
        (pytest.approx(86.0), 4),
        (pytest.approx(93.0), 5),
    ]
    labels = view["figure"]["layout"]["meta"]["rowLabels"]
    assert [label["lead"] for label in labels] == [
        "98.4%",
        "\N{MINUS SIGN}8.4 (\N{MINUS SIGN}10.4 to \N{MINUS SIGN}6.4)",
        "\N{MINUS SIGN}5.0 (\N{MINUS SIGN}7.0 to \N{MINUS SIGN}3.0)",
        "+1.0 (\N{MINUS SIGN}1.0 to +3.0)",
        "86%",
        "+3.0 (+1.0 to +5.0)",
    ]
    assert [label["beside"] for label in labels] == [False] * 5 + [True]
    lines = {(tuple(trace["x"]), tuple(trace["y"])) for trace in view["figure"]["data"] if trace["mode"] == "lines"}
    ends = {tuple(round(x, 6) for x in xs if x is not None) for xs, ys in lines if ys[0] == ys[1] == 2}
    assert (83.0, 87.0) in ends, "interval of the effect, about the share after it"
    assert (90.0, 85.0) in ends, "from the share before to the share after"


def test_first_finding_says_why_the_published_share_differs(page: Page) -> None:
    finding = page.findings[0]
    assert "The published 98.4% becomes 90% by the same rule on this file" in finding.text
    assert "largest shown to matter is \N{MINUS SIGN}5.0 points" in finding.text
    assert "the change evidence" in finding.text
    assert "query all_shares and reconciliation" in finding.source


def test_where_no_rule_is_shown_to_matter_the_finding_says_so(tmp_path: Path) -> None:
    page = build_from(tmp_path, TECHNIQUES, USED, [*CHAIN[:2], step(3, "evidence", "words", 0.89, -0.01)])
    assert "no change of rule after that is shown to matter" in page.findings[0].text


def test_chains_without_input_name_the_command_that_fills_them(page: Page, tmp_path: Path) -> None:
    def commands(page: Page) -> list[str | None]:
        [panel] = [panel for panel in page.panels if panel.key == "reconciliation"]
        return [gap.command for gap in panel.missing]

    assert commands(page) == ["hubstats crawl github", "hubstats crawl civitai"]
    assert commands(build_from(tmp_path, TECHNIQUES)) == [
        "hubstats crawl hub",
        "hubstats crawl github",
        "hubstats crawl civitai",
    ]


def test_a_step_without_interval_says_so_and_draws_none(tmp_path: Path) -> None:
    chain = [*CHAIN[:1], step(1, "words", "published", 0.90, -0.084, width=None)]
    view = page_data(build_from(tmp_path, TECHNIQUES, chain).html)["panels"]["reconciliation"]["views"][0]
    assert view["figure"]["layout"]["meta"]["rowLabels"][1]["lead"] == "\N{MINUS SIGN}8.4"
    assert column(view, "effect_interval") == [None, None]


# --- trend -----------------------------------------------------------------------------------------------------------


def test_trend_shows_points_line_and_band_of_the_query(data: dict[str, Any], path: Path) -> None:
    view = data["panels"]["trend"]["views"][0]
    rows = asked(path, "share_by_month", technique="lora", rule="evidence")
    assert view["picks"] == ["LoRA", "Hub, shown to use it", "by month of creation"]
    assert column(view, "share") == [row["share"] for row in rows]
    assert column(view, "smooth") == [row["smooth"] for row in rows]
    traces = view["figure"]["data"]
    [points] = [trace for trace in traces if trace["mode"] == "markers" and len(trace["x"]) == len(rows)]
    assert points["y"] == [pytest.approx(row["share"] * 100) for row in rows]
    [line] = [trace for trace in traces if trace["mode"] == "lines" and trace["line"]["width"] == 2.5]
    assert line["y"] == [pytest.approx(row["smooth"] * 100) for row in rows]
    [band] = [trace for trace in traces if trace.get("fill") == "toself"]
    highs = [row["smooth_high"] * 100 for row in rows]
    lows = [row["smooth_low"] * 100 for row in reversed(rows)]
    assert band["y"] == pytest.approx([*highs, *lows])
    assert CAVEAT in view["source"]["line"]
    assert "n = 320 items read in 8 months" in view["source"]["line"]
    assert "three-month pooled" in view["figure"]["layout"]["meta"]["yTitle"]


def test_events_in_the_picture_are_numbered_and_releases_that_brought_others_are_not(data: dict[str, Any]) -> None:
    view = data["panels"]["trend"]["views"][0]
    assert view["notes"] == ["2025-07-03: PEFT writes the tag", "2025-07-05: something next to it"]
    moments = view["figure"]["layout"]["meta"]["moments"]
    assert [(moment["text"], moment["x"]) for moment in moments] == [("1", "2025-07-03"), ("2", "2025-07-05")]


def test_versions_are_a_second_view_in_their_order(data: dict[str, Any], path: Path) -> None:
    [view] = [view for view in data["panels"]["trend"]["views"] if view["picks"][2] == "by version of PEFT"]
    assert column(view, "version") == ["0.9", "0.10", "0.11"]
    assert column(view, "share") == [row["share"] for row in asked(path, "share_by_peft_version", technique="lora")]
    assert [x for x, _ in drawn(view)] == [pytest.approx(share * 100) for share in column(view, "share")]


def test_techniques_with_little_data_have_no_trend(tmp_path: Path) -> None:
    scarce = [month(place, 0.05, "oft") for place in range(8)]
    brief = [month(place, 0.8) for place in range(5)]
    page = build_from(tmp_path, TECHNIQUES, USED, scarce, brief)
    [panel] = [panel for panel in page.panels if panel.key == "trend"]
    assert panel.views == ()
    assert "30 items over 6 months" in panel.missing[0].text
    (tmp_path / "empty").mkdir()
    [empty] = [panel for panel in build_from(tmp_path / "empty", TECHNIQUES).panels if panel.key == "trend"]
    assert empty.missing[0].command == "hubstats crawl hub"


def test_a_line_is_broken_where_months_are_missing(tmp_path: Path) -> None:
    apart = [month(place, 0.7) for place in (0, 1, 2, 6, 7, 8)]
    view = page_data(build_from(tmp_path, TECHNIQUES, USED, apart).html)["panels"]["trend"]["views"][0]
    bands = [trace for trace in view["figure"]["data"] if trace.get("fill") == "toself"]
    assert [len(band["x"]) for band in bands] == [6, 6]


# --- recall, concentration, claims ----------------------------------------------------------------------------------


def test_recall_and_corrected_shares_are_the_query_s(data: dict[str, Any], path: Path) -> None:
    named, corrected = data["panels"]["recall"]["views"]
    rows = asked(path, "mention_recall")
    assert column(named, "share") == [row["share"] for row in rows]
    assert column(named, "precision") == [row["precision"] for row in rows]
    rows = asked(path, "corrected_share")
    assert column(corrected, "mention") == [row["mention_share"] for row in rows]
    assert column(corrected, "corrected") == [row["corrected_share"] for row in rows]
    assert column(corrected, "shown") == [0.85, 0.1, None], "what was not counted is no zero"
    pairs = [trace for trace in corrected["figure"]["data"] if trace["mode"] == "lines+markers"]
    assert [trace["x"] for trace in pairs] == [pytest.approx([80, 85]), pytest.approx([2, 4])]


def test_concentration_is_the_query_s(data: dict[str, Any], path: Path) -> None:
    [view] = data["panels"]["concentration"]["views"]
    rows = asked(path, "concentration")
    assert column(view, "technique") == ["all techniques", "LoRA"]
    for name, of in (
        ("largest", "largest"),
        ("top10", "top10"),
        ("effective", "effective_authors"),
        ("mass_part",) * 2,
    ):
        assert column(view, name) == [row[of] for row in rows], name
    pairs = [trace["x"] for trace in view["figure"]["data"] if trace["mode"] == "lines+markers"]
    assert pairs == [pytest.approx([20, 60]), pytest.approx([25, 70])]


def test_claims_are_shown_in_the_unit_and_digits_they_were_printed_in(data: dict[str, Any]) -> None:
    [view] = data["panels"]["claims"]["views"]
    assert column(view, "state") == ["superseded", "current"]
    names = [column["name"] for column in view["table"]["columns"]]

    def shown(row: int, name: str) -> str:
        return str(view["table"]["rows"][row][names.index(name)]["shown"])

    assert [shown(0, name) for name in ("printed", "now", "change")] == ["53.2%", "51.2%", "\N{MINUS SIGN}1.9 points"]
    assert [shown(1, name) for name in ("printed", "now", "change")] == [
        "9.97 GiB",
        "9.97 GiB",
        "\N{PLUS-MINUS SIGN}0.00 GiB",
    ]
    assert "1 current and 1 superseded" in view["source"]["line"]


def test_claims_nothing_can_check_are_a_gap(tmp_path: Path) -> None:
    page = build_from(tmp_path, TECHNIQUES, [claimed(1, "not checkable")])
    [panel] = [panel for panel in page.panels if panel.key == "claims"]
    assert (panel.views, panel.missing[0].command) == ((), "hubstats crawl snapshot")


# --- simulation -----------------------------------------------------------------------------------------------------


def test_simulation_shows_the_committed_results(data: dict[str, Any]) -> None:
    path = results_path()
    assert path is not None
    told = json.loads(path.read_text(encoding="utf-8"))
    covered, worth = data["panels"]["simulation"]["views"]
    assert column(covered, "coverage") == [row["coverage"] for row in told["coverage"]]
    assert column(covered, "naive_coverage") == [row["naive_coverage"] for row in told["coverage"]]
    shown = {(row[0], row[1]): [value(cell) for cell in row[2:]] for row in worth["table"]["rows"]}
    assert sum(len(cells) for cells in shown.values()) == len(told["worth"])
    assert sorted(factor for cells in shown.values() for factor in cells) == sorted(
        row["ratio"] for row in told["worth"]
    )


def test_simulation_of_a_small_file(tmp_path: Path) -> None:
    covered = {
        "scenario": "small", "target": "authors", "measure": "repositories", "design": "simple", "repositories": 3000,
        "sample": 500, "technique": "lora", "truth": 0.7, "found": 99.0, "coverage": 0.9511, "error": 0.005,
        "width": 0.1, "naive_coverage": 0.31, "naive_error": 0.01, "naive_width": 0.04, "replications": 2000,
    }  # fmt: skip
    worth = {"frame": "all", "since": 0.5, "target": "frame", "ratio": 1.953, "error": 0.009, "replications": 200}
    path = tmp_path / "coverage.json"
    path.write_text(json.dumps({"seed": 7, "coverage": [covered], "worth": [worth]}), encoding="utf-8")
    panel = simulation(path)
    assert panel.views[0].table is not None
    assert panel.views[1].table is not None
    shown = [cell["shown"] if isinstance(cell, dict) else cell for cell in panel.views[0].table.rows[0]]
    assert shown[:2] == ["small", "LoRA"]
    assert "simple random" in shown
    assert shown[-4:] == ["95.1 \N{PLUS-MINUS SIGN} 0.5%", "10.0", "31.0 \N{PLUS-MINUS SIGN} 1.0%", "4.0"]
    assert panel.views[1].table.rows[0][2] == {"shown": "1.95 \N{PLUS-MINUS SIGN} 0.01 times", "value": 1.953}
    assert "seed 7" in panel.views[0].source.line
    assert "n = 200 replications" in panel.views[1].source.line


@pytest.mark.parametrize("text", ["", "[]", '{"coverage": [{}], "worth": [], "seed": 1}', '{"coverage": 3}'])
def test_a_file_that_is_no_simulation_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "coverage.json").write_text(text, encoding="utf-8")
    with pytest.raises(HubstatsError, match="make bench-coverage"):
        simulation(tmp_path / "coverage.json")


def test_an_installation_without_results_says_so() -> None:
    panel = simulation(None)
    assert panel.views == ()
    assert panel.missing[0].command == "make bench-coverage"


# --- hostile text ---------------------------------------------------------------------------------------------------


def hostile(text: str) -> tuple[Sequence[records.Record], ...]:
    """Every text of the new sections that comes from a file, replaced by `text`."""
    key = "evil"
    used = [
        estimate(name, 900, 1000, source=source, rule="evidence")
        for name, source in (("lora", "hub"), (key, "hub"), (text, text))
    ]
    months = [
        month(place, 0.7, name, source=source, caveat=text, trend_id=f"{text}{source}{name}{place}")
        for place in range(8)
        for name, source in ((key, "hub"), ("lora", text), (text, text))
    ]
    elsewhere = [
        replace(row, source=text, measure=text, reconciliation_id=f"{text}/2/{row.step}", figure_id="two")
        for row in CHAIN
    ]
    recalls = [
        replace(recalled(key, 0.9, 0.8, 0.85), caveat=text),
        replace(recalled(text, 0.9, 0.8, 0.85), source=text, measured_on=text),
    ]
    odd = claimed(
        1,
        "current",
        says=text,
        note=text,
        caveat=text,
        superseded_by=text,
        origin=text,
        url=text,
        published_on=text,
        printed_unit=text,
        superseded_on=text,
    )
    return (
        [TECHNIQUES[0], technique(key, text, text)],
        used,
        [replace(row, change=text, caveat=text, reconciliation_id=f"{text}/{row.step}") for row in CHAIN],
        elsewhere,
        months,
        [replace(version(number, 0.6, key), period=f"0.{number}", caveat=text) for number in (9, 10, 11)],
        [replace(event, what=text, link=text, event_id=f"{text}{event.event_id}") for event in EVENTS],
        recalls,
        [replace(few(key, 0.2, 0.6), caveat=text), replace(few(text, 0.2, 0.6), source=text)],
        [odd, claimed(2, text, printed=text)],
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_of_the_new_sections_is_text(tmp_path: Path, text: str) -> None:
    page = build_from(tmp_path, *hostile(text))
    data = page_data(page.html)
    for key in ("reconciliation", "trend", "recall", "concentration", "claims"):
        assert data["panels"][key]["views"], key
    markup = re.sub(r"<script>.*?</script>", "", page.html, flags=re.DOTALL)
    assert markup.count("<script") == markup.count("</script>") == 2, "the data block and Plotly, packed"
    assert "onerror=alert(1)>" not in markup
    assert "\u202e" not in page.html
    assert len(page.html) < 8_000_000

    def texts(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for item in value.values() for text in texts(item)]
        if isinstance(value, list):
            return [text for item in value for text in texts(item)]
        return [value] if isinstance(value, str) else []

    for panel in data["panels"].values():
        for view in panel["views"]:
            for trace in view.get("figure", {}).get("data", []):
                for shown in texts(trace.get("customdata", [])):
                    assert not re.search(r"<(?!/?b>|br>)", shown), shown[:80]
