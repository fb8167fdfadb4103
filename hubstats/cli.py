"""The `hubstats` command: each subcommand is one library call and printing; heavy imports wait for their use.

Results go to stdout, progress and messages to stderr. Exit code 0: done; 1: an expected failure, said in one line;
2: the command line itself is wrong.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubstats import __version__, bench_cli, cli_checks, cli_figures, cli_recommend
from hubstats.errors import ConfigError, HubstatsError

if TYPE_CHECKING:
    import polars

    from hubstats.pipeline import Report
    from hubstats.store import Store

app = typer.Typer(
    name="hubstats",
    help="How popular each PEFT technique is, how well it does, and how sure we are of both.",
    epilog="Start with: hubstats crawl snapshot, then hubstats report. Everything lands in one DuckDB file.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


class FileFormat(StrEnum):
    """How rows are printed or written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class ReportFormat(StrEnum):
    """What the report is written as."""

    html = "html"
    json = "json"
    csv = "csv"
    png = "png"


class SampleDesign(StrEnum):
    """How repositories of the Hub are drawn."""

    stratified = "stratified"
    simple = "simple"


class Kind(StrEnum):
    """What a local path holds."""

    cards = "cards"
    configs = "configs"
    code = "code"
    dump = "dump"
    published = "published"


class EngineName(StrEnum):
    """Where heavy work runs."""

    local = "local"
    ray = "ray"


class Measure(StrEnum):
    """A question that the detector answers about a labelled file."""

    used = "used"
    mentioned = "mentioned"
    front_matter = "front_matter"
    method = "method"
    variants = "variants"


Db = Annotated[
    Path,
    typer.Option("--db", envvar="HUBSTATS_DB", help="The DuckDB file.", show_default="hubstats.duckdb in this folder"),
]
RowFormat = Annotated[Format, typer.Option("--format", "-f", help="How to print rows.")]
WriteFormat = Annotated[FileFormat, typer.Option("--format", "-f", help="How to print or write rows.")]
Where = Annotated[
    EngineName,
    typer.Option("--engine", help="Where heavy work runs: local, processes of this machine; ray, a Ray cluster."),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Address of the Ray cluster, HOST:PORT or auto; paths must mean the same on every node.",
        show_default="RAY_ADDRESS, else a Ray of this machine",
    ),
]
Processes = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes at work at once.", show_default="all cores")
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Forget where earlier crawls stopped and list anew.")]
DEFAULT_DB = Path("hubstats.duckdb")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"hubstats {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of hubstats itself."""


@app.command()
def crawl(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]...", help="hub, github, civitai, snapshot ... (see: hubstats sources)."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many to sample: repositories whose files are fetched (hub), checkpoints (civitai), files per "
            "query (github).",
            show_default="1,000 / 10,000 / 1,000",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sample; the same seed extends the same sample.")] = 0,
    design: Annotated[
        SampleDesign | None,
        typer.Option(
            help="How the Hub's repositories are drawn: stratified, more of those where rare techniques are likely, or "
            "simple, all with the same chance. A sample keeps its design; another one needs another --seed.",
            show_default="as the sample in the file, else stratified",
        ),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Restrict the Hub's frame to repositories with this tag (repeatable).")
    ] = None,
    path: Annotated[
        str | None, typer.Option(help="For code, dump, published: what to read; hf:OWNER/NAME@REVISION for a dump.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Requests under way at once.")] = 8,
    refresh: Refresh = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be asked of whom, and how long it takes; ask nobody.")
    ] = False,
    db: Db = DEFAULT_DB,
    format: RowFormat = Format.table,
) -> None:
    """Sample the Hub, GitHub and an image site into the DuckDB file. Resumes and increments.

    Without a SOURCE it reads the embedded snapshot and every live source it can reach, and says what it skipped and
    why. Stop it with Ctrl-C whenever you like: the next call goes on where it stopped.
    """
    from hubstats import pipeline
    from hubstats.records import SourceOptions

    options = SourceOptions(
        sample=sample,
        seed=seed,
        design=design.value if design else None,
        path=path,
        filters=tuple(tag or ()),
        workers=workers,
        refresh=refresh,
    )
    if dry_run:
        import polars

        _print_rows(polars.DataFrame(cli_checks.dry_run(db, sources or [], options)), format)
        return
    with _progress() as progress:
        reports = pipeline.crawl(db, sources or [], options, progress)
    _print_reports(reports, format)
    _say(f"{db} is ready: hubstats status, hubstats report, hubstats query --list")
    if any(report.state in ("failed", "interrupted") for report in reports) or (
        sources and any(report.state == "skipped" for report in reports)
    ):
        raise typer.Exit(1)


