"""Code corpora in Parquet: one file a row, whatever the columns are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from hubstats.engines.local import Local
from hubstats.evaluate.walk import walk
from hubstats.records import CodeFile, CodeImport, Failure
from hubstats.sources import _code_parquet
from hubstats.sources._trees import MAX_BYTES, blob_sha
from tests.test_code import TRAIN, Crawl

SHA = "0123456789abcdef0123456789abcdef01234567"


def corpus(path: Path, columns: dict[str, Any], row_group_size: int = 1000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return path


def many(count: int) -> dict[str, list[str]]:
    """Columns of `count` files, every third of which imports peft."""
    texts = [f"{TRAIN}# {i}" if i % 3 == 0 else f"import os\nprint({i})  # \u00e9" for i in range(count)]
    return {"content": texts, "path": [f"src/{i}.py" for i in range(count)], "repo_name": ["me/proj"] * count}


def test_every_row_is_a_file(tmp_path: Path) -> None:
    path = corpus(
        tmp_path / "train.parquet",
        {
            "max_stars_repo_path": ["a/train.py", "b.py", "tests/test_a.py", "notes.md", "c.ipynb", "d.py"],
            "max_stars_repo_name": ["me/one", "me/one", "me/two", "me/two", "me/two", None],
            "hexsha": [SHA, SHA, "short", SHA, SHA, None],
            "content": [TRAIN, "import os", "import peft", "import peft", '{"x": "import peft"}', "import peft"],
            "lang": ["Python", "Python", "python", "Markdown", "Jupyter Notebook", None],
        },
    )
    crawl = Crawl(path)
    assert {(f.repo, f.path): (f.blob_sha, f.status, f.role, f.bytes) for f in crawl.of(CodeFile)} == {
        ("me/one", "a/train.py"): (SHA, "ok", "use", len(TRAIN)),
        ("me/two", "tests/test_a.py"): (blob_sha(b"import peft"), "ok", "test", 11),
        ("me/two", "c.ipynb"): (SHA, "malformed", "use", 20),
        ("train", "d.py"): (blob_sha(b"import peft"), "ok", "use", 11),
    }
    assert [(one.path, one.form) for one in crawl.of(CodeImport)][:3] == [
        ("a/train.py", "from"),
        ("a/train.py", "construct"),
        ("tests/test_a.py", "import"),
    ]
    assert [(page.scope, page.done, page.items, page.expected) for page in crawl.pages] == [
        ("train.parquet", True, 5, 6)
    ]
    assert crawl.source.counters()["files"] == 5
    again = Crawl(path, cursors=crawl.cursors)
    assert again.pages == []
    assert again.source.counters() == {"repositories_unchanged": 1}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()])
def test_contents_alone_will_do(tmp_path: Path, kind: pa.DataType) -> None:
    texts = [TRAIN, "x = 1", "# caf\u00e9\nimport peft", None, "importlib.import_module('p\\u0065ft')", "\uff50eft"]
    raw = [text if text is None else text.encode() for text in texts]
    column = pa.array(raw, pa.binary()).cast(kind)
    crawl = Crawl(corpus(tmp_path / "c.parquet", {"code": column}))
    assert [(f.repo, f.path) for f in crawl.of(CodeFile)] == [
        ("c", f"{blob_sha(raw[at])}.py")
        for at in (0, 2, 4, 5)  # type: ignore[arg-type]
    ]
    assert [(f.subject_id, f.reason, f.detail) for f in crawl.of(Failure)] == [
        ("c.parquet", "missing", "1 rows have no content")
    ]


def test_a_text_is_read_as_it_is_and_bytes_as_they_declare(tmp_path: Path) -> None:
    source = "# -*- coding: latin-1 -*-\nfrom peft import LoraConfig as L\u00f6\nL\u00f6(r=1)\n"
    for name, column in (("text", pa.array([source])), ("bytes", pa.array([source.encode("latin-1")]))):
        crawl = Crawl(corpus(tmp_path / f"{name}.parquet", {"content": column}))
        assert [(one.form, one.alias) for one in crawl.of(CodeImport)] == [
            ("from", "L\u00f6"),
            ("construct", "L\u00f6"),
        ]
        assert {f.parser for f in crawl.of(CodeFile)} == {"ast"}


def test_the_same_as_the_plain_walk_and_as_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_code_parquet, "SHARD_FILES", 20)
    columns = many(150)
    path = corpus(tmp_path / "all" / "part" / "a.parquet", columns, row_group_size=7)
    corpus(tmp_path / "all" / "b.parquet", {**columns, "repo_name": ["me/other"] * 150}, row_group_size=150)
    whole = Crawl(tmp_path / "all")
    assert {page.scope for page in whole.pages} == {"part/a.parquet", "b.parquet"}
    with Local(2, alone=0) as engine:
        assert Crawl(tmp_path / "all", engine=engine).pages == whole.pages
    walked = {
        (path, line, module, name, alias)
        for path, text in zip(columns["path"], columns["content"], strict=True)
        for line, module, name, alias in walk(text) or ()
    }
    found = Crawl(path).of(CodeImport)
    assert {(f.path, f.line, f.module, f.name, f.alias) for f in found if f.form == "from"} == walked
    assert len(walked) == 50


def test_an_import_that_was_stopped_goes_on_at_its_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_code_parquet, "SHARD_FILES", 20)
    path = corpus(tmp_path / "a.parquet", many(100), row_group_size=10)
    whole = Crawl(path)
    assert len(whole.pages) == 5
    for at in range(1, 5):
        cursors = {page.scope: str(page.cursor) for page in whole.pages[:at]}
        assert cursors["a.parquet"].endswith(f" {2 * at}")
        assert Crawl(path, cursors=cursors).pages == whole.pages[at:]
    corpus(path, many(99), row_group_size=10)
    assert len(Crawl(path, cursors=cursors).pages) == 5, "another file of the same name is read from its start"


def test_a_dense_row_group_comes_in_several_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = corpus(tmp_path / "a.parquet", many(2000), row_group_size=2000)
    whole = Crawl(path)
    monkeypatch.setattr(_code_parquet, "MOST_RECORDS", 40)
    crawl = Crawl(path)
    assert len(crawl.pages) > len(whole.pages)
    assert crawl.of(CodeImport) == whole.of(CodeImport)
    assert crawl.of(CodeFile) == whole.of(CodeFile)
    assert [page.cursor is not None for page in crawl.pages] == [False] * (len(crawl.pages) - 1) + [True]
    assert sum(page.items or 0 for page in crawl.pages) == 2000


def test_a_place_that_a_corpus_names_twice_counts_once(tmp_path: Path) -> None:
    columns = {"content": [TRAIN, "import peft", TRAIN], "path": ["a.py", "a.py", "b.py"], "repo": ["me/x"] * 3}
    crawl = Crawl(corpus(tmp_path / "a.parquet", columns))
    assert [(one.path, one.form) for one in crawl.of(CodeImport)] == [
        ("a.py", "from"),
        ("a.py", "construct"),
        ("b.py", "from"),
        ("b.py", "construct"),
    ]
    assert crawl.source.counters()["repeated"] == 1


def test_parquet_among_source_is_no_corpus(tmp_path: Path) -> None:
    corpus(tmp_path / "proj" / "data" / "a.parquet", many(3))
    (tmp_path / "proj" / "src").mkdir()
    (tmp_path / "proj" / "src" / "train.py").write_text(TRAIN)
    crawl = Crawl(tmp_path / "proj")
    assert [(f.repo, f.path) for f in crawl.of(CodeFile)] == [("proj", "src/train.py")]


def test_large_rows(tmp_path: Path) -> None:
    columns = {
        "content": ["#" * (MAX_BYTES + 1), "import peft\n" + "#" * (MAX_BYTES - 12)],
        "path": ["big.py", "limit.py"],
    }
    crawl = Crawl(corpus(tmp_path / "a.parquet", columns))
    assert [(f.path, f.status, f.bytes) for f in crawl.of(CodeFile)] == [
        ("big.py", "too_large", MAX_BYTES + 1),
        ("limit.py", "ok", MAX_BYTES),
    ]


def test_files_that_are_no_corpora_do_not_stop_the_others(tmp_path: Path) -> None:
    good = corpus(tmp_path / "d" / "good.parquet", many(3))
    whole = good.read_bytes()
    (tmp_path / "d" / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "d" / "empty.parquet").write_bytes(b"")
    corpus(tmp_path / "d" / "cards.parquet", {"modelId": ["a/b"], "card": ["# hello"]})
    corpus(tmp_path / "d" / "numbers.parquet", {"content": [1, 2]})
    corpus(tmp_path / "d" / "none.parquet", {"content": pa.array([], pa.string())})
    crawl = Crawl(tmp_path / "d")
    assert {(f.subject_id, f.reason) for f in crawl.of(Failure)} == {
        ("cut.parquet", "malformed"),
        ("empty.parquet", "malformed"),
        ("cards.parquet", "no_content_column"),
        ("numbers.parquet", "wrong_type"),
    }
    assert "it has: modelId, card" in next(f.detail for f in crawl.of(Failure) if f.reason == "no_content_column")
    assert [f.path for f in crawl.of(CodeFile)] == ["src/0.py"]
    assert set(crawl.cursors) == {"good.parquet", "none.parquet"}


def test_a_row_group_that_is_damaged_is_counted_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"content": [f"{TRAIN}# {i} " + str(hash(str(i))) * 300 for i in range(40)]})
    parquet.write_table(table, path, row_group_size=10, compression="zstd")
    column = parquet.ParquetFile(path).metadata.row_group(2).column(0)
    begin = column.dictionary_page_offset or column.data_page_offset
    data = bytearray(path.read_bytes())
    data[begin + 40 : begin + column.total_compressed_size] = b"\xff" * (column.total_compressed_size - 40)
    path.write_bytes(data)
    crawl = Crawl(path)
    assert len(crawl.of(CodeFile)) == 30
    (failure,) = crawl.of(Failure)
    assert (failure.item, failure.reason) == ("row group 2", "malformed")
    assert set(crawl.cursors) == {"a.parquet"}


def test_what_a_worker_could_not_finish_is_a_failure_and_tried_again(tmp_path: Path) -> None:
    path = corpus(tmp_path / "a.parquet", many(30), row_group_size=10)

    class Loser:
        name, workers = "loser", 1

        def map(self, work: Any, items: Any, *, lost: Any, needs: Any = None, hear: Any = None) -> Any:
            for number, item in enumerate(items):
                yield lost(item, "it died 3 times") if number == 1 else work(item)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_code_parquet, "SHARD_FILES", 10)
        crawl = Crawl(path, engine=Loser())
        assert [(f.item, f.reason, f.detail) for f in crawl.of(Failure)] == [
            ("row groups 1 to 1", "failed", "it died 3 times")
        ]
        assert crawl.cursors["a.parquet"].endswith(" 1")
        assert len(crawl.of(CodeFile)) == 7
        assert len(Crawl(path, cursors=crawl.cursors).of(CodeFile)) == 6
    assert [page.done for page in crawl.pages] == [False] * 3
