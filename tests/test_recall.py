"""Mention recall and the corrected share: by hand, against the config share, and their coverage by simulation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstats.estimate import recall
from hubstats.records import MentionRecall, NotEstimated, Record
from hubstats.store import DERIVED, migrations, read_input
from hubstats.techniques import Condition, Registry, Technique

from .test_trend import frames, subjects

REGISTRY = Registry(
    [
        Technique("lora", "LoRA", "low-rank", "method", peft_type="LORA"),
        Technique("ia3", "(IA)3", "scaling", "method", peft_type="IA3"),
        Technique(
            "dora", "DoRA", "low-rank", "variant", "lora", peft_type="LORA",
            config=((Condition("use_dora", "equals", True),),),
        ),
        Technique("qlora", "QLoRA", "low-rank", "recipe", "lora"),
    ]
)  # fmt: skip

Card = tuple[Sequence[str], Sequence[str] | None]
"""What a card names, and what its config says (None: no readable config)."""


def records(
    cards: Mapping[str, Sequence[Card]], authors: Mapping[str, Sequence[str]] | None = None, **more: Any
) -> list[Record]:
    rows, names = [], []
    for source, those in cards.items():
        for place, (named, proven) in enumerate(those):
            key = f"{source}/{place}"
            author = authors[source][place] if authors else key
            rows.append({"source": source, "subject_id": key, "author": author} | more)
            names.append(
                {
                    "source": source,
                    "subject_id": key,
                    "named": list(named),
                    "proven": None if proven is None else list(proven),
                }
            )
    schema = {
        "source": pl.String,
        "subject_id": pl.String,
        "named": pl.List(pl.String),
        "proven": pl.List(pl.String),
    }
    return list(recall.estimate(frames(subjects(*rows), card_names=pl.DataFrame(names, schema=schema)), REGISTRY))


def made(cards: Mapping[str, Sequence[Card]], **more: Any) -> dict[str, MentionRecall]:
    return {row.recall_id: row for row in records(cards, **more) if isinstance(row, MentionRecall)}


HUB: Sequence[Card] = (
    *[(["lora"], ["lora"])] * 24,
    *[([], ["lora"])] * 8,
    *[(["qlora"], ["lora"])] * 8,
    *[(["lora"], ["ia3"])] * 6,
    *[(["ia3"], ["ia3"])] * 4,
    *[(["lora"], None)] * 20,
    *[([], None)] * 10,
)


def test_recall_precision_and_the_correction_by_hand() -> None:
    found = made({"hub": HUB})
    lora = found["recall/hub/named/lora"]
    assert (lora.configs, lora.naming, lora.agreeing, lora.cards) == (40, 30, 24, 80)
    assert lora.recall == pytest.approx(24 / 40)
    assert lora.precision == pytest.approx(24 / 30)
    assert lora.mention_share == pytest.approx(50 / 80)
    assert lora.corrected_share == pytest.approx(50 / 80 * (24 / 30) / (24 / 40))
    assert lora.corrected_low is not None
    assert lora.corrected_high is not None
    # linearised by hand, items of one author each, everything read: m / (m - 1) * sum of u^2
    u = [1 / 50 - 1 / 80 + 1 / 40 - 1 / 30] * 24 + [-1 / 80 + 1 / 40] * 16 + [1 / 50 - 1 / 80 - 1 / 30] * 6
    u += [-1 / 80] * 4 + [1 / 50 - 1 / 80] * 20 + [-1 / 80] * 10
    error = math.sqrt(80 / 79 * sum(one**2 for one in u))
    reach = math.log(lora.corrected_share / lora.corrected_low)
    assert 1.96 * error < reach < 2.1 * error
    wide = found["recall/hub/named_or_variant/lora"]
    assert (wide.agreeing, wide.naming) == (32, 38)
    assert wide.recall == pytest.approx(32 / 40)
    ia3 = found["recall/hub/named/ia3"]
    assert (ia3.recall, ia3.precision, ia3.corrected_share) == (0.4, 1, None)
    assert "fewer than 10" in (ia3.caveat or "")
    assert "recall/hub/named/qlora" not in found, "no config shows QLoRA, so nothing can be proven of it"
    assert "recall/hub/named_or_variant/ia3" not in found, "it has no variants: the same as named"


def test_weights_count() -> None:
    cards = {"hub": [(["lora"], ["lora"])] * 10 + [([], ["lora"])] * 10}
    rows = records(cards)
    assert isinstance(rows[0], MentionRecall)
    items = subjects(
        *[
            {"subject_id": f"hub/{n}", "author": f"a{n}", "weight": 1.0 if n < 10 else 3.0, "stratum": str(n // 10)}
            for n in range(20)
        ]
    )
    names = pl.DataFrame(
        {
            "source": ["hub"] * 20,
            "subject_id": [f"hub/{n}" for n in range(20)],
            "named": [["lora"]] * 10 + [[]] * 10,
            "proven": [["lora"]] * 20,
        },
        schema_overrides={"named": pl.List(pl.String)},
    )
    [row, *_] = [
        row
        for row in recall.estimate(frames(items, card_names=names), REGISTRY)
        if isinstance(row, MentionRecall) and row.rule == "named"
    ]
    assert row.recall == pytest.approx(10 / 40)
    assert row.corrected_share == pytest.approx(1)


def test_where_configs_are_read_everywhere_the_corrected_share_is_theirs() -> None:
    cards = [card for card in HUB if card[1] is not None]
    lora = made({"hub": cards})["recall/hub/named/lora"]
    assert lora.corrected_share == pytest.approx(40 / 50)


def test_a_source_without_configs_is_corrected_by_the_hub_s() -> None:
    dump: Sequence[Card] = [(["lora"], None)] * 30 + [([], None)] * 30
    found = made({"hub": HUB, "dump": dump})
    lora = found["recall/dump/named/lora"]
    assert lora.measured_on == "hub"
    assert lora.corrected_share == pytest.approx(0.5 * (40 / 30))
    assert "of hub" in (lora.caveat or "")
    alone = found["recall/hub/named/lora"]
    assert lora.corrected_low is not None
    assert alone.corrected_low is not None
    assert alone.corrected_share is not None
    # its mentions and the hub's ratio both add to it
    ratio = [1 / 40 - 1 / 30] * 24 + [1 / 40] * 16 + [-1 / 30] * 6
    mention = [1 / 30 - 1 / 60] * 30 + [-1 / 60] * 30
    error = math.sqrt(80 / 79 * sum(one**2 for one in ratio) + 60 / 59 * sum(one**2 for one in mention))
    assert 1.96 * error < math.log(lora.corrected_share / lora.corrected_low) < 2.1 * error
    assert records({"dump": dump}) == [
        NotEstimated(
            "dump",
            "mention recall",
            "named",
            "no item has a readable card and a readable config, and the hub's are not in this file",
        )
    ]


def test_a_series_of_one_author_is_one_author() -> None:
    many = made({"hub": HUB})["recall/hub/named/lora"]
    few = made({"hub": HUB}, authors={"hub": [f"a{n // 8}" for n in range(len(HUB))]})["recall/hub/named/lora"]
    assert (few.recall, few.corrected_share) == (many.recall, many.corrected_share)
    for name in ("recall", "corrected"):
        assert getattr(few, f"{name}_low") < getattr(many, f"{name}_low") - 0.05
    one = made({"hub": HUB}, authors={"hub": ["a"] * len(HUB)})["recall/hub/named/lora"]
    assert (one.recall_low, one.corrected_share) == (None, None)


def test_no_variance_is_no_certainty() -> None:
    lora = made({"hub": [(["lora"], ["lora"])] * 40})["recall/hub/named/lora"]
    assert (lora.recall, lora.corrected_share, lora.corrected_high) == (1, 1, 1)
    assert lora.corrected_low is not None
    assert 0.8 < lora.corrected_low < 0.95


def test_nothing_named_is_nothing_with_an_upper_end() -> None:
    found = made({"hub": HUB, "dump": [([], None)] * 30})
    lora = found["recall/dump/named/lora"]
    assert (lora.mention_share, lora.corrected_share, lora.corrected_low) == (0, 0, 0)
    assert lora.corrected_high is not None
    assert 0.05 < lora.corrected_high < 0.3


CARD = st.tuples(
    st.lists(st.sampled_from(["lora", "ia3", "dora", "qlora", "other:X", "never"]), unique=True, max_size=3),
    st.one_of(st.none(), st.lists(st.sampled_from(["lora", "ia3", "dora", "other:X"]), unique=True, max_size=2)),
)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.sampled_from(["hub", "dump", "cards"]), st.lists(CARD, max_size=30), max_size=3),
    st.sampled_from([1.0, 7.5]),
    st.integers(1, 40),
)
def test_no_input_gives_a_number_that_is_none(cards: Mapping[str, Sequence[Card]], weight: float, authors: int) -> None:
    owners = {source: [f"a{n % authors}" for n in range(len(those))] for source, those in cards.items()}
    for row in made(cards, authors=owners, weight=weight).values():
        for name in ("recall", "precision", "mention", "corrected"):
            middle = getattr(row, f"{name}_share" if name in ("mention", "corrected") else name)
            low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
            assert all(value is None or (math.isfinite(value) and 0 <= value <= 1) for value in (low, middle, high))
            if low is not None and middle is not None and high is not None:
                assert low <= middle + 1e-9
                assert middle <= high + 1e-9


@pytest.mark.parametrize(("share", "least"), [(0.9, 0.92), (0.05, 0.92)])
def test_the_interval_of_the_corrected_share_covers(share: float, least: float) -> None:
    rng = np.random.default_rng(20261124)
    replications, hits, naive, asked = 200, 0, 0, 0
    for _ in range(replications):
        sizes = np.minimum(np.ceil(rng.pareto(1.5, 1200)), 60).astype(int)
        author = np.repeat(np.arange(1200), sizes)
        uses = rng.random(len(author)) < rng.beta(2 * share, 2 - 2 * share, 1200)[author]
        # some name everything they use, some hardly anything; names of what is not used come from others' tables
        names = rng.random(len(author)) < np.where(uses, rng.beta(1.2, 0.8, 1200)[author], 0.1 * share)
        readable = rng.random(len(author)) < 0.4
        drawn = rng.choice(len(author), 1200, replace=False)
        cards = [
            (["ia3"] if names[i] else [], (["ia3"] if uses[i] else ["lora"]) if readable[i] else None) for i in drawn
        ]
        found = made(
            {"hub": cards}, authors={"hub": [f"a{author[i]}" for i in drawn]}, weight=len(author) / len(drawn)
        )["recall/hub/named/ia3"]
        if found.corrected_low is None or found.corrected_high is None:
            continue
        asked += 1
        hits += found.corrected_low <= share <= found.corrected_high
        assert found.mention_low is not None
        assert found.mention_high is not None
        naive += found.mention_low <= share <= found.mention_high
    assert asked > 0.4 * replications
    assert hits / asked >= least
    assert naive / asked < 0.7, "the mention share should miss here, or there is nothing to correct"


# --- its rows -----------------------------------------------------------------------------------------------------


def test_only_readable_cards_and_configs_of_adapters_are_paired() -> None:
    connection = duckdb.connect()
    for _, sql in migrations():
        connection.execute(sql)
    rows = {  # card, config, state, what the config says
        "a/both": ("ok", "ok", "used", "lora"),
        "a/long": ("too_large", "ok", "used", "lora"),
        "a/nocard": ("missing", "ok", "used", "lora"),
        "a/gated": ("ok", "gated", "unknown_adapter", None),
        "a/mentions": ("ok", "missing", "mentioned", None),
        "a/other": ("ok", "ok", "used", "other:X"),
    }
    for name, (card, config, state, said) in rows.items():
        connection.execute("INSERT INTO model_card (source, model_id, status) VALUES ('hub', ?, ?)", [name, card])
        connection.execute("INSERT INTO adapter_config (source, model_id, status) VALUES ('hub', ?, ?)", [name, config])
        connection.execute(
            "INSERT INTO verdict (source, subject_id, state, mentions, detector_version)"
            " VALUES ('hub', ?, ?, ['lora'], '')",
            [name, state],
        )
        for technique, kind in ((said, "config"), ("ia3", "prose")):
            if technique:
                connection.execute(
                    "INSERT INTO detection (source, subject_id, technique, evidence_kind, excerpt, detector_version,"
                    " \"use\") VALUES ('hub', ?, ?, ?, '', '', true)",
                    [name, technique, kind],
                )
    for table in DERIVED:
        connection.execute(f"INSERT INTO {table} BY NAME {read_input(f'{table}_rows')}")
    assert connection.sql(read_input("card_names")).pl().select("subject_id", "named", "proven").rows() == [
        ("a/both", ["lora"], ["lora"]),
        ("a/gated", ["lora"], None),
        ("a/long", ["lora"], ["lora"]),
        ("a/other", ["lora"], ["other:X"]),
    ]
