"""hubstats.imports: every form of import, what must not count, and that nothing it is given can hurt it."""

from __future__ import annotations

import csv
import io
import json
import shutil
import time
import tracemalloc
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstats.evaluate.walk import walk
from hubstats.imports import FileReading, classify, mentions_peft, read_imports, technique_of

from .conftest import Run
from .test_code import commit

CLASSES = {
    "LoraConfig": "lora",
    "IA3Config": "ia3",
    "PromptEncoderConfig": "p_tuning",
    "BoneConfig": "bone",
    "LoHaConfig": "loha",
}


def read(source: str | bytes, path: str = "a.py") -> FileReading:
    return read_imports(source.encode() if isinstance(source, str) else source, path, CLASSES)


def rows(source: str | bytes, path: str = "a.py") -> list[tuple[str, str, str | None, str | None, int]]:
    return [(f.form, f.module, f.name, f.alias, f.line) for f in read(source, path).imports]


def notebook(*cells: str | list[str], kind: str = "code", **more: object) -> bytes:
    return json.dumps({"cells": [{"cell_type": kind, "source": cell} for cell in cells], **more}).encode()


@pytest.mark.parametrize(
    ("source", "adjacent"),
    [
        ("from peft import LoraConfig", ["LoraConfig"]),
        ("from peft import LoraConfig as L, IA3Config", ["LoraConfig"]),
        ("if x:\n    from peft import IA3Config", ["IA3Config"]),
        ("from peft import get_peft_model, LoraConfig", ["get_peft_model"]),
        ("from peft import (LoraConfig)", []),
        ("from peft import (\n" + " " * len("from peft import ") + "LoraConfig)", []),
        ("from peft import (\n    LoraConfig,\n)", []),
        ("from peft  import LoraConfig", []),
        ("from peft import \\\n  LoraConfig", []),
        ("from peft import LoraConfig, Lora, LoraConfig as L", ["LoraConfig"]),
        ("from peft import *", ["*"]),
        ("from peft.tuners import LoraConfig", []),
        ("import peft\npeft.LoraConfig()", []),
    ],
)
def test_what_a_search_for_the_phrase_would_find(source: str, adjacent: list[str]) -> None:
    for ending in ("", "\nprint 'Python 2'"):
        reading = read(source + ending)
        assert reading.parser == ("fallback" if ending else "ast")
        assert [found.name for found in reading.imports if found.adjacent] == adjacent
        assert {found.adjacent for found in reading.imports if found.form == "from"} <= {True, False}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from peft import LoraConfig", [("from", "peft", "LoraConfig", None, 1)]),
        (
            "\nfrom peft import (\n    get_peft_model,  # first\n    LoraConfig as L,\n)",
            [("from", "peft", "get_peft_model", None, 2), ("from", "peft", "LoraConfig", "L", 2)],
        ),
        ("from \\\n  peft import \\\n  PeftModel", [("from", "peft", "PeftModel", None, 1)]),
        ("import os, peft", [("import", "peft", None, None, 1)]),
        ("import peft.tuners.lora as t", [("import", "peft.tuners.lora", None, "t", 1)]),
        ("from peft.tuners.lora import LoraLayer", [("from", "peft.tuners.lora", "LoraLayer", None, 1)]),
        ("from peft import tuners", [("from", "peft", "tuners", None, 1)]),
        ("from peft import *", [("star", "peft", "*", None, 1)]),
        ("def f():\n  from peft import A", [("from", "peft", "A", None, 2)]),
        ("class C:\n  import peft", [("import", "peft", None, None, 2)]),
        ("try:\n  import peft\nexcept ImportError:\n  peft = None", [("import", "peft", None, None, 2)]),
        ("import importlib\nimportlib.import_module('peft.utils')", [("importlib", "peft.utils", None, None, 2)]),
        ("from importlib import import_module as im\nim(name='peft')", [("importlib", "peft", None, None, 2)]),
        ("import importlib\nimportlib.import_module('.tuners', 'peft')", [("importlib", "peft.tuners", None, None, 2)]),
        ("__import__('peft')", [("importlib", "peft", None, None, 1)]),
    ],
)
def test_every_form_of_import(source: str, expected: list[object]) -> None:
    assert rows(source) == expected
    assert read(source).parser == "ast"


