"""Whether the intervals hold what they claim: what `make bench-coverage` found, as the page's method part shows it.

The results are no part of the analysed file; they belong to the version of hubstats, and travel with it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hubstats import charts
from hubstats.errors import HubstatsError
from hubstats.report.panel import Gap, Panel, Source, Table, View, cell, column

RESULTS = "coverage.json"
COVERED = "How often the 95% interval holds the truth"
WORTH = "What the two-phase design is worth"
TARGETS = {
    "frame": "the Hub as it is",
    "authors": "its authors\N{RIGHT SINGLE QUOTATION MARK} habits",
    "true standard error": "true standard error",
}
"""What an interval speaks of, and what its width is compared on."""


def results_path() -> Path | None:
    """Where the results are: in the package (wheel), else in the checkout. None: this installation has none."""
    package = Path(__file__).parent.parent
    for path in (package / "_reports" / RESULTS, package.parent / "benchmarks" / "results" / RESULTS):
        if path.is_file():
            return path
    return None


def simulation(path: Path | None) -> Panel:
    """Both tables of the simulation. Raises HubstatsError where the file is not what the benchmark writes."""
    if path is None:
        return Panel("simulation", "", "", missing=(Gap("The simulation is not in this installation.",
                     "make bench-coverage", "in a checkout"),))  # fmt: skip
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        views = (_coverage(told), _worth(told))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HubstatsError(f"{path}: not what `make bench-coverage` writes ({error!r}): run it again") from error
    return Panel("simulation", "", "", choices=("Simulated",), views=views)


def _coverage(told: dict[str, Any]) -> View:
    columns = [
        column("scenario", "Made-up Hub"),
        column("technique", "Technique"),
        column("share_of", "Share of"),
        column("target", "Interval about"),
        column("design", "Drawn"),
        column("repositories", "Repositories", number=True),
        column("sample", "Sample", number=True),
        column("truth", "True share", number=True),
        column("found", "Found, mean", number=True),
        column("coverage", "Ours holds it", number=True),
        column("width", "Width, points", number=True),
        column("naive_coverage", "Naive holds it", number=True),
        column("naive_width", "Width, points", number=True),
    ]
    rows = [
        [
            charts.plain(row["scenario"], 80),
            charts.plain("LoRA" if row["technique"] == "lora" else f"one of {row['technique']}", 60),
            charts.plain(row["measure"]),
            charts.plain(TARGETS.get(row["target"], row["target"])),
            "simple random" if row["design"] == "simple" else charts.plain(row["design"]),
            cell(f"{row['repositories']:,}", row["repositories"]),
            cell(f"{row['sample']:,}", row["sample"]),
            cell(f"{row['truth'] * 100:.1f}%", row["truth"]),
            cell(f"{row['found']:,.0f}", row["found"]),
            cell(_held(row["coverage"], row["error"]), row["coverage"]),
            cell(f"{row['width'] * 100:.1f}", row["width"]),
            cell(_held(row["naive_coverage"], row["naive_error"]), row["naive_coverage"]),
            cell(f"{row['naive_width'] * 100:.1f}", row["naive_width"]),
        ]
        for row in told["coverage"]
    ]
    return View(_line(told, "coverage"), (COVERED,), table=Table("coverage", COVERED, columns, rows, choice=0))


def _worth(told: dict[str, Any]) -> View:
    since = sorted({row["since"] for row in told["worth"]})
    columns = [
        column("frame", "Made-up Hub"),
        column("target", "Width of"),
        *(column(f"since_{part:g}", f"{part:.0%} since the tag", number=True) for part in since),
    ]
    groups: dict[tuple[str, str], dict[float, dict[str, Any]]] = {}
    for row in told["worth"]:
        groups.setdefault((row["frame"], row["target"]), {})[row["since"]] = row
    rows = [
        [
            charts.plain(frame, 80),
            charts.plain(TARGETS.get(target, target)),
            *(_factor(found.get(part)) for part in since),
        ]
        for (frame, target), found in groups.items()
    ]
    return View(_line(told, "worth"), (WORTH,), table=Table("worth", WORTH, columns, rows, choice=0))


def _line(told: dict[str, Any], part: str) -> Source:
    times = sorted({int(row["replications"]) for row in told[part]})
    return Source(
        "",
        (
            f"simulation, make bench-coverage, seed {int(told['seed'])}",
            f"n = {', '.join(f'{number:,}' for number in times)} replications a row",
            "part of this version of hubstats, not of the file",
            "\N{PLUS-MINUS SIGN}: standard error of the simulation",
        ),
    )


def _held(part: float, error: float) -> str:
    return f"{part * 100:.1f} \N{PLUS-MINUS SIGN} {error * 100:.1f}%"


def _factor(row: dict[str, Any] | None) -> Any:
    if row is None:
        return None
    places = 2 if row["error"] >= 0.005 else 3
    return cell(f"{row['ratio']:.{places}f} \N{PLUS-MINUS SIGN} {row['error']:.{places}f} times", row["ratio"])
