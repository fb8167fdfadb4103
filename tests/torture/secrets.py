"""Secrets and names: a run with known tokens, talkative servers and all logs switched on, and a search of its traces.

The tokens have shapes that no pattern knows, so only what handles the user's own token as a secret can keep them out.
The stand-ins quote the token they were sent in pages, files, headers, next links and refusals, fail now and then, and
send the client to a stranger, which writes down whatever it is told. Then everything is searched: what the processes
said, and each file below their folder, tables and archives unpacked. What is made to be published is searched for the
names of authors as well, and for the folder it was made in.
"""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import polars

from hubstats import queries
from hubstats.ask import connect
from hubstats.rows import encode
from tests.servers.civitai import CivitaiServer, synthetic_civitai
from tests.servers.faults import ALL, FaultPlan
from tests.servers.github import GitHubServer, synthetic_github
from tests.servers.http_server import LoopbackServer
from tests.servers.hub import Dataset, HubServer, synthetic_hub
from tests.servers.wire import Reply, Request, json_reply

from .outcome import Outcome, Scale
from .stage import Ran, Stage

HUB = "api_org_torturePlanHubSecretOfNoOne0123456789"
GITHUB = "5ec2e7700000000000000000000000000decafbad"
PASSWORD = "tortureMirrorPassword"
SITE = "tortureSiteTokenThatNothingReads"
WRONG = "api_org_tortureRevokedSecretOfNoOne987654321"
SECRETS = (HUB, GITHUB, PASSWORD, SITE, WRONG)
DB = "hubstats.duckdb"
STALL = 0.6


def torture(scale: Scale, folder: Path) -> Iterator[Outcome]:
    """The run with its search, then the search for names in what is published."""
    servers = _servers(scale)
    with ExitStack() as running:
        for server in (*servers.values(), stranger := Stranger()):
            running.enter_context(server)
        scene = Stage(folder, servers, {"hub": ("--sample", "30"), "github": (), "civitai": ("--sample", "300")})
        run = _Run(scene, stranger)
        yield run.outcome(scale)
        yield _published(run)


# --- servers that quote -------------------------------------------------------------------------------------------


class Stranger(LoopbackServer):
    """Another host, which the servers send the client to: it keeps all that it is told, and has nothing."""

    def __post_init__(self) -> None:
        LoopbackServer.__post_init__(self)
        self.heard: list[str] = []

    def answer(self, request: Request) -> Reply:
        """A refusal that asks for a login."""
        self.heard.append(f"{request.target} {request.headers}")
        return json_reply(401, {"error": "who are you?"}, ("WWW-Authenticate", "Bearer"))


class _Quoting(LoopbackServer):
    """Repeats the credential it was sent wherever an answer has room for it."""

    in_headers = True
    """Not where libraries log the headers that they receive: what a server says there is not ours to keep quiet."""

    def answer(self, request: Request) -> Reply:
        """The stand-in's answer with the caller's token in it."""
        reply = super().answer(request)
        said = request.headers.get("authorization", "")
        token = said.partition(" ")[2]
        if not token or reply.status == 302:
            return reply
        headers = tuple(
            (name, value.replace(">; rel", f"&auth={token}>; rel") if name == "Link" else value)
            for name, value in reply.headers
            if name.lower() != "x-error-message"
        )
        headers += (("X-Debug", said), ("X-Error-Message", f"you sent {said}"))
        if not self.in_headers:
            headers = reply.headers
        body = reply.body
        if body.startswith(b"[{"):
            rows = json.loads(body)
            rows[0]["tags"] = [*rows[0].get("tags", ()), f"seen:{token}"]
            body = json.dumps(rows).encode()
        elif body.startswith(b"{"):
            body = json.dumps({**json.loads(body), "you": said}).encode() if reply.api else body
        elif b"\n" in body:
            body += f"\n<!-- served to {said} -->\n".encode()
        return replace(reply, headers=headers, body=body)


class _Hub(_Quoting, HubServer):
    pass