@pytest.mark.parametrize(
    "source",
    [
        "# from peft import LoraConfig",
        "x = 'from peft import LoraConfig'",
        '"""\nfrom peft import LoraConfig\n>>> import peft\n"""',
        "from .peft import LoraConfig",
        "from . import peft\npeft.LoraConfig()",
        "from ..peft.tuners import x",
        "from mypeft import LoraConfig\nimport peft_pretraining, opeft.peft",
        "from trl.peft import LoraConfig",
        "from PEFT import *",
        "import importlib\nimportlib.util.find_spec('peft')\nimportlib.import_module(peft_name)",
        "def import_module(x): ...\nimport_module('peft')",
        "def __import__(x): ...\n__import__('peft')",
        "import importlib\nimportlib.import_module('peftlib')",
        "LoraConfig(r=8)\npeft.LoraConfig()",
        "exec('import peft')",
        "run(['python', '-c', 'from peft import LoraConfig; LoraConfig()'])",
        "open('README.md', 'w').write(f'```python\\nfrom peft import {name}\\n```')",
        "cell = b'from peft import LoraConfig'\nTEMPLATE = 'import peft' 'from peft import A'",
        "def f():\n  r'''\n  from peft import LoraConfig\n  '''",
    ],
)
def test_what_is_no_import(source: str) -> None:
    assert rows(source) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from peft import LoraConfig as L\nL(r=8)", [("construct", "peft", "LoraConfig", "L", 2)]),
        ("from peft import LoraConfig\nLoraConfig()", [("construct", "peft", "LoraConfig", None, 2)]),
        ("f()\ndef f(): return L()\nfrom peft import LoraConfig as L", [("construct", "peft", "LoraConfig", "L", 2)]),
        (
            "import peft as p\np.LoraConfig()",
            [
                ("attribute", "peft", "LoraConfig", "p.LoraConfig", 2),
                ("construct", "peft", "LoraConfig", "p.LoraConfig", 2),
            ],
        ),
        (
            "import peft.tuners\npeft.tuners.lora.LoraConfig()",
            [
                ("attribute", "peft.tuners.lora", "LoraConfig", None, 2),
                ("construct", "peft.tuners.lora", "LoraConfig", None, 2),
            ],
        ),
        ("from peft import tuners as t\nt.lora", [("attribute", "peft.tuners", "lora", "t.lora", 2)]),
        ("import peft\nx: peft.PeftModel", [("attribute", "peft", "PeftModel", None, 2)]),
        ("import peft\npeft.PeftModel.from_pretrained(m)", [("attribute", "peft", "PeftModel", None, 2)]),
        ("from peft import *\nLoraConfig(); Other()", [("construct", "peft", "LoraConfig", None, 2)]),
        ("from peft import NewConfig\nNewConfig()", [("construct", "peft", "NewConfig", None, 2)]),
        ("from peft import LoraConfig\nLoraConfig.from_pretrained(x)", []),
        ("from peft import PeftModel, get_peft_model\nPeftModel(m)\nget_peft_model(m, c)", []),
        (
            "from peft import LoraConfig as P\nclass LoraConfig: ...\nLoraConfig(); P()",
            [("construct", "peft", "LoraConfig", "P", 3)],
        ),
        ("from peft import LoraConfig\ndef f(LoraConfig): LoraConfig()", []),
        ("from peft import LoraConfig\ndef f():\n  LoraConfig = other\n  LoraConfig()", []),
        ("def f():\n  from peft import LoraConfig\ndef g(): LoraConfig()", []),
        ("class A:\n  from peft import LoraConfig\n  def g(self): LoraConfig()", []),
        (
            "def f():\n  global L\n  from peft import LoraConfig as L\ndef g(): L()",
            [("construct", "peft", "LoraConfig", "L", 4)],
        ),
        ("from peft import LoraConfig\nc = LoraConfig\nc(r=1)", [("construct", "peft", "LoraConfig", "c", 3)]),
        (
            "import importlib\nm = importlib.import_module('peft')\nm.IA3Config()",
            [
                ("importlib", "peft", None, None, 2),
                ("attribute", "peft", "IA3Config", "m.IA3Config", 3),
                ("construct", "peft", "IA3Config", "m.IA3Config", 3),
            ],
        ),
        ("from peft import A\na = b\nb = a\na()", []),
        (
            "from peft import LoraConfig as p\np = p.x\np()",
            [("construct", "peft", "LoraConfig", "p", 3)],
        ),
    ],
)
def test_uses_are_followed_through_names_and_scopes(source: str, expected: list[object]) -> None:
    found = [row for row in rows(source) if row[0] not in ("from", "star", "import")]
    assert found == expected


