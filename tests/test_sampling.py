"""The strata, the allocation of the sample, and the draw itself in a real file."""

from __future__ import annotations

from datetime import datetime
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstats import sampling
from hubstats.errors import ConfigError
from hubstats.pipeline import Silent, Writer, crawl, draw_sample
from hubstats.records import HubModel, SourceOptions
from hubstats.sampling import STRATA, allocate, grown, parts
from hubstats.store import Store, read_input

EARLY, LATE = datetime(2025, 6, 30, 23, 59), datetime(2025, 7, 1)

sizes = st.dictionaries(
    st.sampled_from([*STRATA, "a stratum of its own"]),
    st.one_of(st.integers(0, 40), st.integers(0, 3_000_000)),
    min_size=1,
)


# --- allocation ---------------------------------------------------------------------------------------------------


@given(sizes, st.integers(1, 20_000))
def test_takes_what_was_asked_for_and_no_more_than_there_is(frame: dict[str, int], sample: int) -> None:
    drawn = allocate(frame, sample)
    assert set(drawn) == set(frame)
    assert all(min(2, size) <= drawn[name] <= size for name, size in frame.items())
    # Two are added where a stratum would have none.
    assert min(sample, sum(frame.values())) <= sum(drawn.values()) <= sample + 2 * len(frame)
    if all(size == 0 or drawn[name] > 2 for name, size in frame.items()):
        assert sum(drawn.values()) == min(sample, sum(frame.values()))


@given(sizes, st.integers(1, 10_000), st.integers(0, 10_000))
def test_a_larger_sample_takes_no_stratum_back(frame: dict[str, int], sample: int, more: int) -> None:
    small, large = allocate(frame, sample), allocate(frame, sample + more)
    assert all(large[name] >= small[name] for name in frame)


