"""Advice: what fits, who is level, what is not known; amounts as people write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hubstats.cli import app
from hubstats.errors import ConfigError
from hubstats.estimate.standing import critical, criticals
from hubstats.quantities import bytes_of, seconds_of
from hubstats.recommend import Asked, Contest, critical_values, grouped, recommend
from tests.test_report import FIGURES, RUNS, SHARES, TECHNIQUES, write

GB, HOUR = 1e9, 3600.0


def row(
    technique: str, score: float, memory: float | None = 20.0, time: float | None = 900.0, **more: Any
) -> dict[str, Any]:
    return {
        "origin": "peft-method-comparison", "task": "MetaMathQA", "model_id": "m", "metric": "test_accuracy",
        "experiment": f"{technique}/default", "standing_id": f"standing/{technique}", "technique": technique,
        "name": technique.upper(), "family": "low-rank", "kind": "method", "score": score, "low": score - 0.02,
        "high": score + 0.02, "question_error": 0.01, "variance": 2e-4, "degrees": 100.0,
        "peak_memory": None if memory is None else memory * GB, "train_time": time, "total_time": 1000.0,
        "checkpoint_size": 1e7, "accelerator": "L40S", "learning_rate": 1e-4, "as_of": datetime(2026, 7, 14),
    } | more  # fmt: skip


def can(technique: str, capability: str, able: bool | None) -> dict[str, Any]:
    return {
        "technique": technique, "capability": capability, "able": able,
        "label": "unknown" if able is None else "probed",
        "detail": "seen", "library": "peft", "library_version": "0.21.2", "asked_on": date(2026, 11, 24),
    }  # fmt: skip


def asked(rows: Sequence[dict[str, Any]], abilities: Sequence[dict[str, Any]] = (), **wanted: Any) -> Contest:
    known = polars.DataFrame(list(abilities) or [can("nobody", "merge", True)])
    advice = recommend(polars.DataFrame(list(rows), infer_schema_length=None), known, Asked.read(**wanted))
    return advice.contests[0]


def keys(found: Sequence[Any]) -> list[str]:
    return [one.technique for one in found]


def test_amounts_are_read_as_people_write_them() -> None:
    assert bytes_of("12GB") == bytes_of("12 gb") == bytes_of("12g") == 12e9
    assert bytes_of("1.5GiB") == 1.5 * 2**30
    assert seconds_of("1h30m") == seconds_of("90min") == 5400
    assert seconds_of("45 s") == 45


@pytest.mark.parametrize(
    ("text", "says"),
    [("12", "12GB"), ("a lot", "12GB"), ("12 GX", "unit"), ("0GB", "nothing"), ("\x1b[9", "12GB"), ("9" * 99, "12GB")],
)
def test_a_memory_that_cannot_be_read_says_how_to_write_it(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as failed:
        bytes_of(text)
    assert "\x1b" not in str(failed.value)


@pytest.mark.parametrize("text", ["", "soon", "1x", "1h soon", "0s", "h"])
def test_a_time_that_cannot_be_read_says_how_to_write_it(text: str) -> None:
    with pytest.raises(ConfigError, match="1h30m"):
        seconds_of(text)


def test_needs_are_found_by_alias_and_refused_with_near_misses() -> None:
    assert Asked.read(needs="merge, quantized,merging").needs == ("merge", "quantised")
    with pytest.raises(ConfigError, match="did you mean merge"):
        Asked.read(needs="merg")


def test_ties_stand_by_memory_and_the_rest_by_score() -> None:
    found = asked([row("best", 0.50, 24), row("light", 0.49, 20), row("worse", 0.30, 10), row("worst", 0.20, 9)])
    assert [(one.technique, one.place) for one in found.fits] == [
        ("light", "level"), ("best", "level"), ("worse", "behind"), ("worst", "behind"),
    ]  # fmt: skip
    assert found.fits[0].behind == pytest.approx(0.01)
    assert found.fits[2].behind == pytest.approx(0.20)


def test_the_best_setting_within_the_limits_speaks_for_its_technique() -> None:
    rows = [row("lora", 0.50, 24, experiment="lora/large"), row("lora", 0.48, 18, experiment="lora/small")]
    [fits] = asked(rows, memory="20GB").fits
    assert (fits.experiment, fits.score, fits.settings) == ("lora/small", 0.48, 2)
    assert asked(rows, memory="30GB").fits[0].experiment == "lora/large"


def test_limits_exclude_with_the_reason_and_the_nearest_are_named() -> None:
    rows = [row("a", 0.5, 24), row("b", 0.4, 20), row("c", 0.3, 22), row("d", 0.1, 19, 7200.0)]
    found = asked(rows, memory="12GB", time="1h")
    assert not found.fits
    reasons = {one.technique: one.reasons for one in found.excluded}
    assert reasons["a"] == ("needed 24.0 GB, over 12.0 GB",)
    assert reasons["d"] == ("needed 19.0 GB, over 12.0 GB", "took 120 min, over 60 min")
    assert keys(found.nearest) == ["b", "a"], "c costs more than b and scores less; d misses the time by more"
    assert any("this base model" in note for note in found.notes)


def test_what_is_not_known_stands_apart() -> None:
    rows = [row("yes", 0.5), row("no", 0.5), row("unknown", 0.6), row("unasked", 0.4), row("weightless", 0.3, None)]
    abilities = [can("yes", "merge", True), can("no", "merge", False), can("unknown", "merge", None),
                 can("weightless", "merge", True)]  # fmt: skip
    found = asked(rows, abilities, needs="merge", memory="30GB")
    assert keys(found.fits) == ["yes"]
    assert found.fits[0].can == ("Merge: yes (probed: seen)",)
    assert {one.technique: one.unknown for one in found.perhaps} == {
        "unknown": ("Merge: seen",),
        "unasked": ("Merge: not asked of this technique",),
        "weightless": ("memory: not measured",),
    }
    assert keys(found.excluded) == ["no"]
    assert found.perhaps[0].behind == pytest.approx(-0.1), "it may be better than the best that is known to fit"


def test_a_setting_without_a_measured_cost_never_displaces_a_measured_one() -> None:
    rows = [row("a", 0.6, None, experiment="a/unmeasured"), row("a", 0.5, 10, experiment="a/measured")]
    [fits] = asked(rows, memory="12GB").fits
    assert fits.experiment == "a/measured"


@pytest.mark.parametrize("missing", [{"variance": None}, {"question_error": None}])
def test_where_nothing_was_repeated_nobody_is_called_level(missing: dict[str, None]) -> None:
    found = asked([row("a", 0.5, **missing), row("b", 0.1, **missing)])
    assert [one.place for one in found.fits] == ["unknown", "unknown"]
    assert any("repeated" in note for note in found.notes)


def test_contests_stay_apart_and_references_are_no_advice() -> None:
    rows = [row("a", 0.5), row("b", 0.7, origin="own"), row("c", 0.9, task="image-gen", metric="similarity"),
            row("full", 0.99, kind="baseline")]  # fmt: skip
    advice = recommend(polars.DataFrame(rows), polars.DataFrame([can("a", "merge", True)]), Asked())
    assert [(one.origin, one.task, keys(one.fits)) for one in advice.contests] == [
        ("peft-method-comparison", "MetaMathQA", ["a"]),
        ("peft-method-comparison", "image-gen", ["c"]),
        ("own", "MetaMathQA", ["b"]),
    ]
    assert [one.task for one in recommend(polars.DataFrame(rows), polars.DataFrame(), Asked(task="math")).contests] == [
        "MetaMathQA",
        "MetaMathQA",
    ]


@pytest.mark.parametrize(
    ("task", "says"),
    [("metamath", "MetaMathQA"), ("mth", "math"), ("image", "no runs of image tasks"), ("q", "there are")],
)
def test_a_task_that_is_not_there_is_refused(task: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        asked([row("a", 0.5)], task=task)


def test_critical_values_found_one_from_another_are_those_found_alone() -> None:
    found = criticals(40, 0.4, 60.0)
    assert found == pytest.approx([critical(rivals, 0.4, 60.0) for rivals in range(41)], abs=2e-6)
    assert found[0] == 0
    assert found[1:] == sorted(found[1:])
    assert critical_values([row("a", 0.5, variance=None)], 2) == [None, None, None]


CASES = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.floats(0, 1),
        st.none() | st.floats(5, 40),
        st.none() | st.floats(60, 9000),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(CASES, st.floats(5, 40), st.floats(0, 20))
def test_more_memory_never_loses_a_technique(
    cases: list[tuple[str, float, float | None, float | None]], limit: float, more: float
) -> None:
    rows = [row(*case, experiment=f"{case[0]}/{number}") for number, case in enumerate(cases)]
    tight, loose = asked(rows, memory=f"{limit:.3f}GB"), asked(rows, memory=f"{limit + more:.3f}GB")
    assert set(keys(tight.fits)) <= set(keys(loose.fits))
    for found in (tight, loose):
        everyone = [*keys(found.fits), *keys(found.perhaps), *keys(found.excluded)]
        assert sorted(everyone) == sorted({case[0] for case in cases}), "each technique in exactly one place"
        if found.fits:
            best = max(one.score for one in found.fits)
            assert all(one.place == "level" for one in found.fits if one.score == best)


def test_groups_are_in_the_order_of_the_answer() -> None:
    rows = [row("a", 0.5, origin="own"), row("b", 0.5), row("c", 0.5, metric="similarity", task="image-gen")]
    assert [key[:2] for key in grouped(polars.DataFrame(rows))] == [
        ("peft-method-comparison", "MetaMathQA"), ("peft-method-comparison", "image-gen"), ("own", "MetaMathQA"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("advice") / "x.duckdb", TECHNIQUES, SHARES, FIGURES, RUNS)


def test_the_command_prints_the_ranking_and_the_same_as_json(db: Path) -> None:
    def run(*more: str) -> str:
        done = CliRunner().invoke(app, ["recommend", "--db", str(db), *more])
        assert done.exit_code == 0, done.output
        return done.output

    text = run("--max-memory", "21.5GB")
    assert "2 of 4 techniques fit" in text
    assert text.index("MiSS") < text.index("VeRA")
    assert "standing/" in text
    answer = json.loads(run("--max-memory", "21.5GB", "--json"))
    [contest] = answer["contests"]
    assert [one["technique"] for one in contest["fits"]] == ["miss", "vera"]
    assert contest["fits"][0]["memory"] == 20e9
    assert answer["asked"]["max_memory"] == 21.5e9
    assert "needed 22.0 GB, over 21.5 GB" in run("--max-memory", "21.5GB", "--all")
    assert "Nearest to what was asked" in run("--max-memory", "1GB")


def test_an_empty_file_is_told_what_brings_runs(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["recommend", "--task", "math", "--db", str(write(tmp_path / "x.duckdb"))])
    assert done.exit_code == 0
    assert "hubstats crawl snapshot" in done.output
