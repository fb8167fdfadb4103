"""The image-site stand-in, checked with requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.servers.civitai import CivitaiServer, Upload, synthetic_civitai
from tests.servers.quota import Quota


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # no proxy may stand between us and the loopback interface
        yield session


def site_walk(session: requests.Session, site: CivitaiServer, **params: Any) -> list[list[dict[str, Any]]]:
    pages: list[list[dict[str, Any]]] = []
    url: str | None = site.url + "/api/v1/models"
    while url is not None:
        answer = session.get(url, params=params if not pages else None)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        url = answer.json()["metadata"].get("nextPage")
    return pages


@pytest.mark.parametrize("sort", ["Newest", "Oldest", "Most Downloaded", "Highest Rated"])
def test_cursors_reach_every_upload_once(session: requests.Session, sort: str) -> None:
    uploads = synthetic_civitai(300, seed=2)
    with CivitaiServer(uploads) as site:
        pages = site_walk(session, site, sort=sort, limit=17, nsfw="true")
        seen = [item["id"] for page in pages for item in page]
        assert len(seen) == len(set(seen))
        assert set(seen) == {u.id for u in uploads if not u.withheld}
        assert min(map(len, pages[:-1])) < 17  # filtered after paging
        safe = {item["id"] for page in site_walk(session, site, sort=sort) for item in page}
        assert safe == {u.id for u in uploads if not u.withheld and not u.nsfw}


def test_a_page_may_be_empty_although_more_follow(session: requests.Session) -> None:
    uploads = [Upload(n, withheld=3 <= n <= 9) for n in range(12)]
    with CivitaiServer(uploads) as site:
        pages = site_walk(session, site, limit=3, sort="Oldest")
        assert [len(page) for page in pages].count(0) == 2
        assert sum(map(len, pages)) == 5


def test_items_look_like_the_site_s(session: requests.Session) -> None:
    uploads = [
        Upload(1, "DoRA", creator=None, downloads=None, versions=2),
        Upload(2, "LORA", versions=0, base_model=None, mode="Archived"),
    ]
    with CivitaiServer(uploads) as site:
        second, first = session.get(site.url + "/api/v1/models").json()["items"]
        assert (first["type"], first["stats"]["downloadCount"]) == ("DoRA", None)
        assert "creator" not in first
        assert "createdAt" not in first
        assert [v["name"] for v in first["modelVersions"]] == ["v2", "v1"]
        assert first["modelVersions"][0]["publishedAt"] > first["modelVersions"][1]["publishedAt"]
        assert (second["modelVersions"], second["mode"]) == ([], "Archived")
        assert {"LoCon", "DoRA", "LORA"} <= set(session.get(site.url + "/api/v1/enums").json()["ModelType"])
        one = session.get(site.url + "/api/v1/models", params=[("types", "DoRA"), ("types", "LoCon")]).json()
        assert [item["id"] for item in one["items"]] == [1]
        assert session.get(site.url + "/api/v1/models/1").json() == first
        assert session.get(site.url + "/api/v1/models/9").status_code == 404


def test_the_site_refuses_as_its_source_says(session: requests.Session) -> None:
    with CivitaiServer(synthetic_civitai(30, seed=1), quota={"api": Quota(20, 60.0)}) as site:
        url = site.url + "/api/v1/models"
        capped = session.get(url, params={"limit": 100, "page": 11})
        assert capped.status_code == 429
        assert capped.json() == {"error": "You've requested too many pages, please use cursors instead"}
        assert "retry-after" not in capped.headers
        bad: list[dict[str, Any]] = [{"limit": 101}, {"types": "LORA,LoCon"}, {"sort": "Best"}, {"cursor": "x"}]
        for params in [*bad, {"page": 1, "query": "ink"}]:
            assert session.get(url, params=params).status_code == 400, params
        assert session.get(url, params={"favorites": "true"}).status_code == 401
        assert session.get(url, params={"page": 2, "limit": 10}).json()["metadata"]["currentPage"] == 2
        for _ in range(20):
            refused = session.get(url)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.text.startswith("<!DOCTYPE html>")
        assert site.usage("api").refused == site.sent_429 - 1
