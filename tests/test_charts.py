"""Chart kinds: what they draw, and that no text becomes markup."""

from __future__ import annotations

import json
import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstats import charts
from hubstats.charts import Bar, Change, Header, Moment, Point, Range, Step, When, waterfall_rows
from hubstats.charts.text import _INVISIBLE

HOSTILE = "<script>alert(1)</script>"


def point(name: str = "OFT", x: float | None = 1.0, y: float = -2.0, **more: object) -> Point:
    return Point(name, "orthogonal", Range(x, 0.5, 3.0, 0.1, 9.0), Range(y, y - 1, y + 1), name, **more)  # type: ignore[arg-type]


def marks(figure: charts.Figure) -> list[dict[str, object]]:
    return [trace for trace in figure["data"] if "markers" in trace["mode"]]


def test_scatter_keeps_values_and_both_intervals() -> None:
    figure = charts.scatter([point()], Header("share", "points"), log_x=True)
    (mark,) = marks(figure)
    assert (mark["x"], mark["y"]) == ([1.0], [-2.0])
    lines = {(tuple(trace["x"]), tuple(trace["y"])) for trace in figure["data"] if trace["mode"] == "lines"}
    assert ((0.5, 3.0, None), (-2.0, -2.0, None)) in lines, "inner interval"
    edge = 10 ** figure["layout"]["xaxis"]["range"][0]
    assert ((edge, 9.0, None), (-2.0, -2.0, None)) in lines, "outer interval, from the edge of the picture"
    assert ((1.0, 1.0, None), (-3.0, -1.0, None)) in lines, "interval of the score"


def test_scatter_tells_own_runs_from_published_ones() -> None:
    figure = charts.scatter([point(size=2e10), point("ours", own=True, size=2e10)], Header("x"))
    symbols = {symbol for mark in marks(figure) for symbol in mark["marker"]["symbol"]}  # type: ignore[index]
    assert symbols == {"circle", "diamond"}
    labels = [entry["label"] for entry in figure["layout"]["meta"]["legend"]]
    assert "published run" in labels
    assert "our own run" in labels


def test_area_of_a_mark_is_proportional_to_memory() -> None:
    figure = charts.scatter([point("a", size=10e9), point("b", size=40e9)], Header("x"))
    small, large = marks(figure)[0]["marker"]["size"]  # type: ignore[index]
    assert large / small == pytest.approx(2.0)


def test_unseen_points_stand_in_a_strip_left_of_every_value() -> None:
    points = [point(), *(point(f"none {number}", None, -number, unseen=True) for number in range(7))]
    figure = charts.scatter(points, Header("x"), log_x=True, strip="seen nowhere")
    start, _ = figure["layout"]["xaxis"]["range"]
    places = [x for mark in marks(figure) for x in mark["x"]]  # type: ignore[attr-defined]
    strip = sorted(places)[:7]
    assert all(10**start < place < 0.5 for place in strip)
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["seen nowhere"]
    (band,) = figure["layout"]["shapes"]
    assert band["x1"] < 1
    end = start + band["x1"] * (figure["layout"]["xaxis"]["range"][1] - start)
    assert max(strip) < 10**end < 1.0


def test_intervals_do_not_reach_into_the_strip() -> None:
    figure = charts.scatter([point(), point("none", None, unseen=True)], Header("x"), log_x=True)
    start, end = figure["layout"]["xaxis"]["range"]
    edge = 10 ** (start + figure["layout"]["shapes"][0]["x1"] * (end - start))
    level = [trace for trace in figure["data"] if trace["mode"] == "lines" and trace["y"][0] == trace["y"][1]]
    assert level
    assert all(trace["x"][0] >= edge * 0.999 for trace in level)


def test_floor_bounds_what_is_shown() -> None:
    figure = charts.scatter([point(y=-3.0), point("low", y=-60.0)], Header("x"), y_floor=-20.0)
    assert -25 < figure["layout"]["yaxis"]["range"][0] <= -20


