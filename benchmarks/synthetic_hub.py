"""A Hub whose truth is known: authors, adapters, what the listing says of them, and samples of it.

The listing facts of a simulated repository are one of a few dozen kinds. Which stratum a kind is in is asked of the
view hub_frame itself, and how many are drawn of each of hubstats.sampling, so that a simulation tries the code that
runs. Repositories without an adapter are only counted: they are drawn like the others and never found to use anything.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hubstats import sampling
from hubstats.estimate import Design
from hubstats.estimate.author_votes import author_votes
from hubstats.pipeline import Silent, Writer
from hubstats.records import HubModel
from hubstats.sampling import STRATA
from hubstats.store import Store

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

EVIDENCE: tuple[dict[str, object], ...] = ({"has_adapter_config": True}, {"base_model_relation": "adapter"}, {})
NAMED: tuple[tuple[str, ...], ...] = ((), ("lora",), ("dora",))
SINCE = (datetime(2025, 1, 1), datetime(2026, 1, 1))
DOWNLOADS = (10, 2_000, 20_000)
KINDS = tuple(product(range(3), range(3), range(2), range(3)))
"""Every combination of the four; a kind is the place of one in this tuple."""

SERIES = 100
"""Adapters of an author whose uploads the view calls a series."""

STRATUM_NAMES = tuple(STRATA)
NOT_ADAPTERS = {"rest": 0.976, "no adapter listed, lora or an adapter named": 0.022}
NOT_ADAPTERS["no adapter listed, another technique named"] = 1 - sum(NOT_ADAPTERS.values())
"""Stratum -> part of the repositories without an adapter."""


@cache
def strata_of_kinds() -> NDArray[np.uint8]:
    """Place in STRATUM_NAMES of each kind, for an author of few adapters and, second row, of a hundred or more."""
    models = []
    for author, extra in (("few", 0), ("many", 100)):
        models += [HubModel("hub", f"{author}/more{n}", author=author, has_adapter_config=True) for n in range(extra)]
        for kind, (evidence, named, since, downloads) in enumerate(KINDS):
            models.append(
                HubModel(
                    source="hub",
                    model_id=f"{author}/{kind}",
                    author=author,
                    tags=NAMED[named],
                    created_at=SINCE[since],
                    downloads=DOWNLOADS[downloads],
                    **EVIDENCE[evidence],  # type: ignore[arg-type]
                )
            )
    with tempfile.TemporaryDirectory() as scratch:
        db = Path(scratch) / "kinds.duckdb"
        with Writer(db, Silent()) as writer:
            writer.write("hub", models)
        with Store.open(db) as store:
            found = dict(store.frame("SELECT model_id, stratum FROM hub_frame").iter_rows())
    return np.array(
        [[STRATUM_NAMES.index(found[f"{author}/{n}"]) for n in range(len(KINDS))] for author in ("few", "many")],
        np.uint8,
    )


@dataclass(frozen=True, slots=True)
class Model:
    """How a Hub comes about. Where a part is known its source is given; the others are assumptions."""

    repositories: int
    shares: Mapping[str, float]
    """Technique -> share of adapters; `lora` is the one that is tagged."""
    adapters: float = 0.12
    """Part of the repositories that are adapters: 258,462 of 2,161,698 in October 2025."""
    tail: float = 1.4
    """An author has k adapters or more with probability k ** -tail, up to `largest`."""
    largest: int = 1_000
    loyal: float = 0.9
    """Part of an author's adapters that are of the author's own technique, for sure; all of them in a series."""
    series_shares: Mapping[str, float] = field(default_factory=dict)
    """Own techniques of authors of 100 adapters or more; empty: as everyone's."""
    since: float = 0.5
    """Part created since PEFT writes the tag. Four authors of five are of one period only."""
    tagged_since: float = 0.8
    """Part of LoRA adapters that the listing calls so; the others were saved by an older PEFT."""
    tagged_before: float = 1 / 3
    """By hand, or by the trainer, or in the name."""
    wrongly_tagged: float = 0.02
    """Part of the other techniques' adapters that the listing calls LoRA."""
    named: float = 0.2
    """Part of the other techniques' adapters that have one of these techniques in name or tags."""
    wrongly_named: float = 0.003
    """Part of LoRA adapters that have another technique in name or tags."""
    related_only: float = 0.15
    """Part of adapters that have no PEFT config, only the Hub's relation to a base model."""
    hidden: float = 0.03
    """Part of adapters that the listing does not show to be any."""
    downloaded: tuple[float, float] = (0.005, 0.001)
    """Parts with 1,000 to 10,000 and with 10,000 or more downloads. Of all models 0.5% have over 500."""

    @property
    def techniques(self) -> tuple[str, ...]:
        """In the order of their codes."""
        return tuple(self.shares)

    def size_chances(self) -> Floats:
        """Chance that an author has 1, 2, ... adapters."""
        reach = np.arange(1, self.largest + 2, dtype=float) ** -self.tail
        chances: Floats = (reach[:-1] - reach[1:]) / (1 - reach[-1])
        return chances

    def authors(self) -> int:
        """Authors that have as many adapters, on average, as the Hub."""
        sizes = np.arange(1, self.largest + 1)
        return round(self.repositories * self.adapters / float((sizes * self.size_chances()).sum()))

    def truth(self) -> dict[str, float]:
        """Share of each technique among the adapters of all authors there could be."""
        sizes = np.arange(1, self.largest + 1)
        adapters = sizes * self.size_chances()
        series = float(adapters[sizes >= SERIES].sum() / adapters.sum()) if self.series_shares else 0.0
        return {
            name: (1 - series) * share + series * self.series_shares.get(name, 0.0)
            for name, share in self.shares.items()
        }