@app.command("import")
def import_(
    path: Annotated[str, typer.Argument(help="File or folder; for a dump also hf:OWNER/NAME@REVISION.")],
    kind: Annotated[
        Kind,
        typer.Option(
            help="cards: a folder of .md files; configs: a folder of adapter configs (.json); code: folders of source, "
            "git repositories, or Parquet with a column of contents; dump: Parquet of model cards or metadata; "
            "published: PEFT result files."
        ),
    ],
    revision: Annotated[str | None, typer.Option(help="Commit to read, for code and datasets.")] = None,
    keep_text: Annotated[
        bool,
        typer.Option(
            "--keep-text",
            help="Of a dump: keep the text of every card in the file, not only of those that name or show a technique.",
        ),
    ] = False,
    engine: Where = EngineName.local,
    address: Address = None,
    workers: Processes = None,
    db: Db = DEFAULT_DB,
    format: RowFormat = Format.table,
) -> None:
    """Bring local files into the DuckDB file. Importing the same path twice changes nothing.

    What comes out is the same whatever the engine and the number of its workers. Stopped or killed, the same command
    goes on where it was.
    """
    from hubstats import pipeline
    from hubstats.engines import open_engine
    from hubstats.records import SourceOptions

    options = SourceOptions(path=path, revision=revision, keep_text=keep_text)
    with _progress() as progress:
        chosen = open_engine(engine.value, workers=workers, address=address, notify=progress.say)
        reports = pipeline.crawl(db, [kind.value], options, progress, chosen)
    _print_reports(reports, format)
    if any(report.state != "done" for report in reports):
        raise typer.Exit(1)


@app.command()
def estimate(
    engine: Where = EngineName.local, address: Address = None, workers: Processes = None, db: Db = DEFAULT_DB
) -> None:
    """Make verdicts and estimates anew from what the file holds, without asking any source."""
    from hubstats import pipeline
    from hubstats.engines import open_engine

    with _progress() as progress:
        chosen = open_engine(engine.value, workers=workers, address=address, notify=progress.say)
        judged, made = pipeline.rerun(_existing(db), progress, chosen)
    typer.echo(f"{judged} subjects judged, {made} estimates made in {db}")


@app.command()
def status(
    db: Db = DEFAULT_DB,
    migrate: Annotated[bool, typer.Option("--migrate", help="Bring an older file to this version's schema.")] = False,
    format: RowFormat = Format.table,
) -> None:
    """What is in the file: per source, when, how many, what failed, what quota is left."""
    from hubstats import spool
    from hubstats.store import Store, read_input

    if migrate:
        Store.open(_existing(db), write=True).close()
    with Store.open(db) as store:
        crawls = store.frame(read_input("status"))
        items = store.frame(read_input("status_items"))
        stale = store.frame(read_input("status_stale"))["source"].to_list()
        unread = _unread(store) if "dump" in items["source"].to_list() else 0
    if format is Format.table:
        _print_rows(crawls, format, title=f"{db}: last crawl of each source")
        _print_rows(items, format, title="What each source holds")
    else:
        _print_rows(items, format)
    waiting = sum(spool.pending(spool.spool_folder(db)).values())
    writing = spool.is_writing(db)
    if writing:
        _say(f"a crawl is running; {waiting:,} bytes wait beside the file and move in within seconds")
    elif waiting or "running" in crawls["state"].to_list():
        _say(f"a crawl was stopped; {waiting:,} bytes wait beside the file: the next crawl takes them in and goes on")
    if stale and not writing:
        _say(f"the estimates are older than what was read from {', '.join(stale)}: 'hubstats estimate' makes them anew")
    if unread and not writing:
        _say(
            f"{unread:,} cards of the dump were judged by rules of another version, and their text is not in the file: "
            "the same 'hubstats import --kind dump' judges them anew"
        )


def _unread(store: Store) -> int:
    from hubstats.detect import DETECTOR_VERSION
    from hubstats.store import read_input

    return int(store.frame(read_input("status_unread"), {"version": DETECTOR_VERSION})["cards"][0])


