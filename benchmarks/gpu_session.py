"""What a GPU is needed for, in one session on a rented machine without a network: fifteen minutes of one card.

    python -m benchmarks.gpu_session --model smollm2-135m.gguf --data gsm8k --published-runner peft --out gpu
    python -m benchmarks.gpu_session --dry --data gsm8k --published-runner peft --out dry     # the same on a CPU, tiny

side    one run of the published recipe by the published runner's own code and by ours, to the letter and with the
        faster options, on random weights of Llama-3.2-3B's shape: losses, answers, seconds, ratios
shape   peak memory, step time and tokens a second of techniques at that shape, each alone on the card
tuned   SmolLM2-135M on GSM8K: the techniques of `--plan` (or the most and least used by the published counts) and full
        fine-tuning, 13 trials each and 3 seeds; techniques side by side on the card, so without times and memory

Every result is a file of its own as soon as it is there. No run is started after `--minutes`; the same command goes on
where it was. Only torch, transformers, peft, safetensors, filelock and (for .gguf and `side`) gguf and datasets are
needed, not hubstats' other packages.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hubstats.errors import BenchError
from hubstats.techniques import load
from hubstats_bench import plan, runner, tune
from hubstats_bench.choose import Choice, Selection
from hubstats_bench.experiment import shipped
from hubstats_bench.spec import RunSpec
from hubstats_bench.worker import BESIDE_OTHERS

SHAPES = (
    *("lora/rank8", "full_finetuning/default", "ia3/default", "prompt_tuning/tokens16", "lora/dora", "adalora/rank8"),
    *(
        "vera/rank64",
        "oft/block32",
        "boft/block4",
        "loha/rank8",
        "lokr/rank8",
        "ln_tuning/default",
        "fourierft/frequency1000",
    ),
)
TUNED = (
    *("lora/rank8", "p_tuning/tokens16", "prompt_tuning/tokens16"),
    *("multitask_prompt_tuning/tokens16", "poly/rank8", "xlora/two_experts"),
)
"""Most and least used by the published counts of imports, where no plan says."""


class Clock:
    """The session's time."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes

    @property
    def left(self) -> float:
        """Seconds."""
        return self._end - time.monotonic()

    def say(self, text: str) -> None:
        """Prints a line with the time left."""
        print(f"[{self.left / 60:5.1f} min left] {text}", flush=True)


def runs(task: str, names: tuple[str, ...], wish: plan.Wish) -> tuple[RunSpec, ...]:
    """Runs of shipped experiments."""
    registry = load()
    known = {each.name: each for each in shipped(registry)}
    chosen = tuple(Choice(known[name].key, known[name], None, "in the session") for name in names if name in known)
    if missing := set(names) - set(known):
        raise BenchError(f"there is no experiment {', '.join(sorted(missing))}")
    return plan.assemble(Selection(chosen, (), ()), wish, registry, "GPU session").specs


def shape(clock: Clock, out: Path, dry: bool) -> None:
    """Each technique alone on the card at Llama-3.2-3B's shape."""
    task, device = ("tiny", "cpu") if dry else ("llama3b", "cuda")
    names = SHAPES[:2] if dry else SHAPES
    for spec in runs(task, names, plan.Wish(task, device, references=())):
        if clock.left < 30:
            return clock.say("no time for more shapes")
        [outcome] = runner.sweep([spec], out / "shape", timeout=min(120.0, clock.left))
        found = outcome.stored.values
        memory = found.get("peak_memory", found.get("process_memory", 0.0)) / 1e9
        clock.say(
            f"{spec.experiment}: {outcome.stored.status} {memory:.1f} GB, {found.get('step_time', 0.0):.3f} s a step, "
            f"{found.get('train_tokens_per_second', 0.0):.0f} tokens/s {outcome.stored.message}"
        )


def side(clock: Clock, out: Path, checkout: Path, data: Path, dry: bool) -> None:
    """The published runner's code and ours."""
    command = [sys.executable, "-m", "benchmarks.bench_runner", "--published-runner", str(checkout)]
    command += ["--data", str(data), "--out", str(out / "side-by-side.json"), "--options", ""]
    if dry:
        command += ["--task", "tiny", "--steps", "4", "--test", "8", "--new-tokens", "6", "--device", "cpu"]
    else:
        command += ["--task", "llama3b", "--steps", "150", "--test", "50", "--device", "cuda"]
        command += ["--options", "keep-cache", "--options", "continuous-generation,keep-cache"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=max(10.0, clock.left))
    clock.say((done.stdout + done.stderr[-2000:]).strip())


