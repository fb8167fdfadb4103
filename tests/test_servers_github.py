"""The GitHub stand-in, checked with requests and git."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.servers.code_search import bounds, parse
from tests.servers.github import GitHubServer, SourceFile, synthetic_github
from tests.servers.quota import Quota

TOKEN = {"Authorization": "Bearer ghp_good"}


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # no proxy may stand between us and the loopback interface
        yield session


def names(session: requests.Session, github: GitHubServer, q: str) -> set[str]:
    pages = [session.get(github.url + "/search/code", params={"q": q, "per_page": "100"}, headers=TOKEN)]
    while "next" in pages[-1].links:
        pages.append(session.get(pages[-1].links["next"]["url"], headers=TOKEN))
    assert all(page.status_code == 200 for page in pages), pages[-1].text
    return {f"{item['repository']['full_name']}/{item['path']}" for page in pages for item in page.json()["items"]}


def test_search_knows_words_phrases_and_qualifiers(session: requests.Session) -> None:
    files = [
        SourceFile("a/one", "train.py", b"from peft import LoraConfig\n"),
        SourceFile("a/one", "src/many.py", b"from peft import get_peft_model, LoraConfig\n"),
        SourceFile("b/two", "lines.py", b"from peft import (\n    LoraConfig,\n)\n"),
        SourceFile("b/two", "attr.py", b"import peft\nx = peft.LoraConfig()\n"),
        SourceFile("b/two", "note.ipynb", b'{"source": ["from peft import LoraConfig"]}'),
        SourceFile("c/fork", "train.py", b"from peft import LoraConfig\n", fork=True),
        SourceFile("d/big", "big.py", b"from peft import LoraConfig\n" + b"#" * 400_000),
    ]
    with GitHubServer(files) as github:
        phrase = '"from peft import LoraConfig"'
        exact = {"a/one/train.py", "b/two/lines.py", "b/two/note.ipynb"}
        assert names(session, github, phrase) == exact
        assert names(session, github, phrase + " fork:true") == exact | {"c/fork/train.py"}
        assert names(session, github, "loraconfig PEFT") == exact | {"a/one/src/many.py", "b/two/attr.py"}
        assert names(session, github, phrase + " language:python") == exact - {"b/two/note.ipynb"}
        assert names(session, github, phrase + " extension:ipynb") == {"b/two/note.ipynb"}
        assert names(session, github, "LoraConfig NOT get_peft_model repo:a/one") == {"a/one/train.py"}
        assert names(session, github, "LoraConfig path:src") == {"a/one/src/many.py"}
        assert names(session, github, "LoraConfig size:*..28") == {"a/one/train.py"}
        assert names(session, github, "LoraConfig -language:python") == {"b/two/note.ipynb"}
        assert names(session, github, 'attr OR "import torch"') == set()


def test_narrow_slices_together_find_what_the_cap_hides(session: requests.Session) -> None:
    files = [SourceFile(f"o{n}/r", "x.py", b"from peft import LoraConfig\n" + b"#" * (n % 300)) for n in range(1500)]
    with GitHubServer(files, total_count=lambda n: n // 3 if n > 100 else n) as github:
        q = '"from peft import LoraConfig"'
        assert len(names(session, github, q)) == 1000
        url = github.url + "/search/code"
        last = session.get(url, params={"q": q, "per_page": "100", "page": "10"}, headers=TOKEN)
        assert (last.json()["total_count"], len(last.json()["items"])) == (500, 100)
        wide = session.get(url, params={"q": q, "per_page": "500"}, headers=TOKEN)
        assert len(wide.json()["items"]) == 100
        over = session.get(url, params={"q": q, "per_page": "100", "page": "11"}, headers=TOKEN)
        assert (over.status_code, "errors" in over.json()) == (422, False)
        assert over.json()["message"] == "Only the first 1000 search results are available"
        slices = [names(session, github, f"{q} size:{low}..{low + 99}") for low in range(0, 400, 100)]
        assert [len(s) for s in slices] == [360, 500, 500, 140]
        assert len(set.union(*slices)) == 1500


def test_text_matches_only_when_asked_and_two_at_most(session: requests.Session) -> None:
    body = b"\n".join(b"# %d\nfrom peft import LoraConfig\n" % n + b"#" * 300 for n in range(5))
    with GitHubServer([SourceFile("a/b", "x.py", body)]) as github:
        params = {"q": '"peft import LoraConfig"'}
        plain = session.get(github.url + "/search/code", params=params, headers=TOKEN).json()["items"][0]
        assert "text_matches" not in plain
        accept = TOKEN | {"Accept": "application/vnd.github.text-match+json"}
        item = session.get(github.url + "/search/code", params=params, headers=accept).json()["items"][0]
        assert len(item["text_matches"]) == 2
        for match in item["text_matches"]:
            assert match["fragment"] in body.decode()
            for hit in match["matches"]:
                assert match["fragment"][slice(*hit["indices"])] == hit["text"] == "peft import LoraConfig"


def test_a_blob_is_one_blob_wherever_it_lies(session: requests.Session) -> None:
    body = b"from peft import LoraConfig\n" * 40
    files = [SourceFile("a/b", "x.py", body), SourceFile("fork/b", "y.py", body, fork=True)]
    git_id = subprocess.run(["git", "hash-object", "--stdin"], input=body, capture_output=True, check=True)
    sha = git_id.stdout.decode().strip()
    with GitHubServer(files, renamed={"was/here": "a/b"}, blocked={"taken/down": 451, "no/commits": 409}) as github:
        for repo in ("a/b", "fork/b", "was/here"):
            blob = session.get(f"{github.url}/repos/{repo}/git/blobs/{sha}").json()
            assert base64.b64decode(blob["content"]) == body
            assert (blob["sha"], blob["size"], blob["encoding"]) == (sha, len(body), "base64")
            assert "\n" in blob["content"]
        raw = session.get(
            f"{github.url}/repos/a/b/git/blobs/{sha}", headers={"Accept": "application/vnd.github.raw+json"}
        )
        assert raw.content == body
        moved = session.get(f"{github.url}/repos/was/here/git/blobs/{sha}", allow_redirects=False)
        assert (moved.status_code, "/repositories/" in moved.headers["location"]) == (301, True)
        for path, status in (("a/b", 404), ("taken/down", 451), ("no/commits", 409), ("no/repo", 404)):
            assert session.get(f"{github.url}/repos/{path}/git/blobs/{'0' * 40}").status_code == status


def test_github_refuses_as_documented(session: requests.Session) -> None:
    with GitHubServer(synthetic_github(10, seed=1), tokens={"ghp_good": "repo, gist", "pat_fine": None}) as github:
        url = github.url + "/search/code"
        assert session.get(url, params={"q": "peft"}).json()["message"] == "Requires authentication"
        bad = session.get(url, params={"q": "peft"}, headers={"Authorization": "token nope"})
        assert (bad.status_code, bad.json()["message"]) == (401, "Bad credentials")
        for q in ("", "x" * 257, "a AND b AND c AND d AND e AND f AND g", "peft repo:no/such", "peft size:big"):
            answer = session.get(url, params={"q": q}, headers=TOKEN)
            assert (answer.status_code, answer.json()["message"]) == (422, "Validation Failed"), q
            assert answer.json()["errors"][0]["field"] == "q"
        assert session.get(url, params={"q": "peft size:1..9999999"}, headers=TOKEN).status_code == 200
        assert session.get(github.url + "/user", headers=TOKEN).headers["x-oauth-scopes"] == "repo, gist"
        assert (
            "x-oauth-scopes"
            not in session.get(github.url + "/user", headers={"Authorization": "Bearer pat_fine"}).headers
        )
        assert session.get(github.url + "/user").status_code == 401
        assert session.get(github.url + "/rate_limit", headers={"User-Agent": ""}).status_code == 403


def test_a_search_may_be_incomplete_or_lose_files(session: requests.Session) -> None:
    with GitHubServer(synthetic_github(80, seed=1), incomplete_every=2) as github:
        search: dict[str, Any] = {
            "url": github.url + "/search/code",
            "params": {"q": "peft", "per_page": 100},
            "headers": TOKEN,
        }
        whole, partial = session.get(**search).json(), session.get(**search).json()
        assert (whole["incomplete_results"], partial["incomplete_results"]) == (False, True)
        assert len(partial["items"]) < len(whole["items"])
        github.incomplete_every, github.wide_loss = 0, 0.5
        wide = session.get(**search).json()
        narrow = set[str]().union(
            *(names(session, github, f"peft size:{n}..{n + 900}") for n in range(0, 400_000, 901))
        )
        assert len(wide["items"]) < len(narrow) == len(whole["items"])


def test_operators_and_sizes_are_parsed() -> None:
    search = parse('"a b" OR c:d NOT x size:>5 path:"my dir"')
    assert search.alternatives == (((" a b ",), ()), ((" c d ",), (" x ",)))
    assert [(q.name, q.value) for q in search.qualifiers] == [("size", ">5"), ("path", "my dir")]
    assert search.operators == 2
    assert [bounds(text) for text in ("3..5", ">5", "<=7", "4", "x")] == [(3, 5), (6, 1 << 40), (0, 7), (4, 4), None]


def test_github_limits(session: requests.Session) -> None:
    files = synthetic_github(20, seed=1)
    quota = {"code_search": Quota(3, 2.0), "core": Quota(4, 3600.0)}
    with GitHubServer(files, quota=quota) as github:
        now = 5000.5
        github.windows.clock = lambda: now
        search: dict[str, Any] = {"url": github.url + "/search/code", "params": {"q": "peft"}, "headers": TOKEN}
        for left in ("2", "1", "0"):
            answer = session.get(**search)
            assert answer.headers["x-ratelimit-remaining"] == left
        assert answer.headers["x-ratelimit-resource"] == "code_search"
        refused = session.get(**search)
        assert refused.status_code == 403
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert "API rate limit exceeded" in refused.json()["message"]
        assert refused.headers["x-ratelimit-reset"] == "5003"
        now = 5002.9
        assert session.get(**search).status_code == 403
        now = 5003.0
        assert session.get(**search).status_code == 200
        blob = f"{github.url}/repos/{files[0].repo}/git/blobs/{files[0].sha}"
        first = session.get(blob, headers=TOKEN)
        again = session.get(blob, headers=TOKEN | {"If-None-Match": first.headers["etag"]})
        assert (first.headers["x-ratelimit-remaining"], again.status_code) == ("3", 304)
        assert again.headers["x-ratelimit-remaining"] == "3"
        shown = session.get(github.url + "/rate_limit", headers=TOKEN).json()["resources"]
        assert (shown["core"]["remaining"], shown["code_search"]["limit"]) == (3, 3)
        assert github.sent_429 == 2
        github.trip_secondary(1)
        refused = session.get(blob, headers=TOKEN)
        assert refused.status_code == 403
        assert refused.headers["retry-after"] == "1"
        assert "secondary rate limit" in refused.json()["message"]
        now += 1
        assert session.get(blob, headers=TOKEN).status_code == 200
        github.trip_secondary(60, retry_after=False)
        assert "retry-after" not in session.get(blob, headers=TOKEN).headers
        assert github.sent_429 == 4