@app.command()
def query(
    name: Annotated[str | None, typer.Argument(help="A question from --list.")] = None,
    list_: Annotated[bool, typer.Option("--list", "-l", help="List the questions.")] = False,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="A parameter, x=y (repeatable).")] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of stdout.")] = None,
    db: Db = DEFAULT_DB,
    format: WriteFormat = FileFormat.table,
) -> None:
    """Ask a named question of the file."""
    from hubstats import queries

    if list_ or name is None:
        _print_rows(_question_list(), Format(format.value if format is not FileFormat.parquet else "table"))
        return
    from hubstats.ask import connect

    question = queries.get(name)
    parameters = question.parse(param or [])
    with connect(db) as answers:
        frame = answers.query(name, **parameters)
    _write_rows(frame, format, out, title=question.title)
    if frame.is_empty():
        _say(f"no rows: {question.note}" if question.note else "no rows: the file holds nothing that answers this yet")


@app.command()
def sql(
    text: Annotated[str, typer.Argument(help="One SELECT; '-' reads it from standard input.")],
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of stdout.")] = None,
    db: Db = DEFAULT_DB,
    format: WriteFormat = FileFormat.table,
) -> None:
    """Ask anything of the file, read-only: no other file, no network, no extension is within reach."""
    from hubstats.ask import connect

    with connect(db) as answers:
        frame = answers.sql(sys.stdin.read() if text == "-" else text)
    _write_rows(frame, format, out)


@app.command()
def report(
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write it: a file, or a folder for csv and png.", show_default="hubstats-report.*"),
    ] = None,
    db: Db = DEFAULT_DB,
    format: Annotated[
        ReportFormat,
        typer.Option("--format", "-f", help="One page; its data; the numbers behind each chart; each chart's picture."),
    ] = ReportFormat.html,
    state: Annotated[
        str, typer.Option(help="With png: what follows # in a link to the page, to draw the charts so.")
    ] = "",
) -> None:
    """Write the popularity-against-performance page: one HTML file that needs no network. Or what it is made of."""
    from hubstats import report as reporting
    from hubstats.ask import connect
    from hubstats.report import outputs

    with connect(db) as answers:
        page = reporting.build(answers, source=db.name)
    if format in (ReportFormat.csv, ReportFormat.png):
        folder = out or Path(f"hubstats-report-{format.value}")
        number = 0
        for name, content in outputs.as_csv(page) if format is ReportFormat.csv else outputs.as_png(page, state):
            _folder(folder)
            _put(folder / name, content)
            number += 1
        typer.echo(f"report: {number} files in {folder.resolve()}")
        return
    out = out or Path(f"hubstats-report.{format.value}")
    _put(out, page.html.encode() if format is ReportFormat.html else outputs.as_json(page))
    if format is ReportFormat.json and not out.is_file():
        return  # to /dev/stdout or a pipe: nothing but the JSON
    typer.echo(f"report: {out.resolve()}")
    for number, finding in enumerate(page.findings, start=1):
        typer.echo(f"{number}. {finding.text}\n   source: {finding.source}")


@app.command()
def sources(format: RowFormat = Format.table) -> None:
    """List the sources, where they read from, and whether they can run here."""
    import polars

    from hubstats.records import SourceOptions
    from hubstats.sources import discover, open_source

    rows = []
    for name in discover():
        source = open_source(name, SourceOptions(), _say)
        reason = source.unavailable()
        rows.append(
            {
                "source": name,
                "asks": "a server" if source.live else "local files",
                "reads": source.endpoint,
                "here": "ready" if reason is None else reason,
            }
        )
    _print_rows(polars.DataFrame(rows), format)


@app.command()
def techniques(
    name: Annotated[str | None, typer.Argument(help="Show one technique, by key, name or alias.")] = None,
    format: RowFormat = Format.table,
) -> None:
    """List the technique registry: what is detected and counted."""
    import polars

    from hubstats.techniques import load

    registry = load()
    chosen = [registry.find(name)] if name else list(registry)
    rows = [
        {
            "key": technique.key,
            "name": technique.name,
            "family": technique.family,
            "kind": technique.kind,
            "parent": technique.parent,
            "peft_type": technique.peft_type,
            "since": technique.since,
            "paper": technique.paper,
            **({"note": technique.note} if name else {}),
        }
        for technique in chosen
    ]
    _print_rows(polars.DataFrame(rows, infer_schema_length=None), format)


