"""Experiment folders in the published shape: what loads, what is refused, and what a run's id depends on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hubstats.errors import BenchError
from hubstats.techniques import Registry
from hubstats_bench import spec as specs
from hubstats_bench import tasks
from hubstats_bench.experiment import Experiment, find_experiments, load_experiment, training_from
from hubstats_bench.spec import Origin
from tests.bench.conftest import tiny_run, write_experiment

PUBLISHED_LIKE = {
    "lora/llama-3.2-3B-rank32": ('{"peft_type": "LORA", "r": 32, "task_type": null}', None),
    "lora/llama-3.2-3B-rank32-dora": ('{"peft_type": "LORA", "r": 32, "use_dora": true}', None),
    "lora/llama-3.2-3B-rank32-fa": (
        '{"peft_type": "LORA", "r": 32}',
        '{"optimizer_type": "lora-fa", "optimizer_kwargs": {"r": 32, "lora_alpha": 64, "lr": 1e-4}}',
    ),
    "full-finetuning/llama-3.2-3B-lr_0.00001": (None, '{"optimizer_kwargs": {"lr": 1e-5}}'),
    "prefixtuning/llama-3.2-3B-init": (
        '{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 50}',
        '{"init_kv_cache_prefix": "Think.", "optimizer_kwargs": {"lr": 0.005}}',
    ),
}


def test_folders_of_the_published_shape_load_unchanged(tmp_path: Path, registry: Registry) -> None:
    root = tmp_path / "experiments"
    for name, files in PUBLISHED_LIKE.items():
        write_experiment(root / name, *files)
    found = {each.name: each for each in find_experiments(root, registry)}
    assert set(found) == set(PUBLISHED_LIKE)
    keys = {name: each.key for name, each in found.items()}
    assert keys == {
        "lora/llama-3.2-3B-rank32": "lora",
        "lora/llama-3.2-3B-rank32-dora": "dora",
        "lora/llama-3.2-3B-rank32-fa": "lora_fa",
        "full-finetuning/llama-3.2-3B-lr_0.00001": "full_finetuning",
        "prefixtuning/llama-3.2-3B-init": "prefix_tuning",
    }
    defaults = tasks.get("metamathqa").defaults
    trained = found["lora/llama-3.2-3B-rank32-fa"].training(defaults)
    assert (trained.optimizer_type, trained.learning_rate, trained.max_steps) == ("lora-fa", 1e-4, 5000)
    assert found["lora/llama-3.2-3B-rank32"].training(defaults).as_dict() == dict(defaults)


@pytest.mark.parametrize(
    ("adapter", "training", "says"),
    [
        (None, None, "neither adapter_config.json nor training_params.json"),
        ('{"peft_type": "LORRA"}', None, "unknown peft_type 'LORRA'; did you mean 'LORA'"),
        ('{"r": 8}', None, "unknown peft_type None"),
        ('{"peft_type": ["LORA"]}', None, "unknown peft_type"),
        ('{"peft_type": "LORA"', None, "is not JSON"),
        ("[" * 100_000, None, "is not JSON"),
        ("[1]", None, "no JSON object"),
        (None, '{"max_step": 5}', "unknown training parameter 'max_step'; did you mean 'max_steps'"),
    ],
)
def test_a_broken_folder_is_refused_in_one_line(
    adapter: str | None, training: str | None, says: str, tmp_path: Path, registry: Registry
) -> None:
    folder = write_experiment(tmp_path / "lora" / "broken", adapter, training)
    with pytest.raises(BenchError, match="(?s)" + says.replace("[", r"\[")) as caught:
        load_experiment(folder, registry)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_steps", 0),
        ("max_steps", True),
        ("batch_size", 2.0),
        ("seed", -1),
        ("dtype", "float8"),
        ("lr_scheduler", "linear"),
        ("grad_norm_clip", -0.5),
        ("query_template", "Question:"),
        ("use_gc", 1),
        ("optimizer_type", ""),
        ("optimizer_kwargs", {"weight_decay": 0.1}),
        ("optimizer_kwargs", {"lr": 0}),
        ("optimizer_kwargs", {"lr": float("inf")}),
        ("optimizer_kwargs", [1]),
        ("init_kv_cache_prefix", 5),
    ],
)
def test_a_training_parameter_out_of_bounds_is_named(name: str, value: Any) -> None:
    with pytest.raises(BenchError, match="lr" if name == "optimizer_kwargs" and isinstance(value, dict) else name):
        training_from({**tasks.get("tiny").defaults, name: value})


def test_a_missing_training_parameter_is_named() -> None:
    values = dict(tasks.get("tiny").defaults)
    del values["use_amp"]
    with pytest.raises(BenchError, match="no training parameter 'use_amp'"):
        training_from(values)


def test_what_determines_the_figures_determines_the_id(experiments: dict[str, Experiment]) -> None:
    run = tiny_run(experiments["lora/rank8"])
    other = replace(run, model=Origin("made", "tiny-llama", "1", location="elsewhere"))
    assert specs.run_id(other) == specs.run_id(run)
    changed = [
        tiny_run(experiments["lora/rank8"], max_steps=4),
        tiny_run(experiments["lora/rank8"], optimizer_kwargs={"lr": 0.5}),
        tiny_run(experiments["lora/dora"]),
        run.with_seed(1),
        run.replaced(model=Origin("made", "tiny-llama", "2")),
        run.replaced(versions={**run.versions, "peft": "9"}),
        run.replaced(evaluation=replace(run.evaluation, items=3)),
        run.replaced(device="cuda"),
        run.replaced(options=("packed",)),
    ]
    assert len({specs.run_id(run), *map(specs.run_id, changed)}) == len(changed) + 1
    same = [each for each in changed if specs.setting_id(each) == specs.setting_id(run)]
    assert same == [run.with_seed(1)]


def test_a_run_survives_its_way_through_json(experiments: dict[str, Experiment]) -> None:
    for name in ("lora/bdlora", "full_finetuning/default", "xlora/two_experts"):
        run = tiny_run(experiments[name])
        back = specs.spec_from(json.loads(json.dumps(run.as_dict())))
        assert back == run
        assert specs.run_id(back) == specs.run_id(run)


@pytest.mark.parametrize("change", [{"role": "boss"}, {"device": "tpu"}, {"surplus": 1}, {"model": {"kind": "hub"}}])
def test_a_run_of_another_version_is_refused(change: dict[str, Any], experiments: dict[str, Experiment]) -> None:
    values = {**tiny_run(experiments["lora/rank8"]).as_dict(), **change}
    with pytest.raises(BenchError, match="not a run"):
        specs.spec_from(values)