@pytest.mark.parametrize(
    "place",
    [
        "def f(a=L(), *, b=L()) -> L(): pass",
        "@L()\nclass C(L(), metaclass=L()):\n  x: L() = L()\n  def g(self): return L()",
        "x = lambda a=L(): L()",
        "[L() for a in L() if L()]; {L(): L() for a in b}",
        "f'{L()!r:{L()}}'; x[L():L()]; f(*L(), **L(), k=L())",
        "with L() as a, L(): L()",
        "try: L()\nexcept L() as e: L()\nelse: L()\nfinally: L()",
        "match L():\n  case {'a': 1} if L(): L()\n  case _: L()",
        "for a in L(): L()\nelse: L()",
        "async def f():\n  await L()\n  async with L(): yield L()",
        "assert L(), L(); del x[L()]; raise L() from L()",
        "(a := L()); x.y = L(); x[L()] = L().b().c",
        "global x; x = L() if L() else L(); not L() < L() or -L()",
    ],
)
def test_uses_are_found_wherever_an_expression_may_stand(place: str) -> None:
    found = [f for f in read(f"from peft import LoraConfig as L\n{place}").imports if f.form == "construct"]
    assert len(found) == place.count("L()") > 1


@pytest.mark.parametrize(
    "source",
    [
        "try: pass\nexcept E:\n  import peft",
        "with a:\n  import peft",
        "match x:\n  case 1:\n    import peft",
        "if a: pass\nelif b: pass\nelse:\n  import peft",
        "while a: import peft",
        "for a in b: pass\nelse: import peft",
        "try: pass\nfinally:\n  async def f():\n    import peft",
        "try: pass\nexcept* E: import peft",
    ],
)
def test_imports_are_found_in_every_block(source: str) -> None:
    assert [row[0] for row in rows(source)] == ["import"]


@pytest.mark.parametrize(
    ("source", "types"),
    [
        ("from peft import get_peft_config\nget_peft_config({'peft_type': 'LORA', 'r': 8})", ["LORA"]),
        ("import peft\nc = {'peft_type': 'ia3'}\npeft.get_peft_config(config_dict=c)", ["ia3"]),
        (
            "from peft import get_peft_config, PeftType as T\nget_peft_config({'peft_type': T.P_TUNING})",
            ["P_TUNING"],
        ),
        ("from peft import get_peft_config\nget_peft_config({'peft_type': 'FUTURE'})", ["FUTURE"]),
        ("from peft import get_peft_config\nget_peft_config({'peft_type': 'A', 'peft_type': 'LORA'})", ["LORA"]),
        ("from peft import get_peft_config\nget_peft_config({'peft_type': kind, 'task_type': 'LORA'})", []),
        ("from peft import get_peft_config\nget_peft_config(dict(peft_type='LORA'))", []),
        ("from peft.mapping import get_peft_config as g\ng({**base, 'peft_type': 'IA3'})", ["IA3"]),
        ("from peft import get_peft_config\nget_peft_config({'r': 8})\nget_peft_config(args)", []),
        ("import importlib as i\ni.get_peft_config({'peft_type': 'LORA'})", []),
        ("from peft.x import my_get_peft_config as g\ng({'peft_type': 'LORA'})", []),
        ("from trl import get_peft_config\nget_peft_config({'peft_type': 'LORA'})", []),
        ("def get_peft_config(x): ...\nget_peft_config({'peft_type': 'LORA'})\nimport peft", []),
    ],
)
def test_config_dicts(source: str, types: list[str]) -> None:
    found = [f for f in read(source).imports if f.form == "config_dict"]
    assert [f.name for f in found] == types
    assert [f.technique for f in found] == [
        {"LORA": "lora", "ia3": "ia3", "IA3": "ia3", "P_TUNING": "p_tuning"}.get(t) for t in types
    ]


