"""The main job, start to finish: the real command line over real HTTP against the stand-ins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars
import pytest

from hubstats.ask import connect
from hubstats.spool import pending

from .conftest import Run, clean_environment
from .servers.civitai import CivitaiServer, synthetic_civitai
from .servers.github import GitHubServer, synthetic_github
from .servers.hub import HubServer, Model, Quota, synthetic_hub


def rows(db: Path, sql: str) -> list[tuple[Any, ...]]:
    with connect(db) as answers:
        return answers.sql(sql).rows()


def one(db: Path, sql: str) -> Any:
    [[value]] = rows(db, sql)
    return value


def reports(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {row["source"]: row for row in json.loads(done.stdout)}


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "hubstats.duckdb"


def test_a_crawl_of_the_hub_sees_every_model_and_every_sampled_file(run: Run, db: Path) -> None:
    models = synthetic_hub(1500, seed=3)
    with HubServer(models) as hub:
        done = run("crawl", "hub", "--sample", "200", "-f", "json", HF_ENDPOINT=hub.url)
        assert done.returncode == 0, done.stderr
        listed = [entry for entry in hub.requests if entry.path == "/api/models"]
        fetched = [entry for entry in hub.requests if "/resolve/" in entry.path]
    assert one(db, "SELECT count(*) FROM hub_model") == 1500
    assert len(listed) == 2
    drawn = {row[0] for row in rows(db, "SELECT model_id FROM sample_frame")}
    assert len(drawn) == 200
    assert len(fetched) == len({entry.path for entry in fetched}), "no file is asked for twice"
    by_id = {model.id: model for model in models}
    cards = dict(rows(db, "SELECT model_id, status FROM model_card"))
    assert set(cards) == drawn
    for model_id, status in cards.items():
        model = by_id[model_id]
        if not model.gated and not model.disabled:
            assert status == ("ok" if "README.md" in model.files else "missing"), model_id
    states = {row[0] for row in rows(db, "SELECT DISTINCT state FROM verdict")}
    assert "used" in states
    assert one(db, "SELECT count(*) FROM verdict WHERE source = 'hub'") == len(drawn)
    configs = rows(db, "SELECT model_id, peft_type FROM adapter_config WHERE status = 'ok'")
    assert configs
    for model_id, peft_type in configs:
        assert json.loads(by_id[model_id].files["adapter_config.json"])["peft_type"] == peft_type
    judged = rows(
        db,
        "SELECT config.peft_type, verdict.technique FROM adapter_config AS config"
        " JOIN verdict ON verdict.subject_id = config.model_id WHERE config.status = 'ok' AND peft_type = 'LORA'",
    )
    assert judged
    assert {technique for _, technique in judged} == {"lora"}


def test_a_larger_sample_fetches_only_what_is_new_and_an_increment_only_what_changed(run: Run, db: Path) -> None:
    with HubServer(synthetic_hub(800, seed=5)) as hub:

        def crawl(sample: int) -> list[str]:
            hub.forget()
            done = run("crawl", "hub", "--sample", str(sample), HF_ENDPOINT=hub.url)
            assert done.returncode == 0, done.stderr
            return [entry.path for entry in hub.requests if "/resolve/" in entry.path]

        first = crawl(60)
        more = crawl(150)
        assert more
        assert not set(first) & set(more)
        assert crawl(150) == []
        changed = one(
            db,
            "SELECT model_id FROM model_card JOIN hub_model USING (source, model_id)"
            " WHERE status = 'ok' AND NOT coalesce(gated, false) ORDER BY model_id LIMIT 1",
        )
        hub.change(changed, files={"README.md": b"# now trained with IA3\n"})
        hub.add(synthetic_hub(40, seed=5, first=800))
        again = crawl(150)
        assert any(path.startswith(f"/{changed}/") for path in again)
        assert len(again) < 60
    assert one(db, "SELECT count(*) FROM hub_model") == 840
    assert one(db, f"SELECT text FROM model_card WHERE model_id = '{changed}'") == "# now trained with IA3\n"


def test_without_a_source_it_takes_what_it_can_reach_and_says_what_it_skipped(run: Run, db: Path) -> None:
    with HubServer(synthetic_hub(120, seed=1)) as hub, CivitaiServer(synthetic_civitai(150, seed=1)) as site:
        done = run("crawl", "--sample", "30", "-f", "json", HF_ENDPOINT=hub.url, HUBSTATS_CIVITAI_URL=site.url)
    assert done.returncode == 0, done.stderr
    told = reports(done)
    assert set(told) == {"snapshot", "hub", "github", "civitai"}
    assert told["hub"]["state"] == told["civitai"]["state"] == told["snapshot"]["state"] == "done"
    assert told["github"]["state"] == "skipped"
    assert "GITHUB_TOKEN" in told["github"]["message"]
    kinds = dict(rows(db, "SELECT source, kind FROM crawl"))
    assert kinds == {"snapshot": "snapshot", "hub": "live", "civitai": "live"}


def test_with_nothing_in_reach_the_snapshot_is_called_a_snapshot(run: Run, db: Path) -> None:
    done = run("crawl", "-f", "json")
    assert done.returncode == 0, done.stderr
    told = reports(done)
    assert {name: row["state"] for name, row in told.items()} == {
        "snapshot": "done",
        "hub": "skipped",
        "github": "skipped",
        "civitai": "skipped",
    }
    for name in ("hub", "civitai"):
        assert "127.0.0.1:9" in told[name]["message"]
    assert one(db, "SELECT count(*) FROM crawl WHERE kind = 'live' AND state = 'done'") == 0
    asked = run("crawl", "hub", "-f", "json")
    assert asked.returncode == 1
    assert reports(asked)["hub"]["state"] == "failed"
    assert "Traceback" not in asked.stderr


def test_github_and_image_site_end_to_end(run: Run, db: Path) -> None:
    files = synthetic_github(120, seed=2)
    with GitHubServer(files) as github, CivitaiServer(synthetic_civitai(230, seed=2)) as site:
        done = run(
            "crawl",
            "github",
            "civitai",
            "-f",
            "json",
            HUBSTATS_GITHUB_URL=github.url,
            GITHUB_TOKEN="ghp_good",
            HUBSTATS_CIVITAI_URL=site.url,
        )
    assert done.returncode == 0, done.stderr
    assert one(db, "SELECT count(*) FROM code_import WHERE source = 'github' AND technique = 'lora'") > 0
    assert one(db, "SELECT count(*) FROM code_file WHERE source = 'github'") > 0
    assert one(db, "SELECT count(*) FROM image_checkpoint") > 0
    assert "ghp_good" not in db.read_bytes().decode("latin-1")
    verdicts = dict(
        rows(
            db,
            "SELECT type, any_value(technique) FROM image_checkpoint JOIN verdict"
            " ON verdict.source = image_checkpoint.source AND subject_id = checkpoint_id GROUP BY type",
        )
    )
    assert verdicts["LORA"] == "lora"


def test_a_bad_token_is_said_and_the_other_sources_go_on(run: Run, db: Path) -> None:
    with GitHubServer(synthetic_github(10, seed=1)) as github, CivitaiServer(synthetic_civitai(20, seed=1)) as site:
        done = run(
            "crawl",
            "github",
            "civitai",
            "-f",
            "json",
            HUBSTATS_GITHUB_URL=github.url,
            GITHUB_TOKEN="ghp_wrong",
            HUBSTATS_CIVITAI_URL=site.url,
        )
    told = reports(done)
    assert done.returncode == 1
    assert told["github"]["state"] == "failed"
    assert "GITHUB_TOKEN" in told["github"]["message"]
    assert told["civitai"]["state"] == "done"
    assert "ghp_wrong" not in done.stdout + done.stderr


def start(tmp_path: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hubstats", *words],
        cwd=tmp_path,
        env=clean_environment(tmp_path, environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_crawl_resumes_where_it_was(run: Run, db: Path, tmp_path: Path, how: signal.Signals) -> None:
    with HubServer(synthetic_hub(600, seed=7), latency=0.02, page_cap=100) as hub:
        crawling = start(tmp_path, "crawl", "hub", "--sample", "300", "--workers", "2", HF_ENDPOINT=hub.url)
        wait_until(lambda: sum("/resolve/" in entry.path for entry in list(hub.requests)) > 120)
        crawling.send_signal(how)
        _, said = crawling.communicate(timeout=60)
        assert crawling.returncode == (-how if how is signal.SIGKILL else 1), said
        assert "Traceback" not in said
        told = run("status")
        assert told.returncode == 0
        assert ("a crawl was stopped" in told.stderr) == (how is signal.SIGKILL), told.stderr
        assert "estimates are older than what was read from hub: 'hubstats estimate'" in told.stderr
        asked = [entry.path for entry in hub.requests if "/resolve/" in entry.path]
        hub.forget()
        hub.latency = 0
        done = run("crawl", "hub", "--sample", "300", HF_ENDPOINT=hub.url)
        assert done.returncode == 0, done.stderr
        again = [entry.path for entry in hub.requests if "/resolve/" in entry.path]
    # A commit is due every half second and workers hold a few dozen more: what was asked for before it stays.
    assert len(set(asked) & set(again)) <= (100 if how is signal.SIGKILL else 10)
    assert rows(db, "SELECT state FROM crawl ORDER BY crawl_id") == [("interrupted",), ("done",)]
    assert one(db, "SELECT count(*) FROM hub_model") == 600
    assert one(db, "SELECT count(*) FROM model_card") == one(db, "SELECT count(*) FROM sample_frame")
    assert one(db, "SELECT count(*) FROM model_card WHERE status = 'failed'") == 0
    assert pending(tmp_path / "hubstats.duckdb.spool") == {}
    assert "older" not in run("status").stderr


def test_readers_get_in_while_a_crawl_runs(run: Run, db: Path, tmp_path: Path) -> None:
    with HubServer(synthetic_hub(900, seed=9), latency=0.01, page_cap=100) as hub:
        crawling = start(tmp_path, "crawl", "hub", "--sample", "600", "--workers", "2", HF_ENDPOINT=hub.url)
        wait_until(lambda: db.exists() and len(hub.requests) > 20)
        assert "a crawl is running" in run("status").stderr
        answered = 0
        while crawling.poll() is None:
            with connect(db) as answers:
                assert isinstance(answers.sql("SELECT count(*) FROM hub_model"), polars.DataFrame)
            answered += 1
            time.sleep(0.1)
        crawling.communicate(timeout=60)
    assert crawling.returncode == 0
    assert answered >= 5


def test_a_reader_that_stays_does_not_stop_the_crawl(run: Run, db: Path, tmp_path: Path) -> None:
    with HubServer(synthetic_hub(100, seed=9)) as hub:
        assert run("crawl", "hub", "--sample", "20", HF_ENDPOINT=hub.url).returncode == 0
        hub.add(synthetic_hub(2000, seed=9, first=100))
        hub.latency = 0.05
        holder = connect(db)
        crawling = start(tmp_path, "crawl", "hub", "--sample", "40", HF_ENDPOINT=hub.url)
        holder.close()
        wait_until(lambda: len(hub.requests) > 3)
        holder = connect(db)
        time.sleep(1.5)
        assert crawling.poll() is None
        holder.close()
        _, said = crawling.communicate(timeout=90)
    assert crawling.returncode == 0, said
    assert one(db, "SELECT count(*) FROM hub_model") == 2100


def test_quota_is_kept_and_used(run: Run, db: Path) -> None:
    quota = {"api": Quota(20, 1.0), "resolvers": Quota(60, 1.0)}
    with HubServer(synthetic_hub(300, seed=11), quota=quota) as hub:
        done = run("crawl", "hub", "--sample", "150", HF_ENDPOINT=hub.url)
        assert done.returncode == 0, done.stderr
        assert hub.sent_429 == 0
    assert one(db, "SELECT count(*) FROM model_card") >= 150


def test_every_kind_of_repository_ends_in_its_own_state(run: Run, db: Path) -> None:
    card = {"README.md": b"# hello"}
    models = [
        Model("o/plain", files=card),
        Model("o/gated", files=card, gated="auto"),
        Model("o/disabled", files=card, disabled=True),
        Model("o/long", files={"README.md": b"x" * 900_000}),
        Model("o/longer", files={"README.md": b"x" * 3_000_000}),
        Model("o/not-utf8", files={"README.md": b"\xff\xfe caf\xe9"}),
        Model("o/list", files={**card, "adapter_config.json": b"[1]"}, tags=["peft"]),
        Model("o/no-peft", files={**card, "adapter_config.json": b"{}"}, tags=["peft"]),
        Model("o/lora", files={**card, "adapter_config.json": b'{"peft_type": "LORA"}'}, tags=["peft"]),
        Model("o/new", files={**card, "adapter_config.json": b'{"peft_type": "FROM_2031"}'}, tags=["peft"]),
    ]
    with HubServer(models) as hub:
        assert run("crawl", "hub", "--sample", "100", HF_ENDPOINT=hub.url).returncode == 0
    cards = dict(rows(db, "SELECT model_id, status FROM model_card"))
    assert cards == {
        "o/plain": "ok",
        "o/gated": "gated",
        "o/disabled": "disabled",
        "o/long": "ok",
        "o/longer": "too_large",
        "o/not-utf8": "ok",
        "o/list": "ok",
        "o/no-peft": "ok",
        "o/lora": "ok",
        "o/new": "ok",
    }
    configs = dict(rows(db, "SELECT model_id, status FROM adapter_config WHERE model_id IN ('o/list', 'o/no-peft')"))
    assert configs == {"o/list": "malformed", "o/no-peft": "malformed"}
    assert one(db, "SELECT technique FROM verdict WHERE subject_id = 'o/new'") == "other:FROM_2031"
    assert one(db, "SELECT technique FROM verdict WHERE subject_id = 'o/lora'") == "lora"


def test_real_cards_configs_and_results_import_without_a_loss(run: Run, db: Path, shared_data: Path) -> None:
    cards = sorted((shared_data / "model_cards").rglob("*.md"))
    configs = sorted((shared_data / "adapter_configs").glob("*.json"))
    results = sorted((shared_data / "peft_method_comparison").rglob("*.json"))
    assert (len(cards), len(configs), len(results)) == (83, 68, 94)
    for kind, path in (
        ("cards", shared_data / "model_cards"),
        ("configs", shared_data / "adapter_configs"),
        ("published", shared_data / "peft_method_comparison"),
    ):
        done = run("import", "--kind", kind, path, "-f", "json")
        assert done.returncode == 0, done.stderr
    assert one(db, "SELECT count(*) FROM model_card WHERE status = 'ok'") == 83
    assert one(db, "SELECT count(*) FROM adapter_config WHERE status = 'ok'") == 68
    assert one(db, "SELECT count(*) FROM bench_run") == 94
    # A value that the runner could not measure (a NaN, a 99999999) is no metric, and is said.
    assert rows(db, "SELECT item, reason FROM failure ORDER BY 1") == [
        ("checkpoint_size", "not_measured"),
        ("drift", "not_measured"),
    ]
    assert one(db, "SELECT count(*) FROM verdict") == 83 + 68
    assert set(one(db, "SELECT list(subject_id) FROM verdict WHERE source = 'cards'")) == {
        path.relative_to(shared_data / "model_cards").with_suffix("").as_posix() for path in cards
    }


def test_the_file_opens_in_duckdb_and_pandas(run: Run, db: Path) -> None:
    import duckdb

    assert run("crawl", "snapshot").returncode == 0
    with duckdb.connect(str(db), read_only=True) as connection:
        frame = connection.execute("SELECT technique, count(*) AS n FROM code_import GROUP BY 1").df()
    assert frame["n"].sum() > 0
    with connect(db) as answers:
        assert answers.query("technique_share").to_pandas().shape[0] > 0


def test_environment_of_the_tests_is_shut_off(run: Run) -> None:
    assert os.environ.get("HF_ENDPOINT") != "http://127.0.0.1:9"
    assert "http://127.0.0.1:9" in run("sources", "-f", "json").stdout
