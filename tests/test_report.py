"""The page as text: what it says in every state of the file, and that nothing from outside is markup."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hubstats import charts, queries, records
from hubstats.ask import Answers, connect
from hubstats.estimate import performance
from hubstats.report import Page, build
from hubstats.report.page import data_block, template_folder
from hubstats.report.panel import Evidence
from hubstats.report.wording import percent, points, span
from hubstats.store import Store, read_input
from hubstats.techniques import Registry

DAY = datetime(2026, 9, 10, tzinfo=UTC)
BEFORE, AFTER = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 7, 14, tzinfo=UTC)
HOSTILE = (
    "<script>document.title='owned'</script>",
    "</script><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "\"quoted\" and 'quoted' & <!-- open",
    "right\u202eto left",
    "long " * 2048,
)


def technique(
    key: str, name: str | None = None, family: str = "low-rank", kind: str = "method"
) -> records.TechniqueRow:
    return records.TechniqueRow(
        key,
        name or key.upper(),
        family,
        kind,
        None,
        "peft",
        key.upper(),
        f"{key.title()}Config",
        "0.6",
        "2106.09685",
        2021,
        None,
    )


def estimate(technique: str, count: float, total: int, *, source: str = "snapshot", rule: str = "imports_repositories",
             measure: str = "repositories", outer: tuple[float, float] | None = None) -> records.Estimate:  # fmt: skip
    share = count / total
    low, high = max(0.0, share - 0.03), min(1.0, share + 0.03)
    outer_low, outer_high = outer or (low, high)
    return records.Estimate(
        f"{source}/{measure}/{rule}/{technique}", source, measure, rule, technique, count, total, share, low, high,
        outer_low, outer_high, total, total, 1.0, "test", "1", DAY,
    )  # fmt: skip


def run(technique: str, accuracy: float, memory: float, when: datetime = AFTER, *, current: bool = True,
        origin: str = "peft-method-comparison", experiment: str | None = None) -> list[records.Record]:  # fmt: skip
    name = experiment or f"{technique}/default"
    run_id = f"{origin}/{name}/{when.date()}"
    made = records.BenchRun(
        run_id, origin, "MetaMathQA", name, technique, None, technique.upper(), "success", model_id="m",
        created_at=when, seed=0, is_current=current, peft_version="0.19" if current else "0.18",
        learning_rate=1e-4, rank=32,
    )  # fmt: skip
    values = (
        ("test_accuracy", accuracy, "share", "higher"),
        ("peak_memory", memory, "bytes", "lower"),
        ("train_time", 900.0, "seconds", "lower"),
    )
    return [made, *(records.BenchMetric(run_id, *value) for value in values)]  # type: ignore[arg-type]


def published(
    measure: str, technique: str, count: int | None, total: int | None, share: float
) -> records.PublishedFigure:
    return records.PublishedFigure(
        f"hf-beyond-lora/{measure}/{technique}", "hf-beyond-lora", measure, technique, count, total, share,
        "2026-06-18", "https://example.org", "as printed",
    )  # fmt: skip


TECHNIQUES = [
    technique("lora", "LoRA"),
    technique("oft", "OFT", "orthogonal"),
    technique("miss", "MiSS"),
    technique("vera", "VeRA", "shared-vector"),
    technique("full_finetuning", "Full fine-tuning", "other", "baseline"),
]
SHARES = [estimate("lora", 75, 100), estimate("oft", 20, 100), estimate("vera", 5, 100),
          estimate("lora", 120, 200, rule="imports_files", measure="files"),
          estimate("oft", 70, 200, rule="imports_files", measure="files")]  # fmt: skip
FIGURES = [
    published("cards_exactly_one", "lora", 20509, 20834, 0.984),
    published("github_import", "lora", None, None, 0.713),
]
RUNS = [
    *run("lora", 0.481, 22e9, BEFORE, current=False),
    *run("lora", 0.474, 22e9),
    *run("oft", 0.495, 23e9, BEFORE, current=False),
    *run("oft", 0.490, 22.5e9),
    *run("miss", 0.487, 20e9),
    *run("vera", 0.353, 21e9),
    *run("full_finetuning", 0.472, 39e9),
]


def write(path: Path, *groups: Sequence[records.Record], crawl: str = "snapshot") -> Path:
    tables: dict[str, list[records.Record]] = {}
    for record in (record for group in groups for record in group):
        tables.setdefault(record.TABLE, []).append(record)
    with Store.open(path, write=True) as store, store.transaction():
        for table, rows in tables.items():
            store.replace(table, rows)
        if groups:
            store.execute(
                "INSERT INTO crawl VALUES"
                " (1, $name, $name, 'here', 'done', '2026-11-01', '2026-11-01', '{}', '{}', NULL, '0')",
                {"name": crawl},
            )
        judge(store, given=set(tables))
    return path


def judge(store: Store, given: Collection[str] = ()) -> None:
    """Fills what the estimate stage makes of the runs, but not the tables that are given."""
    made = list(performance.estimate({"bench_runs": store.frame(read_input("bench_runs"))}, Registry([])))
    for table in performance.TABLES:
        if table is not records.NotEstimated and table.TABLE not in given:
            store.replace(table.TABLE, [record for record in made if isinstance(record, table)])


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("report") / "full.duckdb", TECHNIQUES, SHARES, FIGURES, RUNS)


@pytest.fixture
def answers(db: Path) -> Iterator[Answers]:
    with connect(db) as opened:
        yield opened


def page_data(html: str) -> dict[str, Any]:
    block = re.search(r'<script type="application/json" id="hubstats-data">(.*?)</script>', html, re.DOTALL)
    assert block
    data: dict[str, Any] = json.loads(block[1])
    return data


def build_from(tmp_path: Path, *groups: Sequence[records.Record], crawl: str = "snapshot") -> Page:
    with connect(write(tmp_path / "x.duckdb", *groups, crawl=crawl)) as opened:
        return build(opened, "x.duckdb")


def cells(data: dict[str, Any], panel: str, view: int = 0) -> dict[str, dict[str, Any]]:
    """Rows of a panel's table by their first cell, values by column name."""
    table = data["panels"][panel]["views"][view]["table"]
    names = [column["name"] for column in table["columns"]]
    value = lambda cell: cell["value"] if isinstance(cell, dict) else cell  # noqa: E731
    return {str(value(row[0])): dict(zip(names, map(value, row), strict=True)) for row in table["rows"]}