def test_frontier_path_is_stepped_and_an_obstacle_for_labels() -> None:
    figure = charts.add_path(charts.scatter([point()], Header("x")), [1.0, 2.0], [5.0, 7.0])
    assert figure["data"][0]["line"]["shape"] == "hv"
    assert figure["layout"]["meta"]["path"] == [[1.0, 5.0], [2.0, 5.0], [2.0, 7.0]]


def test_intervals_mark_what_others_printed() -> None:
    bars = [Bar("ours", Range(50.0, 40.0, 60.0), "ours"), Bar("theirs", Range(98.4), "theirs", hollow=True)]
    figure = charts.intervals(bars, Header("share"), labels_above=True)
    assert [mark["marker"]["symbol"] for mark in marks(figure)] == ["circle", "circle-open"]  # type: ignore[index]
    assert figure["layout"]["xaxis"]["range"] == [0, 104.0]


def test_pairs_go_from_ring_to_disc() -> None:
    figure = charts.pairs([Step("LoRA", 48.1, 47.4, "LoRA")], Header("score"), start="then", end="now")
    (mark,) = marks(figure)
    assert mark["x"] == [48.1, 47.4]
    assert mark["marker"]["symbol"] == ["circle-open", "circle"]  # type: ignore[index]
    assert [entry["label"] for entry in figure["layout"]["meta"]["legend"]] == ["then", "now"]


def test_pairs_draw_the_interval_of_where_they_end() -> None:
    figure = charts.pairs(
        [Step("OFT", 2.0, 4.0, "OFT", low=0.0, high=9.0)], Header("share"), start="a", end="b", log_percent=True
    )
    [line] = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    edge = 10 ** figure["layout"]["xaxis"]["range"][0]
    assert line["x"] == [pytest.approx(edge), 9.0, None], "a logarithmic axis has no zero"


CHANGES = [
    Change("as printed", "98%", 98.0, None, "published", hollow=True),
    Change("their rule", "-8", 90.0, 98.0, "items", Range(90.0, 88.0, 92.0), other_items=True),
    Change("up", "+5", 95.0, 90.0, "up", Range(95.0, 94.0, 96.0)),
    Change("down", "-15", 80.0, 95.0, "down", Range(80.0, 79.0, 81.0)),
    Change("perhaps", "+1", 81.0, 80.0, "perhaps", Range(81.0, 78.0, 84.0)),
    Change("not known", "+1", 82.0, 81.0, "not known"),
    Change("ours", "82%", 82.0, None, "ours", Range(82.0, 70.0, 90.0)),
    Change("aside", "-60", 20.0, 80.0, "aside", Range(20.0, -30.0, 70.0), beside=True),
]


def test_waterfall_colours_only_what_the_interval_shows() -> None:
    assert [change.token for change in CHANGES] == [
        "ink", waterfall_rows.OTHER_ITEMS, waterfall_rows.RAISES, waterfall_rows.LOWERS, waterfall_rows.UNSURE,
        waterfall_rows.UNSURE, "ink", waterfall_rows.LOWERS,
    ]  # fmt: skip
    figure = charts.waterfall(CHANGES, Header("share"))
    bars = {tuple(trace["x"]): trace for trace in figure["data"] if trace.get("line", {}).get("width") == 11}
    assert set(bars) == {(98.0, 90.0), (90.0, 95.0), (95.0, 80.0), (80.0, 81.0), (81.0, 82.0), (80.0, 20.0)}
    assert bars[90.0, 95.0]["line"]["color"] == charts.colour(waterfall_rows.RAISES)


def test_waterfall_leads_on_from_row_to_row_but_not_to_what_stands_beside() -> None:
    figure = charts.waterfall(CHANGES, Header("share"))
    leads = [trace["y"] for trace in figure["data"] if trace.get("line", {}).get("dash") == "dot"]
    assert leads == [[place, place + 1] for place in range(6)]


def test_waterfall_is_not_stretched_by_an_interval_beside_it() -> None:
    low, high = charts.waterfall(CHANGES, Header("share"))["layout"]["xaxis"]["range"]
    assert -2 <= low < 20
    assert 98 < high <= 102


