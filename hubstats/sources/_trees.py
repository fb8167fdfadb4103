"""Where source code lies on disk: the files of a commit, or of a folder that no git repository tracks.

A listing is read as it comes, never held: a tree may have a million files. What reads the contents (`Place`) is apart
from what lists them (`Tree`), since the contents may be read in another process.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol

from hubstats.sources._git import GitRepository, git_dir_of

MAX_BYTES = 1 << 20
"""Larger files are not read: data in Python's clothes, notebooks full of pictures."""
CONFIG_FILE = "adapter_config.json"
_SUFFIXES = (".py", ".ipynb")
_NOT_SOURCE = frozenset(("node_modules", "__pycache__"))
_MIRROR = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)\+([\w.-]+?)(?:\.git)?\Z")


class Item(NamedTuple):
    """One file that concerns us, with git's hash of its content where that is known beforehand."""

    path: str
    """Relative; of a folder as the system names it, so bytes that are not UTF-8 are lone surrogates: see `shown`."""
    sha: str | None
    size: int | None


class Place(Protocol):
    """What contents are read from; it can be sent to another process on a machine that sees the same disk."""

    def contents(self, items: Sequence[Item]) -> Iterator[tuple[Item, bytes | None]]:
        """Each item with its content, up to a byte more than MAX_BYTES of it; None where there is none to be had."""
        ...


class Tree(Protocol):
    """The files of one repository or folder."""

    name: str
    place: Place

    def version(self) -> str:
        """What the cursor holds: equal only when nothing has changed. Raises GitError."""
        ...

    def revision(self) -> str | None: ...
    def expected(self) -> int | None:
        """How many source files there are, where that is known before they are listed."""
        ...

    def items(self) -> Iterator[Item]:
        """All files that concern us, in the same order every time. Raises GitError, in the middle too."""
        ...


@dataclass(frozen=True, slots=True)
class GitFiles:
    """The objects of one repository."""

    git_dir: Path

    def contents(self, items: Sequence[Item]) -> Iterator[tuple[Item, bytes | None]]:
        """See Place. Equal blobs that follow each other are read once. Raises GitError."""
        wanted = [item.sha or "" for item in items]
        blobs = GitRepository(self.git_dir).blobs([sha for sha, _ in groupby(wanted)])
        for (_, same), data in zip(groupby(items, key=lambda item: item.sha or ""), blobs, strict=True):
            for item in same:
                yield item, data


class GitTree:
    """The commit that HEAD, or the pinned revision, names."""

    def __init__(self, folder: Path, git_dir: Path, pinned: str | None) -> None:
        self._git = GitRepository(git_dir)
        self._pinned = pinned
        self._commit: str | None = None
        self.place: Place = GitFiles(git_dir)
        self.name = _mirror_name(folder) or self._git.origin() or _folder_name(folder)

    def version(self) -> str:
        if self._commit is None:
            self._commit = self._git.commit(self._pinned)
        return self._commit

    def revision(self) -> str | None:
        return self._commit

    def expected(self) -> int | None:
        return self._git.count(self.version(), _SUFFIXES)

    def items(self) -> Iterator[Item]:
        for entry in self._git.files(self.version(), (*_SUFFIXES, CONFIG_FILE)):
            if is_wanted(entry.path):
                yield Item(*entry)


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """The files below one folder."""

    root: str

    def contents(self, items: Sequence[Item]) -> Iterator[tuple[Item, bytes | None]]:
        """See Place."""
        for item in items:
            data = _read(os.path.join(self.root, item.path), item.size)  # noqa: PTH118  # a Path a file costs as much as its reading
            yield (item if data is None else item._replace(size=len(data))), data