app.add_typer(cli_figures.app)
app.add_typer(cli_recommend.app)
app.add_typer(cli_checks.app)
app.add_typer(bench_cli.app, name="bench", help="Fine-tune the most and least used techniques, and measure them.")

evaluation = typer.Typer(no_args_is_help=True)
app.add_typer(evaluation, name="evaluate", help="Measure hubstats itself against what a person labelled.")


@evaluation.command("detection")
def evaluate_detection(
    labels: Annotated[Path, typer.Argument(help="The labels: a CSV, or a folder with labels.csv and the texts.")],
    mirrors: Annotated[
        Path | None, typer.Option(help="Read the texts from git mirrors in this folder, as OWNER+NAME.")
    ] = None,
    measure: Annotated[list[Measure] | None, typer.Option(help="Only this question (repeatable).")] = None,
    confusion: Annotated[bool, typer.Option("--confusion", help="Labelled against found, in files.")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="Every file where labels and findings differ.")] = False,
    min_precision: Annotated[float | None, typer.Option(min=0, max=1, help="Exit with 1 below this.")] = None,
    min_recall: Annotated[float | None, typer.Option(min=0, max=1, help="Exit with 1 below this.")] = None,
    format: RowFormat = Format.table,
) -> None:
    """Precision and recall of the detector on labelled cards or configs, with 95% intervals.

    The floors are held against the total of each measure, of its high-confidence labels where there are such.
    """
    from hubstats import evaluate
    from hubstats.detect import version
    from hubstats.techniques import load

    registry = load()
    labelled = evaluate.read_labels(labels, registry, mirrors)
    for reason, count in labelled.left_out.items():
        _say(f"{count} of {labelled.size} left out: {reason}")
    result = evaluate.evaluate(labelled.rows, registry)
    asked = tuple(name for name in evaluate.MEASURES if measure is None or Measure(name) in measure)
    scores = result.scores(asked)
    title = f"{len(labelled.rows)} labelled files, detector {version(registry)}"
    if errors or confusion:
        _print_rows(result.errors(asked) if errors else result.confusion(asked), format, title)
    elif format is Format.table:
        for by, rows in scores.group_by("by", maintain_order=True):
            _print_rows(rows.drop("by"), format, f"{title}: {by[0]}")
    else:
        _print_rows(scores, format)
    if below := evaluate.missed(scores, precision=min_precision, recall=min_recall):
        raise HubstatsError("; ".join(below))


@evaluation.command("imports")
def evaluate_imports(
    paths: Annotated[list[Path], typer.Argument(help="Folders of source, git repositories, or folders of those.")],
    errors: Annotated[bool, typer.Option("--errors", help="Every name that only one of the two found.")] = False,
    format: RowFormat = Format.table,
) -> None:
    """Imports of peft as hubstats reads them beside an independent walk of the syntax tree, name for name.

    Exit code 1 when they differ, when a repository could not be read, or when there was no Python file to compare.
    Files and notebook cells that the walk cannot parse are counted, not compared: `unparsed`, and `beyond` is how many
    names hubstats found in them. `unread` files are over the size cap or missing.
    """
    from hubstats.evaluate import imports
    from hubstats.techniques import load

    results = []
    with _progress() as progress:
        progress.start("repositories", None)
        for result in imports.compare_imports(paths, load().config_classes(), progress.say):
            results.append(result)
            progress.advance("repositories", 1)
        progress.finish("repositories")
    _print_rows(imports.difference_table(results) if errors else imports.table(results), format)
    if reason := imports.disagreement(results):
        raise HubstatsError(reason)


# --- printing -----------------------------------------------------------------------------------------------------


def _say(line: str) -> None:
    # A path or a server's words may hold control characters, which could steer the terminal.
    typer.echo("".join(char if char.isprintable() or char == "\n" else " " for char in line), err=True)


def _existing(db: Path) -> Path:
    if not db.exists():
        raise HubstatsError(f"there is no file {db}; make one with 'hubstats crawl', or name another with --db")
    return db


def _progress() -> Any:
    from hubstats.progress import for_terminal

    return for_terminal()


def _question_list() -> polars.DataFrame:
    import polars

    from hubstats import queries

    return polars.DataFrame(
        [
            {
                "name": question.name,
                "section": question.section,
                "question": question.title,
                "parameters": ", ".join(parameter.name for parameter in question.parameters),
            }
            for question in queries.find()
        ]
    )


