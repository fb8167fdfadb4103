"""How well the words of a card tell what the config beside it proves, and the mention share corrected by that.

Over the items with a readable card and a readable config, weighted and clustered as every other share:

recall     P(card names it | config says it)       a share in the domain of configs that say it
precision  P(config says it | card names it)       a share in the domain of cards that name it

A dump of cards, or a card whose config cannot be read, shows mentions alone. If its cards name and misname as those
beside a readable config do, then of a mention share m

    corrected share = m * precision / recall

(m precision: mentions that are use; over recall: what is used and not named). Both have the cards that name it beside a
config that says it above the line, so that this is m C / V: C configs that say it, V cards that name it, both among the
items with both files. That is the ratio estimator of double sampling (Cochran 1977, Sampling Techniques, ch. 12), with
the mention as the cheap variable. Its uncertainty is that of m, C and V together, by linearising the logarithm
(Wolter 2007, Introduction to Variance Estimation, ch. 6.5): with M naming among N cards,

    u = named / M - card / N + said / C - named and paired / V        (each over its own weighted total),

the variance of sum(w u) under strata and authors as in hubstats.estimate.contrast, Student's interval with
Satterthwaite's degrees of freedom on the logarithm, at most one less than the authors who both name it and use it,
kept within [0, 1]. Where recall and precision come from another source than m, the two variances add. Where that
variance is 0, the interval is that of m times C / V.

The usual correction of a prevalence by sensitivity and specificity (Rogan and Gladen 1978, American Journal of
Epidemiology 107:71-76), (m + specificity - 1) / (sensitivity + specificity - 1), is not used: of a technique of 1%, a
specificity uncertain by 1% makes it anything from below 0 to twice the truth. Precision is measured where the
technique is, but it moves with how common the technique is: what the correction assumes is that it is as common, among
cards that name it, as where it was measured.

A technique is corrected when LEAST items of two authors or more both name it and have it proven. In the simulation of
tests/test_recall.py (400 replications, heavy-tailed authors, each with a habit of naming, configs of 40% readable) the
interval covers 95% for a technique of 5% and 98% for one of 90%; that of the mention share covers 56% and none.

Techniques whose use a config cannot show (QLoRA) are left out. `named_or_variant` takes a card that names only a
variant or recipe of a technique (QLoRA) as naming it (LoRA).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hubstats.estimate import chain
from hubstats.estimate.chain import Items
from hubstats.estimate.contrast import residual_variance
from hubstats.estimate.domain import joined, restrict, shares_within, sources
from hubstats.records import MentionRecall, NotEstimated, Record
from hubstats.techniques import OWNS_PEFT_TYPE, Registry

if TYPE_CHECKING:
    import polars as pl

    from hubstats.estimate.survey import Floats, Integers, Share

    Uses = Mapping[str, Integers]
    """Technique -> items, sorted, each once."""

INPUTS: tuple[str, ...] = ("subjects", "strata", "author_frame", "card_names")
TABLES: tuple[type[Record], ...] = (MentionRecall, NotEstimated)

Naming = Literal["named", "named_or_variant"]

LEAST = 10
ELSEWHERE = "hub"
"""Source whose recall and precision stand in for those of a source without configs."""
CONFIDENCE = 0.95

METHOD = (
    "recall and precision: design-weighted shares among items with a readable card and config; variance over strata "
    "and authors; corrected share: mention share * precision / recall (ratio estimator), linearised on the logarithm"
)
CAVEATS: Mapping[str, str] = {
    "cards": "imported cards and configs are paired by their names: wrong where they do not belong together",
}
ASSUMED = "assumes that cards without a readable config name and misname the technique as those with one do"


def estimate(frames: Mapping[str, pl.DataFrame], registry: Registry) -> Iterator[Record]:
    """Recall, precision and corrected share of every technique that a config can show, in each source with cards."""
    cards = [_Cards(items, rows, frames["card_names"]) for items, rows in sources(frames)]
    measured = {one.source: one for one in cards if one.is_paired.any()}
    for one in cards:
        if not len(one.members):
            continue
        other = measured.get(one.source) or measured.get(ELSEWHERE)
        if other is None:
            reason = "no item has a readable card and a readable config, and the hub's are not in this file"
            yield NotEstimated(one.source, "mention recall", "named", reason)
            continue
        for rule in ("named", "named_or_variant"):
            yield from _rows(one, other, rule, registry)


class _Cards:
    """The cards of adapters of one source: what each names, and what the config says of those that have one."""

    def __init__(self, items: Items, rows: pl.DataFrame, card_names: pl.DataFrame) -> None:
        import numpy as np
        import polars as pl

        self.source, self.items = items.source, items
        here = card_names.filter(pl.col("source") == items.source)
        found = rows.select("item", "subject_id").join(here, on="subject_id").sort("item")
        self.members = found["item"].to_numpy().astype(np.int64)
        """Items, sorted."""
        paired = found.filter(pl.col("proven").is_not_null())
        self.is_paired = chain.flags(rows.height, paired["item"])
        """Of every item of the source: it has a readable card and a readable config."""
        self._named = found.select("item", pl.col("named").alias("technique")).explode("technique").drop_nulls()
        self.said = _uses(paired.select("item", pl.col("proven").alias("technique")).explode("technique"))
        self.design = restrict(items.design, self.members)
        """Of the members, in their order."""

    def named(self, rule: Naming, registry: Registry) -> Uses:
        """Technique -> items whose card names it."""
        import polars as pl

        names = self._named
        if rule == "named_or_variant":
            bases = {t.key: registry.base(t.key).key for t in registry if t.is_overlay}
            above = names.filter(pl.col("technique").is_in(list(bases)))
            above = above.with_columns(pl.col("technique").replace(bases))
            names = pl.concat([names, above]).unique()
        return _uses(names)


def _uses(pairs: pl.DataFrame) -> Uses:
    import numpy as np

    ordered = pairs.drop_nulls().unique().sort("technique", "item")
    return {
        str(technique): rows["item"].to_numpy().astype(np.int64)
        for (technique,), rows in ordered.group_by("technique", maintain_order=True)
    }


def _rows(one: _Cards, other: _Cards, rule: Naming, registry: Registry) -> Iterator[Record]:
    import numpy as np

    here = one.named(rule, registry)
    there = here if other is one else other.named(rule, registry)
    nobody = np.zeros(0, np.int64)
    keys = [key for key in sorted(other.said.keys() | here.keys()) if key in _provable(rule, registry)]
    said = {key: other.said.get(key, nobody) for key in keys}
    naming = {key: items[other.is_paired[items]] for key in keys for items in (there.get(key, nobody),)}
    agreeing = {key: np.intersect1d(said[key], naming[key], assume_unique=True) for key in keys}
    votes = {key: (here.get(key, nobody), _whole(here.get(key, nobody))) for key in keys}
    mentions = shares_within(one.items.design, one.members, votes)
    few: list[str] = []
    for key in keys:
        recall, precision = (_share(other, among[key], agreeing[key]) for among in (said, naming))
        mention = mentions[key]
        authors = len(np.unique(other.items.design.cluster[agreeing[key]]))
        enough = len(agreeing[key]) >= LEAST and authors > 1
        corrected: tuple[float | None, float | None, float | None] = (None, None, None)
        if enough:
            counts = _Counts(one, here.get(key, nobody), authors)
            corrected = _corrected(counts, other, said[key], naming[key], mention)
        else:
            few.append(key)
        yield MentionRecall(
            recall_id=f"recall/{one.source}/{rule}/{key}",
            source=one.source,
            measured_on=other.source,
            rule=rule,
            technique=key,
            configs=len(said[key]),
            naming=len(naming[key]),
            agreeing=len(agreeing[key]),
            recall=recall.share if recall else None,
            recall_low=recall.low if recall else None,
            recall_high=recall.high if recall else None,
            precision=precision.share if precision else None,
            precision_low=precision.low if precision else None,
            precision_high=precision.high if precision else None,
            cards=len(one.members),
            mention_share=mention.share,
            mention_low=mention.low,
            mention_high=mention.high,
            corrected_share=corrected[0],
            corrected_low=corrected[1],
            corrected_high=corrected[2],
            method=METHOD,
            detector_version=one.items.detector,
            as_of=one.items.as_of,
            caveat=joined(
                "" if enough else f"not corrected: fewer than {LEAST} cards of two authors name it and have it proven",
                ASSUMED if enough else "",
                f"recall and precision are of {other.source}" if other is not one else "",
                CAVEATS.get(one.source),
                one.items.caveat,
            )
            or None,
        )
    if few:
        reason = f"fewer than {LEAST} cards of two authors name it and have it proven: {', '.join(few)}"
        yield NotEstimated(one.source, "corrected mention share", rule, reason)


def _provable(rule: Naming, registry: Registry) -> set[str]:
    """Techniques that a config can show; by named_or_variant those with variants or recipes, the others being alike."""
    shown = {t.key for t in registry if t.config or (t.kind in OWNS_PEFT_TYPE and t.peft_type)}
    return shown if rule == "named" else shown & {registry.base(t.key).key for t in registry if t.is_overlay}


def _whole(items: Integers) -> Floats:
    import numpy as np

    return np.ones(len(items))


def _share(cards: _Cards, among: Integers, agreeing: Integers) -> Share | None:
    """The part of the items `among` that are `agreeing`; None where there are none among."""
    return shares_within(cards.items.design, among, {"": (agreeing, _whole(agreeing))}).get("")


@dataclass(frozen=True, slots=True)
class _Counts:
    """The cards of a source, and those that name a technique."""

    cards: _Cards
    naming: Integers
    authors: int
    """Authors of whom a card names it and the config says so, where recall is measured."""


def _corrected(
    here: _Counts, other: _Cards, said: Integers, naming: Integers, mention: Share
) -> tuple[float | None, float | None, float | None]:
    """m C / V with its interval; 0 with an upper end where no card of `here` names it."""
    import numpy as np
    from scipy.special import stdtrit

    weighted_said, weighted_naming = (float(other.items.design.weight[items].sum()) for items in (said, naming))
    ratio = weighted_said / weighted_naming
    share = min(mention.share * ratio, 1.0)
    low, high = (None if end is None else min(end * ratio, 1.0) for end in (mention.low, mention.high))
    if mention.share <= 0 or low is None or high is None:
        return share, low, high
    of_mentions = _indicator(here.cards, here.naming) - _indicator(here.cards, here.cards.members)
    of_ratio = _indicator(other, said) - _indicator(other, naming)
    if other is here.cards:
        parts = [_variance(other, of_mentions + of_ratio)]
    else:
        parts = [_variance(here.cards, of_mentions), _variance(other, of_ratio)]
    parts = [(variance, freedom) for variance, freedom in parts if variance > 0]
    if not parts:
        return share, min(low, share), max(high, share)
    if min(freedom for _, freedom in parts) < 1:
        return share, None, None
    variance = sum(variance for variance, _ in parts)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    freedom = min(freedom, here.authors - 1.0)
    reach = float(np.exp(min(float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * variance**0.5, 500.0)))
    return share, share / reach, min(mention.share * ratio * reach, 1.0)


def _indicator(cards: _Cards, items: Integers) -> Floats:
    """1 over their weighted number for `items`, 0 for the other members."""
    import numpy as np

    made = np.zeros(len(cards.members))
    places = np.searchsorted(cards.members, items)
    made[places] = 1 / cards.design.weight[places].sum()
    return made


def _variance(cards: _Cards, residual: Floats) -> tuple[float, float]:
    """Variance of the weighted sum of `residual`, and its degrees of freedom; no variance where rounding is all."""
    import numpy as np

    if float(np.abs(residual * cards.design.weight).max()) < 1e-12:
        return 0.0, 0.0
    return residual_variance(cards.design, residual, np.ones(len(residual), np.bool_))
