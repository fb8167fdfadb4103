"""Whether the intervals hold what they claim, and what the design is worth: `make bench-coverage`.

Coverage. In each replication a Hub whose truth is known is sampled and estimated, and each technique's interval is
asked whether it holds the truth. What the truth is depends on what the interval speaks of: for target `authors` each
replication has a Hub of its own, drawn from the same model, and the truth is the model's; for target `frame` all
have one Hub, and the truth is that Hub's own shares. Beside it the naive interval: Wilson's on the plain count among
the adapters that were drawn, as if they were so many independent draws.

Design. Simple random sampling of as many files, and the width of its interval over the two-phase design's.

The code that is tried is hubstats' own: the strata (the view hub_frame), sampling.allocate, estimate_shares. Seeded;
one core, about a quarter of an hour. `--quick` is a smoke run whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.synthetic_hub import Floats, Frame, Model, Sample, author_sizes, draw, make_frame
from hubstats import sampling
from hubstats.estimate import Share, Target, estimate_shares, wilson_interval

RESULTS = Path(__file__).parent / "results" / "coverage.json"
CONFIDENCE = 0.95
SEED = 20261124
REPLICATIONS = 2_000
DESIGN_REPLICATIONS = 200

Measure = Literal["repositories", "authors", "downloads"]

# --- parameters ---------------------------------------------------------------------------------------------------

SHARES = {"lora": 0.715, "20%": 0.20, "5%": 0.05, "2%": 0.02, "1%": 0.01, "0.5%": 0.005}
SERIES_SHARES = {"lora": 0.60, "20%": 0.20, "5%": 0.10, "2%": 0.05, "1%": 0.03, "0.5%": 0.02}
USUAL = Model(repositories=300_000, shares=SHARES)


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the question: which Hub, which sample, which interval."""

    name: str
    model: Model
    sample: int
    target: Target = "authors"
    design: sampling.Design = "stratified"
    measure: Measure = "repositories"


CELLS = (
    Cell("small Hub", replace(USUAL, repositories=30_000), 5_000),
    Cell("usual", USUAL, 5_000),
    Cell("large Hub", replace(USUAL, repositories=3_000_000), 20_000),
    Cell("default sample", USUAL, 1_000),
    Cell("rare techniques in series", replace(USUAL, tail=1.2, series_shares=SERIES_SHARES), 5_000),
    Cell("no tag ever", replace(USUAL, since=0.0), 5_000),
    Cell("usual", USUAL, 5_000, design="simple"),
    Cell("usual", USUAL, 5_000, measure="authors"),
    Cell("usual", USUAL, 5_000, measure="downloads"),
    Cell("usual", USUAL, 5_000, target="frame"),
    Cell("large Hub", replace(USUAL, repositories=3_000_000), 20_000, target="frame"),
    Cell("default sample", replace(USUAL, repositories=3_000_000), 1_000, target="frame"),
)

RARE = {"lora": 0.915, "other": 0.08, "0.5%": 0.005}
WORTH = Model(repositories=100_000, shares=RARE)
WORTH_SAMPLE = 5_000
SINCE = (0.0, 0.25, 0.5, 0.75, 1.0)
FRAMES: dict[str, Model] = {
    "adapters only, tag alone": replace(WORTH, adapters=1.0, hidden=0.0, named=0.0, wrongly_named=0.0),
    "adapters only": replace(WORTH, adapters=1.0, hidden=0.0),
    "whole Hub": replace(WORTH, repositories=1_000_000),
}
"""Frame -> the Hub. `tag alone`: no name or tag ever gives another technique away."""


# --- one replication ----------------------------------------------------------------------------------------------


def estimate(model: Model, frame: Frame, sample: Sample, cell: Cell) -> dict[str, Share]:
    """The shares by hubstats' estimator."""
    found = frame.technique[sample.item]
    votes = {}
    for code, name in enumerate(model.techniques):
        users = np.flatnonzero(found == code)
        votes[name] = (users, np.ones(len(users)))
    size: Floats = np.ones(len(found))
    if cell.measure == "authors":
        size = author_sizes(frame, sample)
    elif cell.measure == "downloads":
        size = frame.downloads[sample.item]
    return estimate_shares(sample.design, size, votes, confidence=CONFIDENCE, target=cell.target)


