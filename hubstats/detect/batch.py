"""Many documents at once: the piece of detection that is handed to a worker, wherever it runs.

The worker has the registry and the rules already, as part of hubstats; that they are the caller's is checked, since a
cluster may have been set up at another time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

from hubstats import detect as detector
from hubstats.errors import EngineError
from hubstats.records import Detection, Document, Verdict
from hubstats.techniques import load

MOST = 500
MOST_CHARACTERS = 4_000_000
"""Documents of one batch, and characters of their texts: a second or two of work."""

Names = tuple[int, ...] | None
"""Where in a card names may end, as `detect` takes it; None: not known."""
Judged = list[tuple[tuple[Detection, ...], Verdict]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents to be judged by one version of the rules."""

    documents: tuple[Document, ...]
    names: tuple[Names, ...]
    version: str


def batches(documents: Iterable[Document], version: str, names: Iterable[Names] = repeat(None)) -> Iterator[Batch]:
    """The documents in batches, in their order."""
    held: list[Document] = []
    known: list[Names] = []
    size = 0
    for document, places in zip(documents, names, strict=False):
        characters = len(document.card or "") + len(document.config or "")
        if held and (len(held) >= MOST or size + characters > MOST_CHARACTERS):
            yield Batch(tuple(held), tuple(known), version)
            held, known, size = [], [], 0
        held.append(document)
        known.append(places)
        size += characters
    if held:
        yield Batch(tuple(held), tuple(known), version)


def detect_batch(batch: Batch) -> Judged:
    """What `detect` says of each document, in order. Raises EngineError where the rules are of another version."""
    registry = load()
    if (here := detector.version(registry)) != batch.version:
        raise EngineError(
            f"a worker has the rules {here}, this process {batch.version}: install the same hubstats on every node"
        )
    return [
        detector.detect(document, registry, names) for document, names in zip(batch.documents, batch.names, strict=True)
    ]


def lost(batch: Batch, why: str) -> Judged:
    """Raises EngineError: documents cannot be left without a verdict."""
    subject = batch.documents[0].subject_id
    raise EngineError(f"{len(batch.documents)} documents from {subject} on could not be judged: {why}")
