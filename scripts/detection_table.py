"""The evaluation tables of docs/detection.md, as Markdown: python scripts/detection_table.py CARDS CONFIGS

Each argument is a folder or CSV that `hubstats evaluate detection` takes; the numbers are that command's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars

from hubstats.detect import version
from hubstats.evaluate import evaluate, read_labels
from hubstats.techniques import load


def tables(labels: Path) -> list[str]:
    """The lines of two tables: the totals, and what was used, by technique."""
    registry = load()
    frame = evaluate(read_labels(labels, registry).rows, registry).scores()
    totals = frame.filter(frame["by"] == "all")
    techniques = frame.filter(frame["by"] == "technique", frame["measure"].is_in(["used", "mentioned", "variants"]))
    return [*_table(totals), "", *_table(techniques)]


def _table(frame: polars.DataFrame) -> list[str]:
    lines = ["| measure | of | files | tp | fp | fn | precision | recall |", "|---|---|--:|--:|--:|--:|---|---|"]
    for row in frame.to_dicts():
        cells = [row["measure"], row["group"], row["files"], row["tp"], row["fp"], row["fn"]]
        lines.append(f"| {' | '.join(map(str, cells))} | {_share(row, 'precision')} | {_share(row, 'recall')} |")
    return lines


def _share(row: dict[str, float | None], name: str) -> str:
    if row[name] is None:
        return ""
    return f"{row[name]:.3f} ({row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f})"


if __name__ == "__main__":
    print(f"Detector {version(load())}.")
    for place in sys.argv[1:]:
        print("\n" + "\n".join(tables(Path(place))))
