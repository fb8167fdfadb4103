"""The Hub stand-in, checked with clients that know nothing of hubstats: huggingface_hub, requests, curl."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from tests.servers.hub import Dataset, HubServer, Model, synthetic_hub
from tests.servers.quota import Quota

OLDEST_FIRST = [("sort", "createdAt"), ("direction", "1")]


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # no proxy may stand between us and the loopback interface
        yield session


@pytest.fixture
def hf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """huggingface_hub, without the user's token, cache or extra requests."""
    huggingface_hub = pytest.importorskip("huggingface_hub")
    for name in ("constants", "errors", "utils"):
        pytest.importorskip(f"huggingface_hub.{name}")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    huggingface_hub.utils.close_session()
    yield huggingface_hub
    huggingface_hub.utils.close_session()


def walk(session: requests.Session, url: str, params: Any = None) -> list[list[dict[str, Any]]]:
    """Pages of a listing, by its Link headers."""
    pages = []
    response = session.get(url, params=params, timeout=10)
    while True:
        assert response.status_code == 200, response.text
        pages.append(response.json())
        if "next" not in response.links:
            return pages
        response = session.get(response.links["next"]["url"], timeout=10)


# The Hub: listing ------------------------------------------------------------------------------------------------


def test_huggingface_hub_lists_every_model_in_order(hf: Any) -> None:
    models = synthetic_hub(250, seed=3)
    with HubServer(models, page_cap=40) as hub:
        api = hf.HfApi(endpoint=hub.url, token=False)
        listed = list(
            api.list_models(sort="created_at", expand=["author", "downloads", "tags", "siblings", "createdAt"])
        )
        assert [info.id for info in listed] == [
            m.id for m in sorted(models, key=lambda m: (-m.created_at.timestamp(), m.object_id))
        ]
        assert hub.requests_by_bucket == {"api": 7}
        by_id = {model.id: model for model in models}
        for info in listed:
            model = by_id[info.id]
            assert (info.author, info.downloads, info.tags) == (model.author, model.downloads, model.tags)
            assert abs((info.created_at - model.created_at).total_seconds()) < 0.001
            assert {s.rfilename for s in info.siblings} == {".gitattributes", *model.files, *model.weights}
            assert info.likes is None
        tagged = list(api.list_models(filter=["peft", "lora"]))
        assert {info.id for info in tagged} == {m.id for m in models if {"peft", "lora"} <= set(m.tags)}
        assert 0 < len(tagged) < len(models)
        top = list(api.list_models(sort="downloads", limit=5))
        assert [info.downloads for info in top] == sorted((m.downloads for m in models), reverse=True)[:5]


def test_a_walk_misses_and_repeats_nothing_although_times_tie_and_models_come_and_go(session: requests.Session) -> None:
    models = synthetic_hub(200, seed=1)
    assert len({m.created_at for m in models}) < 190
    with HubServer(models) as hub:
        response = session.get(hub.url + "/api/models", params=[*OLDEST_FIRST, ("limit", "30")], timeout=10)
        seen = [m["id"] for m in response.json()]
        hub.remove(models[29].id)  # the very model that the cursor stands after
        hub.add(synthetic_hub(15, seed=1, first=200))
        while "next" in response.links:
            response = session.get(response.links["next"]["url"], timeout=10)
            seen += [m["id"] for m in response.json()]
        assert seen == [m.id for m in synthetic_hub(215, seed=1)]


def test_cursor_is_a_keyset_on_sort_field_and_id(session: requests.Session) -> None:
    with HubServer(synthetic_hub(50, seed=1)) as hub:
        response = session.get(hub.url + "/api/models", params=[*OLDEST_FIRST, ("limit", "10"), ("filter", "peft")])
        link = response.links["next"]["url"]
        cursor = unquote(link.partition("cursor=")[2].partition("&")[0])
        last = response.json()[-1]
        assert json.loads(base64.b64decode(cursor)) == {
            "$or": [
                {"createdAt": last["createdAt"], "_id": {"$gt": last["_id"]}},
                {"createdAt": {"$gt": last["createdAt"]}},
            ]
        }
        assert "filter=peft" in link
        assert "limit=10" in link
        assert session.get(hub.url + "/api/models?cursor=bm9wZQ==").status_code == 400


