"""The commands about figures themselves: `hubstats explain`, `hubstats freeze`, `hubstats reproduce`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hubstats.errors import HubstatsError

app = typer.Typer()

DB = Path("hubstats.duckdb")
Db = Annotated[
    Path,
    typer.Option("--db", envvar="HUBSTATS_DB", help="The DuckDB file.", show_default="hubstats.duckdb in this folder"),
]


class TextFormat(StrEnum):
    """How a text is printed."""

    text = "text"
    json = "json"


class TableFormat(StrEnum):
    """How rows are printed."""

    table = "table"
    json = "json"


@app.command()
def explain(
    figure_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a figure, as any answer that has it shows.")],
    sql: Annotated[bool, typer.Option("--sql", help="Print the queries that its rows come from.")] = False,
    db: Db = DB,
    format: Annotated[TextFormat, typer.Option("--format", "-f", help="How to print it.")] = TextFormat.text,
) -> None:
    """What a figure counts and rests on: interval, method, caveats, queries, crawl, sample, detector.

    Ids are the keys of the tables of figures: hubstats sql "SELECT estimate_id FROM estimate".
    """
    from hubstats import explain as explaining
    from hubstats.store import Store

    with Store.open(db) as store:
        store.confine()
        found = explaining.explain(store, figure_id)
    if format is TextFormat.json:
        typer.echo(found.as_json())
        return
    for line in found.sql() if sql else found.lines():
        typer.echo(line)


@app.command()
def freeze(
    out: Annotated[Path, typer.Option(help="Where to write the bundle.")],
    db: Db = DB,
) -> None:
    """Write the figures and the rows they were made from, without names, into one file that anyone can check.

    The same DuckDB file gives the same bytes.
    """
    from hubstats import bundle
    from hubstats.store import Store

    with Store.open(db) as store:
        store.confine()
        manifest = bundle.freeze(store, out)
    members = manifest["members"]
    rows = {
        part: sum(said["rows"] for name, said in members.items() if name.startswith(part))
        for part in ("inputs", "figures")
    }
    typer.echo(
        f"{out}: {rows['figures']:,} figures and the {rows['inputs']:,} rows behind them, as of {manifest['as_of']}"
    )


@app.command()
def reproduce(
    bundle: Annotated[Path, typer.Argument(help="A bundle of hubstats freeze.")],
    format: Annotated[
        TableFormat, typer.Option("--format", "-f", help="How to print the comparison.")
    ] = TableFormat.table,
) -> None:
    """Make every figure of a bundle again, offline, and compare bit for bit. Exit code 1 when one differs."""
    import polars

    from hubstats import bundle as bundles
    from hubstats import rows
    from hubstats.explain import clean

    compared = bundles.reproduce(bundle)
    counts = [
        {"table": table, "figures": equal + different, "equal": equal, "different": different}
        for table, (equal, different) in compared.counts.items()
    ]
    differences = [
        {"table": one.table, "id": one.figure_id, "column": one.column, "stored": one.stored, "made": one.made}
        for one in compared.differences
    ]
    if format is TableFormat.json:
        typer.echo(json.dumps({"tables": counts, "differences": differences, "notes": compared.notes}, indent=2))
    else:
        rows.print_table(polars.DataFrame(counts), f"{clean(str(bundle))}: figures made again")
        if differences:
            rows.print_table(polars.DataFrame(differences), "First differences")
    for note in compared.notes:
        typer.echo(clean(note), err=True)
    if not compared.equal:
        equal, different = (sum(side) for side in zip(*compared.counts.values(), strict=True))
        raise HubstatsError(f"{different} of {equal + different} figures came out otherwise")
