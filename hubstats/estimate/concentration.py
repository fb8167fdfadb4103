"""How much of a technique is the work of a few authors.

With A the items of each author, weighted to the frame, and T their sum:

largest, top5, top10   the largest A, the 5 and the 10 largest together, over T
effective_authors      T^2 / sum of A^2: authors of equal size that would be as concentrated. Laakso and Taagepera 1979,
                       Comparative Political Studies 12:3-27; Hill's number of order 2 (1973, Ecology 54:427-432)

What a sample does to them. The sum of squared A of sampled authors is too large, since an A made of weights scatters
around the author's own: sum of A^2 - sum of w (w - 1) y^2 over the items, y the part of the item that goes to the
technique, takes that out (hubstats.estimate.survey has the same term), and cannot be below the sum of w y^2, which is
what authors of one item each would give. Nothing of the kind is known for the largest: who is largest in the sample
was helped by chance, so that `largest`, `top5` and `top10` are too high where few of these authors' items were read;
`authors` counts those of whom an item was read, and is too low. The caveat of a sampled source says so, and the
interval of `largest` (sampling alone, the author taken as given) shows how much a part of that size rests on.

Mass uploaders: authors with DAY uploads or more on one day, or with more than PART of a source's listing and at least
DAY uploads; inputs/mass_uploaders.sql counts them in the whole listing, not in the sample. Their names are hashed with
the salt of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from hubstats.estimate.chain import Items, utc
from hubstats.estimate.domain import joined, restrict, sources
from hubstats.estimate.survey import Design, estimate_shares
from hubstats.records import Concentration, MassUploader, NotEstimated, Record
from hubstats.techniques import Registry

if TYPE_CHECKING:
    import polars as pl

    from hubstats.estimate.survey import Booleans, Floats, Integers

INPUTS: tuple[str, ...] = ("subjects", "strata", "author_frame", "mass_uploaders")
TABLES: tuple[type[Record], ...] = (Concentration, MassUploader, NotEstimated)

DAY = 50
"""Uploads on one day from which an author is a mass uploader: one every half hour, around the clock."""
PART = 0.01
"""Part of a source's listing beyond which an author is one, with DAY uploads or more."""

METHOD = "sums by author of design weights; effective number: inverse of the sum of squared parts{}"
FLAGGED = f"uploads listed by author and day; flagged from {DAY} on one day, or beyond {PART:.0%} of a source and {DAY}"
FROM_A_SAMPLE = (
    "from a sample: the largest authors are picked from what was read, so their parts are too high where few of their "
    "items were; authors of whom nothing was read are not counted"
)
MANY = "many uploads at once are no fault: studies and services do so too"


def estimate(frames: Mapping[str, pl.DataFrame], registry: Registry) -> Iterator[Record]:
    """The concentration of each source and technique, and the mass uploaders of each listing."""
    import polars as pl

    mass = frames["mass_uploaders"]
    sampled = set(frames["strata"]["source"].to_list())
    for items, rows in sources(frames):
        flagged = mass.filter(pl.col("source") == items.source)["author"]
        yield from _source(items, rows, flagged, items.source in sampled)
    for row in mass.iter_rows(named=True):
        yield MassUploader(
            uploader_id=f"uploader/{row['source']}/{row['author_hash']}",
            source=row["source"],
            author_hash=row["author_hash"],
            uploads=row["uploads"],
            part=row["part"],
            busiest_on=row["busiest_on"],
            busiest=row["busiest"],
            reason=_reason(row["busiest"], row["part"]),
            method=FLAGGED,
            as_of=utc(row["seen_at"]),
            caveat=MANY,
        )


def _reason(busiest: int, part: float) -> Literal["day", "part", "day and part"]:
    if busiest < DAY:
        return "part"
    return "day and part" if part > PART else "day"


def _source(items: Items, rows: pl.DataFrame, flagged: pl.Series, sampled: bool) -> Iterator[Record]:
    import numpy as np
    import polars as pl

    shown = rows.filter(pl.col("techniques").list.len() > 0)
    known = shown.filter(pl.col("author").is_not_null())
    if known.is_empty():
        if shown.height:
            yield NotEstimated(items.source, "concentration", "evidence", "no author is known")
        return
    unknown = shown.height - known.height
    caveat = joined(
        FROM_A_SAMPLE if sampled else "",
        f"{unknown} items of unknown authors are left out" if unknown else "",
        items.caveat,
    )
    by_mass = rows.select(pl.col("author").is_in(flagged.implode()).fill_null(False)).to_series().to_numpy()
    everything = known["item"].to_numpy().astype(np.int64)
    yield _row(items, None, everything, np.ones(len(everything)), by_mass, sampled, caveat)
    part = 1 / pl.col("techniques").list.len()
    pairs = known.select("item", pl.col("techniques").alias("technique"), part.alias("part")).explode("technique")
    for (technique,), uses in pairs.sort("technique", "item").group_by("technique", maintain_order=True):
        members = uses["item"].to_numpy().astype(np.int64)
        yield _row(items, str(technique), members, uses["part"].to_numpy(), by_mass, sampled, caveat)


def _row(
    items: Items,
    technique: str | None,
    members: Integers,
    parts: Floats,
    by_mass: Booleans,
    sampled: bool,
    caveat: str,
) -> Concentration:
    import numpy as np

    design = restrict(items.design, members)
    amounts = design.weight * parts
    held = np.bincount(design.cluster, amounts)
    total = float(held.sum())
    ranked = np.sort(held)[::-1] / total
    largest = int(np.argmax(held))
    low, high = _interval(design, parts, np.flatnonzero(design.cluster == largest)) if sampled else (None, None)
    massive = by_mass[members]
    return Concentration(
        concentration_id=f"concentration/{items.source}/{technique or '*'}",
        source=items.source,
        technique=technique,
        items=total,
        items_read=len(members),
        authors=len(held),
        largest=min(float(ranked[0]), 1.0),
        largest_low=low,
        largest_high=high,
        top5=min(float(ranked[:5].sum()), 1.0),
        top10=min(float(ranked[:10].sum()), 1.0),
        effective_authors=effective_authors(design, parts),
        mass_uploaders=len(np.unique(design.cluster[massive])),
        mass_part=min(float(amounts[massive].sum()) / total, 1.0),
        method=METHOD.format(", sampling taken out" if sampled else ""),
        detector_version=items.detector,
        as_of=items.as_of,
        caveat=caveat or None,
    )


def effective_authors(design: Design, parts: Floats) -> float:
    """Hill's number of order 2 of the authors behind the items, in the frame; at least 1."""
    import numpy as np

    amounts = design.weight * parts
    squared = float((np.bincount(design.cluster, amounts) ** 2).sum())
    sampling = float((design.weight * (design.weight - 1) * parts**2).sum())
    alone = float((amounts * parts).sum())
    return max(float(amounts.sum()) ** 2 / max(squared - sampling, alone), 1.0)


def _interval(design: Design, parts: Floats, theirs: Integers) -> tuple[float | None, float | None]:
    """Of the part of the frame that is one author's."""
    import numpy as np

    share = estimate_shares(design, parts, {"author": (theirs, np.ones(len(theirs)))}, target="frame")["author"]
    return share.low, share.high