class _GitHub(_Quoting, GitHubServer):
    pass


def _servers(scale: Scale) -> dict[str, LoopbackServer]:
    frame = polars.DataFrame({"modelId": ["owner-9/from-a-dump"], "card": ["# LoRA\n\nTrained with LoRA.\n"]})
    data = io.BytesIO()
    frame.write_parquet(data)
    dump = Dataset("org/dump", {"cards.parquet": data.getvalue()})
    return {
        "hub": _Hub(synthetic_hub(scale.size(40, 200), seed=scale.seed), datasets=[dump], tokens=(HUB,), page_cap=10),
        "github": _GitHub(synthetic_github(scale.size(16, 80), seed=scale.seed), tokens={GITHUB: "repo, workflow"}),
        "civitai": CivitaiServer(synthetic_civitai(scale.size(300, 2000), seed=scale.seed)),
    }


# --- the run ------------------------------------------------------------------------------------------------------


@dataclass
class _Run:
    scene: Stage
    stranger: Stranger
    said: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = self.scene.home("someone-at-home")
        self.faults = 0
        port = self.scene.servers["civitai"].port
        self.scene.secrets = {
            "HF_TOKEN": HUB,
            "GITHUB_TOKEN": GITHUB,
            "HUBSTATS_CIVITAI_URL": f"http://someone:{PASSWORD}@127.0.0.1:{port}",
            "CIVITAI_API_TOKEN": SITE,
            "HUBSTATS_DEBUG": "1",
            "HF_DEBUG": "1",
            "HF_HUB_VERBOSITY": "debug",
        }

    def outcome(self, scale: Scale) -> Outcome:
        """Every command, well and in trouble, then the search."""
        began = time.monotonic()
        servers = self.scene.servers
        for server in servers.values():
            server.faults = FaultPlan(0.3, scale.seed, ALL, seconds=STALL, retry_after=0, elsewhere=self.stranger.url)
        _Quoting.in_headers = False
        first = self.call(0, 1, *self.crawl(), loud=True)
        if "GITHUB_TOKEN may do more than is needed (scopes: repo, workflow)" not in first.said:
            self.problems.append(f"no word about a token with scopes: {first.said[-300:]}")
        for server in servers.values():
            self.faults += server.faults_sent.total()
            server.faults = None
        _Quoting.in_headers = True
        self.call(0, *self.crawl(), "--refresh")
        hub = servers["hub"]
        assert isinstance(hub, HubServer)
        revision = hub.datasets_by_id["org/dump"].sha
        self.call(0, "import", "--kind", "dump", f"hf:org/dump@{revision}")
        if not hub.file_host.requests:
            self.problems.append("the dump was not fetched from the file host")
        self.call(1, "crawl", "hub", broken=2)
        self.call(1, "crawl", "github", "--refresh", environment={"GITHUB_TOKEN": WRONG})
        self.call(1, "crawl", "hub", environment={"HF_TOKEN": WRONG})
        for words in (
            ("report", "--out", "published/report.html"),
            ("freeze", "--out", "published/figures.bundle"),
            ("doctor",),
        ):
            (self.home / "published").mkdir(exist_ok=True)
            self.call(0, *words)
        if scale.long:
            self.call(1, "crawl", "hub", broken=2, environment={"HUBSTATS_DEBUG": ""})
            self.call(0, "status")
            self.call(0, "status", "--format", "json")
            self.call(0, "sql", "FROM crawl", "--format", "json")
            self.call(0, "report", "--format", "csv", "--out", "published/csv")
            self.call(0, "report", "--format", "json", "--out", "published/report.json")
        hosts = (("the stranger", self.stranger.heard), ("the file host", [str(r) for r in hub.file_host.requests]))
        told = [
            f"{secret[:12]}... was told to {host}"
            for host, heard in hosts
            for secret in (*SECRETS, "authorization")
            if any(secret in request for request in heard)
        ]
        pieces = [*((f"output {n}", text.encode()) for n, text in enumerate(self.said)), *readable(self.home)]
        found = [*told, *find(pieces, SECRETS)]
        return Outcome(
            "secrets", "tokens in all that is written or sent", self.faults, inputs=len(pieces),
            secrets_found=len(found), escapes=len(self.problems), problems=(*found, *self.problems),
            seconds=time.monotonic() - began,
        )  # fmt: skip

    def crawl(self) -> tuple[str, ...]:
        return ("crawl", "hub", "github", "civitai", "--sample", "30")

    def call(self, *words: Any, environment: Mapping[str, str] | None = None, **orders: Any) -> Ran:
        """One command; the numbers before its words are the exit codes that it may have."""
        codes = [word for word in words if isinstance(word, int)]
        command = [word for word in words if isinstance(word, str)]
        kept = self.scene.secrets
        self.scene.secrets = {**kept, **(environment or {})}
        try:
            ran = self.scene.run(self.home, *command, timeout=240, **orders)
        finally:
            self.scene.secrets = kept
        self.said += [ran.out, ran.said]
        if ran.code not in codes:
            self.problems.append(f"hubstats {' '.join(command)} ended with {ran.code}: {ran.said.strip()[-300:]}")
        return ran


