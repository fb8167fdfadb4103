# ruff: noqa: E501, PT017 - samples of what servers send, as they send it
"""Every parser of what strangers write, as one function each: bytes in, records out, nothing but expected errors.

`CASES` maps the name of a case to a `Parser`: what makes its inputs, and what reads one of them. They run in a process
of their own (see `fuzz`), in the folder given.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from hubstats.errors import BenchError, BundleError, HubstatsError, SourceError, TechniqueError
from hubstats.records import Document, Record, SourceOptions

from .inputs import BOMBS, Inputs

NOW = datetime(2026, 1, 1, tzinfo=UTC)

Read = Callable[[bytes], Iterable[Record]]


@dataclass(frozen=True)
class Parser:
    """One case: `make` draws an input, `read` is what it is fed to, `bombs` come first."""

    make: Callable[[Inputs], bytes]
    read: Read
    bombs: tuple[bytes, ...] = ()
    cost: int = 1
    """How many inputs of a plain parser one of this takes the time of."""


def cases(folder: Path) -> dict[str, Parser]:
    """All cases; `folder` is where those that read files may write theirs."""
    return {
        "front matter": Parser(_bytes(CARDS), _front_matter, BOMBS["yaml"] + BOMBS["text"]),
        "model card": Parser(_bytes(CARDS), _card, BOMBS["yaml"] + BOMBS["text"], 8),
        "adapter config": Parser(_values(CONFIGS), _config, BOMBS["json"]),
        "Python source": Parser(_bytes(SOURCES), _source(".py"), BOMBS["python"] + BOMBS["text"]),
        "notebook": Parser(_values(NOTEBOOKS), _source(".ipynb"), BOMBS["json"]),
        "Hub page": Parser(_values([HUB_PAGE]), _hub, BOMBS["json"], 3),
        "GitHub page": Parser(_values([SEARCH_PAGE, BLOB]), _github, BOMBS["json"]),
        "image site page": Parser(_values([SITE_PAGE]), _civitai, BOMBS["json"]),
        "HTTP answer": Parser(_bytes(ANSWERS), _answer),
        "result file": Parser(_values(RESULTS), _result(folder), BOMBS["json"], 4),
        "experiment folder": Parser(_values([*CONFIGS, TRAINING]), _experiment(folder), BOMBS["json"], 2),
        "technique file": Parser(
            _bytes(TECHNIQUES), _technique, (b"name = " + b"9" * 5_000, b"a=" + b"[" * 100_000, *BOMBS["text"][:3])
        ),
        "saved cursor": Parser(_values(CURSORS), _cursor, BOMBS["json"]),
        "bundle": Parser(_archive(folder), _bundle(folder), (), 20),
        "Parquet dump": Parser(_parquet(folder), _dump(folder), (), 20),
    }


# --- readers ------------------------------------------------------------------------------------------------------


def _front_matter(data: bytes) -> Iterator[Record]:
    from hubstats.detect.front_matter import read_front_matter

    text = data.decode("utf-8", "replace")
    found = read_front_matter(text)
    assert all(0 <= entry.start <= entry.end <= len(text) for entry in found.entries)
    yield from ()


def _registry() -> Any:
    from hubstats.techniques import load

    return load()


def _card(data: bytes) -> Iterator[Record]:
    from hubstats.detect import detect
    from hubstats.sources.cards import parse

    card = parse("owner/name", data[: 2 << 20], len(data) > 2 << 20, NOW)
    yield card
    detections, verdict = detect(Document("cards", card.model_id, card=card.text), _registry())
    yield verdict
    yield from detections


def _config(data: bytes) -> Iterator[Record]:
    from hubstats.detect import detect
    from hubstats.sources.configs import parse

    config = parse("owner/name", data[: 1 << 20], len(data) > 1 << 20, NOW)
    yield config
    detections, verdict = detect(Document("configs", config.model_id, config=config.config), _registry())
    yield verdict
    yield from detections


def _source(suffix: str) -> Read:
    def read(data: bytes) -> Iterator[Record]:
        from hubstats.imports import classify, read_imports
        from hubstats.records import CodeImport

        path = f"a/train{suffix}"
        classify(data[:300].decode("utf-8", "replace"), "owner/name")
        reading = read_imports(data[: 1 << 20], path, _registry().config_classes())
        yield from (CodeImport("code", "owner/name", None, path, *found) for found in reading.imports[:100])

    return read


@dataclass
class _Canned:
    """A transport whose every answer is the same."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str], connect_seconds: float, read_seconds: float) -> Iterator[Any]:
        from hubstats.http import Headers, Reply

        yield Reply(self.status, Headers(self.headers), iter([self.body[:7], self.body[7:]]))

    def close(self) -> None:
        """Nothing is open."""


