"""Seeded source files for the GitHub stand-in."""

from __future__ import annotations

import json
from random import Random

from .code_search import SourceFile

CLASSES = {"LoraConfig": 0.75, "AdaLoraConfig": 0.05, "LoHaConfig": 0.04, "IA3Config": 0.04, "OFTConfig": 0.03}
FORMS: dict[str, str] = {
    "from": "from peft import {name}\n\nconfig = {name}(r={n})\n",
    "from_second": "from peft import get_peft_model, {name}\n\nmodel = get_peft_model(model, {name}(r={n}))\n",
    "from_lines": "from peft import (\n    {name},\n    TaskType,  # why\n    get_peft_model,\n)\n\n{name}(r={n})\n",
    "alias": "from peft import {name} as Config\n\nconfig = Config(r={n})\n",
    "module": "import peft\n\nconfig = peft.{name}(r={n})\n",
    "submodule": "from peft.tuners import {name}\n\nconfig = {name}(r={n})\n",
    "star": "from peft import *\n\nconfig = {name}(r={n})\n",
    "guarded": "try:\n    from peft import {name}\nexcept ImportError:\n    {name} = None\n",
    "python2": "from peft import {name}\nprint 'rank', {n}\n",
    "comment": "# from peft import {name}\nrank = {n}\n",
    "text": 'HELP = """\nfrom peft import {name}\n"""\nrank = {n}\n',
}
"""Ways to name a config class in a file; `comment` and `text` do not import anything."""


def synthetic_github(n: int = 150, seed: int = 0) -> list[SourceFile]:
    """`n` Python files and notebooks that name peft in every form of FORMS, and besides: forks and vendored copies
    with the same blob, a file of 400 KB that the search cannot see, one that is not UTF-8, and some without peft."""
    rng = Random(f"github/{seed}")
    names, weights = list(CLASSES), list(CLASSES.values())
    forms = list(FORMS)
    files = []
    for number in range(n):
        name = rng.choices(names, weights)[0] if number % len(forms) else "LoraConfig"
        body = FORMS[forms[number % len(forms)]].format(name=name, n=number)
        filler = "".join(
            f"value_{line} = {rng.randrange(10**9)}\n" for line in range(int(rng.paretovariate(0.8)) % 4000)
        )
        text = f"# project {number}\n{body}{filler}"
        repo = f"dev-{int(rng.paretovariate(0.9)) % 5000}/project-{number % 37}"
        if number % 9 == 4:
            cells = [
                {"cell_type": "markdown", "metadata": {}, "source": [f"# Notebook {number}\n"]},
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "metadata": {},
                    "outputs": [],
                    "source": ["!pip install peft\n", *text.splitlines(keepends=True)],
                },
            ]
            notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
            files.append(SourceFile(repo, f"notebooks/run_{number}.ipynb", json.dumps(notebook, indent=1).encode()))
        else:
            files.append(SourceFile(repo, f"src/train_{number}.py", text.encode()))
        if number % 8 == 0:
            copy = files[-1]
            files.append(SourceFile(f"forker-{number}/{repo.split('/')[1]}", copy.path, copy.content, fork=True))
        if number % 11 == 0:
            copy = files[-1]
            files.append(SourceFile(f"vendor-{number}/app", f"third_party/{copy.path}", copy.content))
    head = b"from peft import LoraConfig\n"
    return [
        *files,
        SourceFile("wide/one", "big.py", head + b"# padding\n" * 40_000),
        SourceFile("latin/one", "run.py", head + b"name = 'Andr\xe9'\n"),
        SourceFile("other/one", "plain.py", b"import torch\nprint(torch.ones(3))\n"),
        SourceFile("odd/name.with-dots_", "dir with space/tr\u00e4in #1.py", head),
    ]
