"""The store: schema, idempotent writes, what it refuses, and the line it says when it does."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import polars
import pytest

from hubstats.ask import connect
from hubstats.errors import QueryError, StoreBusy, StoreError
from hubstats.records import (
    AdapterConfig,
    CodeFile,
    CodeImport,
    Detection,
    Document,
    Estimate,
    Failure,
    HubModel,
    ImageCheckpoint,
    ModelCard,
    Page,
    Record,
    Verdict,
)
from hubstats.spool import Spool
from hubstats.store import OWNED, Store, migrations, record_classes

NAMED_IN_THE_ISSUE = {
    "hub_model": "model_id author created_at last_modified downloads likes tags library_name pipeline_tag base_model",
    "model_card": "model_id status text",
    "adapter_config": "model_id status peft_type config",
    "code_file": "repo path blob_sha",
    "image_checkpoint": "checkpoint_id type downloads",
    "verdict": "source subject_id technique state evidence_kind overlays",
    "code_import": "repo revision path cell form module name alias line",
    "detection": "source subject_id technique evidence_kind span_start span_end excerpt detector_version",
}
"""Tables and columns that users were promised by name."""


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "hubstats.duckdb"
    Store.open(path, write=True).close()
    return path


def take(db: Path, *pages: tuple[Record, ...]) -> None:
    """Writes pages as a crawl does: spool, then absorb."""
    spool = Spool(db.with_name(db.name + ".spool"))
    for records in pages:
        spool.append("test", Page(records))
    spool.seal()
    with Store.open(db, write=True) as store:
        for segment in spool.segments():
            store.absorb(segment)


def rows(db: Path, sql: str) -> list[tuple[object, ...]]:
    with Store.open(db) as store:
        return store.frame(sql).rows()


def test_every_table_and_column_has_a_comment(db: Path) -> None:
    tables = rows(db, "SELECT table_name, comment FROM duckdb_tables()")
    columns = rows(
        db,
        "SELECT table_name, column_name, duckdb_columns.comment"
        " FROM duckdb_columns() JOIN duckdb_tables() USING (table_name)",
    )
    assert len(tables) > 15
    assert [row for row in tables if not row[1]] == []
    assert [row for row in columns if not row[2]] == []


@pytest.mark.parametrize("table", sorted(NAMED_IN_THE_ISSUE))
def test_promised_columns_are_there(db: Path, table: str) -> None:
    there = {row[0] for row in rows(db, f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}'")}
    assert set(NAMED_IN_THE_ISSUE[table].split()) <= there


@pytest.mark.parametrize("table", sorted(record_classes()))
def test_records_and_tables_name_the_same_columns(db: Path, table: str) -> None:
    columns = [row[0] for row in rows(db, f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}'")]
    record = record_classes()[table]
    assert [field.name for field in fields(record)] == columns  # type: ignore[arg-type]
    assert set(record.KEY) <= set(columns)


def test_document_is_no_table() -> None:
    assert not issubclass(Document, Record)


def test_owned_rows_name_real_columns(db: Path) -> None:
    for owner, owned in OWNED.items():
        for table, pairs in owned:
            for theirs, ours in pairs.items():
                found = rows(
                    db,
                    "SELECT count(*) FROM duckdb_columns() WHERE (table_name, column_name) IN "
                    f"(('{table}', '{theirs}'), ('{owner}', '{ours}'))",
                )
                assert found == [(2,)]


def test_writing_twice_is_writing_once(db: Path) -> None:
    model = HubModel("hub", "a/b", author="a", tags=("peft", "lora"), downloads=7)
    take(db, (model, HubModel("hub", "c/d")))
    take(db, (model, HubModel("hub", "c/d")))
    assert rows(db, "SELECT model_id, downloads, tags FROM hub_model ORDER BY 1") == [
        ("a/b", 7, ["peft", "lora"]),
        ("c/d", None, []),
    ]


def test_the_last_page_wins_and_a_repeat_on_one_page_is_harmless(db: Path) -> None:
    take(db, (HubModel("hub", "a/b", downloads=1), HubModel("hub", "a/b", downloads=1)), (HubModel("hub", "a/b"),))
    assert rows(db, "SELECT model_id, downloads FROM hub_model") == [("a/b", None)]


def test_a_listing_without_files_does_not_erase_what_one_with_files_told(db: Path) -> None:
    take(db, (HubModel("dump", "a/b", has_card=True, has_adapter_config=False, weight_files=("x.bin",), downloads=1),))
    take(db, (HubModel("dump", "a/b", downloads=None), HubModel("hub", "a/b")))
    assert rows(
        db, "SELECT source, has_card, has_adapter_config, weight_files, downloads FROM hub_model ORDER BY 1"
    ) == [
        ("dump", True, False, ["x.bin"], None),
        ("hub", None, None, None, None),
    ]


def test_a_file_read_again_loses_the_imports_it_no_longer_has(db: Path) -> None:
    def imported(name: str, path: str = "a.py") -> CodeImport:
        return CodeImport("code", "o/r", None, path, None, "from", "peft", name, None, 1)

    other = (CodeFile("code", "o/r", None, "b.py"), imported("LoraConfig", "b.py"))
    take(db, (CodeFile("code", "o/r", None, "a.py"), imported("LoraConfig"), imported("PeftModel")), other)
    assert len(rows(db, "SELECT * FROM code_import WHERE path = 'a.py'")) == 2
    take(db, (CodeFile("code", "o/r", None, "a.py"), imported("IA3Config")))
    assert rows(db, "SELECT path, name FROM code_import ORDER BY 1") == [("a.py", "IA3Config"), ("b.py", "LoraConfig")]
    take(db, (CodeFile("code", "o/r", None, "a.py"),))
    assert rows(db, "SELECT path FROM code_import") == [("b.py",)]


def test_rows_that_come_as_frames_are_written_once_and_the_last_page_wins(db: Path) -> None:
    def page(state: str, library: str) -> Page:
        models = polars.DataFrame({"source": ["dump"], "model_id": ["a/b"], "library_name": [library], "tags": [["x"]]})
        verdicts = polars.DataFrame(
            {
                "source": ["dump"],
                "subject_id": ["a/b"],
                "state": [state],
                "detector_version": ["1"],
                "mentions": [["lora"]],
            }
        )
        evidence = {"source": "dump", "subject_id": "a/b", "technique": "lora", "evidence_kind": "prose", "excerpt": "",
                    "detector_version": "1", "use": True, "span_start": 3}  # fmt: skip
        tables = {"hub_model": models, "verdict": verdicts, "detection": polars.DataFrame([evidence])}
        return Page((Failure("dump", "f", state, "why"),), cursor=state, tables=tables)

    for _ in range(2):
        spool = Spool(db.with_name("frames.spool"))
        for state in ("none", "used"):
            spool.append("dump", page(state, state))
        spool.seal()
        with Store.open(db, write=True) as store:
            for segment in spool.segments():
                store.absorb(segment)
    assert rows(db, "SELECT model_id, library_name, tags FROM hub_model") == [("a/b", "used", ["x"])]
    assert rows(db, "SELECT subject_id, state, mentions FROM verdict") == [("a/b", "used", ["lora"])]
    assert rows(db, "SELECT technique, span_start FROM detection") == [("lora", 3)]
    assert rows(db, "SELECT count(*) FROM failure") == [(2,)]


def test_a_changed_card_takes_its_verdict_along(db: Path) -> None:
    def verdict(subject: str) -> tuple[Record, ...]:
        detection = Detection("hub", subject, "lora", "prose", 0, 4, "LoRA", "1")
        return Verdict("hub", subject, "lora", "used", "prose", detector_version="1"), detection

    take(db, (ModelCard("hub", "a/b", "ok", "LoRA"), ModelCard("hub", "c/d", "ok", "LoRA")))
    take(db, verdict("a/b"), verdict("c/d"))
    take(db, (ModelCard("hub", "a/b", "ok", "something else"),))
    assert rows(db, "SELECT subject_id FROM verdict") == [("c/d",)]


def test_a_repository_at_a_new_commit_loses_what_it_no_longer_has(db: Path) -> None:
    def at(commit: str, *paths: str, day: int) -> tuple[Record, ...]:
        when = datetime(2026, 1, day, tzinfo=UTC)
        return tuple(
            record
            for path in paths
            for record in (
                CodeFile("code", "o/r", commit, path, fetched_at=when),
                CodeImport("code", "o/r", commit, path, None, "from", "peft", "LoraConfig", None, 1),
            )
        )

    other = CodeFile("code", "o/other", "aaa", "c.py", fetched_at=datetime(2026, 1, 1, tzinfo=UTC))
    failed = [
        Failure("code", repo, "x.py", "not_read", None, datetime(2026, 1, 1, tzinfo=UTC)) for repo in ("o/r", "o/other")
    ]
    take(db, (*at("aaa", "a.py", "b.py", day=1), other, *failed))
    spool = Spool(db.with_name(db.name + ".spool"))
    spool.append("code", Page(at("bbb", "a.py", day=2), scope="o/r", cursor="bbb", done=True))
    spool.seal()
    with Store.open(db, write=True) as store:
        store.absorb(spool.segments()[-1])
        store.forget_superseded("code")
    assert rows(db, "SELECT repo, path, revision FROM code_file ORDER BY 1, 2") == [
        ("o/other", "c.py", "aaa"),
        ("o/r", "a.py", "bbb"),
    ]
    assert rows(db, "SELECT path, revision FROM code_import") == [("a.py", "bbb")]
    assert rows(db, "SELECT subject_id FROM failure") == [("o/other",)]


def test_a_card_that_could_be_read_after_all_is_no_failure(db: Path) -> None:
    take(db, (Failure("cards", "a", "a.md", "unreadable"), Failure("cards", "b", "b.md", "unreadable")))
    take(db, (ModelCard("cards", "a", "ok", "text"),))
    assert rows(db, "SELECT subject_id FROM failure") == [("b",)]


# --- derived tables -----------------------------------------------------------------------------------------------


def derived(db: Path) -> None:
    with Store.open(db, write=True) as store:
        store.derive()


def test_derived_tables_come_in_the_order_they_need_and_twice_is_once(db: Path) -> None:
    take(db, (ModelCard("cards", "a", "ok", "LoRA"), ImageCheckpoint("civitai", "7", "LORA", creator="c", downloads=3)))
    take(
        db, (Verdict("cards", "a", "lora", "used", "prose", overlays=("qlora", "dora", "qlora"), detector_version="1"),)
    )
    for _ in range(2):
        derived(db)
        assert rows(db, "SELECT source, subject_id, weight, state, techniques, overlays FROM subject ORDER BY 1") == [
            ("cards", "a", 1.0, "used", ["lora"], ["dora", "qlora"]),
            ("civitai", "7", 1.0, "none", [], []),
        ]
        assert rows(db, "SELECT source, technique, part FROM adapter") == [("cards", "lora", 1.0)]
    take(db, (ModelCard("cards", "b", "ok", "x"),))
    assert len(rows(db, "SELECT * FROM subject")) == 2, "what was crawled since waits for the next estimate"


@pytest.mark.parametrize(
    ("card", "config", "version"),
    [
        ("# x\n### Framework versions\n\n- PEFT 0.7.1\n- PEFT 0.9.9\n", None, "0.7.1"),
        ("# x\r\n- PEFT 0.5.0.dev0\r\n", None, "0.5.0"),
        ("# x\n- PEFT 0.5", None, "0.5.0"),
        ("# x\n- PEFT 0.7.1", '{"peft_version": "0.17.0"}', "0.17.0"),
        ("# x\n- PEFT 0.7.1", '{"peft_version": null}', "0.7.1"),
        ("# x\n- PEFT 0.7.1", '{"peft_version": "0.18.2.dev0@abc"}', "0.18.2"),
        ("# x\n- PEFT 0.7.1", "not json", "0.7.1"),
        ("# x\n- PEFT 0.7.1", '{"nested": {"peft_version": "0.1.0"}, "peft_version": ["0.2.0"]}', "0.7.1"),
        (None, '{"peft_version": "latest"}', None),
        (None, '{"peft_version": "12345.1.1"}', None),
        ("I like PEFT 0.7.1, and\nuse PEFT 0.7.1\n- PEFT methods\n- PEFT 1234.5.6", None, None),
    ],
)
def test_version_of_peft(db: Path, card: str | None, config: str | None, version: str | None) -> None:
    take(db, (ModelCard("x", "a", "ok", card), AdapterConfig("x", "a", "ok", "LORA", config)))
    derived(db)
    assert rows(db, "SELECT peft_version FROM subject") == [(version,)]


def test_weights_are_of_those_read_in_the_newest_draw(db: Path) -> None:
    models = tuple(HubModel("hub", f"o/{n}", author="o", has_card=True, has_adapter_config=False) for n in range(9))
    take(db, models, tuple(ModelCard("hub", f"o/{n}", "ok", "x") for n in (0, 1, 5)))
    with Store.open(db, write=True) as store:
        store.execute(
            "INSERT INTO sample_stratum BY NAME SELECT 'hub' AS source, seed, stratum, size AS frame_size,"
            " 2 AS sample_size, drawn_at, 'stratified' AS design FROM (VALUES (0, 'old', 9, TIMESTAMP '2026-01-01'),"
            " (1, 'a', 6, TIMESTAMP '2026-01-02'), (1, 'b', 3, TIMESTAMP '2026-01-02'))"
            " draws (seed, stratum, size, drawn_at)"
        )
        store.execute(
            "INSERT INTO sample_frame BY NAME SELECT 'hub' AS source, seed, 'o/' || n AS model_id, stratum,"
            " n AS draw_rank, 0.5 AS inclusion_probability FROM (VALUES (0, 'old', 5), (1, 'a', 0), (1, 'a', 1),"
            " (1, 'b', 2)) t (seed, stratum, n)"
        )
    derived(db)
    assert rows(db, "SELECT subject_id, stratum, weight FROM subject ORDER BY 1") == [
        ("o/0", "a", 3.0),
        ("o/1", "a", 3.0),
    ]


def test_making_the_derived_tables_again_does_not_let_the_file_grow(db: Path) -> None:
    with Store.open(db, write=True) as store:
        store.execute(
            "INSERT INTO model_card BY NAME SELECT 'cards' AS source, md5(n::VARCHAR) AS model_id, 'ok' AS status"
            " FROM range(60000) numbers (n)"
        )
    sizes = []
    for _ in range(6):
        derived(db)
        sizes.append(db.stat().st_size)
    assert max(sizes[2:]) <= sizes[1] * 1.1, sizes


def test_a_derived_table_becomes_what_was_made(db: Path) -> None:
    def figure(name: str, **given: object) -> Estimate:
        fixed = dict.fromkeys((field.name for field in fields(Estimate)), None)
        fixed |= {"estimate_id": name, "source": "hub", "measure": "m", "rule": "r", "technique": "t", "subjects": 3}
        return Estimate(**fixed | {"method": "way", "detector_version": "1"} | given)  # type: ignore[arg-type]

    east = timezone(timedelta(hours=2))
    with Store.open(db, write=True) as store:
        with store.transaction():
            store.replace("estimate", [figure("a", share=0.25), figure("b")])
        with store.transaction():
            store.replace("estimate", [figure("b", share=1, as_of=datetime(2026, 1, 1, 2, tzinfo=east)), figure("c")])
        with pytest.raises(StoreError, match="NOT NULL"), store.transaction():
            store.replace("estimate", [figure("d", method=None)])
    assert rows(db, "SELECT estimate_id, share, as_of, caveat FROM estimate ORDER BY 1") == [
        ("b", 1.0, datetime(2026, 1, 1, 0), None),
        ("c", None, None, None),
    ]
    with Store.open(db, write=True) as store, store.transaction():
        store.replace("estimate", [])
    assert rows(db, "SELECT * FROM estimate") == []


@pytest.mark.parametrize("table", sorted(record_classes()))
def test_every_table_can_be_replaced(db: Path, table: str) -> None:
    with Store.open(db, write=True) as store, store.transaction():
        store.replace(table, [])


def test_odd_text_survives(db: Path) -> None:
    odd = "NUL \0, surrogate \ud800, quote ' \" \\, newline \n, RTL \u202e, emoji 🙂, separator \u2028"
    take(db, (ModelCard("cards", "x", "ok", odd, fetched_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),))
    [(text, at)] = rows(db, "SELECT text, fetched_at FROM model_card")
    assert text == odd.replace("\ud800", "?")
    assert at == datetime(2026, 1, 2, 3, 4, 5, 6)


def test_a_card_of_five_megabytes_of_escapes_fits(db: Path) -> None:
    take(db, (ModelCard("cards", "x", "ok", "\x01" * 5_000_000),))
    assert rows(db, "SELECT length(text) FROM model_card") == [(5_000_000,)]


def test_a_segment_cut_in_the_middle_of_a_line_loses_only_that_line(db: Path) -> None:
    spool = Spool(db.with_name("cut.spool"))
    spool.append("test", Page(tuple(HubModel("hub", f"a/{n}") for n in range(10))))
    spool.seal()
    [segment] = spool.segments()
    path = segment / "hub_model.ndjson"
    path.write_bytes(path.read_bytes()[:-5])
    with Store.open(db, write=True) as store:
        assert store.absorb(segment) == 9
        assert store.absorb(segment) == 9
        assert store.count("hub_model") == 9


def test_a_failed_absorb_changes_nothing(db: Path) -> None:
    spool = Spool(db.with_name("bad.spool"))
    spool.append("test", Page((HubModel("hub", "a/b"), ModelCard("hub", "a/b", "ok"))))
    spool.seal()
    [segment] = spool.segments()
    with (segment / "model_card.ndjson").open("a") as stream:
        stream.write('{"_page": "not a number"}\n')
    with Store.open(db, write=True) as store:
        with pytest.raises(StoreError, match="cannot take"):
            store.absorb(segment)
        assert store.count("hub_model") == 0


def test_a_page_that_was_not_committed_is_not_taken_in(db: Path) -> None:
    """A kill between the two files of a page: the code file without its imports would count as read."""
    spool = Spool(db.with_name("killed.spool"))
    spool.append("test", Page((HubModel("hub", "a/b"),), scope="listing", cursor="one"))
    spool.commit()
    [folder] = db.with_name("killed.spool").iterdir()
    with (folder / "hub_model.ndjson").open("ab") as stream:
        stream.write(b'{"_page": 2, "source": "hub", "model_id": "c/d"}\n')
    with (folder / "crawl_cursor.ndjson").open("ab") as stream:
        stream.write(b'{"_page": 2, "source": "hub", "scope": "listing", "cursor": "two", "done": false,')
        stream.write(b' "updated_at": "2026-01-01T00:00:00Z"}\n')
    with Store.open(db, write=True) as store:
        store.absorb(folder)
        assert [row[0] for row in store.frame("SELECT model_id FROM hub_model").iter_rows()] == ["a/b"]
        assert store.cursors("test") == {"listing": "one"}
    spool.seal()  # closes its files, as the end of the killed process would


def test_ctrl_c_in_a_statement_is_ctrl_c(db: Path) -> None:
    """DuckDB makes a RuntimeError of it."""
    with Store.open(db, write=True) as store:
        for ask in (store.frame, store.execute):
            pressed = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
            pressed.start()
            given_up = threading.Timer(30, store._connection.interrupt)  # where it is not heard, the test fails
            given_up.start()
            with pytest.raises(KeyboardInterrupt), store.transaction():
                ask("SELECT count(*) FROM range(200000000000) AS t(a) WHERE sin(a) > 2")
            pressed.join()
            given_up.cancel()
        assert store.count("hub_model") == 0


def test_a_full_disk_is_said_and_the_transaction_undone(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        """A connection whose disk is full from the commit on."""

        def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
            self.connection = connection
            self.full = False

        def execute(self, sql: str, parameters: object = None) -> object:
            if self.full or sql == "COMMIT":
                self.full = True
                raise duckdb.TransactionException('Failed to commit: Could not write file "x": No space left on device')
            return self.connection.execute(sql, parameters)

    with Store.open(db, write=True) as store:
        monkeypatch.setattr(store, "_connection", Full(store._connection))
        with pytest.raises(StoreError, match="disk is full") as caught, store.transaction():
            store.execute("INSERT INTO salt VALUES ('x')")
        assert "\n" not in str(caught.value)
        monkeypatch.undo()
        store.execute("ROLLBACK")
        assert store.count("salt") == 1


def test_two_readers_in_one_process(db: Path) -> None:
    with connect(db) as one, connect(db) as two:
        assert one.sql("SELECT 1 AS x").equals(two.sql("SELECT 1 AS x"))
        with pytest.raises(QueryError):
            two.sql("SELECT * FROM read_text('/etc/hostname')")


def test_what_is_no_hubstats_file_is_refused_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.duckdb"
    text.write_text("not a database, and long enough to be looked at " * 100)
    foreign = tmp_path / "foreign.duckdb"
    with duckdb.connect(str(foreign)) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")
    for path, says in [
        (text, "is not a DuckDB file"),
        (foreign, "not one of hubstats"),
        (tmp_path, "is a folder"),
        (tmp_path / "absent.duckdb", "there is no file"),
    ]:
        with pytest.raises(StoreError, match=says) as caught:
            Store.open(path)
        assert "\n" not in str(caught.value)
    for path in (text, foreign):
        with pytest.raises(StoreError):
            Store.open(path, write=True)
    assert foreign.exists()
    with duckdb.connect(str(foreign)) as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(1,)]
    with pytest.raises(StoreError, match="there is no folder"):
        Store.open(tmp_path / "none" / "x.duckdb", write=True)


def test_a_newer_schema_is_refused_and_an_older_one_migrated(db: Path) -> None:
    with duckdb.connect(str(db)) as connection:
        connection.execute("INSERT INTO migration VALUES ('9999_from_the_future', 'x', NULL)")
    with pytest.raises(StoreError, match="newer hubstats"):
        Store.open(db)
    with duckdb.connect(str(db)) as connection:
        connection.execute("DELETE FROM migration WHERE name LIKE '9999%'")
        connection.execute(f"DELETE FROM migration WHERE name = '{migrations()[-1][0]}'")
    with pytest.raises(StoreError, match="older schema"):
        Store.open(db)


def test_migrating_a_new_file_twice_is_migrating_it_once(db: Path) -> None:
    Store.open(db, write=True).close()
    assert [row[0] for row in rows(db, "SELECT name FROM migration ORDER BY 1")] == [name for name, _ in migrations()]


def test_a_holder_that_let_go_while_duckdb_asked_who_it_was_is_waited_for(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = duckdb.connect
    said = f'Could not set lock on file "{db}": Conflicting lock is held in PID 0. However, you would be able to open'
    refusals = iter([duckdb.IOException(said)] * 3)

    def busy(path: str, **options: Any) -> duckdb.DuckDBPyConnection:
        for refusal in refusals:
            raise refusal
        return real(path, **options)

    monkeypatch.setattr("hubstats.store.duckdb.connect", busy)
    Store.open(db).close()
    refusals = iter([duckdb.IOException(said)] * 100)
    with pytest.raises(StoreBusy, match="held open by another program"):
        Store.open(db, patience=0.1)


def test_a_file_held_by_another_process_is_named_and_waited_for(db: Path) -> None:
    script = f"""
        import duckdb, sys, time
        connection = duckdb.connect({str(db)!r})
        print("open", flush=True)
        sys.stdin.readline()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StoreBusy, match=str(holder.pid)):
            Store.open(db, patience=0.3)
        holder.stdin.write("\n")
        holder.stdin.flush()
        Store.open(db, patience=30).close()