def _client(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    from hubstats.http import HttpClient, Rules
    from hubstats.http.services import _github_quota, _github_throttled

    rules = Rules("hub", lambda path: "api", _github_quota, throttled=_github_throttled, pause=0.0)
    limits = {"tries": 2, "first_tries": 2, "backoff": 0.0, "longest_backoff": 0.0, "longest_wait": 0.0, "margin": 0.0}
    return HttpClient("http://hub", _Canned(status, headers, body), rules, lambda line: None, token="hf_x", **limits)


def _hub(data: bytes) -> Iterator[Record]:
    from hubstats.sources.hub import Hub

    hub = Hub(_client(200, {"content-type": "application/json"}, data), SourceOptions(), lambda line: None)
    try:
        for page in islice(hub.pages({}), 3):
            yield from page.records
    except SourceError:
        return


def _json(data: bytes) -> Any:
    from hubstats.errors import BadPage

    try:
        return _client(200, {}, data).get("/x").json()
    except BadPage:
        return None


def _github(data: bytes) -> Iterator[Record]:
    from hubstats.records import SearchHit
    from hubstats.sources._blobs import read_blob
    from hubstats.sources._code_search import parse_answer

    body = _json(data)
    read_blob(200, body)
    answer = parse_answer(body, more=False)
    for hit in answer.hits if answer else ():
        yield SearchHit("github", "q", hit.repo, hit.path, None, hit.sha, hit.fork, None, hit.fragments, NOW)


def _civitai(data: bytes) -> Iterator[Record]:
    from hubstats.sources.civitai import parse_page

    try:
        listing = parse_page(_json(data), "first", NOW)
    except SourceError:
        return
    yield from listing.checkpoints
    yield from listing.failures


def _answer(data: bytes) -> Iterator[Record]:
    """Status, headers and body of an answer, in that order, as lines of the input."""
    from hubstats.sources._hub_rows import card_record, check_file

    head, _, body = data.partition(b"\n\n")
    status, *lines = head.decode("latin-1").split("\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    client = _client(int(status) if status.isdecimal() and len(status) == 3 else 200, headers, body)
    try:
        response = client.get("/x/y/resolve/main/README.md", max_bytes=1 << 20, check=check_file)
        response.next_url()
        yield card_record("owner/name", response, NOW)
    except HubstatsError as error:
        assert "\n" not in str(error)
        assert str(error).isprintable(), repr(error)


def _result(folder: Path) -> Read:
    def read(data: bytes) -> Iterator[Record]:
        from hubstats.sources.published import open_source

        place = folder / "MetaMathQA" / "results"
        place.mkdir(parents=True, exist_ok=True)
        (place / "lora--llama-3.2-3B-rank32.json").write_bytes(data)
        for page in open_source(SourceOptions(path=str(place)), lambda line: None).pages({}):
            yield from page.records

    return read


def _experiment(folder: Path) -> Read:
    def read(data: bytes) -> Iterator[Record]:
        from hubstats_bench.experiment import load_experiment

        for name in ("adapter_config.json", "training_params.json"):
            place = folder / "experiment" / name.split(".")[0]
            place.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
            try:
                load_experiment(place, _registry())
            except BenchError:
                continue
        yield from ()

    return read


def _technique(data: bytes) -> Iterator[Record]:
    from hubstats.techniques import Registry, parse

    try:
        Registry([parse("one", data.decode("utf-8", "replace"))])
    except TechniqueError:
        return
    yield from ()


def _cursor(data: bytes) -> Iterator[Record]:
    """Cursors are ours, but the file they stand in may be a stranger's."""
    from hubstats.sources._code_search import Walk
    from hubstats.sources.civitai import Progress
    from hubstats.sources.github import _load_counts

    text = data.decode("utf-8", "replace")
    Walk.load(text, 0).ended(10)
    Progress.load(text)
    _load_counts(text)
    yield from ()


def _bundle(folder: Path) -> Read:
    def read(data: bytes) -> Iterator[Record]:
        from hubstats.bundle import reproduce

        path = folder / "bundle.zip"
        path.write_bytes(data)
        try:
            reproduce(path)
        except BundleError:
            return
        yield from ()

    return read


def _dump(folder: Path) -> Read:
    def read(data: bytes) -> Iterator[Record]:
        from hubstats.sources.dump import open_source

        path = folder / "dump.parquet"
        path.write_bytes(data)
        for page in open_source(SourceOptions(path=str(path)), lambda line: None).pages({}):
            yield from page.records

    return read


# --- inputs -------------------------------------------------------------------------------------------------------


def _bytes(seeds: tuple[bytes, ...]) -> Callable[[Inputs], bytes]:
    return lambda inputs: inputs.mangled(seeds)


def _values(values: list[Any]) -> Callable[[Inputs], bytes]:
    seeds = [json.dumps(value).encode() for value in values]

    def make(inputs: Inputs) -> bytes:
        if inputs.random.random() < 0.3:
            return inputs.mangled(seeds)
        return inputs.twisted(inputs.random.choice(values))

    return make


def _archive(folder: Path) -> Callable[[Inputs], bytes]:
    """A whole bundle with an accident in the archive, in its manifest, or in a member whose hash still is right."""
    from hubstats.bundle import freeze
    from hubstats.pipeline import Silent, rerun
    from hubstats.store import Store

    db = folder / "empty.duckdb"
    rerun(db, Silent())
    with Store.open(db) as store:
        freeze(store, folder / "whole.zip")
    whole = (folder / "whole.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def make(inputs: Inputs) -> bytes:
        if inputs.random.random() < 0.3:
            return inputs.mangled((whole,))
        made = dict(members)
        manifest = json.loads(made["manifest.json"])
        if inputs.random.random() < 0.5:
            made["manifest.json"] = inputs.twisted(manifest)
        else:
            from hashlib import sha256

            name = inputs.random.choice([name for name in made if name.endswith(".parquet")])
            made[name] = inputs.mangled((made[name],))
            manifest["members"][name]["sha256"] = sha256(made[name]).hexdigest()
            made["manifest.json"] = json.dumps(manifest).encode()
        if inputs.random.random() < 0.3:
            name = inputs.random.choice([*made])
            to = inputs.random.choice(
                ("../../outside", "/outside", "inputs/../../outside", "a\\..\\outside", name + " ")
            )
            made[to] = made.pop(name)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in made.items():
                archive.writestr(name, data)
        return out.getvalue()

    return make


def _parquet(folder: Path) -> Callable[[Inputs], bytes]:
    import polars as pl

    rows = {
        "modelId": ["a/b", "c/d", None, "../../x"] * 20,
        "author": ["a", None, "", "c"] * 20,
        "tags": [["lora", "peft"], [], None, ["base_model:adapter:x/y"]] * 20,
        "downloads": [1, None, 3, 2**40] * 20,
        "createdAt": [datetime(2024, 1, 1), None, datetime(2025, 1, 1), datetime(2026, 1, 1)] * 20,
        "card": ["# LoRA", None, "---\ntags: [lora]\n---\n", "x" * 3000] * 20,
        "cardData": ['{"base_model": ["x"]}', "[", None, "{}"] * 20,
    }
    seeds = []
    for compression in ("zstd", "uncompressed", "snappy"):
        out = io.BytesIO()
        pl.DataFrame(rows).write_parquet(out, compression=compression, row_group_size=30)  # type: ignore[arg-type]
        seeds.append(out.getvalue())
    return lambda inputs: inputs.mangled(tuple(seeds))


CARDS = (
    b"---\nlicense: mit\nlibrary_name: peft\ntags:\n- lora\n- trl\nbase_model: org/base\n---\n# Model\n\nFine-tuned with LoRA "
    b"(r=8) and DoRA. Not AdaLoRA.\n\n```python\nfrom peft import LoraConfig\n```\n\n| a | b |\n|---|---|\n| LoRA | IA3 |\n",
    b"# QLoRA adapter\n\n- PEFT 0.12.0\n- `peft_type`: LORA\n\n<!-- made by Axolotl -->\n[LoRA](https://arxiv.org/abs/2106.09685)",
    b"---\n---\n",
    b"---\ntags: [prefix-tuning, {a: b}]\nmodel-index:\n- name: x\n  results: []\n---\ntext",
)  # fmt: skip
CONFIGS: list[Any] = [
    {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "use_dora": True, "loftq_config": {}},
    {"peft_type": "IA3", "target_modules": "all-linear", "feedforward_modules": None},
    {"adapters": {"a": {"architecture": "pfeiffer", "reduction_factor": 16}}, "config": {"original_ln_after": True}},
]
SOURCES = (
    b"import torch\nfrom peft import LoraConfig as L, get_peft_model\nimport peft.tuners as t\nc = L(r=8, use_dora=True)\n"
    b"peft = __import__('peft')\nx = peft.AdaLoraConfig()\nget_peft_config({'peft_type': 'LORA'})\n",
    b"try:\n    from peft import *\nexcept ImportError:\n    LoraConfig = None\ndef f(a, *, b: 'peft.X' = 1):\n  return LoraConfig()\n",
    b"print 'python 2'\nfrom peft import LoraConfig\n",
)
NOTEBOOKS: list[Any] = [
    {
        "nbformat": 4,
        "metadata": {"kernelspec": {"language": "python"}},
        "cells": [
            {"cell_type": "code", "source": ["!pip install peft\n", "from peft import LoraConfig\n"]},
            {"cell_type": "code", "source": "%%time\nLoraConfig(r=8)"},
            {"cell_type": "markdown", "source": ["# hi"]},
        ],
    },
    {"worksheets": [{"cells": [{"cell_type": "code", "input": ["import peft"]}]}]},
]
HUB_PAGE = [
    {
        "id": "owner/name", "author": "owner", "createdAt": "2024-05-01T10:00:00.000Z", "lastModified": "2024-05-02T10:00:00Z",
        "downloads": 12, "likes": 1, "tags": ["peft", "base_model:adapter:org/base"], "gated": False, "disabled": False,
        "siblings": [{"rfilename": "README.md"}, {"rfilename": "adapter_config.json"}, {"rfilename": "a.safetensors"}],
        "library_name": "peft", "pipeline_tag": "text-generation",
    },
    {"id": "b/c", "gated": "auto"},
]  # fmt: skip
SEARCH_PAGE = {
    "total_count": 3,
    "incomplete_results": False,
    "items": [
        {
            "name": "a.py",
            "path": "x/a.py",
            "sha": "a" * 40,
            "repository": {"full_name": "o/r", "fork": False},
            "text_matches": [{"fragment": "from peft import LoraConfig"}],
        }
    ],
}
BLOB = {"sha": "a" * 40, "size": 4, "encoding": "base64", "content": "ZnJv\nbSBw\n"}
SITE_PAGE = {
    "items": [
        {
            "id": 7, "name": "x", "type": "LORA", "nsfw": False, "tags": ["style"], "creator": {"username": "u"},
            "stats": {"downloadCount": 9},
            "modelVersions": [{"publishedAt": "2026-01-01T00:00:00Z", "baseModel": "SDXL"}, {"publishedAt": None}],
        }
    ],
    "metadata": {"nextCursor": "2026-11-01 09:12:44|2098112"},
}  # fmt: skip
ANSWERS = (
    b'200\netag: "9daeafb9864cf43055ae93beb0afd6c7d144bfa4"\nratelimit: "api";r=3;t=5\nlink: <http://hub/n?c=1>; rel="next"\n\ntext',
    b'429\nretry-after: Wed, 21 Oct 2099 07:28:00 GMT\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 99999999999\n\n{"error":"x"}',
    b"403\nx-ratelimit-remaining: 0\nretry-after: 0\n\nsecondary rate limit",
    b"302\nlocation: http://other/x\n\n",
    b"200\ncontent-encoding: gzip\n\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x4c\x4a\x06\x00\xc2\x41\x24\x35\x03\x00\x00\x00",
    b"404\nx-error-code: EntryNotFound\nx-error-message: Entry not found\n\n",
    b"500\n\n<html>",
)
RESULTS: list[Any] = [
    {
        "run_info": {
            "created_at": "2026-07-14T10:00:00+00:00", "experiment_name": "lora/llama-3.2-3B-rank32", "peft_branch": "main",
            "train_config": {"model_id": "m/n", "seed": 0, "optimizer_kwargs": {"lr": 1e-4}, "optimizer_type": "AdamW"},
            "peft_config": {"peft_type": "LORA", "r": 32, "use_rslora": True}, "error_msg": "",
        },
        "train_info": {
            "accelerator_memory_reserved_avg": 1, "train_time": 1.5, "file_size": 10, "num_trainable_params": 3,
            "status": "success", "metrics": [{"step": 1, "test accuracy": 0.5, "train loss": 0.5, "forgetting": 0.1}],
        },
        "meta_info": {"model_id": "m/n", "package_info": {"peft-version": "0.21.2"}, "system_info": {"gpu": "x"}},
    },
    {
        "run_info": {"timestamp": "2026-07-14T10:00:00+00:00", "status": "success", "duration": 5, "peft_config": {}},
        "generation_info": {"overall": {"inference_time": 1.0, "peak_memory": 3}, "memory": {"peak_accelerator_memory_mb": 5}},
        "meta_info": {"parameters": {"total_params": 5}},
    },
    {
        "run_info": {},
        "hubstats": {
            "format": 1, "run_id": "6d1ab5d642eb2dd4", "setting_id": "a", "task": "gsm8k", "status": "success",
            "values": [{"name": "answer_nll", "value": 1.04, "unit": "nats", "direction": "lower"}],
            "items": [{"item_id": "gsm8k-test-0000", "nll": 0.98, "correct": None}],
        },
    },
]  # fmt: skip
TRAINING = {
    "model_id": "m/n",
    "dtype": "bfloat16",
    "batch_size": 4,
    "max_steps": 5,
    "optimizer_kwargs": {"lr": 1e-4},
    "seed": 0,
}
TECHNIQUES = (
    b'name = "DoRA"\nfamily = "low-rank"\nkind = "method"\npeft_type = "LORA"\n[detect]\ntags = ["dora"]\n'
    b'config = [[{ key = "use_dora", op = "equals", value = true }]]\n'
    b'aliases = [{ text = "DoRA", case = "exact", boundary = "word" }]\n',
)
CURSORS: list[Any] = [
    {
        "seed": 0,
        "on": "2026-01-01T00:00:00+00:00",
        "parts": 48,
        "at": 3,
        "extra": [[0, 9]],
        "page": 2,
        "failed": [["a", "b", "c"]],
    },
    {"begun": True, "high": ["2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"], "deep": "x", "taken": 3},
    {"started": "2026-01-01T00:00:00+00:00", "asked": ["q"]},
]
