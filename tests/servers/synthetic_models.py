"""Seeded models for the Hub stand-in: as uneven, and as broken here and there, as the real ones.

    synthetic_hub(500, seed=1)              # the same 500 models whenever asked
    synthetic_hub(20, seed=1, first=500)    # the next 20, newer than those

Each model depends on (seed, number) alone. `Model.card_case` and `Model.config_case` name what is the matter with its
files, so that a test can count. The first forty go through every case once; the rest draw them by their shares.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from hashlib import sha1
from random import Random
from typing import Any

from .repositories import FLOOR, FileBody

STEP = timedelta(minutes=47)
"""Mean distance of two synthetic models."""

CARD_CASES = {
    "ok": 0.7845,
    "missing": 0.08,
    "no_yaml": 0.04,
    "bad_yaml": 0.02,
    "list_yaml": 0.01,
    "bom": 0.015,
    "crlf": 0.02,
    "not_utf8": 0.015,
    "nul": 0.005,
    "empty": 0.01,
    "huge": 0.0005,
}
CONFIG_CASES = {"ok": 0.9, "missing": 0.04, "list": 0.015, "not_peft": 0.02, "broken": 0.015, "empty": 0.01}
TECHNIQUES = {
    "LORA": 0.86,
    "ADALORA": 0.02,
    "IA3": 0.02,
    "LOHA": 0.015,
    "LOKR": 0.015,
    "OFT": 0.01,
    "BOFT": 0.01,
    "VERA": 0.01,
    "PROMPT_TUNING": 0.01,
    "P_TUNING": 0.005,
    "PREFIX_TUNING": 0.005,
    "MISS": 0.005,
    "BONE": 0.005,  # no longer in the library's enumeration
    "SUNDIAL": 0.01,  # never was
}
BASES = ("meta-llama/Llama-3.1-8B", "Qwen/Qwen2.5-7B-Instruct", "mistralai/Mistral-7B-v0.1", "google/gemma-2-2b")
LICENSES = ("apache-2.0", "mit", "llama3.1", "other")
PIPELINES = ("text-generation", "text-generation", "text-generation", "text-classification", "text-to-image", None)


@dataclass(slots=True)
class Model:
    """One model repository. Whatever is not given gets a plain value."""

    id: str
    files: dict[str, FileBody] = field(default_factory=dict)
    """What can be fetched, by name."""
    weights: tuple[str, ...] = ()
    """More names for the file list; fetching them is 404."""
    lfs: tuple[str, ...] = ()
    """Of `files`, those that are redirected to the file host."""
    author: str | None = None
    created_at: datetime = FLOOR
    last_modified: datetime = FLOOR
    downloads: int = 0
    likes: int = 0
    trending: int = 0
    tags: list[str] = field(default_factory=list)
    library_name: str | None = None
    pipeline_tag: str | None = None
    gated: bool | str = False
    disabled: bool = False
    private: bool = False
    sha: str = ""
    object_id: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    """More fields as served, such as cardData; they overrule the others."""
    card_case: str = "ok"
    config_case: str = "ok"
    technique: str | None = None
    """peft_type of the config that was written, broken or not."""

    def __post_init__(self) -> None:
        if self.author is None:
            self.author = self.id.partition("/")[0]
        self.sha = self.sha or sha1(self.id.encode()).hexdigest()
        # As Mongo makes them: the time of creation, then something unique.
        self.object_id = self.object_id or f"{int(self.created_at.timestamp()):08x}" + self.sha[:16]
        self.last_modified = max(self.last_modified, self.created_at)

    def shown(self) -> dict[str, Any]:
        """Every field the API can show, ids apart; absent ones are absent, as on the Hub."""
        fields = {
            "author": self.author,
            "createdAt": iso(self.created_at),
            "lastModified": iso(self.last_modified),
            "downloads": self.downloads,
            "downloadsAllTime": self.downloads * 3,
            "likes": self.likes,
            "trendingScore": self.trending,
            "tags": self.tags,
            "library_name": self.library_name,
            "pipeline_tag": self.pipeline_tag,
            "gated": self.gated,
            "disabled": self.disabled,
            "private": self.private,
            "sha": self.sha,
            "siblings": [{"rfilename": name} for name in sorted({".gitattributes", *self.files, *self.weights})],
        }
        return {name: value for name, value in (fields | self.extra).items() if value is not None}


def iso(moment: datetime) -> str:
    """A time as the API writes it: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def synthetic_hub(n: int, seed: int = 0, *, first: int = 0, peft_share: float = 0.9) -> list[Model]:
    """Models `first` to `first + n - 1` of the Hub that `seed` names, oldest first."""
    return [synthetic_model(number, seed, peft_share) for number in range(first, first + n)]


