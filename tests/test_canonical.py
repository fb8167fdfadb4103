"""Figures are a function of what was read: neither the order of rows nor anybody's name moves a bit of one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubstats.estimate import INPUTS, PARTS, estimate_all, figures
from hubstats.estimate.canonical import ITEMS, ORDER, OWNERS, TREES, canonical
from hubstats.records import Record
from hubstats.store import read_input
from hubstats.techniques import load

from .test_queries import connect, fill

Frames = dict[str, pl.DataFrame]
Name = Callable[[str], str]

STRATA = {"rich": 1 / 0.3, "poor": 1 / 0.07}
TECHNIQUES = ["lora", "ia3", "oft", "loha", "adalora", "other:NEW_ONE"]


@pytest.fixture(scope="module")
def fixed() -> Frames:
    """The inputs as the fixed rows of test_queries give them: every input has rows."""
    with connect() as connection:
        fill(connection)
        return {name: connection.sql(read_input(name)).pl() for name in INPUTS}


def drawn(fixed: Mapping[str, pl.DataFrame], seed: int) -> Frames:
    """Rows made up by a seed: authors of many sizes, weights that no binary number holds, items of several uses."""
    dice = random.Random(seed)
    authors = [f"author{number}" for number in range(dice.randint(2, 12))]
    items: list[dict[str, Any]] = []
    for number in range(dice.randint(5, 60)):
        owner = authors[int(len(authors) * dice.random() ** 3)] if dice.random() < 0.9 else None
        stratum = dice.choice(sorted(STRATA))
        uses = sorted(set(dice.choices(TECHNIQUES, k=dice.choice([0, 1, 1, 1, 2, 3]))))
        items.append(
            {
                "source": dice.choice(["hub", "hub", "hub", "cards"]),
                "subject_id": f"{owner or 'x'}/{number}",
                "author": owner,
                "downloads": dice.choice([None, 0, 1, 3, 1000, 123457]),
                "created_at": datetime(2025, 1, 5) + timedelta(days=dice.randrange(120)),
                "peft_version": dice.choice([None, "0.15.2", "0.16.0"]),
                "stratum": stratum,
                "weight": STRATA[stratum],
                "state": "used" if uses else "none",
                "techniques": uses,
                "overlays": ["dora"] if dice.random() < 0.2 else [],
                "blog_technique": dice.choice([None, "lora", "ia3"]),
                "blog_technique_folded": dice.choice([None, "lora", "ia3"]),
                "card_status": dice.choice(["ok", "ok", "missing"]),
                "config_status": dice.choice(["ok", "missing", "gated"]),
                "site_type": None,
                "detector_version": "test",
                "seen_at": datetime(2026, 1, 1),
            }
        )
    subjects = pl.DataFrame(items, schema=fixed["subjects"].schema)
    hub = [item for item in items if item["source"] == "hub"]
    owned = sorted({(item["author"], item["stratum"]) for item in hub if item["author"]})
    named = [(item, sorted(set(dice.choices(TECHNIQUES[:4], k=2)))) for item in items]
    made: dict[str, list[dict[str, Any]]] = {
        "strata": [{"source": "hub", "stratum": name, "frame_size": 5000} for name in STRATA],
        "author_frame": [
            {"source": "hub", "author": author, "stratum": stratum, "repositories": dice.randint(1, 300)}
            for author, stratum in owned
        ],
        "card_names": [
            {
                "source": item["source"],
                "subject_id": item["subject_id"],
                "named": names,
                "proven": item["techniques"] if dice.random() < 0.7 else None,
            }
            for item, names in named
        ],
        "reconcile_cards": [
            {
                "source": item["source"],
                "subject_id": item["subject_id"],
                "technique": name,
                "used": dice.random() < 0.7,
                "unwritten": dice.random() < 0.4,
            }
            for item, names in named
            for name in names
        ],
        "reconcile_search": [
            {"source": item["source"], "subject_id": item["subject_id"], "techniques": names} for item, names in named
        ],
        "imports_repositories": [
            {
                "source": "github",
                "author": f"owner{number % 7}",
                "subject_id": f"owner{number % 7}/r{number}",
                "technique": name,
                "seen_at": datetime(2026, 1, 1),
            }
            for number in range(dice.randint(1, 20))
            for name in sorted(set(dice.choices(TECHNIQUES[:5], k=4)))
        ],
    }
    return {
        **fixed,
        "subjects": subjects,
        **{name: pl.DataFrame(rows, schema=fixed[name].schema) for name, rows in made.items()},
    }


def renamed(frames: Mapping[str, pl.DataFrame], name: Name) -> Frames:
    """Every owner, repository and path under another name, the same one wherever it stands."""

    def item(text: str) -> str:
        owner, slash, rest = text.partition("/")
        return f"{name(owner)}{slash}{name(rest)}" if slash else name(text)

    made = dict(frames)
    for key, frame in frames.items():
        changes = [
            pl.col(column).map_elements(change, return_dtype=pl.String)
            for column, change in (("author", name), ("subject_id", item), ("repo", item), ("path", name))
            if column in frame.columns
        ]
        made[key] = frame.with_columns(changes)
    return made


def shuffled(frames: Mapping[str, pl.DataFrame], seed: int) -> Frames:
    return {name: frame.sample(fraction=1, shuffle=True, seed=seed) for name, frame in frames.items()}


def rows_of(made: Mapping[type[Record], list[Record]]) -> Iterator[str]:
    """Every figure with every bit of it: repr tells any two floats apart."""
    for table, records in made.items():
        yield from sorted(f"{table.TABLE} {record!r}" for record in records)


def test_every_input_has_an_order() -> None:
    assert {*ORDER, *TREES, *ITEMS, *OWNERS, "subjects", "dump_lacks"} == set(INPUTS)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31), other=st.integers(1, 2**31), salt=st.text(min_size=1, max_size=4))
def test_neither_order_nor_names_change_a_bit(fixed: Frames, seed: int, other: int, salt: str) -> None:
    frames = drawn(fixed, seed)
    frames.pop("bench_runs")
    parts = [part for part in PARTS if set(part.INPUTS) <= set(frames)]
    secret = random.Random(salt)
    names: dict[str, str] = {}
    changed = shuffled(renamed(frames, lambda text: names.setdefault(text, f"{secret.random()}")), other)
    one, two = canonical(frames), canonical(changed)
    for name in one:
        hashes = [column for column in ("author_hash",) if column in one[name].columns]
        assert one[name].drop(hashes).equals(two[name].drop(hashes)), name
    registry = load()
    for part in parts:
        first, second = (sorted(map(repr, part.estimate(rows, registry))) for rows in (one, two))
        assert first == second


def test_every_figure_of_the_fixed_rows_survives_shuffling_and_renaming(fixed: Frames) -> None:
    registry = load()
    whole = list(rows_of(estimate_all(fixed, registry)))
    assert len(whole) > 300
    for seed in (1, 2):
        names: dict[str, str] = {}
        secret = random.Random(seed)
        changed = shuffled(renamed(fixed, lambda text: names.setdefault(text, f"{secret.random()}")), seed)  # noqa: B023
        assert list(rows_of(estimate_all(changed, registry))) == whole


def test_twice_is_once_and_the_rows_are_all_there(fixed: Frames) -> None:
    once = canonical(fixed)
    assert list(once) == list(fixed)
    twice = canonical(once)
    for name, frame in once.items():
        assert frame.schema == fixed[name].schema, name
        assert frame.equals(twice[name]), name
        if name not in ITEMS:
            assert frame.height == fixed[name].height, name
    registry = load()
    assert list(rows_of(figures(once, registry))) == list(rows_of(estimate_all(fixed, registry)))


def test_no_name_is_left(fixed: Frames) -> None:
    for name, frame in canonical(fixed).items():
        for column in ("author", "subject_id", "repo", "path"):
            for value in frame[column].drop_nulls().to_list() if column in frame.columns else []:
                assert value.replace("/", "").isdigit(), f"{name}.{column}: {value}"


def test_who_belongs_to_whom_is_kept(fixed: Frames) -> None:
    made = canonical(fixed)
    for name in ("subjects", "reconcile_code", "imports_files"):
        owner = "repo" if name == "reconcile_code" else "author"
        for source in fixed[name]["source"].unique():
            here = pl.col("source") == source
            sizes = [
                sorted(rows.filter(here).group_by(owner).len()["len"].to_list()) for rows in (fixed[name], made[name])
            ]
            assert sizes[0] == sizes[1], name
    told = made["card_names"].join(made["subjects"], on=["source", "subject_id"])
    assert told.height == made["card_names"].height
    before = fixed["card_names"].join(fixed["subjects"], on=["source", "subject_id"])
    pairs = [
        sorted(map(repr, rows.select("named", "proven", "techniques", "weight").rows())) for rows in (told, before)
    ]
    assert pairs[0] == pairs[1]