# --- values --------------------------------------------------------------------------------------------------------


def test_main_chart_shows_what_the_query_answers(answers: Answers) -> None:
    rows = cells(page_data(build(answers, "x").html), "popularity")
    asked = answers.query("popularity_vs_performance").to_dicts()
    expected = {
        row["name"]: row
        for row in asked
        if (row["source"], row["rule"], row["task"]) == ("snapshot", "imports_repositories", "MetaMathQA")
    }
    assert set(expected) == {"LoRA", "OFT", "VeRA"}
    for name, row in expected.items():
        assert rows[name]["share"] == row["popularity"]
        assert rows[name]["score"] == row["accuracy"]
        assert rows[name]["memory"] == row["memory"]
        assert rows[name]["difference"] == pytest.approx(row["accuracy"] - 0.474)
    assert rows["MiSS"]["share"] == 0, "a method looked for everywhere and met nowhere"
    assert "Full fine-tuning" not in rows, "no import can show it, so nothing is known"


def test_frontier_is_the_query_s(answers: Answers) -> None:
    rows = cells(page_data(build(answers, "x").html), "frontier")
    on = {row["experiment"] for row in answers.query("published_frontier").to_dicts() if row["on_frontier"]}
    assert (
        {row["experiment"] for row in rows.values() if row["on_frontier"] == "yes"}
        == on
        == {"miss/default", "oft/default"}
    )


def test_margin_comes_from_repeated_runs(answers: Answers) -> None:
    standing = Evidence(answers).published()
    assert standing is not None
    assert standing.noise is not None
    # Pooled over LoRA's and OFT's two runs each, one degree of freedom apiece.
    deviation = ((0.007**2 / 2 + 0.005**2 / 2) / 2) ** 0.5
    assert standing.noise.deviation == pytest.approx(deviation)
    assert (standing.noise.degrees, standing.noise.runs) == (2, 4)
    assert standing.noise.half_width == pytest.approx(4.302653 * deviation, rel=1e-5)
    places = {result.key: result.place for result in standing.results}
    assert places == {"oft": "tied", "miss": "tied", "lora": "tied", "full_finetuning": "tied", "vera": "behind"}


