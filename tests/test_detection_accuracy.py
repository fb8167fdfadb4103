"""Precision and recall on labelled real cards and configs, with floors below which a change has broken something.

The labels are one person's; the floors are those we promise on cards that were never looked at. `used` compares what
the card itself says was used (`used_names`), `mentioned` all that it names.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from hubstats.detect import detect, used_names
from hubstats.detect.front_matter import read_front_matter
from hubstats.records import Document
from hubstats.techniques import load

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
CARDS = DATA / "model_cards"
CONFIGS = DATA / "adapter_configs"
REGISTRY = load()

VARIANT_OF_FLAG = {"use_dora": "dora", "use_bdlora": "bdlora", "use_rslora": "rslora"}
"""Flags in the configs' labels that are variants; init_weights and rank_pattern there are settings of their methods."""

needs_cards = pytest.mark.skipif(not CARDS.is_dir(), reason="the labelled model cards are not on this machine")
needs_configs = pytest.mark.skipif(not CONFIGS.is_dir(), reason="the labelled adapter configs are not on this machine")


@dataclass(frozen=True)
class Score:
    hits: int
    false: int
    missed: int

    @property
    def precision(self) -> float:
        return self.hits / (self.hits + self.false)

    @property
    def recall(self) -> float:
        return self.hits / (self.hits + self.missed)


@dataclass(frozen=True)
class Judged:
    row: dict[str, str]
    used: frozenset[str]
    mentioned: frozenset[str]
    front_matter: str


def score(pairs: Iterable[tuple[frozenset[str], frozenset[str]]]) -> Score:
    hits = false = missed = 0
    for found, true in pairs:
        hits, false, missed = hits + len(found & true), false + len(found - true), missed + len(true - found)
    return Score(hits, false, missed)


def labels(cell: str) -> frozenset[str]:
    return frozenset(filter(None, cell.split("|")))


def as_labelled(keys: Iterable[str]) -> frozenset[str]:
    # The labels do not tell the placements of bottleneck adapters apart.
    return frozenset("bottleneck_adapter" if REGISTRY.base(key).key == "bottleneck_adapter" else key for key in keys)


@cache
def cards() -> tuple[Judged, ...]:
    judged = []
    with (CARDS / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            text = (CARDS / row["file"]).read_bytes().decode("utf-8", errors="replace")
            detections, verdict = detect(Document("labelled", row["file"], card=text), REGISTRY)
            judged.append(
                Judged(
                    row,
                    as_labelled(used_names(detections, verdict)),
                    as_labelled(verdict.mentions),
                    read_front_matter(text).state,
                )
            )
    return tuple(judged)


def high() -> list[Judged]:
    return [card for card in cards() if card.row["confidence"] == "high"]


@needs_cards
def test_used_techniques() -> None:
    assert len(high()) >= 50
    result = score((card.used, labels(card.row["used"])) for card in high())
    assert result.precision >= 0.97, result
    assert result.recall >= 0.95, result


@needs_cards
def test_mentioned_techniques() -> None:
    result = score((card.mentioned, labels(card.row["mentioned"])) for card in high())
    assert result.precision >= 0.97, result
    assert result.recall >= 0.97, result


@needs_cards
def test_front_matter_states() -> None:
    wrong = {card.row["file"] for card in cards() if card.front_matter != card.row["front_matter"]}
    assert not wrong


@needs_cards
def test_cards_labelled_with_less_confidence_give_no_false_use() -> None:
    less = [card for card in cards() if card.row["confidence"] != "high"]
    assert score((card.used, labels(card.row["used"])) for card in less).false == 0


@needs_configs
def test_every_config_and_variant() -> None:
    seen = 0
    with (CONFIGS / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            text = (CONFIGS / row["file"]).read_text(encoding="utf-8")
            _, verdict = detect(Document("labelled", row["file"], config=text), REGISTRY)
            assert verdict.state == "used", row["file"]
            assert verdict.evidence_kind == "config", row["file"]
            assert verdict.technique is not None, row["file"]
            assert REGISTRY.get(verdict.technique).peft_type == row["peft_type"], row["file"]
            flags = {VARIANT_OF_FLAG[flag] for flag in labels(row["variant_flags"]) if flag in VARIANT_OF_FLAG}
            assert flags <= set(verdict.overlays), row["file"]
            assert {"dora", "rslora", "bdlora", "loftq", "eva", "qalora"} & set(verdict.overlays) <= flags, row["file"]
            seen += 1
    assert seen >= 60


def test_the_score_counts_what_it_says() -> None:
    result = score([(frozenset("ab"), frozenset("bc")), (frozenset(), frozenset("d"))])
    assert (result.hits, result.false, result.missed) == (1, 1, 2)
    assert (result.precision, result.recall) == (0.5, pytest.approx(1 / 3))
