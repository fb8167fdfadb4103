# ruff: noqa: RUF001 - the characters are those that cards contain
"""A made-up bulk dump of model cards: seeded, as large as wanted, in the shape of the real ones.

    python -m benchmarks.cards dump.parquet --rows 300000 --seed 1

The columns are those of `librarian-bots/model_cards_with_metadata`. Shape: 3 KB a card on average with a long tail,
text that zstd packs about threefold, and 6.85 % of the cards naming a technique. What trainers write is most of it:
the Hub's default card (the template that huggingface_hub brings), the Trainer's, TRL's, Unsloth's, mergekit's and
PEFT's; the rest is prose of made-up words, with accents, emoji and Chinese among them. Names, numbers and prose differ
from card to card, so that no two are alike but for the shortest.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

ROWS_A_GROUP = 20_000
SCHEMA = pa.schema(
    [
        ("modelId", pa.string()),
        ("author", pa.string()),
        ("last_modified", pa.timestamp("us", "UTC")),
        ("downloads", pa.int64()),
        ("likes", pa.int64()),
        ("library_name", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("pipeline_tag", pa.string()),
        ("createdAt", pa.timestamp("us", "UTC")),
        ("card", pa.string()),
    ]
)
BASES = ("meta-llama/Llama-3.1-8B", "Qwen/Qwen2.5-7B-Instruct", "mistralai/Mistral-7B-v0.3", "google/gemma-2-9b",
         "google-bert/bert-base-uncased", "openai/whisper-small", "stabilityai/stable-diffusion-xl-base-1.0",
         "black-forest-labs/FLUX.1-dev", "microsoft/phi-4", "FacebookAI/xlm-roberta-base")  # fmt: skip
TASKS = ("text-generation", "text-classification", "text-to-image", "automatic-speech-recognition", "fill-mask")
RARE = (
    "DoRA",
    "QLoRA",
    "AdaLoRA",
    "(IA)³",
    "LoHa",
    "LoKr",
    "prefix tuning",
    "prompt tuning",
    "VeRA",
    "PiSSA",
    "rsLoRA",
)
_PLACEHOLDER = re.compile(r"\{\{\s*\w+\s*\|\s*default\(\"([^\"]*)\"[^}]*\}\}")


class Cards:
    """Rows of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.words = _words(random.Random(seed))
        self.weights = list(accumulate(1 / (rank + 400) for rank in range(len(self.words))))
        self.default = _default_body()
        self.kinds: list[tuple[Callable[[str, str], tuple[str, list[str], str | None]], float]] = [
            (self._bare, 22.0),
            (self._default, 10.0),
            (self._trainer, 20.0),
            (self._trl, 5.0),
            (self._unsloth, 7.0),
            (self._mergekit, 2.0),
            (self._quantized, 4.0),
            (self._prose, 23.15),
            (self._peft, 3.1),
            (self._diffusers, 1.5),
            (self._told, 1.65),
            (self._named, 0.6),
        ]

    def rows(self, count: int) -> Iterator[dict[str, Any]]:
        """`count` rows of SCHEMA."""
        draw = self.random
        makers, shares = zip(*self.kinds, strict=True)
        for number, make in enumerate(draw.choices(makers, shares, k=count)):
            base = draw.choice(BASES)
            owner = f"owner{int(800_000 * draw.random() ** 2.5)}"
            name = f"{base.rpartition('/')[2].lower()}-{draw.choice(self.words)}-{number}"
            card, tags, library = make(name, base)
            created = datetime(2022, 3, 2, tzinfo=UTC) + timedelta(seconds=int(142e6 * draw.random() ** 0.5))
            yield {
                "modelId": f"{owner}/{name}",
                "author": owner,
                "last_modified": created + timedelta(days=draw.randrange(300)),
                "downloads": int(3 / (draw.random() + 1e-6) ** 0.9),
                "likes": int(0.05 / (draw.random() + 1e-4)),
                "library_name": library,
                "tags": [*tags, "region:us"],
                "pipeline_tag": draw.choice(TASKS),
                "createdAt": created,
                "card": card,
            }

    def _text(self, words: int) -> str:
        draw, parts = self.random, []
        for _ in range(max(1, words // 60)):
            sentence = " ".join(draw.choices(self.words, cum_weights=self.weights, k=60))
            parts.append(sentence.capitalize() + draw.choice((".\n\n", ".\n", ". 🚀\n\n", ". It’s fine.\n", ".\n\n- ")))
        return "".join(parts)

    def _front(self, library: str | None, tags: list[str], base: str | None = None, more: str = "") -> str:
        lines = [f"library_name: {library}"] if library else []
        lines += [f"base_model: {base}"] if base else []
        lines += ["tags:", *(f"- {tag}" for tag in tags)] if tags else []
        return "---\n" + "\n".join(lines) + ("\n" if lines else "") + more + "---\n"

    def _bare(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        license_name = self.random.choice(("mit", "apache-2.0", "openrail", "cc-by-nc-4.0"))
        languages = "language:\n- en\n" if self.random.random() < 0.5 else ""
        text = "" if self.random.random() < 0.6 else f"\n# {name}\n\n{self._text(60)}"
        return f"---\nlicense: {license_name}\n{languages}---\n{text}", [f"license:{license_name}"], None

    def _default(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        tags = [] if self.random.random() < 0.7 else ["custom"]
        front = self._front("transformers", tags) if tags else "---\nlibrary_name: transformers\ntags: []\n---\n"
        return f"{front}\n{self.default}".replace("Model ID", name if self.random.random() < 0.1 else "Model ID"), [
            "transformers", "safetensors", "arxiv:1910.09700", *tags], "transformers"  # fmt: skip

    def _trainer(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        draw = self.random
        rows = "".join(
            f"| {draw.random():.4f}        | {epoch}.0   | {epoch * 500} | {draw.random():.4f}          |"
            f" {draw.random():.4f}   |\n"
            for epoch in range(1, draw.randrange(2, 12))
        )
        index = ""
        if draw.random() < 0.4:
            index = (
                f"model-index:\n- name: {name}\n  results:\n  - task:\n      name: Text Classification\n"
                f"      type: text-classification\n    dataset:\n      name: set\n      type: set\n    metrics:\n"
                f"    - name: Accuracy\n      type: accuracy\n      value: {draw.random():.6f}\n"
            )
        front = self._front("transformers", ["generated_from_trainer"], base, f"license: apache-2.0\n{index}")
        text = f"""
<!-- This model card has been generated automatically according to the information the Trainer had access to. You
should probably proofread and complete it, then remove this comment. -->

# {name}

This model is a fine-tuned version of [{base}](https://huggingface.co/{base}) on an unknown dataset.
It achieves the following results on the evaluation set:
- Loss: {draw.random():.4f}
- Accuracy: {draw.random():.4f}

## Model description

More information needed

## Intended uses & limitations

More information needed

## Training and evaluation data

More information needed

## Training procedure

### Training hyperparameters

The following hyperparameters were used during training:
- learning_rate: {draw.choice((1, 2, 3, 5))}e-05
- train_batch_size: {draw.choice((8, 16, 32))}
- eval_batch_size: 8
- seed: 42
- optimizer: Adam with betas=(0.9,0.999) and epsilon=1e-08
- lr_scheduler_type: linear
- num_epochs: {draw.randrange(1, 12)}

### Training results

| Training Loss | Epoch | Step | Validation Loss | Accuracy |
|:-------------:|:-----:|:----:|:---------------:|:--------:|
{rows}

### Framework versions

- Transformers 4.{draw.randrange(20, 50)}.{draw.randrange(4)}
- Pytorch 2.{draw.randrange(6)}.1+cu121
- Datasets 2.{draw.randrange(20)}.0
- Tokenizers 0.{draw.randrange(13, 20)}.1
"""
        return front + text, ["transformers", "safetensors", "generated_from_trainer"], "transformers"

    def _trl(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        draw = self.random
        front = self._front("transformers", ["generated_from_trainer", "trl", "sft"], base, f"model_name: {name}\n")
        text = f"""
# Model Card for {name}

This model is a fine-tuned version of [{base}](https://huggingface.co/{base}).
It has been trained using [TRL](https://github.com/huggingface/trl).

## Quick start

```python
from transformers import pipeline

question = "If you had a time machine, but could only go to the past or the future once, which would you choose?"
generator = pipeline("text-generation", model="owner/{name}", device="cuda")
output = generator([{{"role": "user", "content": question}}], max_new_tokens=128, return_full_text=False)[0]
print(output["generated_text"])
```

## Training procedure

This model was trained with SFT.

### Framework versions

- TRL: 0.{draw.randrange(9, 20)}.0
- Transformers: 4.{draw.randrange(40, 50)}.1
- Pytorch: 2.{draw.randrange(4, 7)}.0

## Citations

Cite TRL as:

```bibtex
@misc{{vonwerra2022trl, title = {{Transformer Reinforcement Learning}}, year = 2020}}
```
"""
        return front + text, ["transformers", "safetensors", "trl", "sft"], "transformers"

    def _unsloth(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        tags = ["text-generation-inference", "transformers", "unsloth", "llama"]
        front = self._front(None, tags, base, "license: apache-2.0\nlanguage:\n- en\n")
        text = f"""
# Uploaded finetuned model

- **Developed by:** owner
- **License:** apache-2.0
- **Finetuned from model :** {base}

This llama model was trained 2x faster with [Unsloth](https://github.com/unslothai/unsloth) and Huggingface's library.

[<img src="https://raw.githubusercontent.com/unslothai/unsloth/main/images/unsloth%20made%20with%20love.png" width="200"/>](https://github.com/unslothai/unsloth)
"""
        return front + text, ["transformers", "safetensors", *tags[:3]], "transformers"

    def _mergekit(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        front = f"---\nbase_model:\n- {base}\n- owner/other\nlibrary_name: transformers\n"
        front += "tags:\n- mergekit\n- merge\n---\n"
        text = f"""# {name}

This is a merge of pre-trained language models created using [mergekit](https://github.com/cg123/mergekit).

## Merge Details
### Merge Method

This model was merged using the SLERP merge method.

### Configuration

```yaml
slices:
  - sources:
      - model: {base}
        layer_range: [0, {self.random.randrange(20, 48)}]
merge_method: slerp
parameters:
  t:
    - value: {self.random.random():.3f}
dtype: bfloat16
```
"""
        return front + text, ["transformers", "mergekit", "merge"], "transformers"

    def _quantized(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        table = "".join(
            f"| [{name}.Q{bits}_K_{size}.gguf](https://huggingface.co/owner/{name}/blob/main/{name}.Q{bits}_K_{size}.gguf)"
            f" | Q{bits}_K_{size} | {self.random.random() * 10:.2f} GB | quality tier {self.random.randrange(9)} |\n"
            for bits in range(2, 9)
            for size in "SML"
        )
        front = self._front(None, ["gguf"], base, "quantized_by: owner\n")
        return f"{front}\n# {name}, quantized\n\n| File | Type | Size | Remark |\n|---|---|---|---|\n{table}", [
            "gguf", "base_model:quantized:" + base], None  # fmt: skip

    def _prose(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        draw = self.random
        words = min(6_000, int(draw.lognormvariate(6.1, 1.0)))
        text = f"# {name}\n\n{self._text(words)}"
        if draw.random() < 0.08:
            text += "\n## 模型介绍\n\n本模型用于文本分类任务，数据来自公开语料，效果良好。\n" * draw.randrange(1, 9)
        if draw.random() < 0.5:
            text += "\n## Usage\n\n```python\nfrom transformers import AutoModel\n\n"
            text += f'model = AutoModel.from_pretrained("{name}")\n```\n'
        if draw.random() < 0.0005:
            text += self._text(60) * draw.randrange(2_000, 9_000)
        front = self._front("transformers", [draw.choice(self.words)], base, "license: mit\n")
        return front + text, ["transformers", "pytorch"], "transformers"

    def _peft(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        version = f"0.{self.random.randrange(4, 18)}.{self.random.randrange(3)}"
        tags = ["lora", "transformers"] if self.random.random() < 0.5 else []
        front = self._front("peft", [f"base_model:adapter:{base}", *tags] if tags else [], base)
        text = f"\n{self.default}\n### Framework versions\n\n- PEFT {version}\n"
        return front + text, ["peft", "safetensors", f"base_model:adapter:{base}", *tags], "peft"

    def _diffusers(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        trigger = self.random.choice(self.words)
        tags = ["text-to-image", "lora", "diffusers", "template:sd-lora"]
        front = self._front("diffusers", tags, base, f"instance_prompt: {trigger}\nlicense: openrail++\n")
        text = f"""
# {name}

<Gallery />

## Model description

These are owner/{name} LoRA adaption weights for {base}. The weights were trained using DreamBooth.

## Trigger words

You should use `{trigger}` to trigger the image generation.

## Use it with diffusers

```py
pipeline.load_lora_weights('owner/{name}', weight_name='lora.safetensors')
```
"""
        return front + text, [*tags, f"base_model:adapter:{base}"], "diffusers"

    def _told(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        technique = "LoRA" if self.random.random() < 0.7 else self.random.choice(RARE)
        how = self.random.choice(
            (
                f"This model was fine-tuned with {technique} on {{}} examples.",
                f"- **Method:** {technique}\n- **Rank:** {{}}",
                f"We trained {base} using {technique} for {{}} steps.",
            )
        ).format(self.random.randrange(8, 9_000))
        words = min(3_000, int(self.random.lognormvariate(5.5, 0.8)))
        front = self._front("transformers", ["generated"], base)
        return (
            f"{front}\n# {name}\n\n{self._text(words)}\n## Training\n\n{how}\n\n{self._text(60)}",
            ["transformers"],
            ("transformers"),
        )

    def _named(self, name: str, base: str) -> tuple[str, list[str], str | None]:
        names = ", ".join(self.random.sample(("LoRA", *RARE), 3))
        front = self._front("transformers", ["generated"], base)
        how = f"## Future work\n\nWe plan to try {names}.\n"
        return f"{front}\n# {name}\n\n{self._text(300)}\n{how}", ["transformers"], "transformers"


def _words(draw: random.Random) -> list[str]:
    onsets = ("b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "pl", "ch", "é", "ü")
    ends = ("a", "e", "i", "o", "u", "an", "er", "is", "on", "ent", "ing", "al")
    lengths = [draw.randrange(1, 5) for _ in range(150_000)]
    made = {"".join(draw.choice(onsets) + draw.choice(ends) for _ in range(length)) for length in lengths}
    return ["the", "of", "and", "to", "in", "model", "data", "is", "for", "with", *sorted(made)]


def _default_body() -> str:
    text = (resources.files("huggingface_hub") / "templates" / "modelcard_template.md").read_text(encoding="utf-8")
    return _PLACEHOLDER.sub(r"\1", text.partition("---\n\n")[2] or text).replace("{{ model_id | default", "Model ID")


def write(path: Path, rows: int, seed: int, rows_a_group: int = ROWS_A_GROUP) -> int:
    """Writes the file; returns the bytes of text in its cards."""
    made = Cards(seed).rows(rows)
    text = 0
    with parquet.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for start in range(0, rows, rows_a_group):
            group = [next(made) for _ in range(min(rows_a_group, rows - start))]
            text += sum(len(row["card"].encode()) for row in group)
            writer.write_table(pa.Table.from_pylist(group, SCHEMA))
    return text


def main() -> None:
    """Writes one dump."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows-a-group", type=int, default=ROWS_A_GROUP)
    options = parser.parse_args()
    text = write(options.path, options.rows, options.seed, options.rows_a_group)
    packed = options.path.stat().st_size
    print(f"{options.rows:,} cards, {text / 1e6:,.0f} MB of text, {packed / 1e6:,.0f} MB on disk")


if __name__ == "__main__":
    main()
