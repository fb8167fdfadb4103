"""The `hubstats bench` commands: plan, run and watch fine-tuning runs. The bench itself is the package hubstats_bench.

Popularity is read from the DuckDB file here and handed over, so that the bench needs neither DuckDB nor Polars; the
bench's torch half runs in processes of its own, so that hubstats never imports torch.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from hubstats.errors import BenchError, ConfigError

app = typer.Typer(no_args_is_help=True)

RESULTS = Path("bench/results")
PLAN = Path("bench-plan.json")
ROWS_SHOWN = 40

Db = Annotated[
    Path,
    typer.Option("--db", envvar="HUBSTATS_DB", help="The DuckDB file.", show_default="hubstats.duckdb in this folder"),
]
Out = Annotated[Path, typer.Option("--out", help="Folder of the results.")]
TaskName = Annotated[
    str | None, typer.Option("--task", help="gsm8k, metamathqa or tiny.", show_default="gsm8k, or the plan's")
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps.", show_default="what is here")]
Model = Annotated[
    str | None,
    typer.Option(
        help="Base model: owner/name on the Hub, a folder, a .gguf file, or package:NAME.", show_default="the task's"
    ),
]
Data = Annotated[
    Path | None, typer.Option(help="Folder with the task's original files.", show_default="the Hub, or its cache")
]
Technique = Annotated[list[str] | None, typer.Option("--technique", "-t", help="Take this technique (repeatable).")]
ExperimentFolder = Annotated[
    list[Path] | None,
    typer.Option("--experiment", "-e", help="Take the experiments in this folder (repeatable)."),
]
Seeds = Annotated[int, typer.Option(min=1, help="Runs of each setting, seeds 0, 1, ...")]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps.", show_default="the task's")]
Items = Annotated[int | None, typer.Option(min=1, help="Questions to score.", show_default="all")]
Answers = Annotated[
    int | None, typer.Option(min=0, help="Questions to answer by generating; 0: none.", show_default="all")
]
Most = Annotated[int, typer.Option(min=0, help="How many of the most used techniques.")]
Least = Annotated[int, typer.Option(min=0, help="How many of the least used techniques.")]
Set = Annotated[
    str | None,
    typer.Option("--popularity", help="SOURCE/MEASURE/RULE to count by (see: hubstats query technique_share)."),
]
Reference = Annotated[bool, typer.Option("--references/--no-references", help="Add full fine-tuning and the base.")]


@app.command()
def plan(
    most: Most = 3,
    least: Least = 3,
    task: TaskName = None,
    technique: Technique = None,
    experiment: ExperimentFolder = None,
    budget: Annotated[str | None, typer.Option(help="Longest time in all, such as 90m or 2h.")] = None,
    seeds: Seeds = 1,
    steps: Steps = None,
    items: Items = None,
    answers: Answers = None,
    device: Device = None,
    model: Model = None,
    data: Data = None,
    references: Reference = True,
    popularity: Set = None,
    write: Annotated[Path, typer.Option(help="Where to write the plan.")] = PLAN,
    out: Out = RESULTS,
    db: Db = Path("hubstats.duckdb"),
) -> None:
    """Choose what to run: the most and least used techniques that can be benched, with both references.

    Prints the runs with the time and memory they are likely to take, and writes the plan for 'hubstats bench run'.
    """
    bench = _bench("plan")
    wish = _wish(task, device, model, data, seeds, steps, items, answers, references)
    made = _made(technique, experiment, most, least, popularity, wish, db)
    costs = _costs(made.specs, out)
    if budget is not None:
        made = bench.within(made, [cost.seconds for cost in costs], _seconds(budget))
        costs = _costs(made.specs, out)
    _print_plan(made, costs)
    bench.save(made, write)
    typer.echo(f"plan: {write}; run it with: hubstats bench run --plan {write}", err=True)


@app.command()
def run(
    plan: Annotated[str | None, typer.Option(help="A plan file, or smoke.")] = None,
    technique: Technique = None,
    experiment: ExperimentFolder = None,
    task: TaskName = None,
    seeds: Seeds = 1,
    steps: Steps = None,
    items: Items = None,
    answers: Answers = None,
    device: Device = None,
    model: Model = None,
    data: Data = None,
    references: Reference = True,
    timeout: Annotated[str | None, typer.Option(help="Longest time of one run, such as 30m.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Do failed runs again as well.")] = False,
    out: Out = RESULTS,
) -> None:
    """Fine-tune and measure, one run after the other; finished runs are skipped, a failed one ends nothing else.

    Ctrl-C stops it; the same command goes on with the run it was at. Results are one JSON file a run.
    """
    missing = _bench("benchable").missing_packages()
    if missing:
        raise BenchError(f"the bench needs {', '.join(missing)}: {_bench('benchable').INSTALL}")
    if sum(given is not None for given in (plan, technique or None, experiment or None)) != 1:
        raise ConfigError("say what to run: --plan FILE (or --plan smoke), --technique T, or --experiment DIR")
    bench = _bench("plan")
    wish = _wish(task, device, model, data, seeds, steps, items, answers, references)
    if plan is None:
        made = _made(technique, experiment, 0, 0, None, wish, Path())
    elif plan in bench.presets():
        names, preset, about = bench.preset(plan)
        made = _from_preset(names, replace(preset, device=device, model=model, data=data), about)
    else:
        made = bench.open_plan(Path(plan))
    costs = _costs(made.specs, out)
    _print_plan(made, costs)
    limit = _seconds(timeout) if timeout else None
    outcomes = _sweep(made.specs, out, limit, retry, [cost.seconds for cost in costs])
    _print_results([outcome.stored for outcome in outcomes])
    failed = [outcome for outcome in outcomes if outcome.stored.status != "success"]
    typer.echo(f"results: {out}; take them into the file with: hubstats import --kind published {out}", err=True)
    if failed:
        raise BenchError(f"{len(failed)} of {len(outcomes)} runs did not succeed; their messages are in the table")


@app.command()
def status(
    out: Out = RESULTS,
    plan: Annotated[Path | None, typer.Option(help="Show also what this plan still has to run.")] = None,
) -> None:
    """What has been run: every result in the folder, and what a plan still lacks."""
    found, broken = _bench("result").stored(out)
    for line in broken:
        typer.echo(line, err=True)
    if found:
        _print_results(found)
    else:
        typer.echo(f"no results in {out}", err=True)
    if plan is not None:
        spec = _bench("spec")
        done = {result.run_id for result in found if result.status == "success"}
        waiting = [each for each in _bench("plan").open_plan(plan).specs if spec.run_id(each) not in done]
        typer.echo(f"{len(waiting)} runs of {plan} are to be done: {', '.join(each.experiment for each in waiting)}")


def _bench(module: str) -> Any:
    try:
        return import_module(f"hubstats_bench.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "hubstats_bench":
            raise BenchError('the bench is not installed: pip install "hubstats[bench]"') from None
        raise


def _wish(
    task: str | None,
    device: str | None,
    model: str | None,
    data: Path | None,
    seeds: int,
    steps: int | None,
    items: int | None,
    answers: int | None,
    references: bool,
) -> Any:
    if device not in (None, *_bench("spec").DEVICES):
        raise ConfigError(f"there is no device {device!r}: cpu, cuda or mps")
    bench = _bench("plan")
    return bench.Wish(
        task=task or "gsm8k",
        device=device,
        model=model,
        data=data,
        seeds=seeds,
        steps=steps,
        items=items,
        answers=answers,
        references=bench.REFERENCES if references else (),
    )


def _made(
    technique: list[str] | None,
    experiment: list[Path] | None,
    most: int,
    least: int,
    popularity: str | None,
    wish: Any,
    db: Path,
) -> Any:
    """The plan for what is named, or else for what popularity chooses."""
    from hubstats.techniques import load

    registry, choose = load(), _bench("choose")
    experiments, planning = _bench("experiment"), _bench("plan")
    shipped = experiments.shipped(registry)
    if technique or experiment:
        choices = list(choose.by_name(technique or [], shipped, registry).choices)
        for folder in experiment or []:
            found = experiments.find_experiments(folder, registry)
            choices += [choose.Choice(each.key, each, None, "asked for") for each in found]
        return planning.assemble(choose.Selection(tuple(choices), (), ()), wish, registry, "chosen by hand")
    counted = _popularity(db, popularity)
    task = _bench("tasks").get(wish.task)
    device = wish.device or planning.this_device()

    def unmet(each: Any) -> str | None:
        reason: str | None = _bench("benchable").unmet(each.adapter, each.training(task.defaults), device)
        return reason

    selection = choose.by_popularity(counted, shipped, registry, most, least, unmet)
    return planning.assemble(selection, wish, registry, counted.basis)


def _from_preset(names: list[str], wish: Any, about: str) -> Any:
    from hubstats.techniques import load

    registry, choose = load(), _bench("choose")
    by_name = {each.name: each for each in _bench("experiment").shipped(registry)}
    choices = tuple(choose.Choice(by_name[name].key, by_name[name], None, "in the preset") for name in names)
    return _bench("plan").assemble(choose.Selection(choices, (), ()), wish, registry, about)


def _popularity(db: Path, wanted: str | None) -> Any:
    """The set of shares to choose by: the one asked for, or of repositories the one that saw most techniques."""
    from hubstats.ask import connect

    with connect(db) as answers:
        rows = answers.query("technique_share").to_dicts()
    sets: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        sets.setdefault((row["source"], row["measure"], row["rule"]), []).append(row)
    if wanted is not None:
        key = tuple(wanted.split("/"))
        if key not in sets:
            known = ", ".join("/".join(key) for key in sorted(sets)) or "none yet; crawl first"
            raise ConfigError(f"the file has no popularity {wanted!r}: there is {known}")
        chosen = key
    else:
        candidates = [key for key in sets if key[1] == "repositories"] or list(sets)
        if not candidates:
            raise BenchError(f"{db} holds no popularity yet: hubstats crawl, or name techniques with --technique")
        chosen = max(sorted(candidates), key=lambda key: (len(sets[key]), sets[key][0]["subjects"]))
    shares = {row["technique"]: row["share"] for row in sets[chosen] if row["share"]}
    return _bench("choose").Popularity(*chosen, max(row["subjects"] for row in sets[chosen]), shares)


def _costs(specs: Any, out: Path) -> list[Any]:
    estimator = _bench("cost").Estimator(_bench("result").stored(out)[0])
    return [estimator.cost(spec) for spec in specs]


def _sweep(specs: Any, out: Path, timeout: float | None, retry: bool, guesses: list[float]) -> list[Any]:
    """Runs the specs and tells on standard error how far it is and how long it may take."""
    runner = _bench("runner")
    began, on_terminal, last = time.monotonic(), sys.stderr.isatty(), ""

    def tell(event: Any) -> None:
        nonlocal last
        if isinstance(event, runner.Outcome):
            how = "done before" if event.skipped else event.stored.status
            message = f": {event.stored.message}" if event.stored.message else ""
            typer.echo(f"{event.spec.experiment} seed {event.spec.training.seed}: {how}{message}", err=True)
            return
        done = f" {event.done}/{event.total}" if event.total > 1 else ""
        left = max(0.0, sum(guesses[event.number - 1 :]) - event.seconds)
        line = f"[{event.number}/{event.of}] {event.spec.experiment} {event.phase}{done}, about {_duration(left)} left"
        if on_terminal:
            typer.echo(f"\r{line:<100}", err=True, nl=False)
        elif event.phase != last:
            typer.echo(line, err=True)
        last = event.phase

    outcomes = runner.sweep(specs, out, timeout=timeout, retry=retry, tell=tell)
    typer.echo(f"{len(outcomes)} runs in {_duration(time.monotonic() - began)}", err=True)
    return list(outcomes)


def _print_plan(made: Any, costs: list[Any]) -> None:
    import polars

    from hubstats.rows import print_table

    task = _bench("tasks").get(made.task)
    rows = [
        {
            "experiment": spec.experiment,
            "seed": spec.training.seed,
            "why": made.why.get(spec.experiment, ""),
            "steps": 0 if spec.role == "base" else spec.training.max_steps,
            "rate": None if spec.role == "base" else spec.training.learning_rate,
            "time": _duration(cost.seconds),
            "memory": f"{cost.memory / 1e9:.1f} GB",
        }
        for spec, cost in zip(made.specs, costs, strict=True)
    ]
    first = made.specs[0]
    title = f"{task.name} on {first.training.model_id}, {first.device}: {len(rows)} runs, {made.basis}"
    print_table(polars.DataFrame(rows), title)
    total = sum(cost.seconds for cost in costs)
    typer.echo(f"about {_duration(total)} in all (estimated from {costs[0].basis}); memory is an estimate", err=True)
    for note in made.notes:
        typer.echo(note, err=True)
    if made.left_out:
        typer.echo("left out: " + "; ".join(f"{name}: {reason}" for name, reason in made.left_out), err=True)
    _warn_of_memory(first.device, max(cost.memory for cost in costs))


def _warn_of_memory(device: str, needed: float) -> None:
    import os

    there = _bench("plan").gpu_memory() if device == "cuda" else None
    if device == "cpu" and hasattr(os, "sysconf"):
        there = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if there and needed > there:
        typer.echo(
            f"too little memory: about {needed / 1e9:.0f} GB are needed, there are {there / 1e9:.0f} GB; "
            "runs may end as 'oom' or 'killed'",
            err=True,
        )


def _print_results(found: list[Any]) -> None:
    import polars

    from hubstats.rows import print_table

    shown = ("answer_nll", "token_accuracy", "test_accuracy", "forgetting", "step_time", "trainable_parameters")
    rows = [
        {
            "task": each.task,
            "experiment": each.experiment,
            "seed": each.seed,
            "status": each.status,
            **{name: each.values.get(name) for name in shown},
            "reload": {1.0: "equal", 0.0: "DIFFERS"}.get(each.values.get("reload_equal", -1.0), ""),
            "message": each.message[:80],
        }
        for each in found
    ]
    print_table(polars.DataFrame(rows, infer_schema_length=None), f"{len(rows)} runs")


def _seconds(text: str) -> float:
    """Seconds of '90', '90s', '45m' or '2h'."""
    factor = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 1.0)
    number = text[:-1] if text[-1:] in "smh" else text
    try:
        value = float(number) * factor
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"{text!r} is no time: write 90s, 45m or 2h")
    return value


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