@dataclass(frozen=True, slots=True)
class Frame:
    """One Hub: its adapters, one entry each and sorted by stratum, and how many repositories each stratum has."""

    author: Integers
    technique: NDArray[np.uint8]
    downloads: Floats
    stratum: NDArray[np.uint8]
    has_config: NDArray[np.bool_]
    adapters: Integers
    """Adapters per stratum."""
    size: Integers
    """Repositories per stratum."""
    adapters_of: Integers
    """Adapters per author."""

    def shares(self, model: Model) -> dict[str, float]:
        """The truth of this one Hub."""
        counts = np.bincount(self.technique, minlength=len(model.techniques)) / len(self.technique)
        return dict(zip(model.techniques, counts.tolist(), strict=True))

    def files(self) -> float:
        """Files of all repositories: a card each, and a config where there is PEFT's."""
        return float(self.size.sum() + self.has_config.sum())


def make_frame(model: Model, rng: np.random.Generator) -> Frame:
    """A Hub, drawn from its model."""
    authors = model.authors()
    # The inverse of the tail function, cut at the largest.
    uniform = rng.random(authors) * (1 - (model.largest + 1) ** -model.tail) + (model.largest + 1) ** -model.tail
    adapters_of = np.minimum((uniform ** (-1 / model.tail)).astype(np.int64), model.largest)
    bounds = np.cumsum(list(model.shares.values()))
    bounds[-1] = 1.0
    own = np.searchsorted(bounds, rng.random(authors), side="right").astype(np.uint8)
    in_series = adapters_of >= SERIES
    if model.series_shares:
        shares = [model.series_shares.get(name, 0.0) for name in model.techniques]
        own[in_series] = rng.choice(len(shares), int(in_series.sum()), p=shares)
    # Four authors of five uploaded before PEFT wrote the tag or since, one in both periods.
    period = np.where(rng.random(authors) < 0.2, model.since, rng.random(authors) < model.since)

    author = np.repeat(np.arange(authors), adapters_of)
    technique = own[author]
    strays = np.flatnonzero((rng.random(len(author), np.float32) >= model.loyal) & ~in_series[author])
    technique[strays] = np.searchsorted(bounds, rng.random(len(strays)), side="right")
    is_since = rng.random(len(author), np.float32) < period[author]
    row = (technique == model.techniques.index("lora")).astype(np.uint8) * 2 + is_since
    kind = np.empty(len(author), np.uint8)
    for code in range(4):
        mine = np.flatnonzero(row == code)
        chances = np.cumsum(_kind_chances(model, is_lora=code >= 2, is_since=bool(code % 2)))
        kind[mine] = np.minimum(
            np.searchsorted(chances, rng.random(len(mine), np.float32), side="right"), len(KINDS) - 1
        )
    evidence = np.array([kind_facts[0] for kind_facts in KINDS])[kind]
    listed = np.bincount(author[evidence < 2], minlength=authors)
    stratum = strata_of_kinds()[(listed >= SERIES)[author].astype(np.uint8), kind]
    order = np.argsort(stratum, kind="stable")
    adapters = np.bincount(stratum, minlength=len(STRATUM_NAMES))
    others = model.repositories * (1 - model.adapters)
    size = adapters + np.array([round(others * NOT_ADAPTERS.get(name, 0)) for name in STRATUM_NAMES])
    band = np.array([kind_facts[3] for kind_facts in KINDS])[kind]
    return Frame(
        author=author[order],
        technique=technique[order],
        downloads=_downloads(band, rng)[order],
        stratum=stratum[order],
        has_config=(evidence == 0)[order],
        adapters=adapters,
        size=size,
        adapters_of=adapters_of,
    )