@given(sizes, st.integers(1, 1000))
def test_what_was_drawn_stays_drawn(frame: dict[str, int], sample: int) -> None:
    already = {name: size // 2 for name, size in frame.items()}
    assert all(allocate(frame, sample, already)[name] >= already[name] for name in frame)


@given(sizes, st.integers(1, 5000))
def test_the_order_of_the_strata_changes_nothing(frame: dict[str, int], sample: int) -> None:
    assert allocate(dict(reversed(frame.items())), sample) == allocate(frame, sample)


@given(sizes)
def test_parts_keep_their_bounds_and_make_a_whole(frame: dict[str, int]) -> None:
    found = parts(frame)
    filled = {name for name, size in frame.items() if size}
    assert {name for name, part in found.items() if part > 0} == filled
    if not filled:
        return
    assert sum(found.values()) == pytest.approx(1)
    beliefs = [STRATA.get(name, sampling.UNKNOWN) for name in filled]
    if sum(belief.most for belief in beliefs) >= 1:
        for name in filled:
            belief = STRATA.get(name, sampling.UNKNOWN)
            assert belief.least - 1e-9 <= found[name] <= belief.most + 1e-9


def test_between_its_bounds_a_stratum_gets_what_neyman_gives_it() -> None:
    rich, poor = "adapter, nothing named, since 2025-07", "adapter, nothing named, before 2025-07"
    drawn = allocate({rich: 100_000, poor: 300_000}, 10_000)
    # N sqrt(p (1 - p)); a repository of either costs two files
    a, b = 100_000 * sqrt(0.20 * 0.80), 300_000 * sqrt(0.07 * 0.93)
    assert drawn == {rich: round(10_000 * a / (a + b)), poor: round(10_000 * b / (a + b))}


def test_a_repository_with_one_file_is_asked_for_more_often() -> None:
    dear = sampling.Stratum("dear", 0.1, 2)
    cheap = sampling.Stratum("cheap", 0.1, 1)
    assert cheap.pull / dear.pull == pytest.approx(sqrt(2))


def test_what_a_small_stratum_leaves_goes_to_the_others() -> None:
    named, rich = "adapter, another technique named", "adapter, nothing named, since 2025-07"
    assert parts({named: 10, rich: 10**6})[named] == pytest.approx(0.02)
    assert allocate({named: 10, rich: 10**6}, 1000) == {named: 10, rich: 990}


def test_no_stratum_starves_and_none_but_adapters_takes_most() -> None:
    # The Hub's proportions: nine tenths of the repositories are no adapters.
    frame = dict.fromkeys(STRATA, 20_000) | {"rest": 2_700_000, "adapter, another technique named": 200}
    drawn = allocate(frame, 1000)
    assert min(drawn.values()) >= 20
    assert drawn["rest"] <= 250


def test_one_stratum_is_a_simple_random_sample() -> None:
    assert allocate({sampling.SIMPLE: 5000}, 700) == {sampling.SIMPLE: 700}
    assert allocate({"rest": 5000}, 700) == {"rest": 700}
    assert allocate({}, 700) == {}


@pytest.mark.parametrize(
    ("reached", "drawn", "claim"), [(0, 0, 0), (11, 10, 11), (20, 10, 20), (21, 10, 10), (7, 10, 7)]
)
def test_a_sample_grows_with_the_listing_but_not_into_another_frame(reached: int, drawn: int, claim: int) -> None:
    assert grown(reached, drawn) == claim


# --- strata -------------------------------------------------------------------------------------------------------


def write(db: Path, models: list[HubModel]) -> None:
    with Writer(db, Silent()) as writer:
        writer.write("hub", models)


def strata(db: Path) -> dict[str, str]:
    with Store.open(db) as store:
        found = store.frame("SELECT model_id, stratum FROM hub_frame")
    assert found.height == found["model_id"].n_unique(), "a repository in two strata"
    return dict(found.iter_rows())


def every_kind(author: str, prefix: str) -> list[HubModel]:
    """Every combination of what the strata look at."""
    values = product(
        (None, True, False),
        (None, "peft", "transformers"),
        (None, "adapter", "finetune"),
        ((), ("lora",), ("dora",), ("unsloth", "peft")),
        (None, EARLY, LATE),
        (None, 0, 1000, 10_000),
        ("plain", "some-ia3", "some-qlora"),
    )
    return [
        HubModel(
            source="hub",
            model_id=f"{prefix}{author}/{number}-{name}",
            author=author,
            has_adapter_config=config,
            library_name=library,
            base_model_relation=relation,
            tags=tags,
            created_at=created,
            downloads=downloads,
        )
        for number, (config, library, relation, tags, created, downloads, name) in enumerate(values)
    ]


def test_every_repository_is_in_one_known_stratum_and_every_stratum_is_met(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    many = every_kind("series", "")
    few = [
        HubModel(**{**{field: getattr(model, field) for field in HubModel.__slots__}, "author": None})
        for model in every_kind("unknown", "x")
    ]
    write(db, many + few)
    found = strata(db)
    assert len(found) == len(many) + len(few)
    assert set(found.values()) == set(STRATA)


KINDS: list[tuple[dict[str, Any], str]] = [
    ({"has_adapter_config": True, "created_at": LATE}, "adapter, nothing named, since 2025-07"),
    ({"has_adapter_config": True, "created_at": EARLY}, "adapter, nothing named, before 2025-07"),
    ({"library_name": "peft"}, "adapter, nothing named, before 2025-07"),
    ({"tags": ("peft", "lora"), "created_at": LATE}, "adapter, lora named, since 2025-07"),
    ({"tags": ("peft", "lora"), "created_at": EARLY}, "adapter, lora named, before 2025-07"),
    ({"tags": ("peft", "unsloth"), "created_at": LATE}, "adapter, lora named, since 2025-07"),
    ({"tags": ("peft", "lora", "dora"), "created_at": LATE}, "adapter, another technique named"),
    ({"tags": ("peft", "lora"), "downloads": 999}, "adapter, lora named, before 2025-07"),
    ({"tags": ("peft", "lora"), "downloads": 1000}, "adapter, 1,000 downloads or more"),
    ({"tags": ("peft", "dora"), "downloads": 10_000}, "adapter, 10,000 downloads or more"),
    ({"base_model_relation": "adapter"}, "adapter by relation only, nothing named"),
    ({"base_model_relation": "adapter", "tags": ("lora",)}, "adapter by relation only, lora named"),
    ({"tags": ("lora",)}, "no adapter listed, lora or an adapter named"),
    ({"tags": ("ia3",)}, "no adapter listed, another technique named"),
    ({"tags": ("unsloth",)}, "rest"),
    ({"tags": ("base_model:adapter:someone/a-lora",)}, "rest"),
    ({"downloads": 10**9}, "rest"),
    ({}, "rest"),
]


def test_the_rule_reads_tags_dates_and_downloads(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    write(db, [HubModel("hub", f"a/{n}", author="a", **facts) for n, (facts, _) in enumerate(KINDS)])
    found = strata(db)
    assert [found[f"a/{n}"] for n in range(len(KINDS))] == [stratum for _, stratum in KINDS]


NAMES = {
    "llama-lora": "lora",
    "Llama-QLoRA-r16": "lora",
    "tiny_lora_v2": "lora",
    "explora": "nothing",
    "dorado-7b": "nothing",
    "soft-serve": "nothing",
    "veranda": "nothing",
    "t5-IA3-boolq": "another",
    "(ia)^3-t0": "another",
    "adalora-llama": "another",
    "x-lora-mix": "another",
    "llama-DoRA": "another",
    "p-tuning-v2": "another",
    "prompt_tuned": "another",
    "Prefix-Tuning": "another",
    "layernorm-tuning": "another",
    "vblora": "another",
    "oftv": "nothing",
}


def test_the_rule_reads_whole_words_of_the_name_and_not_the_owner(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    write(db, [HubModel("hub", f"lora-dora/{name}", has_adapter_config=True) for name in NAMES])
    said = {model_id.partition("/")[2]: stratum for model_id, stratum in strata(db).items()}
    assert {name: stratum.split(" named")[0].split(", ")[1].split()[0] for name, stratum in said.items()} == NAMES


def test_an_author_of_a_hundred_adapters_uploads_in_series(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    peft = {"has_adapter_config": True}
    write(
        db,
        [
            *(HubModel("hub", f"a/{n}", author="a", **peft) for n in range(100)),
            *(HubModel("hub", f"b/{n}", author="b", **peft) for n in range(99)),
            *(HubModel("hub", f"b/other{n}", author="b") for n in range(50)),
            *(HubModel("hub", f"c{n}", author=None, **peft) for n in range(120)),
            *(HubModel("dump", f"b/{n}", author="b", **peft) for n in range(200, 210)),
        ],
    )
    found = strata(db)
    assert found["a/7"] == "adapter of a series, nothing named"
    assert found["b/7"] == found["c7"] == found["b/205"] == "adapter, nothing named, before 2025-07"


# --- the draw -----------------------------------------------------------------------------------------------------

FACTS: tuple[dict[str, Any], ...] = (
    {"tags": ("peft",), "created_at": LATE},
    {"tags": ("peft", "lora"), "created_at": LATE},
    {"tags": ("peft",), "created_at": EARLY},
    {},
)


def fill(db: Path, count: int, first: int = 0) -> None:
    write(db, [HubModel("hub", f"o{n}/m", author=f"o{n % 50}", **FACTS[n % 4]) for n in range(first, first + count)])


def drawn(db: Path, seed: int = 0) -> dict[str, float]:
    with Store.open(db) as store:
        found = store.frame(f"SELECT model_id, inclusion_probability FROM sample_frame WHERE seed = {seed}")
    return dict(found.iter_rows())


def draw(db: Path, sample: int, seed: int = 0, design: Any = None) -> set[str]:
    options = SourceOptions(sample=sample, seed=seed, design=design)
    with Writer(db, Silent()) as writer:
        return {subject.model_id for subject in draw_sample(writer, "hub", options)}


def test_the_draw_is_seeded_stratified_and_extendable(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 4000)
    assert draw(db, 200) == set(drawn(db))
    small = drawn(db)
    assert len(small) == 200
    assert draw(db, 500) >= set(small)
    large = drawn(db)
    assert len(large) == 500
    assert set(small) < set(large)
    draw(db, 300)
    assert drawn(db) == large, "asking for fewer takes nothing back"
    draw(db, 200, seed=1)
    assert set(drawn(db, 1)) != set(small)
    with Store.open(db) as store:
        found = store.frame(
            "SELECT stratum, frame_size, sample_size, design, count(*) AS there, min(inclusion_probability) AS least,"
            " max(inclusion_probability) AS most, max(draw_rank) AS last"
            " FROM sample_stratum JOIN sample_frame USING (source, seed, stratum) WHERE seed = 0 GROUP BY ALL"
        )
    expected = allocate(dict.fromkeys(found["stratum"], 1000), 500)
    assert len(expected) == 4
    for row in found.iter_rows(named=True):
        assert (row["frame_size"], row["design"]) == (1000, "stratified")
        assert row["there"] == row["sample_size"] == row["last"] == expected[row["stratum"]]
        assert row["least"] == row["most"] == pytest.approx(row["sample_size"] / 1000)


def test_the_same_seed_draws_the_same_in_another_file(tmp_path: Path) -> None:
    for name in ("x", "y"):
        fill(tmp_path / f"{name}.duckdb", 900)
    assert draw(tmp_path / "x.duckdb", 90) == draw(tmp_path / "y.duckdb", 90)


@pytest.mark.parametrize("design", ["stratified", "simple"])
def test_a_grown_listing_extends_the_sample(tmp_path: Path, design: str) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 2000)
    draw(db, 200, design=design)
    before = set(drawn(db))
    fill(db, 1000, first=2000)
    draw(db, 200)
    after = set(drawn(db))
    assert before < after, "nothing that was fetched goes out"
    newcomers = {f"o{n}/m" for n in range(2000, 3000)}
    # Half as many again, give or take four standard deviations.
    assert 60 <= len(after & newcomers) <= 140
    assert len(after) == len(before) + len(after & newcomers)


def test_another_frame_does_not_drag_the_old_rate_along(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 400)
    draw(db, 200)
    fill(db, 8000, first=400)
    draw(db, 200)
    assert len(drawn(db)) <= 250


def test_weighted_counts_give_back_the_frame(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 1003)
    draw(db, 120)
    assert sum(1 / probability for probability in drawn(db).values()) == pytest.approx(1003)


def test_every_stratum_is_drawn_from(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 4000)
    write(db, [HubModel("hub", "big/one", tags=("peft",), downloads=20_000)])
    draw(db, 8)
    with Store.open(db) as store:
        assert store.frame("SELECT min(sample_size) AS least FROM sample_stratum")["least"][0] == 1
        assert store.frame("SELECT sum(frame_size) AS all FROM sample_stratum")["all"][0] == 4001
    assert drawn(db)["big/one"] == 1


def test_an_authors_repositories_are_counted_in_the_whole_frame(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 4000)
    write(db, [HubModel("hub", "nobody", tags=("peft",), downloads=20_000)])
    draw(db, 300)
    with Store.open(db) as store:
        found = store.frame(read_input("author_frame"))
        authors = store.frame("SELECT DISTINCT author FROM hub_model JOIN sample_frame USING (source, model_id)")
    assert set(found["author"]) == set(authors["author"].drop_nulls())
    assert set(found["repositories"]) == {40}, "50 authors take turns and so do 4 kinds: two kinds an author"
    assert found["repositories"].sum() == 80 * authors["author"].drop_nulls().len()


# --- designs ------------------------------------------------------------------------------------------------------


def test_a_simple_sample_gives_all_the_same_chance(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 1000)
    draw(db, 100, design="simple")
    small = drawn(db)
    assert set(small.values()) == {0.1}
    assert len(small) == 100
    draw(db, 250)
    assert set(small) < set(drawn(db)), "the file knows the design"
    with Store.open(db) as store:
        held = store.frame("SELECT stratum, design, frame_size, sample_size FROM sample_stratum").rows()
        assert held == [("all", "simple", 1000, 250)]
        assert set(store.frame(read_input("author_frame"))["stratum"]) == {"all"}


def test_two_designs_of_one_seed_are_refused_and_of_two_seeds_are_not(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 400)
    draw(db, 40)
    before = drawn(db)
    with pytest.raises(
        ConfigError, match=r"holds a stratified sample of hub with seed 0: .*--design stratified.*--seed"
    ):
        draw(db, 80, design="simple")
    assert drawn(db) == before
    draw(db, 40, design="stratified")
    draw(db, 80, seed=1, design="simple")
    assert (len(drawn(db)), len(drawn(db, 1))) == (40, 80)


def test_a_crawl_refuses_another_design_before_it_asks_for_anything(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 40)
    draw(db, 8)
    with pytest.raises(ConfigError, match="holds a stratified sample"):
        crawl(db, ["hub"], SourceOptions(sample=8, design="simple"))
    with Store.open(db) as store:
        assert store.count("crawl") == 0


def test_a_sample_of_nothing_is_refused(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 4)
    with pytest.raises(ConfigError, match="--sample 0"):
        draw(db, 0)
