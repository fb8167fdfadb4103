"""Whose code a file is, by where it lies: a project's own use of peft, or something that says nothing of use."""

from __future__ import annotations

import re

from hubstats.records import CodeRole

_HOME = {"peft": "huggingface", "diffusers": "huggingface"}
"""The two packages whose sources are copied around, and who owns the originals."""
_VERSIONED = re.compile(r"(peft|diffusers)(?:[-_](?:main|master|v?\d[\w.]*))?\Z")
_INSTALLED = frozenset(("site-packages", "dist-packages"))
_CHECKOUT = frozenset(("src", "examples", "tests", "docs"))
"""Folders at the top of both repositories: `peft/examples` is a checkout of peft inside another project."""
_PACKAGE = {
    "peft": frozenset(("tuners", "peft_model.py", "mapping.py", "mapping_func.py", "import_utils.py")),
    "diffusers": frozenset(("loaders", "pipelines", "schedulers", "models", "training_utils.py")),
}
"""Parts of the package itself. `peft/train.py` or `peft/utils.py` may be a project's own folder named peft."""
_TESTS = frozenset(("test", "tests", "testing", "unit_tests", "integration_tests"))
_TEST_FILE = re.compile(r"(?:test_.*|.*_test|tests|conftest)\.py\Z")
_DOCS = frozenset(("doc", "docs", "documentation", "docs_src", "tutorial", "tutorials"))


def classify(path: str, repo: str) -> CodeRole:
    """What the file at `path` of `repo` (`owner/name`, or a folder's name) is evidence of. First rule that fits:

    vendored  a copy of peft or diffusers, or an installed package: anything under site-packages; `src/peft`, the
              package's own parts (`peft/tuners/`, `diffusers/pipelines/`, ...), or a checkout of either repository
              inside another one. A fork of either, whole. It shows what the library offers, often in many copies.
              Before test and docs: a copy's tests are not tests of the project that holds it.
    test      a folder of tests, or a file named as pytest finds them: exercises a method to see that it runs.
    docs      a folder of documentation or tutorials, a README notebook, and the examples of peft and diffusers
              themselves: written to be read. `examples/` of any other project is its own code.
    library   all else in the home repository of peft or diffusers: the thing measured, not a user of it.
    use       the rest, trainers and frameworks included: one repository has one vote.
    """
    *folders, file = path.lower().split("/")
    owner, _, name = repo.lower().rpartition("/")
    home = owner in ("", _HOME[name]) if name in _HOME else False
    if _INSTALLED.intersection(folders) or (name in _HOME and not home) or _is_copy([*folders, file], name, home):
        return "vendored"
    if _TESTS.intersection(folders) or _TEST_FILE.match(file):
        return "test"
    if _DOCS.intersection(folders) or file.startswith("readme") or (home and "examples" in folders):
        return "docs"
    return "library" if home else "use"


def _is_copy(parts: list[str], name: str, home: bool) -> bool:
    """Whether the path runs through a checkout or package of peft or diffusers that is not the repository itself."""
    for at in range(len(parts) - 1):
        match = _VERSIONED.match(parts[at])
        if match is None:
            continue
        package = match.group(1)
        if home and package == name and parts[:at] == ["src"]:
            continue
        in_src = at > 0 and parts[at - 1] == "src"
        if in_src or parts[at + 1] in _CHECKOUT or parts[at + 1] in _PACKAGE[package]:
            return True
    return False