def test_without_repeats_nobody_is_ahead_or_behind(tmp_path: Path) -> None:
    page = build_from(tmp_path, TECHNIQUES, SHARES, [record for record in RUNS if "2026-01" not in record.run_id])  # type: ignore[attr-defined]
    assert "cannot be judged" in page.findings[1].text
    assert "nobody can tell" in page.headline
    assert all(row["margin"] is None for row in cells(page_data(page.html), "popularity").values())


def test_findings_say_interval_source_and_date(answers: Answers) -> None:
    popular, good, changed = build(answers, "my.duckdb").findings
    assert "75% of code repositories" in popular.text
    assert "95% interval 72\N{EN DASH}78%" in popular.text
    assert "98.4%" in popular.text
    assert "purposive sample" in popular.source
    assert "2026-09-10" in popular.source
    assert "n = 100" in popular.source
    assert "47.4%" in good.text
    assert "Nobody is ahead" in good.text
    assert "2 are level" in good.text, "full fine-tuning is no technique"
    assert "MiSS 20.0\N{NO-BREAK SPACE}GB against 22.0\N{NO-BREAK SPACE}GB" in good.text
    assert "Of 2 published results" in changed.text
    assert "2 fell" in changed.text
    assert "\N{MINUS SIGN}0.6 points" in changed.text
    assert all("my.duckdb" in finding.source for finding in (popular, good, changed))


def test_an_ahead_technique_is_named(tmp_path: Path) -> None:
    page = build_from(tmp_path, TECHNIQUES, SHARES, [*RUNS, *run("miss", 0.60, 20e9, experiment="miss/better")])
    assert "1 of 3 others does better" in page.headline
    assert "MiSS does better by more than that" in page.findings[1].text


def test_own_runs_are_never_mixed_with_published_ones(tmp_path: Path) -> None:
    own = [*run("lora", 0.30, 5e9, origin="own"), *run("oft", 0.20, 5e9, origin="own")]
    page = build_from(tmp_path, TECHNIQUES, SHARES, RUNS, own)
    data = page_data(page.html)
    view = data["panels"]["popularity"]["views"][0]
    assert [row[1] for row in view["table"]["rows"]].count("our own") == 2
    assert {mark.get("own", False) for mark in view["plane"]["marks"]} == {True, False}
    assert [frontier["picks"][0] for frontier in data["panels"]["frontier"]["views"]] == [
        "MetaMathQA, published",
        "MetaMathQA, our own",
    ]
    assert "47.4%" in page.findings[1].text, "the published reference, not ours"
    assert "no runs of our own" not in page.html


def test_outer_interval_is_shown_where_it_is_wider(tmp_path: Path) -> None:
    shares = [estimate("lora", 90, 100, source="hub", rule="evidence", outer=(0.6, 0.99))]
    page = build_from(tmp_path, TECHNIQUES, shares, RUNS, crawl="live")
    assert "60\N{EN DASH}99% allowing for all that could not be read" in page.findings[0].text
    assert "on the Hub" in page.headline
    assert "purposive" not in page.findings[0].source


def test_history_starts_at_what_stood_when_the_publication_appeared(tmp_path: Path) -> None:
    between = run("lora", 0.600, 22e9, datetime(2026, 7, 1, tzinfo=UTC), current=False)
    page = build_from(tmp_path, TECHNIQUES, SHARES, FIGURES, RUNS, between)
    rows = cells(page_data(page.html), "history")
    assert (rows["lora/default"]["then"], rows["lora/default"]["now"]) == (0.481, 0.474)
    assert "miss/default" not in rows, "run once only"


