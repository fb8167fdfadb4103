"""The short form of `make torture`: each plan, seeded, with every promise held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars
import pytest

from .torture.outcome import PLANS, Outcome, Scale, load_plan, table
from .torture.secrets import find, readable


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[list[Outcome]]]]:
    """All plans at once: they spend their time in processes of their own and in waiting."""
    with ThreadPoolExecutor(len(PLANS)) as threads:

        def run(plan: str) -> list[Outcome]:
            return list(load_plan(plan)(Scale(), tmp_path_factory.mktemp(plan)))

        yield {plan: threads.submit(run, plan) for plan in PLANS}


@pytest.mark.parametrize("plan", PLANS)
def test_every_promise_holds_under(plan: str, running: Mapping[str, Future[list[Outcome]]]) -> None:
    outcomes = running[plan].result()
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


def test_the_search_for_secrets_finds_what_is_there(tmp_path: Path) -> None:
    secret = "a-secret-of-some-length"
    with duckdb.connect(str(tmp_path / "held.duckdb")) as connection:
        connection.execute("CREATE TABLE held AS SELECT repeat('x', 5000) || ? AS text", [secret])
    polars.DataFrame({"text": [f"... {secret}"] * 500}).write_parquet(tmp_path / "rows.bundle")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "page.html").write_text(f"<p>{secret.encode().hex()}</p>")
    (tmp_path / "clean.txt").write_text("a-secret-of-another")
    found = "\n".join(find(readable(tmp_path), [secret]))
    assert "table held" in found
    assert "rows.bundle, unpacked" in found
    assert "deep/page.html" in found
    assert "clean.txt" not in found