def test_techniques_are_told_by_class_or_type() -> None:
    names = ["LoraConfig", "BoneConfig", "LORA", "P_TUNING", "BONE", "lora", "PeftConfig", "loraconfig", "XYZ", None]
    assert [technique_of(name, CLASSES) for name in names] == ["lora", "bone", "lora", "p_tuning", "bone"] + [None] * 5
    assert [f.technique for f in read("from peft import BoneConfig, PeftModel").imports] == ["bone", None]


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbffrom peft import LoraConfig",
        b"\x0cfrom\x0cpeft\x0cimport LoraConfig",
        b"from peft import LoraConfig\r\nx = 1\r\n",
        b"# -*- coding: latin-1 -*-\nfrom peft import LoraConfig  # \xe9",
        b"# coding: gbk\nfrom peft import LoraConfig  # \xc4\xe3",
        "from \uff50\uff45\uff46\uff54 import LoraConfig  # \u5168".encode(),
        "# coding: gbk\nimport \uff50\uff45\uff46\uff54".encode("gbk"),
        "import \U0001d429\U0001d41e\U0001d41f\U0001d42d as p\n".encode(),
        b"from peft import LoraConfig; x = '\\d'",
    ],
)
def test_encodings_that_python_reads(source: bytes) -> None:
    reading = read(source)
    assert (reading.parser, len(reading.imports)) == ("ast", 1)
    assert reading.imports[0].module == "peft"
    assert mentions_peft(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("print 'x'\nfrom peft import LoraConfig as L\nL(r=8)", ["from L 2", "construct L 3"]),
        ("print 'x'\nfrom peft import (A, # (from peft import Z)\n  B as b,\n)", ["from None 2", "from b 2"]),
        (
            "print 'x'\ntry: import os, peft as p\nexcept: pass\np.LoraConfig",
            ["import p 2", "attribute p.LoraConfig 4"],
        ),
        ("<<<<<<< HEAD\nfrom peft \\\n import A\n=======\nfrom peft import B\n>>>>>>>", ["from None 2", "from None 5"]),
        ("x = (\nfrom peft import A", ["from None 2"]),
        ("print 'x'\nfrom peft import *\nLoraConfig()", ["star None 2", "construct None 3"]),
        ("print 'x'\nimport_module('peft.utils')", ["importlib None 2"]),
        ("try: f()\nexcept E, e: raise E, 'x'\nfrom peft import A as B", ["from B 3"]),
        ("x = `y`; exec 'import peft' in d\nfrom peft import A", ["from None 2"]),
        ("def f((a, b)): return 0777 <> 1\n\timport peft", ["import None 2"]),
        ("model = ...\nfor x in ...\n    from peft import A", ["from None 3"]),
        ("print 'x'\nrun('python -c \\'from peft import A\\'')\nf(u'''\nimport peft\n''')", []),
        ("# coding: punycode\nimport peft", ["import None 2"]),
        ("# coding: nonsense\nimport peft", ["import None 2"]),
        (b"\xff\nimport peft", ["import None 2"]),
        (b"\x00\nimport\x00peft", ["import None 2"]),
        ("print 'x'\n# from peft import A\n'''\nfrom peft import B\n'''\ny = \"from peft import C\"", []),
        ("print 'x'\nx = '''\nfrom peft import B", []),
        ("print 'it\\'s'\nx = 'a # b'; from peft import A", ["from None 2"]),
        ("Note: import peft first\nThen: from peft import A and go on\nfrom peft import", []),
        ("print 'x'\nfrom .peft import A\nfrom mypeft import B\nfrom peftx import C\nimport peft.", []),
        ("print 'x'\nfrom peft import LoraConfig as P\nclass LoraConfig(object): pass\ndef P(x): pass", ["from P 2"]),
        ("print 'x'\nfrom peft import (A,\nfrom peft import B", ["from None 2", "from None 3"]),
    ],
)
def test_broken_files_are_read_line_by_line(source: str | bytes, expected: list[str]) -> None:
    reading = read(source)
    assert (reading.status, reading.parser) == ("ok", "fallback")
    assert reading.detail
    assert [f"{f.form} {f.alias} {f.line}" for f in reading.imports] == expected
    assert mentions_peft(source if isinstance(source, bytes) else source.encode()) or not expected


