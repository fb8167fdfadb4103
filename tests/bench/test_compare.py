"""Comparisons: statistics against hand-made figures, groups that hold their level, and what is refused and why."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from typer.testing import CliRunner

from hubstats.bench_cli import app
from hubstats.errors import BenchError
from hubstats_bench import paired, result
from hubstats_bench.compare import Comparison, Contest, compare
from hubstats_bench.experiment import Experiment
from hubstats_bench.paired import difference, exact, holm, scatter
from hubstats_bench.result import Record
from hubstats_bench.spec import Evaluation, Origin, RunSpec, run_id
from tests.bench.conftest import tiny_run

# --- statistics ---------------------------------------------------------------------------------------------------


def test_holm_by_hand() -> None:
    # 0.01 x 4, 0.02 x 3, 0.03 x 2 = 0.06 as well, 0.4 x 1; given in another order
    assert holm([0.03, 0.01, 0.4, 0.02]) == pytest.approx([0.06, 0.04, 0.4, 0.06])
    # never smaller than one before it, never above 1
    assert holm([0.01, 0.011, 0.6, 0.9]) == pytest.approx([0.04, 0.04, 1.0, 1.0])
    assert holm([]) == []


def test_with_one_seed_marks_are_tested_by_mcnemar() -> None:
    # 9 questions only one side has right, 2 only the other; 20 tell nothing
    a = np.array([[1.0] * 9 + [0.0] * 2 + [1.0] * 20])
    b = np.array([[0.0] * 9 + [1.0] * 2 + [1.0] * 20])
    found = difference(a, b, None, marks=True)
    # 2 x (C(11,0) + C(11,1) + C(11,2)) / 2^11 = 2 x 67 / 2048
    assert found.p == pytest.approx(134 / 2048)
    assert found.p == pytest.approx(stats.binomtest(9, 11).pvalue)
    assert found.mean == pytest.approx(7 / 31)
    assert not found.seeds_known


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
@settings(max_examples=60, deadline=None)
def test_the_exact_test_counts_all_signs(differences: list[int]) -> None:
    sizes = [abs(each) for each in differences]
    totals = [
        sum(sign * size for sign, size in zip(signs, sizes, strict=True))
        for signs in product((1, -1), repeat=len(sizes))
    ]
    expected = np.mean([abs(total) >= abs(sum(differences)) for total in totals])
    assert exact(differences) == pytest.approx(expected)


def test_with_one_seed_likelihoods_are_tested_by_the_paired_t_test() -> None:
    a, b = np.array([[1.0, 2.0, 4.0, 3.0, 2.5]]), np.array([[0.5, 2.5, 3.0, 2.0, 2.0]])
    # differences .5 -.5 1 1 .5: mean .5, variance 1.5/4, standard error sqrt(.375/5)
    found = difference(a, b, None, marks=False)
    assert (found.mean, found.error) == (pytest.approx(0.5), pytest.approx(math.sqrt(0.075)))
    assert found.degrees == pytest.approx(4)
    assert found.p == pytest.approx(stats.ttest_rel(a[0], b[0]).pvalue)
    assert found.low == pytest.approx(0.5 - 2.7764451 * math.sqrt(0.075))


def test_seeds_add_their_scatter() -> None:
    a, b = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 7.0]]), np.array([[0.0, 1.0], [0.0, 3.0]])
    # runs: 1.5 2.5 5 (variance 3.25) and .5 1.5 (variance .5), pooled (2 x 3.25 + .5) / 3
    between = scatter([a, b, a[:1]])
    assert between is not None
    assert (between.variance, between.degrees) == (pytest.approx(7 / 3), 3)
    # by question: 2 - 0 and 4 - 2, variance 0; the first scatters more than is usual and keeps its own
    found = difference(a, b, between, marks=False)
    assert (found.mean, found.seeds_known) == (2.0, True)
    assert found.error == pytest.approx(math.sqrt(3.25 / 3 + 7 / 3 / 2))
    assert found.degrees == pytest.approx(3)
    # what is known of the others stands for a single seed, and an untrained model has no scatter
    assert difference(a, b[:1], between, marks=False).error > found.error
    alone = difference(a, b[:1], between, marks=False, trained=(True, False))
    questions = float((a.mean(axis=0) - b[0]).var(ddof=1)) / 2
    assert alone.error == pytest.approx(math.sqrt(3.25 / 3 + questions))
    assert scatter([a[:1], b[:1]]) is None
    assert not difference(a[:1], b[:1], None, marks=False).seeds_known


def test_marks_under_several_seeds_are_tested_by_question() -> None:
    # four questions of 40 that one side has right under both seeds: signs as one-sided in 2 of 2^4
    a, b = np.zeros((2, 40)), np.zeros((2, 40))
    a[:, :4] = 1.0
    found = difference(a, b, scatter([a, b]), marks=True)
    assert found.p == pytest.approx(2 / 16)
    assert difference(a, b, scatter([a, b]), marks=False).p < 0.05


def test_equal_outcomes_differ_in_nothing() -> None:
    same = np.ones((2, 5))
    assert [difference(same, same, scatter([same]), marks=marks).p for marks in (True, False)] == [1.0, 1.0]
    with pytest.raises(ValueError, match="two or more"):
        difference(np.ones((1, 1)), np.ones((1, 1)), None, marks=False)
    with pytest.raises(ValueError, match="the same on both sides"):
        difference(np.ones((1, 4)), np.ones((1, 5)), None, marks=False)


def wrong_groups(
    draws: int, techniques: int, seed_sd: float, marks: bool = False, of_best_only: bool = False, restless: float = 1.0
) -> float:
    """The share of comparisons of equal techniques in which one or more is called worse than the best."""
    chance, questions, seeds = np.random.default_rng(5), 60, 3
    wrong = 0
    for _ in range(draws):
        shared = chance.normal(0, 1, questions)
        tables = []
        for number in range(techniques):
            sd = seed_sd * (restless if number == 0 else 1.0)
            own = shared + chance.normal(0, 0.5, questions)
            rows = own + chance.normal(0, sd, (seeds, 1)) + chance.normal(0, 0.3, (seeds, questions))
            tables.append((rows > 0).astype(float) if marks else rows)
        best = int(np.argmin([table.mean() for table in tables]))
        pairs = [(i, j) for i in range(techniques) for j in range(i) if best in (i, j) or not of_best_only]
        between = scatter(tables)
        adjusted = holm([difference(tables[i], tables[j], between, marks=marks).p for i, j in pairs])
        wrong += any(p <= paired.LEVEL for p, pair in zip(adjusted, pairs, strict=True) if best in pair)
    return wrong / draws


@pytest.mark.parametrize(
    ("seed_sd", "marks", "restless"), [(0.0, False, 1), (0.3, False, 1), (0.1, True, 1), (0.1, False, 4)]
)
def test_equal_techniques_are_tied_in_95_of_100_comparisons(seed_sd: float, marks: bool, restless: float) -> None:
    draws = 200
    # at most what 5% give by chance in all but one of a thousand such tests
    assert wrong_groups(draws, 6, seed_sd, marks, restless=restless) <= stats.binom.ppf(0.999, draws, 0.05) / draws


def test_correcting_only_for_pairs_with_the_best_would_promise_too_much() -> None:
    # the reason for correcting over all pairs; were it not so, the many pairs would cost power for nothing
    assert wrong_groups(400, 8, 0.0, of_best_only=True) > stats.binom.ppf(0.95, 400, 0.05) / 400


# --- folders of results -------------------------------------------------------------------------------------------

QUESTIONS = 40


def gsm8k(experiment: Experiment, role: str | None = None, **training: Any) -> RunSpec:
    """A run that looks like one on GSM8K; nothing is trained here."""
    model, data = Origin("hub", "a/model", "c0ffee"), (Origin("hub", "openai/gsm8k", "beef"),)
    return replace(tiny_run(experiment, role, **training), task="gsm8k", model=model, data=data)


def keep(
    folder: Path,
    spec: RunSpec,
    nll: Sequence[float],
    correct: Sequence[bool] | None = None,
    created: str = "2026-11-24T10:00:00+00:00",
    status: str = "success",
    first: int = 0,
) -> None:
    record = Record(spec, status=status, created_at=created, message="" if status == "success" else "the loss is nan")
    if status == "success" and nll:
        record.value("answer_nll", float(np.mean(nll)), "nats per token", "lower")
        record.value("reload_equal", 1.0, "yes or no", "higher")
    for number, value in enumerate(nll):
        mark = correct[number] if correct is not None else None
        record.items.append({"item_id": f"q{first + number:03d}", "nll": value, "correct": mark})
    result.write(folder / f"{run_id(spec)}.json", record.document())


@pytest.fixture
def folder(tmp_path: Path, experiments: dict[str, Experiment]) -> Path:
    """lora and dora alike, ia3 clearly worse, the base far worse; three seeds of each that is trained."""
    chance = np.random.default_rng(3)
    hard = chance.normal(1.0, 0.3, QUESTIONS)
    for name, worse in (("lora/rank8", 0.0), ("lora/dora", 0.002), ("ia3/default", 0.3)):
        for seed in range(3):
            nll = hard + worse + 0.01 * chance.normal(size=QUESTIONS) + 0.005 * chance.normal()
            keep(tmp_path, gsm8k(experiments[name]).with_seed(seed), list(nll), [bool(each) for each in nll < 0.9])
    base = hard + 1.0 + 0.1 * chance.normal(size=QUESTIONS)
    keep(tmp_path, gsm8k(experiments["lora/rank8"], "base"), list(base), [False] * QUESTIONS)
    return tmp_path


def of(found: Comparison, measure: str) -> Contest:
    [contest] = [contest for contest in found.contests if contest.measure == measure]
    return contest


def test_the_best_and_those_tied_with_it(folder: Path) -> None:
    found = compare(folder)
    contest = of(found, "answer_nll")
    names = [standing.experiment for standing in contest.standings]
    assert set(names[:2]) == {"lora/rank8", "lora/dora"}
    assert names[2:] == ["ia3/default", "base"]
    assert [standing.tied for standing in contest.standings] == [True, True, False, False]
    best, _, ia3, base = contest.standings
    assert (best.behind, best.p, best.seeds, best.reload) == (0.0, None, 3, "equal")
    assert ia3.behind_low < ia3.behind < ia3.behind_high
    assert ia3.behind == pytest.approx(ia3.value - best.value)
    assert 0.28 < ia3.behind < 0.32
    assert ia3.seed_sd is not None
    assert 0 < ia3.seed_sd < 0.02
    assert (base.seeds, base.seed_sd, base.learning_rate, base.role) == (1, None, None, "base")
    assert len(contest.pairs) == 6
    assert contest.questions == QUESTIONS
    assert found.refused == ()
    # the base's one run is all there is of it; nothing was tuned, and that is said
    assert contest.notes == (
        "learning rates were not tuned: a difference may be one of learning rates (hubstats bench run --tune)",
    )


def test_a_difference_that_could_be_chance_leaves_a_tie(tmp_path: Path, experiments: dict[str, Experiment]) -> None:
    keep(tmp_path, gsm8k(experiments["lora/rank8"]), [1.0] * QUESTIONS)
    # behind by 0.2 with a standard error of 1.0127 / sqrt(40) = 0.16
    keep(tmp_path, gsm8k(experiments["ia3/default"]), [1.2 + (-1) ** number for number in range(QUESTIONS)])
    [contest] = compare(tmp_path).contests
    last = contest.standings[1]
    assert last.p == pytest.approx(2 * stats.t.sf(0.2 / (math.sqrt(40 / 39) / math.sqrt(40)), 39))
    assert last.p is not None
    assert 0.05 < last.p < 0.4
    assert last.tied


def test_right_answers_rank_upwards(folder: Path) -> None:
    contest = of(compare(folder), "test_accuracy")
    values = [standing.value for standing in contest.standings]
    assert values == sorted(values, reverse=True)
    worst = contest.standings[-1]
    assert (worst.experiment, worst.value) == ("base", 0.0)
    assert worst.behind == pytest.approx(values[0])
    assert worst.behind_low < worst.behind < worst.behind_high


def test_without_marks_likelihoods_are_compared_all_the_same(
    tmp_path: Path, experiments: dict[str, Experiment]
) -> None:
    for name in ("lora/rank8", "ia3/default"):
        keep(tmp_path, gsm8k(experiments[name]), [1.0, 2.0, 3.5 + len(name)])
    [contest] = compare(tmp_path).contests
    assert (contest.measure, contest.questions) == ("answer_nll", 3)
    assert contest.notes[0] == (
        "one seed only of lora/rank8, ia3/default: differences are those of single runs, not of techniques"
    )
    # one question is no comparison
    for name in ("lora/rank8", "ia3/default"):
        keep(tmp_path, gsm8k(experiments[name]), [1.0])
    assert compare(tmp_path).contests == ()


def test_a_single_seed_and_unequal_tuning_are_told(folder: Path, experiments: dict[str, Experiment]) -> None:
    keep(folder, gsm8k(experiments["oft/v2"]), [1.5 + number / 100 for number in range(QUESTIONS)])
    trial = gsm8k(experiments["lora/rank8"]).replaced(purpose="trial", evaluation=Evaluation("heldout", None, 0))
    keep(folder, trial, [1.0] * QUESTIONS)
    contest = of(compare(folder), "answer_nll")
    assert contest.notes[0].startswith("one seed only of oft/v2:")
    assert contest.notes[1].startswith("unequal numbers of trials")
    assert "lora/rank8 1" in contest.notes[1]
    # it kept no marks, so it takes no part in that measure
    assert "oft/v2" not in [s.experiment for s in of(compare(folder), "test_accuracy").standings]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"model": Origin("path", "model.gguf", "feed")},
            "base model 'path:model.gguf@feed' instead of 'hub:a/model@c0",
        ),
        ({"data": (Origin("hub", "openai/gsm8k", "dead"),)}, "data 'hub:openai/gsm8k@dead' instead of"),
        ({"evaluation": Evaluation(items=20)}, "questions '20 of test' instead of 'all of test'"),
        ({"evaluation": Evaluation("heldout")}, "questions 'all of heldout' instead of 'all of test'"),
        ({"options": ("keep-cache",)}, "options 'keep-cache' instead of ''"),
        ({"versions": {"recipe": "2"}}, "recipe '2' instead of '1'"),
    ],
)
def test_only_what_is_equal_is_compared(
    change: dict[str, Any], says: str, folder: Path, experiments: dict[str, Experiment]
) -> None:
    other = gsm8k(experiments["oft/v2"]).replaced(**change)
    keep(folder, other, [1.0] * QUESTIONS)
    found = compare(folder)
    [(name, reason)] = found.refused
    assert name.startswith("oft/v2 seed 0")
    assert reason.startswith("there is nothing to compare it with: ")
    assert says in reason
    assert "oft/v2" not in [standing.experiment for standing in of(found, "answer_nll").standings]


def test_another_length_of_training_is_refused_and_the_base_is_in_both(
    folder: Path, experiments: dict[str, Experiment]
) -> None:
    long = gsm8k(experiments["oft/v2"], max_steps=9)
    keep(folder, long, [1.0 + number / 50 for number in range(QUESTIONS)])
    found = compare(folder)
    # with the untrained base it can be compared: that has no length of training
    assert sorted(c.about.split(", ")[1] for c in found.contests if c.measure == "answer_nll") == [
        "3 steps of 4",
        "9 steps of 4",
    ]
    assert found.refused == ()


def test_failures_older_settings_and_other_questions_are_refused(
    folder: Path, experiments: dict[str, Experiment]
) -> None:
    keep(folder, gsm8k(experiments["boft/block4"]), [], status="nan")
    older = gsm8k(experiments["lora/rank8"], optimizer_kwargs={"lr": 0.5})
    keep(folder, older, [9.0] * QUESTIONS, created="2026-11-01T00:00:00+00:00")
    keep(folder, gsm8k(experiments["oft/v2"]), [1.0] * QUESTIONS, first=10)
    keep(folder, gsm8k(experiments["hra/rank8"]), [])
    (folder / "broken.json").write_text('{"hubstats": ')
    found = compare(folder)
    reasons = {name.split(" ")[0]: reason for name, reason in found.refused}
    assert reasons["boft/block4"] == "nan: the loss is nan"
    assert reasons["lora/rank8"] == "superseded by a newer setting of the same experiment"
    assert reasons["oft/v2"] == "its questions are others: 30 in common"
    assert reasons["hra/rank8"] == "it kept no outcomes of questions"
    assert "half written" in reasons[""]
    assert len(of(found, "answer_nll").standings) == 4


def test_outcomes_that_are_none_break_nothing(folder: Path, experiments: dict[str, Experiment]) -> None:
    path = folder / f"{run_id(gsm8k(experiments['ia3/default']))}.json"
    document = json.loads(path.read_text())
    document["hubstats"]["items"][3] = 7
    path.write_text(json.dumps(document))
    path = folder / f"{run_id(gsm8k(experiments['ia3/default']).with_seed(1))}.json"
    document = json.loads(path.read_text())
    document["hubstats"]["items"][3] = {"item_id": "q003", "nll": "low", "correct": "yes"}
    path.write_text(json.dumps(document))
    path = folder / f"{run_id(gsm8k(experiments['ia3/default']).with_seed(2))}.json"
    path.write_text(path.read_text().replace('"nll": ', '"nll": 1' + "0" * 400, 1))
    found = compare(folder)
    reasons = sorted(reason.split(" (")[0] for _, reason in found.refused)
    assert reasons == ["its outcomes cannot be read"] + ["its questions are others: 39 in common"] * 2
    assert [s.experiment for s in of(found, "answer_nll").standings[2:]] == ["base"]


def test_one_task_at_a_time_and_none_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no results of the task tiny in .*; there are some of gsm8k"):
        compare(folder, "tiny")
    with pytest.raises(BenchError, match=r"no results in .*nowhere: run something first"):
        compare(tmp_path / "nowhere")


def test_the_band_of_learning_rates(folder: Path, experiments: dict[str, Experiment]) -> None:
    plain = gsm8k(experiments["lora/rank8"]).replaced(purpose="trial", evaluation=Evaluation("heldout", None, 0))

    def trial(rate: float, nll: float, steps: int = 3, status: str = "success") -> None:
        spec = plain.replaced(training=plain.training.with_learning_rate(rate).replaced(max_steps=steps))
        keep(folder, spec, [nll] * QUESTIONS, status=status)

    for rate, nll in ((1e-4, 1.5), (1e-3, 1.04), (1e-2, 1.0), (1e-1, 1.01)):
        trial(rate, nll)
    trial(1.0, 0.0, status="nan")
    # longer trials of fewer rates are not mixed in
    trial(1e-2, 0.5, steps=9)
    [found] = compare(folder, tolerance=0.02).sensitivities
    assert (found.experiment, found.steps, found.tried, found.lost) == ("lora/rank8", 3, 5, 1)
    band = found.band
    assert band is not None
    # halfway from 1.00 to 1.04 is half a decade below the best; above it ends where the next trial was lost
    assert (band.best, band.low, band.high) == (1e-2, pytest.approx(10**-2.5), 1e-1)
    assert (band.decades, band.open_low, band.open_high) == (pytest.approx(1.5), False, False)


def test_the_command(folder: Path) -> None:
    command = [sys.executable, "-m", "hubstats", "bench", "compare"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "hubstats: no results in bench/results: run something first\n")
    table = CliRunner().invoke(app, ["compare", "--out", str(folder)])
    assert table.exit_code == 0, table.stderr
    assert "answer_nll, gsm8k on hub:a/model@c0ffee, 3 steps of 4, 40 questions" in table.stdout
    assert "learning rates were not tuned" in table.stderr
    pairs = CliRunner().invoke(app, ["compare", "--out", str(folder), "--show", "pairs", "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(pairs.stdout)))
    assert len(rows) == 12
    assert {row["measure"] for row in rows} == {"answer_nll", "test_accuracy"}
    standings = CliRunner().invoke(app, ["compare", "--out", str(folder), "--format", "json"])
    assert [row["place"] for row in json.loads(standings.stdout)] == [1, 2, 3, 4] * 2
