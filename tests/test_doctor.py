"""hubstats doctor: what it says of a file, a machine and services, well and ill."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from hubstats import doctor
from hubstats.doctor import Finding, environment, file, services
from hubstats.pipeline import Silent, Writer
from hubstats.records import HubModel, Page
from hubstats.spool import Spool, spool_folder
from tests.conftest import Run
from tests.servers.civitai import CivitaiServer, synthetic_civitai
from tests.servers.github import GitHubServer
from tests.servers.hub import HubServer, synthetic_hub

FIXTURE = max((Path(__file__).parent / "fixtures").glob("*.duckdb.gz"))


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "hubstats.duckdb"
    path.write_bytes(gzip.decompress(FIXTURE.read_bytes()))
    return path


def of(findings: Iterator[Finding], check: str) -> list[Finding]:
    return [one for one in findings if one.check == check]


def test_a_whole_file_has_no_problem(db: Path) -> None:
    found = list(doctor.examine(db, offline=True))
    assert [one for one in found if one.state == "problem"] == []
    assert {one.area for one in found} == {"environment", "file", "spool"}


def test_without_a_file_it_says_how_to_make_one(tmp_path: Path) -> None:
    [there] = of(file.examine(tmp_path / "none.duckdb"), "there")
    assert (there.state, there.advice) == ("note", "make one with 'hubstats crawl'")


def test_what_is_no_file_of_ours_or_torn_is_a_problem(db: Path, tmp_path: Path) -> None:
    data = bytearray(db.read_bytes())
    (tmp_path / "text.duckdb").write_text("hello")
    (tmp_path / "cut.duckdb").write_bytes(data[: len(data) // 3])
    for name in ("text", "cut"):
        states = [one.state for one in file.examine(tmp_path / f"{name}.duckdb")]
        assert "problem" in states, name


def test_a_flipped_bit_is_found_by_its_checksum(db: Path) -> None:
    data = bytearray(db.read_bytes())
    at = data.index(b"an adapter")  # the text of a card
    data[at] ^= 1
    db.write_bytes(data)
    found = [one for one in file.examine(db) if one.state == "problem"]
    assert found
    assert any("cannot be read" in one.found or "cannot open" in one.found for one in found), found


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM code_file", "rows of code_import without their code_file"),
        ("DELETE FROM verdict", "rows of detection without their verdict"),
        ("DELETE FROM hub_model WHERE source = 'hub'", "rows of model_card without their hub_model"),
        ("DELETE FROM sample_stratum", "rows of sample_frame without their sample_stratum"),
        ("DELETE FROM bench_run", "rows of bench_metric without their bench_run"),
        ("DELETE FROM technique WHERE key = 'lora'", "rows of verdict.technique without their technique"),
        ("UPDATE migration SET sha256 = 'x'", "was another text when it was applied"),
        ("DELETE FROM salt", "0 salts in place of one"),
        ("DROP TABLE search_hit", "no table search_hit"),
    ],
)
def test_damage_is_named_with_what_to_do(db: Path, damage: str, said: str) -> None:
    with duckdb.connect(str(db)) as connection:
        connection.execute(damage)
    problems = [one for one in file.examine(db) if one.state == "problem"]
    assert any(said in one.found for one in problems), problems
    assert all(one.advice for one in problems)


def test_cursors_crawls_and_old_verdicts(db: Path) -> None:
    with duckdb.connect(str(db)) as connection:
        connection.execute(
            "INSERT INTO crawl (crawl_id, source, kind, state, started_at, hubstats_version) VALUES"
            " (901, 'hub', 'live', 'running', now()::TIMESTAMP, '0'),"
            " (902, 'later', 'live', 'done', now()::TIMESTAMP, '0');"
            "INSERT INTO crawl_cursor VALUES ('later', 'x', 'y', true, '2026-01-01'),"
            " ('hub', 'listing', 'https://elsewhere.test/api/models?x=1', true, '2026-01-01');"
            "UPDATE verdict SET detector_version = 'old' WHERE source = 'hub'"
        )
    found = list(file.examine(db))
    said = {f"{one.state}: {one.found}" for one in found}
    assert any("warning: later: 1 of 1 walks at their end; this version has no such source" in one for one in said)
    assert any("https://elsewhere.test/api/models; HF_ENDPOINT is" in one for one in said)
    assert any(one.startswith("note: the last crawl of hub was killed") for one in said)
    assert any("were made by another detector" in one for one in said)


def test_what_waits_in_the_spool_is_told_from_what_this_version_cannot_take(db: Path) -> None:
    spool = Spool(spool_folder(db))
    spool.append("hub", Page((HubModel("hub", "a/b"),)))
    spool.seal()
    [waits] = of(file.examine(db), "left-overs")
    assert waits.state == "note"
    assert "the next crawl takes them in" in (waits.advice or "")
    (spool_folder(db) / "000001" / "of_tomorrow.ndjson").write_text("{}\n")
    [waits] = of(file.examine(db), "left-overs")
    assert (waits.state, "of_tomorrow" in waits.found) == ("problem", True)


def test_a_crawl_that_runs_is_no_trouble(db: Path) -> None:
    with Writer(db, Silent()):
        [spool] = of(file.examine(db), "left-overs")
        assert (spool.state, spool.found) == ("ok", "a crawl is running; 0 bytes are on their way")


def test_missing_and_outdated_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted = ["duckdb>=99", "no-such-package-of-ours>=1", "torch; extra == 'bench'", "no-such-extra; extra == 'x'"]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: wanted)
    [packages] = of(environment.examine(tmp_path / "x.duckdb"), "packages")
    assert packages.state == "problem"
    assert "no-such-package-of-ours is missing" in packages.found
    assert "needed is >=99" in packages.found
    assert "no-such-extra" not in packages.found


def test_a_full_disk_and_a_missing_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "LEAST_SPACE", 1 << 60)
    [disk] = of(environment.examine(tmp_path / "x.duckdb"), "disk")
    assert disk.state == "warning"
    [disk] = of(environment.examine(tmp_path / "none" / "x.duckdb"), "disk")
    assert disk.state == "problem"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[HubServer, GitHubServer]]:
    roles = {"hf_read": "read", "hf_write": "write"}
    tokens = {"ghp_none": "", "ghp_repo": "repo, workflow", "github_pat_fine": None}
    with (
        HubServer(synthetic_hub(3, seed=1), tokens=(*roles, "hf_fine", "hf_good"), roles=roles) as hub,
        GitHubServer((), tokens=tokens) as github,
        CivitaiServer(synthetic_civitai(3, seed=1)) as images,
    ):
        hub.roles = {**roles, "hf_fine": {"global": ["discussion.write"], "scoped": [{"permissions": ["repo.read"]}]}}
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nonexistent/token")
        monkeypatch.setenv("HUBSTATS_GITHUB_URL", github.url)
        monkeypatch.setenv("HUBSTATS_CIVITAI_URL", images.url)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "GITHUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield hub, github


def said(finding: Finding) -> str:
    return f"{finding.state}: {finding.found}"


def unheard(line: str) -> None:
    pass


def test_services_answer_and_cost_next_to_nothing(site: tuple[HubServer, GitHubServer]) -> None:
    found = list(services.examine(unheard))
    assert [one.state for one in found if one.check == "reachable"] == ["ok", "ok", "ok"]
    assert [one.state for one in found if one.check == "token"] == ["note", "note"]
    assert [request.path for request in site[0].requests] == ["/api/models"]
    assert [request.path for request in site[1].requests] == ["/rate_limit"]


@pytest.mark.parametrize(
    ("token", "state", "what"),
    [
        ("hf_read", "ok", "it may read, no more"),
        ("hf_write", "warning", "it may write"),
        ("hf_fine", "warning", "discussion.write"),
        ("hf_good", "note", "does not say"),
        ("hf_unknown", "problem", "does not know HF_TOKEN"),
    ],
)
def test_rights_of_the_hubs_token(
    site: tuple[HubServer, GitHubServer], monkeypatch: pytest.MonkeyPatch, token: str, state: str, what: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    [found] = [one for one in services.examine(unheard) if (one.area, one.check) == ("hub", "token")]
    assert (found.state, what in found.found) == (state, True), found
    assert token not in repr(found)


@pytest.mark.parametrize(
    ("token", "state", "what"),
    [
        ("ghp_none", "ok", "it has no scope"),
        ("ghp_repo", "warning", "(scopes: repo, workflow)"),
        ("github_pat_fine", "ok", "of a fine-grained one GitHub does not say"),
        ("ghp_unknown", "problem", "does not know GITHUB_TOKEN"),
    ],
)
def test_rights_of_githubs_token(
    site: tuple[HubServer, GitHubServer], monkeypatch: pytest.MonkeyPatch, token: str, state: str, what: str
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", token)
    [found] = [one for one in services.examine(unheard) if (one.area, one.check) == ("github", "token")]
    assert (found.state, what in f"{found.found} {found.advice}") == (state, True), found


def test_the_command_exits_with_1_for_a_problem_and_0_for_a_warning(run: Run, db: Path) -> None:
    done = run("doctor", "--format", "json")
    assert done.returncode == 0, done.stderr
    states = {(row["area"], row["check"]): row["state"] for row in json.loads(done.stdout)}
    assert states["hub", "reachable"] == "warning"  # nothing listens where the tests point it
    with duckdb.connect(str(db)) as connection:
        connection.execute("DELETE FROM salt")
    done = run("doctor", "--offline")
    assert done.returncode == 1
    assert "0 salts" in done.stdout
    assert "1 problem(s)" in done.stderr
