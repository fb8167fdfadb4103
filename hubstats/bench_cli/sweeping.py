"""Sweeps under the command line's eyes: trials, runs, and how far they are."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import typer

from hubstats.bench_cli.package import bench
from hubstats.bench_cli.printing import duration, print_rows
from hubstats.engines import Engine
from hubstats.errors import BenchError


def seek_rates(
    specs: list[Any], out: Path, timeout: float | None, retry: bool, guesses: list[float], then: float, engine: Engine
) -> list[Any]:
    """Seeks learning rates, prints what was found, and returns the runs with them."""
    tune = bench("tune")
    found = tune.tune(specs, out, timeout=timeout, retry=retry, tell=teller(guesses, then), engine=engine)
    print_rows(bench("tables").tuned(found), f"learning rates, by {tune.TRIALS} trials for each")
    runs = tune.finals(specs, found)
    if all(spec.role == "base" for spec in runs):
        raise BenchError("no learning rate was found for any technique; the reasons are in the table")
    return list(runs)


def sweep(specs: Any, out: Path, timeout: float | None, retry: bool, guesses: list[float], engine: Engine) -> list[Any]:
    """Runs the specs and tells on standard error how far it is and how long it may take."""
    began = time.monotonic()
    outcomes = bench("runner").sweep(specs, out, timeout=timeout, retry=retry, tell=teller(guesses, 0.0), engine=engine)
    typer.echo(f"{len(outcomes)} runs in {duration(time.monotonic() - began)}", err=True)
    return list(outcomes)


def tell_aside(line: str) -> None:
    """One line on standard error."""
    typer.echo(line, err=True)


def teller(guesses: list[float], then: float) -> Any:
    """Prints what it hears of a sweep: `guesses` are seconds of its runs, `then` of what comes after them."""
    runner = bench("runner")
    on_terminal, last = sys.stderr.isatty(), ""

    def tell(event: Any) -> None:
        nonlocal last
        if isinstance(event, runner.Outcome):
            how = "done before" if event.skipped else event.stored.status
            message = f": {event.stored.message}" if event.stored.message else ""
            typer.echo(f"{named(event.spec)}: {how}{message}", err=True)
            last = ""
            return
        done = f" {event.done}/{event.total}" if event.total > 1 else ""
        left = max(0.0, sum(guesses[event.number - 1 :]) + then - event.seconds)
        line = f"[{event.number}/{event.of}] {named(event.spec)} {event.phase}{done}, about {duration(left)} left"
        if on_terminal:
            typer.echo(f"\r{line:<100}", err=True, nl=False)
        elif event.phase != last:
            typer.echo(line, err=True)
        last = event.phase

    return tell


def named(spec: Any) -> str:
    if spec.purpose == "trial":
        return f"{spec.experiment} trial, rate {spec.training.learning_rate:g}, {spec.training.max_steps} steps"
    return f"{spec.experiment} seed {spec.training.seed}"
