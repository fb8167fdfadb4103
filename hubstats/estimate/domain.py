"""A share among some of the sampled items only: one month's, one technique's, those of readable files.

The items of a source that carry a usable weight are all in one `Design`. A domain of it (Saerndal, Swensson and
Wretman 1992, ch. 10.3) keeps `drawn` and `fraction` of every stratum as they are and has size 0 outside. Items of size
0 enter no sum of hubstats.estimate.survey but through `drawn`, so they can be left out of the arrays: `restrict` does,
and a month costs as much as its own items. A test holds it against the whole design with zeros.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from hubstats.estimate import chain
from hubstats.estimate.chain import Items
from hubstats.estimate.population import CAVEATS, LARGEST_WEIGHT
from hubstats.estimate.survey import Design, Share, estimate_shares

if TYPE_CHECKING:
    import polars as pl

    from hubstats.estimate.survey import Floats, Integers

Key = TypeVar("Key", bound=Hashable)


def sources(frames: Mapping[str, pl.DataFrame]) -> Iterator[tuple[Items, pl.DataFrame]]:
    """Each source's items and their rows, in the same order, numbered by a column `item` from 0.

    Reads the inputs subjects, strata and author_frame. Rows without a usable weight are left out, with a caveat.
    """
    import polars as pl

    for (name,), rows in sorted(frames["subjects"].group_by("source", maintain_order=True), key=lambda group: group[0]):
        weight = pl.col("weight")
        usable = rows.filter(weight.is_finite() & weight.is_between(0, LARGEST_WEIGHT, "right"))
        caveat = CAVEATS.get(str(name), "")
        if usable.height < rows.height:
            caveat = joined(caveat, f"{rows.height - usable.height} items without a usable weight are left out")
        if usable.is_empty():
            continue
        items, _ = chain.subjects(str(name), usable, frames["strata"], frames["author_frame"], caveat)
        yield items, usable.with_row_index("item").with_columns(pl.col("item").cast(pl.Int64))


def restrict(design: Design, items: Integers) -> Design:
    """The design of these items alone, in their order; `drawn` and `fraction` stay those of all that was read."""
    import numpy as np

    _, cluster = np.unique(design.cluster[items], return_inverse=True)
    return Design(design.weight[items], cluster.astype(np.int64), design.stratum[items], design.drawn, design.fraction)


def shares_within(design: Design, members: Integers, votes: Mapping[Key, tuple[Integers, Floats]]) -> dict[Key, Share]:
    """As `estimate_shares`, each of `members` (sorted) being an item of size 1; empty when there is none.

    `votes` name items of the whole design, all of them members.
    """
    import numpy as np

    if not len(members):
        return {}
    placed = {key: (np.searchsorted(members, items), parts) for key, (items, parts) in votes.items()}
    return estimate_shares(restrict(design, members), np.ones(len(members)), placed)


def joined(*notes: str | None) -> str:
    """Caveats in one line."""
    return "; ".join(note for note in notes if note)
