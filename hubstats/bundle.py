"""A file with which anyone can make every figure again: `hubstats freeze --out BUNDLE`, `hubstats reproduce BUNDLE`.

A bundle is a ZIP archive whose members are stored, not compressed (Parquet is), under fixed names:

    manifest.json            versions, hash and rows of every other member, hashes of the input queries, newest moment
    README.txt               what this is, in words, and what may be done with it
    inputs/NAME.parquet      the rows of one input as the estimates take them: without names, in canonical order
                             (hubstats.estimate.canonical); no card, config of an adapter, or code
    figures/TABLE.parquet    one derived table as the file had it
    basis.parquet            crawls and samples behind them; of a local path its last part

The same file gives the same bytes: no clock, no path and no salt goes in. `freeze` makes every figure again before it
writes, so a bundle that does not reproduce is not made.

A bundle may come from anybody. Members are read by the names above into memory, each only as far as the manifest and
the caps allow, and none becomes a file; hashes are checked before a Parquet file is parsed, and its columns are those
of this version's own queries, or it is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hubstats import __version__, estimate
from hubstats.errors import BundleError
from hubstats.estimate import basis
from hubstats.records import Basis, Record
from hubstats.store import Store, read_input

if TYPE_CHECKING:
    import polars as pl

FORMAT = 1
MANIFEST = "manifest.json"
README = "README.txt"
BASIS = "basis.parquet"

MOST_BYTES = 1024**3
"""Of a bundle."""
MOST_UNPACKED = 4 * 1024**3
"""Of one Parquet file in it."""
MOST_MANIFEST = 4 * 1024**2
MOST_ROWS = 20_000_000
MOST_VALUES = 100_000_000
"""In one column, the items of lists counted one by one: a few bytes may stand for as many."""
FIRST = 10
"""Differences that are listed."""

LIBRARIES = ("numpy", "polars", "scipy")
"""Packages whose arithmetic the figures are."""

TERMS = """\
What hubstats counted, and the figures that it made from that; hubstats reproduce BUNDLE makes them again.

The rows are facts read from public pages. Owners, repositories and files are numbered, and nothing they wrote is in
here. Dates and download counts are as public as the pages they stand on, so that who knows a repository well may
recognise its row: do not try to, and do not publish what you find.

