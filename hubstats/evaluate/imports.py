"""hubstats.imports beside an independent walk of the syntax tree, name for name, over whole repositories.

Both read the same commit through the source `code`: hubstats as a crawl does, from the prefilter to the records, and
the walk (hubstats.evaluate.walk) every single .py file and notebook. A name is (file, cell, line, module, name,
alias), as often as it occurs. The forms that are no import statements (importlib, attribute, construct, config_dict)
and what lies in files or cells that the walk cannot parse have no rival: they are counted, not compared.

    >>> from pathlib import Path
    >>> from hubstats.techniques import load
    >>> [found.same for found in compare_imports([Path("repo")], load().config_classes(), print)]   # doctest: +SKIP
    [True]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hubstats.errors import ConfigError, SourceError
from hubstats.evaluate.walk import cells, walk
from hubstats.records import CodeImport
from hubstats.sources._git import GitError
from hubstats.sources._trees import MAX_BYTES, FolderTree, GitTree, Tree, is_source, places
from hubstats.sources.code import Code

if TYPE_CHECKING:
    import polars

STATEMENTS = ("from", "star", "import")
"""The forms of CodeImport that an import statement has."""


class Name(NamedTuple):
    """One name that one statement takes from peft."""

    path: str
    cell: int | None
    line: int
    module: str
    name: str | None
    alias: str | None


@dataclass(slots=True)
class Comparison:
    """One repository, read by both."""

    repo: str
    commit: str | None = None
    files: int = 0
    """.py files that both read, parsed or not."""
    notebooks: int = 0
    ours: Counter[Name] = field(default_factory=Counter)
    walked: Counter[Name] = field(default_factory=Counter)
    unparsed: int = 0
    """Files and notebook cells that the walk cannot parse."""
    beyond: int = 0
    """Names that hubstats found in those."""
    unread: int = 0
    """Files that neither read: over the size cap, or not in the repository."""
    failure: str | None = None
    """Why the repository could not be read, in one line; then nothing was compared."""

    @property
    def same(self) -> bool:
        """Whether the repository could be read and both found the same names."""
        return self.failure is None and self.ours == self.walked

    def row(self) -> dict[str, object]:
        """The comparison in numbers: `both`, `only_ours` and `only_walk` count names, `naming_peft` files."""
        return {
            "repository": self.repo,
            "commit": self.commit and self.commit[:9],
            "files": self.files,
            "notebooks": self.notebooks,
            "naming_peft": len({name.path for name in self.ours | self.walked}),
            "both": (self.ours & self.walked).total(),
            "only_ours": (self.ours - self.walked).total(),
            "only_walk": (self.walked - self.ours).total(),
            "unparsed": self.unparsed,
            "beyond": self.beyond,
            "unread": self.unread,
        }

    def differences(self) -> list[dict[str, object]]:
        """Each name that only one of the two found, by file and line."""
        sides = (("hubstats", self.ours - self.walked), ("walk", self.walked - self.ours))
        rows = [
            {"repository": self.repo, "only": side, **name._asdict()}
            for side, names in sides
            for name in names.elements()
        ]
        return sorted(rows, key=lambda row: (row["path"], row["cell"] or 0, row["line"], str(row["name"])))


def compare_imports(
    paths: Sequence[Path], config_classes: Mapping[str, str], notify: Callable[[str], None]
) -> Iterator[Comparison]:
    """One Comparison a repository or folder, as `hubstats import --kind code` would find them under `paths`.

    A repository that git cannot read has a `failure` and the others go on. Raises ConfigError when a path is not
    there or git is missing.
    """
    reason = Code(paths, config_classes, notify).unavailable()
    if reason is not None:
        raise ConfigError(reason)
    for path in paths:
        for folder, git_dir in places(path.expanduser().resolve()):
            tree = GitTree(folder, git_dir, None) if git_dir else FolderTree(folder, Counter())
            try:
                # The commit is pinned, so that both read the same one whatever happens meanwhile.
                source = Code([folder], config_classes, notify, revision=tree.version() if git_dir else None)
                yield _compare(tree, source)
            except (GitError, SourceError) as error:
                yield Comparison(tree.name, failure=str(error))


def _compare(tree: Tree, source: Code) -> Comparison:
    result = Comparison(tree.name, tree.revision())
    parsed: set[tuple[str, int | None]] = set()
    files = [item for item in tree.items() if is_source(item.path)]
    small = [item for item in files if item.size is None or item.size <= MAX_BYTES]
    result.unread = len(files) - len(small)
    for item, data in tree.place.contents(small):
        if data is None:
            result.unread += 1
            continue
        is_notebook = item.path.lower().endswith(".ipynb")
        result.notebooks += is_notebook
        result.files += not is_notebook
        parts = cells(data) if is_notebook else [(None, data)]
        result.unparsed += parts is None
        for cell, text in parts or ():
            found = walk(text)
            if found is None:
                result.unparsed += 1
                continue
            parsed.add((item.path, cell))
            result.walked.update(Name(item.path, cell, *one) for one in found)
    for page in source.pages({}):
        for record in page.records:
            if isinstance(record, CodeImport) and record.form in STATEMENTS:
                name = Name(record.path, record.cell, record.line, record.module, record.name, record.alias)
                if (record.path, record.cell) in parsed:
                    result.ours[name] += 1
                else:
                    result.beyond += 1
    return result


def disagreement(results: Sequence[Comparison]) -> str | None:
    """Why the two cannot be called equal, in one line; None when they are, over at least one file."""
    said = [f"{result.repo} could not be read: {result.failure}" for result in results if result.failure]
    different = [result for result in results if result.failure is None and not result.same]
    if different:
        names = sum(len(result.differences()) for result in different)
        where = ", ".join(result.repo for result in different)
        said.append(f"{names} names differ, in {where}: see --errors")
    if not said and not any(result.files or result.notebooks for result in results):
        said.append("there is no Python file to compare")
    return "; ".join(said) or None


def table(results: Sequence[Comparison]) -> polars.DataFrame:
    """A row a repository; see Comparison.row."""
    import polars as pl

    texts = ("repository", "commit")
    schema = {name: pl.String if name in texts else pl.Int64 for name in Comparison("").row()}
    return pl.DataFrame([result.row() for result in results], schema=schema)


def difference_table(results: Sequence[Comparison]) -> polars.DataFrame:
    """A row a name that only one of the two found."""
    import polars as pl

    schema = {"repository": pl.String, "only": pl.String, "path": pl.String, "cell": pl.Int64, "line": pl.Int64}
    schema |= dict.fromkeys(("module", "name", "alias"), pl.String)
    return pl.DataFrame([row for result in results for row in result.differences()], schema=schema)