def replicate(cell: Cell, replications: int, seed: int) -> Iterator[tuple[Frame, Sample, dict[str, Share]]]:
    """Samples of the cell's Hub: of one Hub for target `frame`, each of its own for target `authors`."""
    rng = np.random.default_rng([seed, zlib.crc32(repr(cell).encode())])
    frame = make_frame(cell.model, rng)
    for number in range(replications):
        if number and cell.target == "authors":
            frame = make_frame(cell.model, rng)
        sample = draw(frame, cell.sample, cell.design, rng)
        yield frame, sample, estimate(cell.model, frame, sample, cell)


# --- coverage -----------------------------------------------------------------------------------------------------


def coverage(cell: Cell, replications: int, seed: int = SEED) -> list[dict[str, Any]]:
    """A row for each technique of the cell: how often its interval held the truth, and how wide it was."""
    names = cell.model.techniques
    lows, highs, counts, totals = [], [], [], []
    truth = cell.model.truth()
    for frame, sample, shares in replicate(cell, replications, seed):
        if cell.target == "frame":
            truth = frame.shares(cell.model)
        lows.append([shares[name].low for name in names])
        highs.append([shares[name].high for name in names])
        counts.append(np.bincount(frame.technique[sample.item], minlength=len(names)))
        totals.append(len(sample.item))
    low, high = np.array(lows, dtype=float), np.array(highs, dtype=float)
    count, total = np.array(counts), np.repeat(totals, len(names))
    naive = wilson_interval(count.ravel().astype(float).tolist(), total.astype(float).tolist(), CONFIDENCE)
    naive_low = naive["low"].to_numpy().reshape(low.shape)
    naive_high = naive["high"].to_numpy().reshape(low.shape)
    rows = []
    for place, name in enumerate(names):
        true = truth[name]
        held = _part((low[:, place] <= true) & (true <= high[:, place]))
        naively = _part((naive_low[:, place] <= true) & (true <= naive_high[:, place]))
        rows.append(
            {
                "scenario": cell.name,
                "target": cell.target,
                "measure": cell.measure,
                "design": cell.design,
                "repositories": cell.model.repositories,
                "sample": cell.sample,
                "technique": name,
                "truth": round(true, 6),
                "found": round(float(count[:, place].mean()), 1),
                "coverage": held,
                "error": round(float(np.sqrt(held * (1 - held) / replications)), 4),
                "above": _part(low[:, place] > true),
                "below": _part(high[:, place] < true),
                "width": round(float((high - low)[:, place].mean()), 5),
                "naive_coverage": naively,
                "naive_error": round(float(np.sqrt(naively * (1 - naively) / replications)), 4),
                "naive_width": round(float((naive_high - naive_low)[:, place].mean()), 5),
                "replications": replications,
            }
        )
    return rows


def _part(held: Any) -> float:
    return round(float(np.mean(held)), 4)


# --- design -------------------------------------------------------------------------------------------------------


def worth(name: str, since: float, replications: int, seed: int = SEED) -> list[dict[str, Any]]:
    """How much wider simple random sampling's interval for the 0.5% technique is, at as many files, for each target.

    Both designs sample the same Hubs, a new one in each replication.
    """
    model = replace(FRAMES[name], since=since)
    rng = np.random.default_rng([seed, zlib.crc32(repr(model).encode())])
    targets: tuple[Target, ...] = ("frame", "authors")
    widths = np.zeros((replications, len(targets) + 1, 2))
    files = np.zeros((replications, 2))
    for number in range(replications):
        frame = make_frame(model, rng)
        two_phase = draw(frame, WORTH_SAMPLE, "stratified", rng)
        as_many = round(two_phase.files / (frame.files() / float(frame.size.sum())))
        simple = draw(frame, as_many, "simple", rng)
        for column, sample in enumerate((two_phase, simple)):
            files[number, column] = sample.files
            widths[number, len(targets), column] = true_error(frame, model.techniques.index("0.5%"), sample)
            for place, target in enumerate(targets):
                share = estimate(model, frame, sample, Cell(name, model, 0, target))["0.5%"]
                assert share.low is not None
                assert share.high is not None
                widths[number, place, column] = share.high - share.low
    rows = []
    for place, what in enumerate((*targets, "true standard error")):
        ours, theirs = widths[:, place, 0], widths[:, place, 1]
        ratio = float(theirs.mean() / ours.mean())
        error = float((theirs - ratio * ours).std(ddof=1) / ours.mean() / np.sqrt(replications))
        rows.append(
            {
                "frame": name,
                "since": since,
                "target": what,
                "files": round(float(files[:, 0].mean())),
                "simple_files": round(float(files[:, 1].mean())),
                "width": round(float(ours.mean()), 5),
                "simple_width": round(float(theirs.mean()), 5),
                "ratio": round(ratio, 3),
                "error": round(error, 3),
                "replications": replications,
            }
        )
    return rows


