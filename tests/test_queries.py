"""Query files: how they are read, and what each answers on the fixed rows of tests/expected/rows.sql.

`python -m tests.test_queries` writes the expected results anew; read the difference before you keep it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars
import pytest

from hubstats.errors import QueryError
from hubstats.estimate import INPUTS, add_intervals, estimate_all
from hubstats.queries import Query, find, get, parse
from hubstats.store import DERIVED, migrations, read_input
from hubstats.techniques import Registry, Technique

EXPECTED = Path(__file__).parent / "expected"
QUERIES = find()
NAMED = [pytest.param(query, id=query.name) for query in QUERIES]


def connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for _, sql in migrations():
        connection.execute(sql)
    return connection


def registry() -> Registry:
    return Registry(
        [
            Technique("lora", "LoRA", "low-rank", "method", library="peft", peft_type="LORA", site_types=("LORA",)),
            Technique("adalora", "AdaLoRA", "low-rank", "method", library="peft", peft_type="ADALORA"),
            Technique("ia3", "(IA)3", "scaling", "method", library="peft", peft_type="IA3"),
            Technique("loha", "LoHa", "low-rank", "method", library="peft", peft_type="LOHA"),
            Technique("oft", "OFT", "orthogonal", "method", library="peft", peft_type="OFT"),
            Technique("dora", "DoRA", "low-rank", "variant", "lora", "peft", "LORA", site_types=("DoRA",)),
            Technique("qlora", "QLoRA", "low-rank", "recipe", "lora", "peft"),
            Technique("locon", "LoCon", "low-rank", "external", "lora", site_types=("LoCon",)),
            Technique("textual_inversion", "TI", "soft-prompt", "external", site_types=("TextualInversion",)),
        ]
    )


def fill(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute((EXPECTED / "rows.sql").read_text(encoding="utf-8"))
    derive(connection)


def derive(connection: duckdb.DuckDBPyConnection) -> None:
    """Every derived table, as the estimate stage fills it."""
    for table in DERIVED:
        connection.execute(f"INSERT INTO {table} BY NAME {read_input(f'{table}_rows')}")
    made = estimate_all({name: connection.sql(read_input(name)).pl() for name in INPUTS}, registry())
    for table, rows in made.items():
        columns = [row[0] for row in connection.execute(f"DESCRIBE {table.TABLE}").fetchall()]
        if rows:
            connection.executemany(
                f"INSERT INTO {table.TABLE} VALUES ({', '.join('?' for _ in columns)})",
                [[bindable(getattr(row, name)) for name in columns] for row in rows],
            )


def bindable(value: Any) -> Any:
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


def answer(connection: duckdb.DuckDBPyConnection, query: Query, **given: Any) -> str:
    """The query's result with its intervals as CSV, floats to six digits."""
    frame = add_intervals(connection.sql(query.sql, params=query.bind(given) or None).pl(), query)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.iter_rows():
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in row])
    return text.getvalue()


@pytest.fixture(scope="module")
def filled() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        fill(connection)
        yield connection


@pytest.fixture(scope="module")
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


@pytest.mark.parametrize("query", NAMED)
def test_answers_as_expected(filled: duckdb.DuckDBPyConnection, query: Query) -> None:
    path = EXPECTED / query.section / f"{query.name}.csv"
    assert path.exists(), f"write {path} with 'python -m tests.test_queries' and check it by hand"
    assert answer(filled, query) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("query", NAMED)
def test_empty_file_gives_no_rows(empty: duckdb.DuckDBPyConnection, query: Query) -> None:
    assert answer(empty, query).count("\n") == 1


@pytest.mark.parametrize("query", NAMED)
def test_no_owner_leaves_a_query(filled: duckdb.DuckDBPyConnection, query: Query) -> None:
    owners = ["qann", "qbob", "qcat", "qdan", "qeve", "qfay", "qgus", "quna", "qurs", "qula", "qo1", "qo2"]
    assert not [owner for owner in owners if owner in answer(filled, query)]


