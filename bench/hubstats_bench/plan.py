"""A plan: the runs of a sweep, why these, and what they will cost. Written as JSON, so it can be read and kept.

`assemble` makes runs from experiments. Full fine-tuning and the untrained base model are always among them: without
those two a technique's figure says little.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hubstats.errors import BenchError
from hubstats.techniques import Registry
from hubstats_bench import benchable, origins, tasks
from hubstats_bench.choose import Selection
from hubstats_bench.experiment import Experiment, shipped
from hubstats_bench.origins import PACKAGE, UNRESOLVED, model_origin, packaged_gguf
from hubstats_bench.result import write
from hubstats_bench.spec import Evaluation, Origin, RunSpec, setting_id, spec_from, versions

FORMAT = 1
PRESETS = Path(__file__).parent / "presets"
REFERENCES = ("base", "full")
FULL = "full_finetuning"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks of every run."""

    task: str = "gsm8k"
    device: str | None = None
    model: str | None = None
    data: Path | None = None
    seeds: int = 1
    steps: int | None = None
    items: int | None = None
    """Questions to score; None: as the task has it."""
    answers: int | None = None
    """Questions to answer by generating; None: as the task has it."""
    references: tuple[str, ...] = REFERENCES
    training: Mapping[str, Any] | None = None
    learning_rates: Mapping[str, float] | None = None
    """Experiment name -> learning rate."""
    options: tuple[str, ...] | None = None
    """Of `spec.OPTIONS`; None: the task's, on an accelerator."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Runs, in the order in which they are done."""

    task: str
    created_at: str
    basis: str
    why: Mapping[str, str]
    """Experiment -> why it is in."""
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    specs: tuple[RunSpec, ...]
    tune: bool = False
    """Whether a learning rate is sought for each setting first; then the specs' own is where the search begins."""


def assemble(selection: Selection, wish: Wish, registry: Registry, basis: str) -> Plan:
    """The plan for the chosen experiments. Raises BenchError when model, data or a setting is not to be had."""
    task = tasks.get(wish.task)
    device = wish.device or this_device()
    data = task.data(wish.data)
    models: dict[str | None, tuple[Origin, str]] = {}
    why = {choice.experiment.name: choice.why for choice in selection.choices}
    chosen = [choice.experiment for choice in selection.choices]
    notes = list(selection.notes)
    if "full" in wish.references and not any(experiment.adapter is None for experiment in chosen):
        chosen.append(next(e for e in shipped(registry) if e.technique == FULL))
        why[chosen[-1].name] = "reference: all parameters trained"
    evaluation = _evaluation(task, wish)
    specs, left_out = [], list(selection.left_out)
    for experiment in chosen:
        spec = _spec(task, experiment, wish, device, data, models, evaluation)
        if reason := benchable.unmet(spec.adapter, spec.training, device):
            left_out.append((experiment.key or experiment.name, reason))
            continue
        specs += [spec.with_seed(seed) for seed in range(wish.seeds)]
    if "base" in wish.references and specs:
        base = replace(specs[0], role="base", adapter=None, experiment="base", technique=None, variant=None)
        plain = task.defaults["optimizer_kwargs"]
        base = base.replaced(training=base.training.replaced(optimizer_type="AdamW", optimizer_kwargs=plain, seed=0))
        specs.insert(0, base)
        why["base"] = "reference: the untrained model"
    if not specs:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out) or "nothing was chosen"
        raise BenchError(f"there is nothing to run: {reasons}")
    unresolved = sorted({o.name for spec in specs for o in (spec.model, *spec.data) if o.revision == UNRESOLVED})
    if unresolved:
        notes.append(
            f"the Hub is not in reach: the commit of {', '.join(unresolved)} is unresolved; the runs need it, "
            "and 'hubstats bench run' asks again"
        )
    created = datetime.now(UTC).replace(microsecond=0).isoformat()
    return Plan(task.name, created, basis, why, tuple(left_out), tuple(notes), tuple(specs))


def _spec(
    task: tasks.Task,
    experiment: Experiment,
    wish: Wish,
    device: str,
    data: tuple[Origin, ...],
    models: dict[str | None, tuple[Origin, str]],
    evaluation: Evaluation,
) -> RunSpec:
    own = experiment.overrides.get("model_id")
    if own not in models:
        models[own] = model_of(task, wish.model or own)
    origin, label = models[own]
    training = experiment.training(task.defaults).replaced(model_id=label, seed=0, **(wish.training or {}))
    if wish.steps is not None:
        training = training.replaced(max_steps=wish.steps, eval_steps=min(training.eval_steps, wish.steps))
    rate = (wish.learning_rates or {}).get(experiment.name)
    if rate is not None:
        training = training.with_learning_rate(rate)
    return RunSpec(
        task=task.name,
        experiment=experiment.name,
        role="full" if experiment.adapter is None else "technique",
        technique=experiment.technique,
        variant=experiment.variant,
        adapter=experiment.adapter,
        training=training,
        evaluation=evaluation,
        model=origin,
        data=data,
        device=device,
        versions=versions(),
        options=tuple(sorted((task.options if device == "cuda" else ()) if wish.options is None else wish.options)),
    )


def model_of(task: tasks.Task, reference: str | None) -> tuple[Origin, str]:
    """Where the base model is, and how results call it."""
    if reference is None:
        # a packaged model counts only where its package is; the last of the list is the task's own
        reference = next(
            (m for m in task.models if m.startswith(PACKAGE) and packaged_gguf(m.removeprefix(PACKAGE))),
            task.models[-1],
        )
    if reference.startswith("made:"):
        return Origin("made", reference.removeprefix("made:"), "1"), reference
    origin = model_origin(reference)
    return origin, origin.name if origin.kind == "hub" else f"{origin.name}@sha256:{origin.revision[:16]}"


