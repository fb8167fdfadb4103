"""From published shares to ours: chains by hand, differences against loops and simulation, inputs on a store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstats import pipeline
from hubstats.estimate import Design, contrast, estimate_shares, reconcile, wilson_interval
from hubstats.estimate.contrast import estimate_contrast
from hubstats.records import NotEstimated, Reconciliation, Record, SourceOptions
from hubstats.sources._popularity import figures as published_figures
from hubstats.store import Store, migrations, read_input
from hubstats.techniques import Registry, Technique

CARDS = Path(__file__).parents[1].parent / "shared" / "data" / "model_cards"


# --- the difference of two shares ---------------------------------------------------------------------------------


def simple(authors: Iterable[int]) -> Design:
    cluster = np.array(list(authors))
    number = len(cluster)
    return Design(np.ones(number), cluster, np.zeros(number, int), np.array([float(number)]), np.ones(1))


def floats(*values: float) -> Any:
    return np.array(values, float)


def test_difference_and_its_variance_equal_the_formula_item_by_item() -> None:
    plan = Design(
        weight=floats(4, 4, 4, 1.5, 1.5, 1.5),
        cluster=np.array([0, 0, 1, 1, 2, 3]),
        stratum=np.array([0, 0, 0, 1, 1, 1]),
        drawn=floats(4, 3),  # one more was read of the first stratum, and is in no population
        fraction=floats(0.25, 2 / 3),
    )
    before = floats(1, 1, 0, 1, 1, 0), floats(1, 0, 0, 1, 0, 0)
    after = floats(1, 1, 1, 1, 0, 0), floats(0.5, 0, 1, 1, 0, 0)
    items = range(6)
    u = [0.0] * 6
    shares = []
    for sign, (size, amount) in ((-1, before), (1, after)):
        total = sum(plan.weight[i] * size[i] for i in items)
        share = sum(plan.weight[i] * amount[i] for i in items) / total
        shares.append(share)
        for i in items:
            u[i] += sign * (amount[i] - share * size[i]) / total
    sampling = 0.0
    for h in (0, 1):
        values = [plan.weight[i] * u[i] for i in items if plan.stratum[i] == h]
        values += [0.0] * (int(plan.drawn[h]) - len(values))
        mean = sum(values) / len(values)
        sampling += (1 - plan.fraction[h]) * len(values) / (len(values) - 1) * sum((v - mean) ** 2 for v in values)
    squares = [sum(plan.weight[i] * u[i] for i in items if plan.cluster[i] == a) ** 2 for a in (0, 1, 2)]
    clustered = sum(squares) * 3 / 2 - sum(plan.weight[i] * (plan.weight[i] - 1) * u[i] ** 2 for i in items)
    expected = sampling + max(clustered, 0.0)
    variance, freedom = contrast.residual_variance(plan, np.array(u), np.array([True] * 5 + [False]))
    assert variance == pytest.approx(expected)
    assert 1 <= freedom <= 2
    found = estimate_contrast(plan, before, after)
    assert found is not None
    assert found.effect == pytest.approx(shares[1] - shares[0])
    assert shares == [pytest.approx(5.5 / 11), pytest.approx(7.5 / 13.5)]


def test_against_a_rule_that_finds_nothing_it_is_the_variance_of_one_share() -> None:
    plan = simple([0, 0, 0, 1, 2, 3, 3, 4])
    size, amount = np.ones(8), floats(1, 1, 1, 0, 0, 0, 0, 1)
    share = estimate_shares(plan, size, {"x": (np.flatnonzero(amount), np.ones(4))})["x"]
    assert share.effective_size is not None
    variance, _ = contrast.residual_variance(plan, (amount - 0.5) / 8, size > 0)
    assert variance == pytest.approx(0.25 / share.effective_size)
    found = estimate_contrast(plan, (size, size * 0), (size, amount))
    assert found is not None
    assert found.effect == pytest.approx(share.share)
    assert found.low is not None
    assert found.high == 1.0  # half a share more or less than that, kept within what a share can change
    assert found.effect - found.low > 1.96 * math.sqrt(variance)


def test_what_both_rules_agree_on_cancels() -> None:
    plan = simple(range(200))
    size = np.ones(200)
    before = (np.arange(200) % 2).astype(float)
    after = before.copy()
    after[[1, 3, 5, 7, 9, 10]] = 1 - after[[1, 3, 5, 7, 9, 10]]
    paired = estimate_contrast(plan, (size, before), (size, after))
    assert paired is not None
    assert paired.low is not None
    assert paired.high is not None
    unpaired = 1.96 * math.sqrt(2 * 0.25 / 200)
    assert paired.effect == pytest.approx(-4 / 200)
    assert (paired.high - paired.low) / 2 < unpaired / 3
    assert paired.low <= paired.effect <= paired.high


def test_full_agreement_is_no_proof() -> None:
    plan = simple([0, 0, 1, 2])
    rule = np.ones(4), floats(1, 0, 1, 0)
    found = estimate_contrast(plan, rule, rule)
    half = wilson_interval([0], [16 / 6])["high"][0]
    assert found == contrast.Contrast(0.0, pytest.approx(-half), pytest.approx(half))


def test_one_author_has_no_interval_and_nothing_has_no_difference() -> None:
    plan = simple([0, 0])
    ones, none = np.ones(2), np.zeros(2)
    assert estimate_contrast(plan, (ones, floats(1, 0)), (ones, ones)) == contrast.Contrast(0.5, None, None)
    assert estimate_contrast(plan, (none, none), (ones, ones)) is None


@pytest.mark.parametrize("sampled", [False, True])
def test_interval_of_the_difference_covers_the_truth(sampled: bool) -> None:
    # Authors upload in series; the change of rule drops items of some authors and reads a few others otherwise.
    dice = np.random.default_rng(5)
    hits, replications = 0, 600
    for _ in range(replications):
        uploads = np.minimum(dice.geometric(0.4, 400), 12)
        author = np.repeat(np.arange(400), uploads)
        habit = np.repeat(dice.random(400) < 0.8, uploads)
        kept = np.repeat(dice.random(400) < np.where(dice.random(400) < 0.5, 0.9, 0.5), uploads)
        flipped = dice.random(len(author)) < 0.05
        first, second = habit.astype(float), np.where(flipped, ~habit, habit).astype(float)
        # By authors of equal habits, items flipped with 5%: 0.8 -> 0.8 * 0.95 + 0.2 * 0.05.
        truth = 0.8 * 0.95 + 0.2 * 0.05 - 0.8
        chosen = np.ones(len(author), bool)
        plan = simple(author)
        if sampled:
            stratum = flipped.astype(int)
            drawn = np.array([len(author) // 4, min(int(flipped.sum()), 60)])
            for h in (0, 1):
                there = np.flatnonzero(stratum == h)
                chosen[there] = False
                chosen[dice.choice(there, drawn[h], replace=False)] = True
            sizes = np.bincount(stratum)
            plan = Design(
                (sizes / drawn)[stratum[chosen]], author[chosen], stratum[chosen], drawn.astype(float), drawn / sizes
            )
        found = estimate_contrast(
            plan, (np.ones(chosen.sum()), first[chosen]), (kept[chosen] * 1.0, (kept * second)[chosen])
        )
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= truth <= found.high
    assert 0.925 <= hits / replications <= 0.98


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.sampled_from([0.0, 0.25, 1.0, 7.0]),
            st.sampled_from([0.0, 0.5, 1.0]),
            st.sampled_from([0.0, 0.25, 1.0, 7.0]),
            st.sampled_from([0.0, 0.5, 1.0]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_difference_is_never_out_of_bounds(rows: list[tuple[int, float, float, float, float]]) -> None:
    author, a1, p1, a2, p2 = (np.array(column, float) for column in zip(*rows, strict=True))
    found = estimate_contrast(simple(author.astype(int)), (a1, a1 * p1), (a2, a2 * p2))
    if found is None:
        assert not a1.any() or not a2.any()
        return
    assert -1 <= found.effect <= 1
    if found.low is None or found.high is None:
        assert found.low is None
        assert found.high is None
        return
    assert -1 <= found.low <= found.effect <= found.high <= 1


# --- chains by hand -----------------------------------------------------------------------------------------------


def registry() -> Registry:
    return Registry(
        [
            Technique("lora", "LoRA", "low-rank", "method", library="peft", peft_type="LORA", site_types=("LORA",)),
            Technique("ia3", "(IA)3", "scaling", "method", library="peft", peft_type="IA3"),
            Technique("loha", "LoHa", "low-rank", "method", library="peft", peft_type="LOHA"),
            Technique("dora", "DoRA", "low-rank", "variant", "lora", "peft", "LORA", site_types=("DoRA",)),
            Technique("qlora", "QLoRA", "low-rank", "recipe", "lora", "peft"),
            Technique("locon", "LoCon", "low-rank", "external", site_types=("LoCon",)),
            Technique("reft", "ReFT", "other", "external"),
            Technique("textual_inversion", "TI", "soft-prompt", "external", site_types=("TextualInversion",)),
            Technique("dreambooth", "DreamBooth", "other", "recipe"),
        ]
    )


def connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for _, sql in migrations():
        connection.execute(sql)
    return connection


with connect() as _empty:
    SCHEMAS = {name: _empty.sql(read_input(name)).pl().schema for name in reconcile.INPUTS}

Frames = Mapping[str, list[dict[str, Any]]]


def run(rows: Frames, order: int | None = None) -> list[Record]:
    frames = {
        name: pl.DataFrame(rows.get(name, []), schema={key: schema[key] for key in schema})
        for name, schema in SCHEMAS.items()
    }
    if order is not None:
        frames = {name: frame.sample(fraction=1, shuffle=True, seed=order) for name, frame in frames.items()}
    return list(reconcile.estimate(frames, registry()))


def steps(made: Iterable[Record], measure: str, technique: str = "lora") -> dict[str, Reconciliation]:
    return {
        row.rule: row
        for row in made
        if isinstance(row, Reconciliation) and (row.measure, row.technique) == (measure, technique)
    }


def shares(made: Iterable[Record], measure: str, technique: str = "lora") -> dict[str, float]:
    return {rule: round(row.share, 6) for rule, row in steps(made, measure, technique).items()}


def figure(measure: str, technique: str, share: float, count: int | None = None, total: int | None = None) -> Any:
    return {
        "figure_id": f"post/{measure}/{technique}",
        "measure": measure,
        "technique": technique,
        "count": count,
        "total": total,
        "share": share,
        "printed": share,
    }


def card(number: int, author: str | None, techniques: list[str], downloads: int = 1, source: str = "dump") -> Any:
    return {
        "source": source,
        "subject_id": f"s{number}",
        "author": author,
        "downloads": downloads,
        "stratum": "all",
        "weight": 1.0,
        "state": "used" if techniques else "none",
        "techniques": techniques,
        "overlays": [],
        "card_status": "ok",
        "detector_version": "d1",
    }


def named(number: int, technique: str, used: bool = True, unwritten: bool = True, source: str = "dump") -> Any:
    return {
        "source": source,
        "subject_id": f"s{number}",
        "technique": technique,
        "used": used,
        "unwritten": used and unwritten,
    }


def cards() -> dict[str, list[dict[str, Any]]]:
    """Nine cards of four authors.

    1 LoRA by a tag alone; 2 LoRA in words; 3 QLoRA; 4 DoRA; 5 not LoRA; 6 LoRA and (IA)3; 7 ReFT, outside the library;
    8 names nothing, its config says (IA)3; 9 DreamBooth with LoRA.
    """
    return {
        "published_figures": [figure("cards_exactly_one", "lora", 0.984, 20509, 20834)],
        "subjects": [
            card(1, "a", ["lora"], 5),
            card(2, "a", ["lora"], 5),
            card(3, "b", ["lora"], 10),
            card(4, "b", ["lora"]),
            card(5, "c", []),
            card(6, "c", ["ia3", "lora"], 4),
            card(7, "d", ["reft"]),
            card(8, "d", ["ia3"], 0),
            card(9, "a", ["lora"], -7),
        ],
        "reconcile_cards": [
            named(1, "lora", unwritten=False),
            named(2, "lora"),
            named(3, "qlora"),
            named(4, "dora"),
            named(5, "lora", used=False),
            named(6, "lora"),
            named(6, "ia3"),
            named(7, "reft"),
            named(9, "dreambooth"),
            named(9, "lora"),
        ],
        "reconcile_search": [
            {"source": "dump", "subject_id": f"s{number}", "techniques": found}
            for number, found in [
                (1, ["lora"]),
                (2, ["lora", "vera"]),
                (3, ["lora"]),
                (4, ["oft"]),
                (5, ["lora"]),
                (6, ["ia3", "lora"]),
                (7, []),
                (8, ["vera"]),
                (9, ["lora"]),
            ]
        ],
    }


def test_card_chain_by_hand() -> None:
    made = run(cards())
    checked(made)
    assert shares(made, "cards_exactly_one") == {
        "published": 0.984,
        "words": 0.666667,  # 1 2 5 9 of those and 3 4
        "plain_search": 0.666667,  # 1 3 5 9 of those and 4 8
        "shown_use": 0.6,  # 5 goes
        "qlora_folded": 0.8,  # 3
        "variants_folded": 1.0,  # 4
        "not_by_software": 1.0,  # 1 goes
        "every_mention": round(5.5 / 6, 6),  # 6 comes with a half
        "every_technique": round(5.5 / 7, 6),  # 7 comes, DreamBooth tunes nothing
        "evidence": round(5.5 / 8, 6),  # 8 comes
        "authors": round((1 + 1 + 0.5) / 4, 6),  # a and b whole, c a half, d none
        "downloads": round((5 + 5 + 10 + 1 + 2) / 26, 6),
    }
    chain = steps(made, "cards_exactly_one")
    assert [row.step for row in chain.values()] == list(range(12))
    assert {rule: row.follows for rule, row in chain.items() if row.side} == {
        "plain_search": "words",
        "not_by_software": "variants_folded",
        "downloads": "evidence",
    }
    assert (chain["words"].count, chain["words"].total, chain["words"].items) == (4, 6, 6)
    assert (chain["published"].count, chain["published"].total) == (20509, 20834)
    assert chain["words"].effect == pytest.approx(4 / 6 - 0.984)
    assert chain["words"].low is not None
    assert chain["words"].effect_low == pytest.approx(chain["words"].low - 0.984)
    assert chain["evidence"].detector_version == "d1"


def checked(made: Iterable[Record]) -> None:
    """What holds for every chain: the sum, bounds, ids, no NaN."""
    rows = [row for row in made if isinstance(row, Reconciliation)]
    ids = [row.reconciliation_id for row in rows]
    assert len(set(ids)) == len(ids)
    keys = [(row.source, row.measure, row.rule) for row in made if isinstance(row, NotEstimated)]
    assert len(set(keys)) == len(keys)
    chains: dict[tuple[str, str], list[Reconciliation]] = {}
    for row in rows:
        chains.setdefault((row.source, row.figure_id), []).append(row)
        assert 0 <= row.share <= 1
        assert (row.low is None) == (row.high is None)
        if row.low is not None and row.high is not None:
            assert 0 <= row.low <= row.share <= row.high <= 1
        for value in (row.effect, row.effect_low, row.effect_high):
            assert value is None or -1 <= value <= 1
        if row.effect is not None and row.effect_low is not None and row.effect_high is not None:
            assert row.effect_low <= row.effect + 1e-12
            assert row.effect <= row.effect_high + 1e-12
    for chain in chains.values():
        by_rule = {row.rule: row.share for row in chain}
        for row in chain:
            if row.follows is not None and "effect on" not in (row.caveat or ""):
                assert row.effect == pytest.approx(row.share - by_rule[row.follows], abs=1e-12)
        main = [row for row in chain if not row.side]
        assert main[0].rule == "published"
        assert main[0].share + sum(row.effect or 0.0 for row in main[1:]) == pytest.approx(main[-1].share, abs=1e-12)
        assert [row.follows for row in main] == [None, *(row.rule for row in main[:-1])]


def code_row(repo: str, path: str, technique: str, **other: Any) -> Any:
    row = {"phrase": True, "own": True, "fork": False, "copy": 1, "parsed": True, "constructs": True, **other}
    return {"source": "snapshot", "repo": repo, "path": path, "technique": technique, **row}


def code() -> dict[str, list[dict[str, Any]]]:
    return {
        "published_figures": [
            figure("github_import", "lora", 0.713),
            figure("github_import", "loha", 0.037),
        ],
        "reconcile_code": [
            code_row("a/one", "x.py", "lora"),
            code_row("a/one", "y.py", "lora", constructs=False),
            code_row("a/one", "y.py", "ia3", phrase=False, constructs=False),  # second in the list
            code_row("a/one", "peft/z.py", "loha", own=False),  # a copy of peft
            code_row("a/two", "x.py", "lora", copy=2),
            code_row("a/two", "w.py", "lora"),
            code_row("b/fork", "v.py", "lora", fork=True),
            code_row("b/three", "u.py", "ia3"),
            code_row("c/four", "big.py", "lora", parsed=False),
            code_row("c/four", "t.py", "ia3", phrase=False),
        ],
    }


def test_code_chain_by_hand() -> None:
    made = run(code())
    assert shares(made, "github_import") == {
        "published": 0.713,
        "phrase": 0.75,  # six of eight pairs
        "own_code": round(6 / 7, 6),
        "once": 0.8,  # the copy and the fork go
        "imports": 0.5,  # x y w of those, the two of (IA)3 that a phrase misses and u; big.py was not parsed
        "repositories": round((0.5 + 1) / 4, 6),
        "owners": round((0.5 + 1) / 2 / 3, 6),
        "constructed": round(1 / 3, 6),  # a constructs LoRA only, b and c (IA)3
    }
    assert shares(made, "github_import", "loha") == {
        "published": 0.037,
        "phrase": 0.125,
        **dict.fromkeys(("own_code", "once", "imports", "repositories", "owners", "constructed"), 0.0),
    }
    checked(made)


def test_search_totals_are_the_published_rule_to_the_letter() -> None:
    rows = code()
    rows["reconcile_totals"] = [
        {"source": "snapshot", "technique": "lora", "total": 900, "incomplete": False},
        {"source": "snapshot", "technique": "ia3", "total": 100, "incomplete": True},
        {"source": "github", "technique": "loha", "total": 900, "incomplete": True},
    ]
    chain = steps(run(rows), "github_import")
    totals = chain["search_totals"]
    assert (totals.step, totals.share, totals.count, totals.total) == (1, 0.9, 900, 1000)
    assert (totals.low, totals.effect_low) == (None, None)
    assert totals.effect == pytest.approx(0.9 - 0.713)
    assert "not finished" in str(totals.caveat)
    assert chain["phrase"].follows == "search_totals"
    assert chain["phrase"].effect == pytest.approx(0.75 - 0.9)
    checked(run(rows))


def upload(number: int, kind: str | None, creator: str | None, downloads: int | None) -> Any:
    row = card(number, creator, [], source="civitai")
    return {**row, "card_status": None, "site_type": kind, "downloads": downloads}


def images() -> dict[str, list[dict[str, Any]]]:
    return {
        "published_figures": [
            figure("image_type", "lora", 0.7111, 7111, 10000),
            figure("image_type_peft", "lora", 0.95, 7111, 7485),
        ],
        "subjects": [
            upload(1, "LORA", "a", 10),
            upload(2, "LORA", "a", 10),
            upload(3, "LORA", "b", None),
            upload(4, "LoCon", "c", 20),
            upload(5, "TextualInversion", "c", 0),
            upload(6, "Checkpoint", "d", 900),
            upload(7, "DoRA", "b", 10),
        ],
    }


def test_image_chains_by_hand() -> None:
    made = run(images())
    ending = {
        "all_types": 0.5,
        "authors": 0.5,  # a whole, b a half, c none
        "downloads": 0.4,
    }
    assert shares(made, "image_type") == {
        "published": 0.7111,
        "uploads": round(3 / 7, 6),
        "weight_types": 0.6,
        **ending,
    }
    assert shares(made, "image_type_peft") == {"published": 0.95, "weight_types": 0.6, **ending}
    assert steps(made, "image_type")["uploads"].items == 7
    checked(made)


def test_chain_adds_up_and_is_the_same_in_any_order() -> None:
    rows = {**cards(), "reconcile_code": code()["reconcile_code"]}
    rows["subjects"] = rows["subjects"] + images()["subjects"]
    rows["published_figures"] = [
        *rows["published_figures"],
        *code()["published_figures"],
        *images()["published_figures"],
    ]
    made = run(rows)
    checked(made)
    assert len({row.source for row in made if isinstance(row, Reconciliation)}) == 3
    for order in (1, 2):
        again = {row.reconciliation_id: row for row in run(rows, order) if isinstance(row, Reconciliation)}
        for row in made:
            if isinstance(row, Reconciliation):
                assert again[row.reconciliation_id].share == pytest.approx(row.share, abs=1e-12)
                assert again[row.reconciliation_id].effect_low == (
                    None if row.effect_low is None else pytest.approx(row.effect_low, abs=1e-9)
                )


# --- each step changes only what it says ---------------------------------------------------------------------------


def changed(before: Frames, after: Frames, measure: str) -> set[str]:
    first, second = shares(run(before), measure), shares(run(after), measure)
    assert first.keys() == second.keys()
    return {rule for rule in first if first[rule] != second[rule]}


CARD_STEPS = list(shares(run(cards()), "cards_exactly_one"))
CODE_STEPS = list(shares(run(code()), "github_import"))


@pytest.mark.parametrize(
    ("name", "at", "value", "moves"),
    [
        ("reconcile_search", (3, "techniques"), ["lora"], {"plain_search"}),
        ("reconcile_cards", (6, "unwritten"), False, set()),
        ("reconcile_cards", (4, "used"), True, {"shown_use", "qlora_folded", "every_mention", "every_technique"}),
        ("subjects", (3, "downloads"), 99, {"downloads"}),
        ("subjects", (3, "author"), "e", {"authors"}),
        ("subjects", (3, "techniques"), ["ia3"], {"evidence", "authors", "downloads"}),
    ],
)
def test_a_fact_moves_only_the_steps_that_ask_for_it_cards(
    name: str, at: tuple[int, str], value: Any, moves: set[str]
) -> None:
    after = {key: [dict(row) for row in rows] for key, rows in cards().items()}
    after[name][at[0]][at[1]] = value
    assert changed(cards(), after, "cards_exactly_one") == moves


def test_a_technique_that_no_file_describes_is_outside_the_library() -> None:
    after = cards()
    after["reconcile_cards"].append(named(8, "other:NEW"))
    assert changed(cards(), after, "cards_exactly_one") == {"every_technique"}
    assert shares(run(after), "cards_exactly_one")["every_technique"] == round(5.5 / 8, 6)


def test_only_one_step_leaves_out_what_software_wrote() -> None:
    before = cards()
    before["reconcile_cards"].append(named(8, "ia3"))
    after = {key: [dict(row) for row in rows] for key, rows in before.items()}
    after["reconcile_cards"][-1]["unwritten"] = False
    assert changed(before, after, "cards_exactly_one") == {"not_by_software"}


@pytest.mark.parametrize(
    ("at", "value", "moves"),
    [
        ((7, "phrase"), False, {"phrase", "own_code", "once"}),
        ((7, "own"), False, set(CODE_STEPS) - {"published", "phrase"}),
        ((7, "fork"), True, set(CODE_STEPS) - {"published", "phrase", "own_code"}),
        ((7, "parsed"), False, {"imports", "repositories", "owners", "constructed"}),
        ((7, "constructs"), False, {"constructed"}),
        ((7, "repo"), "c/four", {"repositories", "owners", "constructed"}),
        ((7, "repo"), "c/three", {"owners", "constructed"}),
    ],
)
def test_a_fact_moves_only_the_steps_that_ask_for_it_code(at: tuple[int, str], value: Any, moves: set[str]) -> None:
    after = {key: [dict(row) for row in rows] for key, rows in code().items()}
    after["reconcile_code"][at[0]][at[1]] = value
    assert changed(code(), after, "github_import") == moves


# --- samples, gaps, bad input -------------------------------------------------------------------------------------


def test_a_sampled_card_stands_for_its_stratum() -> None:
    rows = cards()
    rows["subjects"] = [
        {**row, "weight": 10.0 if row["subject_id"] in ("s1", "s8") else 2.0, "stratum": "rare"}
        if row["subject_id"] in ("s1", "s8")
        else {**row, "weight": 2.0}
        for row in rows["subjects"]
    ]
    rows["strata"] = [
        {"source": "dump", "stratum": "rare", "frame_size": 20},
        {"source": "dump", "stratum": "all", "frame_size": 14},
        {"source": "dump", "stratum": "unread", "frame_size": 5},
    ]
    chain = steps(run(rows), "cards_exactly_one")
    assert chain["words"].share == pytest.approx((10 + 3 * 2) / (10 + 5 * 2))
    assert chain["words"].items == 6
    assert chain["shown_use"].effect == pytest.approx((10 + 2 * 2) / (10 + 4 * 2) - 16 / 20)
    assert "strata with 5 repositories" in str(chain["words"].caveat)


def test_plain_search_is_compared_on_the_cards_that_were_searched() -> None:
    rows = cards()
    rows["reconcile_search"] = rows["reconcile_search"][:4]
    row = steps(run(rows), "cards_exactly_one")["plain_search"]
    assert row.share == pytest.approx(2 / 3)  # 1 and 3, of those and 4
    assert row.effect == pytest.approx(2 / 3 - 2 / 4)  # words on the same four: 1 and 2 of four
    assert "effect on 4 cards" in str(row.caveat)


def test_steps_without_items_say_so_and_the_chain_goes_on() -> None:
    rows = cards()
    rows["subjects"] = [{**row, "author": None, "downloads": None} for row in rows["subjects"]]
    rows["reconcile_cards"] = [{**row, "used": False} for row in rows["reconcile_cards"]]
    made = run(rows)
    checked(made)
    missing = {row.rule: row.reason for row in made if isinstance(row, NotEstimated)}
    assert missing["reconciliation/authors"] == "no author is known"
    assert missing["reconciliation/downloads"].startswith("no downloads")
    assert {"reconciliation/shown_use", "reconciliation/every_technique"} <= set(missing)
    chain = steps(made, "cards_exactly_one")
    assert chain["evidence"].follows == "words"
    assert "every_technique would change" in str(chain["evidence"].caveat)
    assert "would change" not in str(chain["words"].caveat)
    assert "9 items of unknown authors" in str(chain["words"].caveat)


def test_no_input_is_said_once_for_each_figure() -> None:
    rows = {"published_figures": [*cards()["published_figures"], *code()["published_figures"]]}
    assert run(rows) == [
        NotEstimated("hub", "cards_exactly_one", "reconciliation", reconcile.FITTING["cards_exactly_one"][1]),
        NotEstimated("github", "github_import", "reconciliation", reconcile.FITTING["github_import"][1]),
    ]
    assert run({}) == []
    assert not [row for row in run({**cards(), "published_figures": []}) if isinstance(row, Reconciliation)]


TECHNIQUES = st.sampled_from(["lora", "ia3", "dora", "qlora", "reft", "dreambooth", "other:NEW", "textual_inversion"])
SUBJECT = st.builds(
    lambda author, used, kind, downloads, stratum, weight: {
        **card(0, author, sorted(used), downloads or 0),
        "downloads": downloads,
        "site_type": kind,
        "stratum": stratum,
        "weight": weight if stratum == "odd" else {"all": 1.0, "rare": 8.5}[stratum],
        "card_status": None if kind else "ok",
    },
    st.sampled_from([None, "a", "b"]),
    st.sets(TECHNIQUES, max_size=3),
    st.sampled_from([None, None, "LORA", "DoRA", "Checkpoint"]),
    st.sampled_from([None, 0, -3, 10**12]),
    st.sampled_from(["all", "rare", "odd"]),
    st.sampled_from([0.0, -1.0, math.inf, math.nan]),
)
CODE = st.builds(
    code_row,
    st.sampled_from(["a/x", "a/y", "b/x", "nameless"]),
    st.sampled_from(["p.py", "q.py"]),
    st.sampled_from(["lora", "ia3"]),
    phrase=st.booleans(),
    own=st.booleans(),
    fork=st.booleans(),
    copy=st.integers(1, 2),
    parsed=st.booleans(),
    constructs=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(SUBJECT, max_size=8),
    st.lists(st.tuples(st.integers(0, 9), TECHNIQUES, st.booleans(), st.booleans()), max_size=12),
    st.lists(CODE, max_size=8),
    st.lists(st.integers(0, 5), max_size=2),
)
def test_whatever_the_rows_no_bound_is_crossed(
    subjects: list[Any], mentions: list[Any], files: list[Any], totals: list[int]
) -> None:
    rows = {
        "published_figures": [
            figure(measure, technique, share)
            for measure in reconcile.FITTING
            for technique, share in (("lora", 1.0), ("ia3", 0.0))
        ],
        "subjects": [{**row, "subject_id": f"s{number}"} for number, row in enumerate(subjects)],
        "reconcile_cards": [
            named(number, technique, used, unwritten)
            for (number, technique), (used, unwritten) in {(n, t): (u, w) for n, t, u, w in mentions}.items()
        ],
        "reconcile_code": list({(row["repo"], row["path"], row["technique"]): row for row in files}.values()),
        "reconcile_totals": [
            {"source": "snapshot", "technique": technique, "total": total, "incomplete": False}
            for technique, total in zip(("lora", "ia3"), totals, strict=False)
        ],
    }
    checked(run(rows))


# --- the published figures ----------------------------------------------------------------------------------------


def test_printed_shares_follow_from_the_printed_counts() -> None:
    figures = {(row.measure, row.technique): row for row in published_figures()}
    for row in figures.values():
        if row.count is not None and row.total is not None and row.share is not None:
            assert round(row.count / row.total, 3) == row.share, row.figure_id
    cards_, peft = figures["cards_exactly_one", "lora"], figures["image_type_peft", "lora"]
    assert (cards_.share, cards_.count, cards_.total) == (0.984, 20509, 20834)
    assert (peft.share, peft.count) == (0.95, figures["image_type", "lora"].count)
    assert peft.total == sum(figures["image_type", kind].count or 0 for kind in ("lora", "locon", "dora"))
    assert [figures["github_import", kind].share for kind in ("lora", "loha", "adalora")] == [0.713, 0.037, 0.035]


def test_published_counts_through_their_own_rule_give_the_published_shares() -> None:
    # One card, upload and file for each that the publication counted: the rule must give back what is printed.
    def exactly(count: int, total: int) -> list[str]:
        return ["lora"] * count + ["ia3"] * (total - count)

    found = exactly(20509, 20834)
    kinds = ["LORA"] * 7111 + ["LoCon"] * 363 + ["DoRA"] * 11 + ["Checkpoint"] * 2515
    rows = {
        "published_figures": [
            figure("cards_exactly_one", "lora", 0.984),
            figure("image_type", "lora", 0.7111),
            figure("image_type", "dora", 0.0011),
            figure("image_type_peft", "lora", 0.95),
            figure("github_import", "lora", 0.713),
        ],
        "subjects": [card(n, None, []) for n in range(len(found))]
        + [upload(n, kind, f"c{n}", 1) for n, kind in enumerate(kinds)],
        "reconcile_cards": [named(n, technique) for n, technique in enumerate(found)],
        "reconcile_code": [code_row(f"a{n}/r", "x.py", technique) for n, technique in enumerate(exactly(713, 1000))],
    }
    made = run(rows)
    assert round(shares(made, "cards_exactly_one")["words"], 3) == 0.984
    assert shares(made, "image_type")["uploads"] == 0.7111
    assert shares(made, "image_type", "dora")["uploads"] == 0.0011
    assert round(shares(made, "image_type_peft")["weight_types"], 3) == 0.95
    assert shares(made, "github_import")["phrase"] == 0.713


# --- inputs on a store --------------------------------------------------------------------------------------------


@pytest.fixture
def store() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


def frame(connection: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    return connection.sql(read_input(name)).pl()


def test_mentions_are_told_by_where_they_stand(store: duckdb.DuckDBPyConnection) -> None:
    text = "These are a/b LoRA adaption weights for c. I chose LoRA."
    cases = [
        # id, template, text, kind, rule, use, span_end -> used, unwritten
        ("prose", None, "LoRA", "prose", "stated:LoRA", True, 4, (True, True)),
        ("negated", None, "no LoRA", "prose", "negated:LoRA", False, 7, (False, False)),
        ("tag", None, "tags: lora", "tag", "tag:lora", True, 10, (True, True)),
        ("peft_tag", None, "base_model:adapter:x lora", "tag", "tag:lora", True, 10, (True, False)),
        ("tool_tag", "trl", "lora", "tag", "tag:lora", True, 4, (True, False)),
        ("listed_tag", "trl", None, "tag", "tag:lora", True, None, (True, False)),
        ("setting", "axolotl", "adapter: lora", "trainer", "trainer:adapter", True, 13, (True, False)),
        ("four_bit", "peft", "load_in_4bit: True", "trainer", "trainer:load_in_4bit", True, 18, (False, False)),
        ("config", None, "LoRA", "config", "config:peft_type", True, 4, (False, False)),
        ("name", None, "LoRA", "name", "name:repository", True, None, (False, False)),
        ("sentence", "diffusers", text, "prose", "stated:LoRA", True, text.index("LoRA") + 4, (True, False)),
        ("own_words", "diffusers", text, "prose", "stated:LoRA", True, text.rindex("LoRA") + 4, (True, True)),
    ]
    for name, template, content, kind, rule, use, end, _ in cases:
        store.execute(
            "INSERT INTO model_card (source, model_id, status, text) VALUES ('hub', ?, 'ok', ?)", [name, content]
        )
        store.execute(
            "INSERT INTO verdict (source, subject_id, state, mentions, template, detector_version)"
            " VALUES ('hub', ?, 'used', ['lora'], ?, 'd')",
            [name, template],
        )
        store.execute(
            "INSERT INTO detection VALUES ('hub', ?, 'lora', ?, 0, ?, 'x', 'd', ?, ?)", [name, kind, end, rule, use]
        )
    rows = frame(store, "reconcile_cards")
    assert {row[1]: row[3:] for row in rows.iter_rows()} == {case[0]: case[7] for case in cases}
    store.execute(
        "INSERT INTO detection VALUES ('hub', 'tool_tag', 'lora', 'prose', 9, 13, 'x', 'd', 'stated:LoRA', true)"
    )
    again = {row[1]: row[3:] for row in frame(store, "reconcile_cards").iter_rows()}
    assert again["tool_tag"] == (True, True)
    assert len(again) == len(cases)


def test_plain_search_looks_inside_words(store: duckdb.DuckDBPyConnection) -> None:
    store.execute(
        "INSERT INTO technique (key, name, family, kind, library, peft_type) VALUES"
        " ('lora', 'LoRA', '', 'method', 'peft', 'LORA'), ('vera', 'VeRA', '', 'method', 'peft', 'VERA'),"
        " ('prompt_tuning', 'P', '', 'method', 'peft', 'PROMPT_TUNING'), ('dora', 'D', '', 'variant', 'peft', 'LORA'),"
        " ('locon', 'L', '', 'external', 'LyCORIS', NULL), ('other', 'O', '', 'method', 'else', 'NONE')"
    )
    texts = {
        "a": "a QLoRA adapter",
        "b": "on average good",
        "c": "Prompt Tuning",
        "d": "prompt-tuning",
        "e": "prompt_tuning",
        "f": "none of these",
        "g": None,
    }
    for name, text in texts.items():
        store.execute(
            "INSERT INTO model_card (source, model_id, status, text) VALUES ('hub', ?, 'ok', ?)", [name, text]
        )
    rows = frame(store, "reconcile_search").rows()
    assert rows == [
        ("hub", "a", ["lora"]),
        ("hub", "b", ["vera"]),
        ("hub", "c", ["prompt_tuning"]),
        ("hub", "d", ["prompt_tuning"]),
        ("hub", "e", ["prompt_tuning"]),
        ("hub", "f", []),
    ]


def test_code_is_read_from_what_no_class_was_asked_for(store: duckdb.DuckDBPyConnection) -> None:
    files = [
        ("snapshot", "a/x", "m.py", "b1", "ok", "use"),
        ("snapshot", "b/x", "m.py", "b1", "ok", "use"),
        ("snapshot", "b/x", "tests/m.py", "b1", "ok", "test"),
        ("snapshot", "c/x", "big.py", "b2", "too_large", "use"),
        ("github", "a/fork", "m.py", "b1", "ok", "use"),
        ("github", "z/home", "m.py", "b1", "ok", "use"),
        ("github", "q/asked", "m.py", "b9", "ok", "use"),
    ]
    for source, repo, path, blob, status, role in files:
        store.execute(
            "INSERT INTO code_file (source, repo, path, blob_sha, status, role) VALUES (?, ?, ?, ?, ?, ?)",
            [source, repo, path, blob, status, role],
        )
        store.execute(
            "INSERT INTO code_import (source, repo, path, form, module, name, line, technique, adjacent)"
            " VALUES (?, ?, ?, 'from', 'peft', 'LoraConfig', 1, 'lora', ?)",
            [source, repo, path, repo != "c/x"],
        )
    store.execute(
        "INSERT INTO code_import (source, repo, path, form, module, name, line, technique)"
        " VALUES ('snapshot', 'a/x', 'm.py', 'construct', 'peft', 'LoraConfig', 3, 'lora')"
    )
    for query, repo, technique, fork in (
        ("peft", "a/fork", None, True),
        ("peft", "z/home", None, False),
        ("lora", "q/asked", "lora", False),
    ):
        store.execute(
            "INSERT INTO search_hit (source, query, repo, path, technique, blob_sha, fork)"
            " VALUES ('github', ?, ?, 'm.py', ?, 'b', ?)",
            [query, repo, technique, fork],
        )
    store.execute("INSERT INTO phrase_import BY NAME " + read_input("phrase_import_rows"))
    rows = frame(store, "reconcile_code")
    columns = ["source", "repo", "path", "phrase", "own", "fork", "copy", "parsed", "constructs"]
    assert rows.select(columns).rows() == [
        ("github", "a/fork", "m.py", True, True, True, 2, True, False),
        ("github", "z/home", "m.py", True, True, False, 1, True, False),
        ("snapshot", "a/x", "m.py", True, True, False, 1, True, True),
        ("snapshot", "b/x", "m.py", True, True, False, 2, True, False),
        ("snapshot", "b/x", "tests/m.py", True, False, False, 1, True, False),
        ("snapshot", "c/x", "big.py", False, True, False, 1, False, False),
    ]


def test_totals_are_those_of_the_bare_phrase(store: duckdb.DuckDBPyConnection) -> None:
    store.execute(
        "INSERT INTO technique (key, name, family, kind, config_class)"
        " VALUES ('lora', 'LoRA', '', 'method', 'LoraConfig')"
    )
    for query, technique, total in (
        ('"from peft import LoraConfig"', "lora", 900),
        ('"from peft import" LoraConfig extension:py', "lora", 5000),
        ('"from peft import"', None, 9000),
    ):
        store.execute(
            "INSERT INTO search_count (source, query, technique, total_count) VALUES ('github', ?, ?, ?)",
            [query, technique, total],
        )
    assert frame(store, "reconcile_totals").select("source", "technique", "total", "incomplete").rows() == [
        ("github", "lora", 900, False)
    ]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    db = tmp_path_factory.mktemp("reconcile") / "real.duckdb"
    pipeline.crawl(db, ["snapshot"], SourceOptions())
    if CARDS.exists():
        pipeline.crawl(db, ["cards"], SourceOptions(path=str(CARDS)))
    with Store.open(db) as store:
        yield store


def test_steps_equal_the_estimates_of_the_same_rule(real: Store) -> None:
    pairs = real.frame(
        "SELECT reconciliation.rule, reconciliation.source, reconciliation.share, estimate.share AS estimated,"
        " reconciliation.low - estimate.low AS low, reconciliation.high - estimate.high AS high"
        " FROM reconciliation JOIN estimate USING (source, technique)"
        " WHERE (reconciliation.rule, estimate.rule, estimate.measure) IN ("
        "   ('words', 'blog', 'cards'), ('evidence', 'evidence', 'cards'), ('phrase', 'imports_files', 'files'),"
        "   ('repositories', 'imports_repositories', 'repositories'))"
    )
    rules = {"phrase", "repositories"} | ({"words", "evidence"} if CARDS.exists() else set())
    assert set(pairs["rule"]) == rules
    for row in pairs.iter_rows(named=True):
        assert row["share"] == pytest.approx(row["estimated"], abs=1e-12), row
        if row["rule"] != "phrase" and row["rule"] != "repositories":
            assert abs(row["low"]) + abs(row["high"]) < 1e-9, row


def test_real_chains_add_up(real: Store) -> None:
    rows = real.frame("SELECT * FROM reconciliation")
    made = [Reconciliation(**row) for row in rows.iter_rows(named=True)]
    checked(made)
    assert {(row.source, row.measure) for row in made} >= {("snapshot", "github_import")}
    chain = steps(made, "github_import")
    assert len(chain) == 8
    assert chain["phrase"].share > 0.9  # other repositories than the publication's: copies of peft are not in it
    assert chain["imports"].share < chain["once"].share  # a phrase misses what is not first in its list


def test_detections_hold_every_mention(real: Store) -> None:
    if not CARDS.exists():
        pytest.skip(f"no cards at {CARDS}")
    named_ = real.frame("SELECT source, subject_id, technique FROM (" + read_input("reconcile_cards") + ")")
    seen = real.frame(
        "SELECT DISTINCT source, subject_id, technique FROM detection"
        " WHERE evidence_kind NOT IN ('config', 'weights', 'type')"
        " AND rule NOT IN ('trainer:load_in_4bit', 'name:repository', 'name:title')"
    )
    missing = named_.join(seen, on=["source", "subject_id", "technique"], how="anti")
    assert named_.height > 30
    assert missing.is_empty(), missing