def _kind_chances(model: Model, *, is_lora: bool, is_since: bool) -> Floats:
    """Chance of each kind, for an adapter of this technique and period; 0 for kinds of the other period."""
    evidence = np.array([1 - model.related_only - model.hidden, model.related_only, model.hidden])
    if is_lora:
        tagged, named = model.tagged_since if is_since else model.tagged_before, model.wrongly_named
    else:
        tagged, named = model.wrongly_tagged, model.named
    signs = np.array([1 - tagged - named, tagged, named])
    bands = np.array([1 - sum(model.downloaded), *model.downloaded])
    chances = [evidence[e] * signs[s] * bands[b] if bool(since) == is_since else 0.0 for e, s, since, b in KINDS]
    return np.array(chances)


def _downloads(band: Integers, rng: np.random.Generator) -> Floats:
    """Downloads within their band: 0 to 999, mostly few; then Pareto's tail, up to a million."""
    few = np.floor(rng.exponential(20.0, len(band))).clip(max=999)
    top = np.flatnonzero(band)
    few[top] = np.minimum(np.where(band[top] == 1, 1e3, 1e4) * rng.random(len(top)) ** (-1 / 1.2), 1e6)
    few[band == 1] = few[band == 1].clip(max=9_999)
    counts: Floats = few
    return counts


@dataclass(frozen=True, slots=True)
class Sample:
    """What was found in the files: the adapters among the repositories drawn."""

    design: Design
    item: Integers
    """Place in the frame of each adapter drawn."""
    drawn: Integers
    """Repositories drawn per stratum."""
    files: int


def draw(frame: Frame, sample: int, design: sampling.Design, rng: np.random.Generator) -> Sample:
    """A sample of the frame, without replacement within strata, as many of each as hubstats.sampling says."""
    if design == "simple":
        sizes, ends = np.array([frame.size.sum()]), np.array([len(frame.author)])
        wanted = sampling.allocate({sampling.SIMPLE: int(sizes[0])}, sample)
        numbers = np.array([wanted[sampling.SIMPLE]])
    else:
        sizes, ends = frame.size, np.cumsum(frame.adapters)
        wanted = sampling.allocate(dict(zip(STRATUM_NAMES, sizes.tolist(), strict=True)), sample)
        numbers = np.array([wanted[name] for name in STRATUM_NAMES])
    starts = np.concatenate([[0], ends[:-1]])
    items, strata = [], []
    for code, (size, number, start, end) in enumerate(zip(sizes, numbers, starts, ends, strict=True)):
        # The first places of a stratum are its adapters; the others are repositories that use nothing.
        places = rng.choice(size, number, replace=False, shuffle=False)
        found = places[places < end - start] + start
        items.append(found)
        strata.append(np.full(len(found), code))
    item, stratum = np.concatenate(items), np.concatenate(strata)
    there = sizes > 0
    codes = np.cumsum(there) - 1
    _, cluster = np.unique(frame.author[item], return_inverse=True)
    made = Design(
        weight=(sizes / np.maximum(numbers, 1))[stratum],
        cluster=cluster,
        stratum=codes[stratum],
        drawn=numbers[there].astype(float),
        fraction=(numbers[there] / sizes[there]).astype(float),
    )
    return Sample(made, item, numbers, int(numbers.sum() + frame.has_config[item].sum()))


def author_sizes(frame: Frame, sample: Sample) -> Floats:
    """Part of its author's vote that each adapter drawn has, by hubstats.estimate.author_votes.

    Repositories drawn that are no adapters each have an author of their own.
    """
    strata = len(sample.drawn)
    by_stratum = frame.stratum if strata > 1 else np.zeros(len(frame.stratum), np.uint8)
    others = sample.drawn - np.bincount(by_stratum[sample.item], minlength=strata)
    authors = len(frame.adapters_of)
    items = pl.DataFrame(
        {
            "author": np.concatenate([frame.author[sample.item], authors + np.arange(others.sum())]),
            "stratum": np.concatenate([by_stratum[sample.item], np.repeat(np.arange(strata), others)]),
        }
    )
    drawn = np.zeros(authors, np.bool_)
    drawn[frame.author[sample.item]] = True
    theirs = np.flatnonzero(drawn[frame.author])
    cells, repositories = np.unique(frame.author[theirs] * strata + by_stratum[theirs], return_counts=True)
    author_frame = pl.DataFrame({"author": cells // strata, "stratum": cells % strata, "repositories": repositories})
    within = np.arange(items.height) < len(sample.item)
    return author_votes(items, within, author_frame)[: len(sample.item)]