class FolderTree:
    """Files that no git repository tracks. Hidden ones, links, environments and packages are left out, counted."""

    def __init__(self, path: Path, left_out: Counter[str]) -> None:
        self._file = None if path.is_dir() else path.name
        self._root = path if path.is_dir() else path.parent
        self._left_out = left_out
        self._version: str | None = None
        self._expected = 0
        self.place: Place = FolderFiles(str(self._root))
        self.name = _mirror_name(self._root) or _folder_name(self._root)

    def version(self) -> str:
        """See Tree. It walks the whole folder once: a list of a million files is not kept."""
        if self._version is None:
            listing = hashlib.sha256()
            for path, size, changed in self._listed(self._left_out):
                listing.update(f"{shown(path)}\t{size}\t{changed}\n".encode())
                self._expected += is_source(path)
            self._version = f"files:{listing.hexdigest()}"
        return self._version

    def revision(self) -> str | None:
        return None

    def expected(self) -> int | None:
        self.version()
        return self._expected

    def items(self) -> Iterator[Item]:
        for path, size, _ in self._listed(Counter()):
            yield Item(path, None, size)

    def _listed(self, left_out: Counter[str]) -> Iterator[tuple[str, int | None, int | None]]:
        """(path, bytes, time of change in ns) of each file, folders and files by name."""
        if self._file is not None:
            about = self._root.joinpath(self._file).stat()
            yield self._file, about.st_size, about.st_mtime_ns
            return
        folders = [("", iter(self._entries("", left_out)))]
        while folders:
            within, entries = folders[-1]
            entry = next(entries, None)
            if entry is None:
                folders.pop()
            elif entry.is_dir(follow_symlinks=False):
                inner = f"{within}{entry.name}/"
                folders.append((inner, iter(self._entries(inner, left_out))))
            else:
                size = changed = None
                with suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    size, changed = about.st_size, about.st_mtime_ns
                yield f"{within}{entry.name}", size, changed

    def _entries(self, within: str, left_out: Counter[str]) -> list[os.DirEntry[str]]:
        """The folders to go into and the files that concern us, by name."""
        try:
            with os.scandir(os.path.join(self._root, within)) as found:  # noqa: PTH118
                entries = list(found)
        except OSError:
            left_out["unreadable folders"] += 1
            return []
        kept = []
        for entry in entries:
            if entry.is_symlink():
                left_out["links"] += 1
            elif entry.name.startswith("."):
                left_out["hidden"] += 1
            elif entry.is_dir(follow_symlinks=False):
                if entry.name in _NOT_SOURCE or Path(entry.path, "pyvenv.cfg").exists():
                    left_out["installed or cached"] += 1
                else:
                    kept.append(entry)
            elif entry.is_file(follow_symlinks=False) and is_wanted(entry.name):
                kept.append(entry)
        return sorted(kept, key=lambda entry: entry.name)


def places(path: Path) -> list[tuple[Path, Path | None]]:
    """What a path stands for, as folders with their git directories: itself, or the repositories directly in it.

    A folder without a git directory, in which there are none either, is a folder of source; a file is itself.
    """
    git_dir = git_dir_of(path)
    if git_dir is not None:
        return [(path, git_dir)]
    try:
        children = sorted(child for child in path.iterdir() if not child.is_symlink())
    except OSError:
        children = []
    found: list[tuple[Path, Path | None]] = []
    for child in children:
        for place in (child, child / "repo"):  # a mirror is laid out as owner+name/repo
            git_dir = git_dir_of(place)
            if git_dir is not None:
                found.append((place, git_dir))
                break
    return found or [(path, None)]


def is_source(path: str) -> bool:
    return path.lower().endswith(_SUFFIXES)


def is_wanted(path: str) -> bool:
    return is_source(path) or path.rpartition("/")[2] == CONFIG_FILE


def shown(path: str) -> str:
    """The path as text for records; bytes that are not UTF-8 as escapes."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def blob_sha(data: bytes) -> str:
    """The hash git gives this content, so that equal files are equal wherever they lie."""
    return hashlib.sha1(b"blob %d\x00" % len(data) + data, usedforsecurity=False).hexdigest()


def _read(path: str, size: int | None) -> bytes | None:
    """The file's first MAX_BYTES and one more; None when it cannot be read. A pipe in its place is not waited for.

    `size` is what it is likely to have: to ask for more than there is costs more than to read it.
    """
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return None
    try:
        wanted = min(MAX_BYTES, MAX_BYTES if size is None else size) + 1
        data = part = os.read(number, wanted)
        while len(part) == wanted and len(data) <= MAX_BYTES:  # it has grown
            wanted = MAX_BYTES + 1 - len(data)
            part = os.read(number, wanted)
            data += part
    except OSError:
        return None
    finally:
        os.close(number)
    return data


def _mirror_name(folder: Path) -> str | None:
    """owner/name from a folder called owner+name, or from its parent when that is a mirror's."""
    for part in (folder.name, folder.parent.name):
        match = _MIRROR.match(part)
        if match:
            return f"{match.group(1)}/{match.group(2)}"
    return None


def _folder_name(folder: Path) -> str:
    name = folder.parent.name if folder.name == ".git" else folder.name
    return shown(name).removesuffix(".git") or "code"