def _published(run: _Run) -> Outcome:
    """No author's name, and no place on the disk, in the report, the bundle, or the answer to any question."""
    began = time.monotonic()
    db = run.home / DB
    with duckdb.connect(str(db), read_only=True) as connection:
        names = {
            str(name)
            for table, column in (("hub_model", "author"), ("image_checkpoint", "creator"))
            for (name,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall()
            if name
        }
        code = connection.execute("SELECT DISTINCT split_part(repo, '/', 1) FROM code_file").fetchall()
        names |= {str(name) for (name,) in code if name}
    pieces = list(readable(run.home / "published"))
    with connect(db) as answers:
        for question in queries.find():
            pieces.append((f"query {question.name}", encode(answers.query(question.name), "csv")))
    names = {name for name in names if len(name) > 4}  # a shorter one stands in any page by chance
    problems = [] if len(names) > 20 else [f"only {len(names)} names are in the file"]
    found = find(pieces, [*names, str(run.home)])
    return Outcome(
        "secrets", "names in what is published", inputs=len(pieces), secrets_found=len(found), escapes=len(problems),
        problems=(*found, *problems), seconds=time.monotonic() - began,
    )  # fmt: skip


# --- the search ---------------------------------------------------------------------------------------------------


def find(pieces: Iterable[tuple[str, bytes]], wanted: Iterable[str]) -> list[str]:
    """Where one of the texts stands, as it is, as its bytes in hexadecimal digits, or in base64."""
    looked_for = [(text, spelling) for text in wanted for spelling in _spellings(text)]
    return [
        f"{text[:16]}... stands in {place}: ...{data[max(0, at - 60) : at + 20]!r}"
        for place, data in pieces
        for text, spelling in looked_for
        if (at := data.find(spelling)) >= 0
    ]


def _spellings(text: str) -> tuple[bytes, ...]:
    data = text.encode()
    return (data, data.hex().encode(), base64.b64encode(data).rstrip(b"=")[:-1])


def readable(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder as its bytes, and what is packed in it as text: tables, archives, Parquet."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield from _unpacked(str(path.relative_to(folder)), path)


def _unpacked(name: str, path: Path) -> Iterator[tuple[str, bytes]]:
    data = path.read_bytes()
    yield name, data
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            for (table,) in tables:
                rows = connection.execute(f"FROM {table}").fetchall()
                yield f"{name}, table {table}", repr(rows).encode("utf-8", "replace")
    elif data[:2] == b"PK":
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                held = archive.read(member)
                yield f"{name}, member {member}", held
                yield from _table(f"{name}, member {member}", held)
    else:
        yield from _table(name, data)


def _table(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:4] == b"PAR1":
        yield f"{name}, unpacked", repr(polars.read_parquet(io.BytesIO(data)).to_dicts()).encode("utf-8", "replace")
