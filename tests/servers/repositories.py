"""Files of the Hub stand-in: datasets, the host where large files lie, and what the Hub says when there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha1, sha256
from pathlib import Path

from .http_server import LoopbackServer
from .wire import Reply, Request, json_reply, ranged

FLOOR = datetime(2022, 3, 2, 23, 29, 4, tzinfo=UTC)
"""createdAt of everything older than the Hub's database."""

FileBody = bytes | Path | Callable[[], bytes]
"""A file as bytes, as a local path, or as a function that makes its bytes when they are asked for."""


@dataclass
class Dataset:
    """A dataset repository. Each commit maps paths to file bodies; `files` is main."""

    id: str
    files: Mapping[str, FileBody]
    earlier: tuple[Mapping[str, FileBody], ...] = ()
    """Older commits, oldest first."""
    branches: Mapping[str, Mapping[str, FileBody]] = field(default_factory=dict)
    """Other revisions by name, such as refs/convert/parquet."""
    lfs: bool = True
    """Parquet files are redirected to the file host."""
    last_modified: datetime = FLOOR

    @cached_property
    def commits(self) -> dict[str, Mapping[str, FileBody]]:
        """Files by revision: sha of each commit, names of branches, main."""
        by_sha = {self.sha_of(files): files for files in (*self.earlier, *self.branches.values(), self.files)}
        return {**by_sha, **self.branches, "main": self.files}

    def sha_of(self, files: Mapping[str, FileBody]) -> str:
        """40 hex digits that stand for this state of the repository."""
        return sha1(repr([(name, blob_id(read(body))) for name, body in sorted(files.items())]).encode()).hexdigest()

    @property
    def sha(self) -> str:
        """Commit of main."""
        return self.sha_of(self.files)


def read(body: FileBody) -> bytes:
    """The bytes of a file given as bytes, as a path, or as a function that makes them."""
    if isinstance(body, bytes):
        return body
    return body.read_bytes() if isinstance(body, Path) else body()


def blob_id(body: bytes) -> str:
    """The id git gives to a file with these bytes."""
    return sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


class FileHost(LoopbackServer):
    """Where large files live: another host, which must never see the Hub's token. Unknown paths answer 503."""

    def __post_init__(self) -> None:
        LoopbackServer.__post_init__(self)
        self.held: dict[str, bytes] = {}

    def answer(self, request: Request) -> Reply:
        """The bytes held under the path, whole or in part."""
        body = self.held.get(request.path)
        if body is None:
            return Reply(503, b"no such object", (("Content-Type", "text/plain"),))
        headers = (("Content-Type", "application/octet-stream"), ("ETag", f'"{sha256(body).hexdigest()}"'))
        return ranged(request, Reply(200, body, headers, compress=False))

    @property
    def saw_token(self) -> bool:
        """Whether any request carried an Authorization header."""
        return any("authorization" in request.headers for request in self.requests)


NO_USER = "Invalid username or password."


def failure(status: int, message: str, *headers: tuple[str, str]) -> Reply:
    """An error of the Hub: the message in the body and in X-Error-Message."""
    return json_reply(status, {"error": message}, ("X-Error-Message", message), *headers)


def no_revision(revision: str) -> Reply:
    """404 for a revision that does not exist."""
    return failure(404, f"Invalid rev id: {revision}", ("X-Error-Code", "RevisionNotFound"))