They are facts and figures about them; what the project's own licence says of its data holds for them.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that came out otherwise."""

    table: str
    figure_id: str
    column: str
    """Empty: the whole figure is on one side only."""
    stored: str
    made: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figures as they were stored and as they were made again."""

    counts: Mapping[str, tuple[int, int]]
    """Table -> (figures that are equal, figures that are not)."""
    differences: tuple[Difference, ...]
    """The first FIRST of each table."""
    notes: tuple[str, ...] = ()
    """What about this machine is not as it was where the bundle was made."""

    @property
    def equal(self) -> bool:
        """Every figure came out with every bit."""
        return not any(different for _, different in self.counts.values())


# --- freeze -------------------------------------------------------------------------------------------------------


def freeze(store: Store, out: Path) -> Mapping[str, Any]:
    """Writes the bundle of a file; returns its manifest.

    Raises BundleError when the file has no figures, or others than its rows give, and when `out` cannot be written.
    """
    from hubstats.detect import DETECTOR_VERSION
    from hubstats.techniques import load

    if not store.frame("FROM stage_run WHERE stage = 'estimate'").height:
        raise BundleError(f"{store.path} has no figures yet: run 'hubstats estimate' first")
    rows = estimate.canonical({name: store.frame(read_input(name)) for name in estimate.INPUTS})
    held = {table: store.frame(f"FROM {table.TABLE} ORDER BY ALL") for table in estimate.TABLES}
    compared = compare(held, estimate.figures(rows, load()))
    if not compared.equal:
        one = compared.differences[0]
        raise BundleError(
            f"{store.path} holds other figures than its rows give ({one.table} {one.figure_id!r} is one of "
            f"{sum(different for _, different in compared.counts.values())}): run 'hubstats estimate' first"
        )
    members = {f"inputs/{name}.parquet": (frame, _parquet(frame)) for name, frame in rows.items()}
    members |= {f"figures/{table.TABLE}.parquet": (frame, _parquet(frame)) for table, frame in held.items()}
    bases = _without_paths(store.frame(f"FROM {Basis.TABLE} ORDER BY ALL"))
    members[BASIS] = (bases, _parquet(bases))
    manifest = {
        "format": FORMAT,
        "hubstats": __version__,
        "detector": DETECTOR_VERSION,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "libraries": _libraries(),
        "as_of": _newest([bases]),
        "queries": {name: basis.fingerprint(read_input(name)) for name in estimate.INPUTS},
        "members": {
            name: {"rows": frame.height, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, (frame, data) in sorted(members.items())
        },
    }
    texts = {MANIFEST: _json(manifest), README: TERMS.encode()}
    _write(out, {**texts, **{name: data for name, (_, data) in sorted(members.items())}})
    return manifest


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", compression_level=9, row_group_size=1_000_000)
    return buffer.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"


def _without_paths(bases: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    local = ~pl.col("endpoint").str.contains("^https?://")
    last = pl.col("endpoint").str.strip_chars_end("/\\").str.extract(r"([^/\\]*)$")
    return bases.with_columns(endpoint=pl.when(local).then(last).otherwise("endpoint"))


def _newest(frames: Iterable[pl.DataFrame]) -> str | None:
    moments = [frame["as_of"].max() for frame in frames]
    return max((moment.isoformat() for moment in moments if isinstance(moment, datetime)), default=None)


def _libraries() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in LIBRARIES}


def _write(out: Path, members: Mapping[str, bytes]) -> None:
    part = out.with_name(out.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, data in members.items():
                entry = zipfile.ZipInfo(name)  # of 1 January 1980, whenever it is made
                entry.create_system = 3
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data)
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BundleError(f"cannot write {out}: {error.strerror}; choose another place with --out") from error


# --- reproduce ----------------------------------------------------------------------------------------------------


def reproduce(path: Path) -> Comparison:
    """Makes every figure of a bundle again from its rows, and says which came out otherwise. Asks no network.

    Raises BundleError when it is no bundle, of another version, or not whole.
    """
    from hubstats.detect import DETECTOR_VERSION
    from hubstats.techniques import load

    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(path, archive)
            manifest = _manifest(path, archive, entries)
            _same_version(path, manifest, DETECTOR_VERSION)
            rows, held = _contents(path, archive, entries, manifest)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BundleError(f"{path} is no bundle, or not a whole one: {error}") from error
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        made = estimate.figures(rows, load())
    except Exception as error:
        # Rows with the right columns may still say what no file of ours would.
        raise BundleError(f"{path}: no figures can be made from its rows ({type(error).__name__}: {error})") from error
    return compare(held, made, _notes(manifest))


def compare(
    held: Mapping[type[Record], pl.DataFrame], made: Mapping[type[Record], Sequence[Record]], notes: Sequence[str] = ()
) -> Comparison:
    """Figures as a table holds them beside figures just made, in the types of the table; floats bit for bit."""
    counts: dict[str, tuple[int, int]] = {}
    found: list[Difference] = []
    for table, frame in held.items():
        one, other = _by_key(table, frame), _by_key(table, _framed(made.get(table, ()), frame))
        different = [key for key in sorted(one.keys() | other.keys()) if repr(one.get(key)) != repr(other.get(key))]
        counts[table.TABLE] = (len(one.keys() | other.keys()) - len(different), len(different))
        for key in different[:FIRST]:
            found.extend(_differences(table, key, one.get(key), other.get(key), frame.columns))
    return Comparison(counts, tuple(found), tuple(notes))


def _framed(records: Sequence[Record], like: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(
        [
            pl.Series(name, [_storable(getattr(record, name)) for record in records], dtype=kind)
            for name, kind in like.schema.items()
        ]
    )


def _storable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return list(value) if isinstance(value, tuple) else value


def _by_key(table: type[Record], frame: pl.DataFrame) -> dict[str, list[tuple[Any, ...]]]:
    """Rows by the text of their key; a list, should a table have a key twice."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for row in frame.sort(table.KEY).iter_rows():
        key = "/".join(str(row[frame.columns.index(name)]) for name in table.KEY)
        rows.setdefault(key, []).append(row)
    return {key: sorted(same, key=repr) for key, same in rows.items()}


