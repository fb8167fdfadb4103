"""Allocation of the sample, and the draw itself in a real file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstats.pipeline import Silent, Writer, draw_sample
from hubstats.records import HubModel, SourceOptions
from hubstats.sampling import PARTS, allocate
from hubstats.store import Store

sizes = st.dictionaries(st.sampled_from([*PARTS, "a stratum of its own"]), st.integers(0, 5000), min_size=1)


@given(sizes, st.integers(1, 20_000))
def test_takes_what_was_asked_for_and_no_more_than_there_is(frame: dict[str, int], sample: int) -> None:
    drawn = allocate(frame, sample)
    assert set(drawn) == set(frame)
    assert all(0 <= drawn[name] <= size for name, size in frame.items())
    # Two are added where a stratum would have none.
    assert min(sample, sum(frame.values())) <= sum(drawn.values()) <= sample + 2 * len(frame)
    if all(size == 0 or drawn[name] > 2 for name, size in frame.items()):
        assert sum(drawn.values()) == min(sample, sum(frame.values()))
    assert all(drawn[name] >= min(2, size) for name, size in frame.items())


@given(sizes, st.integers(1, 10_000), st.integers(0, 10_000))
def test_a_larger_sample_takes_no_stratum_back(frame: dict[str, int], sample: int, more: int) -> None:
    small, large = allocate(frame, sample), allocate(frame, sample + more)
    assert all(large[name] >= small[name] for name in frame)


@given(sizes, st.integers(1, 1000))
def test_what_was_drawn_stays_drawn(frame: dict[str, int], sample: int) -> None:
    already = {name: size // 2 for name, size in frame.items()}
    assert all(allocate(frame, sample, already)[name] >= already[name] for name in frame)


def test_large_strata_share_by_the_stated_parts() -> None:
    drawn = allocate(dict.fromkeys(PARTS, 1_000_000), 10_000)
    assert drawn == {name: round(10_000 * part) for name, part in PARTS.items()}


def test_what_a_small_stratum_leaves_goes_to_the_others() -> None:
    names = list(PARTS)
    drawn = allocate({names[0]: 10, names[1]: 10**6, names[3]: 10**6}, 1000)
    assert drawn[names[0]] == 10
    assert drawn[names[1]] == round(990 * 0.25 / 0.45)
    assert drawn[names[3]] == round(990 * 0.20 / 0.45)


def fill(db: Path, count: int, first: int = 0) -> None:
    kinds = [("peft",), ("peft", "lora"), ("lora",), ()]
    with Writer(db, Silent()) as writer:
        writer.write("hub", [HubModel("hub", f"o/{n}", tags=kinds[n % 4]) for n in range(first, first + count)])


def drawn(db: Path, seed: int = 0) -> dict[str, float]:
    with Store.open(db) as store:
        found = store.frame(f"SELECT model_id, inclusion_probability FROM sample_frame WHERE seed = {seed}")
    return dict(found.iter_rows())


def draw(db: Path, sample: int, seed: int = 0) -> set[str]:
    with Writer(db, Silent()) as writer:
        return {subject.model_id for subject in draw_sample(writer, "hub", SourceOptions(sample=sample, seed=seed))}


def test_the_draw_is_seeded_stratified_and_extendable(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 4000)
    assert draw(db, 200) == set(drawn(db))
    small = drawn(db)
    assert len(small) == 200
    assert draw(db, 500) >= set(small)
    large = drawn(db)
    assert set(small) < set(large)
    draw(db, 300)
    assert drawn(db) == large, "asking for fewer takes nothing back"
    draw(db, 200, seed=1)
    assert set(drawn(db, 1)) != set(small)
    with Store.open(db) as store:
        found = store.frame(
            "SELECT stratum, frame_size, sample_size, count(*) AS there, min(inclusion_probability) AS least,"
            " max(inclusion_probability) AS most, max(draw_rank) AS last"
            " FROM sample_stratum JOIN sample_frame USING (source, seed, stratum) WHERE seed = 0 GROUP BY ALL"
        )
    assert found.height == 4
    for row in found.iter_rows(named=True):
        assert row["frame_size"] == 1000
        assert row["there"] == row["sample_size"] == row["last"] == round(500 * PARTS[row["stratum"]])
        assert row["least"] == row["most"] == pytest.approx(row["sample_size"] / 1000)


def test_new_repositories_enter_and_none_that_was_drawn_leaves_the_store(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 400)
    draw(db, 40)
    fill(db, 400, first=400)
    again = draw(db, 40)
    assert again & {f"o/{n}" for n in range(400, 800)}, "a repository added later has its chance"


def test_weighted_counts_give_back_the_frame(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 1003)
    draw(db, 120)
    assert sum(1 / probability for probability in drawn(db).values()) == pytest.approx(1003)
