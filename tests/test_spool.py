"""The spool: what is committed is on disk, in order, and what a kill leaves can be read."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import polars
import pytest

from hubstats.errors import StoreError
from hubstats.records import HubModel, Page
from hubstats.spool import Spool, clear, discard, frames, pending, repair


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_are_on_disk_before_the_cursor_that_passes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "s")
    synced: list[str] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        if synced[-1] == "hub_model.ndjson":
            assert not list(tmp_path.glob("s/*/crawl_cursor.ndjson"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    spool.append("hub", Page((HubModel("hub", "a/b"),), scope="listing", cursor="next"))
    spool.commit()
    monkeypatch.undo()
    spool.seal()
    assert synced == ["hub_model.ndjson", "crawl_cursor.ndjson", "committed"]


def test_only_the_newest_cursor_of_a_walk_is_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    for number in range(5):
        spool.append("hub", Page((), scope="listing", cursor=str(number), done=number == 4))
    spool.append("hub", Page((), scope="changed", cursor="x"))
    spool.seal()
    [segment] = spool.segments()
    found = lines(segment / "crawl_cursor.ndjson")
    assert [(row["scope"], row["cursor"], row["done"]) for row in found] == [
        ("listing", "4", True),
        ("changed", "x", False),
    ]


def test_the_open_segment_is_no_one_elses(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    spool.append("hub", Page((HubModel("hub", "a/b"),)))
    assert spool.segments() == []
    assert not spool.empty
    spool.seal()
    assert spool.empty
    assert len(spool.segments()) == 1
    spool.append("hub", Page((HubModel("hub", "c/d"),)))
    spool.seal()
    first, second = spool.segments()
    assert first.name < second.name
    discard(first)
    assert spool.segments() == [second]
    assert list(pending(tmp_path / "s")) == ["hub_model"]
    assert pending(tmp_path / "none") == {}


def test_an_empty_spool_seals_to_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    spool.seal()
    assert spool.segments() == []


@pytest.mark.parametrize("keep", [0, 1, 10, -1])
def test_repair_cuts_the_unfinished_line(tmp_path: Path, keep: int) -> None:
    spool = Spool(tmp_path / "s")
    spool.append("hub", Page(tuple(HubModel("hub", f"a/{n}", author="x" * 70_000) for n in range(3))))
    spool.seal()
    [segment] = spool.segments()
    path = segment / "hub_model.ndjson"
    whole = path.read_bytes()
    second = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    path.write_bytes(whole[: second + keep] if keep >= 0 else whole)
    repair(segment)
    assert len(lines(path)) == (2 if keep >= 0 else 3)
    path.write_bytes(b"no line ends here")
    repair(segment)
    assert path.read_bytes() == b""


def test_only_pages_named_by_a_whole_line_count(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    spool.append("hub", Page((HubModel("hub", "a/b"),)))
    spool.append("hub", Page((HubModel("hub", "a/c"),)))
    spool.commit()
    spool.append("hub", Page((HubModel("hub", "a/d"),)))
    spool.seal()
    [segment] = spool.segments()
    assert repair(segment) == 3
    (segment / "committed").write_bytes(b"2\n3")
    assert repair(segment) == 2
    (segment / "committed").unlink()
    assert repair(segment) == 0


def test_a_full_disk_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "s")
    spool.append("hub", Page((HubModel("hub", "a/b"),)))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="disk is full") as caught:
        spool.seal()
    assert "\n" not in str(caught.value)


def test_segments_are_bounded(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", segment_bytes=10_000)
    spool.append("hub", Page(tuple(HubModel("hub", f"a/{n}") for n in range(10))))
    assert not spool.full
    spool.append("hub", Page(tuple(HubModel("hub", f"a/{n}") for n in range(100))))
    assert spool.full
    spool.seal()


def test_rows_that_come_as_a_frame_count_with_their_page(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    frame = polars.DataFrame({"source": ["dump"], "model_id": ["a/b"]})
    spool.append("dump", Page((), cursor="1", tables={"hub_model": frame, "model_card": frame.clear()}))
    spool.commit()
    spool.append("dump", Page((), cursor="2", tables={"hub_model": frame}))
    [folder] = (tmp_path / "spool").iterdir()
    assert repair(folder) == 1  # the second page is not committed
    assert [page for page, _ in frames(folder, 1)["hub_model"]] == [1]
    spool.seal()
    assert {table: [page for page, _ in pages] for table, pages in frames(folder, repair(folder)).items()} == {
        "hub_model": [1, 2]
    }
    assert pending(tmp_path / "spool")["hub_model"] > 0


def test_an_absorbed_segment_is_gone_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of one, left by a kill, would be taken in again: verdicts without their evidence."""
    spool = Spool(tmp_path / "spool")
    spool.append("hub", Page((HubModel("hub", "a/b"),)))
    spool.seal()
    [segment] = spool.segments()

    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            discard(segment)
    assert spool.segments() == []
    assert pending(tmp_path / "spool") == {}
    clear(tmp_path / "spool")
    assert list((tmp_path / "spool").iterdir()) == []