def test_notebooks_are_read_cell_by_cell() -> None:
    data = notebook(
        ["!pip install peft \\\n", "  transformers\n", "%cd x\n", "from peft import (\n", "  LoraConfig as L)\n"],
        "%%time\nc = L(r=8)\nx = !ls\nL?",
        "%%writefile a.py\nfrom peft import Written",
        "%%bash\npython -c 'from peft import Shell'\nimport peft",
        "%%capture out\nimport peft",
        "this is broken (\nfrom peft import IA3Config\nL(",
        "%time import peft as p",
        "s = '''\n%d !\n'''\nfrom peft import Kept",
    )
    reading = read(data, "x.IPYNB")
    found = [(f.cell, f.form, f.name or f.module, f.alias, f.line) for f in reading.imports]
    assert found == [
        (0, "from", "LoraConfig", "L", 4),
        (1, "construct", "LoraConfig", "L", 2),
        (4, "import", "peft", None, 2),
        (5, "from", "IA3Config", None, 2),
        (5, "construct", "LoraConfig", "L", 3),
        (6, "import", "peft", "p", 1),
        (7, "from", "Kept", None, 4),
    ]
    assert (reading.parser, reading.detail) == ("fallback", "1 of 8 code cells read line by line")


def test_other_notebooks() -> None:
    source = "from peft import A"
    assert rows(notebook(source, kind="markdown"), "a.ipynb") == []
    assert rows(notebook(source, metadata={"kernelspec": {"language": "R"}}), "a.ipynb") == []
    assert len(rows(notebook(source, metadata={"language_info": {"name": "python"}}), "a.ipynb")) == 1
    old = json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": [source]}]}]}).encode()
    assert len(rows(old, "a.ipynb")) == 1
    assert read(notebook(source), "a.ipynb").parser == "ast"
    odd = b'{"cells": [3, null, {"cell_type": "code"}, {"cell_type": "code", "source": [1, "import peft\\ud800"]}]}'
    assert len(read(odd, "a.ipynb").imports) == 0
    assert read(odd, "a.ipynb").parser == "fallback"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"null", b'{"cells": {}}', b"[" * 100_000, b"1" * 10_000])
def test_what_is_no_notebook_is_malformed(data: bytes) -> None:
    reading = read(data, "a.ipynb")
    assert (reading.status, reading.parser, reading.imports) == ("malformed", None, ())
    assert reading.detail


