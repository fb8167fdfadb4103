"""The command line as a user meets it: help, formats, exit codes, and one line for every failure."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import polars
import pytest

from hubstats import cli

from .conftest import Run

HEAVY = ("duckdb", "polars", "pandas", "plotly", "huggingface_hub", "requests", "pyarrow", "scipy", "numpy")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["crawl", "--help"], ["query", "--help"]])
def test_help_and_version_import_nothing_heavy(words: list[str]) -> None:
    script = (
        f"import sys; from hubstats.cli import main; sys.argv = ['hubstats', *{words!r}]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        f"print('LOADED', *sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["LOADED"]


def test_version_and_help_say_something(run: Run) -> None:
    assert run("--version").stdout.startswith("hubstats ")
    bare = run()
    assert "crawl" in bare.stdout + bare.stderr
    assert run("no-such-command").returncode == 2
    assert run("crawl", "--sample", "0").returncode == 2
    assert run("crawl", "--sample", "many").returncode == 2


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *says: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("hubstats: ")]
    assert len(said) == 1, done.stderr
    for text in says:
        assert text in said[0]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="sees in /proc when hubstats listens")
def test_ctrl_c_is_one_line_and_130(run: Run, tmp_path: Path) -> None:
    assert run("crawl", "snapshot").returncode == 0
    for words in (["sql", "SELECT count(*) FROM range(200000000000) AS t(a) WHERE sin(a) > 2"], ["sql", "-"]):
        with subprocess.Popen(
            [sys.executable, "-m", "hubstats", *words],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as asking:
            # Pressed once hubstats listens, which it does when it has taken SIGTERM over.
            status = Path(f"/proc/{asking.pid}/status")
            while not int(status.read_text().partition("SigCgt:")[2].split()[0], 16) & 1 << (signal.SIGTERM - 1):
                assert asking.poll() is None
                time.sleep(0.1)
            time.sleep(1.5)
            asking.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                asking.wait(timeout=30)
            asking.kill()
            said = asking.stderr.read() if asking.stderr else ""
        assert_one_line(subprocess.CompletedProcess(words, asking.returncode, "", said), 130, "interrupted")


def test_an_answer_is_written_whole_or_not_at_all(run: Run, tmp_path: Path) -> None:
    assert run("crawl", "snapshot").returncode == 0
    out = tmp_path / "page.html"
    out.write_text("the page before")
    (tmp_path / "page.html.part").mkdir()  # what cannot be written
    assert_one_line(run("report", "--out", out), 1, "cannot write")
    assert out.read_text() == "the page before"
    (tmp_path / "page.html.part").rmdir()
    (tmp_path / "link.html").symlink_to(out)
    assert run("report", "--out", "link.html").returncode == 0
    assert (tmp_path / "link.html").is_symlink()
    assert out.read_text().rstrip().endswith("</html>")
    assert run("sql", "SELECT 1 AS x", "--format", "csv", "--out", "/dev/stdout").stdout == "x\n1\n"
    assert sorted(path.name for path in tmp_path.glob("*.part")) == []


def test_failures_are_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("no database " * 500)
    with duckdb.connect(str(tmp_path / "foreign.duckdb")) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")
    assert_one_line(run("status"), 1, "there is no file", "hubstats crawl")
    assert_one_line(run("query", "technique_share"), 1, "there is no file")
    assert_one_line(run("report"), 1, "there is no file")
    assert_one_line(run("estimate"), 1, "there is no file")
    assert_one_line(run("status", "--db", "text.duckdb"), 1, "not a DuckDB file")
    assert_one_line(run("crawl", "snapshot", "--db", "text.duckdb"), 1, "not a DuckDB file")
    assert_one_line(run("sql", "SELECT 1", "--db", "foreign.duckdb"), 1, "not one of hubstats")
    assert_one_line(run("crawl", "snapshot", "--db", "foreign.duckdb"), 1, "not one of hubstats")
    assert_one_line(run("crawl", "snapshot", "--db", tmp_path), 1, "is a folder")
    assert_one_line(run("crawl", "snapshot", "--db", "none/x.duckdb"), 1, "there is no folder")
    assert_one_line(run("crawl", "nonsense"), 2, "there is no source 'nonsense'", "snapshot")
    assert_one_line(run("techniques", "lorra"), 2, "lora")


def test_the_file_can_be_named_by_the_environment(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "a.md").write_text("# x")
    assert run("import", "--kind", "cards", "cards", HUBSTATS_DB="named.duckdb").returncode == 0
    assert (tmp_path / "named.duckdb").exists()
    assert run("status", HUBSTATS_DB="named.duckdb").returncode == 0


@pytest.fixture
def small(run: Run, tmp_path: Path) -> Path:
    """A file with three cards."""
    folder = tmp_path / "cards"
    (folder / "deep").mkdir(parents=True)
    (folder / "one.md").write_text("---\ntags:\n- lora\nlibrary_name: peft\n---\n# A LoRA adapter\n")
    (folder / "deep" / "two.md").write_text("# [bold]markup[/bold] <script>\n")
    (folder / "three.md").write_bytes(b"\xff\xfe not UTF-8")
    done = run("import", "--kind", "cards", "cards")
    assert done.returncode == 0, done.stderr
    return tmp_path / "hubstats.duckdb"


def test_rows_in_every_format(run: Run, small: Path, tmp_path: Path) -> None:
    sql = "SELECT model_id, status, ['a', 'b'] AS list FROM model_card ORDER BY 1"
    expected = ["deep/two", "one", "three"]
    assert [row["model_id"] for row in json.loads(run("sql", sql, "-f", "json").stdout)] == expected
    table = list(csv.DictReader(io.StringIO(run("sql", sql, "-f", "csv").stdout)))
    assert [row["model_id"] for row in table] == expected
    assert json.loads(table[0]["list"]) == ["a", "b"]
    assert run("sql", sql, "-f", "parquet", "--out", "rows.parquet").returncode == 0
    assert polars.read_parquet(tmp_path / "rows.parquet")["model_id"].to_list() == expected
    assert run("sql", sql, "--out", "rows.csv").returncode == 0
    assert (tmp_path / "rows.csv").read_text().startswith("model_id,status,list")
    shown = run("sql", "SELECT text FROM model_card WHERE model_id = 'deep/two'").stdout
    assert "[bold]markup[/bold] <script>" in shown
    assert_one_line(run("sql", sql, "--out", "none/rows.csv"), 1, "cannot write")
    assert_one_line(run("sql", sql, "--out", "rows.xyz"), 2, "csv, json or parquet")


def test_every_listing_command_prints_json(run: Run, small: Path) -> None:
    for words in (["status"], ["sources"], ["techniques"], ["query", "--list"], ["techniques", "lora"]):
        done = run(*words, "--format", "json")
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)) >= 1, words


def test_status_counts_what_is_there(run: Run, small: Path) -> None:
    rows = json.loads(run("status", "--format", "json").stdout)
    counted = {(row["source"], row["item"], row["status"]): row["items"] for row in rows}
    assert counted["cards", "model cards", "ok"] == 3
    assert sum(items for (_, item, _), items in counted.items() if item == "verdicts") == 3


def test_sql_is_read_only_and_confined(run: Run, small: Path, tmp_path: Path) -> None:
    before = small.read_bytes()
    for sql in ("DELETE FROM model_card", "COPY model_card TO 'x.csv'", "SELECT * FROM read_text('/etc/hostname')"):
        done = run("sql", sql)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert small.read_bytes() == before
    assert not (tmp_path / "x.csv").exists()


def test_unknown_questions_and_parameters_name_what_there_is(run: Run, small: Path) -> None:
    assert_one_line(run("query", "technique_shore"), 2, "technique_share")
    assert_one_line(run("query", "technique_share", "-p", "nonsense=1"), 2, "nonsense")
    assert_one_line(run("query", "technique_share", "-p", "nonsense"), 2, "nonsense")


def test_a_second_writer_is_refused_with_the_process_named(small: Path, run: Run) -> None:
    from hubstats.pipeline import Silent, Writer

    with Writer(small, Silent()):
        assert_one_line(run("crawl", "snapshot"), 1, "is writing", str(os.getpid()))
        assert run("query", "--list").returncode == 0
        assert run("status").returncode == 0, "a reader is not locked out between the writer's transactions"


def test_no_exit_noise(run: Run, small: Path) -> None:
    done = run("sql", "SELECT * FROM model_card", "-f", "csv")
    assert done.stderr == ""


def test_importing_twice_changes_nothing(run: Run, small: Path) -> None:
    counts = (
        "SELECT (SELECT count(*) FROM model_card), (SELECT count(*) FROM verdict), (SELECT count(*) FROM detection)"
    )
    before = run("sql", counts, "-f", "csv").stdout
    assert run("import", "--kind", "cards", "cards").returncode == 0
    assert run("sql", counts, "-f", "csv").stdout == before


def test_importing_what_is_not_there(run: Run, tmp_path: Path) -> None:
    for kind in ("cards", "configs", "code", "dump", "published"):
        done = run("import", "--kind", kind, "absent", "-f", "json")
        assert done.returncode == 1, kind
        [report] = json.loads(done.stdout)
        assert report["state"] in ("skipped", "failed")
        assert "absent" in report["message"], kind
        assert "Traceback" not in done.stderr


def test_a_bug_is_told_without_the_tokens_that_its_exception_quotes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "of-a-shape-nobody-knows")

    def broken() -> None:
        raise ValueError("Authorization: Bearer hf_abcdefghijkl, or of-a-shape-nobody-knows")

    monkeypatch.setattr(cli, "app", broken)
    monkeypatch.setattr(cli.signal, "signal", lambda *words: None)  # this process goes on after it
    for debug in ("", "1"):
        monkeypatch.setenv("HUBSTATS_DEBUG", debug)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 1
        said = capsys.readouterr().err
        assert "Authorization: Bearer ***" in said
        assert ("Traceback" in said) is bool(debug)
        assert not [secret for secret in ("hf_abc", "nobody-knows") if secret in said]


def test_an_interrupt_while_python_ends_says_nothing() -> None:
    """All was done: what the libraries registered to be called at the end is not disturbed."""
    program = (
        "import atexit, os, signal, sys\n"
        "atexit.register(lambda: [os.kill(os.getpid(), one) for one in (signal.SIGTERM, signal.SIGINT)])\n"
        "from hubstats.cli import main\n"
        "sys.argv = ['hubstats', '--version']\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
