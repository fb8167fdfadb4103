"""Which repositories to fetch files of: a stratified sample that can grow.

Phase 1, the listing, is cheap and complete; phase 2, the files, is dear. The view hub_frame cuts the frame into strata
by what the listing says, and strata rich in rare techniques get more than their part: since version 0.16 PEFT tags
LoRA adapters `lora` and tags nothing else, so an adapter since then without the tag is likely to be another technique.

Neyman's allocation with costs gives a stratum of N repositories places in proportion to N S / sqrt(c), S the standard
deviation in it of what is measured and c what a repository costs (Cochran 1977, Sampling Techniques, 3rd ed., ch. 5.5).
Measured is the use of a technique other than LoRA, so S = sqrt(p (1 - p)) with p the rate expected before any file is
read. As these rates are guesses, and a file is asked for more than one figure, each stratum's part has bounds.

Within a stratum every repository has a permanent random number, the MD5 of seed and id, and the sample is the first n
by that number: a simple random sample without replacement, the same whoever draws it, and the first n of a larger
sample (permanent random numbers: Ohlsson 1995, in Business Survey Methods, ch. 9). When the listing has grown the
newcomers below the last number drawn come in and nobody goes out. The inclusion probability n / N is kept with each
repository drawn.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Design = Literal["stratified", "simple"]
"""simple: every repository of the frame has the same chance; for comparison, and for who trusts no stratum."""

SIMPLE = "all"
"""The one stratum of a simple random sample."""

GROWTH = 2.0
"""A stratum that grew beyond this since the draw is another frame, and its sample does not grow with it."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the frame, and what was believed of it before any file was read."""

    name: str
    rate: float
    """Part of it expected to use a technique other than LoRA: p of the module's text."""
    files: int
    """Files a repository of it has: card and config, or the card alone."""
    least: float = 0.02
    """Part of the sample it gets at least."""
    most: float = 1.0

    @property
    def pull(self) -> float:
        """S / sqrt(c) of the module's text."""
        return math.sqrt(self.rate * (1 - self.rate) / self.files)


STRATA: Mapping[str, Stratum] = {
    stratum.name: stratum
    for stratum in (
        # Some 0.5% of the Hub's models have over 500 downloads a month, and most downloads: all of them, or nearly.
        Stratum("adapter, 10,000 downloads or more", 0.05, 2, least=0.05, most=0.10),
        Stratum("adapter, 1,000 downloads or more", 0.05, 2, least=0.05, most=0.10),
        # 6 of 13 configs in folders named for AdaLoRA were AdaLoRA.
        Stratum("adapter, another technique named", 0.45, 2),
        # 5% other than LoRA (1 of 29 cards, 6 of 72 configs). A fifth of LoRA adapters since 0.16 is taken to be
        # saved by older versions, hence untagged: 0.05 / (0.05 + 0.95 / 5) = 0.2.
        Stratum("adapter, nothing named, since 2025-07", 0.20, 2),
        # Before, a third of LoRA is taken to be named by hand or by the trainer: 0.05 / (0.05 + 0.95 * 2 / 3) = 0.07.
        Stratum("adapter, nothing named, before 2025-07", 0.07, 2),
        # Under the tag written by PEFT 38 of 38 were LORA; people err, so not 0, and tags by hand err more often.
        Stratum("adapter, lora named, since 2025-07", 0.002, 2),
        Stratum("adapter, lora named, before 2025-07", 0.003, 2),
        # Of either period.
        Stratum("adapter of a series, nothing named", 0.13, 2, most=0.25),
        Stratum("adapter of a series, lora named", 0.002, 2, most=0.10),
        # No PEFT config: the card is all there is to tell, and PEFT did not write it. As before the tag.
        Stratum("adapter by relation only, nothing named", 0.07, 1, most=0.15),
        Stratum("adapter by relation only, lora named", 0.002, 1, most=0.10),
        Stratum("no adapter listed, another technique named", 0.10, 1, most=0.10),
        Stratum("no adapter listed, lora or an adapter named", 0.005, 1, most=0.10),
        # Nine tenths of the frame, and adapters only by what a card says. The rate is a guess; Neyman's part would be
        # half the sample, for what few adapters they hide.
        Stratum("rest", 0.0005, 1, least=0.05, most=0.25),
    )
}
"""The strata that the view hub_frame assigns. Rates: docs/estimates.md says where each comes from."""

UNKNOWN = Stratum("", 0.05, 2)
"""What is believed of a stratum that is not in STRATA, such as the one of a simple random sample."""


def parts(frame_sizes: Mapping[str, int]) -> dict[str, float]:
    """Part of the sample each stratum gets while it has that many: Neyman's, within the bounds of STRATA. Sums to 1.

    A stratum that is empty gets 0. The parts depend on the frame only, so a larger sample of it has the same.
    """
    strata = {name: STRATA.get(name, UNKNOWN) for name, size in sorted(frame_sizes.items()) if size > 0}
    pull = {name: frame_sizes[name] * stratum.pull for name, stratum in strata.items()}

    def at(scale: float) -> dict[str, float]:
        return {name: min(max(scale * pull[name], belief.least), belief.most) for name, belief in strata.items()}

    # Where the bounds leave room, one scale makes the sum 1; it lies between none and all strata at their most.
    low, high = 0.0, max((strata[name].most / pull[name] for name in strata), default=0.0)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if math.fsum(at(middle).values()) < 1 else (low, middle)
    found = at(high)
    total = math.fsum(found.values())
    return {name: found[name] / total if name in found else 0.0 for name in frame_sizes}


def allocate(frame_sizes: Mapping[str, int], sample: int, already: Mapping[str, int] | None = None) -> dict[str, int]:
    """How many to draw from each stratum, in all `sample` or the whole frame.

    Places are given one by one to the stratum that lacks most of its part (the divisor method of Webster and
    Sainte-Lague), so a larger sample never takes a place back; a stratum smaller than its part is taken whole and
    the others share what it leaves. Never fewer than were drawn `already`: what was fetched stays in the sample.
    Every stratum that has any gets at least 2, since a variance needs two; so a tiny `sample` comes out larger.
    """
    already = already or {}
    part = parts(frame_sizes)
    drawn = dict.fromkeys(frame_sizes, 0)
    queue = [(0.5 / part[name], name) for name, size in frame_sizes.items() if size > 0]
    heapq.heapify(queue)
    for _ in range(min(sample, sum(frame_sizes.values()))):
        _, name = heapq.heappop(queue)
        drawn[name] += 1
        if drawn[name] < frame_sizes[name]:
            heapq.heappush(queue, ((drawn[name] + 0.5) / part[name], name))
    return {name: min(size, max(drawn[name], already.get(name, 0), 2)) for name, size in frame_sizes.items()}


def grown(reached: int, drawn: int) -> int:
    """How many of a stratum the sample already has a claim on.

    `drawn` were drawn of it before, and `reached` repositories of the listing as it is now have numbers up to the last
    one drawn: those drawn, where they are still listed in the stratum, and newcomers. All are kept, so that none that
    was fetched goes out, unless the stratum has become another one (a listing of one tag that became a listing of
    all): then its sample does not grow with it.
    """
    return reached if reached <= GROWTH * drawn else drawn