def _evaluation(task: tasks.Task, wish: Wish) -> Evaluation:
    asked = task.evaluation
    if wish.items is not None:
        asked = replace(asked, items=wish.items)
    if wish.answers is not None:
        asked = replace(asked, generate=wish.answers)
    return asked


def resolved(plan: Plan) -> Plan:
    """The plan with the commits that were not known when it was made. Raises BenchError where they still are not."""
    return replace(
        plan,
        specs=tuple(
            spec.replaced(
                model=origins.resolved(spec.model, "model"),
                data=tuple(origins.resolved(origin, "dataset") for origin in spec.data),
            )
            for spec in plan.specs
        ),
    )


def moved(plan: Plan, model: str | None, data: Path | None) -> Plan:
    """The plan for a machine where model and data lie elsewhere. Raises BenchError when they are not the plan's."""
    specs = plan.specs
    if model is not None:
        there, _ = model_of(tasks.get(plan.task), model)
        specs = tuple(spec.replaced(model=_same(spec.model, there)) for spec in specs)
    if data is not None:
        files = {origin.name: origin for origin in tasks.get(plan.task).data(data)}
        if missing := {origin.name for spec in specs for origin in spec.data} - set(files):
            raise BenchError(f"the plan's data is {', '.join(sorted(missing))}, which {data} does not replace")
        specs = tuple(spec.replaced(data=tuple(_same(o, files[o.name]) for o in spec.data)) for spec in specs)
    return replace(plan, specs=specs)


def _same(planned: Origin, there: Origin) -> Origin:
    """The origin as planned, at its place here."""
    if there.revision != planned.revision:
        raise BenchError(
            f"{there.name} is another one ({there.revision[:16]}) than the plan's {planned.name} "
            f"({planned.revision[:16]}): make the plan anew"
        )
    return planned if there.location is None else there


def within(plan: Plan, seconds: Sequence[float], budget: float) -> Plan:
    """The plan with only as many runs as fit into `budget` seconds, given each one's; references come first.

    A plan that tunes keeps or loses all seeds of a setting: its trials are shared by them.
    """
    units: dict[object, list[int]] = {}
    for number, spec in enumerate(plan.specs):
        units.setdefault(setting_id(spec) if plan.tune else number, []).append(number)
    kept, spent, dropped = set(), 0.0, []
    for unit in sorted(units.values(), key=lambda unit: (plan.specs[unit[0]].role == "technique", unit)):
        needed = sum(seconds[number] for number in unit)
        if spent + needed <= budget:
            spent += needed
            kept.update(unit)
        else:
            dropped.append(plan.specs[unit[0]].experiment)
    if not kept:
        least = min(sum(seconds[number] for number in unit) for unit in units.values())
        raise BenchError(f"no run fits into {budget:g} s: the shortest takes about {least:.0f} s")
    note = [f"over the budget and left out: {', '.join(dict.fromkeys(dropped))}"] if dropped else []
    specs = tuple(spec for number, spec in enumerate(plan.specs) if number in kept)
    return replace(plan, specs=specs, notes=(*plan.notes, *note))


def save(plan: Plan, path: Path) -> None:
    """Writes the plan as JSON."""
    document = {
        "format": FORMAT,
        "task": plan.task,
        "created_at": plan.created_at,
        "basis": plan.basis,
        "why": dict(plan.why),
        "left_out": [list(pair) for pair in plan.left_out],
        "notes": list(plan.notes),
        "tune": plan.tune,
        "runs": [spec.as_dict() for spec in plan.specs],
    }
    write(path, document)


def open_plan(path: Path) -> Plan:
    """The plan in a file, for the versions installed now. Raises BenchError saying what is wrong with it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchError(f"there is no plan {path} ({error.strerror}); presets: {', '.join(presets())}") from error
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{path} is no plan: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("runs"), list):
        raise BenchError(f"{path} is no plan of this version; write it anew with 'hubstats bench plan'")
    specs = tuple(spec_from(run).replaced(versions=versions()) for run in found["runs"])
    try:
        pairs = tuple((str(name), str(reason)) for name, reason in found["left_out"])
        notes, tune = tuple(found["notes"]), found.get("tune", False) is True
        return Plan(found["task"], found["created_at"], found["basis"], found["why"], pairs, notes, specs, tune)
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{path} is no whole plan: {error}") from None


def presets() -> list[str]:
    """Names of the plans that come with hubstats."""
    return sorted(path.stem for path in PRESETS.glob("*.json"))


def preset(name: str) -> tuple[list[str], Wish, str]:
    """(experiments by name, what it asks of each run, what it is for) of a plan that comes with hubstats."""
    found = json.loads((PRESETS / f"{name}.json").read_text(encoding="utf-8"))
    wish = Wish(
        task=found["task"],
        seeds=found["seeds"],
        items=found["evaluation"]["items"],
        answers=found["evaluation"]["generate"],
        references=tuple(found["references"]),
        training=found["training"],
        learning_rates=found["learning_rates"],
    )
    return found["experiments"], wish, found["about"]


def this_device() -> str:
    """What runs are done on where nobody says: an NVIDIA GPU, an Apple one, or the CPU. torch is not asked."""
    if gpu_memory():
        return "cuda"
    return "mps" if platform.system() == "Darwin" and platform.machine() == "arm64" else "cpu"


def gpu_memory() -> float:
    """Bytes of the first NVIDIA GPU; 0 where there is none."""
    if shutil.which("nvidia-smi") is None:
        return 0.0
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        return float(said.split("\n")[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0.0
