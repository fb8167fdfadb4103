"""The short form of `make torture`: each plan, seeded, with every promise held."""

from __future__ import annotations

from pathlib import Path

import pytest

from .torture.outcome import PLANS, Outcome, Scale, load_plan, table


@pytest.mark.parametrize("plan", PLANS)
def test_every_promise_holds_under(plan: str, tmp_path: Path) -> None:
    outcomes = list(load_plan(plan)(Scale(), tmp_path))
    broken = [line for outcome in outcomes for line in outcome.problems]
    assert all(outcome.clean for outcome in outcomes), table(outcomes) + "\n" + "\n".join(broken[:40])
    assert sum(outcome.faults + outcome.kills + outcome.inputs for outcome in outcomes) >= 10


def test_the_table_counts_what_the_outcomes_say() -> None:
    shown = table([Outcome("faults", "a", faults=1200, rows_lost=1), Outcome("kills", "b", kills=3, escapes=2)])
    assert "| faults | a | 1,200 | 0 | 0 | 1 | 0 | 0 | 0 | 0 |" in shown
    assert shown.splitlines()[-1] == "| all |  | 1,200 | 3 | 0 | 1 | 0 | 0 | 2 | 0 |"


def test_a_broken_promise_is_not_clean() -> None:
    assert Outcome("x", "y", faults=5, kills=5, inputs=5).clean
    for what in ("rows_lost", "rows_doubled", "secrets_found", "escapes"):
        assert not Outcome("x", "y", **{what: 1}).clean
    assert not Outcome("x", "y", problems=("z",)).clean