@pytest.mark.parametrize("query", NAMED)
def test_header_names_columns_of_the_result(filled: duckdb.DuckDBPyConnection, query: Query) -> None:
    frame = add_intervals(connection_frame(filled, query), query)
    wanted = {name for name in (query.x, query.y, query.count, query.total) if name}
    assert wanted <= set(frame.columns)
    assert frame.height, "the fixed rows do not reach this query"


def connection_frame(connection: duckdb.DuckDBPyConnection, query: Query) -> Any:
    return connection.sql(query.sql, params=query.bind() or None).pl()


def test_queries_on_the_snapshot_alone() -> None:
    with connect() as connection:
        fill(connection)
        tables = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        for table in tables:
            columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
            if "source" in columns:
                connection.execute(f"DELETE FROM {table} WHERE source <> 'snapshot'")
        shares = answer(connection, get("technique_share"))
        assert "snapshot,configs,evidence,lora," in shares
        assert "hub" not in shares
        for query in QUERIES:
            answer(connection, query)


def test_parameters_reach_the_query(filled: duckdb.DuckDBPyConnection) -> None:
    shares = answer(
        filled, get("technique_share"), source="civitai", measure="checkpoints", rule="site_type"
    ).splitlines()[1:]
    assert [line.split(",")[:4] for line in shares] == [
        ["civitai", "checkpoints", "site_type", technique] for technique in ("lora", "dora", "locon")
    ]
    assert "hub,2025-07-01,lora,0.5," in answer(filled, get("share_by_month"), rule="blog")
    assert "hub,2025-07-01" not in answer(filled, get("share_by_month"), rule="overlay")
    own = answer(filled, get("published_frontier"), origin="own").splitlines()[1:]
    assert own == ["MetaMathQA,lora/x-rank32,0.1,10,True,lora,,,,0.0178762,0.40415,,,,"], "Wilson on 1 of 10"


def test_a_sum_that_exceeds_its_total_by_rounding_is_the_whole() -> None:
    query = read("-- title: a\n-- count: k\n-- total: n\nSELECT 1;")
    given = polars.DataFrame({"k": [25.231868364419853, None], "n": [25.231868364419846, 5.0]})
    assert add_intervals(given, query)["share"].to_list() == [1.0, None]
    with pytest.raises(QueryError, match="no share"):
        add_intervals(polars.DataFrame({"k": [1.001], "n": [1.0]}), query)


def test_base_models_are_those_of_enough_authors_and_the_largest(filled: duckdb.DuckDBPyConnection) -> None:
    def bases(**given: Any) -> list[str]:
        frame = filled.sql(get("share_by_base_model").sql, params=get("share_by_base_model").bind(given)).pl()
        return [
            base
            for source, base in frame.select("source", "base_model").unique(maintain_order=True).iter_rows()
            if source == "hub"
        ]

    assert bases() == ["meta/base"]
    assert bases(authors=1) == ["meta/base", "other/base"]
    assert bases(authors=1, top=1) == ["meta/base"]


def test_frontier_equals_a_search_over_pairs() -> None:
    import random

    dice = random.Random(7)
    runs = [(f"run{n}", dice.choice(("a", "b")), dice.randint(1, 9) / 10, float(dice.randint(1, 9))) for n in range(60)]
    with connect() as connection:
        for name, task, accuracy, memory in runs:
            connection.execute(
                "INSERT INTO bench_run (run_id, origin, task, experiment, status, is_current)"
                " VALUES ($n, 'peft-method-comparison', $t, $n, 'success', true)",
                {"n": name, "t": task},
            )
            for metric, value in (("test_accuracy", accuracy), ("peak_memory", memory)):
                connection.execute("INSERT INTO bench_metric VALUES (?, ?, ?, '', '')", [name, metric, value])
        derive(connection)
        frame = connection_frame(connection, get("published_frontier"))
    best = {
        name
        for name, task, accuracy, memory in runs
        if not any(t == task and a >= accuracy and m <= memory and (a, m) != (accuracy, memory) for _, t, a, m in runs)
    }
    assert set(frame.filter(frame["on_frontier"])["experiment"]) == best
    assert len(frame) == 60


# --- reading query files ------------------------------------------------------------------------------------------

