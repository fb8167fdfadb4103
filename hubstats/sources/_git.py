"""Reading commits of git repositories through git's plumbing, without trusting the repository.

Only three commands run: rev-parse, ls-tree and cat-file (and config, to read one address). None checks out, runs a
filter or looks at the index. A repository's own settings could still name programs (hooks, file monitor, transports
for objects it lacks), so these are overridden, the caller's and the machine's git settings are left out, and no
transport is allowed: nothing is fetched, and an object that is not there is reported as missing.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple
from urllib.parse import urlsplit

_SETTINGS = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}")
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_SHA = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_SCP_ADDRESS = re.compile(r"[\w.-]+@[\w.-]+:(?!/)")
_PART = re.compile(r"[\w.-]+\Z")
_CHUNK = 1 << 16


class GitError(Exception):
    """git refused, or is not there; the text is one line."""


class Entry(NamedTuple):
    """One regular file of a commit."""

    path: str
    sha: str
    size: int | None
    """Bytes; None when the object is not in the repository (a partial clone)."""


def git_dir_of(folder: Path) -> Path | None:
    """The git directory of a work tree or bare repository, None when the folder is neither."""
    dot_git = folder / ".git"
    try:
        if dot_git.is_file() or _is_git_dir(dot_git):
            return dot_git
        return folder if _is_git_dir(folder) else None
    except OSError:
        return None


def _is_git_dir(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


class GitRepository:
    """Commits, trees and blobs of the repository in `git_dir`."""

    def __init__(self, git_dir: Path) -> None:
        self._command = ["git", "--no-pager", f"--git-dir={git_dir}"]
        for setting in _SETTINGS:
            self._command += ["-c", setting]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        self._environment = {**kept, **_ENVIRONMENT}

    def commit(self, revision: str | None) -> str:
        """Full hash of the commit that `revision` (or HEAD) names. Raises GitError when there is none."""
        wanted = f"{revision or 'HEAD'}^{{commit}}"
        found = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", wanted).strip()
        if not _SHA.match(found):
            raise GitError(f"no commit {revision}" if revision else "no commit yet")
        return found.decode()

    def origin(self) -> str | None:
        """`owner/name` from the address it was cloned from; None when that is a local path or absent."""
        try:
            address = self._run("config", "--local", "--get", "remote.origin.url").decode("utf-8", "replace").strip()
        except GitError:
            return None
        return owner_and_name(address)

    def files(self, commit: str) -> Iterator[Entry]:
        """Every regular file of the commit, links and submodules left out. Raises GitError."""
        with self._start("ls-tree", "-r", "-z", "--long", "--full-tree", commit) as out:
            rest = b""
            while chunk := out.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\x00")
                for line in lines:
                    about, _, path = line.partition(b"\t")
                    mode, kind, sha, size = about.split()
                    if kind == b"blob" and mode != b"120000":
                        yield Entry(_path(path), sha.decode(), int(size) if size.isdigit() else None)

    def blobs(self, shas: Sequence[str]) -> Iterator[bytes | None]:
        """Content of each object in the order asked for, from one process; None for one that is not there.

        Raises GitError when git ends before the last of them.
        """
        with self._start("cat-file", "--batch", "--buffer", given="".join(f"{sha}\n" for sha in shas)) as out:
            for _ in shas:
                header = out.readline().split()
                if len(header) == 2:  # "<sha> missing"
                    yield None
                    continue
                content = out.read(int(header[2]) + 1) if len(header) == 3 else b""
                if len(content) < 1 or len(content) != int(header[2]) + 1:
                    raise GitError("git cat-file ended early: the repository is damaged or incomplete")
                yield content[:-1]

    @contextmanager
    def _start(self, *arguments: str, given: str = "") -> Iterator[IO[bytes]]:
        """The output of a running git, which is ended when the reader leaves early.

        Its input is a file, so neither side can wait for the other. Raises GitError when git fails of its own.
        """
        with TemporaryFile() as into:
            into.write(given.encode())
            into.seek(0)
            try:
                process = subprocess.Popen(
                    [*self._command, *arguments],
                    env=self._environment,
                    stdin=into,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            except (OSError, ValueError) as error:
                raise GitError(f"git cannot be run: {error}") from error
            with process:
                assert process.stdout is not None
                try:
                    yield process.stdout
                except BaseException:
                    process.kill()
                    raise
        if process.returncode:
            raise GitError(f"git {arguments[0]} ended with code {process.returncode}: is the repository damaged?")

    def _run(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(
                [*self._command, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except (OSError, ValueError) as error:
            raise GitError(f"git cannot be run: {error}") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise GitError(said[-1] if said else f"git {arguments[0]} found nothing")
        return done.stdout


def owner_and_name(address: str) -> str | None:
    """`owner/name` of the address of a git server, whatever user or password it holds; None for anything else."""
    scp = _SCP_ADDRESS.match(address)
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if scp is None and parts.scheme not in ("https", "http", "ssh", "git"):
        return None
    path = address[scp.end() :] if scp else parts.path
    *_, owner, name = ["", "", *(part for part in path.split("/") if part)]
    name = name.removesuffix(".git")
    return f"{owner}/{name}" if _PART.match(owner) and _PART.match(name) else None


def _path(raw: bytes) -> str:
    """The path as text: git's are bytes, and those that are not UTF-8 keep them as escapes."""
    return raw.decode("utf-8", "backslashreplace")
