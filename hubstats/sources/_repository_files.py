"""The two files of a model repository that hubstats reads, whatever the source they come from.

Pure functions. README.md is text that should be UTF-8; adapter_config.json should be an object with a `peft_type`.
Both are written by strangers: what is wrong with them comes out as a status and a reason, never as an exception.
"""

from __future__ import annotations

import codecs
import json
from typing import Any

from hubstats.records import FileStatus
from hubstats.sources._fields import clean, text

CARD = "README.md"
CONFIG = "adapter_config.json"
BYTE_CAPS = {CARD: 2 * 1024 * 1024, CONFIG: 1024 * 1024}
"""The longest card seen in a dump of all cards had 901,000 characters, up to 4 bytes each only in theory: 2 MiB reads
any of them whole. Configs are a few kilobytes; those that list every module of a large model stay under 1 MiB."""
WEIGHT_ENDINGS = (".safetensors", ".bin", ".pt", ".gguf")
MOST_WEIGHT_FILES = 50


def decode(body: bytes, *, cut: bool = False) -> tuple[str, int]:
    """The text without its byte order mark, and how many bytes were not UTF-8 (each run became one U+FFFD).

    `cut`: the body ends anywhere, so a character that is not complete there is left out and not counted.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    content = decoder.decode(body, not cut)
    written = content.count("\ufffd") - body.count("\ufffd".encode())
    if written == 0:
        return content, 0
    read = len(body) - len(decoder.getstate()[0])
    return content, read - (len(content.encode()) - 3 * written)


def read_config(content: str) -> tuple[FileStatus, str | None, str | None]:
    """Status, peft_type and reason of an adapter_config.json: ok for an object with a textual `peft_type`."""
    try:
        value: Any = json.loads(content, parse_int=_number)
    except RecursionError:
        return "malformed", None, "not usable JSON: nested too deeply"
    except ValueError as error:
        return "malformed", None, f"not JSON: {clean(str(error), 150)}"
    if not isinstance(value, dict):
        return "malformed", None, f"JSON, but a {type(value).__name__} and no object"
    if "peft_type" not in value:
        return "malformed", None, "an object without peft_type: not a PEFT config"
    peft_type = text(value, "peft_type", 100)
    if not peft_type:
        return "malformed", None, f"peft_type is no text but a {type(value['peft_type']).__name__}"
    return "ok", peft_type, None


def _number(digits: str) -> int | float:
    """An integer of JSON. Python refuses to read very long ones; their value is of no interest here."""
    return int(digits) if len(digits) < 1000 else float("inf")
