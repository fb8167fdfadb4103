"""hubstats explain: every figure of a file, its digits, its provenance, and ids that nobody has."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from hubstats import explain as explaining
from hubstats import pipeline
from hubstats.errors import ConfigError
from hubstats.estimate import PARTS, TABLES, inputs_of
from hubstats.explain import explain, shown, tables
from hubstats.pipeline import Silent, Writer
from hubstats.records import Basis
from hubstats.store import Store, read_input

from .conftest import Run
from .test_queries import EXPECTED

HOSTILE = "other:A\x1b[31m\u202egnp'.exe"


def make_file(db: Path, salt: str = "one-salt-or-another") -> Path:
    """The fixed rows of test_queries in a real file, with a sampled crawl, a mass uploader and a hostile peft_type."""
    Store.open(db, write=True).close()
    with duckdb.connect(str(db)) as connection:
        connection.execute((EXPECTED / "rows.sql").read_text(encoding="utf-8"))
        connection.execute("DELETE FROM technique")
        connection.execute("UPDATE salt SET value = $salt", {"salt": salt})
        connection.execute(
            "INSERT INTO crawl VALUES"
            " (901, 'hub', 'live', 'https://hub.test', 'done', '2026-01-01', '2026-01-02', NULL, NULL, NULL, '0'),"
            " (902, 'hub', 'live', 'https://hub.test', 'interrupted', '2026-01-03', '2026-01-04', NULL, NULL, '', '0'),"
            " (903, 'cards', 'import', '/somebody/private/cards', 'done', '2026-01-03', NULL, NULL, NULL, NULL, '0')"
        )
        connection.execute(
            "INSERT INTO hub_model (source, model_id, author, created_at)"
            " SELECT 'dump', 'qmass/' || n, 'qmass', '2025-05-05' FROM range(60) AS numbers (n)"
        )
        connection.execute(
            "INSERT INTO model_card (source, model_id, status, text) VALUES ('cards', 'odd', 'ok', 'x');"
            "INSERT INTO verdict (source, subject_id, state, technique, detector_version) VALUES"
            " ('cards', 'odd', 'used', $odd, 'v')",
            {"odd": HOSTILE},
        )
    with Writer(db, Silent()) as writer:
        pipeline.estimate(writer)
    return db


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_file(tmp_path_factory.mktemp("explain") / "hubstats.duckdb")


@pytest.fixture
def store(db: Path) -> Iterator[Store]:
    with Store.open(db) as store:
        store.confine()
        yield store


def ids(store: Store, most: int = 12) -> list[tuple[str, str]]:
    """(table, id) of up to `most` figures of each table, from all over it."""
    found = []
    for table in tables():
        known = store.frame(f"SELECT {explaining._key(table)} AS id FROM {table.TABLE} ORDER BY 1")["id"].to_list()
        found += [(table.TABLE, key) for key in known[:: max(1, len(known) // most)]]
    return found


def test_every_figure_of_every_table_explains_itself(store: Store) -> None:
    known = ids(store)
    empty = {table.TABLE for table in tables()} - {name for name, _ in known}
    assert empty == set(), "the fixed rows do not reach these tables"
    whole = store.frame(f"SELECT count(*) AS found, count(DISTINCT id) AS ids FROM ({explaining._ids()})").row(0)
    assert whole[0] == whole[1] > 300, "an id stands for one figure"
    for name, key in known:
        found = explain(store, key)
        assert (found.table, found.figure_id) == (name, key)
        assert len(found.says) > 10
        text = "\n".join(found.lines())
        assert "None" not in text, text
        assert all(char.isprintable() or char == "\n" for char in text)
        assert all(value.meaning for value in found.values), key
        assert json.loads(found.as_json())["id"] == key
        if "method" in found.figure:
            assert found.figure["method"], key
            assert "method: " in text
        if found.figure.get("caveat"):
            assert "caveat: " in text


def test_the_rows_behind_a_figure_can_be_seen(store: Store) -> None:
    for name, key in ids(store):
        found = explain(store, key)
        rows = store.frame(found.rows)
        counted = found.figure.get("count") or found.figure.get("items_read") or found.figure.get("in_both")
        if counted and name not in ("reconciliation", "mention_recall"):
            assert rows.height > 0, (key, found.rows)
    for technique in ("lora", "ia3", "oft"):
        found = explain(store, f"hub/repositories/evidence/{technique}")
        rows = store.frame(found.rows)
        assert float((rows["weight"] * rows["part"]).sum()) == pytest.approx(found.figure["count"]), technique


def test_a_figure_rests_on_the_inputs_of_its_part_and_of_its_source(store: Store) -> None:
    found = explain(store, "hub/repositories/evidence/lora")
    rests = {(row["source"], row["input"]): row for row in found.bases}
    assert {source for source, _ in rests} == {"hub"}
    assert {"subjects", "strata"} <= {name for _, name in rests} <= {"subjects", "strata", "author_frame"}
    row = rests["hub", "subjects"]
    assert row["rows"] == store.frame("SELECT count(*) FROM subject WHERE source = 'hub'").item()
    assert (row["crawl_id"], row["crawl_state"], row["endpoint"]) == (902, "interrupted", "https://hub.test")
    assert (row["seed"], row["design"], row["sample_size"], row["frame_size"], row["strata"]) == (
        1,
        "stratified",
        6,
        13,
        2,
    )
    text = "\n".join(found.lines())
    assert "crawl 902 of 2026-01-04 00:00, interrupted, https://hub.test" in text
    assert "6 of 13 repositories" in text
    assert "4 of 9  adapter, tagged lora" in text
    assert "is interrupted" in text
    code = explain(store, "snapshot/files/imports_files/lora")
    assert code.inputs == ("imports_files",)
    runs = explain(store, store.frame("SELECT min(standing_id) FROM run_standing").item())
    assert runs.inputs == ("bench_runs",)
    two = explain(store, store.frame("SELECT min(population_id) FROM population_size").item())
    assert {row["source"] for row in two.bases} - {None} == {two.figure["source"], two.figure["other_source"]}


def test_the_basis_is_of_every_input_with_rows(store: Store) -> None:
    for part in PARTS:
        for name in part.INPUTS:
            rows = store.frame(read_input(name))
            said = store.frame("SELECT * FROM basis WHERE input = $name", {"name": name})
            assert bool(said.height) == bool(rows.height), name
            if "source" in rows.columns and "other_source" not in rows.columns:
                assert dict(said.select("source", "rows").rows()) == dict(rows.group_by("source").len().rows()), name
            assert set(said["input_sha256"]) <= {explaining.basis.fingerprint(read_input(name))}
    assert {inputs_of(table) for table in TABLES}


def test_sql_prints_the_queries_that_run(store: Store) -> None:
    found = explain(store, "hub/repositories/evidence/lora")
    text = "\n".join(found.sql())
    assert "-- inputs/subjects.sql, sha256 " in text
    assert read_input("subjects").rstrip() in text
    assert "not the text" not in text


def test_a_changed_query_is_called_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = explain(store, "hub/repositories/evidence/lora")
    monkeypatch.setattr(explaining, "read_input", lambda name: "SELECT 1")
    assert "this is not the text that the figure was made with" in "\n".join(found.sql())


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.41237, 0.384, 0.441, "0.412"),
        (0.0004123, 0.00031, 0.00052, "0.00041"),
        (12345.678, 12000.0, 12700.0, "12,350"),
        (0.9999999, 0.5, 1.0, "1.00"),
        (-0.0000001, -0.2, 0.2, "0.00"),
    ],
)
def test_a_figure_has_no_more_digits_than_its_interval_leaves(value: float, low: float, high: float, text: str) -> None:
    digits = explaining._digits({"low": low, "high": high}, ("low", "high"))
    assert shown(value, digits) == text


def test_numbers_without_an_interval() -> None:
    assert [shown(value) for value in (0.123456, 123456.7, 0.0, 1e-7, 12345, None, True)] == [
        "0.1235",
        "123,457",
        "0",
        "1e-07",
        "12,345",
        "not known",
        "yes",
    ]


def test_a_beginning_and_a_slip_list_what_is_near(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"is the beginning of \d+ ids: hub/repositories/evidence/"):
        explain(store, "hub/repositories/evid")
    with pytest.raises(ConfigError, match=r"near it are: .*hub/repositories/evidence/lora"):
        explain(store, "hub/repositories/evidense/lora")
    with pytest.raises(ConfigError, match="hubstats sql"):
        explain(store, "")
    with pytest.raises(ConfigError) as refused:
        explain(store, "\x1b]0;title\x07" + "x" * 10_000)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 2_000
    with pytest.raises(ConfigError):
        explain(store, "' OR 1=1 --")


def test_a_run_is_found_by_its_own_id(store: Store) -> None:
    run_id = store.frame("SELECT min(run_id) FROM run_standing").item()
    assert explain(store, run_id).figure_id == f"standing/{run_id}"


def test_hostile_names_are_shown_harmlessly_and_can_still_be_asked_for(store: Store) -> None:
    found = explain(store, f"cards/cards/evidence/{HOSTILE}")
    text = "\n".join(found.lines())
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\u202e" not in found.as_json()
    assert json.loads(found.as_json())["figure"]["technique"] == HOSTILE
    line = next(line for line in found.lines() if "hubstats sql" in line)
    assert shlex.split(line.partition("hubstats sql ")[2])[0] == found.rows
    assert store.frame(found.rows)["technique"].to_list() == [HOSTILE]


def test_the_command_line(run: Run, db: Path) -> None:
    done = run("explain", "hub/repositories/evidence/lora", "--db", db)
    assert done.returncode == 0, done.stderr
    share = re.search(r"share +([\d.]+) \(([\d.]+) to ([\d.]+)\)", done.stdout)
    assert share
    with Store.open(db) as store:
        row = store.frame("FROM estimate WHERE estimate_id = 'hub/repositories/evidence/lora'").row(0, named=True)
    for text, name in zip(share.groups(), ("share", "low", "high"), strict=True):
        assert float(text) == pytest.approx(row[name], abs=0.5 * 10 ** -len(text.partition(".")[2]) + 1e-12)
    line = next(line for line in done.stdout.splitlines() if "hubstats sql" in line)
    again = run(*shlex.split(line.partition(": hubstats ")[2]), "--db", db, "-f", "json")
    assert again.returncode == 0, again.stderr
    assert {found["technique"] for found in json.loads(again.stdout)} == {"lora"}
    as_json = json.loads(run("explain", "hub/repositories/evidence/lora", "--db", db, "-f", "json").stdout)
    assert as_json["figure"]["share"] == row["share"]
    wrong = run("explain", "hub/repositories/evidence/lorra", "--db", db)
    assert wrong.returncode == 2
    assert "hub/repositories/evidence/lora" in wrong.stderr
    assert Basis.TABLE in run("explain", "basis/hub/subjects", "--db", db).stdout
    sql = run("explain", "basis/hub/subjects", "--sql", "--db", db).stdout
    assert read_input("subjects").rstrip() in sql
