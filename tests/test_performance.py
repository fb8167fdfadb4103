"""Standings, frontiers and published claims: by hand, by brute force, and against the PEFT project's own answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstats.errors import ConfigError
from hubstats.estimate import claims, performance
from hubstats.estimate.frontier import frontier, probabilities
from hubstats.estimate.interval import wilson_interval
from hubstats.estimate.runs import contests, judged, scatter
from hubstats.estimate.standing import margin, tied_with_best
from hubstats.records import (
    BenchMetric,
    BenchRun,
    Frontier,
    NotEstimated,
    PublishedClaim,
    Record,
    RunStanding,
)
from hubstats.sources._results import read_result
from hubstats.sources.snapshot import Snapshot
from hubstats.store import read_input
from hubstats.techniques import Registry, load
from tests.test_queries import bindable, connect

THEIRS = json.loads((Path(__file__).parent / "peft_frontier.json").read_text(encoding="utf-8"))
SHARED = Path(__file__).parents[2] / "shared" / "data" / "peft_method_comparison"
ORIGIN, TASK = "peft-method-comparison", "MetaMathQA"
N = 1319
EMPTY = Registry([])


def run(
    name: str, score: float | None, day: int = 0, *, current: bool = True, origin: str = ORIGIN, task: str = TASK,
    config: dict[str, Any] | None = None, software: str = "2", snapshot: str = "s", model: str | None = "m",
    metric: str = "test_accuracy", technique: str = "lora", **costs: float,
) -> list[Record]:  # fmt: skip
    run_id = f"{origin}/{task}/{name}/{day}/{model}"
    made = BenchRun(
        run_id, origin, task, name, technique, None, "LORA", "success", model_id=model,
        created_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day), is_current=current, torch_version=software,
        snapshot_on=snapshot, config=json.dumps({"adapter_config": config or {}, "training_params": {"seed": day}}),
    )  # fmt: skip
    values = {key: value for key, value in {metric: score, **costs}.items() if value is not None}
    return [made, *(BenchMetric(run_id, key, value, "", "lower") for key, value in values.items())]


def frame_of(records: Iterable[Record], items: Sequence[tuple[str, str, bool | None]] = ()) -> Any:
    tables: dict[str, list[Record]] = {}
    for record in records:
        tables.setdefault(record.TABLE, []).append(record)
    with connect() as connection:
        for table in ("bench_run", "bench_metric"):
            columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
            rows = [[bindable(getattr(row, name)) for name in columns] for row in tables.get(table, [])]
            if rows:
                connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
        for item in items:
            connection.execute("INSERT INTO bench_item (run_id, item_id, correct) VALUES (?, ?, ?)", item)
        return connection.sql(read_input("bench_runs")).pl()


def estimated(records: Iterable[Record], items: Sequence[tuple[str, str, bool | None]] = ()) -> list[Record]:
    return list(performance.estimate({"bench_runs": frame_of(records, items)}, EMPTY))


def standing_of(made: Iterable[Record]) -> dict[tuple[str, str], RunStanding]:
    return {(row.experiment, row.run_id.split("/")[3]): row for row in made if isinstance(row, RunStanding)}


def all_of(*groups: list[Record]) -> list[Record]:
    return [record for group in groups for record in group]


# --- standing -------------------------------------------------------------------------------------------------------


def test_interval_and_spread_by_hand() -> None:
    rows = standing_of(
        estimated(
            all_of(
                run("a", 0.50, 0, current=False), run("a", 0.54, 1),
                run("b", 0.40, 0, current=False), run("b", 0.43, 1), run("c", 0.20, 1),
            )
        )
    )  # fmt: skip
    a = rows["a", "1"]
    expected = wilson_interval([0.54 * N], [float(N)])
    assert (a.questions, a.low, a.high) == (N, expected["low"][0], expected["high"][0])
    assert a.question_error == pytest.approx(math.sqrt(0.54 * 0.46 / N), rel=2e-3), "half the interval over 1.96"
    assert (a.runs, a.sd) == (2, pytest.approx(0.04 / math.sqrt(2)))
    # Two experiments of two runs: (0.04^2 / 2 + 0.03^2 / 2) / 2
    assert a.pooled_sd == pytest.approx(math.sqrt((0.04**2 / 2 + 0.03**2 / 2) / 2))
    assert (a.pooled_degrees, a.pooled_runs, a.pooled_experiments) == (2, 4, 2)
    assert a.standard_error == pytest.approx(math.hypot(a.question_error or 0, a.pooled_sd or 0))
    assert a.degrees == pytest.approx(2 * ((a.standard_error or 0) / (a.pooled_sd or 1)) ** 4)
    assert (rows["c", "1"].runs, rows["c", "1"].sd) == (1, None)
    assert (rows["a", "0"].state, rows["a", "0"].superseded_by, a.state) == ("superseded", a.run_id, "current")
    assert (rows["a", "0"].tied_with_best, rows["a", "0"].behind_best) == (None, None)
    assert rows["b", "1"].behind_best == pytest.approx(0.11)
    assert [rows[key, "1"].tied_with_best for key in "abc"] == [True, False, False]
    # b is 0.11 / (sqrt(2) 0.0285) = 2.7 standard errors behind, at 6.8 degrees; Dunnett's value there is about 2.3
    assert a.compared == 3


def test_questions_are_counted_where_answers_are_kept() -> None:
    records = all_of(run("a", 0.5, origin="own"), run("b", 0.5, origin="own"))
    items = [(records[0].run_id, str(number), None if number == 4 else number < 2) for number in range(5)]  # type: ignore[attr-defined]
    rows = standing_of(estimated(records, items))
    assert (rows["a", "0"].questions, rows["b", "0"].questions) == (4, None)
    assert rows["b", "0"].low is None
    assert "not in the file" in (rows["b", "0"].caveat or "")


def test_a_result_of_other_settings_is_no_repetition() -> None:
    rows = standing_of(
        estimated(
            all_of(
                run("a", 0.10, 0, current=False, config={"r": 4, "target_modules": ["q", "v"]}),
                run("a", 0.50, 1, current=False, config={"r": 8, "target_modules": ["v", "q"], "peft_version": "1"}),
                run("a", 0.52, 2, config={"r": 8, "target_modules": ["q", "v"], "new": 1, "peft_version": "2"}),
            )
        )
    )
    assert [rows["a", day].repeats_newest for day in "012"] == [False, True, True]
    assert rows["a", "2"].sd == pytest.approx(0.02 / math.sqrt(2))
    assert "other settings" in (rows["a", "0"].caveat or "")


@pytest.mark.parametrize("config", ["", "{", "[]", "[" * 100_000, '{"adapter_config": 3}', None])
def test_a_config_that_cannot_be_read_changes_nothing(config: str | None) -> None:
    from dataclasses import replace

    old, new = run("a", 0.50, 0, current=False, config={"r": 4}), run("a", 0.52, 1)
    records = [replace(old[0], config=config), old[1], *new]  # type: ignore[type-var]
    assert standing_of(estimated(records))["a", "1"].runs == 2


def test_one_run_alone_is_tied_with_nobody() -> None:
    made = estimated(run("a", 0.5, peak_memory=1.0))
    row = standing_of(made)["a", "0"]
    assert (row.tied_with_best, row.behind_best, row.standard_error, row.compared) == (None, 0.0, None, 1)
    edge = [one for one in made if isinstance(one, Frontier)]
    assert [(one.cost_metric, one.on_frontier, one.probability) for one in edge] == [("peak_memory", True, None)]


def test_without_repetitions_only_ties_are_said() -> None:
    made = estimated(all_of(run("a", 0.50), run("b", 0.49), run("c", 0.10)))
    rows = standing_of(made)
    assert [rows[key, "0"].tied_with_best for key in "abc"] == [True, True, None]
    assert any(isinstance(one, NotEstimated) and one.rule == "tied_with_best" for one in made)
    assert any(isinstance(one, NotEstimated) and one.rule == "frontier_probability" for one in made)


def test_zero_spread_is_no_error() -> None:
    images = {"task": "image-gen", "metric": "similarity"}
    made = estimated(
        all_of(
            run("a", 0.7, 0, current=False, **images), run("a", 0.7, 1, peak_memory=2.0, **images),  # type: ignore[arg-type]
            run("b", 0.7, 1, peak_memory=2.0, **images), run("c", 0.6, 1, peak_memory=1.0, **images),  # type: ignore[arg-type]
            run("d", 0.6, 1, peak_memory=2.0, **images),  # type: ignore[arg-type]
        )
    )  # fmt: skip
    rows = standing_of(made)
    assert rows["a", "1"].standard_error == 0.0
    assert [rows[key, "1"].tied_with_best for key in "abcd"] == [True, True, False, False]
    edge = {one.experiment: (one.on_frontier, one.probability) for one in made if isinstance(one, Frontier)}
    assert edge == {"a": (True, 1.0), "b": (True, 1.0), "c": (True, 1.0), "d": (False, 0.0)}, "both that are level"


def test_two_base_models_are_never_compared() -> None:
    made = estimated(all_of(run("a", 0.9, model="big", peak_memory=1.0), run("b", 0.1, model=None, peak_memory=2.0)))
    assert {row.compared for row in standing_of(made).values()} == {1}
    assert all(one.on_frontier for one in made if isinstance(one, Frontier))
    keys = [(one.source, one.measure, one.rule) for one in made if isinstance(one, NotEstimated)]
    assert len(keys) == len(set(keys))


def test_tied_with_best_of_two_is_the_one_sided_test() -> None:
    from scipy.stats import norm, t

    for degrees, least in ((math.inf, norm.ppf(0.95)), (5.0, t.ppf(0.95, 5))):
        for factor, expected in ((0.999, True), (1.001, False)):
            gap = least * factor * math.sqrt(2) * 0.02
            # Satterthwaite's degrees of a difference of two equal variances are twice those of one.
            freedom = np.array([degrees / 2, degrees / 2])
            found = tied_with_best(np.array([0.5, 0.5 - gap]), np.full(2, 0.02**2), freedom)
            assert found.tolist() == [True, expected], (degrees, factor)


def test_tied_with_best_of_many_is_dunnett_s() -> None:
    # Dunnett's one-sided 5% value for 4 comparisons and 20 degrees of freedom is 2.30 (his table 1a, 1955).
    gap = np.array([0.0, 2.28, 2.32, 9.0, 9.0]) * math.sqrt(2) * 0.01
    found = tied_with_best(0.5 - gap, np.full(5, 1e-4), np.full(5, 10.0))
    assert found.tolist() == [True, True, False, False, False]


def test_the_tied_hold_the_best_as_often_as_promised() -> None:
    generator = np.random.default_rng(1)
    truth = np.array([0.50, 0.50, 0.50, 0.49, 0.47, 0.40, 0.30])
    variances = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 1.0]) * 1e-4
    held = 0
    for _ in range(1000):
        drawn = truth + generator.normal(0, np.sqrt(variances))
        held += bool(tied_with_best(drawn, variances, np.full(7, np.inf))[0])
    assert held / 1000 >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 1000)


def test_margin_of_a_difference() -> None:
    from scipy.stats import t

    # No question error: variance s^2 (1/1 + 1/2), all of s's 4 degrees of freedom.
    assert margin((None, 1), (None, 2), 0.01, 4) == pytest.approx(t.ppf(0.975, 4) * 0.01 * math.sqrt(1.5))
    # Questions add without losing degrees; infinitely sure spread leaves the normal value.
    assert margin((0.02, 1), (0.02, 1), 0.0, 4) == pytest.approx(1.959964 * 0.02 * math.sqrt(2), rel=1e-6)


# --- frontier -------------------------------------------------------------------------------------------------------

GRID = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40)


@given(GRID)
def test_frontier_equals_brute_force(points: list[tuple[int, int]]) -> None:
    expected = [
        not any(s >= score and c <= cost and (s, c) != (score, cost) for s, c in points) for score, cost in points
    ]
    scores, costs = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    assert frontier(scores, costs).tolist() == expected


@settings(max_examples=30, deadline=None)
@given(GRID, st.sampled_from((0.0, 0.003, 0.05)), st.booleans())
def test_probabilities_equal_draws_without_shortcuts(points: list[tuple[int, int]], error: float, moved: bool) -> None:
    scores, costs = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    scores, costs = scores / 10, costs + 1.0
    scattered = np.array([-0.05, 0.0, 0.05]) if moved else None
    found = probabilities(scores, np.full(scores.size, error), costs, scattered, draws=2000, seed=3)
    generator = np.random.default_rng(4)
    slow = np.zeros(scores.size)
    for _ in range(400):
        drawn = np.clip(scores + error * generator.standard_normal(scores.size), 0, 1)
        off = (
            0.0
            if scattered is None
            else generator.choice(scattered, scores.size) + 1e-9 * generator.random(scores.size)
        )
        slow += frontier(drawn, costs * np.exp(off))
    assert np.abs(found - slow / 400).max() < 0.13, "five standard errors of 400 draws"


def test_probability_of_two_runs_is_known() -> None:
    from scipy.stats import norm

    # The cheaper is always on it; the dearer exactly when it scores higher: Phi(gap / sqrt(2 e^2)).
    found = probabilities(np.array([0.50, 0.52]), np.array([0.02, 0.02]), np.array([1.0, 2.0]), None, draws=40_000)
    assert found[0] == 1.0
    assert found[1] == pytest.approx(norm.cdf(0.02 / (0.02 * math.sqrt(2))), abs=4 * 0.5 / 200)
    # A dearer run 1.5 errors behind is still drawn: Phi(-1.5 / sqrt 2).
    found = probabilities(np.array([0.53, 0.50]), np.array([0.02, 0.02]), np.array([1.0, 2.0]), None, draws=40_000)
    assert found[1] == pytest.approx(norm.cdf(-1.5 / math.sqrt(2)), abs=0.01)
    # Costs that swap in a quarter of the draws (one moves up and the other does not): then the better one is alone.
    found = probabilities(
        np.array([0.50, 0.90]), np.array([0.001, 0.001]), np.array([1.0, 1.1]), np.array([0.0, 0.2]), draws=40_000
    )
    assert found[1] == 1.0
    assert found[0] == pytest.approx(0.75, abs=0.01)


def test_probabilities_are_the_same_every_time() -> None:
    scores, errors, costs = np.linspace(0.3, 0.5, 300), np.full(300, 0.02), np.linspace(1, 2, 300)
    first = probabilities(scores, errors, costs, np.array([-0.1, 0.1]), draws=2000, seed=9)
    assert first.tolist() == probabilities(scores, errors, costs, np.array([-0.1, 0.1]), draws=2000, seed=9).tolist()
    assert 0 <= first.min() <= first.max() <= 1


def test_cost_scatter_is_that_of_the_same_software_without_what_moved_all() -> None:
    records = all_of(
        # From s1 to s2 all take 10% longer, and b another 2% on top; a new version doubles the time of everything.
        *(run(name, 0.5, 0, current=False, snapshot="s1", train_time=100.0) for name in "abc"),
        *(run(name, 0.5, 1, current=False, snapshot="s2", train_time=time) for name, time in
          (("a", 110.0), ("b", 110.0 * 1.02), ("c", 110.0))),
        *(run(name, 0.5, 2, software="3", snapshot="s3", train_time=200.0) for name in "abc"),
    )  # fmt: skip
    (contest,) = contests(judged(frame_of(records)))
    found = scatter(contest, "train_time")
    assert found is not None
    # log 1.02 spread over three pairs: b's rests are +-(log 1.02) / 3, the others' half of it; 6 values, 2 degrees.
    third = math.log(1.02) / 3 * math.sqrt(6 / 2)
    assert found.tolist() == pytest.approx([-third, -third / 2, -third / 2, third / 2, third / 2, third])
    assert scatter(contest, "peak_memory") is None
    assert scatter(contest, "checkpoint_size") is None


def test_missing_and_infinite_metrics_are_no_points() -> None:
    made = estimated(
        all_of(
            run("a", 0.5, peak_memory=math.nan, train_time=5.0), run("b", 0.4, peak_memory=math.inf),
            run("c", 0.3, peak_memory=7.0), run("d", math.nan, peak_memory=1.0), run("e", math.inf, peak_memory=1.0),
            run("f", None, peak_memory=1.0), run("g", 1.5, peak_memory=1.0), run("h", 0.2, peak_memory=0.0),
        )
    )  # fmt: skip
    assert {key for key, _ in standing_of(made)} == {"a", "b", "c", "h"}
    edge = {(one.cost_metric, one.experiment) for one in made if isinstance(one, Frontier)}
    assert edge == {("peak_memory", "c"), ("train_time", "a")}
    for record in made:
        for name in record.__dataclass_fields__:
            value = getattr(record, name)
            assert not isinstance(value, float) or math.isfinite(value), (record, name)


def test_an_empty_file_makes_nothing() -> None:
    assert estimated([]) == []


def experiments_on(made: Iterable[Record]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for one in made:
        if isinstance(one, Frontier) and one.on_frontier:
            found.setdefault(one.task, {}).setdefault(one.cost_metric, []).append(one.experiment)
    return {task: {cost: sorted(names) for cost, names in costs.items()} for task, costs in found.items()}


NOT_A_NUMBER = "full-finetuning/flux2-klein-default"
"""Its drift is NaN. Theirs keeps it on the frontier, as nothing compares with NaN; ours leaves it out."""


def as_theirs(found: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]]]:
    assert NOT_A_NUMBER not in found["image-gen"]["drift"]
    found["image-gen"]["drift"] = sorted([*found["image-gen"]["drift"], NOT_A_NUMBER])
    return found


def test_the_frontier_of_the_snapshot_is_the_peft_project_s_own() -> None:
    records = [one for page in Snapshot().pages({}) for one in page.records if isinstance(one, BenchRun | BenchMetric)]
    assert as_theirs(experiments_on(estimated(records))) == THEIRS["frontier"]


def test_the_frontier_of_the_result_files_is_the_peft_project_s_own() -> None:
    if not SHARED.is_dir():
        pytest.skip("the published result files are not beside the repository (../shared/data/peft_method_comparison)")
    registry, records = load(), []
    for path in sorted(SHARED.glob("*/*.json")):
        reading = read_result(path.read_bytes(), f"{path.parent.name}/results/{path.name}", registry)
        object.__setattr__(reading.run, "is_current", True)
        records += [reading.run, *reading.metrics]
    assert len(records) > 94 * 5
    assert as_theirs(experiments_on(estimated(records))) == THEIRS["frontier"]


# --- published claims -----------------------------------------------------------------------------------------------


def claim(**given: Any) -> claims.Claim:
    plain = {"claim_id": "claim/x/y", "origin": "x", "url": "u", "published_on": "2026-06-18", "says": "s",
             "task": TASK, "metric": "test_accuracy", "experiment": "a", "printed": "53.2", "unit": "%"}  # fmt: skip
    return claims.Claim(**{**plain, **given})


def check(monkeypatch: pytest.MonkeyPatch, one: claims.Claim, records: list[Record]) -> PublishedClaim:
    monkeypatch.setattr(claims, "read_claims", lambda: (one,))
    (found,) = (record for record in estimated(records) if isinstance(record, PublishedClaim))
    return found


@pytest.mark.parametrize(
    ("scores", "state"),
    [
        ([0.5322], "current"),
        ([0.5315], "current"),
        ([0.5326], "unconfirmed"),
        ([0.5322, 0.5132], "superseded"),
        ([0.5132, 0.5322], "current"),
    ],
)
def test_a_printed_figure_against_results(monkeypatch: pytest.MonkeyPatch, scores: list[float], state: str) -> None:
    last = len(scores) - 1
    records = all_of(*(run("a", score, day, current=day == last) for day, score in enumerate(scores)))
    found = check(monkeypatch, claim(), records)
    assert (found.state, found.value, found.value_now) == (state, pytest.approx(0.532), scores[-1])
    if state == "superseded":
        assert (found.matched_on, found.superseded_on) == ("2026-01-01", "2026-01-02")
        assert found.superseded_by == records[-2].run_id  # type: ignore[attr-defined]
        assert found.change == pytest.approx(-0.0188)


def test_units_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    records = run("a", 0.5, peak_memory=10_708_058_112.0)
    gib = check(monkeypatch, claim(metric="peak_memory", printed="9.97", unit="GiB"), records)
    assert (gib.state, gib.value) == ("current", 9.97 * 2**30)
    assert check(monkeypatch, claim(metric="peak_memory", printed="9.97", unit="GB"), records).state == "unconfirmed"
    assert check(monkeypatch, claim(metric="peak_memory", printed="10.7", unit="GB"), records).state == "current"


def test_a_redefined_metric_is_never_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    records = all_of(run("a", 0.5, 0, current=False, forgetting_before_fix=0.6632), run("a", 0.5, 1, forgetting=0.1106))
    found = check(monkeypatch, claim(metric="forgetting_before_fix", printed="0.663", unit="nats"), records)
    assert (found.state, found.value_now, found.change) == ("superseded", None, None)
    assert found.superseded_on == "2026-01-02"
    assert "before 2026-07-14" in (found.metric_version or "")
    assert "no value of today" in (found.caveat or "")


def test_what_is_not_in_the_file_is_not_checkable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(monkeypatch, claim(experiment="b"), run("a", 0.5)).state == "not checkable"
    edge = claim(printed=None, rule="on_frontier", cost="peak_memory")
    assert check(monkeypatch, edge, run("a", 0.5)).state == "not checkable"
    withdrawn = check(monkeypatch, claim(), all_of(run("a", 0.532, current=False), run("b", 0.1)))
    assert (withdrawn.state, withdrawn.superseded_by) == ("superseded", None)
    assert "withdrawn" in (withdrawn.caveat or "")


def test_statements_about_the_frontier(monkeypatch: pytest.MonkeyPatch) -> None:
    records = all_of(
        run("a", 0.5, peak_memory=5.0), run("b", 0.6, peak_memory=5.0, technique="oft"), run("c", 0.1, peak_memory=1.0)
    )
    on = claim(printed=None, rule="on_frontier", cost="peak_memory")
    lost = check(monkeypatch, on, records)
    assert (lost.state, lost.superseded_by) == ("superseded", records[3].run_id)  # type: ignore[attr-defined]
    winner = claim(printed=None, rule="on_frontier", cost="peak_memory", experiment="b")
    assert check(monkeypatch, winner, records).state == "current"
    beats = claim(printed=None, rule="dominates", cost="peak_memory", experiment="b", other="a")
    assert check(monkeypatch, beats, records).state == "current"
    beaten = claim(printed=None, rule="dominates", cost="peak_memory", experiment="a", other="b")
    assert check(monkeypatch, beaten, records).state == "superseded"
    off = claim(printed=None, rule="off_frontier", cost="peak_memory", experiment=None, technique="lora")
    assert check(monkeypatch, off, records).state == "superseded", "c is plain LoRA and on it"
    assert check(monkeypatch, off, records[:6]).state == "current"


def test_the_committed_claims_hold_what_they_say() -> None:
    records = [one for page in Snapshot().pages({}) for one in page.records if isinstance(one, BenchRun | BenchMetric)]
    states = {one.claim_id.rpartition("/")[2]: one for one in estimated(records) if isinstance(one, PublishedClaim)}
    assert {name: one.state for name, one in states.items()} == {
        "rslora-accuracy": "superseded", "rslora-memory": "current", "rslora-frontier": "current",
        "lora-accuracy": "superseded", "lora-memory": "superseded", "lora-fa-memory": "superseded",
        "beft-accuracy": "superseded", "beft-memory": "current", "beft-frontier": "current",
        "lily-accuracy": "superseded", "lily-memory": "current", "lily-frontier": "current",
        "image-lora-similarity": "current", "image-lora-memory": "current", "image-oft-similarity": "current",
        "image-oft-memory": "current", "image-oft-dominates": "current", "image-lora-frontier": "superseded",
        "image-gralora-similarity": "unconfirmed", "image-gralora-converted": "not checkable",
        "rslora-forgetting": "superseded",
    }  # fmt: skip
    assert round(states["rslora-accuracy"].value_now or 0, 3) == 0.513
    assert states["rslora-accuracy"].superseded_on == "2026-07-15"


@pytest.mark.parametrize(
    "line",
    [
        'printed = "1"\nunit = "furlong"',
        'rule = "sideways"\ncost = "c"',
        'rule = "on_frontier"',
        "odd = 1",
        'printed = "x"\nunit = "%"',
    ],
)  # fmt: skip
def test_a_broken_claim_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(
        '[[publication]]\norigin = "o"\ntitle = "t"\nurl = "u"\npublished_on = "2026-01-01"\nread_at = "r"\n'
        f'[[publication.claim]]\nkey = "k"\nsays = "s"\ntask = "t"\nmetric = "m"\nexperiment = "e"\n{line}\n'
    )
    with pytest.raises(ConfigError, match="claim/o/k"):
        claims.read_claims(path)
