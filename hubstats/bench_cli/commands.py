"""The commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hubstats.bench_cli.options import (
    PLAN,
    RESULTS,
    Address,
    Answers,
    Data,
    Db,
    Device,
    Engine,
    ExperimentFolder,
    Faster,
    Format,
    Items,
    Least,
    Model,
    Most,
    Out,
    Reference,
    Rows,
    Seeds,
    Set,
    Steps,
    TaskName,
    Technique,
    Tune,
)
from hubstats.bench_cli.package import bench
from hubstats.bench_cli.planning import (
    costs_of,
    enough_seeds,
    from_preset,
    made_from,
    refuse_given,
    wished,
    with_trials,
)
from hubstats.bench_cli.printing import print_plan, print_results, show_rows
from hubstats.bench_cli.sweeping import seek_rates, sweep, tell_aside
from hubstats.engines import open_engine
from hubstats.errors import BenchError, ConfigError
from hubstats.quantities import seconds_of

app = typer.Typer(no_args_is_help=True)


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
    option: Faster = None,
    tune: Tune = False,
    popularity: Set = None,
    write: Annotated[Path, typer.Option(help="Where to write the plan.")] = PLAN,
    out: Out = RESULTS,
    db: Db = Path("hubstats.duckdb"),
) -> None:
    """Choose what to run: the most and least used techniques that can be benched, with both references.

    Prints the runs with the time and memory they are likely to take, and writes the plan for 'hubstats bench run'.
    """
    planner = bench("plan")
    seeds = enough_seeds(seeds, tune)
    wish = wished(task, device, model, data, seeds, steps, items, answers, references, option)
    made = replace(made_from(technique, experiment, most, least, popularity, wish, db), tune=tune)
    costs, trials = costs_of(made, out)
    if budget is not None:
        made = planner.within(made, with_trials(made, costs, trials), seconds_of(budget))
        costs, trials = costs_of(made, out)
    print_plan(made, costs, trials)
    planner.save(made, write)
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
    option: Faster = None,
    tune: Tune = False,
    timeout: Annotated[str | None, typer.Option(help="Longest time of one run, such as 30m.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Do failed runs again as well.")] = False,
    engine: Engine = "local",
    address: Address = None,
    out: Out = RESULTS,
) -> None:
    """Fine-tune and measure, one run after the other; finished runs are skipped, a failed one ends nothing else.

    With --engine ray runs are shared out, one a GPU, or one a machine where the device is the processor; models and
    data that are files must lie at the same place on every node.

    Ctrl-C stops it; the same command goes on with the run it was at. Results are one JSON file a run. With --tune,
    or a plan made with it, learning rates are sought first, by as many trials for every technique.
    """
    missing = bench("benchable").missing_packages()
    if missing:
        raise BenchError(f"the bench needs {', '.join(missing)}: {bench('benchable').INSTALL}")
    if sum(given is not None for given in (plan, technique or None, experiment or None)) != 1:
        raise ConfigError("say what to run: --plan FILE (or --plan smoke), --technique T, or --experiment DIR")
    planner = bench("plan")
    wish = wished(task, device, model, data, enough_seeds(seeds, tune), steps, items, answers, references, option)
    if plan is None:
        made = made_from(technique, experiment, 0, 0, None, wish, Path())
    elif plan in planner.presets():
        made = from_preset(plan, wish, {"task": task, "references": None if references else references})
    else:
        given = {"task": task, "steps": steps, "items": items, "answers": answers, "device": device, "option": option}
        given |= {"seeds": None if seeds == 1 else seeds, "references": None if references else references}
        refuse_given(given, f"the plan {plan}")
        made = planner.moved(planner.open_plan(Path(plan)), model, data)
        if tune and not made.tune:
            raise ConfigError(f"{plan} was made without --tune: make it anew with 'hubstats bench plan --tune'")
    made = planner.resolved(replace(made, tune=tune or made.tune))
    costs, trials = costs_of(made, out)
    print_plan(made, costs, trials)
    limit = seconds_of(timeout) if timeout else None
    guesses = [cost.seconds for cost in costs]
    specs = list(made.specs)
    chosen = open_engine(engine, workers=1 if engine == "local" else None, address=address, notify=tell_aside)
    try:
        with chosen as place:
            if made.tune:
                specs = seek_rates(specs, out, limit, retry, [trial.seconds for trial in trials], sum(guesses), place)
            outcomes = sweep(specs, out, limit, retry, guesses, place)
    except KeyboardInterrupt:
        # typer would end the command without a word
        raise BenchError("interrupted; run the same command again to go on") from None
    print_results([outcome.stored for outcome in outcomes])
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
    found, broken = bench("result").stored(out)
    for line in broken:
        typer.echo(line, err=True)
    if found:
        print_results(found)
    else:
        typer.echo(f"no results in {out}", err=True)
    if plan is None:
        return
    made = bench("plan").open_plan(plan)
    if made.tune:
        count = bench("tune").waiting(made.specs, found)
        typer.echo(f"{count} runs of {plan} are to be done, trials included")
        return
    spec = bench("spec")
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
    found, tables = bench("compare").compare(out, task, tolerance), bench("tables")
    wanted = (Rows.standings, Rows.rates) if show is None and format is Format.table else (show or Rows.standings,)
    for what in wanted:
        if what in (Rows.rates, Rows.refused):
            title = f"learning rates whose held-out NLL is within {tolerance:g} nats per token of the best"
            rows = tables.rates(found) if what is Rows.rates else tables.refused(found)
            show_rows(rows, format, title if what is Rows.rates else "runs that are compared with nothing")
            continue
        made = tables.pairs if what is Rows.pairs else tables.standings
        if format is Format.table:
            for contest in found.contests:
                show_rows(made(contest), format, f"{contest.measure}, {contest.about}")
        else:
            show_rows([row for contest in found.contests for row in made(contest)], format, "")
        for note in dict.fromkeys(note for contest in found.contests for note in contest.notes):
            typer.echo(note, err=True)
    if Rows.refused not in wanted:
        for name, reason in found.refused:
            typer.echo(f"not compared: {f'{name}: ' if name else ''}{reason}", err=True)
        if not found.contests and not found.sensitivities:
            raise BenchError(f"nothing can be compared in {out}; the reasons are above")
