"""Files of one suffix in a folder, read with a cap: what the sources `cards` and `configs` have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from hubstats.records import Failure, Page, Record

PAGE_FILES = 200

Parse = Callable[[str, bytes, bool, datetime], Record]
"""(subject id, content up to the cap, was it cut, now) -> record."""


def missing(path: str | None, kind: str, suffix: str) -> str | None:
    """Why a folder cannot be read, and what to do; None when it can."""
    if path is None:
        return f"it needs a folder: hubstats import --kind {kind} PATH"
    folder = Path(path)
    if not folder.exists():
        return f"there is no {path}; give a folder of {suffix} files"
    if not folder.is_dir() and folder.suffix != suffix:
        return f"{path} is no folder and no {suffix} file"
    return None


def read_folder(source: str, path: str, suffix: str, cap: int, parse: Parse) -> Iterator[Page]:
    """Pages with one record a file; the subject id is the relative path without suffix. Symlinks are not followed.

    A file that cannot be read is a Failure record, and the rest goes on.
    """
    root = Path(path)
    files = [root] if root.is_file() else sorted(_walk(root, suffix))
    base = root.parent if root.is_file() else root
    for start in range(0, len(files), PAGE_FILES):
        records = [_read(source, file, base, cap, parse) for file in files[start : start + PAGE_FILES]]
        yield Page(tuple(records), expected=len(files))


def _walk(root: Path, suffix: str) -> Iterator[Path]:
    for file in root.rglob(f"*{suffix}"):
        if file.is_file() and not file.is_symlink():
            yield file


def _read(source: str, file: Path, base: Path, cap: int, parse: Parse) -> Record:
    subject = file.relative_to(base).with_suffix("").as_posix().encode("utf-8", "replace").decode()
    now = datetime.now(UTC)
    try:
        with file.open("rb") as stream:
            content = stream.read(cap + 1)
    except OSError as error:
        return Failure(source, subject, file.name, "unreadable", f"cannot read {file}: {error.strerror}", now)
    return parse(subject, content[:cap], len(content) > cap, now)