def synthetic_model(number: int, seed: int, peft_share: float = 0.9) -> Model:
    """One model. Files are made when they are fetched."""
    rng = Random(f"{seed}/{number}")
    # Every tenth shares its predecessor's time; the first ones all lie on the floor, as old models do.
    slot = number - 1 if number % 10 == 9 else number
    jitter = Random(f"{seed}/{slot}/time").random()
    created = FLOOR if number < 5 else FLOOR + STEP * (slot + 0.9 * jitter)
    created = created.replace(microsecond=created.microsecond // 1000 * 1000)
    modified = created + timedelta(hours=rng.expovariate(1 / 50)) if rng.random() < 0.6 else created
    # Heavy-tailed: the busiest owner has about 2% of all, most have one or two.
    owner = f"owner-{int(40 * (rng.paretovariate(0.9) - 1)) % 1_000_000}"
    base, license_ = rng.choice(BASES), rng.choice(LICENSES)
    is_adapter = rng.random() < peft_share
    technique = pick(rng, TECHNIQUES) if is_adapter else None
    card_case = (list(CARD_CASES) * 2)[number] if number < 2 * len(CARD_CASES) else pick(rng, CARD_CASES)
    config_case = pick(rng, CONFIG_CASES) if is_adapter else "missing"
    if is_adapter and 25 <= number < 40:
        config_case = list(CONFIG_CASES)[number % len(CONFIG_CASES)]
    pipeline = rng.choice(PIPELINES)
    tags = ["region:us", f"license:{license_}"]
    tags += [pipeline] if pipeline else []
    if is_adapter:
        tags += ["peft", "safetensors", f"base_model:{base}", f"base_model:adapter:{base}"]
        tags += ["lora"] if technique == "LORA" and rng.random() < 0.6 else []
    else:
        tags += ["transformers", "safetensors"]
    state = rng.random()
    files: dict[str, FileBody] = {}
    if card_case != "missing":
        files["README.md"] = partial(card, card_case, number, technique, base, license_)
    if config_case != "missing":
        files["adapter_config.json"] = config(config_case, technique or "LORA", base)
    return Model(
        id=f"{owner}/{rng.choice(('tiny', 'chat', 'sum', 'tuned'))}-{(technique or 'full').lower()}-{number}",
        files=files,
        weights=("adapter_model.safetensors",) if is_adapter else ("model.safetensors", "config.json"),
        author=owner,
        created_at=created,
        last_modified=modified.replace(microsecond=0),
        downloads=0 if rng.random() < 0.5 else int(rng.paretovariate(0.6)) % 5_000_000,
        likes=0 if rng.random() < 0.8 else int(rng.paretovariate(0.9)) % 20_000,
        trending=rng.randrange(50) if rng.random() < 0.05 else 0,
        tags=tags,
        library_name="peft" if is_adapter else "transformers",
        pipeline_tag=pipeline,
        gated=rng.choice(("auto", "manual")) if state < 0.015 else False,
        disabled=0.015 <= state < 0.02,
        object_id=f"{int(created.timestamp()):08x}{number:016x}",
        card_case=card_case,
        config_case=config_case,
        technique=technique,
    )


def pick(rng: Random, shares: dict[str, float]) -> str:
    """One key, by its share; the first takes what rounding leaves."""
    point = rng.random()
    for name, share in reversed(shares.items()):
        point -= share
        if point < 0:
            return name
    return next(iter(shares))


def card(case: str, number: int, technique: str | None, base: str, license_: str) -> bytes:
    """README.md of a model."""
    front = f"---\nlibrary_name: peft\nbase_model: {base}\nlicense: {license_}\ntags:\n- generated\n---\n"
    name = {"LORA": "LoRA", "ADALORA": "AdaLoRA", "LOHA": "LoHa", "LOKR": "LoKr"}.get(technique or "", technique)
    told = f"Fine-tuned from {base} with {name} on a private set." if name else f"Trained from {base}, all weights."
    body = f"# Model {number}\n\n{told}\n\n## Results\n\n| step | loss |\n|---|---|\n"
    body += "".join(f"| {step}00 | {2.5 / (step + number % 7):.4f} |\n" for step in range(1, 12))
    text = front + body
    if case == "no_yaml":
        text = body
    elif case == "bad_yaml":
        text = "---\ntags: [peft, 'lora\nlicense: : mit\n---\n" + body
    elif case == "list_yaml":
        text = "---\n- peft\n- lora\n---\n" + body
    elif case == "bom":
        text = "\ufeff" + text
    elif case == "crlf":
        text = text.replace("\n", "\r\n")
    elif case == "nul":
        text = text.replace("Results", "Res\0ults")
    elif case == "empty":
        text = ""
    elif case == "huge":
        return text.encode() + padding()
    data = text.encode()
    return data.replace(b"private set", b"priv\xe9 set \xff") + b"\xe9\n" if case == "not_utf8" else data


@cache
def padding() -> bytes:
    """About 900 KB of Markdown."""
    rng = Random(0)
    return b"\n".join(b"- sample %d: %x" % (line, rng.getrandbits(120)) for line in range(20_500))


@cache
def config(case: str, technique: str, base: str) -> bytes:
    """adapter_config.json of a model."""
    value: Any = {
        "base_model_name_or_path": base,
        "peft_type": technique,
        "task_type": "CAUSAL_LM",
        "inference_mode": True,
        "r": 16,
        "target_modules": ["q_proj", "v_proj"],
        "peft_version": "0.17.0",
    }
    if technique == "LORA":
        value |= {"lora_alpha": 32, "lora_dropout": 0.05, "use_dora": False, "use_rslora": False}
    if case == "list":
        value = [value]
    elif case == "not_peft":
        value = {"architecture": "pfeiffer", "reduction_factor": 16, "model_type": "bert"}
    text = json.dumps(value, indent=2)
    return {"broken": text[: len(text) // 2], "empty": ""}.get(case, text).encode()