def _differences(
    table: type[Record],
    key: str,
    stored: list[tuple[Any, ...]] | None,
    made: list[tuple[Any, ...]] | None,
    columns: Sequence[str],
) -> list[Difference]:
    if stored is None or made is None or len(stored) != len(made):
        sides = ["missing" if side is None else f"there {len(side)} times" for side in (stored, made)]
        return [Difference(table.TABLE, key, "", *sides)]
    return [
        Difference(table.TABLE, key, column, repr(one), repr(other))
        for before, after in zip(stored, made, strict=True)
        for column, one, other in zip(columns, before, after, strict=True)
        if repr(one) != repr(other)
    ]


def _notes(manifest: Mapping[str, Any]) -> list[str]:
    here = {"python": platform.python_version(), "machine": platform.machine(), **_libraries()}
    there = {"python": manifest.get("python"), "machine": manifest.get("machine"), **manifest["libraries"]}
    notes = [
        f"made with {name} {there.get(name)}, here it is {here[name]}" for name in here if here[name] != there.get(name)
    ]
    changed = [name for name, found in manifest["queries"].items() if found != basis.fingerprint(read_input(name))]
    if changed:
        notes.append(f"rows were read by other queries than this version has: {', '.join(sorted(changed))}")
    return notes


# --- reading what anybody may have made ----------------------------------------------------------------------------


