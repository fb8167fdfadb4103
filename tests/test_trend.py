"""Shares by month and by version against sums done by hand and against the whole design; events; bad dates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstats.errors import ConfigError
from hubstats.estimate import estimate_shares, events, trend
from hubstats.estimate.domain import restrict, shares_within, sources
from hubstats.estimate.survey import Design
from hubstats.records import NotEstimated, Record, TrendPoint
from hubstats.techniques import Registry, Technique, load

REGISTRY = Registry([Technique("lora", "LoRA", "low-rank", "method", peft_type="LORA", library="peft", since="0.16")])

SCHEMA: Mapping[str, Any] = {
    "source": pl.String,
    "subject_id": pl.String,
    "author": pl.String,
    "downloads": pl.Int64,
    "created_at": pl.Datetime("us"),
    "peft_version": pl.String,
    "stratum": pl.String,
    "weight": pl.Float64,
    "state": pl.String,
    "techniques": pl.List(pl.String),
    "overlays": pl.List(pl.String),
    "blog_technique": pl.String,
    "blog_technique_folded": pl.String,
    "card_status": pl.String,
    "config_status": pl.String,
    "site_type": pl.String,
    "detector_version": pl.String,
    "seen_at": pl.Datetime("us"),
}


def subjects(*rows: Mapping[str, Any]) -> pl.DataFrame:
    plain = {
        "source": "hub",
        "stratum": "all",
        "weight": 1.0,
        "state": "used",
        "techniques": ["lora"],
        "overlays": [],
        "card_status": "ok",
        "config_status": "ok",
        "seen_at": datetime(2026, 1, 15),
        "detector_version": "test",
    }
    filled = [{"subject_id": f"o/{n}", "author": f"author {n}"} | plain | dict(row) for n, row in enumerate(rows)]
    return pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in filled], schema=SCHEMA)


def frames(items: pl.DataFrame, **more: pl.DataFrame) -> dict[str, pl.DataFrame]:
    empty = {
        "strata": pl.DataFrame(schema={"source": pl.String, "stratum": pl.String, "frame_size": pl.Int64}),
        "author_frame": pl.DataFrame(
            schema={"source": pl.String, "author": pl.String, "stratum": pl.String, "repositories": pl.Int64}
        ),
    }
    return {"subjects": items, **empty, **more}


def made(*rows: Mapping[str, Any]) -> tuple[dict[str, TrendPoint], list[NotEstimated]]:
    records: list[Record] = list(trend.estimate(frames(subjects(*rows)), REGISTRY))
    points = {row.trend_id: row for row in records if isinstance(row, TrendPoint)}
    assert len(points) + sum(isinstance(row, NotEstimated) for row in records) == len(records), "ids are unique"
    return points, [row for row in records if isinstance(row, NotEstimated)]


def in_month(month: int, technique: str, weight: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"created_at": datetime(2025, month, 5), "techniques": [technique], "weight": weight} | more


def test_a_month_has_the_share_of_its_own_items_and_the_smoothed_one_that_of_three_months() -> None:
    points, _ = made(
        in_month(1, "lora"), in_month(1, "ia3"),
        in_month(2, "lora"), in_month(2, "lora"), in_month(2, "lora"), in_month(2, "ia3"),
        in_month(3, "ia3"), in_month(3, "ia3"),
        in_month(5, "lora"), in_month(5, "lora"),
    )  # fmt: skip
    lora = {month: points[f"trend/hub/evidence/month/2025-{month:02d}/lora"] for month in (1, 2, 3, 5)}
    assert [lora[month].share for month in lora] == [0.5, 0.75, 0, 1]
    # January pools with February alone; March's neighbour April has no items; May stands alone
    assert [lora[month].smooth for month in lora] == [4 / 6, 4 / 8, pytest.approx(3 / 6), 1]
    assert [lora[month].subjects for month in lora] == [2, 4, 2, 2]
    assert lora[2].starts_on == date(2025, 2, 1)
    assert lora[2].smoothing == "centred three-month pooled share"
    assert lora[3].count == 0
    assert lora[3].high is not None, "a technique seen in another month has a 0 with an upper end"
    assert lora[3].high > 0.5
    assert lora[2].smooth_low is not None
    assert lora[2].low is not None
    assert lora[2].smooth_low < 0.5 < 0.75
    assert "deleted" in (lora[2].caveat or "")


def test_weights_and_shared_items_count_in_a_month() -> None:
    rows = [in_month(1, "lora", 3.0, stratum="a"), in_month(1, "lora", 3.0, stratum="a")]
    rows += [in_month(1, "ia3", 1.0, stratum="b", techniques=["ia3", "lora"])]
    points, _ = made(*rows)
    point = points["trend/hub/evidence/month/2025-01/lora"]
    assert (point.count, point.total, point.share) == (pytest.approx(6.5), 7, pytest.approx(6.5 / 7))


def test_the_rules_have_their_own_items() -> None:
    points, _ = made(
        in_month(1, "lora", overlays=["dora"], blog_technique="dora"),
        in_month(1, "lora", techniques=[], state="mentioned", blog_technique="lora"),
        in_month(1, "ia3"),
    )
    assert points["trend/hub/overlay/month/2025-01/dora"].share == 0.5
    assert points["trend/hub/blog/month/2025-01/dora"].share == 0.5
    assert points["trend/hub/evidence/month/2025-01/lora"].share == 0.5
    assert "names LoRA on cards" in (points["trend/hub/blog/month/2025-01/dora"].caveat or "")


def test_a_series_of_one_author_is_one_author() -> None:
    rows = [in_month(1, "lora", author="a") for _ in range(50)] + [in_month(1, "ia3") for _ in range(5)]
    point = made(*rows)[0]["trend/hub/evidence/month/2025-01/lora"]
    assert point.share == pytest.approx(50 / 55)
    assert point.low is not None
    assert point.low < 0.5, "fifty uploads of one author are not fifty opinions"
    alone = made(*[in_month(1, "lora", author="a") for _ in range(50)])[0]["trend/hub/evidence/month/2025-01/lora"]
    assert (alone.share, alone.low, alone.high) == (1, None, None)
    assert "no interval" in alone.method


def test_versions_are_minor_ones_with_the_day_of_their_release() -> None:
    points, none = made(
        {"peft_version": "0.16.0"}, {"peft_version": "0.16.1", "techniques": ["ia3"]}, {"peft_version": "0.9.0"},
        {"peft_version": "0.99.0"}, {"peft_version": "junk"}, {},
    )  # fmt: skip
    lora = {row.period: row for row in points.values() if row.technique == "lora"}
    assert list(lora) == ["0.9", "0.16", "0.99"]
    assert lora["0.16"].share == 0.5
    assert lora["0.16"].starts_on == date(2025, 7, 3)
    assert lora["0.99"].starts_on is None
    assert (lora["0.16"].smooth, lora["0.16"].smoothing) == (None, None)
    assert "2 of 6 items do not tell it" in (lora["0.16"].caveat or "")
    assert [(row.measure, row.reason) for row in none] == [("trend by month", "no item has a date of creation")]


def test_impossible_dates_are_nobody_s() -> None:
    points, _ = made(
        in_month(1, "lora"),
        {"created_at": datetime(2026, 1, 14)},
        {"created_at": datetime(2026, 1, 16)},
        {"created_at": datetime(9999, 1, 1)},
        {"created_at": datetime(1, 1, 1)},
        {},
    )
    months = {row.period: row for row in points.values()}
    assert set(months) == {"2025-01", "2026-01"}
    assert "3 items with an impossible date" in (months["2025-01"].caveat or "")
    assert "1 items without a date" in (months["2025-01"].caveat or "")
    assert (months["2026-01"].caveat or "").startswith("the month was not over")
    assert "not over" not in (months["2025-01"].caveat or "")


def test_made_up_versions_do_not_make_a_million_rows() -> None:
    rows = [{"peft_version": f"{n // 300}.{n % 300}.0"} for n in range(400)] + [{"peft_version": "0.17.0"}]
    points, none = made(*rows)
    assert len({row.period for row in points.values()}) == trend.MOST_PERIODS
    assert any(row.period == "0.17" for row in points.values()), "those with the most items stay"
    assert any(row.measure == "trend by PEFT version, all periods" and "400 periods" in row.reason for row in none)


def test_no_items_no_trend() -> None:
    assert made() == ({}, [])
    assert made({"techniques": [], "state": "none"}) == ({}, [])
    assert made({"weight": float("nan")}, {"weight": 0.0}) == ({}, [])


def test_what_no_item_of_a_period_uses_is_said_to_have_no_trend() -> None:
    points, none = made(in_month(1, "lora"), {"overlays": ["dora"]})
    assert not [row for row in points.values() if row.rule == "overlay"]
    assert NotEstimated("hub", "trend by month", "overlay", "no item of a known period uses any") in none


def test_a_domain_is_the_whole_design_with_zeros() -> None:
    rng = np.random.default_rng(5)
    number = 300
    stratum = rng.integers(0, 3, number)
    drawn = np.bincount(stratum).astype(float)
    fraction = np.array([0.1, 0.5, 1.0])
    plan = Design(1 / fraction[stratum], rng.integers(0, 60, number), stratum, drawn, fraction)
    members = np.flatnonzero(rng.random(number) < 0.3)
    users = {name: rng.choice(members, 20, replace=False) for name in "ab"}
    votes = {name: (np.sort(items), np.ones(20)) for name, items in users.items()}
    size = np.zeros(number)
    size[members] = 1
    whole = estimate_shares(plan, size, votes)
    part = shares_within(plan, members, votes)
    for name in votes:
        for field in fields(whole[name]):
            there, here = getattr(whole[name], field.name), getattr(part[name], field.name)
            assert here == (None if there is None else pytest.approx(there, rel=1e-9)), field.name
    assert restrict(plan, members).drawn is plan.drawn
    assert shares_within(plan, members[:0], {}) == {}


def test_sources_are_in_order_and_without_unusable_weights() -> None:
    items = subjects({"source": "hub"}, {"source": "civitai"}, {"source": "hub", "weight": float("inf")})
    found = list(sources(frames(items)))
    assert [one.source for one, _ in found] == ["civitai", "hub"]
    assert found[1][1]["item"].to_list() == [0]
    assert "1 items without a usable weight" in found[1][0].caveat


ITEM = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["hub", "civitai", "snapshot"]),
        "author": st.sampled_from(["a", "b", "c", None]),
        "created_at": st.sampled_from([None, datetime(2025, 1, 1), datetime(2025, 2, 1), datetime(3000, 1, 1)]),
        "peft_version": st.sampled_from([None, "0.16.0", "0.17.1", "", "x"]),
        "techniques": st.sampled_from([[], ["lora"], ["ia3"], ["ia3", "lora"], ["other:X"]]),
        "overlays": st.sampled_from([[], ["dora"]]),
        "blog_technique": st.sampled_from([None, "lora", "ia3"]),
        "seen_at": st.sampled_from([None, datetime(2026, 1, 1)]),
    }
)


@settings(deadline=None, max_examples=60)
@given(st.lists(ITEM, max_size=12), st.floats(1, 50))
def test_no_input_gives_a_number_that_is_none(rows: list[dict[str, Any]], weight: float) -> None:
    points, _ = made(*[row | {"weight": weight if row["source"] == "hub" else 1.0} for row in rows])
    sums: dict[tuple[str, ...], float] = {}
    for point in points.values():
        numbers = [getattr(point, name) for name in ("count", "total", "share", "effective_size")]
        assert all(number is None or math.isfinite(number) for number in numbers)
        for low, middle, high in (
            (point.low, point.share, point.high),
            (point.smooth_low, point.smooth, point.smooth_high),
        ):
            if low is not None and middle is not None and high is not None:
                assert 0 <= low <= middle + 1e-9
                assert middle <= high + 1e-9
                assert high <= 1
        if point.rule == "evidence":
            key = (point.source, point.period_kind, point.period)
            sums[key] = sums.get(key, 0.0) + point.share
    assert all(total == pytest.approx(1) for total in sums.values())


# --- events -------------------------------------------------------------------------------------------------------

EVENT = """
[[event]]
id = "peft-0.16"
on = 2025-07-03
kind = "release"
what = "PEFT 0.16"
link = "https://example.org/"
peft_version = "0.16"
"""


def test_the_events_of_the_package_load_and_name_what_releases_brought() -> None:
    found = {row.event_id: row for row in events.estimate({}, load()) if hasattr(row, "event_id")}
    tag = found["event/peft-lora-tag"]
    assert (tag.happened_on, tag.kind, tag.peft_version) == (date(2025, 7, 3), "tooling", "0.16")
    assert tag.techniques == ()
    assert found["event/beyond-lora"].happened_on == date(2026, 6, 18)
    assert "dora" in found["event/peft-0.9"].techniques
    days = [row.happened_on for row in found.values()]
    assert days == sorted(days)
    released = {technique.since for technique in load() if technique.library == "peft" and technique.since}
    newer = max(released, key=lambda version: int(version.split(".")[1]))
    assert released - set(events.releases()) <= {"0.0", newer}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("event = 1", "nothing else"),
        ("[[", "events.toml"),
        (EVENT + "[other]\nx = 1", "nothing else"),
        (EVENT.replace('what = "PEFT 0.16"\n', ""), "peft-0.16: lacks what"),
        (EVENT + 'who = "me"', "does not know who"),
        (EVENT.replace("2025-07-03", '"3 July"'), "no day"),
        (EVENT.replace("2025-07-03", "2025-07-03T10:00:00"), "no day"),
        (EVENT.replace('"release"', '"party"'), "kind 'party'"),
        (EVENT.replace("https:", "javascript:"), "https://"),
        (EVENT.replace('peft_version = "0.16"', ""), "a release has one"),
        (EVENT.replace('peft_version = "0.16"', 'peft_version = "v16"'), "minor version"),
        (EVENT.replace('"PEFT 0.16"', '" "'), "must be texts"),
        (EVENT + EVENT, "twice"),
    ],
)
def test_an_event_that_is_not_as_it_should_be_is_refused(text: str, why: str) -> None:
    assert events.load(EVENT)[0].what == "PEFT 0.16"
    with pytest.raises(ConfigError, match=why):
        events.load(text)
