"""What the tests of the bench share: runs of the `tiny` task, and whether torch and PEFT are here at all."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hubstats.techniques import Registry, load
from hubstats_bench import tasks
from hubstats_bench.experiment import Experiment, shipped
from hubstats_bench.spec import Evaluation, Origin, RunSpec, versions

WITHOUT_TORCH = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("torch", "peft", "transformers")),
    reason='needs torch and peft: pip install "hubstats[bench]"',
)

if "torch" in sys.modules or find_spec("torch") is not None:
    import torch

    # the tests' models are tiny: more threads only wait for one another
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return load()


@pytest.fixture(scope="session")
def experiments(registry: Registry) -> dict[str, Experiment]:
    return {experiment.name: experiment for experiment in shipped(registry)}


def tiny_run(experiment: Experiment, role: str | None = None, **training: Any) -> RunSpec:
    """A run of three steps on the random model."""
    task = tasks.get("tiny")
    return RunSpec(
        task="tiny",
        experiment="base" if role == "base" else experiment.name,
        role=role or ("full" if experiment.adapter is None else "technique"),  # type: ignore[arg-type]
        technique=experiment.technique,
        variant=experiment.variant,
        adapter=None if role == "base" else experiment.adapter,
        training=experiment.training(task.defaults).replaced(**training),
        evaluation=Evaluation(),
        model=Origin("made", "tiny-llama", "1"),
        data=task.data(None),
        device="cpu",
        versions=versions(),
    )


def write_experiment(folder: Path, adapter: str | None, training: str | None) -> Path:
    """An experiment folder with these files."""
    folder.mkdir(parents=True)
    if adapter is not None:
        (folder / "adapter_config.json").write_text(adapter, encoding="utf-8")
    if training is not None:
        (folder / "training_params.json").write_text(training, encoding="utf-8")
    return folder
