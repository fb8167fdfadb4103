"""The published comparison itself: its experiments, and its runner beside ours. Needs a checkout of huggingface/peft.

HUBSTATS_PEFT_CHECKOUT=~/peft python -m pytest tests/bench/test_published.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubstats.techniques import Registry
from hubstats_bench import plan
from hubstats_bench.choose import Choice, Selection
from hubstats_bench.experiment import find_experiments
from tests.bench.conftest import WITHOUT_TORCH

CHECKOUT = Path(os.environ.get("HUBSTATS_PEFT_CHECKOUT", ""))
pytestmark = pytest.mark.skipif(
    "HUBSTATS_PEFT_CHECKOUT" not in os.environ, reason="needs a checkout of PEFT: HUBSTATS_PEFT_CHECKOUT"
)


def test_every_published_experiment_loads_and_plans(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    root = CHECKOUT / "method_comparison" / "MetaMathQA" / "experiments"
    found = find_experiments(root, registry)
    folders = {file.parent for file in root.rglob("*.json") if "config" in file.name or "params" in file.name}
    assert len(found) == len(folders) > 60
    selection = Selection(tuple(Choice(each.key, each, None, "published") for each in found), (), ())
    made = plan.assemble(selection, plan.Wish("metamathqa", "cuda", references=()), registry, "published")
    assert len(made.specs) == len(found)
    assert made.left_out == ()
    for spec, each in zip(made.specs, found, strict=True):
        written = each.overrides
        assert {name: spec.training.as_dict()[name] for name in written} == written, each.name


@WITHOUT_TORCH
def test_every_published_adapter_config_is_understood(registry: Registry) -> None:
    from hubstats_bench import needs

    for each in find_experiments(CHECKOUT / "method_comparison" / "MetaMathQA" / "experiments", registry):
        if each.adapter is not None:
            config, _ = needs.adapter_config(each.adapter, None)  # type: ignore[arg-type]
            assert str(config.peft_type.value) == each.adapter["peft_type"]


@WITHOUT_TORCH
def test_the_published_runner_has_our_losses_and_answers(tmp_path: Path) -> None:
    out = tmp_path / "compared.json"
    command = [sys.executable, "-m", "benchmarks.bench_runner", "--published-runner", str(CHECKOUT), "--task", "tiny"]
    command += ["--steps", "20", "--test", "12", "--new-tokens", "8", "--out", str(out)]
    command += ["--options", "", "--options", "continuous-generation,keep-cache"]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for found in json.loads(out.read_text()):
        assert found["losses"] == 20
        assert found["largest_difference"] < 1e-5
        assert found["same_answers"] == found["questions"] == 12
        assert found["forgetting"][0] == pytest.approx(found["forgetting"][1], abs=1e-5)