def _print_reports(reports: list[Report], format: Format) -> None:
    import polars

    rows = [
        {
            "source": report.source,
            "state": report.state,
            "records": ", ".join(f"{count:,} {table}" for table, count in sorted(report.records.items())),
            "requests": report.counters.get("requests"),
            "quota_left": ", ".join(
                f"{name.removeprefix('quota_left:')} {left:,}"
                for name, left in report.counters.items()
                if name.startswith("quota_left:")
            ),
            "seconds": round(report.seconds, 1),
            "message": report.message,
        }
        for report in reports
    ]
    _print_rows(polars.DataFrame(rows, infer_schema_length=None), format)


def _print_rows(frame: polars.DataFrame, format: Format, title: str | None = None) -> None:
    _write_rows(frame, FileFormat(format.value), None, title)


def _write_rows(frame: polars.DataFrame, format: FileFormat, out: Path | None, title: str | None = None) -> None:
    from hubstats import rows

    if format is FileFormat.table and out is None:
        left_out = rows.print_table(frame, title)
        if left_out:
            _say(f"no room for {', '.join(left_out)}: widen the terminal, or add --format csv")
        return
    if format is FileFormat.parquet and out is None and sys.stdout.isatty():
        raise ConfigError("Parquet is not for a terminal: add --out FILE, or pipe it somewhere")
    written = format.value if format is not FileFormat.table or out is None else out.suffix.lstrip(".")
    data = rows.encode(frame, written)
    if out is not None:
        _put(out, data)
        return
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader (head, less) has seen enough; without this Python complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise HubstatsError(f"cannot write the answer: {error.strerror}; add --out FILE for another place") from error


def _folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HubstatsError(f"cannot write into {path}: {error.strerror}; choose another place with --out") from error


def _put(out: Path, data: bytes) -> None:
    """Writes a file whole or not at all: what was there before stays until the new one is complete."""
    try:
        if out.exists() and not out.is_file():  # /dev/stdout, a pipe
            out.write_bytes(data)
            return
        place = out.resolve()
        part = place.with_name(place.name + ".part")
        try:
            part.write_bytes(data)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise HubstatsError(f"cannot write {out}: {error.strerror}; choose another place with --out") from error


def without_secrets(text: str) -> str:
    """The text without what looks like a token and without what the environment holds as one.

    An exception that nobody foresaw may quote a request with its headers.
    """
    from hubstats.http.response import SECRET

    for name, value in os.environ.items():
        if len(value) >= 8 and re.search("TOKEN|SECRET|PASSWORD|KEY", name, re.IGNORECASE):
            text = text.replace(value, "***")
    return SECRET.sub(r"\1***", text)


def _interrupt(signal_number: int, frame: object) -> None:
    raise KeyboardInterrupt


GIVE_BACK = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:200,muzzy_decay_ms:0",
}
"""What the allocators of Arrow and of Polars (jemalloc) read when they are loaded: what is freed goes to the system.
By themselves they keep it, or for 10 s: 60 and 70 MB over a dump of 200,000 cards."""


def main() -> None:
    """Entry point: every expected failure is one line on stderr."""
    for name, value in GIVE_BACK.items():
        os.environ.setdefault(name, value)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _run()
    finally:
        # All is said and done: an interrupt now would only make the libraries' own tidying up complain.
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, signal.SIG_IGN)


def _run() -> None:
    try:
        app()
    except SystemExit as ended:
        # typer ends a command at Ctrl-C with this code and without a word.
        if ended.code == 128 + signal.SIGINT:
            _say("hubstats: interrupted; run the same command again to go on")
        raise
    except ConfigError as error:
        _say(f"hubstats: {error}")
        sys.exit(2)
    except HubstatsError as error:
        _say(f"hubstats: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        _say("hubstats: interrupted; run the same command again to go on")
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        if os.environ.get("HUBSTATS_DEBUG"):
            _say(without_secrets(traceback.format_exc()))
            sys.exit(1)
        what = without_secrets(f"{type(error).__name__}: {error}")
        _say(
            f"hubstats: something went wrong that should not have ({what}). "
            "What was committed is kept. Please report it with the output of the same command under HUBSTATS_DEBUG=1"
        )
        sys.exit(1)
