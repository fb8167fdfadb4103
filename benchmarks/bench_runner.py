"""How fast a run of the bench is beside the published runner: `make bench-runner PUBLISHED=PEFT_CHECKOUT`.

    python -m benchmarks.bench_runner --published-runner ~/peft --task gsm8k --steps 20 --test 24

Both fine-tune one model on the same rows in the same order with the same seed and the published recipe, then answer
the same questions; each in a process of its own, the published one by its own code from a checkout of PEFT (see
`benchmarks.published`). Printed are the largest difference of two losses, how many answers are the same, and seconds
and ratios by phase. What only ours measures (the likelihood of the solutions) is left out of its total.

`--task` says which model and rows: gsm8k (SmolLM2-135M), llama3b (random weights of Llama-3.2-3B's shape), tiny.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hubstats.techniques import load
from hubstats_bench import answers, result, runner, tasks
from hubstats_bench.choose import Choice, Selection
from hubstats_bench.experiment import Experiment, shipped
from hubstats_bench.plan import Wish, assemble
from hubstats_bench.spec import OPTIONS, RunSpec
from hubstats_bench.tasks.metamathqa import METAMATH_FILE, WIKI_FILE

PHASES = ("load", "data", "unrelated", "train", "validate", "generate")


def rows_of(task: tasks.Task, folder: Path | None, place: Path, rows: int, tested: int) -> None:
    """Writes the task's rows and questions in the shape of the published recipe's data sets into `place`."""
    data = task.data(folder)
    train = task.training(data, rows, 0)
    held, test = task.questions(data, "heldout"), task.questions(data, "test")[:tested]
    metamath = [
        {"type": "GSM_Rephrased", "query": row.query, "response": row.response, "original_question": row.query}
        for row in train
    ]
    (place / METAMATH_FILE).write_text(json.dumps(metamath), encoding="utf-8")
    for split, questions in (("train", held), ("test", test)):
        lines = [json.dumps({"question": row.query, "answer": row.response}) for row in questions]
        (place / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    texts = task.unrelated(data) or ["The river rises in the hills.", "Bread is baked at dawn."]
    (place / WIKI_FILE).write_text("\n".join(json.dumps({"text": text}) for text in texts), encoding="utf-8")


def planned(
    task: tasks.Task, experiment: Experiment, model: str | None, data: Path, changes: dict[str, Any], device: str
) -> RunSpec:
    """The run in the published recipe, on the task's model."""
    recipe = tasks.get("metamathqa")
    wish = Wish("metamathqa", device, model, data, references=(), training=changes)
    choice = Choice(experiment.key, experiment, None, "measured")
    [spec] = assemble(Selection((choice,), (), ()), wish, load(), "").specs
    asked = replace(recipe.evaluation, reload=False, merge=False, unrelated=True)
    return spec.replaced(evaluation=asked)


def local_model(task: tasks.Task, model: str | None, dtype: str, place: Path) -> Path:
    """A folder with the model, as both runners can load it."""
    from hubstats_bench import base_model
    from hubstats_bench.experiment import training_from
    from hubstats_bench.plan import model_of

    origin, _ = model_of(task, model)
    if origin.kind == "made":
        training = training_from({**task.defaults, "dtype": dtype})
        base_model.load_model(origin, training, "cpu" if dtype == "float32" else "cuda").save_pretrained(place)
        base_model.load_tokenizer(origin, training.max_seq_length).save_pretrained(place)
        return place
    return Path(base_model.folder_of(origin))


