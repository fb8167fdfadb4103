"""One run of the published runner's own code, from a checkout of PEFT, timed by phase; started by `bench_runner`.

    python -O -m benchmarks.published CHECKOUT EXPERIMENT DATA DEVICE OUT

The checkout's `method_comparison/MetaMathQA/run.py` is imported and its `main` called, unchanged. Round it, only what
cannot be had is replaced: the data sets come from the folder DATA instead of the Hub, the Hub is not asked for commits,
git is not asked for a branch, results are handed over instead of written into the checkout; on a CPU, which the code
refuses, the device's name and the memory figures. `-O` drops its check that the base model's loss on Wikipedia is that
of Llama-3.2-3B, which no other model passes. Its functions are wrapped by clocks, not altered.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from hubstats_bench.tasks.gsm8k import read_jsonl
from hubstats_bench.tasks.metamathqa import METAMATH_FILE, WIKI_FILE


def main(checkout: Path, experiment: Path, data: Path, device: str, out: Path) -> None:
    """Runs one experiment and writes losses, predictions and seconds by phase to `out`."""
    if not sys.flags.optimize:
        sys.exit("start it with python -O: see above")
    folder = checkout / "method_comparison" / "MetaMathQA"
    if not (folder / "run.py").is_file():
        sys.exit(f"{checkout} is no checkout of PEFT: it has no method_comparison/MetaMathQA/run.py")
    run = _imported(folder, data, device)
    seconds: dict[str, float] = {}
    predictions: list[list[str]] = []
    found: dict[str, Any] = {}

    def keep(**result: Any) -> None:
        found.update(result)

    run.log_results = keep
    run.get_base_model_info = run.get_dataset_info = lambda name: None
    run.get_peft_branch = lambda: "main"
    run.get_train_valid_test_datasets = _timed(run.get_train_valid_test_datasets, seconds, "data")
    run.get_wiki_small = _timed(run.get_wiki_small, seconds, "data")
    run.get_model = _timed(run.get_model, seconds, "load")
    run.calculate_mean_per_token_loss = _timed(run.calculate_mean_per_token_loss, seconds, "unrelated")
    run.evaluate = _timed(run.evaluate, seconds, "generate", lambda result: predictions.append(result[0]))
    run.main(path_experiment=str(experiment), experiment_name="experiment", clean=True, bucket_name=None)
    result = found["train_result"]
    if result.error_msg:
        sys.exit(f"the published runner failed: {result.error_msg}")
    validated = [metric for metric in result.metrics if "valid accuracy" in metric]
    seconds["validate"] = sum(metric["eval time"] for metric in validated)
    seconds["generate"] -= seconds["validate"]
    seconds["train"] = sum(metric["train time"] for metric in validated)
    seconds["total"] = found["time_total"]
    written = {
        "losses": result.losses,
        "predictions": predictions[-1],
        "accuracy": result.metrics[-1]["test accuracy"],
        "forgetting": result.metrics[-1]["forgetting"],
        "seconds": seconds,
        "reserved": max(result.accelerator_memory_reserved_log),
    }
    out.write_text(json.dumps(written), encoding="utf-8")


def _timed(
    function: Callable[..., Any],
    seconds: dict[str, float],
    name: str,
    look: Callable[[Any], None] = lambda result: None,
) -> Callable[..., Any]:
    def timed(*arguments: Any, **keywords: Any) -> Any:
        began = time.perf_counter()
        result = function(*arguments, **keywords)
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
        look(result)
        return result

    return timed


def _imported(folder: Path, data: Path, device: str) -> ModuleType:
    """The published `run` module with its surroundings replaced."""
    import datasets
    import peft.utils
    import torch
    import transformers

    del transformers
    if find_spec("bitsandbytes") is None:  # imported by the published code, used for 4 and 8 bit only
        stand_in = ModuleType("bitsandbytes")
        stand_in.__spec__ = ModuleSpec("bitsandbytes", None)
        sys.modules["bitsandbytes"] = stand_in
    datasets.load_dataset = lambda name, *arguments, **keywords: _dataset(name, data)
    sys.path.insert(0, str(folder))
    if device == "cpu":
        peft.utils.infer_device = lambda: "cuda"
        for name in ("memory_allocated", "memory_reserved", "max_memory_reserved"):
            setattr(torch.cpu, name, lambda: 0)
        for name in ("reset_peak_memory_stats", "empty_cache", "manual_seed_all"):
            setattr(torch.cpu, name, lambda *arguments: None)
    run = importlib.import_module("run")
    if device == "cpu":
        utils = importlib.import_module("utils")
        utils.device = "cpu"
        utils.infer_device = run.infer_device = lambda: "cpu"
    run.print_verbose = lambda *arguments, **keywords: None
    return run


def _dataset(name: str, data: Path) -> Any:
    from datasets import Dataset

    if name == "meta-math/MetaMathQA":
        rows = json.loads((data / METAMATH_FILE).read_text(encoding="utf-8"))
        return {"train": Dataset.from_list(rows)}
    if name == "openai/gsm8k":
        from datasets import DatasetDict

        pairs = {split: read_jsonl(data / f"{split}.jsonl") for split in ("train", "test")}
        return DatasetDict(
            {
                split: Dataset.from_list([{"question": question, "answer": answer} for question, answer in rows])
                for split, rows in pairs.items()
            }
        )
    texts = (data / WIKI_FILE).read_text(encoding="utf-8").splitlines()
    return Dataset.from_list([json.loads(text) for text in texts])


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    checkout, experiment, data, device, out = sys.argv[1:]
    main(Path(checkout), Path(experiment).resolve(), Path(data).resolve(), device, Path(out).resolve())
