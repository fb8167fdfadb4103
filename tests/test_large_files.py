"""What is done for files of millions of rows changes no figure: parts, cards that stand for many, a bound on memory."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hubstats import estimate, pipeline, store
from hubstats.detect import DETECTOR_VERSION
from hubstats.records import AdapterConfig, HubModel, ModelCard, Page, Record, SourceOptions, Verdict
from hubstats.spool import Spool
from hubstats.store import Store, read_input
from hubstats.techniques import load

SAYS = ("lora", "ia3", "dora", "oft")


def judged(source: str, model_id: str, some: random.Random) -> Iterator[Record]:
    """A card of which most say nothing, and what was found on it."""
    state = some.choices(["none", "mention", "used", "several", "unknown_adapter", "merged"], [70, 8, 12, 3, 5, 2])[0]
    named = tuple(some.sample(SAYS, 2 if state == "several" else 1)) if state in ("mention", "used", "several") else ()
    text = f"{' '.join(named)}\n- PEFT 0.1{some.randrange(9)}.0\n" if named or source != "dump" else None
    status = some.choices(["ok", "missing", "too_large"], [90, 5, 5])[0]
    seen = datetime(2026, 1, some.randrange(1, 28))
    yield ModelCard(source, model_id, status, text if status == "ok" else None, fetched_at=seen)  # type: ignore[arg-type]
    if status == "missing" or some.random() < 0.05:
        return
    yield Verdict(
        source,
        model_id,
        named[0] if state in ("used", "several") else None,
        "none" if state == "mention" else state,  # type: ignore[arg-type]
        "prose" if state in ("used", "several") else None,
        techniques=named if state == "several" else (),
        mentions=named,
        blog_technique=named[0] if len(named) == 1 else None,
        blog_technique_folded=named[0] if len(named) == 1 else None,
        detector_version=some.choice(["1-old", DETECTOR_VERSION]),
    )


def fill(db: Path, seed: int) -> None:
    """A file with a sample of the Hub, a dump of it that was read whole, and a folder of cards."""
    some = random.Random(seed)
    names = [f"o{int(some.paretovariate(0.7)) % 40}/m{number}" for number in range(400)]
    listed = [
        HubModel(
            source,
            name,
            author=name.split("/")[0],
            created_at=datetime(2025, some.randrange(1, 13), 1),
            downloads=some.choice([None, 0, 3, 5_000]),
            tags=("peft",) if some.random() < 0.3 else (),
            seen_at=datetime(2026, 2, 1 + (source == "hub")),
        )
        for source in ("hub", "dump")
        for name in names
        if source == "hub" or some.random() < 0.8
    ]
    with pipeline.Writer(db, pipeline.Silent()) as writer:
        writer.write("hub", listed)
        writer.settle()
        drawn = pipeline.draw_sample(writer, "hub", SourceOptions(sample=150))
        for subject in drawn[:120]:
            found = list(judged("hub", subject.model_id, some))
            writer.write("hub", [*found, AdapterConfig("hub", subject.model_id, "missing")])
        for model in listed:
            if model.source == "dump":
                writer.write("dump", list(judged("dump", model.model_id, some)))
        for number in range(60):
            writer.write("cards", list(judged("cards", f"card {number}", some)))


def figures(db: Path, subjects: str) -> dict[str, list[dict[str, Any]]]:
    with Store.open(db) as opened:
        rows = {name: opened.frame(read_input(name)) for name in estimate.INPUTS}
        wanted = rows["subjects"].columns
        rows["subjects"] = opened.frame(subjects).select(wanted)
    made = estimate.estimate_all(rows, load())
    return {
        table.TABLE: sorted((asdict(record) for record in records), key=lambda row: str(list(row.values())[:4]))
        for table, records in made.items()
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert other[name] == (pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value), name


@pytest.mark.parametrize("seed", range(4))
def test_cards_of_a_dump_that_say_nothing_change_no_figure(tmp_path: Path, seed: int) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, seed)
    with Store.open(db, write=True) as opened:
        opened.derive()
        fewer = opened.frame(read_input("subjects"))
        every = opened.frame("SELECT * FROM subject")
    few_rows, all_rows = (dict(rows["source"].value_counts().iter_rows()) for rows in (fewer, every))
    assert few_rows["dump"] < 0.6 * all_rows["dump"]
    assert few_rows | {"dump": 0} == all_rows | {"dump": 0}
    few, all_ = figures(db, read_input("subjects")), figures(db, "SELECT * FROM subject")
    assert len(few["estimate"]) > 50
    for table, rows in all_.items():
        assert len(few[table]) == len(rows), table
        for row, other in zip(few[table], rows, strict=True):
            same(row, other)


def test_items_joined_in_parts_are_those_joined_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = tmp_path / "x.duckdb"
    fill(db, 9)
    found: list[pl.DataFrame] = []
    for items in (store.PART_ITEMS, 50):
        monkeypatch.setattr(store, "PART_ITEMS", items)
        with Store.open(db, write=True) as opened:
            opened.derive()
            found.append(opened.frame("SELECT * FROM subject ORDER BY source, subject_id"))
    assert found[0].equals(found[1])
    hub = found[0].filter(pl.col("source") == "hub")
    with Store.open(db) as opened:
        frame = opened.frame("SELECT sum(frame_size) AS all FROM sample_stratum")["all"][0]
    assert hub["weight"].sum() == pytest.approx(float(frame)), "every stratum was read from"


def test_a_bound_that_is_too_small_is_lifted_and_nothing_is_taken_in_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, count = tmp_path / "x.duckdb", 60_000
    bounds: list[str] = []
    usual = Store.thrifty

    def tight(opened: Store, work: Any, most: int = 0) -> Any:
        made = usual(opened, work, 2 * 1024 * 1024)
        bounds.append(opened.frame("SELECT current_setting('memory_limit') AS most")["most"][0])
        return made

    monkeypatch.setattr(Store, "thrifty", tight)
    spool = Spool(tmp_path / "spool")
    for downloads in (1, 2):
        ids = [f"owner of a long name/{number}" for number in range(count)]
        rows = pl.DataFrame({"source": "hub", "model_id": ids, "author": ids, "downloads": downloads})
        spool.append("hub", Page((), tables={"hub_model": rows}))
        spool.seal()
    with Store.open(db, write=True) as opened:
        for segment in spool.segments():
            assert opened.absorb(segment) == count
        found = opened.frame("SELECT count(*), count(DISTINCT model_id), min(downloads) FROM hub_model").row(0)
    assert found == (count, count, 2)
    assert not [bound for bound in bounds if bound == "2.0 MiB"], "both wanted more than two megabytes"
