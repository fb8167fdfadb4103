"""Reading commits of git repositories through git's plumbing, without trusting the repository.

Only three commands run: rev-parse, ls-tree and cat-file (and config, to read one address). None checks out, runs a
filter or looks at the index. A repository's own settings could still name programs (hooks, file monitor, transports
for objects it lacks), so these are overridden, the caller's and the machine's git settings are left out, and no
transport is allowed: nothing is fetched, and an object that is not there is reported as missing. A few bytes may stand
for any number of files (a folder that holds one folder ten times, ten levels deep), for objects of any size, or for
waiting for ever (a pipe in place of a file), so what git says, what memory it takes and how long it is silent are
bounded.
"""

from __future__ import annotations

import io
import os
import re
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha1
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple
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
MOST_FILES = 2_000_000
"""Of a commit; the largest repositories of source have a third of that."""
MOST_SAID = 1 << 28
"""Bytes of one answer that is held as a whole: the log of 20,000 result files takes 4 MB."""
LONGEST_PATH = 1 << 16
MEMORY = 4 << 30
"""Bytes of memory that git may take."""
SILENCE = 120.0
"""Seconds that git may think without a word. A log of a large repository thinks longest."""


class GitError(Exception):
    """git refused, or is not there; the text is one line."""


def is_blob(body: bytes, name: str) -> bool:
    """Whether git would give these bytes this name; True for a name that is no SHA-1, of which nothing is known."""
    if re.fullmatch(r"[0-9a-f]{40}", name) is None:
        return True
    return sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest() == name


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

    def files(self, commit: str, endings: tuple[str, ...] = ("",)) -> Iterator[Entry]:
        """Every regular file of the commit whose path ends so, in small letters or capitals; no links, no submodules.

        Raises GitError.
        """
        wanted = tuple(ending.encode() for ending in endings)
        for line in self._lines("ls-tree", "-r", "-z", "--long", "--full-tree", commit):
            about, _, path = line.partition(b"\t")
            if path.lower().endswith(wanted):
                mode, kind, sha, size = about.split()
                if kind == b"blob" and mode != b"120000":
                    yield Entry(_path(path), sha.decode(), int(size) if size.isdigit() else None)

    def count(self, commit: str, endings: tuple[str, ...]) -> int:
        """How many paths of the commit end so; links count, and no object is looked at. Raises GitError."""
        wanted = tuple(ending.encode() for ending in endings)
        lines = self._lines("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
        return sum(path.lower().endswith(wanted) for path in lines)

    def _lines(self, *arguments: str) -> Iterator[bytes]:
        """What git lists, each entry ended by a NUL. Raises GitError when there is no end to it."""
        with self._start(*arguments) as out:
            rest = b""
            count = 0
            while chunk := out.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\x00")
                count += len(lines)
                if count > MOST_FILES or len(rest) > LONGEST_PATH:
                    raise GitError(f"the commit has more than {MOST_FILES:,} files, or paths of any length; not read")
                yield from lines

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

        Its input and its messages are files, so no side can wait for another. Raises GitError when git fails of its
        own or falls silent.
        """
        with TemporaryFile() as into, TemporaryFile() as messages:
            into.write(given.encode())
            into.seek(0)
            try:
                process = subprocess.Popen(
                    [*self._command, *arguments],
                    env=self._environment,
                    stdin=into,
                    stdout=subprocess.PIPE,
                    stderr=messages,
                )
            except (OSError, ValueError) as error:
                raise GitError(f"git cannot be run: {error}") from error
            _bound_memory(process.pid)
            with process:
                assert process.stdout is not None
                try:
                    with io.BufferedReader(_Patient(process.stdout.fileno()), _CHUNK) as out:
                        yield out
                except BaseException:
                    process.kill()
                    raise
            if process.returncode:
                messages.seek(0)
                said = messages.read(_CHUNK).decode("utf-8", "replace").strip().splitlines()
                why = said[-1] if said else f"git {arguments[0]} found nothing (code {process.returncode})"
                raise GitError("".join(char if char.isprintable() else " " for char in why[:300]))

    def _run(self, *arguments: str) -> bytes:
        """All that git says, if that is not more than fits."""
        with self._start(*arguments) as out:
            said = out.read(MOST_SAID + 1)
            if len(said) > MOST_SAID:
                raise GitError(f"git {arguments[0]} says more than {MOST_SAID:,} bytes; not read")
        return said


class _Patient(io.RawIOBase):
    """A pipe that is given up when nothing has come out of it for SILENCE seconds."""

    def __init__(self, number: int) -> None:
        self._number = number

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # Windows cannot wait for a pipe; there git is waited for as long as it takes.
        if os.name != "nt" and not select.select([self._number], [], [], SILENCE)[0]:
            raise GitError(f"git said nothing for {SILENCE:.0f} s; is a file of the repository no file?")
        data = os.read(self._number, len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _bound_memory(process: int) -> None:
    """On Linux the kernel refuses git more than MEMORY; files that it maps do not count."""
    with suppress(ImportError, AttributeError, OSError, ValueError):
        import resource

        resource.prlimit(process, resource.RLIMIT_DATA, (MEMORY, MEMORY))


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
