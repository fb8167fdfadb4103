"""Looking first: what `hubstats crawl --dry-run` prints, and the command `hubstats doctor`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubstats.errors import HubstatsError

if TYPE_CHECKING:
    from hubstats.forecast import Row
    from hubstats.records import SourceOptions

app = typer.Typer()


class CheckFormat(StrEnum):
    """How findings are printed."""

    table = "table"
    json = "json"


@app.command()
def doctor(
    db: Annotated[
        Path,
        typer.Option(
            "--db", envvar="HUBSTATS_DB", help="The DuckDB file.", show_default="hubstats.duckdb in this folder"
        ),
    ] = Path("hubstats.duckdb"),
    offline: Annotated[bool, typer.Option("--offline", help="Ask no service.")] = False,
    format: Annotated[
        CheckFormat, typer.Option("--format", "-f", help="How to print the findings.")
    ] = CheckFormat.table,
) -> None:
    """Check the file, this machine, the services and what the tokens may do, and say what to do. Changes nothing.

    Exit code 1 when there is a problem; warnings and notes leave it at 0.
    """
    import polars

    from hubstats import doctor as checks
    from hubstats.rows import print_table

    found = list(checks.examine(db, offline=offline, notify=lambda line: typer.echo(line, err=True)))
    rows = [
        {"area": one.area, "check": one.check, "state": one.state, "found": one.found, "do": one.advice or ""}
        for one in found
    ]
    if format is CheckFormat.json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        print_table(polars.DataFrame(rows))
    counts = {state: sum(one.state == state for one in found) for state in ("problem", "warning")}
    if counts["problem"]:
        raise HubstatsError(f"{counts['problem']} problem(s), {counts['warning']} warning(s): see 'do'")
    typer.echo(f"no problem, {counts['warning']} warning(s)", err=True)


def dry_run(db: Path, sources: Sequence[str], options: SourceOptions) -> list[dict[str, str]]:
    """The rows of a forecast as text; the sums go to stderr. Asks nobody."""
    from hubstats import forecast as forecasts
    from hubstats.http.client import user_agent

    rows = list(forecasts.forecast(db, sources, options))
    typer.echo(f"nothing was asked and nothing was written; a crawl would take {forecasts.total(rows)}", err=True)
    typer.echo(f"it says who asks ({user_agent()}) and goes on where it was stopped", err=True)
    return [
        {
            "source": row.source,
            "asks": row.asks,
            "for": row.what,
            "requests": _number(row),
            "quota": row.quota,
            "time": forecasts.span(row.seconds_least, row.seconds_most) if row.most != 0 else "",
            "note": row.note,
        }
        for row in rows
    ]


def _number(row: Row) -> str:
    if row.most is None:
        return f"{row.least:,} or more"
    return f"{row.least:,}" if row.least == row.most else f"{row.least:,} to {row.most:,}"