def test_expand_gives_the_named_fields_alone_and_refuses_others(session: requests.Session) -> None:
    with HubServer(synthetic_hub(3, seed=1)) as hub:
        url = hub.url + "/api/models"
        assert set(session.get(url, params=[("expand", "tags"), ("expand", "gated")]).json()[0]) == {
            "_id",
            "id",
            "tags",
            "gated",
        }
        assert "tags" in session.get(url).json()[0]
        assert "siblings" not in session.get(url).json()[0]
        assert "siblings" in session.get(url, params={"full": "true"}).json()[0]
        for name in ("baseModels", "usedStorage", "_id", "cardData.license"):
            refused = session.get(url, params={"expand": name})
            assert refused.status_code == 400
            assert "expected one of" in refused.json()["error"]


def test_pages_hold_a_thousand_at_most(session: requests.Session) -> None:
    with HubServer(synthetic_hub(2100, seed=1)) as hub:
        pages = walk(session, hub.url + "/api/models", [*OLDEST_FIRST, ("limit", "5000")])
        assert [len(page) for page in pages] == [1000, 1000, 100]
        hundreds = walk(session, hub.url + "/api/models", [*OLDEST_FIRST, ("limit", "100")])
        assert len(hundreds) == 21  # the last full page leads nowhere


def test_an_increment_sees_new_and_changed_models(session: requests.Session) -> None:
    models = synthetic_hub(40, seed=1)
    with HubServer(models) as hub:
        newest = [("sort", "lastModified"), ("limit", "3")]
        before = session.get(hub.url + "/api/models", params=newest).json()
        hub.change(models[4].id, downloads=12345, files={"README.md": b"# new"})
        after = session.get(
            hub.url + "/api/models", params=[*newest, ("expand", "downloads"), ("expand", "sha")]
        ).json()
        assert after[0]["id"] == models[4].id
        assert after[0]["downloads"] == 12345
        assert before[0]["id"] != models[4].id
        assert session.get(f"{hub.url}/{models[4].id}/resolve/main/README.md").content == b"# new"
        assert session.get(f"{hub.url}/{models[4].id}/resolve/{after[0]['sha']}/README.md").status_code == 200


@pytest.mark.parametrize("paging", ["repeat_rows", "skip_rows", "same_page", "short", "elsewhere"])
def test_misbehaving_pages(session: requests.Session, paging: Any) -> None:
    models = synthetic_hub(100, seed=1)
    with HubServer(models, paging=paging) as hub:
        params = [*OLDEST_FIRST, ("limit", "10")]
        if paging == "elsewhere":
            link = session.get(hub.url + "/api/models", params=params).links["next"]["url"]
            assert link.startswith(hub.file_host.url)
            return
        if paging == "same_page":
            response = session.get(hub.url + "/api/models", params=params)
            seen = []
            for _ in range(5):
                response = session.get(response.links["next"]["url"])
                seen.append(response.json())
            assert seen[1:] == seen[:-1]
            return
        pages = walk(session, hub.url + "/api/models", params)
        count = Counter(model["id"] for page in pages for model in page)
        assert set(count) <= {m.id for m in models}
        if paging == "short":
            assert len(count) == count.total() == 100
            assert 0 in map(len, pages)
        elif paging == "repeat_rows":
            assert len(count) == 100
            assert count.total() > 100
        else:
            assert count.total() == len(count) < 100


# The Hub: files --------------------------------------------------------------------------------------------------


def test_huggingface_hub_downloads_cards_configs_and_large_files(hf: Any, tmp_path: Path) -> None:
    card = "---\nlicense: mit\n---\n# \u00fc\n".encode() * 30
    model = Model("org/one", files={"README.md": card, "big.bin": bytes(5000)}, lfs=("big.bin",), gated="auto")
    with HubServer([model], tokens={"hf_good": {"org/one"}}) as hub:
        for name in ("README.md", "big.bin"):
            path = hf.hf_hub_download("org/one", name, endpoint=hub.url, token="hf_good", cache_dir=tmp_path)
            assert Path(path).read_bytes() == model.files[name]
        assert [(r.method, r.status) for r in hub.requests][:3] == [("HEAD", 200), ("GET", 200), ("HEAD", 302)]
        assert all(r.headers["authorization"] == "Bearer hf_good" for r in hub.requests)
        assert hub.file_host.requests_by_bucket.total() >= 1
        assert not hub.file_host.saw_token


