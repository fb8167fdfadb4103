"""Stand-in for GitHub's REST interface, as far as code search and blobs go.

    with GitHubServer(synthetic_github(150, seed=1)) as github:         # HUBSTATS_GITHUB_URL = github.url
        github.add([SourceFile("someone/project", "train.py", b"from peft import LoraConfig\\n")])
        github.remove("someone/project")

    GitHubServer(files, quota=DOCUMENTED)                               # code_search 9 / minute, core 5000 / hour
    GitHubServer(files, quota={"code_search": Quota(3, 2.0), "core": Quota(50, 2.0)}, limit_status=429)
    GitHubServer(files, tokens={"ghp_good": "repo, workflow"})          # a classic token's scopes; None: fine-grained
    github.trip_secondary(seconds=2)                                    # secondary limit: 403 until then
    GitHubServer(files, total_count=lambda n: n // 3 if n > 100 else n) # a total that is wrong
    GitHubServer(files, incomplete_every=4)                             # every 4th search times out: half its items
    GitHubServer(files, wide_loss=0.2)                                  # a fifth is missing from wide size slices
    GitHubServer(files, renamed={"old/name": "new/name"}, blocked={"taken/down": 451})

Served: GET /search/code, /repos/{owner}/{repo}/git/blobs/{sha}, /repos/{owner}/{repo}, /rate_limit, /user.

The search is the legacy engine of the REST interface: words only (punctuation ignored, case ignored), quoted phrases as
sequences of words, qualifiers size language extension filename path repo user org fork in, OR and NOT; files under
384 KB; forks only with fork:true; at most 100 a page and 1,000 in all, after which 422; text_matches (at most two
fragments a file) when the Accept header asks for them. Needs a token. 304 on a blob costs no quota.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha1
from math import ceil
from typing import Any
from urllib.parse import quote, urlencode

from .code_search import Qualifier, Search, SourceFile, bounds, parse, qualifies, text_matches, words
from .http_server import LoopbackServer
from .process import arguments, run_alone
from .quota import Quota
from .synthetic_code import synthetic_github
from .wire import Headers, Reply, Request, conditional, json_reply

__all__ = ["DOCUMENTED", "GitHubServer", "Quota", "SourceFile", "synthetic_github"]

DOCUMENTED = {"code_search": Quota(9, 60.0), "core": Quota(5000, 3600.0)}
ANONYMOUS_CORE = 60
SIZE_LIMIT = 384 * 1024
RESULT_LIMIT = 1000
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID."
)


@dataclass(eq=False)
class GitHubServer(LoopbackServer):
    """See the module."""

    files: Iterable[SourceFile] = ()
    tokens: Collection[str] | Mapping[str, str | None] = field(default=("ghp_good",), kw_only=True)
    limit_status: int = field(default=403, kw_only=True)
    """Status over the primary limit: 403 or 429, both documented."""
    total_count: Callable[[int], int] = field(default=lambda count: count, kw_only=True)
    incomplete_every: int = field(default=0, kw_only=True)
    wide_loss: float = field(default=0.0, kw_only=True)
    """Share of files that a search misses unless its size: range spans less than `narrow` bytes."""
    narrow: int = field(default=1000, kw_only=True)
    secondary_per_minute: int | None = field(default=None, kw_only=True)
    """Requests in any minute beyond which the secondary limit trips (GitHub: 900 points)."""
    renamed: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    blocked: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    """Repositories answered with 451 (taken down) or 409 (empty) or 403."""

    WINDOWS_OPEN = "request"

    def __post_init__(self) -> None:
        LoopbackServer.__post_init__(self)
        self.secondary_until = 0.0  # by the clock of the windows
        self.secondary_hint = True
        self.recent: list[float] = []
        self.searches = 0
        self.held: dict[tuple[str, str], SourceFile] = {}
        self.add(self.files)

    def add(self, files: Iterable[SourceFile]) -> None:
        """More files, or new content under the same repository and path."""
        with self.lock:
            self.held.update(((file.repo, file.path), file) for file in files)
            self.by_blob = {(file.repo.lower(), file.sha): file for file in self.held.values()}
            self.text: dict[tuple[str, str], str] = {}

    def remove(self, repo: str) -> None:
        """Deletes a repository."""
        with self.lock:
            self.held = {key: file for key, file in self.held.items() if file.repo != repo}
            self.add(())

    def trip_secondary(self, seconds: float, *, retry_after: bool = True) -> None:
        """Refuses everything for so long, with or without naming the wait in Retry-After."""
        with self.lock:
            self.secondary_until = self.windows.clock() + seconds
            self.secondary_hint = retry_after

    # Limits ------------------------------------------------------------------------------------------------------

    def bucket_of(self, request: Request) -> str:
        """code_search, core, or none for /rate_limit."""
        if request.path == "/rate_limit":
            return "none"
        return "code_search" if request.path == "/search/code" else "core"

    def quota_of(self, request: Request, bucket: str) -> tuple[str, Quota | None]:
        """Without a good token core is small."""
        token = request.token()
        if token is not None and token in self.tokens:
            return token, None
        core = self.windows.quotas.get("core")
        small = Quota(ANONYMOUS_CORE, core.seconds) if core and bucket == "core" else None
        return "anonymous", small if small and core and small.limit < core.limit else None

    def limit_headers(self, bucket: str, left: int, seconds: float, limit: int, window: float) -> Headers:
        """x-ratelimit-*; the reset is epoch seconds."""
        return (
            ("x-ratelimit-limit", str(limit)),
            ("x-ratelimit-remaining", str(left)),
            ("x-ratelimit-used", str(max(0, limit - left))),
            ("x-ratelimit-reset", str(ceil(self.windows.clock() + seconds - 0.001))),
            ("x-ratelimit-resource", bucket),
        )

    def refuse(self, request: Request, bucket: str, seconds: float) -> Reply:
        """The primary limit's answer."""
        return problem(self.limit_status, "API rate limit exceeded for user ID 1. If you reach out, mention the ID.")

    @property
    def sent_429(self) -> int:
        """Rate-limit answers, whether 429 or 403."""
        return self.statuses[429] + self.limited_403

    def forget(self) -> None:
        """Empties the records."""
        self.limited_403 = 0
        LoopbackServer.forget(self)

    def limited(self, request: Request, bucket: str) -> Reply:
        """Secondary limit first; it takes no quota of the primary one."""
        now = self.windows.clock()
        if self.secondary_per_minute is not None:
            self.recent = [moment for moment in self.recent if moment > now - 60.0] + [now]
            if len(self.recent) > self.secondary_per_minute and now >= self.secondary_until:
                self.trip_secondary(60.0)
        if now < self.secondary_until:
            self.limited_403 += 1
            hint = (("Retry-After", str(ceil(self.secondary_until - now))),) if self.secondary_hint else ()
            return problem(403, SECONDARY, *hint)
        reply = LoopbackServer.limited(self, request, bucket)
        if reply.status == 403 and b"API rate limit exceeded" in reply.body:
            self.limited_403 += 1
        return reply

    # Answers -----------------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Routes by path."""
        if not request.headers.get("user-agent"):
            page = b"Request forbidden by administrative rules. Please make sure your request has a User-Agent header."
            return Reply(403, page, (("Content-Type", "text/plain"),))
        token = request.token()
        if token is not None and token not in self.tokens:
            return problem(401, "Bad credentials")
        scopes = self.tokens[token] if token and isinstance(self.tokens, Mapping) else None
        reply = self.route(request, token)
        return reply if scopes is None else reply.with_headers(("X-OAuth-Scopes", scopes))

    def route(self, request: Request, token: str | None) -> Reply:
        """The answer to a caller who is known or anonymous."""
        if request.path == "/rate_limit":
            return self.rate_limit(request)
        if request.path == "/user":
            return json_reply(200, {"login": "someone", "id": 1, "type": "User"}) if token else NO_TOKEN()
        if request.path == "/search/code":
            return self.search(request) if token else NO_TOKEN()
        if match := re.fullmatch(r"/repos/([^/]+/[^/]+)(?:/git/blobs/([^/]+))?", request.path):
            return self.repository(request, match[1], match[2])
        if match := re.fullmatch(r"/repositories/(\d+)(?:/git/blobs/([^/]+))?", request.path):
            names = [file.repo for file in self.held.values() if repo_id(file.repo) == int(match[1])]
            return self.repository(request, names[0], match[2]) if names else problem(404, "Not Found")
        return problem(404, "Not Found")

    def rate_limit(self, request: Request) -> Reply:
        """Every bucket as it stands; asking costs nothing."""
        resources = {}
        for bucket, quota in self.windows.quotas.items():
            caller, own = self.quota_of(request, bucket)
            grant = self.windows.look(bucket, caller, own or quota)
            assert grant is not None
            resources[bucket] = {
                "limit": grant.limit,
                "used": grant.used,
                "remaining": grant.left,
                "reset": ceil(grant.ends_at),
            }
        return json_reply(200, {"resources": resources, "rate": resources.get("core", {})})

    def repository(self, request: Request, repo: str, sha: str | None) -> Reply:
        """A repository, or one of its blobs."""
        if repo in self.renamed:
            rest = f"/git/blobs/{sha}" if sha else ""
            place = f"{self.url}/repositories/{repo_id(self.renamed[repo])}{rest}"
            return problem(301, "Moved Permanently", ("Location", place), url=place)
        status = self.blocked.get(repo)
        if status == 451:
            block = {"reason": "dmca", "created_at": "2025-01-01T00:00:00Z", "html_url": "https://example.org/notice"}
            return problem(451, "Repository access blocked", block=block)
        if status is not None:
            return problem(status, {409: "Git Repository is empty."}.get(status, "Repository access blocked"))
        if sha is None:
            fork = next((f.fork for f in self.held.values() if f.repo.lower() == repo.lower()), None)
            return problem(404, "Not Found") if fork is None else json_reply(200, self.repository_shown(repo, fork))
        file = self.by_blob.get((repo.lower(), sha))
        if file is None:
            return problem(404, "Not Found")
        accept = request.headers.get("accept", "")
        if re.search(r"application/vnd\.github(\.[\w-]+)?\.raw", accept):
            reply = Reply(200, file.content, (("Content-Type", "application/vnd.github.raw; charset=utf-8"),))
        else:
            encoded = base64.encodebytes(file.content).decode()  # lines of 76 characters, each ended
            shown = {
                "sha": sha,
                "node_id": f"B_{sha[:20]}",
                "size": len(file.content),
                "url": f"{self.url}/repos/{file.repo}/git/blobs/{sha}",
                "content": encoded,
                "encoding": "base64",
            }
            reply = json_reply(200, shown)
        return conditional(request, reply, f'"{sha1((accept + sha).encode()).hexdigest()}"')

    def repository_shown(self, repo: str, fork: bool) -> dict[str, Any]:
        """The minimal repository object of a search result."""
        owner, _, name = repo.partition("/")
        return {
            "id": repo_id(repo),
            "name": name,
            "full_name": repo,
            "private": False,
            "fork": fork,
            "owner": {"login": owner, "id": repo_id(owner), "type": "User"},
            "html_url": f"https://github.com/{repo}",
            "url": f"{self.url}/repos/{repo}",
        }

    # Search ------------------------------------------------------------------------------------------------------

    def search(self, request: Request) -> Reply:
        """One page of /search/code."""
        query = request.param("q") or ""
        parsed = parse(query)
        if not query.strip():
            return invalid("missing")
        if len(parsed.words) > 256:
            return invalid("invalid", "The search is longer than 256 characters.")
        if parsed.operators > 5:
            return invalid("invalid", "More than five AND / OR / NOT operators were used.")
        for qualifier in parsed.qualifiers:
            name, value = qualifier.name, qualifier.value
            if name in ("repo", "user", "org") and not any(
                qualifies(file, Qualifier(name, value)) for file in self.held.values()
            ):
                return invalid("invalid", UNSEEN)
            if name == "size" and bounds(value) is None:
                return invalid("invalid", f"{value!r} is not a size.")
        per_page, page = number(request.param("per_page"), 30), number(request.param("page"), 1)
        per_page = min(per_page, 100)
        if page * per_page > RESULT_LIMIT:
            return problem(422, "Only the first 1000 search results are available")
        found = self.found(parsed)
        self.searches += 1
        incomplete = bool(self.incomplete_every) and self.searches % self.incomplete_every == 0
        if incomplete:
            found = found[: len(found) // 2]
        shown = found[:RESULT_LIMIT][(page - 1) * per_page : page * per_page]
        matches = "text-match" in request.headers.get("accept", "")
        body = {
            "total_count": self.total_count(len(found)),
            "incomplete_results": incomplete,
            "items": [self.item(file, parsed, matches) for file in shown],
        }
        return json_reply(200, body, *self.links(request, page, ceil(min(len(found), RESULT_LIMIT) / per_page)))

    def found(self, parsed: Search) -> list[SourceFile]:
        """All files the query finds, best first (an order that depends on the file alone)."""
        spans = [bounds(q.value) for q in parsed.qualifiers if q.name == "size" and not q.negated]
        narrow = any(span is not None and span[1] - span[0] < self.narrow for span in spans)
        forks = parsed.first("fork")
        found = []
        for file in self.held.values():
            if len(file.content) >= SIZE_LIMIT or (file.fork and forks not in ("true", "only")):
                continue
            if not file.fork and forks == "only":
                continue
            if self.wide_loss and not narrow and int(file.sha[:6], 16) / 0xFFFFFF < self.wide_loss:
                continue
            if all(qualifies(file, qualifier) for qualifier in parsed.qualifiers) and self.says(file, parsed):
                found.append(file)
        return sorted(found, key=lambda file: sha1(f"{file.repo}/{file.path}".encode()).digest())

    def says(self, file: SourceFile, parsed: Search) -> bool:
        """Whether the words are in the file (or, with in:path, in its path)."""
        key = (file.repo, file.path)
        if key not in self.text:
            self.text[key] = words(file.content.decode(errors="replace"))
        text = words(file.path) if parsed.first("in") == "path" else self.text[key]
        return any(
            all(phrase in text for phrase in wanted) and not any(phrase in text for phrase in unwanted)
            for wanted, unwanted in parsed.alternatives
        )

    def item(self, file: SourceFile, parsed: Search, matches: bool) -> dict[str, Any]:
        """One result."""
        place = f"{self.url}/repos/{file.repo}"
        item = {
            "name": file.path.rpartition("/")[2],
            "path": file.path,
            "sha": file.sha,
            "url": f"{place}/contents/{quote(file.path)}?ref=main",
            "git_url": f"{place}/git/blobs/{file.sha}",
            "html_url": f"https://github.com/{file.repo}/blob/main/{quote(file.path)}",
            "repository": self.repository_shown(file.repo, file.fork),
            "score": 1.0,
        }
        if matches:
            item["text_matches"] = text_matches(file, parsed, f"{place}/contents/{quote(file.path)}?ref=main")
        return item

    def links(self, request: Request, page: int, last: int) -> Headers:
        """The Link header of a page, when there is another."""
        if page >= last:
            return ()
        query = [pair for pair in request.query if pair[0] != "page"]
        places = [(page + 1, "next"), (last, "last")]
        if page > 1:
            places += [(1, "first"), (page - 1, "prev")]
        shown = (f'<{self.url}/search/code?{urlencode([*query, ("page", n)])}>; rel="{rel}"' for n, rel in places)
        return (("Link", ", ".join(shown)),)


UNSEEN = (
    "The listed users and repositories cannot be searched either because the resources do not exist or you do not "
    "have permission to view them."
)


def problem(status: int, message: str, *headers: tuple[str, str], **more: Any) -> Reply:
    """An error as GitHub words it."""
    body = {"message": message, **more, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    return json_reply(status, body, *headers)


NO_TOKEN = partial(problem, 401, "Requires authentication")


def invalid(code: str, message: str | None = None) -> Reply:
    """422 Validation Failed."""
    error = {"resource": "Search", "field": "q", "code": code} | ({"message": message} if message else {})
    return problem(422, "Validation Failed", errors=[error])


def repo_id(name: str) -> int:
    """A number that stands for a repository or owner."""
    return int(sha1(name.lower().encode()).hexdigest()[:7], 16)


def number(text: str | None, default: int) -> int:
    """A positive number, or the default: GitHub forgives the rest."""
    return int(text) if text and text.isdigit() and int(text) > 0 else default


def main() -> None:
    """Runs the stand-in alone."""
    parser = arguments("GitHub's REST interface", items=150)
    parser.add_argument("--no-quota", action="store_true")
    options = parser.parse_args()
    files = synthetic_github(options.items, seed=options.seed)
    run_alone(GitHubServer(files, quota=None if options.no_quota else DOCUMENTED), options)


if __name__ == "__main__":
    main()