def test_users_sql_reaches_nothing_but_the_file(db: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with Store.open(db) as store:
        store.confine()
        assert store.frame("SELECT 1 AS one").rows() == [(1,)]
        for sql in (
            f"SELECT * FROM read_csv('{secret}')",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
            f"ATTACH '{tmp_path / 'other.duckdb'}'",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            "DELETE FROM hub_model",
            "SELECT * FROM no_such_table",
            "SELEC 1",
        ):
            with pytest.raises(QueryError):
                store.frame(sql)
    assert not (tmp_path / "out.csv").exists()


def test_of_what_a_search_found_only_the_query_without_a_class_counts(db: Path) -> None:
    with Store.open(db, write=True) as store:
        for repo, query in (("a/x", None), ("b/y", "ia3"), ("c/z", "ia3")):
            key = {"repo": repo, "technique": "lora" if query is None else query}
            store.execute(
                "INSERT INTO code_file (source, repo, path, status, role, blob_sha)"
                " VALUES ('github', $repo, 'm.py', 'ok', 'use', $repo)",
                {"repo": repo},
            )
            store.execute(
                "INSERT INTO code_import (source, repo, path, form, module, name, line, technique, adjacent)"
                " VALUES ('github', $repo, 'm.py', 'from', 'peft', 'X', 1, $technique, true)",
                key,
            )
            store.execute(
                "INSERT INTO search_hit (source, query, repo, path, technique)"
                " VALUES ('github', $query, $repo, 'm.py', $technique)",
                {"repo": repo, "query": f"from peft import {query}", "technique": query},
            )
        store.execute(
            "INSERT INTO code_file (source, repo, path, status, role) VALUES ('code', 'd/w', 'm.py', 'ok', 'use')"
        )
        store.execute(
            "INSERT INTO code_import (source, repo, path, form, module, name, line, technique, adjacent)"
            " VALUES ('code', 'd/w', 'm.py', 'from', 'peft', 'X', 1, 'ia3', true)"
        )
        store.derive()
        for table in ("phrase_import", "use_import"):
            rows = store.frame(f"SELECT source, repo, technique FROM {table} ORDER BY source").rows()
            assert rows == [("code", "d/w", "ia3"), ("github", "a/x", "lora")], table