def true_error(frame: Frame, code: int, sample: Sample) -> float:
    """Standard error of the share of the frame that the sample's design gives, from all of the frame's adapters."""
    simple = len(sample.drawn) == 1
    stratum = np.zeros(len(frame.stratum), np.int64) if simple else frame.stratum
    size = frame.size.sum(keepdims=True) if simple else frame.size
    uses = frame.technique == code
    residual = uses - uses.mean()
    sums, squares = (np.bincount(stratum, residual**power, len(size)) for power in (1, 2))
    spread = (squares - sums**2 / np.maximum(size, 1)) / np.maximum(size - 1, 1)
    drawn = np.maximum(sample.drawn, 1)
    return float(np.sqrt((size * (size - sample.drawn) * spread / drawn).sum())) / len(residual)


# --- tables -------------------------------------------------------------------------------------------------------


def coverage_table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| scenario | covers | share of | frame | sample | technique | true share | found | ours covers | width "
        "| naive covers | width |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        design = "" if row["design"] == "stratified" else ", simple random"
        lines.append(
            f"| {row['scenario']}{design} | {row['target']} | {row['measure']} | {row['repositories']:,} "
            f"| {row['sample']:,} | {row['technique']} | {row['truth']:.2%} | {row['found']:,.0f} "
            f"| **{row['coverage']:.1%}** ± {row['error']:.1%} | {row['width']:.2%} "
            f"| {row['naive_coverage']:.1%} ± {row['naive_error']:.1%} | {row['naive_width']:.2%} |"
        )
    return "\n".join(lines)


def worth_table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: a line for each frame and target, a column for each part created since PEFT writes the tag."""
    lines = ["| frame | of what | " + " | ".join(f"{since:.0%}" for since in SINCE) + " |"]
    lines.append("|---|---|" + "---|" * len(SINCE))
    for frame in FRAMES:
        for target in ("true standard error", "frame", "authors"):
            mine = [row for row in rows if (row["frame"], row["target"]) == (frame, target)]
            if mine:
                told = " | ".join(f"{row['ratio']:.2f} ± {row['error']:.2f}" for row in mine)
                what = target if target.startswith("true") else f"interval about {target}"
                lines.append(f"| {frame} | {what} | {told} |")
    return "\n".join(lines)


def main() -> None:
    """Runs both, prints the tables and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=REPLICATIONS)
    parser.add_argument("--design-replications", type=int, default=DESIGN_REPLICATIONS)
    parser.add_argument("--quick", action="store_true", help="a smoke run: a few replications of the smaller Hubs")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    started = time.monotonic()
    cells = [cell for cell in CELLS if not options.quick or cell.model.repositories <= USUAL.repositories]
    replications = 20 if options.quick else options.replications
    covered, worths = [], []
    for cell in cells:
        covered += coverage(cell, replications)
        print(
            coverage_table(covered[-len(cell.model.techniques) :]), f"\n{time.monotonic() - started:.0f} s", flush=True
        )
    for name in FRAMES if not options.quick else list(FRAMES)[:1]:
        for since in SINCE:
            worths += worth(name, since, 5 if options.quick else options.design_replications)
    print(worth_table(worths), f"\n{time.monotonic() - started:.0f} s", flush=True)
    if options.quick:
        return
    options.out.parent.mkdir(exist_ok=True)
    told = {
        "machine": f"{platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "seconds": round(time.monotonic() - started),
        "seed": SEED,
        "confidence": CONFIDENCE,
        "model": asdict(USUAL),
        "coverage": covered,
        "worth": worths,
    }
    options.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
