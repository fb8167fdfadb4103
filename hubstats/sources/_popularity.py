"""Popularity figures that others published, from the file embedded in the package."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from hubstats.records import PublishedFigure

EMBEDDED = Path(__file__).parent.parent / "snapshot"
"""The folder of embedded facts."""


def figures(folder: Path = EMBEDDED) -> Iterator[PublishedFigure]:
    """Each published count or share, with its rule in `note`."""
    data = tomllib.loads((folder / "popularity.toml").read_text(encoding="utf-8"))
    for publication in data["publication"]:
        for figure in publication["figure"]:
            yield PublishedFigure(
                figure_id=f"{publication['origin']}/{figure['measure']}/{figure['technique']}",
                origin=publication["origin"],
                measure=figure["measure"],
                technique=figure["technique"],
                count=figure.get("count"),
                total=figure.get("total"),
                share=figure.get("share"),
                published_on=publication["published_on"],
                url=publication["url"],
                note=f"Unit: {figure['unit']}. {figure['note']}",
            )
