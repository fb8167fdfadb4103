"""Which repositories to fetch files of: a stratified sample that can grow.

Phase 1, the listing, is cheap and complete; phase 2, the files, is dear. The frame is cut into strata by what
the listing says, and strata rich in rare techniques get more than their part: PEFT tags LoRA adapters `lora` and
tags nothing else, so untagged adapters are where the other techniques are.

Within a stratum every repository has a permanent random number, the MD5 of seed and id, and the sample is the
first n by that number: a simple random sample without replacement, the same whoever draws it, and the first n of
a larger sample (permanent random numbers: Ohlsson 1995, in Business Survey Methods, ch. 9). The inclusion
probability n / N is kept with each repository drawn.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

PARTS: Mapping[str, float] = {
    "adapter, not tagged lora": 0.40,
    "adapter, tagged lora": 0.25,
    "no adapter listed, technique in tags or name": 0.15,
    "rest": 0.20,
}
"""Stratum -> part of the sample it gets while it has that many. inputs/frame.sql assigns the strata."""


def allocate(frame_sizes: Mapping[str, int], sample: int, already: Mapping[str, int] | None = None) -> dict[str, int]:
    """How many to draw from each stratum, in all `sample` or the whole frame.

    Places are given one by one to the stratum that lacks most of its part (the divisor method of Webster and
    Sainte-Lague), so a larger sample never takes a place back; a stratum smaller than its part is taken whole and
    the others share what it leaves. Never fewer than were drawn `already`: what was fetched stays in the sample.
    Every stratum that has any gets at least 2, since a variance needs two; so a tiny `sample` comes out larger.
    """
    already = already or {}
    least = min(PARTS.values())
    drawn = dict.fromkeys(frame_sizes, 0)
    queue = [(0.5 / PARTS.get(name, least), name) for name, size in frame_sizes.items() if size > 0]
    heapq.heapify(queue)
    for _ in range(min(sample, sum(frame_sizes.values()))):
        _, name = heapq.heappop(queue)
        drawn[name] += 1
        if drawn[name] < frame_sizes[name]:
            heapq.heappush(queue, ((drawn[name] + 0.5) / PARTS.get(name, least), name))
    return {name: min(size, max(drawn[name], already.get(name, 0), 2)) for name, size in frame_sizes.items()}
