"""Imports point one way. Read from the source with `ast`, so an import inside a function counts as well."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "hubstats"
BENCH = Path(__file__).parent.parent / "bench" / "hubstats_bench"

LAYERS = {
    "errors": 0,
    "records": 0,
    "techniques": 1,
    "engines": 1,
    "http": 1,
    "imports": 1,
    "queries": 1,
    "charts": 1,
    "spool": 1,
    "rows": 1,
    "progress": 1,
    "sampling": 1,
    "quantities": 1,
    "sources": 2,
    "detect": 2,
    "estimate": 2,
    "store": 2,
    "ask": 3,
    "pipeline": 3,
    "evaluate": 3,
    "explain": 3,
    "bundle": 3,
    "recommend": 3,
    "forecast": 4,
    "doctor": 4,
    "report": 4,
    "bench_cli": 4,
    "cli_figures": 4,
    "cli_recommend": 4,
    "cli_checks": 5,
    "cli": 6,
    "__main__": 7,
}
"""Module -> layer. A module imports from lower layers only; of its own layer, nothing but itself."""


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != PACKAGE / "__init__.py":
            found.append((path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path))
    return found


def imported(path: Path) -> set[str]:
    """Top-level hubstats modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where they point"
            if node.module == "hubstats":
                names |= {f"hubstats.{alias.name}" for alias in node.names}
            elif node.module:
                names.add(node.module)
    return {name.split(".")[1] for name in names if name.startswith("hubstats.") and "__version__" not in name}


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: getattr(value, "stem", value))
def test_imports_point_down(module: str, path: Path) -> None:
    assert module in LAYERS, f"give {module} a layer"
    for other in imported(path) - {module}:
        assert LAYERS[other] < LAYERS[module], f"{path.name} (layer {LAYERS[module]}) imports {other}"


def test_every_layer_names_a_module() -> None:
    assert {module for module, _ in modules()} == set(LAYERS)


def test_the_root_resolves_lazily() -> None:
    assert imported(PACKAGE / "__init__.py") == {"ask", "errors"}


def test_bench_knows_only_the_leaves() -> None:
    for path in BENCH.rglob("*.py"):
        assert imported(path) <= {"engines", "errors", "records", "techniques"}, path


def test_hubstats_names_the_bench_in_its_commands_only_and_imports_it_late() -> None:
    for module, path in modules():
        source = path.read_text(encoding="utf-8")
        assert module == "bench_cli" or "hubstats_bench" not in source, path
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith("hubstats_bench") for name in names), path


def test_the_help_needs_no_part_of_the_bench() -> None:
    heavy = ("hubstats_bench", "torch")
    code = f"import sys, hubstats.cli; sys.exit(any(name.split('.')[0] in {heavy} for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