def _entries(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by name. None is a path: they are only ever looked up under the names that a bundle has."""
    if path.stat().st_size > MOST_BYTES:
        raise BundleError(f"{path} is larger than any bundle ({MOST_BYTES:,} bytes)")
    if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
        raise BundleError(f"{path} says that it holds more than any bundle ({MOST_BYTES:,} bytes)")
    wanted = {MANIFEST, README, BASIS, *_inputs().values(), *_figures().values()}
    names = [entry.filename for entry in archive.infolist()]
    odd = sorted(set(names) - wanted)
    if odd:
        raise BundleError(f"{path} has a member that no bundle of this version has: {odd[0][:100]!r}")
    if len(set(names)) < len(names):
        raise BundleError(f"{path} has a member twice")
    if MANIFEST not in names:
        raise BundleError(f"{path} has no {MANIFEST}: it is no bundle of hubstats")
    return {entry.filename: entry for entry in archive.infolist()}


def _manifest(path: Path, archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> Mapping[str, Any]:
    try:
        manifest = json.loads(_read(path, archive, entries[MANIFEST], MOST_MANIFEST))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: its manifest cannot be read: {error}") from error
    shape = {"format": int, "hubstats": str, "detector": str, "libraries": dict, "queries": dict, "members": dict}
    if not isinstance(manifest, dict) or any(not isinstance(manifest.get(key), kind) for key, kind in shape.items()):
        raise BundleError(f"{path}: its manifest is not that of a bundle")
    return manifest


def _same_version(path: Path, manifest: Mapping[str, Any], detector: str) -> None:
    made_by = str(manifest["hubstats"])[:40]
    if manifest["format"] != FORMAT or made_by != __version__:
        raise BundleError(
            f"{path} was made by hubstats {made_by!r}, this is {__version__}: install that version to reproduce it"
        )
    if manifest["detector"] != detector:
        raise BundleError(
            f"{path} was made with another technique registry (detector {str(manifest['detector'])[:40]!r}, here it is "
            f"{detector}): reproduce it with the hubstats that made it"
        )
    if set(manifest["queries"]) != set(estimate.INPUTS):
        raise BundleError(f"{path} was made by a hubstats with other inputs: reproduce it with that one")


def _contents(
    path: Path, archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], manifest: Mapping[str, Any]
) -> tuple[dict[str, pl.DataFrame], dict[type[Record], pl.DataFrame]]:
    """(rows by input, figures by table), each whole and with the columns of this version."""
    whole = {member: _checked(path, archive, entries, manifest, member) for member in (*_tables(), BASIS)}
    with Store.open(Path(":memory:"), write=True) as empty:
        like = {member: empty.frame(sql) for member, sql in _tables().items()}
    frames = {member: _frame(path, member, whole[member], manifest["members"][member], like[member]) for member in like}
    rows = {name: frames[member] for name, member in _inputs().items()}
    return rows, {table: frames[member] for table, member in _figures().items()}


def _tables() -> dict[str, str]:
    """Member -> SQL whose rows it holds: on an empty file, its columns."""
    return {member: read_input(name) for name, member in _inputs().items()} | {
        member: f"FROM {table.TABLE}" for table, member in _figures().items()
    }


def _inputs() -> dict[str, str]:
    return {name: f"inputs/{name}.parquet" for name in estimate.INPUTS}


def _figures() -> dict[type[Record], str]:
    return {table: f"figures/{table.TABLE}.parquet" for table in estimate.TABLES}


def _frame(path: Path, member: str, data: bytes, said: Mapping[str, Any], like: pl.DataFrame) -> pl.DataFrame:
    import polars as pl
    import pyarrow as pa
    from pyarrow import parquet

    try:
        _sane(path, member, parquet.ParquetFile(io.BytesIO(data)).metadata, said)
        # By Polars: a text that stands in a million rows takes its place once. pyarrow unpacks it for each.
        frame = pl.read_parquet(io.BytesIO(data), hive_partitioning=False)
    except (pa.ArrowException, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise BundleError(f"{path}: {member} is no Parquet file that can be read: {error}") from error
    if frame.schema != like.schema:
        raise BundleError(f"{path}: {member} has other columns than this version's")
    texts = [
        pl.col(name).str.len_bytes().cast(pl.Int64).sum() for name, kind in like.schema.items() if kind == pl.String
    ]
    texts += [
        pl.col(name).explode().str.len_bytes().cast(pl.Int64).sum()
        for name, kind in like.schema.items()
        if kind == pl.List(pl.String)
    ]
    if sum(frame.select(text).item() or 0 for text in texts) > MOST_UNPACKED:
        raise BundleError(f"{path}: {member} is larger than that of any bundle")
    return frame


def _sane(path: Path, member: str, metadata: Any, said: Mapping[str, Any]) -> None:
    """Refuses what would not fit into memory, before it is unpacked."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    most = max((group.column(place).num_values for group in groups for place in range(group.num_columns)), default=0)
    if (
        metadata.num_rows > MOST_ROWS
        or most * len(groups) > MOST_VALUES
        or sum(group.total_byte_size for group in groups) > MOST_UNPACKED
    ):
        raise BundleError(f"{path}: {member} is larger than that of any bundle")
    if metadata.num_rows != said.get("rows"):
        raise BundleError(f"{path}: {member} has {metadata.num_rows} rows, not those of its manifest")


def _checked(
    path: Path,
    archive: zipfile.ZipFile,
    entries: Mapping[str, zipfile.ZipInfo],
    manifest: Mapping[str, Any],
    member: str,
) -> bytes:
    said = manifest["members"].get(member)
    if not isinstance(said, dict) or member not in entries:
        raise BundleError(f"{path} lacks {member}")
    data = _read(path, archive, entries[member], MOST_BYTES)
    if hashlib.sha256(data).hexdigest() != said.get("sha256"):
        raise BundleError(f"{path}: {member} is not what its manifest says: the bundle was changed or damaged")
    return data


def _read(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise BundleError(f"{path}: {PurePosixPath(entry.filename).name} is compressed or locked, as in no bundle")
    if entry.file_size > most:
        raise BundleError(f"{path}: {entry.filename} is larger than that of any bundle")
    with archive.open(entry) as member:
        data = member.read(most + 1)
    if len(data) > most:
        raise BundleError(f"{path}: {entry.filename} is larger than that of any bundle")
    return data
