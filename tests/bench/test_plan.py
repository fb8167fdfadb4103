"""Plans: what popularity chooses and why, references, budgets, and the commands around them. No torch is needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import HfApi, constants

from hubstats.errors import BenchError, ConfigError, TechniqueError
from hubstats.quantities import seconds_of
from hubstats.records import BenchItem, BenchMetric, BenchRun, SourceOptions
from hubstats.sources.published import open_source
from hubstats.techniques import Registry
from hubstats_bench import choose, cost, origins, plan, result
from hubstats_bench.choose import Popularity, Selection, by_name, by_popularity
from hubstats_bench.experiment import Experiment
from hubstats_bench.plan import Plan, Wish
from hubstats_bench.result import Record
from hubstats_bench.spec import RunSpec, run_id, spec_from
from tests.bench.conftest import tiny_run

SHARES = {"lora": 0.9, "ia3": 0.05, "bone": 0.04, "oft": 0.01, "boft": 0.01, "adalora": 0.01, "reft": 0.2}
COUNTED = Popularity("hub", "repositories", "evidence", 100, SHARES)
TINY = Wish(task="tiny", device="cpu")


def chosen(
    experiments: dict[str, Experiment],
    registry: Registry,
    most: int,
    least: int,
    counted: Popularity = COUNTED,
    **other: Any,
) -> Selection:
    unmet = other.get("unmet", lambda experiment: None)
    return by_popularity(counted, list(experiments.values()), registry, most, least, unmet)


def test_the_most_and_the_least_used_are_taken(experiments: dict[str, Experiment], registry: Registry) -> None:
    found = chosen(experiments, registry, 3, 2)
    # of three with one share the one that PEFT has had longest; of those never seen as well
    assert [choice.technique for choice in found.choices[:3]] == ["lora", "ia3", "adalora"]
    assert [choice.share for choice in found.choices[3:]] == [None, None]
    unseen = sorted(
        (tuple(map(int, str(technique.since).split("."))), technique.key)
        for technique in registry
        if technique.kind == "method"
        and technique.key not in SHARES
        and technique.key in choose.defaults(list(experiments.values()))
    )
    assert [choice.technique for choice in found.choices[3:]] == [key for _, key in unseen[:2]]
    assert found.notes == (
        f"{len(unseen)} techniques were never seen: of these the ones PEFT has had longest are taken",
    )
    assert dict(found.left_out) == {"bone": "PEFT has dropped it", "reft": "it is not in the PEFT library"}


def test_what_cannot_run_here_is_left_out_with_its_reason(
    experiments: dict[str, Experiment], registry: Registry
) -> None:
    def unmet(experiment: Experiment) -> str | None:
        return "no such luck" if experiment.technique == "lora" else None

    found = chosen(experiments, registry, 1, 0, unmet=unmet)
    assert [choice.technique for choice in found.choices] == ["ia3"]
    assert dict(found.left_out)["lora"] == "no such luck"
    with pytest.raises(BenchError, match="no technique can be benched here"):
        chosen(experiments, registry, 1, 1, unmet=lambda experiment: "none")


def test_a_level_share_at_the_cut_is_told(experiments: dict[str, Experiment], registry: Registry) -> None:
    methods = [technique.key for technique in registry if technique.kind == "method"]
    counted = replace(COUNTED, shares=dict.fromkeys(methods, 0.25) | {"lora": 0.5})
    found = chosen(experiments, registry, 1, 2, counted)
    assert found.notes[0].endswith("techniques have the share 0.25: of these the ones PEFT has had longest are taken")
    none = chosen(experiments, registry, 2, 0, replace(COUNTED, shares={}))
    assert none.notes == (
        "no technique that can be benched was seen at all: crawl first, or name them with --technique",
    )


def test_techniques_are_chosen_by_any_of_their_names(experiments: dict[str, Experiment], registry: Registry) -> None:
    found = by_name(["LoRA", "dora", "IA3"], list(experiments.values()), registry)
    assert [choice.experiment.name for choice in found.choices] == ["lora/rank8", "lora/dora", "ia3/default"]
    with pytest.raises(TechniqueError, match="there is no technique 'lorra'"):
        by_name(["lorra"], list(experiments.values()), registry)
    with pytest.raises(BenchError, match="Arrow routing cannot be benched: routes between adapters"):
        by_name(["arrow"], list(experiments.values()), registry)


def tiny_plan(experiments: dict[str, Experiment], registry: Registry, wish: Wish = TINY) -> Plan:
    return plan.assemble(by_name(["lora", "ia3"], list(experiments.values()), registry), wish, registry, "by hand")


def test_both_references_are_always_there(experiments: dict[str, Experiment], registry: Registry) -> None:
    made = tiny_plan(experiments, registry, replace(TINY, seeds=2))
    runs = [(spec.experiment, spec.role, spec.training.seed) for spec in made.specs]
    assert runs == [
        ("base", "base", 0),
        *((name, "technique", seed) for name in ("lora/rank8", "ia3/default") for seed in (0, 1)),
        *(("full_finetuning/default", "full", seed) for seed in (0, 1)),
    ]
    assert made.specs[0].adapter is None
    assert made.why["base"] == "reference: the untrained model"
    assert len({run_id(spec) for spec in made.specs}) == len(made.specs)


def test_the_base_run_does_not_depend_on_what_else_is_planned(
    experiments: dict[str, Experiment], registry: Registry
) -> None:
    selections = [by_name([name], list(experiments.values()), registry) for name in ("lora", "lora_fa")]
    first, second = (plan.assemble(selection, TINY, registry, "").specs[0] for selection in selections)
    assert run_id(first) == run_id(second)


def test_a_plan_is_read_as_it_was_written(
    experiments: dict[str, Experiment], registry: Registry, tmp_path: Path
) -> None:
    made = tiny_plan(experiments, registry)
    plan.save(made, tmp_path / "plan.json")
    assert plan.open_plan(tmp_path / "plan.json") == made
    for text, says in (
        ("{", "is no plan"),
        ("[]", "no plan of this version"),
        ('{"format": 1, "runs": []}', "no whole plan"),
    ):
        (tmp_path / "plan.json").write_text(text)
        with pytest.raises(BenchError, match=says):
            plan.open_plan(tmp_path / "plan.json")
    with pytest.raises(BenchError, match="presets: smoke"):
        plan.open_plan(tmp_path / "smok")


def test_options_are_the_tasks_on_a_gpu_and_none_to_the_letter(
    experiments: dict[str, Experiment], registry: Registry
) -> None:
    def options(**changes: Any) -> tuple[str, ...]:
        return tiny_plan(experiments, registry, replace(TINY, **changes)).specs[-1].options

    assert options() == options(device="cuda") == ()
    assert options(options=("keep-cache",)) == ("keep-cache",)
    gsm8k = {"task": "gsm8k", "model": "made:tiny-llama"}
    if (SHARED := Path(__file__).parents[3] / "shared" / "data" / "gsm8k").is_dir():
        gsm8k |= {"data": SHARED}
        assert options(**gsm8k) == ()
        assert options(**gsm8k, device="cuda") == ("continuous-generation", "keep-cache")
        assert options(**gsm8k, device="cuda", options=()) == ()
    with pytest.raises(BenchError, match="there is no option 'faster'"):
        spec_from({**tiny_plan(experiments, registry).specs[0].as_dict(), "options": ["faster"]})


def test_a_plan_moves_to_another_machine_with_the_same_model_and_no_other(
    experiments: dict[str, Experiment], registry: Registry, tmp_path: Path
) -> None:
    here, there, other = (tmp_path / name for name in ("here.gguf", "there.gguf", "other.gguf"))
    here.write_bytes(b"weights")
    there.write_bytes(b"weights")
    other.write_bytes(b"others")
    made = tiny_plan(experiments, registry, replace(TINY, model=str(here)))
    moved = plan.moved(made, str(there), None)
    assert {spec.model.location for spec in moved.specs} == {str(there)}
    assert [run_id(spec) for spec in moved.specs] == [run_id(spec) for spec in made.specs]
    with pytest.raises(BenchError, match=r"other\.gguf is another one"):
        plan.moved(made, str(other), None)


def test_the_gpu_session_names_what_there_is() -> None:
    from benchmarks import gpu_session

    assert len(gpu_session.SHAPES) >= 12
    specs = gpu_session.runs("llama3b", gpu_session.SHAPES, Wish("llama3b", "cuda", references=()))
    assert [spec.experiment for spec in specs] == list(gpu_session.SHAPES)
    assert {spec.evaluation.generate for spec in specs} == {0}
    with pytest.raises(BenchError, match="there is no experiment lora/rank9"):
        gpu_session.runs("tiny", ("lora/rank9",), TINY)
    assert len(gpu_session.runs("tiny", gpu_session.TUNED, replace(TINY, references=()))) == 6


def test_a_budget_keeps_the_references_and_says_what_it_dropped(
    experiments: dict[str, Experiment], registry: Registry
) -> None:
    made = tiny_plan(experiments, registry)
    kept = plan.within(made, [10.0] * 4, 35.0)
    assert [spec.experiment for spec in kept.specs] == ["base", "lora/rank8", "full_finetuning/default"]
    assert kept.notes[-1] == "over the budget and left out: ia3/default"
    with pytest.raises(BenchError, match="no run fits"):
        plan.within(made, [10.0] * 4, 5.0)


def test_costs_rest_on_earlier_runs_where_there_are_some(experiments: dict[str, Experiment], tmp_path: Path) -> None:
    spec = tiny_run(experiments["lora/rank8"], max_steps=100)
    guessed = cost.Estimator().cost(spec)
    assert guessed.basis == "this machine's matrix rate"
    assert guessed.seconds > 0
    record = Record(tiny_run(experiments["lora/rank8"]), status="success", times={"total": 12.0})
    record.value("step_time", 2.0, "seconds", "lower")
    record.value("steps_time", 6.0, "seconds", "lower")
    result.write(tmp_path / "a.json", record.document())
    known = cost.Estimator(result.stored(tmp_path)[0]).cost(spec)
    assert (known.seconds, known.basis) == (6.0 + 2.0 * 100, "an earlier run of it")
    full = tiny_run(experiments["full_finetuning/default"], max_steps=100)
    assert cost.operations(full) > cost.operations(spec)
    assert cost.memory(full) > cost.memory(spec)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("45m", 2700), ("2h", 7200), ("0.5h", 1800)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-5m", "0", "90", "soon", "infs", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        seconds_of(text)


def test_the_preset_is_a_plan(experiments: dict[str, Experiment]) -> None:
    for name in plan.presets():
        names, wish, about = plan.preset(name)
        assert set(names) <= set(experiments)
        assert set(wish.learning_rates or {}) <= set(names)
        assert about


def test_a_plan_is_made_where_the_hub_is_out_of_reach_and_says_what_it_does_not_know(
    experiments: dict[str, Experiment], registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*arguments: Any, **more: Any) -> Any:
        raise ConnectionError("no route to host")

    for name in ("model_info", "dataset_info"):
        monkeypatch.setattr(HfApi, name, unreachable)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    selection = by_name(["lora"], list(experiments.values()), registry)
    made = plan.assemble(selection, Wish(task="metamathqa", device="cpu"), registry, "by hand")
    assert {origin.revision for spec in made.specs for origin in (spec.model, *spec.data)} == {"unresolved"}
    assert made.notes == (
        "the Hub is not in reach: the commit of HuggingFaceFW/finewiki, meta-llama/Llama-3.2-3B, meta-math/MetaMathQA, "
        "openai/gsm8k is unresolved; the runs need it, and 'hubstats bench run' asks again",
    )
    plan.save(made, tmp_path / "plan.json")
    again = plan.open_plan(tmp_path / "plan.json")
    with pytest.raises(BenchError, match=r"the model meta-llama/Llama-3.2-3B is neither in reach nor .* no route"):
        plan.resolved(again)
    # what is in the local cache is known, and so is everything once the Hub answers
    reference = tmp_path / "cache" / "models--meta-llama--Llama-3.2-3B" / "refs" / "main"
    reference.parent.mkdir(parents=True)
    reference.write_text("abc\n")
    monkeypatch.setattr(HfApi, "dataset_info", lambda self, name, **more: SimpleNamespace(sha="def"))
    known = plan.resolved(again)
    assert {(spec.model.revision, *(origin.revision for origin in spec.data)) for spec in known.specs} == {
        ("abc", "def", "def", "def")
    }
    assert plan.resolved(known) == known


def test_a_name_that_the_hub_cannot_have_is_refused() -> None:
    with pytest.raises(BenchError, match="the Hub has no model no/such/name, or none for you"):
        origins.model_origin("no/such/name")


# --- into the file ------------------------------------------------------------------------------------------------


def stored(folder: Path, spec: RunSpec, created: str, status: str = "success") -> None:
    record = Record(spec, status=status, created_at=created, message="" if status == "success" else "it broke")
    record.value("answer_nll", 1.25, "nats per token", "lower")
    record.items = [{"item_id": "q-1", "nll": 1.5, "correct": True, "answer": "7", "reference": "7"}]
    result.write(folder / f"{run_id(spec)}.json", record.document())


def imported(folder: Path) -> tuple[dict[str, BenchRun], list[Any]]:
    pages = list(open_source(SourceOptions(path=str(folder)), lambda line: None).pages({}))
    records = [record for page in pages for record in page.records]
    return {record.run_id: record for record in records if isinstance(record, BenchRun)}, records


def test_our_results_come_into_the_file_as_our_own(experiments: dict[str, Experiment], tmp_path: Path) -> None:
    dora = tiny_run(experiments["lora/dora"])
    stored(tmp_path, dora, "2026-11-24T10:00:00+00:00")
    runs, records = imported(tmp_path)
    run = runs[run_id(dora)]
    assert (run.origin, run.task, run.technique, run.variant, run.status) == ("own", "tiny", "lora", "dora", "success")
    assert (run.peft_type, run.rank, run.seed, run.learning_rate) == ("LORA", 8, 0, 2e-3)
    assert BenchMetric(run.run_id, "answer_nll", 1.25, "nats per token", "lower") in records
    assert BenchItem(run.run_id, "q-1", True, "7", "7", 1.5) in records


def test_all_seeds_of_the_newest_setting_are_current_and_no_trial_is(
    experiments: dict[str, Experiment], tmp_path: Path
) -> None:
    old, new = tiny_run(experiments["lora/rank8"]), tiny_run(experiments["lora/rank8"], optimizer_kwargs={"lr": 0.01})
    stored(tmp_path, old, "2026-11-24T10:00:00+00:00")
    stored(tmp_path, new, "2026-11-24T11:00:00+00:00")
    stored(tmp_path, new.with_seed(1), "2026-11-24T12:00:00+00:00")
    trial = new.replaced(purpose="trial")
    stored(tmp_path, trial, "2026-11-24T13:00:00+00:00")
    broken = tiny_run(experiments["lora/rank8"], max_steps=9)
    stored(tmp_path, broken, "2026-11-24T14:00:00+00:00", status="oom")
    runs, _ = imported(tmp_path)
    current = {run_id_ for run_id_, run in runs.items() if run.is_current}
    assert current == {run_id(new), run_id(new.with_seed(1))}
    assert runs[run_id(broken)].error == "it broke"


@pytest.mark.parametrize(
    ("change", "says"), [({"format": 9}, "format 9"), ({"run_id": "../x"}, "no run_id"), ({"run_id": 5}, "no run_id")]
)
def test_a_result_that_is_not_ours_is_a_counted_failure(
    change: dict[str, Any], says: str, experiments: dict[str, Experiment], tmp_path: Path
) -> None:
    document = Record(tiny_run(experiments["lora/rank8"]), status="success").document()
    document["hubstats"] |= change
    (tmp_path / "a.json").write_text(json.dumps(document))
    runs, records = imported(tmp_path)
    assert runs == {}
    assert any(says in str(getattr(record, "detail", "")) for record in records)


def test_hostile_values_become_no_metric(experiments: dict[str, Experiment], tmp_path: Path) -> None:
    document = Record(tiny_run(experiments["lora/rank8"]), status="success").document()
    document["hubstats"]["values"] = [
        {"name": "a", "value": "5", "unit": "x", "direction": "lower"},
        {"name": "b", "value": 10**400, "unit": "x", "direction": "lower"},
        {"name": "c", "value": 1, "unit": "x", "direction": "sideways"},
        {"name": 7, "value": 1, "unit": "x", "direction": "lower"},
        5,
        {"name": "good", "value": 2, "unit": None, "direction": "none"},
    ]
    document["hubstats"]["items"] = [5, {"item_id": 3}, {"item_id": "q", "nll": "low", "correct": "yes"}]
    (tmp_path / "a.json").write_text(json.dumps(document))
    _, records = imported(tmp_path)
    assert [record.name for record in records if isinstance(record, BenchMetric)] == ["good"]
    items = [record for record in records if isinstance(record, BenchItem)]
    assert [(item.item_id, item.nll, item.correct) for item in items] == [("q", None, None)]


# --- the commands -------------------------------------------------------------------------------------------------


def hubstats(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hubstats", "bench", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_plan_and_status_work_without_torch(tmp_path: Path) -> None:
    done = hubstats("plan", "-t", "lora", "--task", "tiny", "--device", "cpu", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "reference: the untrained model" in done.stdout
    assert "estimated from this machine's matrix rate" in done.stderr
    names = [run["experiment"] for run in json.loads((tmp_path / "bench-plan.json").read_text())["runs"]]
    assert names == ["base", "lora/rank8", "full_finetuning/default"]
    status = hubstats("status", "--plan", "bench-plan.json", cwd=tmp_path)
    assert status.returncode == 0
    assert status.stdout.startswith("3 runs of bench-plan.json are to be done: base, lora/rank8")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("run",), (1, 2), "say what to run|pip install"),
        (("plan", "-t", "lora", "--device", "tpu"), (2,), "there is no device 'tpu'"),
        (("plan", "-t", "lora", "--task", "gsm9k"), (1,), "there is no task 'gsm9k'"),
        (("plan", "-e", "nowhere", "--task", "tiny"), (1,), "there is no folder nowhere"),
        (("plan", "--db", "no.duckdb", "--task", "tiny"), (1,), "no.duckdb"),
        (("plan", "-t", "lora", "--data", "nowhere"), (1,), "there is no nowhere"),
        (("plan", "-t", "lora", "--option", "faster"), (1,), "there is no option 'faster'"),
    ],
)
def test_what_cannot_be_planned_is_one_line(
    arguments: tuple[str, ...], code: tuple[int, ...], says: str, tmp_path: Path
) -> None:
    import re

    done = hubstats(*arguments, cwd=tmp_path)
    assert done.returncode in code, done.stderr
    assert re.search(says, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


INTERRUPTED = """
    import signal, sys
    from hubstats_bench import benchable, runner
    signal.signal(signal.SIGINT, signal.default_int_handler)
    benchable.REQUIRED = ()
    runner.WORKER = (sys.executable, sys.argv.pop(1))
    from hubstats.cli import main
    main()
"""
STUBBORN = """
    import json, os, signal, sys, time
    if os.environ["MINDS"] == "no":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(json.dumps({"phase": "train", "done": 1, "of": 3}), flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("pressed", ["for all", "for the command only"])
@pytest.mark.parametrize("minds", ["yes", "no"])
def test_ctrl_c_ends_the_command_with_a_line_and_leaves_no_process(pressed: str, minds: str, tmp_path: Path) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(textwrap.dedent(STUBBORN))
    command = [sys.executable, "-c", textwrap.dedent(INTERRUPTED), str(worker)]
    arguments = ["bench", "run", "-t", "lora", "--task", "tiny", "--device", "cpu", "--out", "out"]
    # a session of its own, so that its processes are a group as they are in a terminal
    with subprocess.Popen(
        [*command, *arguments],
        cwd=tmp_path,
        env={**os.environ, "MINDS": minds},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("[1/3] base seed 0 train"):
                break
        else:
            pytest.fail("it never began")
        began = time.monotonic()
        if pressed == "for all":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "hubstats: interrupted; run the same command again to go on\n"
        assert process.wait(30) == 1
        assert time.monotonic() - began < 20
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    assert list((tmp_path / "out").glob("*.json")) == []
