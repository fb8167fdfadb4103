"""The search for learning rates: the same budget for all, decisions that follow from results, and no trial twice.

The scores are those of a fake: a valley in the logarithm of the learning rate, whose bottom falls as runs get longer.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hubstats.bench_cli import app
from hubstats.errors import BenchError
from hubstats_bench import benchable, plan, rates, result, runner, tune
from hubstats_bench.choose import by_name
from hubstats_bench.experiment import Experiment
from hubstats_bench.plan import Wish
from hubstats_bench.result import Stored
from hubstats_bench.spec import Origin, RunSpec, run_id
from hubstats_bench.tune import TRIALS, Tuned, expected, finals, waiting
from tests.bench.conftest import tiny_run

# --- rates --------------------------------------------------------------------------------------------------------


def test_the_first_grid() -> None:
    assert rates.around(1e-3, 6) == [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2, 3.16e-2]
    assert rates.neighbours(0.002) == [6.32e-4, 0.002, 6.32e-3]
    # no rate drifts off by rounding again and again
    assert rates.neighbours(0.316) == [0.1, 0.316, 1.0]


@pytest.mark.parametrize(
    ("scores", "more"),
    [
        ({0.1: 1.0, 1.0: 2.0, 10.0: 3.0}, [0.0316, 0.01]),  # best at the lower edge
        ({0.1: 3.0, 1.0: 2.0, 10.0: 1.0}, [31.6, 100.0]),  # at the upper
        ({0.1: 3.0, 1.0: 2.0, 10.0: None}, [0.316, 3.16]),  # a lost trial is worse than all: not at the edge
        ({0.1: 2.0, 1.0: 1.0, 10.0: 3.0}, [0.316, 3.16]),  # inside: between it and its neighbours
        ({0.1: 1.0, 1.0: 1.0, 10.0: 1.0}, [0.0316, 0.01]),  # of equals the smallest
        ({0.1: None, 1.0: None}, [0.0316, 0.01]),  # all diverged: smaller ones
    ],
)
def test_where_more_rates_are_tried(scores: dict[float, float | None], more: list[float]) -> None:
    assert rates.further(scores) == pytest.approx(more)


def test_a_band_that_is_not_closed_says_so() -> None:
    found = rates.band({0.1: 1.0, 1.0: 1.01, 10.0: 1.05}, tolerance=0.02)
    assert found is not None
    assert (found.low, found.open_low, found.open_high) == (0.1, True, False)
    assert found.decades == pytest.approx(1 + 0.25)
    assert rates.band({0.1: None}) is None


# --- the protocol -------------------------------------------------------------------------------------------------


def gsm8k(experiment: Experiment, rate: float = 1e-3, steps: int = 1000) -> RunSpec:
    spec = tiny_run(experiment, max_steps=steps, eval_steps=steps).replaced(
        task="gsm8k", model=Origin("hub", "a/model", "c0ffee"), data=(Origin("hub", "openai/gsm8k", "beef"),)
    )
    return spec.replaced(training=spec.training.with_learning_rate(rate))


class Valley:
    """Answers trials from a formula and remembers them."""

    def __init__(self, bottoms: dict[str, float], diverges_above: float = math.inf) -> None:
        self.bottoms, self.diverges_above = bottoms, diverges_above
        self.asked: list[RunSpec] = []

    def __call__(self, trials: list[RunSpec]) -> list[Stored]:
        self.asked += trials
        return [self.answer(trial) for trial in trials]

    def answer(self, trial: RunSpec) -> Stored:
        rate, steps = trial.training.learning_rate, trial.training.max_steps
        lost = rate > self.diverges_above
        # four times the steps, a quarter of a decade down
        bottom = self.bottoms[trial.experiment] - 0.25 * math.log(steps / 50, 4)
        nll = 1.0 + 0.1 * (math.log10(rate) - bottom) ** 2
        return Stored(
            path=Path(),
            run_id=run_id(trial),
            setting_id="",
            task=trial.task,
            experiment=trial.experiment,
            role=trial.role,
            technique=trial.technique,
            variant=trial.variant,
            purpose=trial.purpose,
            status="nan" if lost else "success",
            message="the loss is nan" if lost else "",
            seed=0,
            steps=steps,
            learning_rate=rate,
            created_at="",
            values={} if lost else {"answer_nll": nll},
            times={},
        )


def sought(valley: Valley, specs: list[RunSpec]) -> dict[str, Tuned]:
    return {each.setting.experiment: each for each in tune._tuned(specs, valley)}


@pytest.fixture
def three(experiments: dict[str, Experiment]) -> list[RunSpec]:
    """Three techniques under three seeds, after the base."""
    base = gsm8k(experiments["lora/rank8"]).replaced(role="base", experiment="base", adapter=None)
    named = [gsm8k(experiments[name]) for name in ("lora/rank8", "ia3/default", "oft/v2")]
    return [base, *(spec.with_seed(seed) for spec in named for seed in range(3))]


def test_every_technique_has_as_many_trials_wherever_its_best_lies(three: list[RunSpec]) -> None:
    # inside the grid of 1e-4 to 3e-2, far above it, and below it
    valley = Valley({"lora/rank8": -2.9, "ia3/default": -0.6, "oft/v2": -4.6})
    found = sought(valley, three)
    assert Counter(trial.experiment for trial in valley.asked) == dict.fromkeys(found, TRIALS)
    assert all(each.tried == TRIALS for each in found.values())
    # the best at a fifth of the length is a quarter of a decade further down
    for name, bottom in (("lora/rank8", -2.9), ("ia3/default", -0.6), ("oft/v2", -4.6)):
        rate = found[name].rate
        assert rate is not None
        assert abs(math.log10(rate) - (bottom - 0.25)) <= 0.25
    # the grids of the two went on beyond their edge: up by four half decades, down by two and then between
    assert sorted(found["ia3/default"].first)[6:] == pytest.approx([0.0999, 0.316, 0.999, 3.16], rel=0.01)
    assert sorted(found["oft/v2"].first)[:4] == pytest.approx([1e-5, 1.78e-5, 3.16e-5, 5.62e-5], rel=0.01)


def test_what_a_trial_is(three: list[RunSpec]) -> None:
    valley = Valley({"lora/rank8": -2.9, "ia3/default": -2.0, "oft/v2": -3.0})
    sought(valley, three)
    assert Counter(trial.training.max_steps for trial in valley.asked) == {50: 30, 200: 9}
    for trial in valley.asked:
        assert (trial.purpose, trial.training.seed, trial.training.eval_steps) == (
            "trial",
            0,
            trial.training.max_steps,
        )
        asked = trial.evaluation
        # held-out questions by likelihood; the test is not looked at, nothing is generated, saved or merged
        assert (asked.split, asked.generate, asked.validate) == ("heldout", 0, False)
        assert (asked.unrelated, asked.reload, asked.merge) == (False, False, False)
    # the last rung has the best of the first and the rates half a decade around it
    last = [trial.training.learning_rate for trial in valley.asked if trial.training.max_steps == 200][:3]
    assert last == rates.neighbours(last[1])
    assert len({run_id(trial) for trial in valley.asked}) == len(valley.asked)


def test_trials_of_one_technique_do_not_depend_on_the_others(three: list[RunSpec]) -> None:
    bottoms = {"lora/rank8": -2.9, "ia3/default": 1.0, "oft/v2": -9.0}
    together, alone = Valley(bottoms), Valley(bottoms)
    sought(together, three)
    sought(alone, three[1:4])
    wanted = {run_id(trial) for trial in together.asked if trial.experiment == "lora/rank8"}
    assert {run_id(trial) for trial in alone.asked} == wanted


def test_the_finals_take_the_rate_that_was_found(three: list[RunSpec]) -> None:
    valley = Valley({"lora/rank8": -2.9, "ia3/default": -2.0, "oft/v2": -3.0})
    found = sought(valley, three)
    runs = finals(three, list(found.values()))
    assert [(run.experiment, run.training.seed) for run in runs] == [(s.experiment, s.training.seed) for s in three]
    assert run_id(runs[0]) == run_id(three[0])
    for run in runs[1:]:
        assert run.training.learning_rate == found[run.experiment].rate
        assert (run.purpose, run.training.max_steps, run.evaluation) == ("final", 1000, three[1].evaluation)


def test_a_best_that_is_still_at_the_edge_is_told(three: list[RunSpec]) -> None:
    found = sought(Valley({"lora/rank8": -12.0, "ia3/default": -2.0, "oft/v2": -3.0}), three)
    assert found["lora/rank8"].note == "the best rate lies at the edge of what was tried"
    assert found["ia3/default"].note == ""


def test_diverged_rates_are_lost_trials_and_no_more(three: list[RunSpec]) -> None:
    valley = Valley({"lora/rank8": -2.9, "ia3/default": -2.9, "oft/v2": -2.9}, diverges_above=5e-3)
    found = sought(valley, three)
    each = found["lora/rank8"]
    assert each.rate is not None
    assert each.rate <= 5e-3
    assert each.tried == TRIALS
    assert each.note.startswith("2 trials lost: 0.01 nan the loss is nan")


def test_a_technique_that_never_runs_is_left_out_and_the_others_go_on(three: list[RunSpec]) -> None:
    class Broken(Valley):
        def answer(self, trial: RunSpec) -> Stored:
            stored = super().answer(trial)
            return replace(stored, status="oom", message="no memory") if trial.experiment == "oft/v2" else stored

    found = sought(Broken({"lora/rank8": -2.9, "ia3/default": -2.0, "oft/v2": -3.0}), three)
    assert found["oft/v2"].rate is None
    assert found["oft/v2"].note.startswith("no trial of a rung succeeded: ")
    assert found["oft/v2"].note.endswith("oom no memory")
    assert {run.experiment for run in finals(three, list(found.values()))} == {"base", "lora/rank8", "ia3/default"}


def test_short_runs_have_trials_of_ten_steps_or_all_they_have(experiments: dict[str, Experiment]) -> None:
    for whole, lengths in ((20, {10}), (6, {6}), (100, {10, 20})):
        valley = Valley({"lora/rank8": -3.0})
        sought(valley, [gsm8k(experiments["lora/rank8"], steps=whole)])
        assert {trial.training.max_steps for trial in valley.asked} == lengths


def test_the_estimate_has_as_many_trials_of_the_same_lengths(three: list[RunSpec]) -> None:
    valley = Valley({"lora/rank8": -2.9, "ia3/default": -0.6, "oft/v2": -4.6})
    sought(valley, three)
    told = expected(three)
    assert [(t.experiment, t.training.max_steps) for t in told] == [
        (t.experiment, t.training.max_steps) for t in valley.asked
    ]


def test_how_many_runs_are_left(three: list[RunSpec]) -> None:
    valley = Valley({"lora/rank8": -2.9, "ia3/default": -0.6, "oft/v2": -4.6})
    found = tune._tuned(three, valley)
    done = [valley.answer(trial) for trial in valley.asked]
    assert waiting(three, []) == 3 * TRIALS + 10
    assert waiting(three, done[:20]) == 3 * TRIALS + 10 - 20
    assert waiting(three, done) == 10
    runs = finals(three, found)
    valley.bottoms["base"] = 0.0
    assert waiting(three, [*done, *(valley.answer(run) for run in runs[:4])]) == 6


def test_what_cannot_be_tuned(experiments: dict[str, Experiment], three: list[RunSpec], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="the task tiny reports no figure of quality"):
        tune.tune([tiny_run(experiments["lora/rank8"])], tmp_path)
    with pytest.raises(BenchError, match="nothing to tune: the base model is not trained"):
        tune.tune(three[:1], tmp_path)


def test_a_budget_keeps_all_seeds_of_a_tuned_setting_or_none(experiments: dict[str, Experiment], registry: Any) -> None:
    selection = by_name(["lora", "ia3"], list(experiments.values()), registry)
    made = plan.assemble(selection, Wish(task="tiny", device="cpu", seeds=3), registry, "by hand")
    made = replace(made, tune=True)
    kept = plan.within(made, [10.0] * 10, 75.0)
    assert Counter(spec.experiment for spec in kept.specs) == {"base": 1, "lora/rank8": 3, "full_finetuning/default": 3}
    assert kept.tune


# --- with processes -----------------------------------------------------------------------------------------------

FAKE = """
    import json, math, os, signal, sys, time
    spec = json.loads(open(sys.argv[1]).read())
    rate, steps = spec["training"]["optimizer_kwargs"]["lr"], spec["training"]["max_steps"]
    print(json.dumps({"phase": "train", "done": 1, "of": steps}), flush=True)
    counted = os.environ["COUNTED"]
    done = open(counted).read().split() if os.path.exists(counted) else []
    if os.environ.get("KILL_AT") == str(len(done)):
        os.kill(os.getppid(), signal.SIGKILL)
        sys.exit(1)
    if os.environ.get("HANG"):
        time.sleep(60)
    run_id = os.path.basename(sys.argv[2])[:-5]
    with open(counted, "a") as file:
        file.write(run_id + "\\n")
    lost = rate > 0.02
    nll = 1 + 0.1 * (math.log10(rate) + 3.1) ** 2
    values = [] if lost else [{"name": "answer_nll", "value": nll, "unit": "nats", "direction": "lower"}]
    same = {k: spec[k] for k in ("task", "experiment", "role", "technique", "variant", "purpose")}
    items = [] if lost else [{"item_id": f"q{n}", "nll": nll + n % 3, "correct": None} for n in range(9)]
    ours = same | {"format": 1, "run_id": run_id, "setting_id": "s", "status": "nan" if lost else "success",
        "message": "", "values": values, "times": {}, "items": items, "spec": spec}
    document = {"run_info": {"train_config": spec["training"], "created_at": "2026"}, "hubstats": ours}
    with open(sys.argv[2] + ".part", "w") as file:
        json.dump(document, file)
    os.replace(sys.argv[2] + ".part", sys.argv[2])
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(FAKE), encoding="utf-8")
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    return (sys.executable, "-S", str(script))