def test_huggingface_hub_reads_a_dataset_at_a_pinned_revision(hf: Any, tmp_path: Path) -> None:
    old = {"data/train-00000-of-00001.parquet": b"PAR1 old PAR1", "README.md": b"# dump"}
    shard = tmp_path / "shard"
    shard.write_bytes(b"PAR1 new PAR1")
    dataset = Dataset("org/dump", {"data/train-00000-of-00001.parquet": shard, "README.md": b"# dump"}, earlier=(old,))
    with HubServer(datasets=[dataset]) as hub:
        api = hf.HfApi(endpoint=hub.url, token=False)
        info = api.dataset_info("org/dump")
        assert info.sha == dataset.sha
        assert {s.rfilename for s in info.siblings} == set(old)
        assert sorted(api.list_repo_files("org/dump", repo_type="dataset")) == sorted(old)
        tree = {e.path: e for e in api.list_repo_tree("org/dump", repo_type="dataset", recursive=True)}
        assert tree["data/train-00000-of-00001.parquet"].lfs.size == len(shard.read_bytes())
        assert [e.path for e in api.list_repo_tree("org/dump", repo_type="dataset")] == ["README.md", "data"]
        assert api.get_paths_info("org/dump", ["README.md"], repo_type="dataset")[0].size == 6
        first = dataset.sha_of(old)
        for revision, body in ((first, b"PAR1 old PAR1"), ("main", b"PAR1 new PAR1"), (dataset.sha, b"PAR1 new PAR1")):
            path = hf.hf_hub_download(
                "org/dump",
                "data/train-00000-of-00001.parquet",
                repo_type="dataset",
                revision=revision,
                endpoint=hub.url,
                token=False,
                cache_dir=tmp_path / "cache",
            )
            assert Path(path).read_bytes() == body
        with pytest.raises(hf.errors.RevisionNotFoundError):
            api.dataset_info("org/dump", revision="v9")


def test_refusals_are_what_huggingface_hub_expects(hf: Any, tmp_path: Path) -> None:
    models = [
        Model("org/gated", files={"README.md": b"x"}, gated="manual"),
        Model("org/off", files={"README.md": b"x"}, disabled=True),
        Model("org/hidden", files={"README.md": b"x"}, private=True),
        Model("org/bare"),
    ]
    errors = hf.errors
    with HubServer(models, tokens={"hf_good": ()}) as hub:

        def fetch(repo: str, token: Any, revision: str = "main") -> None:
            url = hf.hf_hub_url(repo, "README.md", endpoint=hub.url, revision=revision)
            hf.get_hf_file_metadata(url, token=token)

        for token, status in ((False, 401), ("hf_good", 403)):
            with pytest.raises(errors.GatedRepoError) as gated:
                fetch("org/gated", token)
            assert gated.value.response.status_code == status
        with pytest.raises(errors.DisabledRepoError):
            fetch("org/off", False)
        with pytest.raises(errors.EntryNotFoundError):
            fetch("org/bare", False)
        with pytest.raises(errors.RevisionNotFoundError):
            fetch("org/bare", False, revision="nope")
        for repo in ("org/none", "org/hidden"):
            with pytest.raises(errors.RepositoryNotFoundError) as unknown:
                fetch(repo, "hf_good")
            assert unknown.value.response.status_code == 404
            with pytest.raises(errors.HfHubHTTPError) as anonymous:
                fetch(repo, False)
            assert anonymous.value.response.status_code == 401
            assert "x-error-code" not in anonymous.value.response.headers
        with pytest.raises(errors.HfHubHTTPError, match="Invalid credentials") as bad:
            fetch("org/bare", "hf_stolen")
        assert bad.value.response.status_code == 401
        assert hf.HfApi(endpoint=hub.url, token="hf_good").whoami()["name"] == "someone"
        listed = {info.id for info in hf.HfApi(endpoint=hub.url, token=False).list_models()}
        assert listed == {"org/gated", "org/off", "org/bare"}


def test_a_renamed_model_redirects_by_a_relative_307(session: requests.Session) -> None:
    with HubServer([Model("old/name", files={"README.md": b"x"})]) as hub:
        hub.rename("old/name", "new/name")
        answer = session.get(hub.url + "/old/name/resolve/main/README.md", allow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "/new/name/resolve/main/README.md")
        assert session.get(hub.url + "/api/models/old/name?expand=tags").json()["id"] == "new/name"


