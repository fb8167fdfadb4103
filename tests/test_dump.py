"""Bulk Parquet files: the layouts that were seen, what strangers may put into them, resuming, and the Hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hubstats.errors import AccessDenied, SourceError, Unreachable
from hubstats.records import DumpFile, Failure, HubModel, ModelCard, Page, Record, SourceOptions
from hubstats.sources import _dump_rows as dump_rows
from hubstats.sources import dump

from .servers.hub import Dataset, HubServer

WHEN = datetime(2024, 5, 1, 10, tzinfo=UTC)

CARDS = {
    "modelId": ["a/one", "b/two"],
    "author": ["a", "b"],
    "last_modified": [WHEN, WHEN],
    "downloads": [3, 0],
    "likes": [1, None],
    "library_name": ["peft", None],
    "tags": [["peft", "base_model:org/base", "base_model:adapter:org/base"], []],
    "pipeline_tag": [None, "text-generation"],
    "createdAt": [WHEN, None],
    "card": ["# one\nLoRA", "héllo"],
}
"""The layout of librarian-bots/model_cards_with_metadata."""

MODELS = {
    "id": ["a/one", "solo"],
    "author": ["a", None],
    "createdAt": [WHEN, WHEN],
    "lastModified": [WHEN, WHEN],
    "downloads": [3, 0],
    "downloadsAllTime": [30, 0],
    "likes": [1, 0],
    "tags": [["peft"], ["base_model:finetune:org/tagged"]],
    "gated": ["manual", "false"],
    "siblings": [
        [{"rfilename": "README.md"}, {"rfilename": "adapter_config.json"}, {"rfilename": "b.safetensors"}],
        [{"rfilename": "model.gguf"}, {"rfilename": "a.bin"}],
    ],
    "cardData": ['{"base_model": "org/card"}', None],
    "baseModels": [{"models": [{"_id": "1", "id": "org/derived"}], "relation": "adapter"}, None],
}
"""The layout of cfahlgren1/hub-stats."""


def write(path: Path, columns: Mapping[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns, strict=False).write_parquet(path, **options)
    return path


def pages(path: Path | str, cursors: Mapping[str, str] | None = None, **options: Any) -> list[Page]:
    source = dump.open_source(SourceOptions(path=str(path), **options), lambda line: None)
    return list(source.pages(cursors or {}))


def rows(page: Page) -> list[Record]:
    """What a page holds as records; the texts of cards as they are kept."""
    made: list[Record] = list(page.records)
    for table, kind in (("hub_model", HubModel), ("model_card", ModelCard)):
        for row in page.tables[table].iter_rows(named=True) if table in page.tables else ():
            values = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
            values = {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
                      for name, value in values.items()}  # fmt: skip
            if values.get("text") is not None:
                values["text"] = dump_rows.clean(values["text"])
            made.append(kind(**values))
    return made


def crawl(path: Path | str, **options: Any) -> list[Record]:
    return [record for page in pages(path, **options) for record in rows(page)]


def models(records: list[Record]) -> dict[str, HubModel]:
    return {record.model_id: record for record in records if isinstance(record, HubModel)}


def cards(records: list[Record]) -> dict[str, ModelCard]:
    return {record.model_id: record for record in records if isinstance(record, ModelCard)}


def failures(records: list[Record]) -> list[tuple[str, str]]:
    return [(record.item, record.reason) for record in records if isinstance(record, Failure)]


# --- layouts ------------------------------------------------------------------------------------------------------


def test_a_dump_of_cards(tmp_path: Path) -> None:
    path = write(tmp_path / "train.parquet", CARDS)
    records = crawl(path)
    one, two = models(records)["a/one"], models(records)["b/two"]
    assert one == HubModel(
        source="dump",
        model_id="a/one",
        author="a",
        created_at=WHEN,
        last_modified=WHEN,
        downloads=3,
        likes=1,
        tags=("peft", "base_model:org/base", "base_model:adapter:org/base"),
        library_name="peft",
        base_model="org/base",
        base_model_relation="adapter",
        has_card=True,
    )
    assert (two.likes, two.created_at, two.tags, two.base_model) == (None, None, (), None)
    assert one.created_at is not None
    assert one.created_at.utcoffset() is not None
    assert cards(records)["b/two"] == ModelCard("dump", "b/two", "ok", "héllo", 6)
    (file,) = [record for record in records if isinstance(record, DumpFile)]
    assert (file.path, file.rows, file.bytes) == ("train.parquet", 2, path.stat().st_size)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.columns == tuple(CARDS)
    assert failures(records) == []


def test_a_dump_of_metadata(tmp_path: Path) -> None:
    records = crawl(write(tmp_path / "models.parquet", MODELS))
    one, solo = models(records)["a/one"], models(records)["solo"]
    assert (one.base_model, one.base_model_relation, one.gated) == ("org/derived", "adapter", True)
    assert (one.has_card, one.has_adapter_config, one.weight_files) == (True, True, ("b.safetensors",))
    assert (solo.base_model, solo.base_model_relation, solo.gated) == ("org/tagged", "finetune", False)
    assert (solo.has_card, solo.has_adapter_config, solo.weight_files) == (False, False, ("a.bin", "model.gguf"))
    assert solo.author is None
    assert cards(records) == {}


def test_older_columns_and_everything_as_text(tmp_path: Path) -> None:
    columns = {
        "modelId": ["a/one", "b/two", "c/three"],
        "id": ["a/one", "b/two", "c/three"],
        "lastModified": ["2024-05-01T10:00:00.000Z", "2024-05-01 12:00:00+02:00", "yesterday"],
        "created": [None, None, None],
        "downloads": ["3", "many", "-4"],
        "likes": [2.0, None, 3.0],
        "tags": ['["peft", "lora"]', "peft, lora", '["peft"'],
        "siblings": ['[{"rfilename": "README.md"}]', '["adapter_config.json", "x.bin"]', "{}"],
        "cardData": ['{"base_model": ["org/card"], "base_model_relation": "merge"}', "not json", None],
        "baseModels": [None, '{"models": [{"id": "org/text"}], "relation": "quantized"}', None],
        "gated": [True, False, None],
        "library_name": [None, None, None],
    }
    records = crawl(write(tmp_path / "old.parquet", columns))
    one, two, three = (models(records)[key] for key in ("a/one", "b/two", "c/three"))
    assert (one.last_modified, two.last_modified, three.last_modified) == (WHEN, WHEN, None)
    assert (one.downloads, two.downloads, three.downloads) == (3, None, None)
    assert (one.likes, three.likes) == (2, 3)
    assert (one.tags, two.tags, three.tags) == (("peft", "lora"), ("peft", "lora"), ())
    assert (one.base_model, one.base_model_relation) == ("org/card", "merge")
    assert (two.base_model, two.base_model_relation) == ("org/text", "quantized")
    assert (one.has_card, two.has_adapter_config, two.weight_files, three.has_card) == (True, True, ("x.bin",), None)
    assert (one.gated, two.gated, three.gated, one.library_name) == (True, False, None, None)
    lost = {record.item: record.detail for record in records if isinstance(record, Failure)}
    assert sorted(lost) == [f"column {name}, from row 0" for name in ("downloads", "last_modified", "siblings", "tags")]
    assert "2 values" in (lost["column downloads, from row 0"] or "")


def test_a_column_of_another_kind_is_left_out_and_said(tmp_path: Path) -> None:
    columns = {"id": ["a/one"], "downloads": [[1, 2]], "tags": [7], "createdAt": [1714557600], "card": ["x"]}
    records = crawl(write(tmp_path / "x.parquet", columns))
    assert models(records)["a/one"] == HubModel("dump", "a/one", "a", has_card=True)
    assert failures(records) == [(f"column {name}", "wrong_type") for name in ("createdAt", "downloads", "tags")]


def test_rows_without_an_id_are_counted_and_the_rest_stays(tmp_path: Path) -> None:
    columns = {"id": ["a/one", None, "", "x" * 301, "b/two"], "card": ["1", "2", "3", "4", None]}
    records = crawl(write(tmp_path / "x.parquet", columns))
    assert sorted(models(records)) == ["a/one", "b/two"]
    assert failures(records) == [("row 1", "no_id"), ("row 2", "no_id"), ("row 3", "no_id")]
    assert (cards(records)["b/two"].status, models(records)["b/two"].has_card) == ("missing", False)


def test_bytes_nul_and_huge_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump_rows, "CARD_CAP", 10)
    columns = {"id": [b"a/one", b"b/two", b"c/three"], "card": [b"nul\0here", b"\xff\xfe", ("é" * 8).encode()]}
    found = cards(crawl(write(tmp_path / "x.parquet", columns)))
    assert found["a/one"].text == "nulhere"
    assert found["b/two"].text == "\ufffd\ufffd"
    assert (found["c/three"].status, found["c/three"].text, found["c/three"].bytes) == ("too_large", "ééééé", 16)


def test_real_cards_come_through_unchanged(tmp_path: Path, shared_data: Path) -> None:
    files = sorted((shared_data / "model_cards" / "cards").glob("*.md"))
    texts = {file.stem: file.read_bytes().decode("utf-8", "replace") for file in files}
    assert len(texts) == 83
    path = write(tmp_path / "cards.parquet", {"modelId": list(texts), "card": list(texts.values())})
    found = cards(crawl(path))
    assert {key: card.text for key, card in found.items()} == {
        key: text.replace("\0", "") for key, text in texts.items()
    }


# --- files --------------------------------------------------------------------------------------------------------


def test_broken_files_are_one_line_each_and_the_others_are_read(tmp_path: Path) -> None:
    whole = write(tmp_path / "good.parquet", CARDS).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.parquet").write_bytes(b"")
    (tmp_path / "page.parquet").write_bytes(b"<html>429</html>")
    write(tmp_path / "other.parquet", {"name": ["x"]})
    records = crawl(tmp_path)
    assert len(models(records)) == 2
    found = {record.subject_id: record for record in records if isinstance(record, Failure)}
    assert {name: failure.reason for name, failure in found.items()} == {
        "cut.parquet": "malformed",
        "empty.parquet": "malformed",
        "page.parquet": "malformed",
        "other.parquet": "no_id_column",
    }
    assert all("\n" not in (failure.detail or "") for failure in found.values())


def test_a_damaged_row_group_costs_its_rows_only(tmp_path: Path) -> None:
    ids = [f"a/{number}" for number in range(300)]
    text = [hashlib.sha512(card.encode()).hexdigest() for card in ids]
    path = write(tmp_path / "x.parquet", {"id": ids, "card": text}, row_group_size=75, compression="uncompressed")
    raw = bytearray(path.read_bytes())
    damage = len(raw) // 8 * 3  # in the middle of the second of four row groups
    raw[damage - 200 : damage + 200] = b"\xaa" * 400  # no UTF-8
    path.write_bytes(raw)
    records = crawl(path)
    assert failures(records) == [("rows 75 to 149", "malformed")]
    assert sorted(models(records)) == sorted(ids[:75] + ids[150:])


def test_a_folder_that_has_models_parquet_means_that(tmp_path: Path) -> None:
    write(tmp_path / "dump" / "models.parquet", {"id": ["a/model"]})
    write(tmp_path / "dump" / "datasets.parquet", {"id": ["a/dataset"]})
    assert list(models(crawl(tmp_path / "dump"))) == ["a/model"]
    assert list(models(crawl(f"{tmp_path}/dump/data*.parquet"))) == ["a/dataset"]


@pytest.mark.parametrize("path", [None, "/nowhere/x.parquet", "hf:no-slash", "hf:../../x@y"])
def test_no_file_says_what_to_do(path: str | None) -> None:
    source = dump.open_source(SourceOptions(path=path), lambda line: None)
    assert (source.unavailable() or "").startswith("dump: ")
    with pytest.raises(SourceError):
        list(source.pages({}))


# --- resuming -----------------------------------------------------------------------------------------------------


@pytest.fixture
def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dump, "SLICE_ROWS", 100)
    columns = {"id": [f"a/{number}" for number in range(1000)], "card": ["text"] * 1000}
    return write(tmp_path / "long.parquet", columns, row_group_size=250)


def test_an_interrupted_import_goes_on_after_the_saved_row(long: Path) -> None:
    everything = pages(long)
    first = everything[:4]
    assert first[-1].cursor == "350"
    rest = pages(long, {first[-1].scope: first[-1].cursor or ""})
    seen = [record.model_id for page in (*first, *rest) for record in rows(page) if isinstance(record, HubModel)]
    assert seen == [f"a/{number}" for number in range(1000)]
    assert rest[-1].done
    assert {page.expected for page in everything} == {1000}
    assert sum(page.items or 0 for page in everything) == 1000


def test_a_file_that_was_read_is_passed_over_until_it_changes(long: Path) -> None:
    last = pages(long)[-1]
    saved = {last.scope: last.cursor or ""}
    assert last.done
    assert pages(long, saved) == []
    assert len(models([r for page in pages(long, saved, refresh=True) for r in rows(page)])) == 1000
    write(long, {"id": ["b/new"]})
    assert list(models([r for page in pages(long, saved) for r in rows(page)])) == ["b/new"]


def test_pages_are_bounded_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "SLICE_BYTES", 1000)
    path = write(tmp_path / "x.parquet", {"id": [f"a/{n}" for n in range(20)], "card": ["x" * 1000] * 20})
    found = pages(path)
    assert max(len(rows(page)) for page in found) <= 9
    assert sum(len(rows(page)) for page in found) == 41
    cut = found[3]
    rest = pages(path, {cut.scope: cut.cursor or ""})
    assert sum(len(rows(page)) for page in (*found[:4], *rest)) == 41


# --- the Hub ------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    def body(**columns: Any) -> bytes:
        return write(tmp_path / "made.parquet", columns).read_bytes()

    older = {"data/train-00000-of-00001.parquet": body(modelId=["a/old"], card=["old"])}
    newer = {
        "data/train-00000-of-00002.parquet": body(modelId=["a/new"], card=["new"]),
        "data/train-00001-of-00002.parquet": body(modelId=["b/new"], card=["new"]),
        "README.md": b"# cards",
    }
    stats = {"models.parquet": body(id=["a/model"]), "spaces.parquet": body(id=["a/space"])}
    server = HubServer(datasets=[Dataset("org/cards", newer, earlier=(older,)), Dataset("org/stats", stats)])
    with server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_good")
        # the client reads its cache folder once, at import
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        yield server


def test_a_branch_is_resolved_to_its_commit(hub: HubServer) -> None:
    records = crawl("hf:org/cards@main")
    assert sorted(models(records)) == ["a/new", "b/new"]
    files = [record for record in records if isinstance(record, DumpFile)]
    assert {file.revision for file in files} == {hub.datasets_by_id["org/cards"].sha}
    assert [file.path for file in files] == [
        "org/cards/data/train-00000-of-00002.parquet",
        "org/cards/data/train-00001-of-00002.parquet",
    ]
    seen = {model.seen_at for model in models(records).values()}
    assert seen == {hub.datasets_by_id["org/cards"].last_modified}


def test_a_pinned_commit_is_read_as_it_was(hub: HubServer) -> None:
    dataset = hub.datasets_by_id["org/cards"]
    (earlier,) = (dataset.sha_of(files) for files in dataset.earlier)
    assert list(models(crawl(f"hf:org/cards@{earlier}"))) == ["a/old"]
    assert list(models(crawl("hf:org/cards", revision=earlier))) == ["a/old"]


def test_one_file_of_many_and_the_models_of_many(hub: HubServer) -> None:
    assert list(models(crawl("hf:org/stats"))) == ["a/model"]
    assert list(models(crawl("hf:org/stats@main/spaces.parquet"))) == ["a/space"]
    with pytest.raises(SourceError, match="no Parquet file like"):
        crawl("hf:org/stats@main/cards*.parquet")


def test_the_token_stays_on_the_hub(hub: HubServer) -> None:
    crawl("hf:org/cards")
    assert hub.file_host.requests
    assert all("hf_good" not in json.dumps(dict(seen.headers)) for seen in hub.file_host.requests)


def test_what_the_hub_refuses_is_one_line(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="org/absent"):
        crawl("hf:org/absent")
    with pytest.raises(SourceError, match="revision"):
        crawl("hf:org/cards@0123456789012345678901234567890123456789")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises((AccessDenied, SourceError)):
        crawl("hf:org/absent")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        crawl("hf:org/cards")


def heard(path: str, said: list[str]) -> None:
    """Reads it all, and keeps what the person waiting is told."""
    for _ in dump.open_source(SourceOptions(path=path), said.append).pages({}):
        pass


def test_a_commit_that_was_not_named_is_named(hub: HubServer) -> None:
    said: list[str] = []
    heard("hf:org/cards", said)
    sha = hub.datasets_by_id["org/cards"].sha
    assert any(f"hf:org/cards@{sha} reads the same again" in line for line in said)
    said.clear()
    heard(f"hf:org/cards@{sha}", said)
    assert not any("reads the same again" in line for line in said)


def test_a_file_that_is_not_what_the_hub_says_of_it_is_left_out(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HubServer, "sibling", lambda self, repo, name, body, request: {
        "rfilename": name, "size": 1, "lfs": {"sha256": "0" * 64, "size": 1, "pointerSize": 130}
    })  # fmt: skip
    records = crawl("hf:org/stats")
    assert models(records) == {}
    [failure] = [record for record in records if isinstance(record, Failure)]
    assert f"the Hub says {'0' * 64}" in (failure.detail or "")


@pytest.mark.parametrize("refresh", [False, True])
def test_other_content_under_the_same_name_is_warned_of_and_read(refresh: bool, tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / "cards.parquet"
    cursors: dict[str, str] = {}
    for name in ("a/one", "a/two"):
        write(path, {"id": [name]})
        source = dump.open_source(SourceOptions(path=str(path), refresh=refresh), said.append)
        pages = list(source.pages(cursors))
        assert list(models([record for page in pages for record in rows(page)])) == [name]
        cursors |= {page.scope: page.cursor for page in pages if page.cursor}
        warned = [line for line in said if "is not what it was when it was read before" in line]
        assert len(warned) == (name == "a/two")
