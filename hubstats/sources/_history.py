"""Every content that files of a git repository ever had, with the commit that brought each.

Reads only, with the repository's own settings overridden as `_git` does it; the log's switches besides keep git from
running what a hostile repository could name there (signature checkers, text converters, external diffs).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hubstats.sources._git import GitRepository


@dataclass(frozen=True, slots=True)
class Version:
    """One content that one path had."""

    commit: str
    on: str
    """Date of that commit, ISO 8601."""
    path: str
    blob: str
    current: bool
    """The tree at the revision asked for has this content at this path."""


class History(GitRepository):
    """A repository with its past. Its methods raise GitError."""

    def versions(self, commit: str, patterns: Sequence[str]) -> list[Version]:
        """All contents of the paths that match, newest first, up to and including `commit`."""
        now = {(entry.sha, entry.path) for entry in self.files(commit)}
        log = self._run(
            *("log", "-z", "--raw", "--no-renames", "--no-abbrev", "--root", "--no-show-signature", "--no-notes"),
            *("--no-ext-diff", "--no-textconv", "--format=%x01%H %cI", commit, "--"),
            *(f":(glob){pattern}" for pattern in patterns),
        )
        found: list[Version] = []
        sha = date = ""
        fields = iter(log.split(b"\0"))
        # \x01 opens a commit; an entry starts with ':' and the field after it is its path, whatever that holds
        for field in fields:
            words = field.strip(b"\n")
            if words.startswith(b"\x01"):
                sha, _, date = words[1:].decode("ascii").partition(" ")
            elif words.startswith(b":"):
                blob, path = words.split()[3].decode("ascii"), next(fields, b"").decode("utf-8", "backslashreplace")
                if blob.strip("0"):  # zeros: the path was deleted here
                    found.append(Version(sha, date, path, blob, (blob, path) in now))
        return found

    def contents(self, shas: Sequence[str], cap: int) -> Iterator[bytes | str]:
        """Each blob's bytes in the order asked for, or one line saying why not (absent, over `cap` bytes)."""
        sizes = list(self._sizes(shas))
        small = [sha for sha, size in zip(shas, sizes, strict=True) if size is not None and size <= cap]
        blobs = self.blobs(small)
        for size in sizes:
            if size is None:
                yield "the repository does not hold its content; fetch the repository whole (not partial)"
            elif size > cap:
                yield f"{size:,} bytes are more than the {cap:,} that a result file may have"
            else:
                blob = next(blobs)
                yield blob if blob is not None else "the repository does not hold its content"

    def _sizes(self, shas: Sequence[str]) -> Iterator[int | None]:
        given = "".join(f"{sha}\n" for sha in shas)
        with self._start("cat-file", "--batch-check=%(objecttype) %(objectsize)", given=given) as out:
            for _ in shas:
                kind, _, size = out.readline().strip().partition(b" ")
                yield int(size) if kind == b"blob" and size.isdigit() else None
