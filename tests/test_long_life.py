"""A file that a released version wrote opens in this one, with all its rows; and a migration is all or nothing.

tests/fixtures holds one file per version, as that version wrote it (`make fixture`).
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import hubstats
from hubstats import doctor, queries, store
from hubstats.ask import connect
from hubstats.errors import StoreError
from hubstats.pipeline import Silent, rerun
from hubstats.store import Store, migrations

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.duckdb.gz"))
DERIVED = {"migration", "salt"}
"""Tables that are about the file itself."""
NEXT = """
CREATE TABLE added (n INTEGER);
COMMENT ON TABLE added IS 'Of the next version';
INSERT INTO added VALUES (1);
ALTER TABLE hub_model ADD COLUMN added INTEGER DEFAULT 7;
"""


def unpacked(fixture: Path, folder: Path) -> Path:
    db = folder / fixture.name.removesuffix(".gz")
    db.write_bytes(gzip.decompress(fixture.read_bytes()))
    return db


@pytest.fixture
def oldest(tmp_path: Path) -> Path:
    return unpacked(FIXTURES[0], tmp_path)


def counts(db: Path) -> dict[str, int]:
    with duckdb.connect(str(db), read_only=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in tables}


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.name.removesuffix(".duckdb.gz"))
def test_the_file_of_every_version_opens_in_this_one_with_all_it_held(fixture: Path, tmp_path: Path) -> None:
    db = unpacked(fixture, tmp_path)
    before = counts(db)
    assert sum(count > 0 for count in before.values()) > 30
    Store.open(db, write=True).close()
    after = counts(db)
    assert {table: after[table] for table in before if table != "migration"} == {
        table: count for table, count in before.items() if table != "migration"
    }
    assert after["migration"] == len(migrations())
    with connect(db) as answers:
        rows = {question.name: answers.query(question.name).height for question in queries.find()}
    assert sum(height > 0 for height in rows.values()) > 25, rows
    found = list(doctor.examine(db, offline=True))
    assert [one for one in found if one.state == "problem"] == []
    _, made = rerun(db, Silent())
    assert made > 100


def test_this_version_has_a_fixture() -> None:
    assert f"{hubstats.__version__}.duckdb.gz" in [path.name for path in FIXTURES], "make fixture"


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.name.removesuffix(".duckdb.gz"))
def test_no_migration_is_changed_once_a_version_has_it(fixture: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(unpacked(fixture, tmp_path)), read_only=True) as connection:
        applied = dict(connection.execute("SELECT name, sha256 FROM migration").fetchall())
    known = {name: hashlib.sha256(sql.encode()).hexdigest() for name, sql in migrations()}
    changed = [name for name, digest in applied.items() if known.get(name) != digest]
    assert not changed, f"{changed}: add a migration; only while {hubstats.__version__} is unreleased: make fixture"


def with_migration(monkeypatch: pytest.MonkeyPatch, sql: str) -> Callable[[], None]:
    """Makes this process the next version; returns what makes it this one again."""
    known = migrations()
    monkeypatch.setattr(store, "migrations", lambda: [*known, ("0999_next", sql)])
    return lambda: monkeypatch.setattr(store, "migrations", lambda: known)


def test_the_next_version_migrates_a_file_and_this_one_then_refuses_it(
    oldest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counts(oldest)
    back = with_migration(monkeypatch, NEXT)
    with pytest.raises(StoreError, match="status --migrate"):
        Store.open(oldest)
    for _ in range(2):  # migrating twice is migrating once
        with Store.open(oldest, write=True) as opened:
            assert opened.frame("FROM added").rows() == [(1,)]
            assert set(opened.frame("SELECT added FROM hub_model")["added"]) == {7}
    assert counts(oldest) == before | {"added": 1, "migration": before["migration"] + 1}
    back()
    with pytest.raises(StoreError, match="newer hubstats"):
        Store.open(oldest)
    [opens] = [one for one in doctor.examine(oldest, offline=True) if one.check == "opens"]
    assert opens.state == "problem"


def test_a_migration_that_fails_leaves_the_file_as_it_was(oldest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counts(oldest)
    back = with_migration(monkeypatch, NEXT + "INSERT INTO no_such_table VALUES (1);")
    with pytest.raises(StoreError, match="no_such_table"):
        Store.open(oldest, write=True)
    assert counts(oldest) == before
    back()
    with Store.open(oldest, write=True) as opened:
        assert "added" not in opened.frame("FROM hub_model LIMIT 0").columns
