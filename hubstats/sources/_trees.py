"""Where source code lies on disk: the files of a commit, or of a folder that no git repository tracks."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
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
    sha: str | None
    size: int | None


class Tree(Protocol):
    """The files of one repository or folder."""

    name: str

    def version(self) -> str:
        """What the cursor holds: equal only when nothing has changed. Raises GitError."""
        ...

    def revision(self) -> str | None: ...
    def items(self) -> list[Item]: ...
    def contents(self, items: Sequence[Item]) -> Iterator[tuple[Item, bytes | None]]: ...


class GitTree:
    """The commit that HEAD, or the pinned revision, names."""

    def __init__(self, folder: Path, git_dir: Path, pinned: str | None) -> None:
        self._git = GitRepository(git_dir)
        self._pinned = pinned
        self._commit: str | None = None
        self.name = _mirror_name(folder) or self._git.origin() or _folder_name(folder)

    def version(self) -> str:
        if self._commit is None:
            self._commit = self._git.commit(self._pinned)
        return self._commit

    def revision(self) -> str | None:
        return self._commit

    def items(self) -> list[Item]:
        return [Item(*entry) for entry in self._git.files(self.version()) if _is_wanted(entry.path)]

    def contents(self, items: Sequence[Item]) -> Iterator[tuple[Item, bytes | None]]:
        """Equal blobs are read once, however many paths they have."""
        by_sha: dict[str, list[Item]] = {}
        for item in items:
            by_sha.setdefault(item.sha or "", []).append(item)
        for same, data in zip(by_sha.values(), self._git.blobs(list(by_sha)), strict=True):
            for item in same:
                yield item, data


class FolderTree:
    """Files that no git repository tracks. Hidden ones, links, environments and packages are left out, counted."""

    def __init__(self, path: Path, left_out: Counter[str]) -> None:
        self._root = path if path.is_dir() else path.parent
        self._left_out = left_out
        self.name = _mirror_name(self._root) or _folder_name(self._root)
        files = self._walk() if path.is_dir() else [path]
        self._files = {_shown(file.relative_to(self._root)): file for file in sorted(files)}

    def version(self) -> str:
        listing = hashlib.sha256()
        for shown, file in self._files.items():
            listing.update(f"{shown}\t{_size(file)}\t{_changed(file)}\n".encode())
        return f"files:{listing.hexdigest()}"

    def revision(self) -> str | None:
        return None

    def items(self) -> list[Item]:
        return [Item(shown, None, _size(file)) for shown, file in self._files.items()]

    def contents(self, items: Sequence[Item]) -> Iterator[tuple[Item, bytes | None]]:
        for item in items:
            try:
                with self._files[item.path].open("rb") as stream:
                    data = stream.read(MAX_BYTES + 1)
            except OSError:
                yield item, None
                continue
            yield item._replace(sha=_blob_sha(data), size=len(data)), data

    def _walk(self) -> Iterator[Path]:
        folders = [self._root]
        while folders:
            try:
                entries = list(os.scandir(folders.pop()))
            except OSError:
                self._left_out["unreadable folders"] += 1
                continue
            for entry in entries:
                if entry.is_symlink():
                    self._left_out["links"] += 1
                elif entry.name.startswith("."):
                    self._left_out["hidden"] += 1
                elif entry.is_dir(follow_symlinks=False):
                    if entry.name in _NOT_SOURCE or Path(entry.path, "pyvenv.cfg").exists():
                        self._left_out["installed or cached"] += 1
                    else:
                        folders.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False) and _is_wanted(entry.name):
                    yield Path(entry.path)


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


def _is_wanted(path: str) -> bool:
    return is_source(path) or path.rpartition("/")[2] == CONFIG_FILE


def _mirror_name(folder: Path) -> str | None:
    """owner/name from a folder called owner+name, or from its parent when that is a mirror's."""
    for part in (folder.name, folder.parent.name):
        match = _MIRROR.match(part)
        if match:
            return f"{match.group(1)}/{match.group(2)}"
    return None


def _folder_name(folder: Path) -> str:
    name = folder.parent.name if folder.name == ".git" else folder.name
    return _shown(Path(name)).removesuffix(".git") or "code"


def _shown(path: Path) -> str:
    """The path as text for records; bytes that are not UTF-8 as escapes."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _changed(file: Path) -> int | None:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None


def _blob_sha(data: bytes) -> str:
    """The hash git gives this content, so that equal files are equal wherever they lie."""
    return hashlib.sha1(b"blob %d\x00" % len(data) + data, usedforsecurity=False).hexdigest()
