"""The command `hubstats recommend`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hubstats.recommend import Advice, Choice, Contest

app = typer.Typer()

SHOWN = 12
"""Techniques printed of those that fit, and of those of which something is unknown, unless all are asked for."""


@app.command()
def recommend(
    max_memory: Annotated[str | None, typer.Option(help="Most memory at the peak of training, such as 12GB.")] = None,
    max_time: Annotated[str | None, typer.Option(help="Longest training, such as 45min or 1h30m.")] = None,
    need: Annotated[
        str | None,
        typer.Option(help="What it must be able to do, with commas: merge, quantised, to_lora, several, conv2d, ..."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="math, image, or the name of a task in the file.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Print every technique, with why it was left out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
    db: Annotated[
        Path,
        typer.Option(
            "--db", envvar="HUBSTATS_DB", help="The DuckDB file.", show_default="hubstats.duckdb in this folder"
        ),
    ] = Path("hubstats.duckdb"),
) -> None:
    """Which techniques fit: ranked by measured score, ties as ties, with what each costs and what is not known.

    Scores are compared within one benchmark only. Memory and time are those of its runs, on its model and hardware.
    The report has the same as a panel.
    """
    from hubstats.ask import connect
    from hubstats.explain import clean
    from hubstats.recommend import Asked
    from hubstats.recommend import recommend as advise

    asked = Asked.read(max_memory, max_time, need, task)
    with connect(db) as answers:
        advice = advise(answers.query("settings_with_costs"), answers.query("capabilities"), asked)
    if as_json:
        typer.echo(json.dumps(advice.as_json(), ensure_ascii=False, indent=2))
        return
    for contest in advice.contests:
        _print(contest, every)
    for line in _foot(advice):
        typer.echo(clean(line))


def _print(contest: Contest, every: bool) -> None:
    import polars

    from hubstats.explain import clean
    from hubstats.rows import print_table

    typer.echo(clean(_title(contest)))
    for line in _summary(contest):
        typer.echo(clean(line))
    most = None if every else SHOWN
    for title, choices in (("", contest.fits), ("May fit; something of what was asked is not known", contest.perhaps)):
        if not choices:
            continue
        rows = [_row(choice, contest, unknown=bool(title)) for choice in choices[:most]]
        typer.echo("")
        print_table(polars.DataFrame(rows, infer_schema_length=None), title or None)
        if len(choices) > len(rows):
            typer.echo(f"and {len(choices) - len(rows)} more: add --all")
    left_out = contest.excluded if every else contest.nearest
    if left_out:
        rows = [
            {"technique": one.name, "score": _score(one.score, contest.metric), "because": "; ".join(one.reasons)}
            for one in left_out
        ]
        typer.echo("")
        print_table(polars.DataFrame(rows), "Left out" if every else "Nearest to what was asked")
    for note in contest.notes:
        typer.echo(note)
    typer.echo("")


def _title(contest: Contest) -> str:
    whose = "own runs" if contest.origin == "own" else f"published runs ({contest.origin})"
    parts = [contest.task, contest.model, f"{contest.settings} settings, {whose}", ", ".join(contest.hardware)]
    newest = [f"up to {contest.newest}"] if contest.newest else []
    return ", ".join([*filter(None, parts), *newest])


def _summary(contest: Contest) -> Iterator[str]:
    total = len(contest.fits) + len(contest.perhaps) + len(contest.excluded)
    level = [choice for choice in contest.fits if choice.place == "level"]
    if level:
        yield (
            f"{len(contest.fits)} of {total} techniques fit; {len(level)} of them cannot be told from the best, "
            "the least memory first"
        )
    else:
        yield f"{len(contest.fits)} of {total} techniques fit"
    if contest.excluded:
        reasons = Counter(_kind(reason) for one in contest.excluded for reason in one.reasons)
        yield f"{len(contest.excluded)} left out: {', '.join(f'{count} {reason}' for reason, count in reasons.items())}"


def _kind(reason: str) -> str:
    """Why, without the amounts."""
    if reason.startswith("needed "):
        return "by memory"
    return "by time" if reason.startswith("took ") else f"by {reason.partition(':')[0]}"


def _row(choice: Choice, contest: Contest, *, unknown: bool) -> dict[str, Any]:
    from hubstats.recommend.ranking import gigabytes, minutes

    place = {"level": "level", "behind": f"{choice.behind * 100:.1f} points behind", "unknown": "not known"}
    made: dict[str, Any] = {
        "technique": choice.name,
        "score": _score(choice.score, contest.metric),
        "interval": None
        if choice.low is None or choice.high is None
        else f"{_score(choice.low, contest.metric)} to {_score(choice.high, contest.metric)}",
        "against the best": place[choice.place],
        "memory": None if choice.memory is None else gigabytes(choice.memory),
        "training": None if choice.time is None else minutes(choice.time),
        "whole run": None if choice.total_time is None else minutes(choice.total_time),
        "learning rate": None if choice.learning_rate is None else f"{choice.learning_rate:g}",
        "settings run": choice.settings,
    }
    if unknown:
        del made["against the best"]
        return made | {"not known": "; ".join(choice.unknown)}
    can = ", ".join(text.split(":")[0] + _label(text) for text in choice.can)
    return made | {"hubstats explain": choice.explain} | ({"can": can} if can else {})


def _label(text: str) -> str:
    """How a need is known to be met, out of the sentence that says it."""
    return f" ({text.partition('(')[2].partition(':')[0]})"


def _score(value: float, metric: str) -> str:
    return f"{value * 100:.1f}%" if metric == "test_accuracy" else f"{value:.3f}"


def _foot(advice: Advice) -> Sequence[str]:
    lines = list(advice.notes)
    if advice.asked.needs and advice.library:
        lines.append(f"Capabilities: asked of {advice.library} on {advice.asked_on} (hubstats query capabilities).")
    if advice.contests:
        lines.append("Rows: hubstats query settings_with_costs. Each setting's source: hubstats explain ID.")
    return lines