def counted(tmp_path: Path) -> list[str]:
    return (tmp_path / "counted").read_text().split()


def test_a_tuning_that_is_killed_goes_on_where_it_was(
    worker: tuple[str, ...], experiments: dict[str, Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = gsm8k(experiments["lora/rank8"])
    [whole] = tune.tune([spec], tmp_path / "whole", worker=worker)
    assert len(counted(tmp_path)) == TRIALS
    assert whole.failures == ["0.0316 nan"]
    (tmp_path / "counted").unlink()
    order = tmp_path / "spec.json"
    order.write_text(json.dumps(spec.as_dict()))
    code = f"""
        import json
        from pathlib import Path
        from hubstats_bench import spec, tune
        run = spec.spec_from(json.loads(Path({str(order)!r}).read_text()))
        tune.tune([run], Path({str(tmp_path / "cut")!r}), worker={worker!r})
    """
    # in the middle of the first rung, in the round after it, and in the last rung
    for killed_at in (3, 7, 11):
        environment = {**os.environ, "KILL_AT": str(killed_at)}
        dead = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment, check=False)
        assert dead.returncode == -signal.SIGKILL
        assert len(counted(tmp_path)) == killed_at
    events: list[runner.Progress | runner.Outcome] = []
    [resumed] = tune.tune([spec], tmp_path / "cut", worker=worker, tell=events.append)
    assert (resumed.first, resumed.last, resumed.rate) == (whole.first, whole.last, whole.rate)
    ids = counted(tmp_path)
    assert len(ids) == len(set(ids)) == TRIALS
    heard = [(event.number, event.of) for event in events if isinstance(event, runner.Progress)]
    assert heard == [(12, 13), (13, 13)]
    assert sum(event.skipped for event in events if isinstance(event, runner.Outcome)) == 11
    assert result.stored(tmp_path / "cut")[1] == []


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: tuple[str, ...]) -> list[str]:
    """A model and data that are there, and a bench that needs no torch; returns the options that name them."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "model.safetensors").write_text("")
    (tmp_path / "data").mkdir()
    for name in ("train.jsonl", "test.jsonl"):
        (tmp_path / "data" / name).write_text('{"question": "1 + 1?", "answer": "#### 2"}\n')
    monkeypatch.setattr(runner, "WORKER", worker)
    monkeypatch.setattr(benchable, "REQUIRED", ())
    return [
        *("--model", str(tmp_path / "model"), "--data", str(tmp_path / "data")),
        *("--device", "cpu", "--out", str(tmp_path / "out")),
    ]


def test_the_commands(made_up: list[str], tmp_path: Path) -> None:
    written = str(tmp_path / "plan.json")
    planned = CliRunner().invoke(app, ["plan", "-t", "lora", "--tune", "--write", written, *made_up])
    assert planned.exit_code == 0, planned.stderr
    assert "before them 26 trials, 13 for each of 2, about " in planned.stderr
    assert json.loads(Path(written).read_text())["tune"] is True
    status = ["status", "--out", str(tmp_path / "out"), "--plan", written]
    assert f"{2 * TRIALS + 7} runs of {written} are to be done" in CliRunner().invoke(app, status).stdout
    done = CliRunner().invoke(app, ["run", "--plan", written, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.stderr
    assert "learning rates, by 13 trials for each" in done.stdout
    assert "[1/26] lora/rank8 trial, rate 0.0002, 50 steps train" in done.stderr
    assert "[7/7] full_finetuning/default seed 2" in done.stderr
    found = [each for each in result.stored(tmp_path / "out")[0] if each.purpose == "final"]
    assert Counter(each.experiment for each in found) == {"base": 1, "lora/rank8": 3, "full_finetuning/default": 3}
    assert {each.learning_rate for each in found if each.experiment == "lora/rank8"} != {0.002}
    shown = CliRunner().invoke(app, status).stdout
    assert "7 runs" in shown
    assert "26 trials of learning rates, scored on held-out questions: no results" in shown
    assert f"0 runs of {written} are to be done" in shown
    # nothing is done twice, and what was tried is seen by the comparison
    again = CliRunner().invoke(app, ["run", "--plan", written, "--out", str(tmp_path / "out")])
    assert len(counted(tmp_path)) == 33
    assert again.exit_code == 0
    compared = CliRunner().invoke(app, ["compare", "--out", str(tmp_path / "out"), "--show", "rates", "-f", "json"])
    assert compared.exit_code == 0, compared.exception
    assert [(row["experiment"], row["tried"]) for row in json.loads(compared.stdout)] == [
        ("full_finetuning/default", 10),
        ("lora/rank8", 10),
    ]


def test_a_plan_without_tuning_is_not_tuned_afterwards(made_up: list[str], tmp_path: Path) -> None:
    written = str(tmp_path / "plan.json")
    CliRunner().invoke(app, ["plan", "-t", "lora", "--write", written, *made_up])
    refused = CliRunner().invoke(app, ["run", "--tune", "--plan", written, "--out", str(tmp_path / "out")])
    assert refused.exit_code != 0
    assert "was made without --tune" in str(refused.exception)