@pytest.mark.parametrize(
    "hostile",
    [
        b"peft" * 250_000,
        b"from peft import (" * 50_000,
        b'"' * 1_000_000,
        b"'''\\" * 250_000,
        b"import peft;" * 80_000 + b"(",
        b"peft.a.b" + b".c" * 400_000,
        b"x" + b"().y" * 200_000,
        b"x" + b"('peft').import_module" * 40_000 + b"\nprint x",
        b"__import__('peft')." * 40_000 + b"x",
        b"-" * 1_000_000,
        b"from peft import " + b"a, " * 300_000,
        b"import " + b"\\\n" * 450_000 + b"peft",
        b" " * 1_000_000 + b"peft",
        b"#" * 1_000_000,
        b"from peft import LoraConfig\n" + b"c = LoraConfig\n" * 30_000 + b"c()\n" * 10_000,
        b"import peft\n" + b"a = b\nb = a\n" * 20_000 + b"a()\n",
        b"from peft import get_peft_config as g\n" + b"d = {'peft_type': 'LORA'}; " * 20_000 + b"g(d); " * 20_000,
        b"from peft import get_peft_config as g\nd = {" + b"'a': 1, " * 20_000 + b"}\n" + b"g(d); " * 20_000,
        b"print 'x'\n" + b"'''\nfrom peft import (a\n" * 50_000,
        b"# coding: punycode\nimport peft\n" + b"a-" * 200_000,
        b"import peft\n" + b"".join(b"x%d = x%d\n" % (i, i + 1) for i in range(40_000)) + b"x1()\n" * 1000,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_hostile_files_take_linear_time(hostile: bytes) -> None:
    start = time.process_time()
    for path in ("a.py", "a.ipynb"):
        assert read(hostile, path).status in ("ok", "malformed")
    assert time.process_time() - start < 10


@pytest.mark.parametrize("end", [b"", b"\nprint 'x'"])
def test_a_hundred_thousand_imports_on_a_line(end: bytes) -> None:
    start = time.process_time()
    many = 100_000
    for line in (
        b"import peft; " * many,
        b"from peft import LoraConfig; " * many,
        b"from peft import " + b", ".join(b"a%d" % i for i in range(many)),
        b"import " + b", ".join(b"peft.x as a%d" % i for i in range(many)),
    ):
        reading = read(line + end)
        assert (len(reading.imports), reading.parser) == (many, "fallback" if end else "ast")
        assert {found.line for found in reading.imports} == {1}
    assert time.process_time() - start < 30


@pytest.mark.parametrize("rest", [b"#######\n", b"print 1\n", b"'''x'y''''\n", b"f((((((\n"])
def test_five_megabytes_take_no_more_than_their_share_of_time(rest: bytes) -> None:
    def seconds(size: int) -> float:
        data = b"from peft import LoraConfig\n" + rest * (size // len(rest))
        started = time.process_time()
        assert read(data).imports[0].name == "LoraConfig"
        return time.process_time() - started

    small = min(seconds(500_000) for _ in range(2))
    assert seconds(5_000_000) < 40 * small + 0.5


def test_deeply_nested_source_falls_back() -> None:
    for deep in (
        "-" * 100_000 + "1",
        "[" * 150 + "]" * 151,
        "\n".join(" " * depth + "if a:" for depth in range(150)),
        "f'{" * 100_000,
        "lambda: " * 50_000 + "0",
        "(" * 5_000,
        "x = " + "a+" * 100_000 + "a",
        "if a: pass\n" + "elif a: pass\n" * 9_000,
    ):
        reading = read("import peft\n" + deep)
        assert (reading.parser, len(reading.imports)) == ("fallback", 1)


def test_no_warning_gets_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read("from peft import A\nx = '\\d'\n1 is 1\n").parser == "ast"


WORDS = st.sampled_from(
    [
        *("from", "import", "peft", "as", "peft.tuners.lora", "LoraConfig", "*", "(", ")", ",", ".", "\n", "\n  ", " "),
        *(
            ";",
            ":",
            "#",
            "'",
            '"',
            "'''",
            '"""',
            "\\\n",
            "\\",
            "=",
            "try:",
            "def f():",
            "class C:",
            "lambda:",
            "x",
            "\t",
        ),
        *(
            "\x0c",
            "\r\n",
            "\r",
            "\x00",
            "\ufeff",
            "\uff50\uff45\uff46\uff54",
            "\U0001d429eft",
            "importlib",
            "import_module",
            "__import__",
            "{",
            "}",
        ),
        *(
            "'peft_type'",
            "'LORA'",
            "get_peft_config",
            "%%time\n",
            "!ls\n",
            "global x",
            "é",
            "é",
            "# coding: gbk\n",
            "u",
            "f",
        ),
        *("# coding: utf-7\n", "+AHAAZQBmAHQ-", "\\u0070eft", "print 'x'", "\x0b", "\xa0", "0", "if x: "),
    ]
)
SOURCES = st.one_of(
    st.lists(WORDS, max_size=30).map(" ".join),
    st.lists(WORDS, max_size=30).map("".join),
    st.text(max_size=200),
)
FILES = st.one_of(
    st.tuples(SOURCES.map(lambda s: s.encode("utf-8", "surrogatepass")), st.just("a.py")),
    st.tuples(st.binary(max_size=200), st.sampled_from(["a.py", "a.ipynb"])),
    st.tuples(st.lists(SOURCES, max_size=4).map(lambda cells: notebook(*cells)), st.just("a.ipynb")),
    st.tuples(
        st.lists(st.lists(SOURCES, max_size=3), max_size=3).map(
            lambda cells: json.dumps({"cells": [{"cell_type": "code", "source": c} for c in cells]}, indent=1).encode()
        ),
        st.just("a.ipynb"),
    ),
)


def cell_texts(data: bytes, path: str) -> dict[int | None, str]:
    if path == "a.py":
        return {None: data.decode("utf-8", "replace")}
    cells = json.loads(data.decode("utf-8-sig", "replace"))["cells"]
    return {i: "".join(c["source"]) for i, c in enumerate(cells)}


@settings(max_examples=400, deadline=None)
@given(FILES)
def test_reading_never_raises_and_stays_inside_the_file(file: tuple[bytes, str]) -> None:
    data, path = file
    reading = read(data, path)
    assert reading == read(data, path)
    texts = cell_texts(data, path) if reading.imports else {}
    for found in reading.imports:
        lines = texts[found.cell].replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
        assert 1 <= found.line <= lines
        assert found.module.split(".")[0] == "peft"
        found.module.encode()
        (found.name or "").encode()
        (found.alias or "").encode()


@settings(max_examples=600, deadline=None)
@given(FILES)
def test_the_prefilter_drops_nothing(file: tuple[bytes, str]) -> None:
    data, path = file
    if not mentions_peft(data):
        assert read(data, path).imports == ()
        if path == "a.py":
            assert not walk(data)


@settings(max_examples=300, deadline=None)
@given(SOURCES)
def test_imports_equal_a_naive_walk(source: str) -> None:
    data = source.encode("utf-8", "surrogatepass")
    naive = walk(data)
    reading = read(data)
    if reading.parser == "ast":
        assert naive is not None
        found = [(f.line, f.module, f.name, f.alias) for f in reading.imports if f.form in ("from", "import", "star")]
        assert sorted(found, key=repr) == sorted(naive, key=repr)


def test_the_prefilter_lets_little_through() -> None:
    for source in (
        b"# peft is a library\nimport os",
        b"use_peft = 1\nimport x",
        b"config.peft.r\nimport y",
        b"importpeft2",
    ):
        assert not mentions_peft(source)
    blanks = b" " * 500
    assert mentions_peft(b"from" + blanks + b"peft import A")
    for gap in range(50, 75):  # a keyword cut in two by the end of what is looked at
        assert mentions_peft(b"x = 1\nfrom" + b" " * gap + b"peft import A")
        assert mentions_peft(b"x = 1\nimport" + b" " * gap + b"peft")
    assert mentions_peft(notebook("import os, \\\n\tpeft"))
    assert mentions_peft(b'{"cells":[{"cell_type":"code","source":"import \\u0070eft"}]}')
    assert mentions_peft(b'{"cells":[{"cell_type":"code","source":"\\u0066rom peft import A"}]}')
    assert mentions_peft(b'{"cells":[{"cell_type":"code","source":"import \\uff50eft"}]}')


def test_memory_is_bounded_by_the_file() -> None:
    data = b"from peft import LoraConfig\n" + b"f(a, b)\n" * 10_000
    tracemalloc.start()
    read(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1000 * len(data)


@pytest.mark.parametrize(
    ("path", "repo", "role"),
    [
        ("train.py", "me/project", "use"),
        ("examples/train_lora.py", "me/project", "use"),
        ("src/llamafactory/model/adapter.py", "hiyouga/LLaMA-Factory", "use"),
        ("peft/train.py", "me/project", "use"),
        ("finetune/peft/utils.py", "me/project", "use"),
        ("latest/contest.py", "me/project", "use"),
        ("test.py", "me/project", "use"),
        ("tests/test_lora.py", "me/project", "test"),
        ("pkg/Tests/helper.py", "me/project", "test"),
        ("pkg/test_lora.py", "me/project", "test"),
        ("pkg/lora_test.py", "me/project", "test"),
        ("conftest.py", "me/project", "test"),
        ("docs/source/train.py", "me/project", "docs"),
        ("docs/tests/x.py", "me/project", "test"),
        ("tutorials/lora.ipynb", "me/project", "docs"),
        ("README.ipynb", "me/project", "docs"),
        ("venv/lib/python3.9/site-packages/trl/trainer.py", "me/project", "vendored"),
        ("third_party/peft/src/peft/__init__.py", "me/project", "vendored"),
        ("src/peft/peft_model.py", "me/project", "vendored"),
        ("src/diffusers/image_processor.py", "me/project", "vendored"),
        ("peft/tuners/lora.py", "me/project", "vendored"),
        ("peft/tuners/tests/test_x.py", "me/project", "vendored"),
        ("libs/peft-0.4.0/examples/sft/train.py", "me/project", "vendored"),
        ("PEFT-main/tests/test_config.py", "me/project", "vendored"),
        ("diffusers/src/diffusers/loaders/peft.py", "me/project", "vendored"),
        ("diffusers/examples/dreambooth/train.py", "me/project", "vendored"),
        ("mydiffusers/examples/train.py", "me/project", "use"),
        ("examples/sft/train.py", "someone/peft", "vendored"),
        ("tests/test_config.py", "someone/diffusers", "vendored"),
        ("src/peft/tuners/lora/model.py", "huggingface/peft", "library"),
        ("method_comparison/run.py", "huggingface/peft", "library"),
        ("tests/test_config.py", "huggingface/peft", "test"),
        ("examples/sft/train.py", "huggingface/peft", "docs"),
        ("src/diffusers/loaders/peft.py", "huggingface/diffusers", "library"),
        ("src/peft/tuners/lora/model.py", "peft", "library"),
    ],
)
def test_roles(path: str, repo: str, role: str) -> None:
    assert classify(path, repo) == role


@given(st.text(max_size=60), st.text(max_size=30))
def test_every_path_has_a_role(path: str, repo: str) -> None:
    assert classify(path, repo) in ("use", "library", "test", "docs", "vendored")


# --- from repositories to answers -----------------------------------------------------------------------------------

LORA = "from peft import LoraConfig\nLoraConfig(r=8)\n"
IA3 = "from peft import IA3Config\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_answers_by_files_and_by_repositories(run: Run, tmp_path: Path) -> None:
    """Every file counts the blog's way; ours counts contents once, use only, and one vote a repository."""
    repositories = {
        "a+first": {"one.py": LORA, "same.py": LORA, "more.py": LORA + "#", "tests/test_ia3.py": IA3 + "# test"},
        "b+second": {"train.py": LORA + "# b", "other.py": IA3 + "IA3Config()", "src/peft/peft_model.py": IA3},
        "c+copies": {"one.py": LORA, "docs/guide.py": LORA + "# guide"},
        "d+unseen": {
            "list.py": "from peft import get_peft_model, LoraConfig\n",
            "words.py": "# from peft import IA3Config\nx = 'from peft import IA3Config'\n",
            "old.py": "print 'x'\nfrom peft import (\n  LoraConfig)\n",
            "bad.ipynb": "{ from peft import IA3Config",
        },
    }
    for name, files in repositories.items():
        commit(tmp_path / "code" / name, files)
    assert run("import", "--kind", "code", "code").returncode == 0

    def answer(name: str, *columns: str) -> list[tuple[str, ...]]:
        rows = csv.DictReader(io.StringIO(run("query", name, "-f", "csv").stdout))
        shown = [[row[column] for column in columns] for row in rows]
        return [tuple(cell[:6] if cell.startswith("0.") else cell for cell in row) for row in shown]

    counted = answer("imports_by_files", "technique", "files", "share", "repositories", "distinct_contents", "in_use")
    assert counted == [("lora", "6", "0.6666", "3", "4", "5"), ("ia3", "3", "0.3333", "2", "3", "1")]
    # Three votes: a for LoRA, b half and half, d for LoRA. c holds a copy of a's file and a guide: no vote.
    voted = answer("imports_by_repositories", "technique", "repositories", "share", "constructing")
    assert voted == [("lora", "3", "0.8333", "2"), ("ia3", "1", "0.1666", "1")]
    roles = answer("code_roles", "role", "files", "copies", "not_python_3", "unreadable")
    assert roles[0] == ("use", "10", "2", "1", "1")
    assert sorted(role[:2] for role in roles[1:]) == [("docs", "1"), ("test", "1"), ("vendored", "1")]