def test_time_lines_keep_values_and_mark_moments() -> None:
    periods = [
        When(date(2025, number, 1), Range(50.0, 40.0, 60.0), Range(51.0, 45.0, 57.0), "month") for number in (1, 2, 3)
    ]
    moments = [Moment(date(2025, 2, 3), "1", "event"), Moment(date(2025, 2, 9), "", "release")]
    figure = charts.over_time(periods, moments, Header("month", "share"), "low-rank")
    assert [moment["text"] for moment in figure["layout"]["meta"]["moments"]] == ["1"]
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == ["2025-02-03"]
    [band] = [trace for trace in figure["data"] if trace.get("fill") == "toself"]
    assert band["y"] == [57.0, 57.0, 57.0, 45.0, 45.0, 45.0]
    points = next(mark for mark in marks(figure) if len(mark["x"]) == 3)  # type: ignore[arg-type]
    assert (points["x"][1], points["y"]) == ("2025-02-15", [50.0, 50.0, 50.0])  # type: ignore[index]


@pytest.mark.parametrize("make", ["scatter", "intervals", "pairs", "waterfall", "over_time"])
def test_nothing_at_all_is_a_chart_too(make: str) -> None:
    chart = {
        "scatter": lambda: charts.scatter([], Header("x"), log_x=True),
        "intervals": lambda: charts.intervals([], Header("x")),
        "pairs": lambda: charts.pairs([], Header("x"), start="a", end="b", log_percent=True),
        "waterfall": lambda: charts.waterfall([], Header("x")),
        "over_time": lambda: charts.over_time([], [], Header("x"), "other"),
    }[make]()
    json.dumps(chart, allow_nan=False)


def test_names_reach_plotly_escaped() -> None:
    bars = charts.intervals([Bar(HOSTILE, Range(1.0), "x")], Header("x"), labels_above=True)
    assert bars["layout"]["annotations"][0]["text"].startswith("&lt;script&gt;")
    pairs = charts.pairs([Step(HOSTILE, 1, 2, "x")], Header("x"), start="a", end="b")
    assert all("<" not in text for text in pairs["layout"]["yaxis"]["ticktext"])


def test_every_colour_of_a_figure_is_in_the_palette() -> None:
    known = {light for light, _ in charts.PALETTE.values()} | {"rgba(0,0,0,0)"}
    day = date(2025, 1, 1)
    figures = [
        charts.scatter([point(), point("none", None, unseen=True)], Header("x"), log_x=True, zero_line=True),
        charts.waterfall(CHANGES, Header("x")),
        charts.over_time(
            [When(day, Range(1.0), Range(1.0, 0.5, 2.0), "")], [Moment(day, "1", "")], Header("x"), "other"
        ),
    ]
    found: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                if "color" in key and isinstance(item, str):
                    found.add(item)
                collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    collect(figures)
    assert found
    assert found <= known


def test_palette_is_legible_on_its_paper() -> None:
    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for token, theme in charts.PALETTE.items():
        if token in ("paper", "band", "line"):
            continue
        for shade, paper in zip(theme, charts.PALETTE["paper"], strict=True):
            high, low = sorted((light(shade), light(paper)), reverse=True)
            least = 4.5 if token in ("ink", "soft") else 3.0
            assert (high + 0.05) / (low + 0.05) >= least, (token, shade)


@given(st.text(max_size=300))
def test_plain_text_is_one_short_visible_line(text: str) -> None:
    shown = charts.plain(text)
    assert len(shown) <= charts.LONGEST_LABEL
    assert not _INVISIBLE.search(shown)
    assert "\n" not in shown


def test_direction_marks_are_made_visible() -> None:
    assert charts.plain("abc\u202egpj.exe") == "abc\N{REPLACEMENT CHARACTER}gpj.exe"


def test_values_that_are_not_finite_become_null() -> None:
    figure = charts.intervals([Bar("x", Range(math.nan), "x")], Header("x"))
    assert marks(figure)[0]["x"] == [None]
