"""Bundles: the same bytes, no names, every figure again bit for bit, and nothing of what a stranger may put in."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from hubstats import bundle, estimate
from hubstats.bundle import freeze, reproduce
from hubstats.errors import BundleError
from hubstats.estimate import population
from hubstats.records import Estimate
from hubstats.store import Store

from .conftest import Run
from .test_explain import make_file

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_file(tmp_path_factory.mktemp("bundle") / "hubstats.duckdb")


@pytest.fixture(scope="module")
def frozen(db: Path) -> bytes:
    with Store.open(db) as store:
        freeze(store, db.with_name("bundle.zip"))
    return db.with_name("bundle.zip").read_bytes()


@pytest.fixture
def path(tmp_path: Path, frozen: bytes) -> Path:
    path = tmp_path / "bundle.zip"
    path.write_bytes(frozen)
    return path


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, made: Mapping[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in made.items():
            archive.writestr(name, data)
    return path


def signed(made: Members, **changes: bytes | pl.DataFrame) -> Members:
    """The members with some of them changed, and a manifest that says so: what a skilled stranger can make."""
    manifest = json.loads(made["manifest.json"])
    for name, change in changes.items():
        rows = manifest["members"].get(name, {}).get("rows", 0)
        if isinstance(change, pl.DataFrame):
            rows, buffer = change.height, io.BytesIO()
            change.write_parquet(buffer)
            change = buffer.getvalue()
        made = {**made, name: change}
        manifest["members"][name] = {
            "rows": rows,
            "bytes": len(change),
            "sha256": hashlib.sha256(change).hexdigest(),
        }
    return {**made, "manifest.json": json.dumps(manifest).encode()}


def frame(made: Members, name: str) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(made[name]))


def test_every_figure_comes_out_again(path: Path, db: Path) -> None:
    compared = reproduce(path)
    assert compared.equal
    assert compared.notes == ()
    assert compared.differences == ()
    with Store.open(db) as store:
        held = {table.TABLE: store.count(table.TABLE) for table in estimate.TABLES}
    assert {table: equal for table, (equal, _) in compared.counts.items()} == held
    assert all(held.values()), "the fixed rows do not reach every table"


def test_the_same_file_gives_the_same_bytes(db: Path, frozen: bytes, tmp_path: Path) -> None:
    with Store.open(db) as store:
        manifest = freeze(store, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == frozen
    assert list(tmp_path.iterdir()) == [tmp_path / "again.zip"]
    with Store.open(db) as store:
        assert manifest["as_of"] == store.frame("SELECT max(as_of) FROM basis").item().isoformat()


def test_no_name_and_no_path_is_in_it(path: Path, db: Path) -> None:
    with Store.open(db) as store:
        names = (
            store.frame(
                "SELECT DISTINCT unnest([author, subject_id]) AS name FROM subject"
                " UNION SELECT repo FROM code_file UNION SELECT unnest([model_id, author]) FROM hub_model"
            )["name"]
            .drop_nulls()
            .to_list()
        )
        salt = store.frame("FROM salt")["value"][0]
    names = [name for name in names if len(name) > 4 and not name.isdigit()]
    assert len(names) > 20
    for member in members(path):
        if member.endswith(".parquet"):
            texts = frame(members(path), member).write_json()
            found = [name for name in names if f'"{name}"' in texts]
            found += [secret for secret in (salt, "somebody/") if secret in texts]
            assert not found, f"{member}: {found}"
    cards = frame(members(path), "basis.parquet").filter(pl.col("source") == "cards")
    assert set(cards["endpoint"]) == {"cards"}


def test_the_salt_decides_no_figure(db: Path, tmp_path: Path) -> None:
    """Another file of the same crawl has another salt: its figures are the same but for the hashes themselves."""
    other = make_file(tmp_path / "other.duckdb", salt="quite-another-one")
    held, hashes = [], []
    for each in (db, other):
        with Store.open(each) as store:
            held.append(
                {
                    table.TABLE: store.frame(f"FROM {table.TABLE} ORDER BY ALL")
                    for table in estimate.TABLES
                    if table.TABLE != "mass_uploader"
                }
            )
        with Store.open(each) as store:
            hashes.append(set(store.frame("SELECT author_hash FROM mass_uploader")["author_hash"]))
    assert hashes[0]
    assert not hashes[0] & hashes[1]
    for table, rows in held[0].items():
        assert rows.equals(held[1][table]), table


@pytest.mark.parametrize("table", [table.TABLE for table in estimate.TABLES])
def test_a_changed_figure_is_caught(path: Path, table: str) -> None:
    made = members(path)
    name = f"figures/{table}.parquet"
    rows = frame(made, name)
    column = next((name for name, kind in rows.schema.items() if kind == pl.Float64 and rows[name].count()), None)
    if column is None:
        column = rows.columns[-1]
        values = [*rows[column].to_list()[:-1], "changed"]
    else:
        values = rows[column].to_list()
        place = next(place for place, value in enumerate(values) if value is not None)
        values[place] = math.nextafter(values[place], math.inf)
    changed = rows.with_columns(pl.Series(column, values, dtype=rows.schema[column]))
    compared = reproduce(written(path, signed(made, **{name: changed})))
    assert compared.counts[table][1] == 1
    assert [(one.table, one.column) for one in compared.differences] == [(table, column)]
    assert sum(different for _, different in compared.counts.values()) == 1


def test_a_figure_too_many_or_too_few_is_caught(path: Path) -> None:
    made = members(path)
    name = "figures/estimate.parquet"
    rows = frame(made, name)
    more = pl.concat([rows, rows.head(1).with_columns(estimate_id=pl.lit("hub/made/up"))])
    for changed in (rows.head(rows.height - 1), more, pl.concat([rows, rows.head(1)])):
        compared = reproduce(written(path, signed(made, **{name: changed})))
        assert compared.counts["estimate"][1] == 1
        assert compared.differences[0].column == ""


def test_a_changed_row_is_caught(path: Path) -> None:
    made = members(path)
    rows = frame(made, "inputs/subjects.parquet")
    weight = pl.when(pl.int_range(pl.len()) == 0).then(pl.col("weight") * 2).otherwise("weight")
    changed = signed(made, **{"inputs/subjects.parquet": rows.with_columns(weight)})
    assert not reproduce(written(path, changed)).equal


def test_one_byte_of_any_member_is_caught(path: Path) -> None:
    made = members(path)
    dice = random.Random(4)
    for name in [name for name in made if name.endswith(".parquet")]:
        data = bytearray(made[name])
        data[dice.randrange(len(data))] ^= 1
        with pytest.raises(BundleError, match="changed or damaged"):
            reproduce(written(path, {**made, name: bytes(data)}))


def test_a_changed_estimator_is_caught(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(frames: Mapping[str, pl.DataFrame], registry: Any) -> Iterator[Any]:
        for record in original(frames, registry):
            if isinstance(record, Estimate) and record.estimate_id == "hub/repositories/evidence/lora" and record.high:
                record = replace(record, high=math.nextafter(record.high, 0))
            yield record

    original = population.estimate
    monkeypatch.setattr(population, "estimate", shifted)
    compared = reproduce(path)
    assert [(one.figure_id, one.column) for one in compared.differences] == [("hub/repositories/evidence/lora", "high")]


def test_a_file_whose_figures_are_old_is_not_frozen(db: Path, tmp_path: Path) -> None:
    copy = tmp_path / "old.duckdb"
    copy.write_bytes(db.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute("UPDATE estimate SET share = share * 0.999 WHERE source = 'hub' AND share > 0")
    with Store.open(copy) as store, pytest.raises(BundleError, match="run 'hubstats estimate' first"):
        freeze(store, tmp_path / "b.zip")
    with duckdb.connect(str(copy)) as connection:
        connection.execute("DELETE FROM stage_run")
    with Store.open(copy) as store, pytest.raises(BundleError, match="no figures yet"):
        freeze(store, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_another_machine_and_other_queries_are_said(path: Path) -> None:
    made = members(path)
    manifest = json.loads(made["manifest.json"])
    manifest["libraries"]["numpy"] = "0.1"
    manifest["queries"]["subjects"] = "0" * 64
    compared = reproduce(written(path, {**made, "manifest.json": json.dumps(manifest).encode()}))
    assert compared.equal
    assert any("numpy 0.1" in note for note in compared.notes)
    assert any("subjects" in note for note in compared.notes)


def _manifest(made: Members, **changes: Any) -> Members:
    return {**made, "manifest.json": json.dumps({**json.loads(made["manifest.json"]), **changes}).encode()}


def _bomb(made: Members) -> Members:
    """Many equal numbers in a few kilobytes."""
    return signed(made, **{"inputs/strata.parquet": pl.select(x=pl.repeat(0, 25_000_000, dtype=pl.Int8))})


HOSTILE: dict[str, tuple[Callable[[Members], Members], str]] = {
    "slips out": (lambda made: {**made, "../../etc/cron.d/x": b"x"}, "no bundle of this version has"),
    "absolute": (lambda made: {**made, "/tmp/x": b"x"}, "no bundle of this version has"),
    "drive": (lambda made: {**made, "C:\\x": b"x"}, "no bundle of this version has"),
    "terminal": (lambda made: {**made, "\x1b[2J": b"x"}, r"\\x1b"),
    "no manifest": (lambda made: {"README.txt": b""}, "no manifest"),
    "not json": (lambda made: {**made, "manifest.json": b"\xff{"}, "manifest cannot be read"),
    "deep": (lambda made: {**made, "manifest.json": b"[" * 200_000}, "manifest cannot be read"),
    "a list": (lambda made: {**made, "manifest.json": b"[]"}, "not that of a bundle"),
    "members a list": (lambda made: _manifest(made, members=[]), "not that of a bundle"),
    "long manifest": (lambda made: {**made, "manifest.json": b" " * (5 * 1024**2)}, "larger than"),
    "other version": (lambda made: _manifest(made, hubstats="99.0"), "was made by hubstats '99.0'"),
    "other format": (lambda made: _manifest(made, format=2), "install that version"),
    "other registry": (lambda made: _manifest(made, detector="9-x"), "another technique registry"),
    "other inputs": (lambda made: _manifest(made, queries={}), "other inputs"),
    "lacks a table": (lambda made: {n: d for n, d in made.items() if "trend" not in n}, "lacks figures/trend"),
    "says nothing": (lambda made: _manifest(made, members={}), "lacks inputs/subjects"),
    "no parquet": (lambda made: signed(made, **{"inputs/strata.parquet": b"PAR1 no"}), "no Parquet file"),
    "empty": (lambda made: signed(made, **{"inputs/strata.parquet": b""}), "no Parquet file"),
    "other columns": (
        lambda made: signed(made, **{"inputs/strata.parquet": pl.DataFrame({"x": [1]})}),
        "other columns",
    ),
    "other types": (
        lambda made: signed(
            made, **{"inputs/strata.parquet": frame(made, "inputs/strata.parquet").cast({"frame_size": pl.String})}
        ),
        "other columns",
    ),
    "many rows": (_bomb, "larger than that of any bundle"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_bundle_is_refused_in_a_line(path: Path, name: str) -> None:
    change, reason = HOSTILE[name]
    made = written(path, change(members(path)))
    before = set(path.parent.iterdir())
    with pytest.raises(BundleError, match=reason) as refused:
        reproduce(made)
    assert "\n" not in str(refused.value)
    assert str(refused.value).isprintable()
    assert set(path.parent.iterdir()) == before


def test_archives_that_lie_are_refused(path: Path, frozen: bytes, tmp_path: Path) -> None:
    whole = members(path)
    with pytest.raises(BundleError, match="compressed"):
        reproduce(written(path, whole, compression=zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", b"{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("manifest.json", b"{}")
    with pytest.raises(BundleError, match="twice"):
        reproduce(path)
    for end in (0, 1, 100, len(frozen) // 2, len(frozen) - 1):
        path.write_bytes(frozen[:end])
        with pytest.raises(BundleError, match="no bundle, or not a whole one"):
            reproduce(path)
    with path.open("wb") as file:
        os.truncate(file.fileno(), bundle.MOST_BYTES + 1_000_000)
    with pytest.raises(BundleError):
        reproduce(path)
    for wrong in (tmp_path, tmp_path / "none.zip"):
        with pytest.raises(BundleError, match="cannot read"):
            reproduce(wrong)


def test_rows_that_no_file_of_ours_has_end_in_a_line(path: Path) -> None:
    made = members(path)
    rows = frame(made, "inputs/subjects.parquet").with_columns(
        weight=pl.lit(float("nan")), downloads=pl.lit(-5, pl.Int64)
    )
    rows = rows.with_columns(source=pl.when(pl.int_range(pl.len()) > 0).then("source"))
    changed = signed(made, **{"inputs/subjects.parquet": rows.select(frame(made, "inputs/subjects.parquet").columns)})
    with pytest.raises(BundleError, match="no figures can be made from its rows"):
        reproduce(written(path, changed))


def test_the_command_line(run: Run, db: Path, tmp_path: Path, frozen: bytes) -> None:
    done = run("freeze", "--out", "b.zip", "--db", db)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b.zip").read_bytes() == frozen
    good = run("reproduce", "b.zip", "-f", "json", POLARS_MAX_THREADS="1")
    assert good.returncode == 0, good.stderr + good.stdout
    assert all(row["figures"] == row["equal"] > 0 == row["different"] for row in json.loads(good.stdout)["tables"])
    whole = members(tmp_path / "b.zip")
    rows = frame(whole, "figures/trend.parquet").with_columns(share=pl.col("share") / 2)
    written(tmp_path / "b.zip", signed(whole, **{"figures/trend.parquet": rows}))
    bad = run("reproduce", "b.zip")
    assert bad.returncode == 1
    assert "First differences" in bad.stdout
    assert f"{(frame(whole, 'figures/trend.parquet')['share'] > 0).sum()} of " in bad.stderr
    assert run("reproduce", "none.zip").returncode == 1


def test_a_bundle_that_cannot_be_written_is_said(db: Path, tmp_path: Path) -> None:
    with Store.open(db) as store, pytest.raises(BundleError, match="choose another place"):
        freeze(store, tmp_path / "none" / "b.zip")
