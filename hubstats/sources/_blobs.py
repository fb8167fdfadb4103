"""The content behind the hits of a code search: fetched once per blob, decoded, read for imports.

    GET /repos/{owner}/{name}/git/blobs/{sha}
    {"sha": "...", "size": 412, "encoding": "base64", "content": "ZnJvbSBwZWZ0IGltcG9ydCBMb3JhQ29uZmlnCg==\n"}

A blob's text goes with the first place that holds it. Every other place gets a row without text, the same
`blob_sha` and the same imports, so a copied file costs one request and one text however often it was copied.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from hubstats.errors import AccessDenied, BadPage, Unreachable
from hubstats.imports import FileReading, classify, read_imports
from hubstats.records import CodeFile, CodeImport, FileStatus, Record
from hubstats.sources import _fields as fields
from hubstats.sources._code_search import Hit
from hubstats.sources._git import is_blob
from hubstats.sources._pages import ask

if TYPE_CHECKING:
    from hubstats.http import HttpClient

MAX_BLOB = 1024 * 1024
MOST_UNREACHABLE = 5
"""Blobs of one page that may be out of reach before GitHub counts as out of reach."""
MOST_AT_ONCE = 8
"""Requests under way at once; GitHub objects to 100."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One file's content, fetched and decoded, or why it could not be."""

    status: FileStatus
    data: bytes | None = None
    size: int | None = None
    detail: str | None = None


def read_blob(status: int, body: Any, truncated: bool = False) -> Blob:
    """What an answer to a blob request holds, whatever it is."""
    if truncated:
        return Blob("too_large", detail=f"the blob is over {MAX_BLOB:,} bytes")
    if status != 200:
        kind: FileStatus = "disabled" if status == 451 else "unavailable"
        return Blob(kind, detail=f"HTTP {status}: the repository is gone, renamed or closed since it was indexed")
    if not isinstance(body, dict) or not isinstance(body.get("content"), str):
        return Blob("malformed", detail="the answer is not a blob")
    if body.get("encoding") != "base64":
        return Blob("malformed", detail=f"blob in an unknown encoding: {fields.text(body, 'encoding', 40)}")
    try:
        data = base64.b64decode("".join(body["content"].split()), validate=True)
    except (binascii.Error, ValueError):
        return Blob("malformed", detail="the blob is not base64")
    if len(data) > MAX_BLOB:
        return Blob("too_large", data[:MAX_BLOB], len(data), f"cut at {MAX_BLOB:,} bytes")
    return Blob("ok", data, len(data))


