"""Chart kinds: what they draw, and that no text becomes markup."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import date
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstats import charts
from hubstats.charts import Bar, Change, Header, Moment, Range, Step, When, waterfall_rows
from hubstats.charts.text import _INVISIBLE

HOSTILE = "<script>alert(1)</script>"


def marks(figure: charts.Figure) -> list[dict[str, object]]:
    return [trace for trace in figure["data"] if "markers" in trace["mode"]]


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


@pytest.mark.parametrize("make", ["intervals", "pairs", "waterfall", "over_time"])
def test_nothing_at_all_is_a_chart_too(make: str) -> None:
    chart = {
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
        charts.intervals([Bar("x", Range(1.0, 0.5, 2.0), "x")], Header("x"), labels_above=True),
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


def test_plotly_knows_every_property() -> None:
    import plotly.graph_objects as go

    day = date(2025, 1, 1)
    figures = [
        charts.intervals([Bar("x", Range(1.0, 0.5, 2.0), "x", detail="y")], Header("x"), labels_above=True),
        charts.intervals([Bar("x", Range(1.0, 0.5, 2.0), "x")], Header("x"), log_x=True),
        charts.pairs([Step("x", 1, 2, "x", low=1.0, high=3.0)], Header("x"), start="a", end="b", log_percent=True),
        charts.waterfall(CHANGES, Header("x")),
        charts.over_time(
            [When(day, Range(1.0), Range(1.0, 0.5, 2.0), "")], [Moment(day, "1", "")], Header("x", "y"), "other"
        ),
    ]
    for figure in figures:
        checked = json.loads(go.Figure(figure, skip_invalid=False).to_json(engine="json"))
        assert len(checked["data"]) == len(figure["data"])


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


BLIND = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""Linear RGB as seen with each dichromacy: Machado, Oliveira and Fernandes 2009, IEEE TVCG 15:1291-1298, severity 1."""
CONES = ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
         (0.0883024619, 0.2817188376, 0.6299787005))  # fmt: skip
OKLAB = ((0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099),
         (0.0259040371, 0.7827717662, -0.8086757660))  # fmt: skip


def times(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def seen(colour: str, matrix: Sequence[Sequence[float]]) -> list[float]:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    cones = times(CONES, [min(max(part, 0.0), 1.0) for part in times(matrix, linear)])
    return times(OKLAB, [cone ** (1 / 3) for cone in cones])


@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("theme", [0, 1])
def test_colours_of_marks_can_be_told_apart_without_some_cones(kind: str, theme: int) -> None:
    tokens = [token for token in charts.PALETTE if token not in ("soft", "line", "band", "paper")]
    places = {token: seen(charts.PALETTE[token][theme], BLIND[kind]) for token in tokens}
    nearest = min((math.dist(places[one], places[other]), one, other) for one, other in combinations(tokens, 2))
    assert nearest[0] >= 0.09, nearest


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


def test_a_mark_has_its_values_in_six_digits_and_without_what_is_not_known() -> None:
    assert charts.at(Range(12.3456789, 10.0, 15.0)) == (12.3457, 10.0, 15.0)
    assert charts.at(Range(1.0, None, None, 0.5, 2.0), 100) == (100.0, None, None, 50.0, 200.0)
    assert charts.at(None) == (None,)
    assert charts.at(math.nan) == (None,)


def test_marks_carry_the_id_of_their_figure() -> None:
    bars = charts.intervals([Bar("x", Range(1.0), "x", id="hub/x")], Header("x"))
    pairs = charts.pairs([Step("x", 1, 2, "x", id="run")], Header("x"), start="a", end="b")
    falls = charts.waterfall([Change("x", "1", 1.0, None, "x", id="step")], Header("x"))
    assert [marks(figure)[-1]["meta"] for figure in (bars, pairs, falls)] == [
        {"ids": ["hub/x"]},
        {"ids": ["run", "run"]},
        {"ids": ["step"]},
    ]