GOOD = """-- title: What?
-- note: one
--     and two
-- param: technique VARCHAR = lora  which one
-- param: least BIGINT = 3
-- param: since DATE = NULL  first day
SELECT $technique AS t, $least AS n, $since AS d, '$odd -- ;' AS text;
"""


def read(text: str, name: str = "10_a.sql") -> Query:
    return parse(Path("section") / name, text)


def test_reads_a_file() -> None:
    query = read(GOOD)
    assert (query.name, query.section, query.order, query.title, query.note) == (
        "a",
        "section",
        10,
        "What?",
        "one and two",
    )
    assert [(p.name, p.type, p.default, p.meaning) for p in query.parameters] == [
        ("technique", "VARCHAR", "lora", "which one"),
        ("least", "BIGINT", 3, ""),
        ("since", "DATE", None, "first day"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SELECT 1;", "no '-- title:'"),
        ("-- title:\nSELECT 1;", "empty"),
        ("-- title: a\n-- colour: red\nSELECT 1;", "colour"),
        ("-- title: a\n-- just a remark\nSELECT 1;", "just a remark"),
        ("-- title: a\n-- title: b\nSELECT 1;", "twice"),
        ("-- title: a\n-- count: k\nSELECT 1 AS k;", "go together"),
        ("-- title: a\nSELECT 1", "semicolon"),
        ("-- title: a\nSELECT 1; SELECT 2;", "one statement"),
        ("-- title: a\n;", "no SQL"),
        ("-- title: a\nSELECT $x;", r"\$x"),
        ("-- title: a\n-- param: x VARCHAR = 1\nSELECT 1;", r"\$x"),
        ("-- title: a\n-- param: x TEXT = 1\nSELECT $x;", "form"),
        ("-- title: a\n-- param: x BIGINT = one\nSELECT $x;", "default of 'x'"),
        ("-- title: a\n-- param: x BIGINT = 1\n-- param: x BIGINT = 2\nSELECT $x;", "declared twice"),
    ],
)
def test_refuses_a_broken_file(text: str, why: str) -> None:
    with pytest.raises(QueryError, match=why) as raised:
        read(text)
    assert "10_a.sql" in str(raised.value)


def test_refuses_a_wrong_file_name() -> None:
    with pytest.raises(QueryError, match="NN_name"):
        read(GOOD, "a.sql")


def test_binds_parameters() -> None:
    query = read(GOOD)
    assert query.bind() == {"technique": "lora", "least": 3, "since": None}
    given = query.parse(["technique=a=b", "least = 7", "since=2026-01-31"])
    assert query.bind(given) == {"technique": "a=b", "least": 7, "since": date(2026, 1, 31)}
    assert query.bind({"least": "8", "since": None})["least"] == 8


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("least", "name=value"),
        ("leest=1", "did you mean least"),
        ("least=many", "'many' is no BIGINT.*takes technique VARCHAR = lora, least BIGINT = 3, since DATE = NULL"),
        ("since=31.1.2026", "no DATE"),
    ],
)
def test_refuses_wrong_parameters(text: str, why: str) -> None:
    with pytest.raises(QueryError, match=why):
        read(GOOD).parse([text])


def test_refuses_a_parameter_twice_and_one_too_many() -> None:
    with pytest.raises(QueryError, match="twice"):
        read(GOOD).parse(["least=1", "least=2"])
    with pytest.raises(QueryError, match="takes none"):
        read("-- title: a\nSELECT 1;").parse(["x=1"])


def test_unknown_query_offers_near_misses() -> None:
    with pytest.raises(QueryError, match="did you mean technique_share"):
        get("techniqe_share")


def test_names_are_unique_and_promised_ones_exist() -> None:
    names = [query.name for query in QUERIES]
    assert len(names) == len(set(names)) >= 18
    assert {"technique_share", "mention_recall", "published_frontier", "popularity_vs_performance"} <= set(names)


if __name__ == "__main__":
    with connect() as fixed:
        fill(fixed)
        for each in QUERIES:
            target = EXPECTED / each.section / f"{each.name}.csv"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(answer(fixed, each), encoding="utf-8")
