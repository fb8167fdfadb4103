"""Plans and results as tables."""

from __future__ import annotations

import sys
from typing import Any

import typer

from hubstats.bench_cli.options import Format
from hubstats.bench_cli.package import bench


def print_plan(made: Any, costs: list[Any], trials: list[Any]) -> None:
    task = bench("tasks").get(made.task)
    rows = [
        {
            "experiment": spec.experiment,
            "seed": spec.training.seed,
            "why": made.why.get(spec.experiment, ""),
            "steps": 0 if spec.role == "base" else spec.training.max_steps,
            "rate": None if spec.role == "base" else spec.training.learning_rate,
            "time": duration(cost.seconds),
            "memory": f"{cost.memory / 1e9:.1f} GB",
        }
        for spec, cost in zip(made.specs, costs, strict=True)
    ]
    first = made.specs[0]
    title = f"{task.name} on {first.training.model_id}, {first.device}: {len(rows)} runs, {made.basis}"
    print_rows(rows, title)
    total = sum(cost.seconds for cost in costs)
    if trials:
        sought = sum(trial.seconds for trial in trials)
        settings = len(trials) // int(bench("tune").TRIALS)
        typer.echo(
            f"before them {len(trials)} trials, {len(trials) // settings} for each of {settings}, "
            f"about {duration(sought)}: the rates above are where they begin",
            err=True,
        )
        total += sought
    typer.echo(f"about {duration(total)} in all (estimated from {costs[0].basis}); memory is an estimate", err=True)
    for note in made.notes:
        typer.echo(note, err=True)
    if made.left_out:
        typer.echo("left out: " + "; ".join(f"{name}: {reason}" for name, reason in made.left_out), err=True)
    warn_of_memory(first.device, max(cost.memory for cost in costs))


def warn_of_memory(device: str, needed: float) -> None:
    import os

    there = bench("plan").gpu_memory() if device == "cuda" else None
    if device == "cpu" and hasattr(os, "sysconf"):
        there = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if there and needed > there:
        typer.echo(
            f"too little memory: about {needed / 1e9:.0f} GB are needed, there are {there / 1e9:.0f} GB; "
            "runs may end as 'oom' or 'killed'",
            err=True,
        )


def print_results(found: list[Any]) -> None:
    """Results and trials, each in a table of its own."""
    tables = bench("tables")
    rows, trials = tables.results(found), tables.trials(found)
    if rows:
        print_rows(rows, f"{len(rows)} runs")
    if trials:
        print_rows(trials, f"{len(trials)} trials of learning rates, scored on held-out questions: no results")


def print_rows(rows: list[dict[str, Any]], title: str) -> None:
    import polars

    from hubstats.rows import print_table

    left_out = print_table(polars.DataFrame(rows, infer_schema_length=None), title)
    if left_out:
        typer.echo(f"no room for {', '.join(left_out)}: widen the terminal", err=True)


def show_rows(rows: list[dict[str, Any]], format: Format, title: str) -> None:
    if format is Format.table:
        if rows:
            print_rows(rows, title)
        return
    import polars

    from hubstats.rows import encode

    sys.stdout.write(encode(polars.DataFrame(rows, infer_schema_length=None), format.value).decode())


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
