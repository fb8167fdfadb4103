"""The `hubstats bench` commands: plan, run and watch fine-tuning runs. The bench itself is the package hubstats_bench.

Popularity is read from the DuckDB file here and handed over, so that the bench needs neither DuckDB nor Polars; the
bench's torch half runs in processes of its own, so that hubstats never imports torch.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from hubstats.engines import Engine, open_engine
from hubstats.errors import BenchError, ConfigError

app = typer.Typer(no_args_is_help=True)

RESULTS = Path("bench/results")
PLAN = Path("bench-plan.json")


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


class Rows(StrEnum):
    """What a comparison prints."""

    standings = "standings"
    pairs = "pairs"
    rates = "rates"
    refused = "refused"


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
Tune = Annotated[
    bool,
    typer.Option("--tune", help="Seek a learning rate first: 13 short trials for each technique, and 3 or more seeds."),
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
    tune: Tune = False,
    popularity: Set = None,
    write: Annotated[Path, typer.Option(help="Where to write the plan.")] = PLAN,
    out: Out = RESULTS,
    db: Db = Path("hubstats.duckdb"),
) -> None:
    """Choose what to run: the most and least used techniques that can be benched, with both references.

    Prints the runs with the time and memory they are likely to take, and writes the plan for 'hubstats bench run'.
    """
    bench = _bench("plan")
    seeds = _seeds(seeds, tune)
    wish = _wish(task, device, model, data, seeds, steps, items, answers, references)
    made = replace(_made(technique, experiment, most, least, popularity, wish, db), tune=tune)
    costs, trials = _costs(made, out)
    if budget is not None:
        made = bench.within(made, _with_trials(made, costs, trials), _seconds(budget))
        costs, trials = _costs(made, out)
    _print_plan(made, costs, trials)
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
    tune: Tune = False,
    timeout: Annotated[str | None, typer.Option(help="Longest time of one run, such as 30m.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Do failed runs again as well.")] = False,
    engine: Annotated[
        str, typer.Option(help="Where runs are done: local, here, one at a time; ray, a Ray cluster, one a GPU.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="Address of the Ray cluster, HOST:PORT or auto.", show_default="RAY_ADDRESS, else a Ray started here"
        ),
    ] = None,
    out: Out = RESULTS,
) -> None:
    """Fine-tune and measure, one run after the other; finished runs are skipped, a failed one ends nothing else.

    With --engine ray runs are shared out, one a GPU, or one a machine where the device is the processor; models and
    data that are files must lie at the same place on every node.

    Ctrl-C stops it; the same command goes on with the run it was at. Results are one JSON file a run. With --tune,
    or a plan made with it, learning rates are sought first, by as many trials for every technique.
    """
    missing = _bench("benchable").missing_packages()
    if missing:
        raise BenchError(f"the bench needs {', '.join(missing)}: {_bench('benchable').INSTALL}")
    if sum(given is not None for given in (plan, technique or None, experiment or None)) != 1:
        raise ConfigError("say what to run: --plan FILE (or --plan smoke), --technique T, or --experiment DIR")
    bench = _bench("plan")
    wish = _wish(task, device, model, data, _seeds(seeds, tune), steps, items, answers, references)
    if plan is None:
        made = _made(technique, experiment, 0, 0, None, wish, Path())
    elif plan in bench.presets():
        names, preset, about = bench.preset(plan)
        preset = replace(preset, device=device, model=model, data=data, seeds=_seeds(preset.seeds, tune))
        made = _from_preset(names, preset, about)
    else:
        made = bench.open_plan(Path(plan))
        if tune and not made.tune:
            raise ConfigError(f"{plan} was made without --tune: make it anew with 'hubstats bench plan --tune'")
    made = bench.resolved(replace(made, tune=tune or made.tune))
    costs, trials = _costs(made, out)
    _print_plan(made, costs, trials)
    limit = _seconds(timeout) if timeout else None
    guesses = [cost.seconds for cost in costs]
    specs = list(made.specs)
    chosen = open_engine(engine, workers=1 if engine == "local" else None, address=address, notify=_tell_aside)
    try:
        with chosen as place:
            if made.tune:
                specs = _tune(specs, out, limit, retry, [trial.seconds for trial in trials], sum(guesses), place)
            outcomes = _sweep(specs, out, limit, retry, guesses, place)
    except KeyboardInterrupt:
        # typer would end the command without a word
        raise BenchError("interrupted; run the same command again to go on") from None
    _print_results([outcome.stored for outcome in outcomes])
    lost = len(made.specs) - len(specs)
    if lost:
        typer.echo(f"{lost} runs were left out: no learning rate was found for them", err=True)
    failed = [outcome for outcome in outcomes if outcome.stored.status != "success"]
    typer.echo(f"results: {out}; take them into the file with: hubstats import --kind published {out}", err=True)
    if len(outcomes) > 1:
        typer.echo(f"what can be told apart: hubstats bench compare --out {out}", err=True)
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
    if plan is None:
        return
    made = _bench("plan").open_plan(plan)
    if made.tune:
        count = _bench("tune").waiting(made.specs, found)
        typer.echo(f"{count} runs of {plan} are to be done, trials included")
        return
    spec = _bench("spec")
    done = {result.run_id for result in found if result.status == "success"}
    waiting = [each for each in made.specs if spec.run_id(each) not in done]
    typer.echo(f"{len(waiting)} runs of {plan} are to be done: {', '.join(each.experiment for each in waiting)}")


@app.command()
def compare(
    out: Out = RESULTS,
    task: Annotated[str | None, typer.Option("--task", help="Only this task.", show_default="all")] = None,
    show: Annotated[
        Rows | None,
        typer.Option(help="One table: standings, pairs, rates or refused.", show_default="standings and rates"),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="Nats per token above the best that count as near it, for rates.")
    ] = 0.02,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print rows.")] = Format.table,
) -> None:
    """Which techniques can be told apart: tests paired by question, Holm's correction over all pairs.

    Techniques that are tied with the best one, how much worse the others are, and how near its best learning rate
    each has to be trained. Runs that differ in more than the technique are refused, with the reason.
    """
    found, tables = _bench("compare").compare(out, task, tolerance), _bench("tables")
    wanted = (Rows.standings, Rows.rates) if show is None and format is Format.table else (show or Rows.standings,)
    for what in wanted:
        if what in (Rows.rates, Rows.refused):
            title = f"learning rates whose held-out NLL is within {tolerance:g} nats per token of the best"
            rows = tables.rates(found) if what is Rows.rates else tables.refused(found)
            _show(rows, format, title if what is Rows.rates else "runs that are compared with nothing")
            continue
        made = tables.pairs if what is Rows.pairs else tables.standings
        if format is Format.table:
            for contest in found.contests:
                _show(made(contest), format, f"{contest.measure}, {contest.about}")
        else:
            _show([row for contest in found.contests for row in made(contest)], format, "")
        for note in dict.fromkeys(note for contest in found.contests for note in contest.notes):
            typer.echo(note, err=True)
    if Rows.refused not in wanted:
        for name, reason in found.refused:
            typer.echo(f"not compared: {f'{name}: ' if name else ''}{reason}", err=True)
        if not found.contests and not found.sensitivities:
            raise BenchError(f"nothing can be compared in {out}; the reasons are above")


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


def _seeds(asked: int, tune: bool) -> int:
    """As many seeds as asked for, and enough of them to tell techniques apart after tuning."""
    return max(asked, int(_bench("tune").SEEDS)) if tune else asked


def _costs(made: Any, out: Path) -> tuple[list[Any], list[Any]]:
    """What each run of the plan will cost, and each trial before them."""
    estimator = _bench("cost").Estimator(_bench("result").stored(out)[0])
    trials = _bench("tune").expected(made.specs) if made.tune else []
    return [estimator.cost(spec) for spec in made.specs], [estimator.cost(spec) for spec in trials]


def _with_trials(made: Any, costs: list[Any], trials: list[Any]) -> list[float]:
    """Seconds of each run, with its part of the trials of its setting."""
    if not made.tune:
        return [cost.seconds for cost in costs]
    setting = _bench("spec").setting_id
    spent: dict[str, float] = {}
    for spec, trial in zip(_bench("tune").expected(made.specs), trials, strict=True):
        spent[spec.experiment] = spent.get(spec.experiment, 0.0) + trial.seconds
    seeds = [setting(spec) for spec in made.specs]
    return [
        cost.seconds + (0.0 if spec.role == "base" else spent[spec.experiment] / seeds.count(setting(spec)))
        for spec, cost in zip(made.specs, costs, strict=True)
    ]


def _tell_aside(line: str) -> None:
    typer.echo(line, err=True)


def _tune(
    specs: list[Any], out: Path, timeout: float | None, retry: bool, guesses: list[float], then: float, engine: Engine
) -> list[Any]:
    """Seeks learning rates, prints what was found, and returns the runs with them."""
    tune = _bench("tune")
    found = tune.tune(specs, out, timeout=timeout, retry=retry, tell=_teller(guesses, then), engine=engine)
    _print_rows(_bench("tables").tuned(found), f"learning rates, by {tune.TRIALS} trials for each")
    runs = tune.finals(specs, found)
    if all(spec.role == "base" for spec in runs):
        raise BenchError("no learning rate was found for any technique; the reasons are in the table")
    return list(runs)


def _sweep(
    specs: Any, out: Path, timeout: float | None, retry: bool, guesses: list[float], engine: Engine
) -> list[Any]:
    """Runs the specs and tells on standard error how far it is and how long it may take."""
    began = time.monotonic()
    outcomes = _bench("runner").sweep(
        specs, out, timeout=timeout, retry=retry, tell=_teller(guesses, 0.0), engine=engine
    )
    typer.echo(f"{len(outcomes)} runs in {_duration(time.monotonic() - began)}", err=True)
    return list(outcomes)


def _teller(guesses: list[float], then: float) -> Any:
    """Prints what it hears of a sweep: `guesses` are seconds of its runs, `then` of what comes after them."""
    runner = _bench("runner")
    on_terminal, last = sys.stderr.isatty(), ""

    def tell(event: Any) -> None:
        nonlocal last
        if isinstance(event, runner.Outcome):
            how = "done before" if event.skipped else event.stored.status
            message = f": {event.stored.message}" if event.stored.message else ""
            typer.echo(f"{_named(event.spec)}: {how}{message}", err=True)
            last = ""
            return
        done = f" {event.done}/{event.total}" if event.total > 1 else ""
        left = max(0.0, sum(guesses[event.number - 1 :]) + then - event.seconds)
        line = f"[{event.number}/{event.of}] {_named(event.spec)} {event.phase}{done}, about {_duration(left)} left"
        if on_terminal:
            typer.echo(f"\r{line:<100}", err=True, nl=False)
        elif event.phase != last:
            typer.echo(line, err=True)
        last = event.phase

    return tell


def _named(spec: Any) -> str:
    if spec.purpose == "trial":
        return f"{spec.experiment} trial, rate {spec.training.learning_rate:g}, {spec.training.max_steps} steps"
    return f"{spec.experiment} seed {spec.training.seed}"


def _print_plan(made: Any, costs: list[Any], trials: list[Any]) -> None:
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
    _print_rows(rows, title)
    total = sum(cost.seconds for cost in costs)
    if trials:
        sought = sum(trial.seconds for trial in trials)
        settings = len(trials) // int(_bench("tune").TRIALS)
        typer.echo(
            f"before them {len(trials)} trials, {len(trials) // settings} for each of {settings}, "
            f"about {_duration(sought)}: the rates above are where they begin",
            err=True,
        )
        total += sought
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
    """Results and trials, each in a table of its own."""
    tables = _bench("tables")
    rows, trials = tables.results(found), tables.trials(found)
    if rows:
        _print_rows(rows, f"{len(rows)} runs")
    if trials:
        _print_rows(trials, f"{len(trials)} trials of learning rates, scored on held-out questions: no results")


def _print_rows(rows: list[dict[str, Any]], title: str) -> None:
    import polars

    from hubstats.rows import print_table

    left_out = print_table(polars.DataFrame(rows, infer_schema_length=None), title)
    if left_out:
        typer.echo(f"no room for {', '.join(left_out)}: widen the terminal", err=True)


def _show(rows: list[dict[str, Any]], format: Format, title: str) -> None:
    if format is Format.table:
        if rows:
            _print_rows(rows, title)
        return
    import polars

    from hubstats.rows import encode

    sys.stdout.write(encode(polars.DataFrame(rows, infer_schema_length=None), format.value).decode())


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
