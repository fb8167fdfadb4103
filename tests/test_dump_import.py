"""`hubstats import --kind dump`: what lands in the file, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hubstats.ask import connect
from hubstats.detect import DETECTOR_VERSION, detect
from hubstats.records import Document, Verdict
from hubstats.techniques import load

from .conftest import Run, clean_environment

CARDS = (
    "---\nlicense: mit\n---\n# plain\n",
    "---\ntags:\n- lora\n---\n# A LoRA\n\nTrained with LoRA, rank 8.\n",
    "# none\n\nWe plan to try DoRA.\n",
    "---\nlibrary_name: peft\n---\n# x\n\n### Framework versions\n\n- PEFT 0.11.1\n",
    "---\nlicense: mit\n---\nThis model was trained 2x faster with [Unsloth](u).\n",
    "---\na: b: c\n---\n",
    None,
)


def dump(path: Path, rows: int) -> Path:
    ids = [f"o{number % 7}/m{number}" for number in range(rows)]
    cards = [CARDS[number % len(CARDS)] for number in range(rows)]
    frame = {"modelId": ids, "card": cards, "tags": [["en"]] * rows, "library_name": ["transformers"] * rows}
    pl.DataFrame(frame).write_parquet(path, row_group_size=700)
    return path


def in_file(db: Path, sql: str) -> list[tuple[Any, ...]]:
    with connect(db) as answers:
        return answers.sql(sql).rows()


def assert_is_what_detect_says(db: Path, rows: int) -> None:
    with connect(db) as answers:
        made = answers.sql("SELECT * FROM verdict").rows_by_key("subject_id", named=True, unique=True)
        found = dict(answers.sql("SELECT subject_id, count(*) FROM detection GROUP BY ALL").iter_rows())
    assert len(made) == rows
    for number in range(rows):
        subject = f"o{number % 7}/m{number}"
        document = Document("dump", subject, card=CARDS[number % len(CARDS)], tags=("en",), library_name="transformers")
        evidence, verdict = detect(document, load())
        columns = {field.name: getattr(verdict, field.name) for field in fields(Verdict)}
        wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in columns.items()}
        assert made[subject] | {"subject_id": subject} == wanted
        assert found.get(subject, 0) == len(evidence)


def test_verdicts_and_evidence_are_those_of_detect_and_twice_is_once(run: Run, tmp_path: Path) -> None:
    path, db = dump(tmp_path / "cards.parquet", 900), tmp_path / "hubstats.duckdb"
    for _ in range(2):
        made = run("import", path, "--kind", "dump", "--db", db)
        assert made.returncode == 0, made.stderr
    assert_is_what_detect_says(db, 900)
    assert in_file(db, "SELECT count(*), count(DISTINCT model_id) FROM hub_model") == [(900, 900)]
    # The text of a card that says nothing is not kept; its row says how large it was.
    kept = dict(in_file(db, "SELECT model_id, text FROM model_card WHERE text IS NOT NULL"))
    assert kept["o1/m1"] == CARDS[1]
    assert "o0/m0" not in kept
    assert in_file(db, "SELECT status, bytes FROM model_card WHERE model_id = 'o0/m0'") == [("ok", len(CARDS[0] or ""))]
    assert in_file(db, "SELECT peft_version FROM subject WHERE subject_id = 'o3/m3'") == [("0.11.1",)]


def test_with_keep_text_every_card_is_there_and_another_detector_needs_no_dump(run: Run, tmp_path: Path) -> None:
    path, db = dump(tmp_path / "cards.parquet", 70), tmp_path / "hubstats.duckdb"
    assert run("import", path, "--kind", "dump", "--db", db).returncode == 0
    assert in_file(db, "SELECT count(text) FROM model_card") == [(30,)]
    # The same file again, now with its text: that is another reading.
    assert run("import", path, "--kind", "dump", "--db", db, "--keep-text").returncode == 0
    assert in_file(db, "SELECT count(text), count(*) FROM model_card") == [(60, 70)]
    assert_is_what_detect_says(db, 70)


def test_verdicts_of_another_detector_are_made_anew(run: Run, tmp_path: Path) -> None:
    import duckdb

    path, db = dump(tmp_path / "cards.parquet", 70), tmp_path / "hubstats.duckdb"
    assert run("import", path, "--kind", "dump", "--db", db).returncode == 0
    with duckdb.connect(str(db)) as connection:
        connection.execute("UPDATE verdict SET detector_version = 'older', state = 'used'")
        connection.execute("UPDATE crawl_cursor SET scope = replace(scope, ?, 'older')", [DETECTOR_VERSION])
    assert run("estimate", "--db", db).returncode == 0
    judged = "SELECT count(*) FILTER (WHERE detector_version = 'older') FROM verdict"
    assert in_file(db, judged) == [(30,)]  # those without text: plain cards, Unsloth's, the broken block
    assert "30 cards of the dump were judged by rules of another version" in run("status", "--db", db).stderr
    assert run("import", path, "--kind", "dump", "--db", db).returncode == 0
    assert "another version" not in run("status", "--db", db).stderr
    assert_is_what_detect_says(db, 70)


def test_what_an_earlier_list_of_files_told_counts(run: Run, tmp_path: Path) -> None:
    db = tmp_path / "hubstats.duckdb"
    files = [{"rfilename": "adapter_model.safetensors"}]
    pl.DataFrame({"id": ["o0/m0"], "siblings": [files]}).write_parquet(tmp_path / "models.parquet")
    for name, rows in (("models.parquet", 0), ("cards.parquet", 7)):
        path = dump(tmp_path / name, rows) if rows else tmp_path / name
        assert run("import", path, "--kind", "dump", "--db", db).returncode == 0
    assert in_file(db, "SELECT state, evidence_kind FROM verdict WHERE subject_id = 'o0/m0'") == [
        ("unknown_adapter", "weights")
    ]


@pytest.mark.parametrize("after", [0.0, 0.4])
def test_a_killed_import_loses_nothing_and_doubles_nothing(run: Run, tmp_path: Path, after: float) -> None:
    path, db = dump(tmp_path / "cards.parquet", 1_400), tmp_path / "hubstats.duckdb"
    command = [sys.executable, "-m", "hubstats", "import", str(path), "--kind", "dump", "--db", str(db)]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=clean_environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    spool = tmp_path / "hubstats.duckdb.spool"
    deadline = time.monotonic() + 60
    while process.poll() is None and not list(spool.glob("*/*.arrow")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(after)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    made = run("import", path, "--kind", "dump", "--db", db)
    assert made.returncode == 0, made.stderr
    assert_is_what_detect_says(db, 1_400)
    assert in_file(db, "SELECT count(*), count(DISTINCT model_id) FROM model_card") == [(1_400, 1_400)]


def test_small_text_that_stands_for_much_is_read_in_small_pieces(tmp_path: Path) -> None:
    """A dictionary of one text of 4 MB, and 4,000 rows that are all it: 16 GB, in a file of a few kilobytes."""
    import pyarrow as pa
    from pyarrow import parquet

    from hubstats.sources import dump as source

    text = pa.array(["x" * 4_000_000])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 4_000, pa.int32()), text)
    table = pa.table({"modelId": [f"a/{number}" for number in range(4_000)], "card": column})
    path = tmp_path / "x.parquet"
    parquet.write_table(table, path, use_dictionary=["card"], dictionary_pagesize_limit=10_000_000, compression="zstd")
    assert path.stat().st_size < 200_000
    with parquet.ParquetFile(path) as file:
        assert source._batch_rows(path, file, 0, ("modelId", "card")) <= 4


@pytest.mark.parametrize(("every", "at_once"), [(9_000, 1_000), (200, 90)])
def test_a_long_card_leaves_the_others_read_by_the_hundred(tmp_path: Path, every: int, at_once: int) -> None:
    """As writers lay files out: a dictionary for each column, with the long card in it, or with nothing at all."""
    from pyarrow import parquet

    from hubstats.sources import dump as source

    cards = [f"card {number}" if number % 3 else None for number in range(9_000)]
    for number in range(7, 9_000, every):
        cards[number] = "x" * 5_000_000
    table = pl.DataFrame(
        {"modelId": [f"a/{number}" for number in range(9_000)], "card": cards, "library_name": [None] * 9_000},
        schema_overrides={"library_name": pl.String},
    )
    path = tmp_path / "x.parquet"
    parquet.write_table(table.to_arrow(), path, compression="zstd")
    columns = ("modelId", "card", "library_name")
    with parquet.ParquetFile(path) as file:
        assert source._batch_rows(path, file, 0, columns) >= at_once
        slices = list(source._slices(path, file, 0, columns))
    assert all(part["card"].str.len_bytes().sum() < 2 * source.SLICE_BYTES for part in slices)
    assert pl.concat(slices).equals(table)


def test_a_dump_that_is_not_what_it_was_is_warned_of_with_refresh_too(run: Run, tmp_path: Path) -> None:
    path, db = tmp_path / "cards.parquet", tmp_path / "hubstats.duckdb"
    for count, flags in ((30, ()), (40, ("--refresh",))):
        made = run("crawl", "dump", "--path", dump(path, count), "--db", db, *flags)
        assert made.returncode == 0, made.stderr
        assert ("is not what it was" in made.stderr) == (count == 40)
