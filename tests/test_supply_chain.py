"""What no code of the project does: unpickle, load code from a repository, unpack an archive, run a shell.

Read from the syntax trees, so that a call counts wherever it hides. And: every pin has its hashes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.audit import agreed

ROOT = Path(__file__).parent.parent
CODE = sorted(path for part in ("hubstats", "bench", "scripts") for path in (ROOT / part).rglob("*.py"))

MODULES = frozenset({"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "tarfile"})
CALLS = frozenset({"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load"})
"""`exec` of a code object is how a pickle's smaller relatives run what they hold."""
METHODS = frozenset({"read_pickle", "to_pickle", "extractall", "extract_all", "unpack_archive", "load_extension"})
TORCH_LOAD = frozenset({"torch.load", "torch.hub.load", "torch.jit.load"})
WEIGHTS = re.compile(r"AutoModel\w*\.from_pretrained$")


def name_of(node: ast.expr) -> str:
    """`a.b.c` of an attribute chain; of anything else its last part."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return "?"


def faults(source: str) -> Iterator[str]:
    """What a file does that none may."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        yield from (f"line {node.lineno}: imports {name}" for name in names if name.split(".")[0] in MODULES)
        if not isinstance(node, ast.Call):
            continue
        called = name_of(node.func)
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        where = f"line {node.lineno}: {called}"
        if called in CALLS | TORCH_LOAD or called.rpartition(".")[2] in METHODS:
            yield where
        safe = is_constant(keywords.get("use_safetensors"), True) or "gguf_file" in keywords
        if WEIGHTS.search(called) and not safe:
            yield f"{where} without use_safetensors=True"
        if "trust_remote_code" in keywords and not is_constant(keywords["trust_remote_code"], False):
            yield f"{where} with trust_remote_code"
        if "allow_pickle" in keywords and not is_constant(keywords["allow_pickle"], False):
            yield f"{where} with allow_pickle"
        if is_constant(keywords.get("shell"), True):
            yield f"{where} with a shell"
        if is_constant(keywords.get("safe_serialization"), False) or is_constant(keywords.get("weights_only"), False):
            yield f"{where} with pickled weights"


def is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_does_what_none_may(path: Path) -> None:
    assert list(faults(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from joblib import load",
        "torch.load(x)",
        "frame = pandas.read_pickle(x)",
        "AutoModelForCausalLM.from_pretrained(x)",
        "AutoTokenizer.from_pretrained(x, trust_remote_code=True)",
        "load_dataset(x, trust_remote_code=ask())",
        "numpy.load(x, allow_pickle=True)",
        "subprocess.run(x, shell=True)",
        "zipfile.ZipFile(x).extractall(y)",
        "yaml.load(x, Loader=y)",
        "eval(x)",
        "model.save_pretrained(x, safe_serialization=False)",
    ],
)
def test_each_of_them_would_be_found(source: str) -> None:
    assert len(list(faults(source))) == 1


def test_the_code_that_is_looked_at_is_all_of_it() -> None:
    parts = {path.relative_to(ROOT).parts[0] for path in CODE}
    assert parts == {"hubstats", "bench", "scripts"}
    assert len(CODE) > 150


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_every_pin_has_hashes(path: Path) -> None:
    if path.name.endswith(".override.txt"):
        return
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    pins = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert pins
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin or "==" not in pin] == []


def test_setting_up_installs_by_hash() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in recipe.splitlines() if "requirements/" in line and " -r requirements" in line]
    assert len(installs) >= 5
    assert [line for line in installs if "--require-hashes" not in line] == []


@pytest.mark.parametrize(
    ("licence", "fine"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("GPL-3.0 OR MIT", True),
        ("GPL-3.0", False),
        ("MIT AND GPL-3.0", False),
        ("UNKNOWN", False),
        ("BSD License; GPL", False),
    ],
)
def test_which_licences_were_agreed_to(licence: str, fine: bool) -> None:
    assert agreed(licence) is fine