def tuned(clock: Clock, out: Path, specs: tuple[RunSpec, ...], at_once: int) -> None:
    """Each technique's trials and final runs in turn, techniques side by side, each with a folder of its own."""
    os.environ[BESIDE_OTHERS] = "1"
    lanes: dict[str, list[RunSpec]] = {}
    for spec in specs:
        lanes.setdefault(spec.experiment, []).append(spec)

    def lane(name: str) -> None:
        folder = out / "tuned" / name.replace("/", "--")
        tell: Callable[[object], None] = _heard(clock)
        own = lanes[name]
        if own[0].role != "base":
            found = tune.tune(own, folder, timeout=max(5.0, clock.left), tell=tell)
            clock.say(f"{name}: rate {found[0].rate} {found[0].note}")
            own = tune.finals(own, found)
        runner.sweep(own, folder, timeout=max(5.0, clock.left), tell=tell)

    with ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(lane, name) for name in lanes]:
            try:
                done.result()
            except TimeoutError:
                clock.say("no time for more runs of a technique")
    del os.environ[BESIDE_OTHERS]
    # one folder for `hubstats bench compare` and `hubstats import`
    for file in (out / "tuned").glob("*/*.json"):
        (out / "results").mkdir(exist_ok=True)
        (out / "results" / file.name).write_bytes(file.read_bytes())


def _heard(clock: Clock) -> Callable[[object], None]:
    def tell(event: object) -> None:
        if isinstance(event, runner.Outcome):
            spec, stored = event.spec, event.stored
            nll = stored.values.get("answer_nll")
            clock.say(
                f"{spec.experiment} {spec.purpose} rate {spec.training.learning_rate:g} seed {spec.training.seed}: "
                f"{stored.status} {'' if nll is None else f'{nll:.4f}'} {stored.message}"
            )
            if clock.left < 20:
                raise TimeoutError

    return tell


def main() -> None:
    """Runs the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", help="SmolLM2-135M, as a .gguf file or a folder")
    parser.add_argument("--data", type=Path, required=True, help="folder with GSM8K's train.jsonl and test.jsonl")
    parser.add_argument("--published-runner", type=Path, help="a checkout of huggingface/peft, for `side`")
    parser.add_argument("--plan", type=Path, help="what `tuned` runs: made by hubstats bench plan --device cuda --tune")
    parser.add_argument("--parts", default="side,shape,tuned")
    parser.add_argument("--minutes", type=float, default=13.0)
    parser.add_argument("--at-once", type=int, default=7, help="techniques side by side in `tuned`")
    parser.add_argument("--dry", action="store_true", help="on a CPU, tiny: whether everything would run")
    wanted = parser.parse_args()
    clock = Clock(wanted.minutes)
    wanted.out.mkdir(parents=True, exist_ok=True)
    clock.say(f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores")
    for part in wanted.parts.split(","):
        if part == "shape":
            shape(clock, wanted.out, wanted.dry)
        elif part == "side" and wanted.published_runner is None:
            clock.say("no --published-runner: nothing to set ours beside")
        elif part == "side":
            side(clock, wanted.out, wanted.published_runner, wanted.data, wanted.dry)
        elif part == "tuned":
            if wanted.plan is not None:
                specs = plan.moved(plan.open_plan(wanted.plan), wanted.model, wanted.data).specs
            elif wanted.dry:
                small = {"max_seq_length": 512, "batch_size": 2}
                wish = plan.Wish("gsm8k", "cpu", "made:tiny-llama", wanted.data, 2, 3, 4, 0, ("base",), small)
                specs = runs("gsm8k", ("ia3/default",), wish)
            else:
                wish = plan.Wish("gsm8k", "cuda", wanted.model, wanted.data, tune.SEEDS)
                specs = runs("gsm8k", TUNED, wish)
            tuned(clock, wanted.out, specs, 1 if wanted.dry else wanted.at_once)
        else:
            parser.error(f"there is no part {part!r}: side, shape, tuned")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"error: {error}")