def published(checkout: Path, spec: RunSpec, data: Path, place: Path) -> dict[str, Any]:
    """Runs the published runner on the spec's settings."""
    folder = place / "experiments" / "measured" / "one"
    folder.mkdir(parents=True)
    if spec.adapter is not None:
        (folder / "adapter_config.json").write_text(json.dumps(spec.adapter), encoding="utf-8")
    training = {**spec.training.as_dict(), "model_id": str(spec.model.location)}
    (folder / "training_params.json").write_text(json.dumps(training), encoding="utf-8")
    out = place / "published.json"
    command = [sys.executable, "-O", "-m", "benchmarks.published", str(checkout), str(folder), str(data), spec.device]
    done = subprocess.run(
        [*command, str(out)],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.exit("\n".join(done.stderr.splitlines()[-8:]))
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def ours(spec: RunSpec, place: Path) -> dict[str, Any]:
    """Runs the bench on the spec."""
    [outcome] = runner.sweep([spec], place / "ours")
    document = result.read(outcome.stored.path)["hubstats"]
    if document["status"] != "success":
        sys.exit(f"our run ended as {document['status']}: {document['message']}")
    return document


def compare(theirs: dict[str, Any], mine: dict[str, Any]) -> dict[str, Any]:
    """Both runs side by side: differences of losses, answers in common, seconds and ratios."""
    times = {"published": theirs["seconds"], "ours": dict(mine["times"])}
    # the adapter is put on in `load` there; the likelihood of solutions is measured here only
    times["ours"]["load"] += times["ours"].get("prepare", 0.0)
    times["ours"]["total"] -= times["ours"].get("score", 0.0)
    values = {value["name"]: value["value"] for value in mine["values"]}
    given = [answers.extract(text) for text in theirs["predictions"]]
    losses = mine["objective"] or mine["losses"]
    return {
        "losses": len(losses),
        "largest_difference": max(abs(a - b) for a, b in zip(theirs["losses"], losses, strict=True)),
        "forgetting": [theirs["forgetting"], values.get("forgetting")],
        "accuracy": [theirs["accuracy"], values.get("test_accuracy")],
        "questions": len(given),
        "same_answers": sum(a == item["answer"] for a, item in zip(given, mine["items"], strict=True)),
        "seconds": times,
        "ratios": {
            phase: times["published"][phase] / times["ours"][phase]
            for phase in (*PHASES, "total")
            if times["published"].get(phase) and times["ours"].get(phase)
        },
        "options": mine["spec"]["options"],
        "notes": mine["notes"],
    }


def main() -> None:
    """Runs both and prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published-runner", type=Path, required=True, help="a checkout of huggingface/peft")
    parser.add_argument("--task", default="gsm8k", choices=("gsm8k", "llama3b", "tiny"))
    parser.add_argument("--experiment", default="lora/rank8", help="a shipped experiment")
    parser.add_argument("--model")
    parser.add_argument("--data", type=Path, help="folder with GSM8K's train.jsonl and test.jsonl")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--validations", type=int, default=1)
    parser.add_argument("--test", type=int, default=24, help="questions of the test")
    parser.add_argument("--new-tokens", type=int, default=300)
    parser.add_argument("--eval-batch", type=int, default=50)
    parser.add_argument("--length", type=int, default=768, help="tokens of the longest row")
    parser.add_argument("--option", action="append", default=[], choices=sorted(OPTIONS))
    parser.add_argument("--out", type=Path, help="write the comparison there as JSON as well")
    wanted = parser.parse_args()
    task = tasks.get(wanted.task)
    experiment = next(each for each in shipped(load()) if each.name == wanted.experiment)
    with tempfile.TemporaryDirectory(prefix="bench-runner-") as folder:
        place = Path(folder)
        data = place / "data"
        data.mkdir()
        dtype = "float32" if wanted.device == "cpu" else "bfloat16"
        rows_of(task, wanted.data, data, wanted.steps * 4 + 400, wanted.test)
        model = local_model(task, wanted.model, dtype, place / "model")
        changes = {
            "dtype": dtype,
            "max_steps": wanted.steps,
            "eval_steps": wanted.steps // wanted.validations,
            "batch_size_eval": wanted.eval_batch,
            "max_seq_length": wanted.length,
            "generation_kwargs": {"max_length": 800, "max_new_tokens": wanted.new_tokens, "do_sample": False},
        }
        spec = planned(task, experiment, str(model), data, changes, wanted.device)
        spec = spec.replaced(options=tuple(sorted(wanted.option)))
        theirs = published(wanted.published_runner, spec, data, place)
        found = compare(theirs, ours(spec, place))
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.system()} on {os.cpu_count()} cores, {wanted.device}",
        "task": task.name,
        "experiment": wanted.experiment,
        "steps": wanted.steps,
        **found,
    }
    print(f"{found['date']}, {found['machine']}: {wanted.experiment} on {spec.training.model_id}, {dtype}")
    print(f"{found['losses']} losses, largest difference {found['largest_difference']:.1e}; ", end="")
    print(f"{found['same_answers']} of {found['questions']} answers the same")
    print(f"{'phase':10} {'published':>10} {'ours':>10} {'ratio':>7}")
    for phase, ratio in found["ratios"].items():
        seconds = found["seconds"]
        print(f"{phase:10} {seconds['published'][phase]:9.1f}s {seconds['ours'][phase]:9.1f}s {ratio:6.2f}x")
    if wanted.out is not None:
        wanted.out.parent.mkdir(parents=True, exist_ok=True)
        wanted.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
