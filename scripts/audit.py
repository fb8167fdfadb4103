"""Known vulnerabilities in the locked requirements, and licences of what is installed: `make audit`.

    python scripts/audit.py             exit code 1: a vulnerability, or a licence that was not agreed to
    python scripts/audit.py --strict    also when vulnerabilities could not be looked up

Vulnerabilities are looked up by pip-audit for every pinned version in requirements/*.txt; that asks a service. Licences
are read by pip-licenses from the packages installed in .venv; that asks nobody.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCKED = ("build", "run", "dev", "bench", "audit")

AGREED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0"),
        *("PSF-2.0", "Python-2.0", "Unlicense", "Zlib", "HPND", "CNRI-Python", "NCSA"),
        *("Apache Software License", "BSD License", "ISC License (ISCL)", "MIT License"),
        *("Mozilla Public License 2.0 (MPL 2.0)", "Python Software Foundation License"),
    }
)
"""Licences under which a package may be used here: permissive ones, and MPL, which binds the package's own files."""

UNNAMED = {"hubstats": "this project"}
"""Packages that name no licence, and why that is known to be no trouble."""


def main() -> int:
    """Prints what was found and what was not looked at."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--strict", action="store_true", help="fail when vulnerabilities could not be looked up")
    parser.add_argument("--python", default=str(ROOT / ".venv" / "bin" / "python"), help="whose packages to look at")
    asked = parser.parse_args()
    vulnerable, unknown = vulnerabilities()
    refused = licences(asked.python)
    return int(bool(vulnerable or refused or (unknown and asked.strict)))


def vulnerabilities() -> tuple[int, int]:
    """How many were found in the locked versions, and how many versions could not be looked up."""
    found: dict[tuple[str, str], list[str]] = {}
    looked_up: set[tuple[str, str]] = set()
    skipped: Counter[str] = Counter()
    for name in LOCKED:
        path = ROOT / "requirements" / f"{name}.txt"
        told = _pip_audit(path)
        if isinstance(told, str):
            skipped[told] += len(_pins(path))
            continue
        for package in told["dependencies"]:
            if "skip_reason" in package:
                skipped[re.sub(r": .*", "", package["skip_reason"])] += 1
                continue
            pin = (package["name"], package["version"])
            looked_up.add(pin)
            if package["vulns"]:
                found[pin] = [f"{one['id']} (fixed in {', '.join(one['fix_versions']) or 'no version'})"
                              for one in package["vulns"]]  # fmt: skip
    for (package, version), names in sorted(found.items()):
        print(f"VULNERABLE: {package} {version}: {'; '.join(names)}")
    print(f"vulnerabilities: {len(looked_up)} locked versions looked up, {len(found)} with a known one")
    for why, number in skipped.items():
        print(f"NOT CHECKED for vulnerabilities: {number} pins: {why}")
    return len(found), skipped.total()


def _pip_audit(path: Path) -> Any:
    """What pip-audit says of a file of pins as JSON, or why it says nothing."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(path), "--require-hashes", "--disable-pip"]
    ran = subprocess.run(
        [*command, "--format", "json", "--progress-spinner", "off", "--timeout", "15"],
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    try:
        return json.loads(ran.stdout)
    except ValueError:
        said = (ran.stderr.strip() or "pip-audit said nothing").splitlines()[-1]
        return f"the vulnerability service cannot be reached ({said[:160]})"


def _pins(path: Path) -> list[str]:
    return re.findall(r"^[\w.-]+==", path.read_text(encoding="utf-8"), re.MULTILINE)


def licences(python: str) -> list[str]:
    """Packages whose licence was not agreed to."""
    ran = subprocess.run(
        [sys.executable, "-m", "piplicenses", "--python", python, "--from", "mixed", "--format", "json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    packages = json.loads(ran.stdout)
    refused = [
        f"{package['Name']} {package['Version']}: {package['License']}"
        for package in packages
        if package["Name"] not in UNNAMED and not agreed(package["License"])
    ]
    for line in refused:
        print(f"LICENCE not agreed to: {line}")
    print(
        f"licences: {len(packages)} packages installed in {Path(python).parent.parent.name}, {len(refused)} to look at"
    )
    return refused


def agreed(expression: str) -> bool:
    """Whether every licence that a package names is agreed to, or one of each choice that it leaves."""
    if expression in AGREED:
        return True
    parts = re.split(r"\s+AND\s+|;\s*", expression.replace("(", " ").replace(")", " ").strip())
    return all(any(one.strip() in AGREED for one in part.split(" OR ")) for part in parts)


if __name__ == "__main__":
    sys.exit(main())