def test_a_technique_run_only_as_a_variant_stands_under_its_base(tmp_path: Path) -> None:
    from dataclasses import replace

    variant = replace(technique("oftv2", "OFTv2", "orthogonal", "variant"), parent="oft")
    runs = [
        replace(record, variant="oftv2")
        if isinstance(record, records.BenchRun) and record.technique == "oft"
        else record
        for record in RUNS
    ]
    rows = cells(page_data(build_from(tmp_path, [*TECHNIQUES, variant], SHARES, runs).html), "popularity")
    assert rows["OFT (as OFTv2)"]["share"] == 0.20
    assert rows["OFT (as OFTv2)"]["score"] == 0.490


def test_small_counts_are_not_quoted_against_others(tmp_path: Path) -> None:
    small = estimate("lora", 43, 43, rule="evidence", measure="configs")
    page = build_from(tmp_path, TECHNIQUES, [*SHARES, small], FIGURES, RUNS)
    assert "100%" not in page.findings[0].text
    assert "60%" in page.findings[0].text


def test_chance_of_being_on_the_frontier_is_the_query_s(answers: Answers) -> None:
    rows = cells(page_data(build(answers, "x").html), "frontier")
    asked = {row["experiment"]: row["probability"] for row in answers.query("published_frontier").to_dicts()}
    assert {row["experiment"]: row["chance"] for row in rows.values()} == asked
    assert asked["miss/default"] == 1.0, "nobody needs less memory"


def test_ten_thousand_runs_keep_the_page_small(tmp_path: Path) -> None:
    path = write(tmp_path / "x.duckdb", TECHNIQUES, SHARES, FIGURES, RUNS, run("lora", 0.3, 2e10, origin="own"))
    with Store.open(path, write=True) as store:
        store.execute(
            "INSERT INTO bench_run (run_id, origin, task, experiment, technique, status, created_at, is_current,"
            " model_id) SELECT 'many' || i, 'own', 'MetaMathQA', 'vera/' || i, 'vera', 'success', '2026-07-14',"
            " true, 'm'"
            " FROM range(10000) AS many (i)"
        )
        for name, value in (("test_accuracy", "0.2 + i * 1e-6"), ("peak_memory", "3e10")):
            store.execute(
                f"INSERT INTO bench_metric SELECT 'many' || i, '{name}', {value}, 'unit', 'higher'"
                " FROM range(10000) AS many (i)"
            )
        judge(store)
    with connect(path) as opened:
        page = build(opened, path.name)
    view = page_data(page.html)["panels"]["frontier"]["views"][1]
    assert "n = 10,001 runs, the 400 best kept" in view["source"]["line"]
    assert [row[4] for row in view["table"]["rows"]].count("yes") == 1
    assert len(page.html) < 6_000_000


def test_many_benchmarks_and_techniques_keep_the_page_small(tmp_path: Path) -> None:
    keys = [f"method{number}" for number in range(60)]
    crowd = [technique(key, f"A rather long name of {key}") for key in keys]
    rules = [
        ("hub", "evidence", "repositories"),
        ("hub", "blog", "repositories"),
        ("dump", "evidence", "repositories"),
        ("hub", "evidence", "authors"),
        ("hub", "evidence", "downloads"),
        ("github", "imports_files", "files"),
        ("github", "imports_repositories", "repositories"),
        ("civitai", "site_type", "checkpoints"),
        ("configs", "evidence", "configs"),
        ("cards", "blog", "repositories"),
        ("code", "imports_files", "files"),
    ]
    shares = [
        estimate(key, 1 + number % 7, 1000, source=source, rule=rule, measure=measure)
        for source, rule, measure in rules
        for number, key in enumerate(["lora", *keys])
    ]
    path = write(tmp_path / "x.duckdb", TECHNIQUES, crowd, shares, FIGURES, RUNS)
    with Store.open(path, write=True) as store:
        store.execute(
            "INSERT INTO bench_run (run_id, origin, task, experiment, technique, status, created_at, is_current,"
            " model_id) SELECT concat_ws('/', t, key), 'own', 'task' || t, key || '/default', key, 'success',"
            " '2026-07-14', true, 'm' FROM range(40) AS tasks (t), technique WHERE kind = 'method'"
        )
        for name, value in (("test_accuracy", "0.4"), ("peak_memory", "3e10"), ("train_time", "900")):
            store.execute(
                f"INSERT INTO bench_metric SELECT run_id, '{name}', {value} * (1 + hash(run_id) % 100 / 500), 'unit',"
                " 'higher' FROM bench_run WHERE origin = 'own'"
            )
        judge(store)
    with connect(path) as opened:
        page = build(opened, path.name)
    assert len(page.html.encode()) < 8_000_000
    said = {gap.text for panel in page.panels for gap in panel.missing}
    assert any("further benchmarks of this file are not on the page" in text for text in said)
    advice = page.data["panels"]["recommend"]
    assert "29 further benchmarks by hubstats recommend only" in advice["views"][0]["source"]["line"]


