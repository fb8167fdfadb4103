"""The options that the commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

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
Engine = Annotated[
    str,
    typer.Option("--engine", help="Where runs are done: local, here, one at a time; ray, a Ray cluster, one a GPU."),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="Address of the Ray cluster, HOST:PORT or auto.",
        show_default="RAY_ADDRESS, else a Ray started here",
    ),
]
Reference = Annotated[bool, typer.Option("--references/--no-references", help="Add full fine-tuning and the base.")]
Faster = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        help="A departure from the published recipe: keep-cache or continuous-generation (repeatable); none: to the "
        "letter.",
        show_default="both for gsm8k on a GPU",
    ),
]
