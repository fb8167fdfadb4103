# ruff: noqa: E501, RUF005 - samples of input, as they come
"""What the fuzz plan feeds to parsers: seeds mangled at random, values of JSON with wrong things in them, and bombs.

Everything comes from one seeded generator, so the number of an input is enough to make it again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

CANARY = "torture-canary"
"""Name of the file that input which runs would make."""

NASTY = tuple(
    text.encode("utf-8", "surrogatepass")
    for text in (
        "\x00",
        "\ud800",
        "\\ud800",
        "\ufeff",
        "\u202e",
        "\u2028",
        "\x1b]0;title\x07\x1b[2J",
        "9" * 5000,
        "-1e99999",
        "NaN",
        "1e308",
        "18446744073709551616",
        "2024-13-45",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "../../../../etc/passwd",
        "C:\\..\\..\\x",
        "/dev/zero",
        "<script>alert(1)</script>",
        "=cmd|'/c x'!A0",
        "&a [*a, *a]",
        "<<: *a",
        f"!!python/object/apply:os.system ['touch {CANARY}']",
        f"__import__('os').system('touch {CANARY}')",
        f"{{{{ ''.__class__.__mro__ }}}}{{% include '{CANARY}' %}}",
        "$(touch " + CANARY + ")",
        "'; DROP TABLE salt; --",
        "\n---\n",
        "\n```\n",
        "[" * 300,
        "{" * 300,
        '{"a":' * 300,
        "\r",
        "\t",
        "LORA",
        "peft_type",
        "\N{FULLWIDTH LATIN CAPITAL LETTER A}",
        "ﬁ",
        "İ",
    )
) + (b"\xff\xfe", b"\x80", b"\xf4\x90\x80\x80")

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**63, -(2**63) - 1, 10**400, 1e308, float("nan"), float("inf"), "", " ", "\x00"),
    *("\ud800", "../../x", "a" * 20_000, "=1+1", "2024-02-30T25:61:00Z", "9999-12-31T23:59:59-23:59", [], {}, [[]]),
    *({"": None}, [None] * 50, {"\ud800": "\udfff"}, [{"a": [{"b": []}]}], "LORA", ["lora", 1, None]),
)


class Inputs:
    """A generator of inputs that can be repeated."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def mangled(self, seeds: Sequence[bytes]) -> bytes:
        """One of the seeds after a few accidents."""
        draw = self.random
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.choice((1, 1, 2, 3, 8))):
            at = draw.randrange(len(data) + 1)
            end = min(len(data), at + draw.choice((1, 4, 16, 200)))
            match draw.randrange(7):
                case 0:
                    data[at:at] = draw.choice(NASTY)
                case 1:
                    data[at:end] = draw.choice(NASTY)
                case 2:
                    del data[at:end]
                case 3:
                    data[at:at] = data[at:end] * draw.choice((2, 50))
                case 4:
                    data[at:end] = draw.randbytes(end - at)
                case 5:
                    other = draw.choice(seeds)
                    data[at:] = other[draw.randrange(len(other) + 1) :]
                case 6:
                    del data[at:]
        return bytes(data[:200_000])

    def twisted(self, value: Any) -> bytes:
        """A value of JSON with wrong things in places, as text."""
        for _ in range(self.random.choice((1, 1, 2, 5))):
            value = self._twist(json.loads(json.dumps(value)))
        return json.dumps(value).encode("utf-8", "surrogatepass")

    def _twist(self, value: Any) -> Any:
        draw = self.random
        if isinstance(value, dict) and value and draw.random() < 0.9:
            key = draw.choice([*value])
            if draw.random() < 0.1:
                del value[key]
            else:
                value[key] = self._twist(value[key])
            return value
        if isinstance(value, list) and value and draw.random() < 0.9:
            at = draw.randrange(len(value))
            value[at] = self._twist(value[at])
            return value
        return draw.choice(ODD)


def deep_json(depth: int = 100_000) -> bytes:
    """Lists in lists, then objects in objects, never closed."""
    return b"[" * depth + b'{"a":' * depth


BOMBS: dict[str, tuple[bytes, ...]] = {
    "json": (
        deep_json(),
        b"[" * 50_000 + b"]" * 50_000,
        b'{"peft_type":' + b"9" * 900_000 + b"}",
        b'{"peft_type":"LORA","r":' + b"9" * 4_000 + b"}",
        b'{"peft_type":"LORA","target_modules":[' + b'"q",' * 200_000 + b'"q"]}',
        b'{"a":1,' * 60_000 + b'"b":1' + b"}" * 60_000,
    ),
    "yaml": (
        b"---\na: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(20))
        + b"---\ntext\n",
        b"---\n" + b"[" * 100_000 + b"\n---\n",
        b"---\n" + b"- " * 100_000 + b"\n---\n",
        b"---\n" + b"? " * 50_000 + b"\n---\n",
        b"---\ntags:\n" + b"- lora\n" * 250_000 + b"---\n",
        b"---\na: " + b'"' * 200_001 + b"\n---\n",
        b"---\n" + b"".join(b" " * n + b"a:\n" for n in range(700)) + b"---\n",
        b"---\nx: !!python/object/apply:os.system ['touch torture-canary']\ntags: [lora]\n---\n",
        b"---\n" + b"&a " * 60_000 + b"x: 1\n---\n",
    ),
    "text": tuple(
        piece * (2_000_000 // len(piece))
        for piece in (
            b"lora ", b"[", b"`", b"```\n", b"<", b"<div ", b"![", b"# lora\n", b"---\n", b"| lora ", b"lora-", b"qlora_",
            b"peft_type: LORA\n", b"LoraConfig(", b"not lora, ", b"(", b"*", b"  ", b"\n", b"---\ntags:\n", b"&", b"http://a.",
            b"a", "é".encode(), b"\r", b"\x00", b"LoRA (", b"\\",
        )
    ),
    "python": (
        b"(" * 100_000,
        b"x = " + b"-" * 200_000 + b"1\nimport peft\n",
        b"from peft import " + b"(" * 5_000,
        b"import peft\nx = " + b"[" * 90 + b"]" * 90 + b"\n",
        b"import peft\nx = " + b"peft" + b".a" * 100_000 + b"\n",
        b"import peft\n" + b"if 1:\n" + b"".join(b" " * n + b"if 1:\n" for n in range(1, 99)),
        b"import peft\nx = '''" + b"a" * 900_000,
        b"# coding: punycode\nimport peft\n" + b"a" * 200_000,
        b"# coding: rot13\nvzcbeg crsg\n",
        b"import peft\n" + b"x = x\n" * 100_000,
        b"from peft import LoraConfig as a0\n" + b"".join(b"a%d = a%d\n" % (n + 1, n) for n in range(40_000)),
        b"import peft\nx = " + b"+".join([b"1"] * 100_000) + b"\n",
        b"import peft\n" + b"f(" * 80 + b")" * 80 + b"\n" + b"9" * 100_000 + b"\n",
        b"from peft import *\n" + b"lambda: " * 30_000 + b"1\n",
    ),
}  # fmt: skip
"""Inputs that a small parser makes into a large thing, or that take it long."""