class BlobReader:
    """Turns hits into files and imports, and remembers for one crawl what it has read."""

    def __init__(
        self,
        client: HttpClient,
        source: str,
        classes: Mapping[str, str],
        workers: int,
        known_files: Mapping[tuple[str, str], str],
    ) -> None:
        self._client = client
        self._source = source
        self._classes = classes
        self._workers = workers
        self._held = dict(known_files)
        """Place -> blob of each file that needs no reading: the store has it, or this crawl has yielded it."""
        self._texts = {sha: f"{repo}:{path}" for (repo, path), sha in sorted(known_files.items(), reverse=True)}
        """Blob -> the place with whose row the store has its text."""
        self._first: dict[str, tuple[FileReading, int, str]] = {}
        """Blob -> what was read from it, its size in bytes, and the place it was read at."""

    def read(self, hits: Iterable[Hit]) -> Iterator[Record]:
        """Files and imports of the hits; each blob that was not read before is fetched, several at a time."""
        wanted: dict[str, Hit] = {}
        rest: list[Hit] = []
        for hit in hits:
            if not hit.path.lower().endswith((".py", ".ipynb")) or self._held.get(hit.place) == hit.sha:
                continue
            rest.append(hit)
            if hit.sha not in self._first:
                wanted.setdefault(hit.sha, hit)
        blobs = self._fetch(tuple(wanted.values()))
        for hit in rest:
            self._held[hit.place] = hit.sha
            if hit.sha in self._first:
                yield from self._copy(hit)
                continue
            blob = blobs[hit.sha]
            if blob.data is None and wanted[hit.sha] is not hit:
                # The place it was asked from may be gone while this one is not.
                blob = self._fetch((hit,))[hit.sha]
            yield from self._file(hit, blob)

    def _file(self, hit: Hit, blob: Blob) -> Iterator[Record]:
        """The file just fetched, with its text, and what it imports."""
        now = datetime.now(UTC)
        text = None if blob.data is None else fields.clean(blob.data.decode("utf-8", "replace"), MAX_BLOB)
        if blob.data is None or blob.status != "ok":
            yield CodeFile(
                source=self._source,
                repo=hit.repo,
                revision=None,
                path=hit.path,
                blob_sha=hit.sha,
                status=blob.status,
                role=classify(hit.path, hit.repo),
                bytes=blob.size,
                text=text,
                detail=blob.detail,
                fetched_at=now,
            )
            return
        reading = read_imports(blob.data, hit.path, self._classes)
        place = f"{hit.repo}:{hit.path}"
        self._first[hit.sha] = (reading, len(blob.data), self._texts.get(hit.sha, place))
        if self._first[hit.sha][2] != place:  # asked for again only to read it: its text came with an earlier crawl
            yield from self._copy(hit)
            return
        yield from self._records(hit, reading, len(blob.data), text, reading.detail, now)

    def _copy(self, hit: Hit) -> Iterator[Record]:
        """Another place of a blob that was read before: no text, the same imports."""
        reading, size, first = self._first[hit.sha]
        yield from self._records(hit, reading, size, None, f"same content as {first}", datetime.now(UTC))

    def _records(
        self, hit: Hit, reading: FileReading, size: int, text: str | None, detail: str | None, now: datetime
    ) -> Iterator[Record]:
        yield CodeFile(
            source=self._source,
            repo=hit.repo,
            revision=None,
            path=hit.path,
            blob_sha=hit.sha,
            status=reading.status,
            role=classify(hit.path, hit.repo),
            parser=reading.parser,
            bytes=size,
            text=text,
            detail=detail,
            fetched_at=now,
        )
        for found in reading.imports:
            yield CodeImport(self._source, hit.repo, None, hit.path, *found)

    def _fetch(self, hits: tuple[Hit, ...]) -> dict[str, Blob]:
        unreachable = 0
        lock = Lock()

        def fetch(hit: Hit) -> Blob:
            nonlocal unreachable
            try:
                # Base64 with line breaks takes 4/3 and a little; the rest is the JSON around it.
                response, body = ask(
                    self._client, f"/repos/{hit.repo}/git/blobs/{hit.sha}", max_bytes=MAX_BLOB * 3 // 2 + 4096
                )
            except Unreachable as error:
                with lock:
                    unreachable += 1
                    if unreachable >= MOST_UNREACHABLE:
                        raise
                return Blob("failed", detail=str(error))
            except BadPage as error:
                return Blob("failed", detail=str(error))
            if response.status == 401:
                raise AccessDenied(f"github: the token is no longer accepted: {response.reason()}", status=401)
            blob = read_blob(response.status, body, response.truncated)
            if blob.status == "ok" and not is_blob(blob.data or b"", hit.sha):
                return Blob("failed", detail="what came is not what the search named; it may be cut")
            return blob

        pool = ThreadPoolExecutor(max_workers=max(1, min(self._workers, MOST_AT_ONCE)))
        try:
            running = {hit.sha: pool.submit(fetch, hit) for hit in hits}
            # Short waits: a Ctrl-C that comes while Polars minds signals wakes no one (2.1.0).
            while wait(running.values(), timeout=0.5, return_when=FIRST_EXCEPTION).not_done:
                for future in running.values():
                    if future.done() and (error := future.exception()) is not None:
                        raise error
            return {sha: future.result() for sha, future in running.items()}
        except KeyboardInterrupt:
            self._client.close()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
