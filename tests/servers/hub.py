"""Stand-in for the Hugging Face Hub.

    with HubServer(synthetic_hub(500, seed=1)) as hub:                # HF_ENDPOINT = hub.url
        hub.add(synthetic_hub(20, seed=1, first=500))                 # 20 newer models
        hub.change("org/name", downloads=7, files={"README.md": b"new"})   # also moves last_modified
        hub.remove("org/name")
        hub.rename("org/old", "org/new")                              # 307 from then on

    HubServer([Model("a/b", files={"README.md": b"# x", "adapter_config.json": b"{}"}, tags=["peft"])])
    HubServer(models, quota=ANONYMOUS)                                # 500 api, 3000 resolvers, 100 pages / 300 s
    HubServer(models, quota={"api": Quota(5, 2.0), "resolvers": Quota(40, 2.0)}, token_quota={...})
    HubServer(models, tokens={"hf_good": {"org/gated"}})              # and the gated or private ids each may read
    HubServer(datasets=[Dataset("org/dump", {"data/train-00000-of-00001.parquet": some_path})])

Served: GET /api/models (filter, author, search, pipeline_tag, gated, sort, direction, limit, expand, full, cursor),
/api/models/{id}[/revision/{rev}], /{id}/resolve/{rev}/{file} (GET, HEAD, ranges, ETag), the same two for
/api/datasets and /datasets/, /tree/{rev}, /refs, /paths-info, /api/whoami-v2. Other /api paths are 404.

What the Hub says when something is not to be had (observed on huggingface.co, or as its client expects it):

    unknown or private model, anonymous   401, X-Error-Message "Invalid username or password.", no X-Error-Code
    the same, with a good token           404, X-Error-Code RepoNotFound
    a token it does not know              401, X-Error-Message "Invalid credentials in Authorization header"
    gated file                            401 (anonymous) or 403 (no access), X-Error-Code GatedRepo
    disabled                              403, X-Error-Message "Access to this resource is disabled."
    no such file / revision               404, X-Error-Code EntryNotFound / RevisionNotFound
    expand of a name the listing refuses  400

Files named in `Model.lfs` are redirected to `hub.file_host`, a second server under another host name and port, which
records what reached it (`hub.file_host.requests[...].headers` must not hold an authorization).

`paging` makes listings misbehave: "repeat_rows" (each page starts with the last row of the one before), "skip_rows"
(one row lost between pages), "same_page" (the next link leads to the same page for ever), "short" (pages of uneven
length, some empty, all with a next link), "elsewhere" (the next link names the file host).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import parse_qsl, quote

from .catalogue import LISTING_EXPANDS, Catalogue, Paging
from .http_server import LoopbackServer
from .process import arguments, run_alone
from .quota import Quota
from .repositories import NO_USER, Dataset, FileBody, FileHost, blob_id, failure, no_revision, read
from .synthetic_models import Model, iso, synthetic_hub
from .wire import Headers, Reply, Request, conditional, json_reply, ranged

__all__ = ["ANONYMOUS", "FREE", "Dataset", "FileHost", "HubServer", "Model", "Quota", "synthetic_hub"]

ANONYMOUS = {"api": Quota(500, 300.0), "resolvers": Quota(3000, 300.0), "pages": Quota(100, 300.0)}
FREE = {"api": Quota(1000, 300.0), "resolvers": Quota(5000, 300.0), "pages": Quota(200, 300.0)}

INFO_EXPANDS = LISTING_EXPANDS | {"baseModels", "childrenModelCount", "usedStorage"}
ADAPTER_CONFIG = "adapter_config.json"


@dataclass(eq=False)
class HubServer(LoopbackServer):
    """See the module."""

    models: Iterable[Model] = ()
    datasets: Iterable[Dataset] = ()
    tokens: Collection[str] | Mapping[str, Collection[str]] = field(default=("hf_good",), kw_only=True)
    """Good tokens; as a mapping, with the gated and private ids that each may read ('*': all)."""
    roles: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    """Of a token: read or write, or what a fine-grained one may do; without one whoami says nothing of it."""
    token_quota: Mapping[str, Quota] | None = field(default=None, kw_only=True)
    """Quota of a caller with a good token, where it differs from `quota`."""
    page_cap: int = field(default=1000, kw_only=True)
    """The most models on a page, whatever `limit` says."""
    paging: Paging | None = field(default=None, kw_only=True)
    html_429: bool = field(default=False, kw_only=True)
    """Refuse with a web page instead of JSON."""
    count_downloads: bool = field(default=False, kw_only=True)
    """Every GET or HEAD of adapter_config.json adds one to the model's downloads, as on the Hub."""

    def __post_init__(self) -> None:
        LoopbackServer.__post_init__(self)
        self.file_host = FileHost(host="localhost")
        self.by_id: dict[str, Model] = {}
        self.catalogue = Catalogue(self.by_id, self.page_cap)
        self.renamed: dict[str, str] = {}
        self.datasets_by_id = {dataset.id: dataset for dataset in self.datasets}
        self.add(self.models)

    def start(self) -> HubServer:
        """Starts the file host, then the Hub."""
        self.file_host.start()
        LoopbackServer.start(self)
        return self

    def stop(self) -> None:
        """Stops both."""
        LoopbackServer.stop(self)
        self.file_host.stop()

    # Content -----------------------------------------------------------------------------------------------------

    def add(self, models: Iterable[Model]) -> None:
        """More models, or the same ones anew."""
        with self.lock:
            self.by_id.update((model.id, model) for model in models)
            self.catalogue.touch()

    def change(self, model_id: str, **fields: Any) -> Model:
        """Sets attributes of a model. `files` adds to its files or replaces them (None removes one). The model's
        lastModified moves a minute past the newest of all, unless given."""
        with self.lock:
            model = self.by_id[model_id]
            fields.setdefault("last_modified", max(m.last_modified for m in self.by_id.values()) + timedelta(minutes=1))
            files = {**model.files, **fields.pop("files", {})}
            model.files = {name: body for name, body in files.items() if body is not None}
            for name, value in fields.items():
                setattr(model, name, value)
            model.sha = sha1(f"{model.id}{model.last_modified}".encode()).hexdigest()
            self.catalogue.touch(model)
            return model

    def remove(self, model_id: str) -> None:
        """Deletes a model."""
        with self.lock:
            del self.by_id[model_id]
            self.catalogue.touch()

    def rename(self, old: str, new: str) -> None:
        """Moves a model; the old name redirects."""
        with self.lock:
            model = self.by_id.pop(old)
            model.id = new
            self.by_id[new] = model
            self.renamed[old] = new
            self.catalogue.touch(model)

    def control(self, name: str, request: Request) -> dict[str, Any]:
        """`grow?n=100&seed=1` adds newer synthetic models."""
        if name == "grow":
            count, seed = int(request.param("n") or 1), int(request.param("seed") or 0)
            self.add(synthetic_hub(count, seed=seed, first=len(self.by_id)))
        return LoopbackServer.control(self, name, request)

    # Limits ------------------------------------------------------------------------------------------------------

    def bucket_of(self, request: Request) -> str:
        """api, resolvers or pages, by the path."""
        if request.path.startswith("/api/"):
            return "api"
        return "resolvers" if "/resolve/" in request.path else "pages"

    def quota_of(self, request: Request, bucket: str) -> tuple[str, Quota | None]:
        """Good tokens have windows of their own, everyone else shares the address's."""
        token = request.token()
        if token is None or token not in self.tokens:
            return "anonymous", None
        return token, (self.token_quota or {}).get(bucket)

    def limit_headers(self, bucket: str, left: int, seconds: float, limit: int, window: float) -> Headers:
        """As of the IETF draft, in whole seconds rounded up."""
        return (
            ("RateLimit", f'"{bucket}";r={left};t={max(0, -int(-seconds // 1))}'),
            ("RateLimit-Policy", f'"fixed window";"{bucket}";q={limit};w={max(1, -int(-window // 1))}'),
        )

    def refuse(self, request: Request, bucket: str, seconds: float) -> Reply:
        """429, with JSON or a web page."""
        if self.html_429:
            page = b"<!DOCTYPE html><html><head><title>429</title></head><body>Too many requests</body></html>"
            return Reply(429, page, (("Content-Type", "text/html; charset=utf-8"),))
        return json_reply(429, {"error": f"You have reached the rate limit of the {bucket} bucket."})

    # Answers -----------------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Routes by path."""
        token = request.token()
        if token is not None and token not in self.tokens:
            return failure(401, "Invalid credentials in Authorization header")
        path = request.path
        if path == "/api/models":
            return self.catalogue.page(request, self.url, self.file_host.url, self.paging)
        if path == "/api/whoami-v2":
            return self.whoami(token) if token else failure(401, NO_USER)
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+(?:/[^/]+)?)", path):
            return self.info(request, match[1], match[2], "main")
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/(revision|tree|refs|paths-info)/?(.*)", path):
            return self.repository_api(request, *match.groups())
        if match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/(refs/[^/]+/[^/]+|[^/]+)/(.+)", path):
            return self.resolve(request, "datasets" if match[1] else "models", match[2], match[3], match[4])
        return failure(404, "Sorry, we can't find the page you are looking for.")

    def whoami(self, token: str) -> Reply:
        """Who the token belongs to and what it may do."""
        about: dict[str, Any] = {"type": "user", "name": "someone"}
        if (role := self.roles.get(token)) is not None:
            shown = {"role": role} if isinstance(role, str) else {"role": "fineGrained", "fineGrained": role}
            about["auth"] = {"type": "access_token", "accessToken": {"displayName": "mine", **shown}}
        return json_reply(200, about)

    # Repositories ------------------------------------------------------------------------------------------------

    def missing(self, request: Request, kind: str, repo: str) -> Reply | None:
        """Why a repository is not to be had, or None."""
        if kind == "models" and repo in self.renamed:
            target = request.target.replace(quote(repo), quote(self.renamed[repo]), 1)
            return Reply(307, b"", (("Location", target),))
        model = self.by_id.get(repo) if kind == "models" else None
        dataset = self.datasets_by_id.get(repo) if kind == "datasets" else None
        if (model is None and dataset is None) or (model is not None and model.private and not self.may(request, repo)):
            if request.token() is None:
                return failure(401, NO_USER, ("WWW-Authenticate", 'Bearer realm="Authentication required"'))
            return failure(404, "Repository not found", ("X-Error-Code", "RepoNotFound"))
        return None

    def may(self, request: Request, repo: str) -> bool:
        """Whether the caller's token opens a gated or private repository."""
        token = request.token()
        allowed = self.tokens.get(token, ()) if isinstance(self.tokens, Mapping) and token else ()
        return repo in allowed or "*" in allowed

    def info(self, request: Request, kind: str, repo: str, revision: str) -> Reply:
        """/api/models/{id} and /api/datasets/{id}."""
        if refusal := self.missing(request, kind, repo):
            return refusal
        expands = request.params("expand")
        if kind == "datasets":
            dataset = self.datasets_by_id[repo]
            files = dataset.commits.get(revision)
            if files is None:
                return no_revision(revision)
            stamp = iso(dataset.last_modified)
            full: dict[str, Any] = {
                "author": repo.split("/")[0],
                "sha": dataset.sha_of(files),
                "lastModified": stamp,
                "createdAt": stamp,
                "private": False,
                "gated": False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "siblings": [self.sibling(repo, name, files[name], request) for name in sorted(files)],
            }
            ids = {"_id": sha1(repo.encode()).hexdigest()[:24], "id": repo}
        else:
            model = self.by_id[repo]
            if revision not in ("main", model.sha):
                return no_revision(revision)
            if refused := [name for name in expands if name not in INFO_EXPANDS]:
                return failure(400, f"Invalid option {refused[0]!r}: expected one of {', '.join(sorted(INFO_EXPANDS))}")
            full = model.shown()
            ids = {"_id": model.object_id, "id": model.id}
        return json_reply(200, ids | {k: v for k, v in full.items() if not expands or k in expands})

    def sibling(self, repo: str, name: str, body: FileBody, request: Request) -> dict[str, Any]:
        """A file in the info of a dataset: with `blobs` also its size and hashes."""
        if (request.param("blobs") or "").lower() != "true":
            return {"rfilename": name}
        entry = self.entry("datasets", repo, name, body)
        about: dict[str, Any] = {"rfilename": name, "size": entry["size"], "blobId": entry["oid"]}
        if "lfs" in entry:
            lfs = entry["lfs"]
            about["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
        return about

    def repository_api(self, request: Request, kind: str, repo: str, verb: str, rest: str) -> Reply:
        """/revision/{rev}, /tree/{rev}[/{folder}], /refs and /paths-info/{rev}."""
        if refusal := self.missing(request, kind, repo):
            return refusal
        if verb == "revision":
            return self.info(request, kind, repo, rest)
        if kind == "datasets":
            commits: Mapping[str, Mapping[str, FileBody]] = self.datasets_by_id[repo].commits
        else:
            model = self.by_id[repo]
            commits = {"main": model.files, model.sha: model.files}
        if verb == "refs":
            sha = self.datasets_by_id[repo].sha if kind == "datasets" else self.by_id[repo].sha
            branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": sha}
            return json_reply(200, {"branches": [branch], "converts": [], "tags": []})
        revision = next((r for r in sorted(commits, key=len, reverse=True) if f"{rest}/".startswith(f"{r}/")), None)
        if revision is None:
            return no_revision(rest)
        folder = rest[len(revision) + 1 :]
        files = commits[revision]
        if verb == "paths-info":
            wanted = [value for name, value in parse_qsl(request.body.decode()) if name == "paths"]
            return json_reply(200, [self.entry(kind, repo, name, files[name]) for name in wanted if name in files])
        inside = {name: body for name, body in sorted(files.items()) if name.startswith(f"{folder}/" if folder else "")}
        if folder and not inside:
            return failure(404, f"{folder} does not exist", ("X-Error-Code", "EntryNotFound"))
        entries: dict[str, dict[str, Any]] = {}
        for name, body in inside.items():
            below = name[len(folder) + 1 if folder else 0 :]
            if "/" in below and (request.param("recursive") or "").lower() != "true":
                path = f"{folder}/{below.split('/')[0]}".strip("/")
                entries[path] = {"type": "directory", "oid": sha1(path.encode()).hexdigest(), "size": 0, "path": path}
            else:
                entries[name] = self.entry(kind, repo, name, body)
        return json_reply(200, list(entries.values()))

    def entry(self, kind: str, repo: str, name: str, body: FileBody) -> dict[str, Any]:
        """A file in a tree."""
        data = read(body)
        entry: dict[str, Any] = {"type": "file", "oid": blob_id(data), "size": len(data), "path": name}
        if self.is_lfs(kind, repo, name):
            entry["lfs"] = {"oid": sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return entry

    def is_lfs(self, kind: str, repo: str, name: str) -> bool:
        """Whether a file is kept on the file host."""
        if kind == "datasets":
            return self.datasets_by_id[repo].lfs and name.endswith(".parquet")
        return name in self.by_id[repo].lfs

    def resolve(self, request: Request, kind: str, repo: str, revision: str, name: str) -> Reply:
        """One file."""
        if refusal := self.missing(request, kind, repo):
            return refusal
        if kind == "models":
            model = self.by_id[repo]
            if model.disabled:
                return failure(403, "Access to this resource is disabled.")
            if model.gated and not self.may(request, repo):
                where = f"Access to model {repo} is restricted"
                status, rest = (403, "and you are not in the authorized list.") if request.token() else (401, "")
                return failure(status, f"{where} {rest}".strip(), ("X-Error-Code", "GatedRepo"))
            files: Mapping[str, FileBody] = model.files
            sha = model.sha
            if revision not in ("main", sha):
                return no_revision(revision)
            if name == ADAPTER_CONFIG and self.count_downloads:
                model.downloads += 1
                self.catalogue.touch(model)
        else:
            dataset = self.datasets_by_id[repo]
            commits = dataset.commits
            if revision not in commits:
                return no_revision(revision)
            files = commits[revision]
            sha = dataset.sha_of(commits[revision])
        commit = ("X-Repo-Commit", sha)
        if name not in files:
            return failure(404, "Entry not found", ("X-Error-Code", "EntryNotFound"), commit)
        body = read(files[name])
        if self.is_lfs(kind, repo, name):
            digest = sha256(body).hexdigest()
            self.file_host.held[f"/{digest}"] = body
            linked = (("X-Linked-Etag", f'"{digest}"'), ("X-Linked-Size", str(len(body))), ("ETag", f'"{digest}"'))
            return Reply(302, b"", (commit, *linked, ("Location", f"{self.file_host.url}/{digest}")))
        headers = (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Disposition", f"inline; filename*=UTF-8''{quote(name)}; filename=\"{quote(name)}\";"),
            commit,
        )
        return ranged(request, conditional(request, Reply(200, body, headers), f'"{blob_id(body)}"'))


def main() -> None:
    """Runs the stand-in alone."""
    parser = arguments("the Hugging Face Hub", items=500)
    parser.add_argument("--peft-share", type=float, default=0.9, help="share of models tagged peft")
    parser.add_argument("--page-cap", type=int, default=1000)
    parser.add_argument("--quota", choices=("none", "anonymous", "free"), default="none")
    parser.add_argument("--api", type=int, help="api requests per window, instead of --quota")
    parser.add_argument("--resolvers", type=int, help="file requests per window, instead of --quota")
    parser.add_argument("--window", type=float, default=300.0, help="seconds of --api and --resolvers")
    options = parser.parse_args()
    quota = {"none": None, "anonymous": ANONYMOUS, "free": FREE}[options.quota]
    if options.api or options.resolvers:
        own = {"api": options.api, "resolvers": options.resolvers}
        quota = {bucket: Quota(limit, options.window) for bucket, limit in own.items() if limit}
    models = synthetic_hub(options.items, seed=options.seed, peft_share=options.peft_share)
    run_alone(HubServer(models, quota=quota, page_cap=options.page_cap), options)


if __name__ == "__main__":
    main()
