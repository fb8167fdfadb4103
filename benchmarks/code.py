"""How fast code is read: `make bench-code`, or `python -m benchmarks.code --files 1000000 --keep FOLDER`.

The same files lie in a folder, in a bare git repository and in a Parquet file. They are the real Python files of this
interpreter and of what is installed beside it, drawn by a seed; each has a line of its own, so that none is the same
blob as another, and of every thousand one imports peft and one only speaks of it.

hubstats      the whole command `hubstats import --kind code PATH`, from its start to the closed DuckDB file
ast.parse     one process that reads every file and gives it to `ast.parse`, and does nothing with the tree
walk          the same, and looks at every import in it: the plainest program with our result (hubstats.evaluate.walk)
walk, pool    that shared out over all cores
bytes         only the reading of the same place: open and read, git cat-file, Parquet's column: nobody can be faster

The first three are done for a sample of the files and scaled to all of them; they read from the folder, which is the
fastest of the three to read from. What hubstats found is compared
with what the walk finds, name for name, over the sample and every file in which the letters peft stand.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow
from pyarrow import parquet

from benchmarks.memory import largest
from hubstats.ask import connect
from hubstats.evaluate.walk import walk
from tests.conftest import clean_environment

USES = (
    "from peft import LoraConfig, get_peft_model\nconfig = LoraConfig(r=8)\n",
    "def train():\n    import peft\n    return peft.IA3Config()\n",
    "from peft.tuners.lora import LoraConfig as L\nL(r=4)\n",
    "try:\n    from peft import (\n        AdaLoraConfig,\n        PeftModel,\n    )\nexcept ImportError:\n    pass\n",
)
DECOYS = (
    "# from peft import LoraConfig\n",
    'EXAMPLE = """\nfrom peft import LoraConfig\n"""\n',
    "from .peft import LoraConfig\n",
    "import peft_model\n",
)
USING = SPEAKING = 1
"""Of every thousand files. Public code has fewer."""
ROW_GROUP = 1000


class Name(NamedTuple):
    """A name that an import statement takes from peft."""

    path: str
    line: int
    module: str
    name: str | None
    alias: str | None


class Corpus:
    """The files, made again from the seed whenever they are asked for."""

    def __init__(self, files: int, seed: int) -> None:
        self.files = files
        self._random = random.Random(seed)
        roots = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
        found = sorted({path for root in roots for path in root.rglob("*.py") if path.stat().st_size < 1 << 20})
        self._random.shuffle(found)
        self._texts = [text for path in found[:files] if (text := path.read_bytes()).isascii() or _is_utf8(text)]

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        draw = random.Random(self.files)
        for number in range(self.files):
            text = self._texts[number % len(self._texts)]
            chance = draw.randrange(1000)
            more = ""
            if chance < USING:
                more = draw.choice(USES)
            elif chance < USING + SPEAKING:
                more = draw.choice(DECOYS)
            yield f"{number // 1000:04}/{number}.py", text + f"\n# {number}\n{more}".encode()


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return b"coding" not in text[:200]


# --- the three places -----------------------------------------------------------------------------------------------


def make_folder(corpus: Corpus, place: Path) -> None:
    """Every file as a file."""
    for path, text in corpus:
        file = place / path
        if path.endswith("000.py") or not file.parent.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)


def make_git(corpus: Corpus, place: Path) -> None:
    """Every file in the only commit of a bare repository."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(place)], check=True)
    command = ["git", f"--git-dir={place}", "fast-import", "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        out = process.stdin
        out.write(b"commit refs/heads/main\ncommitter a <a@b> 0 +0000\ndata 1\nx\n")
        for path, text in corpus:
            out.write(f"M 100644 inline {path}\ndata {len(text)}\n".encode() + text + b"\n")
        out.close()
    if process.returncode:
        raise SystemExit("git fast-import failed")


def make_parquet(corpus: Corpus, place: Path) -> None:
    """Every file a row, with the columns of public code corpora."""
    schema = pyarrow.schema([(name, pyarrow.string()) for name in ("content", "path", "repo_name", "language")])
    with parquet.ParquetWriter(place, schema, compression="zstd") as writer:
        for rows in batched(corpus, ROW_GROUP):
            columns = zip(*((text.decode(), path, "corpus", "Python") for path, text in rows), strict=True)
            writer.write_table(pyarrow.Table.from_arrays([pyarrow.array(column) for column in columns], schema=schema))


MAKERS = {"folder": make_folder, "git": make_git, "parquet": make_parquet}


def batched(corpus: Corpus, size: int) -> Iterator[list[tuple[str, bytes]]]:
    """The files in lists of `size`."""
    files = iter(corpus)
    while rows := list(islice(files, size)):
        yield rows


# --- what is measured -----------------------------------------------------------------------------------------------


class Import(NamedTuple):
    """What the command took: seconds, seconds of all its processors, megabytes of its largest process."""

    seconds: float
    cpu: float
    megabytes: float


def hubstats(place: Path, db: Path) -> Import:
    """Runs the command."""
    command = [sys.executable, "-m", "hubstats", "import", "--kind", "code", str(place), "--db", str(db), "-f", "json"]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=clean_environment(db.parent), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    with largest(lambda: [process.pid]) as held:
        told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        raise SystemExit(f"the import failed: {told!r}")
    return Import(seconds, usage.ru_utime + usage.ru_stime, held[0] * 1024)


def naive(paths: list[str]) -> list[Name]:
    """What the walk finds in the files."""
    found = []
    for path in paths:
        data = Path(path).read_bytes()
        found += [Name("/".join(path.split("/")[-2:]), *one) for one in walk(data) or ()]
    return found


def parse(paths: list[str]) -> None:
    """Parses the files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in paths:
            with suppress(SyntaxError, ValueError, RecursionError):
                ast.parse(Path(path).read_bytes())


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def pooled(paths: list[str]) -> None:
    """The walk over the files, on all cores."""
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores) as pool:
        list(pool.map(naive, [paths[at :: 8 * cores] for at in range(8 * cores)]))


def read_folder(place: Path) -> None:
    """Every byte of every file."""
    for folder, _, names in os.walk(place):
        for name in names:
            with open(os.path.join(folder, name), "rb") as stream:  # noqa: PTH118, PTH123
                stream.read()


def read_git(place: Path) -> None:
    """Every byte of every blob."""
    git = ["git", f"--git-dir={place}"]
    listed = subprocess.run([*git, "ls-tree", "-r", "HEAD"], check=True, capture_output=True).stdout
    shas = b"".join(line.split()[2] + b"\n" for line in listed.splitlines())
    with tempfile.TemporaryFile() as given:
        given.write(shas)
        given.seek(0)
        command = [*git, "cat-file", "--batch", "--buffer"]
        with subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            while process.stdout.read(1 << 20):
                pass


def read_parquet(place: Path) -> None:
    """Every byte of the column."""
    with parquet.ParquetFile(place, pre_buffer=False) as file:
        for batch in file.iter_batches(256, columns=["content"]):
            del batch


def names_in(db: Path) -> list[Name]:
    """The names that hubstats found by import statements."""
    with connect(db) as answers:
        rows = answers.sql(
            "SELECT path, line, module, name, alias FROM code_import WHERE form IN ('from', 'star', 'import')"
        )
    return [Name(*row) for row in rows.iter_rows()]


def compare(corpus: Corpus, folder: Path, places: dict[str, Path], sample: int, runs: int, scratch: Path) -> None:
    """Prints the table."""
    paths = [str(folder / path) for path, _ in corpus]
    drawn = random.Random(0).sample(paths, min(sample, len(paths)))
    scale = len(paths) / len(drawn)
    speaking = [str(folder / path) for path, text in corpus if b"peft" in text]
    truth = sorted(set(naive(sorted({*drawn, *speaking}))), key=repr)
    sizes = sum(os.path.getsize(path) for path in drawn) * scale  # noqa: PTH202
    print(f"{len(paths):,} files, {sizes / 1e9:.2f} GB of text, {len(speaking):,} with the letters peft; {machine()}")
    print(f"the first three on a sample of {len(drawn):,}, scaled; {runs} runs each, in turn: median (least to most)")
    parsed, single, pool = [], [], []
    ours: dict[str, list[float]] = {name: [] for name in places}
    floor: dict[str, list[float]] = {name: [] for name in places}
    peak: dict[str, float] = {}
    cpu: dict[str, list[float]] = {name: [] for name in places}
    parsed_cpu: list[float] = []
    readers = {"folder": read_folder, "git": read_git, "parquet": read_parquet}
    for run in range(runs):
        began = time.process_time()
        parsed.append(timed(lambda: parse(drawn)) * scale)
        parsed_cpu.append((time.process_time() - began) * scale)
        single.append(timed(lambda: naive(drawn)) * scale)
        pool.append(timed(lambda: pooled(drawn)) * scale)
        for name, place in places.items():
            db = scratch / f"{name}-{run}.duckdb"
            made = hubstats(place, db)
            ours[name].append(made.seconds)
            cpu[name].append(made.cpu)
            peak[name] = max(peak.get(name, 0.0), made.megabytes)
            floor[name].append(timed(lambda name=name, place=place: readers[name](place)))  # type: ignore[misc]
            found = sorted(set(names_in(db)), key=repr)
            if found != truth:
                raise SystemExit(f"{name}: hubstats and the walk differ: {set(found) ^ set(truth)}")
            db.unlink()
    for what, seconds in (("ast.parse", parsed), ("walk", single), ("walk, pool", pool)):
        print(f"  {what:<22}{spread(seconds, 's')}")
    for name in places:
        print(
            f"  {'hubstats, ' + name:<22}{spread(ours[name], 's'):<34}"
            f"ast.parse {ratio(parsed, ours[name]):.1f}x  walk {ratio(single, ours[name]):.1f}x  "
            f"pool {ratio(pool, ours[name]):.1f}x  "
            f"{ratio(ours[name], floor[name]):.1f}x of bytes ({statistics.median(floor[name]):.1f} s)  "
            f"{peak[name]:.0f} MB  "
            f"CPU {statistics.median(cpu[name]):.1f} s, ast.parse {ratio(parsed_cpu, cpu[name]):.1f}x"
        )
    print(f"  the same {len(truth):,} names by the walk and by hubstats from each place")


def ratio(above: list[float], below: list[float]) -> float:
    """Of the medians."""
    return statistics.median(above) / statistics.median(below)


def spread(values: list[float], unit: str) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):,.1f} {unit} ({min(values):,.1f} to {max(values):,.1f})"


def machine() -> str:
    """What it ran on."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> None:
    """Makes the places that are not there yet, and prints the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--files", type=int, default=100_000)
    options.add_argument("--sample", type=int, default=4_000, help="files of the naive baselines")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--places", nargs="+", default=list(MAKERS), choices=list(MAKERS))
    options.add_argument("--keep", type=Path, help="make the files here and leave them for the next time")
    options.add_argument("--make", action="store_true", help="make the files and do nothing else")
    asked = options.parse_args()
    corpus = Corpus(asked.files, asked.seed)
    scratch = Path(tempfile.mkdtemp(prefix="hubstats-bench-code-"))
    base = asked.keep or scratch
    base.mkdir(parents=True, exist_ok=True)
    at = {name: base / f"{asked.files}-{asked.seed}.{name}" for name in MAKERS}
    try:
        for name in ["folder", *(name for name in asked.places if name != "folder")]:
            done = base / f"{at[name].name}.made"
            if not done.exists():
                MAKERS[name](corpus, at[name])
                done.write_text(json.dumps({"files": asked.files}))
        if not asked.make:
            compare(corpus, at["folder"], {name: at[name] for name in asked.places}, asked.sample, asked.runs, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