def test_etag_304_gzip_ranges_and_head(session: requests.Session) -> None:
    body = b"# a card\n" * 200
    with HubServer([Model("a/b", files={"README.md": body})]) as hub:
        url = hub.url + "/a/b/resolve/main/README.md"
        plain = session.get(url, headers={"Accept-Encoding": "identity"})
        assert plain.content == body
        assert plain.headers["content-length"] == str(len(body))
        zipped = session.get(url, headers={"Accept-Encoding": "gzip"})
        assert zipped.content == body
        assert zipped.headers["content-encoding"] == "gzip"
        assert zipped.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in zipped.headers
        for known in (plain.headers["etag"], zipped.headers["etag"], '"other", ' + plain.headers["etag"]):
            again = session.get(url, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
        assert session.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
        head = session.head(url, headers={"Accept-Encoding": "identity"})
        assert (head.content, head.headers["content-length"]) == (b"", str(len(body)))
        assert len(head.headers["x-repo-commit"]) == 40
        part = session.get(url, headers={"Range": "bytes=10-19", "Accept-Encoding": "identity"})
        assert (part.status_code, part.content) == (206, body[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(body)}"
        assert session.get(url, headers={"Range": "bytes=-5"}).content == body[-5:]
        assert session.get(url, headers={"Range": "bytes=99999-"}).status_code == 416
        git_id = subprocess.run(["git", "hash-object", "--stdin"], input=body, capture_output=True, check=True).stdout
        assert plain.headers["etag"] == f'"{git_id.decode().strip()}"'


def test_curl_reads_it(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    with HubServer(synthetic_hub(30, seed=1)) as hub:
        urls = [f"{hub.url}/api/models", f"{hub.url}/api/models?limit=3", f"{hub.url}/nobody/x/resolve/main/README.md"]
        options = ["--noproxy", "*", "--silent", "--compressed", "-w", "%{stderr}%{http_code} %{num_connects}\n"]
        run = subprocess.run(["curl", *options, *urls], capture_output=True, text=True, check=True, timeout=20)
        assert run.stderr.split("\n")[:3] == ["200 1", "200 0", "401 0"]  # one connection, kept alive
        assert run.stdout.count('"_id"') == 33


def test_fetching_a_config_counts_as_a_download_when_wanted(session: requests.Session) -> None:
    models = [Model("a/b", files={"adapter_config.json": b"{}", "README.md": b"x"})]
    with HubServer(models, count_downloads=True) as hub:
        assert session.get(hub.url + "/api/models?expand=downloads").json()[0]["downloads"] == 0
        session.get(hub.url + "/a/b/resolve/main/README.md")
        session.get(hub.url + "/a/b/resolve/main/adapter_config.json")
        session.head(hub.url + "/a/b/resolve/main/adapter_config.json")
        assert session.get(hub.url + "/api/models?expand=downloads").json()[0]["downloads"] == 2


# Limits


def test_hub_limits_announce_what_they_do(session: requests.Session) -> None:
    quota = {"api": Quota(3, 2.0), "resolvers": Quota(2, 300.0)}
    with HubServer([Model("a/b", files={"README.md": b"x"})], quota=quota, token_quota={"api": Quota(9, 2.0)}) as hub:
        now = 5000.5
        hub.windows.clock = lambda: now
        left: list[int] = []
        while len(left) < 7:  # a client that believes the headers is never refused
            answer = session.get(hub.url + "/api/models")
            assert answer.status_code == 200
            assert answer.headers["ratelimit-policy"] == '"fixed window";"api";q=3;w=2'
            match = re.fullmatch(r'"api";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
            assert match is not None
            left.append(int(match[1]))
            now += int(match[2]) if match[1] == "0" else 0.3
        assert left == [2, 1, 0, 2, 1, 0, 2]
        assert hub.sent_429 == 0
        assert hub.usage("api").full_share == 1.0
        for _ in range(5):
            refused = session.get(hub.url + "/api/models")
        assert refused.status_code == 429
        assert refused.json()["error"]
        assert ";r=0;t=" in refused.headers["ratelimit"]
        assert hub.sent_429 == hub.usage("api").refused > 0
        assert (
            session.get(hub.url + "/api/models", headers={"Authorization": "Bearer hf_good"})
            .headers["ratelimit"]
            .startswith('"api";r=8')
        )
        answer = session.get(hub.url + "/no/one/resolve/main/README.md")  # errors cost quota too
        assert (answer.status_code, answer.headers["ratelimit"][:15]) == (401, '"resolvers";r=1')
        hub.html_429 = True
        for _ in range(3):
            page = session.get(hub.url + "/a/b/resolve/main/README.md")
        assert page.status_code == 429
        assert page.text.startswith("<!DOCTYPE html>")


def test_huggingface_hub_waits_for_the_announced_reset(hf: Any) -> None:
    with HubServer(synthetic_hub(6, seed=1), quota={"api": Quota(2, 1.0)}, page_cap=2) as hub:
        assert len(list(hf.HfApi(endpoint=hub.url, token=False).list_models())) == 6
        assert hub.sent_429 == 1  # it asks first and waits afterwards; then the window is another one