def test_the_embedded_snapshot_makes_the_page(tmp_path: Path) -> None:
    from hubstats import pipeline

    path = tmp_path / "snapshot.duckdb"
    pipeline.crawl(path, ["snapshot"], records.SourceOptions(), pipeline.Silent())
    with connect(path) as opened:
        page = build(opened, path.name)
        lora = opened.sql(
            "SELECT share, subjects FROM estimate WHERE estimate_id = 'snapshot/repositories/imports_repositories/lora'"
        ).row(0)
    assert f"{lora[0]:.0%} of code repositories" in page.findings[0].text
    assert f"n = {lora[1]}" in page.findings[0].source
    assert "undated" not in "".join(finding.source for finding in page.findings)
    assert "in a hand-picked snapshot" in page.headline
    assert {panel.key for panel in page.panels if not panel.views} <= {"recall", "trend"}


# --- every state of the file -----------------------------------------------------------------------------------------


STATES: dict[str, tuple[Sequence[records.Record], ...]] = {
    "empty": (),
    "registry only": (TECHNIQUES,),
    "popularity only": (TECHNIQUES, SHARES),
    "published figures only": (TECHNIQUES, FIGURES),
    "runs only": (TECHNIQUES, RUNS),
    "runs without LoRA": (TECHNIQUES, run("oft", 0.49, 2e10)),
    "own runs only": (TECHNIQUES, run("lora", 0.3, 2e9, origin="own")),
    "no technique table": (SHARES, RUNS),
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_the_file_makes_a_whole_page(tmp_path: Path, state: str) -> None:
    page = build_from(tmp_path, *STATES[state])
    data = page_data(page.html)
    assert page.html.rstrip().endswith("</html>")
    assert len(page.findings) == 3
    assert all(finding.text and finding.source for finding in page.findings)
    for panel in page.panels:
        assert panel.views or panel.missing, panel.key
        assert f'id="{panel.key}"' in page.html
    for key, panel in data["panels"].items():
        for view in panel["views"]:
            line = view["source"]["line"]
            assert line.startswith("simulation, " if key == "simulation" else "query "), line
            asked = [part.split() for part in view["source"]["query"].split(",") if part.strip()]
            assert asked or key == "simulation"
            for name, *parameters in asked:
                queries.get(name).bind({one.split("=")[0]: one.split("=")[1] for one in parameters})


def test_an_empty_file_says_what_to_run(tmp_path: Path) -> None:
    page = build_from(tmp_path)
    assert "hubstats crawl" in page.headline
    commands = {gap.command for panel in page.panels for gap in panel.missing}
    assert {"hubstats crawl", "hubstats crawl hub", "hubstats crawl snapshot", "hubstats crawl github"} <= commands


def test_the_commands_it_names_exist() -> None:
    from typer.main import get_command

    from hubstats.cli import app

    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    texts = [path.read_text(encoding="utf-8") for path in (Path(build.__code__.co_filename).parent).glob("*.py")]
    named = {match for text in texts for match in re.findall(r'"hubstats ([a-z]+)', text)}
    assert named
    assert named <= commands


def test_same_file_same_page(db: Path) -> None:
    # Processes of their own: each orders its sets otherwise.
    code = "import sys; from hubstats.ask import connect; from hubstats.report import build;"
    code += "print(hash('x')); print(build(connect(sys.argv[1]), 'x').html)"
    made = [
        subprocess.run(
            [sys.executable, "-c", code, str(db)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split("\n", 1)
        for seed in ("1", "2")
    ]
    assert made[0][0] != made[1][0]
    assert made[0][1] == made[1][1]


# --- self-contained and safe ----------------------------------------------------------------------------------------


def test_page_is_self_contained_and_below_eight_megabytes(answers: Answers) -> None:
    html = build(answers, "x").html
    assert len(html.encode()) < 8_000_000
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", html.split("<script")[0]) == []
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    assert " style=" not in html.split("<script")[0]


def test_scripts_are_those_the_policy_names(answers: Answers) -> None:
    import base64
    import gzip
    import hashlib

    html = build(answers, "x").html
    policy = re.search(r"script-src ([^;]+);", html)
    assert policy
    [script] = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    [packed] = re.findall(r'<script type="text/plain" id="plotly">(.*?)</script>', html, re.DOTALL)
    library = gzip.decompress(base64.b64decode(packed, validate=True)).decode()
    assert library == charts.library()
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in (script, library)
    ]
    assert policy[1].split() == hashes


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_text(tmp_path: Path, text: str) -> None:
    techniques = [*TECHNIQUES[:1], technique("oft", text, text), technique("miss", text, "low-rank", text)]
    shares = [estimate("lora", 75, 100), estimate("oft", 20, 100), estimate(text, 5, 100)]
    page = build_from(tmp_path, techniques, shares, RUNS, run("vera", 0.4, 2e10, experiment=text))
    markup = re.sub(r"<script>.*?</script>", "", page.html, flags=re.DOTALL)
    assert markup.count("<script") == markup.count("</script>") == 2, "the data block and Plotly, packed"
    assert "onerror=alert(1)>" not in markup
    assert "\u202e" not in page.html
    assert "<!-- open" not in markup
    assert len(page.html) < 8_000_000
    page_data(page.html)


def test_source_name_is_escaped(answers: Answers) -> None:
    html = build(answers, "<b>x</b>.duckdb").html
    assert "from &lt;b&gt;x&lt;/b&gt;.duckdb" in html


@pytest.mark.parametrize("text", ["</script>", "<!--", "\u2028", "]]>", "&lt;"])
def test_data_block_cannot_end_its_element(text: str) -> None:
    block = data_block({"name": text})
    assert not set("<>&\u2028") & set(block)
    assert json.loads(block) == {"name": text}


def test_template_is_found() -> None:
    folder = template_folder()
    assert {"page.html.j2", "prose.toml"} <= {path.name for path in folder.iterdir()}
    assert list(folder.glob("js/*.js"))
    assert list(folder.glob("css/*.css"))


def test_words_of_the_page_are_legible_on_their_ground() -> None:
    css = "".join(path.read_text(encoding="utf-8") for path in (template_folder() / "css").glob("*.css"))
    blocks = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", block)) for block in re.findall(r"\{([^{}]*--ink:[^{}]*)\}", css)
    ]
    assert len(blocks) == 4, "light, dark by the system's wish, dark by the reader's, print"
    for colours in blocks:
        for word in ("ink", "soft", "link", "warn"):
            for ground in ("paper", "band"):
                assert contrast(colours[word], colours[ground]) >= 4.5, (word, ground, colours)


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


# --- digits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "low", "high", "expected"),
    [
        (0.9844, 0.9826, 0.9860, "98.4%"),
        (0.7518, 0.6983, 0.7986, "75%"),
        (0.0035, 0.0006, 0.0200, "0.4%"),
        (0.0004, 0.0001, 0.0030, "0.04%"),
        (0.984, None, None, "98.4%"),
        (0.0, 0.0, 0.013, "0%"),
        (1.0, 0.96, 1.0, "100%"),
        (0.9999, 0.95, 1.0, "over 99%"),
    ],
)
def test_shares_have_no_more_digits_than_their_interval_knows(
    share: float, low: float | None, high: float | None, expected: str
) -> None:
    assert percent(share, low, high) == expected


def test_differences_have_a_sign_and_one_digit() -> None:
    assert [points(value) for value in (0.0123, -0.0123, 0.0001)] == [
        "+1.2",
        "\N{MINUS SIGN}1.2",
        "\N{PLUS-MINUS SIGN}0.0",
    ]


def test_span_of_an_interval() -> None:
    assert span(0.698, 0.799) == "70\N{EN DASH}80%"
