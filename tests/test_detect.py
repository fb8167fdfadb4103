# ruff: noqa: RUF001 - the characters are those that cards contain
"""Evidence and verdicts: each rule with a text that needs it."""

from __future__ import annotations

import json
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstats import detect as detector
from hubstats.detect import detect, used_names
from hubstats.detect.matching import matcher
from hubstats.detect.verdict import is_mention, is_technique
from hubstats.records import Detection, Document, Verdict
from hubstats.techniques import Registry, load, parse

REGISTRY = load()
CASES = Path(__file__).parent / "cases"
EASILY_CONFUSED = {
    # No alias of these is ambiguous by itself, but another technique, an ordinary word or a mode of speech is near.
    *(
        "adapter_parallel",
        "adapter_pfeiffer",
        "control_adapters",
        "dreambooth",
        "freeze_tuning",
        "loftq",
        "lora_merged",
    ),
    *("miss_bat", "miss_mini", "mora", "olora", "p_tuning_v2", "prompt_tuning", "qalora", "qlora", "textual_inversion"),
    "tinylora",
}
AMBIGUOUS = EASILY_CONFUSED | {
    technique.key for technique in REGISTRY if any(alias.ambiguous or alias.unless for alias in technique.aliases)
}
ADAPTER = "---\nlibrary_name: peft\nbase_model: org/base\n---\n\n# Notes\n\n"


def judge(card: str | None = None, **fields: Any) -> tuple[tuple[Detection, ...], Verdict]:
    return detect(Document("hub", fields.pop("subject_id", "owner/subject"), card=card, **fields), REGISTRY)


def names(card: str) -> tuple[str, ...]:
    return used_names(*judge(card))


# --- cases -----------------------------------------------------------------------------------------------------------


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(path.stem, case, id=f"{path.stem}-{number}")
        for path in sorted(CASES.glob("*.toml"))
        for number, case in enumerate(tomllib.loads(path.read_text(encoding="utf-8")).get(kind, []))
    ]


def found(technique: str, case: dict[str, Any]) -> list[Detection]:
    detections, _ = judge(case.get("text"), config=case.get("config"))
    return [item for item in detections if item.technique == technique]


@pytest.mark.parametrize(("technique", "case"), cases("detected"))
def test_detected(technique: str, case: dict[str, Any]) -> None:
    mine = found(technique, case)
    assert mine
    if "use" in case:
        assert any(item.use for item in mine) == case["use"]


@pytest.mark.parametrize(("technique", "case"), cases("not_detected"))
def test_not_detected(technique: str, case: dict[str, Any]) -> None:
    assert not found(technique, case)


def test_every_technique_has_cases() -> None:
    files = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in CASES.glob("*.toml")}
    assert set(files) == {technique.key for technique in REGISTRY}
    for key, case in files.items():
        assert set(case) == {"detected", "not_detected"}, key
        least = 5 if key in AMBIGUOUS else 1
        assert min(len(case["detected"]), len(case["not_detected"])) >= least, key
        for entry in case["detected"] + case["not_detected"]:
            assert set(entry) <= {"text", "config", "use"}, key


# --- matching --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X-LoRA, VB\u2011LoRA and LoRA", [("xlora", "X-LoRA"), ("vblora", "VB\u2011LoRA"), ("lora", "LoRA")]),
        ("(IA)³ or (IA)^3 or IA³", [("ia3", "(IA)³"), ("ia3", "(IA)^3"), ("ia3", "IA³")]),
        ("LoRA+ and LoRA + X", [("lora_plus", "LoRA+"), ("lora", "LoRA")]),
        ("P-Tuning v2, P-Tuning", [("p_tuning_v2", "P-Tuning v2"), ("p_tuning", "P-Tuning")]),
        ("ＬｏＲＡ and Lo\u200bRA", [("lora", "ＬｏＲＡ"), ("lora", "Lo\u200bRA")]),
        ("İstanbul LoRA", [("lora", "LoRA")]),
        ("prompt\ntuning", [("prompt_tuning", "prompt\ntuning")]),
        ("LoRA rank", [("lora", "LoRA")]),
        (
            "DeLoRA GLoRA GraLoRA GaLore QALoRA",
            [
                (key, name)
                for key, name in zip(
                    ("delora", "glora", "gralora", "galore", "qalora"),
                    ("DeLoRA", "GLoRA", "GraLoRA", "GaLore", "QALoRA"),
                    strict=True,
                )
            ],
        ),
        ("flora exploration peft often", []),
    ],
)
def test_longest_name_first_and_offsets_in_the_original(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(hit.technique, text[hit.start : hit.end]) for hit in matcher(REGISTRY).find(text)] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mistral-7b-qlora-yelp", ["qlora"]),
        ("qwen_lora_adapter", ["lora"]),
        ("Llama-3-Lora-v1", ["lora"]),
        ("x_lora_mix", ["xlora"]),
        ("dora-the-explorer", []),
        ("road_bone_lily_eva_shadow", []),
        ("florabert-exploration", []),
    ],
)
def test_names_of_repositories(name: str, expected: list[str]) -> None:
    assert [hit.technique for hit in matcher(REGISTRY).find_in_name(name)] == expected


def test_a_name_rejected_for_its_case_may_begin_with_one_that_stands() -> None:
    text = 'name = "{0}"\nfamily = "other"\nkind = "method"\n'
    text += '[detect]\naliases = [{{ text = "{0}", case = "exact", boundary = "word" }}]'
    registry = Registry([parse("short", text.format("Abc")), parse("long", text.format("Abc Def Ghi"))])
    assert [hit.technique for hit in matcher(registry).find("Abc Def Ghi, Abc def ghi, Abcd")] == ["long", "short"]


# --- use or mention --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("Fine-tuned with LoRA on 10k samples.", "lora"),
        ("## Training\n\n- Method: QLoRA\n- LoRA rank: 16", "lora qlora"),
        ("| Setting | Value |\n|---|---|\n| Method | QLoRA |", "qlora"),
        ("We use low-rank adaptation (LoRA).", "lora"),
        ("QLoRA finetune of Mistral.", "qlora"),
        ("This repository contains the DoRA weights.", "dora"),
        ("Trained with VeRA, not LoRA.", "vera"),
        (ADAPTER + "We compared LoRA and IA3; this adapter uses IA3.", "ia3"),
        (ADAPTER + "Unlike LoRA, IA3 rescales activations.", "ia3"),
        ("Trained with QLoRA, which can be combined with DoRA.", "qlora"),
        ("**LoRA configuration**\n- r: 16\n\n", "lora"),
        ("El modelo fue entrenado con LoRA.", "lora"),
        ("该模型使用 LoRA 微调。", "lora"),
        ("本项目基于 Qwen2.5 进行了垂直领域 **LoRA** 微调。", "lora"),
        ("模型由 ChatGLM-6B LoRA 16-bit 指令微调得到。", "lora"),
        ("This project fine-tunes LLaMA on PubMed using QLoRA.", "qlora"),
        ("- Fine-tunes **LLaMA 2** using **LoRA**", "lora"),
        ("- **微调策略:** LoRA", "lora"),
        ("- **方法**：QLoRA 4-bit 量化 + LoRA（r=16, alpha=32），单卡", "lora qlora"),
        ("| LoRA（r=16） | 全线性层 |", "lora"),
        ("本仓库包含完整的 LoRA 适配器权重。", "lora"),
        ("| 学習手法 | QLoRA |", "qlora"),
        ("| Setting | 8B model | 32B model |\n|---|---|---|\n| Method | QLoRA | QLoRA |", "qlora"),
        ("LoRA weights were merged into the base model.", "lora"),
        # mentions
        ("The model can be fine-tuned with LoRA or QLoRA.", ""),
        ("You can train it with LoRA.", ""),
        ("## Training\n\n- **PEFT** for LoRA/IA3 adapters\n", ""),
        ("This project can be used if you fine-tune LLaMA using QLoRA.", ""),
        ("This notebook shows how to fine-tune a model with LoRA.", ""),
        ("可由 LoRA 指令微调得到。", ""),
        ("可以使用 LoRA 微调该模型。", ""),
        ("支持使用 LoRA 进行训练。", ""),
        ("如需对模型进行 LoRA 微调，请参考教程。", ""),
        ("- 支持的微调方式：LoRA、QLoRA", ""),
        ("- 微调方式：支持 LoRA", ""),
        ("| Method | 8B model | 32B model |\n|---|---|---|\n| Training | LoRA | QLoRA |", ""),
        ("A full fine-tune, not LoRA.", ""),
        ("Trained without LoRA, QLoRA or DoRA.", ""),
        ("LoRA: No", ""),
        ("Outperforms LoRA and is better than QLoRA.", ""),
        ("| Method | Params | Score |\n|---|---|---|\n| LoRA | 1M | 80 |\n| IA3 | 2M | 81 |", ""),
        ("Supported methods: LoRA, QLoRA, DoRA, IA3.", ""),
        (ADAPTER + "- LoRA\n- IA3\n- VeRA\n", ""),
        ("## Citation\n\n```bibtex\n@article{hu,\n title={LoRA: Low-Rank Adaptation}\n}\n```", ""),
        (ADAPTER + "## References\n\nLoRA was trained by Hu et al.", ""),
        ("Trained with https://example.org/lora", ""),
        ("<!-- trained with LoRA -->", ""),
        ("## Fine-tuning\n\nWe provide scripts for LoRA fine-tuning.", ""),
        ("## Comparison\n\nTrained with LoRA: 80. Trained with IA3: 81.", ""),
        ("```python\nfrom peft import LoraConfig\nconfig = LoraConfig(r=8)\n```", ""),
        ("Base is user/base-lora-merged.", ""),
        (ADAPTER + "It is faster than LoRA. The IA3 vectors are small.", "ia3"),
        (ADAPTER + "| Model | Method | Score |\n|---|---|---|\n| base | LoRA | 1 |", ""),
        (ADAPTER + "The base is org/chat-lora-v2.", ""),
        (ADAPTER + "LoRA, IA3 and VeRA are small.", ""),
        (ADAPTER + "Works without LoRA, or IA3.", ""),
        ("# T\n\n## Comparison\n\n### Training\n\nTrained with LoRA.", ""),
        (ADAPTER + "## Comparison\n\nLoRA is small.", ""),
        (ADAPTER + "## Roadmap\n\nLoRA on all layers.", ""),
        (ADAPTER + "@article{hu,\n  title={LoRA: Low-Rank Adaptation},\n}\n", ""),
        ("## Usage\n\n- Method: LoRA\n", ""),
        ("Not only LoRA was used.", "lora"),
        (ADAPTER + "```bash\n# Comparison\n```\n\nLoRA is small.", "lora"),  # a comment in code is no heading
        ("## Training\n\n- Method: LoRA\n", "lora"),
        ("## Training\n\n- Methods: LoRA, IA3, VeRA\n", ""),
    ],
)
def test_use_and_mention(card: str, expected: str) -> None:
    assert set(names(card)) == set(expected.split())


@pytest.mark.parametrize(
    ("card", "uses"),
    [
        ("采用LoRA (rank=16)微调得到。", True),
        ("对模型进行LoRA微调，可使得", True),
        ("本次开源的是LoRA权重", True),
        ("基于LoRA的中文大模型", True),
        ("이 모델은 LoRA를 사용하여 학습되었습니다", True),
        ("LoRAを用いて学習しました", True),
        ("没有使用LoRA，全参数微调", False),
        ("未采用LoRA微调", False),
        ("相比LoRA，效果更好", False),
        ("优于LoRA的方法", False),
        ("与LoRA相比更好", False),
        ("比LoRA更好", False),
        ("支持LoRA微调", False),
        ("LoRAを使わずに学習しました", False),
        ("LoRA를 사용하지 않고 학습했습니다", False),
        ("ใช้LoRAในการฝึก", False),
        ("Prompts are answered by a LoRA fine-tuned Llama model.", True),
        ("It was held against a LoRA fine-tuned Llama model.", False),
    ],
)
def test_a_name_stands_alone_in_scripts_without_spaces(card: str, uses: bool) -> None:
    found, verdict = judge(card)
    assert verdict.mentions == ("lora",)
    assert [item.use for item in found] == [uses]


@pytest.mark.parametrize("card", ["Кlora", "xloraモデル用", "我的Kelora模型", "プloraxyz"])
def test_letters_of_a_script_with_spaces_go_on_with_a_word(card: str) -> None:
    assert judge(card)[1].mentions != ("lora",)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        # what a repository of code offers is no use
        ("This directory provides LoRA implementations of a paper.", ""),
        ("This repository contains the LoRA training script.", ""),
        ("This repository contains the LoRA weights.", "lora"),
        # a line that tells the reader what to do states nothing
        ("## Training\n\n- finetune: Modify LoRA settings here.\n", ""),
        ("## Training\n\n- finetune: LoRA, rank 8\n", "lora"),
        # DreamBooth is no rival that would make a list or a comparison of its LoRA
        ("# SDXL DreamBooth LoRA\n\nLoRA weights.", "lora"),
        ("# ControlNet for SDXL\n\nLoRA is small.", ""),
        ("# A full fine-tune of Llama\n\nLoRA is small.", ""),
        ("---\ntags: [dreambooth]\n---\nLoRA is small.", ""),
        ("---\ntags: [dreambooth]\nlibrary_name: peft\n---\nLoRA is small.", "lora"),
        ("## Training\n\nDreamBooth on 20 pictures, a LoRA adapter.", "lora"),
    ],
)
def test_use_beside_scripts_and_recipes(card: str, expected: str) -> None:
    assert set(names(card)) == set(expected.split())


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        # settings below a heading that is a technique's name
        ("## Training\n\n### LoRA\n\n- `r`: 16\n- `alpha`: 32", "lora"),
        ("## Training\n\n**LoRA**\n- rank (r): 16\n", "lora"),
        ("## Training\n\n### LoRA\n\nIt is small: 16 MB.", ""),
        ("## Usage\n\n### LoRA\n\n- r: 16", ""),
        ("- DoRA: enabled\n", "dora"),
        ("- DoRA: disabled\n", ""),
        # a heading that promises advice, over an account of one's own training
        ("### Fine-Tuning with Unsloth\nWe used Unsloth on a T4.\n* **Technique:** LoRA.", "lora"),
        ("### Fine-Tuning with Unsloth\nInstall Unsloth.\n* **Technique:** LoRA.", ""),
        # what a project is about
        ("A research project: fine-tuning Gemma with QLoRA + DoRA + rsLoRA on pairs.", "qlora dora rslora"),
        ("This project demonstrates fine-tuning of Llama using LoRA.", "lora"),
        ("A project template that supports fine-tuning with LoRA.", ""),
        ("Fine-tuning Llama-2 on Guanaco using QLoRA.", "qlora"),
        ("Fine-tuning large models with LoRA is popular.", ""),
        ("## Usage\n\nFine-tuning Llama-2 on Guanaco using QLoRA.", ""),
        ("Llama 3 8B fine-tuned (QLoRA) on medical answers.", "qlora"),
        ("The model underwent LoRA fine-tuning.", "lora"),
        ("Uses LoRA for efficient fine-tuning.", "lora"),
        ("To train with LoRA, run the script.", ""),
        ("## Training\n\nTo fine-tune with LoRA run train.py.", ""),
        ("To train it on one GPU we used LoRA.", "lora"),
        ("We LoRA-tuned a small model.", "lora"),
        ("You LoRA-tune a small model.", ""),
        # several techniques, all trained
        ("We fine-tuned the model with LoRA, AdaLoRA and IA3.", "lora adalora ia3"),
        ("A library that implements LoRA, AdaLoRA and IA3.", ""),
        ("You can fine-tune models with LoRA, AdaLoRA and IA3.", ""),
        # likeness is no use
        (ADAPTER + "Trained with DoRA on data identical to the LoRA run.", "dora"),
        (ADAPTER + "DoRA was used, with the same settings as the LoRA run.", "dora"),
        (ADAPTER + "Trained with DoRA, a LoRA-style update of the direction.", "dora"),
        # the class of a config names the base only where no variant is named
        ("# DoRA adapter\n\nTrained with DoRA.\n\n```python\nLoraConfig(r=8, use_dora=True)\n```", "dora"),
        ("# LoRA adapter\n\n```python\nLoraConfig(r=8)\n```", "lora"),
        # a title announces its own technique, not every other that is named below
        ("# LoRA-XS: small adapters\n\nThe matrices of LoRA stay frozen.", "lora_xs"),
        # a card of an adapter offers no software, whatever its first words
        (ADAPTER + "A toolkit for training language models.\n\n- Method: LoRA\n", "lora"),
        # software that handles adapters is none
        ("# LoRA comparison plugin for ComfyUI\n\nLoad a LoRA.", ""),
        ("# LoRA Manager\n\nManage LoRA files.", ""),
        ("# LoRA grid\n\nA LoRA each.\n\n```bash\ncd ComfyUI/custom_nodes\ngit clone https://x\n```", ""),
        ("# LoRA of film stills\n\nPut the LoRA into ComfyUI/models/loras.", "lora"),
    ],
)
def test_use_in_settings_projects_and_tools(card: str, expected: str) -> None:
    assert set(names(card)) == set(expected.split())


RESULTS = "| Method | Params | Accuracy |\n|---|---|---|\n| LoRA (r=8) | 0.3% | 80.1 |\n| IA3 | 0.1% | 79.0 |\n"
STUDY = "# Bake-off\n\nA comparison of PEFT methods on GSM8K.\n\n## Results\n\n"


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (STUDY + RESULTS, "lora ia3"),
        (STUDY + "| Metric | LoRA | IA3 |\n|---|---|---|\n| F1 | 0.8 | 0.7 |\n", "lora ia3"),
        (STUDY + "| Metric | LoRA | IA3 |\n|---|---|---|\n| License | MIT | MIT |\n", ""),
        # no study
        ("# A model\n\n## Results\n\n" + RESULTS, ""),
        ("# A model\n\nBetter than it compared with other PEFT methods.\n\n" + RESULTS, ""),
        ("# Toolkit\n\nThis is a toolkit for comparing PEFT methods.\n\n" + RESULTS, ""),
        ("# Bake-off\n\nOur novel loss, in a comparison of PEFT methods.\n\n## Results\n\n" + RESULTS, ""),
        # an adapter's own card
        (ADAPTER + "A comparison of PEFT methods.\n\n" + RESULTS, ""),
        # no results, and none but one technique's
        (
            STUDY + "| Row | Set | Base | Note | Accuracy |\n|---|---|---|---|---|\n"
            "| 1 | a | b | LoRA next | 80 |\n| 2 | a | b | IA3 next | 81 |\n",
            "",
        ),
        (STUDY + "| Method | File | Memory |\n|---|---|---|\n| LoRA | lora.py | 8 |\n| IA3 | ia3.py | 7 |\n", ""),
        (STUDY + "| Method | Note | Accuracy |\n|---|---|---|\n| LoRA | planned | - |\n| IA3 | planned | - |\n", ""),
        (STUDY + "| Method | Rank | Accuracy |\n|---|---|---|\n| LoRA | 8 | 80 |\n| LoRA | 16 | 81 |\n", ""),
    ],
)
def test_the_rows_of_a_studys_results_were_trained(card: str, expected: str) -> None:
    _, verdict = judge(card)
    assert set(names(card)) == set(expected.split())
    assert verdict.state == ("several" if expected else verdict.state)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"config": {"architecture": "lora", "use_dora": True}}, ("lora", ("dora",), ())),
        ({"config": {"architecture": "lora", "composition_mode": "scale"}}, ("ia3", (), ())),
        ({"config": {"architecture": "lora", "vera_d": 0.1, "vera_b": 0.0}}, ("vera", (), ())),
        ({"config": {"mh_adapter": True, "output_adapter": True, "phm_layer": True}}, ("compacter", (), ())),
        (
            {"config": {"mh_adapter": True, "output_adapter": True, "phm_layer": False}},
            ("bottleneck_adapter", ("adapter_houlsby",), ()),
        ),
        ({"config": "mam"}, (None, ("adapter_parallel",), ("bottleneck_adapter", "prefix_tuning"))),
        ({"config": {"architecture": "union", "configs": [[], "x", None]}}, (None, (), ())),
        ({"config": {"architecture": ["lora"]}}, (None, (), ())),
        ({"architecture": "resnet50"}, (None, (), ())),
    ],
)
def test_configs_of_adapterhub_are_told_apart_by_their_keys(config: dict[str, Any], expected: tuple[Any, ...]) -> None:
    _, verdict = judge(config=json.dumps(config))
    assert (verdict.technique, verdict.overlays, verdict.techniques) == expected


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("Trained with DreamBooth.", ("dreambooth",)),
        ("---\ntags: [dreambooth, textual_inversion]\n---\n", ("dreambooth", "textual_inversion")),
        ("Not DreamBooth but textual inversion.", ("dreambooth", "textual_inversion")),
        ("Trained with LoRA+ and QLoRA.", ("lora_plus", "qlora")),
        ("A full fine-tune; call merge_and_unload() and add a ControlNet.", ()),
    ],
)
def test_mentions_are_techniques_and_training_recipes(card: str, expected: tuple[str, ...]) -> None:
    assert judge(card)[1].mentions == expected


def test_dreambooth_is_mentioned_and_never_what_is_used() -> None:
    _, alone = judge("---\ntags: [dreambooth]\n---\n# DreamBooth\n\nTrained with DreamBooth.")
    assert (alone.state, alone.technique, alone.techniques) == ("mentioned", None, ())
    assert (alone.blog_technique, alone.blog_technique_folded) == (None, None)
    both = judge("---\ntags: [dreambooth, lora]\n---\nLoRA weights, trained using DreamBooth.")
    assert (both[1].state, both[1].technique, both[1].techniques) == ("used", "lora", ())
    assert (both[1].mentions, both[1].blog_technique) == (("dreambooth", "lora"), "lora")
    assert used_names(*both) == ("lora",)


@pytest.mark.parametrize(
    "card",
    [
        "LISA and more.",
        "LISA, see https://arxiv.org/abs/2402.09353",  # the paper of another
        "[LISA](https://example.org/2403.17919x)".replace("2403.17919x", "2403"),
    ],
)
def test_an_ambiguous_name_alone_names_nothing(card: str) -> None:
    assert judge(card)[1].mentions == ()


def test_its_own_paper_settles_an_ambiguous_name() -> None:
    assert judge("[LISA](https://arxiv.org/abs/2403.17919) is used.")[1].mentions == ("lisa",)


def test_what_is_not_used_is_still_mentioned() -> None:
    _, verdict = judge("A full fine-tune, not LoRA. It can be tuned with QLoRA.")
    assert (verdict.state, verdict.technique, verdict.mentions) == ("mentioned", None, ("lora", "qlora"))


def test_an_ambiguous_name_counts_where_the_technique_shows_otherwise() -> None:
    assert judge("Bone, rank 64.")[1].mentions == ()
    assert judge("Bone, rank 64.", config='{"peft_type": "BONE"}')[1].mentions == ("bone",)
    assert judge("Bone, rank 64.", config='{"peft_type": "LORA"}')[1].mentions == ()


@pytest.mark.parametrize("title", ["SDXL DreamBooth LoRA", "ControlNet Tile LoRA"])
def test_a_title_with_one_technique_is_an_adapters(title: str) -> None:
    _, verdict = judge(f"# {title}\n")
    assert (verdict.technique, verdict.evidence_kind) == ("lora", "title")


def test_repetition_adds_nothing() -> None:
    detections, _ = judge("Trained with LoRA. " * 50)
    assert len(detections) == detector.MAX_ALIKE


def test_code_in_an_adapter_card_is_read_by_value() -> None:
    card = (
        ADAPTER
        + "## Training\n```python\nLoraConfig(r=8, use_dora=True, use_rslora=False, init_lora_weights='pissa')\n```"
    )
    _, verdict = judge(card)
    assert (verdict.technique, verdict.overlays, verdict.evidence_kind) == ("lora", ("dora", "pissa"), "code")


# --- evidence order and verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"config": '{"peft_type": "LORA"}'}, "config"),
        ({"weight_files": ("pytorch_lora_weights.safetensors",)}, "weights"),
        ({"card": "---\ntags: [llama-factory, lora]\n---\n"}, "trainer"),
        ({"site_type": "LORA"}, "type"),
        ({"tags": ("lora",)}, "tag"),
        ({"card": ADAPTER + "```python\nLoraConfig(r=8)\n```"}, "code"),
        ({"card": "# Llama 3 LoRA\n"}, "title"),
        ({"card": "Fine-tuned with LoRA."}, "prose"),
        ({"subject_id": "owner/llama-lora"}, "name"),
    ],
)
def test_each_kind_of_evidence_suffices(fields: dict[str, Any], kind: str) -> None:
    _, verdict = judge(**fields)
    assert (verdict.state, verdict.technique, verdict.evidence_kind) == ("used", "lora", kind)


def test_the_config_outranks_the_tag_and_the_conflict_is_kept() -> None:
    detections, verdict = judge(config='{"peft_type": "IA3"}', tags=("lora",))
    assert (verdict.state, verdict.technique, verdict.evidence_kind) == ("conflict", "ia3", "config")
    assert verdict.techniques == ("ia3", "lora")
    assert verdict.note == "config says ia3; tag says lora"
    assert {item.technique for item in detections} == {"ia3", "lora"}


def test_lora_as_a_word_for_the_family_is_no_conflict() -> None:
    _, verdict = judge("Trained with a LoRA adapter.", config='{"peft_type": "ADALORA", "r": 8, "lora_alpha": 8}')
    assert (verdict.state, verdict.technique) == ("used", "adalora")


def test_folder_names_do_not_contradict() -> None:
    _, verdict = judge(config='{"peft_type": "IA3"}', subject_id="owner/adalora-run")
    assert (verdict.state, verdict.technique) == ("used", "ia3")


def test_two_techniques_of_one_kind_are_several() -> None:
    _, verdict = judge(tags=("ia3", "adalora"))
    assert (verdict.state, verdict.technique, verdict.techniques) == ("several", None, ("adalora", "ia3"))


def test_a_family_tag_beside_a_member_is_no_second_technique() -> None:
    _, verdict = judge(tags=("lora", "loha", "lycoris"))
    assert (verdict.state, verdict.technique) == ("used", "loha")


SIMPLETUNER = """---
base_model: "org/image-model"
tags:
  - diffusers
  - simpletuner
  - lora
  - template:sd-lora
  - lycoris
---
# k

This is a LyCORIS adapter derived from [org/image-model](https://example.org/org/image-model).

- LyCORIS Config:
```json
{{
    "multiplier": 1.0,
    "algo": "{algorithm}"
}}
```
"""


@pytest.mark.parametrize(
    ("algorithm", "technique", "overlays"),
    [
        ("lokr", "lokr", ()),
        ("loha", "loha", ()),
        ("ia3", "ia3", ()),
        ("boft", "boft", ()),
        ("diag-oft", "oft", ("lycoris_diag_oft",)),
        ("locon", "locon", ()),
        ("one-of-tomorrow", "lycoris", ()),
    ],
)
def test_the_algorithm_in_a_lycoris_card_is_read_by_value(
    algorithm: str, technique: str, overlays: tuple[str, ...]
) -> None:
    _, verdict = judge(SIMPLETUNER.format(algorithm=algorithm))
    assert verdict.template == "simpletuner"
    assert (verdict.state, verdict.technique, verdict.overlays) == ("used", technique, overlays)


@pytest.mark.parametrize("written", ["lora", "PeftType.LORA", " LORA "])
def test_a_type_written_otherwise(written: str) -> None:
    assert judge(config=f'{{"peft_type": "{written}"}}')[1].technique == "lora"


@pytest.mark.parametrize(
    ("peft_type", "technique"), [("MISS", "miss"), ("BONE", "bone")], ids=["today", "dropped type"]
)
def test_a_flag_of_a_dropped_type_is_read_as_of_its_successor(peft_type: str, technique: str) -> None:
    _, bat = judge(config=f'{{"peft_type": "{peft_type}", "init_weights": "bat"}}')
    assert (bat.state, bat.technique, bat.overlays) == ("used", technique, ("miss_bat",))
    _, plain = judge(config=f'{{"peft_type": "{peft_type}", "init_weights": true}}')
    assert (plain.technique, plain.overlays) == (technique, ())


def test_an_unknown_type_is_kept_as_itself() -> None:
    detections, verdict = judge(config='{"peft_type": "DUALLORA", "use_dora": true}')
    assert (verdict.state, verdict.technique, verdict.overlays) == ("used", "other:DUALLORA", ())
    assert [item.technique for item in detections] == ["other:DUALLORA"]


@pytest.mark.parametrize(
    "sign",
    [
        {"card": ADAPTER},
        {"tags": ("base_model:adapter:org/base",)},
        {"tags": ("peft",)},
        {"weight_files": ("adapter_model.safetensors",)},
    ],
)
def test_an_adapter_of_unknown_technique(sign: dict[str, Any]) -> None:
    _, verdict = judge(**sign)
    assert (verdict.state, verdict.technique) == ("unknown_adapter", None)


MISPLACED = "# Notes\n\nSome words first.\n\n---\nlicense: mit\n{}\n---\n\nMore words.\n"


def test_metadata_in_the_middle_of_the_card_still_says_what_it_is() -> None:
    _, adapter = judge(MISPLACED.format("library_name: peft"))
    assert (adapter.state, adapter.technique, adapter.note) == ("unknown_adapter", None, "front matter misplaced")
    detections, tagged = judge(MISPLACED.format("tags: [lora]"))
    assert (tagged.state, tagged.technique, tagged.evidence_kind) == ("used", "lora", "tag")
    assert {(item.evidence_kind, item.use) for item in detections} == {("tag", True), ("prose", False)}
    _, example = judge("# How to\n\n```\n---\nlibrary_name: peft\ntags: [lora]\n---\n```\n")
    assert (example.state, example.note) == ("mentioned", None)


@pytest.mark.parametrize(
    "card",
    [
        "# Notes (adapter-only version)\n",
        "This is the **adapter-only** version of my model.",
        "This repository contains only the adapter weights.",
        "The repo only contains the trained PEFT adapter files.",
        "This repository holds adapter weights for [Mistral](https://huggingface.co/mistralai/Mistral-7B-v0.1).",
        "本仓库仅包含适配器权重。",
        "# T\n\n### Framework versions\n\n- Transformers 4.40\n- PEFT 0.10.0\n",
    ],
)
def test_a_text_that_says_what_is_there_is_an_adapter(card: str) -> None:
    _, verdict = judge(card)
    assert (verdict.state, verdict.technique) == ("unknown_adapter", None)


@pytest.mark.parametrize(
    "card",
    [
        "An adapter-only version is available at the other repository.",
        "This repository does not contain only the adapter weights.",
        "If this repository contains only the adapter weights, load the base too.",
        "This repository contains only the adapter class for Java.",
        "This repository contains only the IP-Adapter weights.",
        "You can also find the adapter-only version.",
        "Versions: [adapter-only version](https://huggingface.co/a/b), [GGUF](https://huggingface.co/a/c)",
        "```\nthis repository contains only the adapter weights\n```",
        "<!-- This repository contains only the adapter weights. -->",
        "# T\n\n## Requirements\n\n- PEFT 0.10.0\n",
        "---\nbase_model_relation: merge\n---\n# T\n\n### Framework versions\n\n- PEFT 0.10.0\n",
    ],
)
def test_a_text_that_speaks_of_an_adapter_elsewhere_is_none(card: str) -> None:
    assert judge(card)[1].state == "none"


def test_a_merge_outranks_what_else_the_text_says_of_an_adapter() -> None:
    card = "The adapter was merged into the base model.\n\n### Framework versions\n\n- PEFT 0.10.0\n"
    assert judge(card)[1].state == "merged"


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("# Model Card for Model ID\n\n# Llama 3 LoRA\n", "lora"),
        ("# Uploaded model\n\n## Qwen QLoRA\n", "qlora"),
        ("# Llama 3\n\n# LoRA\n", ""),  # a second heading of the first level is a section
        ("# Overview\n\n# LoRA and more\n", ""),
    ],
)
def test_the_title_is_the_first_heading_that_somebody_wrote(card: str, expected: str) -> None:
    assert set(names(card)) == set(expected.split())


def test_merged_models_are_not_adapters() -> None:
    card = "Trained with QLoRA; the adapter was then merged into the base model."
    _, verdict = judge(card)
    assert (verdict.state, verdict.technique, verdict.overlays) == ("merged", "lora", ("qlora",))
    _, with_config = judge(card, config='{"peft_type": "LORA"}')
    assert with_config.state == "used"
    _, advice = judge("Trained with QLoRA; the adapter can be merged into the base model.")
    assert advice.state == "used"


@pytest.mark.parametrize(
    "said",
    [
        "Merged from a QLoRA run.",
        "Merged 16bit weights for serving.",
        "Here it is merged into a standalone model.",
        "Fused LoRA weights for serving.",
        "LoRA-merged weights for serving.",
        "The adapter was merged for serving.",
    ],
)
def test_words_of_a_merge(said: str) -> None:
    assert judge(f"# A\n\n{said}\n")[1].state == "merged"


@pytest.mark.parametrize("said", ["The adapter can and should be merged.", "If the adapter was merged, it is quicker."])
def test_a_merge_that_may_be_is_none(said: str) -> None:
    assert judge(f"# A\n\n{said}\n")[1].state != "merged"


@pytest.mark.parametrize(
    "said",
    [
        "The folder holds only adapter weights.",
        "There is no whole model here. This repository contains only the adapter weights.",
        "- no whole model\n- this repository contains only the adapter weights",
    ],
)
def test_words_of_an_adapter_and_nothing_else(said: str) -> None:
    assert judge(f"# A\n\n{said}\n")[1].state == "unknown_adapter"


def test_a_merged_model_may_keep_the_tag() -> None:
    card = "---\ntags: [unsloth, qlora]\n---\nIt employs QLoRA and is merged into a standalone model."
    assert judge(card)[1].state == "merged"
    shipped = judge(card.replace("unsloth", "peft"))[1]
    assert (shipped.state, shipped.overlays) == ("used", ("qlora",))


def test_four_bit_loading_in_example_code_is_not_qlora() -> None:
    card = "---\nlibrary_name: peft\ntags: [lora]\n---\n```python\nBitsAndBytesConfig(\n    load_in_4bit=True,\n)\n```"
    assert judge(card)[1].overlays == ()


def test_nothing_at_all() -> None:
    _, verdict = judge("# A speech model\n\nTrained on 100 hours.")
    assert (verdict.state, verdict.technique, verdict.evidence_kind, verdict.mentions) == ("none", None, None, ())


def test_full_fine_tuning_is_no_technique_of_a_verdict() -> None:
    detections, verdict = judge("---\ntags: [llama-factory, full]\n---\nA full fine-tune.")
    assert {item.technique for item in detections} == {"full_finetuning"}
    assert (verdict.technique, verdict.mentions) == (None, ())


def test_site_types() -> None:
    _, dora = judge(site_type="DoRA")
    assert (dora.technique, dora.overlays, dora.evidence_kind) == ("lora", ("dora",), "type")
    _, locon = judge(site_type="LoCon")
    assert locon.technique == "locon"
    _, checkpoint = judge(site_type="Checkpoint")
    assert (checkpoint.state, checkpoint.technique) == ("none", None)


def test_overlays_that_the_config_would_show_come_from_it_alone() -> None:
    plain = '{"peft_type": "LORA", "use_dora": false, "init_lora_weights": true}'
    _, verdict = judge("Trained with DoRA and PiSSA, 4-bit QLoRA.", config=plain)
    assert verdict.overlays == ("pissa", "qlora")  # saving with conversion erases PiSSA; QLoRA is never in the file


def test_a_four_bit_base_makes_qlora_of_lora_and_of_nothing_else() -> None:
    block = (
        ADAPTER + "The following `bitsandbytes` quantization config was used during training:\n- load_in_4bit: True\n"
    )
    _, alone = judge(block)
    assert (alone.state, alone.overlays, alone.mentions) == ("unknown_adapter", (), ())
    _, lora = judge(block, config='{"peft_type": "LORA"}')
    assert (lora.technique, lora.overlays) == ("lora", ("qlora",))
    assert used_names(*judge(block, config='{"peft_type": "LORA"}')) == ("lora",)
    _, ia3 = judge(block, config='{"peft_type": "IA3"}')
    assert (ia3.technique, ia3.overlays) == ("ia3", ())
    _, eight = judge(block.replace("4bit: True", "4bit: False"), config='{"peft_type": "LORA"}')
    assert eight.overlays == ()


AXOLOTL = (
    "<details><summary>See axolotl config</summary>\n\naxolotl version: `0.4.1`\n```yaml\nbase_model: a/b\n"
    "adapter: {}\nlora_r: 32\nnum_virtual_tokens: 32\nrelora_steps:\n```\n</details>\n"
)


def test_axolotl_is_read_as_settings() -> None:
    _, verdict = judge(AXOLOTL.format("qlora"))
    assert (verdict.template, verdict.technique, verdict.overlays, verdict.evidence_kind) == (
        "axolotl",
        "lora",
        ("qlora",),
        "trainer",
    )
    _, unset = judge(AXOLOTL.format(""))
    assert (unset.state, unset.technique, unset.mentions) == ("none", None, ())


@pytest.mark.parametrize(
    ("settings_", "overlays"),
    [
        ("use_dora: true", ("dora",)),
        ("use_dora: false", ()),
        ("pissa_init: true", ("pissa",)),
        ("loraplus_lr_ratio: 16.0", ("lora_plus",)),
        ("loraplus_lr_ratio: 0", ()),
        ("relora_steps: 150", ("relora",)),
        ("load_in_4bit: false", ()),
    ],
)
def test_settings_of_a_trainer_are_read_by_value(settings_: str, overlays: tuple[str, ...]) -> None:
    _, verdict = judge(f"---\ntags: [llama-factory, lora]\n---\n```yaml\nfinetuning_type: lora\n{settings_}\n```\n")
    assert (verdict.technique, verdict.overlays, verdict.evidence_kind) == ("lora", overlays, "trainer")


@pytest.mark.parametrize(("value", "technique"), [("oft", "oft"), ("freeze", "freeze_tuning"), ("full", None)])
def test_the_type_that_llama_factory_writes(value: str, technique: str | None) -> None:
    assert judge(f"```yaml\nfinetuning_type: {value}\n```\n")[1].technique == technique
    assert judge(f"---\ntags: [llama-factory, {value}]\n---\n")[1].technique == technique


@pytest.mark.parametrize(
    ("code", "technique", "overlays"),
    [
        ("FastLanguageModel.get_peft_model(model, r=16, use_rslora=False)", "lora", ()),
        ("FastLanguageModel.get_peft_model(model, r=16, use_rslora=True)", "lora", ("rslora",)),
        ("from peft import LoraConfig", None, ()),
        ("LoraConfig(r=8,  # use_dora=True\n    lora_alpha=16)", "lora", ()),
        ("config = {'peft_type': 'IA3'}", "ia3", ()),
    ],
)
def test_code_that_constructs_and_code_that_does_not(code: str, technique: str | None, overlays: Any) -> None:
    _, verdict = judge(ADAPTER + f"## Training\n\n```python\n{code}\n```\n")
    assert (verdict.technique, verdict.overlays) == (technique, overlays)


def test_a_config_with_a_byte_order_mark_is_one() -> None:
    assert judge(config='\ufeff{"peft_type": "IA3"}')[1].technique == "ia3"


@pytest.mark.parametrize(("setting", "overlays"), [("```yaml\n{}\n```", ("dora",)), ("{}", ())])
def test_settings_are_read_in_code_and_not_in_sentences(setting: str, overlays: tuple[str, ...]) -> None:
    _, verdict = judge("---\ntags: [llama-factory, lora]\n---\n\n" + setting.format("use_dora: true"))
    assert (verdict.technique, verdict.overlays) == ("lora", overlays)


@pytest.mark.parametrize(
    ("card", "template"),
    [
        ("---\nlibrary_name: peft\n---\n# Model Card for Model ID\n", "peft"),
        ("---\nlibrary_name: peft\n---\n### Framework versions\n\n- PEFT 0.10.0\n", "peft"),
        ("It has been trained using [TRL](https://github.com/huggingface/trl).\n- PEFT 0.18.1", "trl"),
        ("This model was trained 2x faster with [Unsloth](https://github.com/unslothai/unsloth)", "unsloth"),
        ("---\ntags: [llama-factory]\n---\n", "llama-factory"),
        ("These are a/b LoRA adaption weights for c/d.", "diffusers"),
        ("This is a merge of pre-trained language models created using [mergekit](x).", "mergekit"),
        ("# Adapter `a/b` for bert\n", "adapterhub"),
        ("<!-- generated automatically according to the information the Trainer had access to -->", "transformers"),
        ("Handwritten.", None),
    ],
)
def test_templates(card: str, template: str | None) -> None:
    assert judge(card)[1].template == template


def test_a_mergekit_card_is_a_merge_of_unknown_ingredients() -> None:
    _, verdict = judge("This is a merge of pre-trained language models created using [mergekit](x).")
    assert (verdict.state, verdict.technique) == ("merged", None)


def test_own_weights_and_those_of_others() -> None:
    load_call = "```python\npipe.load_lora_weights('{}')\n```"
    assert judge(load_call.format("owner/subject"))[1].technique == "lora"
    assert judge(load_call.format("someone/else"))[1].technique is None


# --- the blog's rule -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("card", "apart", "folded"),
    [
        ("Fine-tuned with LoRA.", "lora", "lora"),
        ("A full fine-tune, not LoRA.", "lora", "lora"),  # the rule counts mentions, whatever they say
        ("Fine-tuned with QLoRA.", "qlora", "lora"),
        ("LoRA adapter, trained with QLoRA.", None, "lora"),
        ("LoRA and IA3.", None, None),
        ("---\ntags: [lora]\n---\n", "lora", "lora"),
        ("Nothing here.", None, None),
        ("LoRA, not full fine-tuning, with GaLore.", "lora", "lora"),  # names outside the library do not count
    ],
)
def test_exactly_one_technique_named(card: str, apart: str | None, folded: str | None) -> None:
    _, verdict = judge(card)
    assert (verdict.blog_technique, verdict.blog_technique_folded) == (apart, folded)


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "note"),
    [
        ("[1, 2]", "config not_mapping"),
        ("{", "config not_json"),
        ("[" * 100_000, "config not_json"),
        ('{"base_model": "x"}', "config no_peft_type"),
        ('{"peft_type": 3}', "config no_peft_type"),
        ('{"peft_type": null}', "config no_peft_type"),
        (" " * 2_000_001, "config too_large"),
    ],
)
def test_a_config_that_is_none(config: str, note: str) -> None:
    _, verdict = judge(config=config)
    assert (verdict.state, verdict.note) == ("none", note)


def test_front_matter_that_is_broken_is_said_to_be() -> None:
    assert judge("---\n- lora\n---\n")[1].note == "front matter not_mapping"
    assert judge("# T\n\n---\nlicense: mit\n---\n")[1].note == "front matter misplaced"


HOSTILE = {
    "one name": ("", "lora "),
    "fences": ("", "```\n"),
    "headings": ("", "# a\n"),
    "comments": ("", "<!--"),
    "rules": ("", "---\n"),
    "blocks": ("# T\n", "---\ntags: a\n"),
    "spaces": ("", " "),
    "invisible": ("", "\u200b"),
    "cues": ("", "trained with " * 18 + "LoRA DoRA IA3 "),
    "merges": ("", "merged lora adapter was "),
    "adapters": ("", "this repository contains only the "),
    "adapter only": ("", "adapter "),
    "versions": ("", "# Framework versions\n- A 1\n"),
    "names": ("", " ".join(alias.text for technique in REGISTRY for alias in technique.aliases) + " "),
    "calls": ("```\n", "LoraConfig("),
    "settings": ("", "adapter: lora\n"),
    "table": ("", "| lora "),
    "offers": ("", "a framework for training "),
    "offers in pictures": ("", "![a](b "),
    "commands": ("# Training\n```\n", "--lora lora\n"),
    "trees": ("```\n", "├── a # LoRA adapter\n"),
    "boxes": ("Trained with QLoRA.\n```\n", "│ a + LoRA │\n"),
    "cells": ("", "| fine-tuned a (via LoRA) | b | c |\n"),
    "algorithms": ("", "LyCORIS Config\n```json\n"),
    "keys": ("", "we fine-tune with - LoRA: "),
}


def hostile(name: str, size: int) -> str:
    before, unit = HOSTILE[name]
    return (before + unit * (size // len(unit) + 1))[:size]


def seconds(card: str) -> float:
    """Of processor time, the best of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        judge(card)
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_card_and_no_faster(name: str) -> None:
    whole = detector.MAX_CARD_CHARS
    # Four times the text takes four times as long; 16 times would be quadratic. The rest is a clock tick's due.
    assert seconds(hostile(name, whole)) < 8 * seconds(hostile(name, whole // 4)) + 0.02


@pytest.mark.parametrize("name", HOSTILE)
def test_five_megabytes_cost_no_more_than_the_part_that_is_read(name: str) -> None:
    card = hostile(name, 5_000_000)
    detections, verdict = judge(card)
    assert len(detections) < 2_000
    assert verdict.note is not None
    assert f"card cut at {detector.MAX_CARD_CHARS} characters" in verdict.note
    assert all((item.span_end or 0) <= detector.MAX_CARD_CHARS for item in detections)


def test_a_card_is_read_up_to_the_limit_and_no_further() -> None:
    assert 900_000 <= detector.MAX_CARD_CHARS <= 1_000_000
    said = "\n\nTrained with LoRA.\n"
    filler = ("x" * 79 + "\n") * (detector.MAX_CARD_CHARS // 80)
    assert names(filler[: -len(said)] + said) == ("lora",)
    assert names(filler + said) == ()


# --- properties ------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(
            "LoRA",
            "QLoRA",
            "(IA)³",
            "Road",
            "DoRA",
            "---",
            "\n",
            "\n\n",
            "tags:",
            "- lora",
            "```",
            "# Training",
            "not ",
        ),
        *(
            "with ",
            "|",
            "fine-tuned ",
            "<!--",
            "-->",
            "\x00",
            "\u200b",
            "İ",
            "LoraConfig(r=8)",
            "merged ",
            "[",
            "*",
            " ",
        ),
        *("https://x/lora", "load_in_4bit: True"),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join))
CONFIGS = st.one_of(
    st.none(),
    st.text(),
    st.sampled_from(
        [
            '{"peft_type": "LORA"}',
            '{"peft_type": "X\\u0000Y"}',
            '{"peft_type": "LORA", "use_dora": [true]}',
            '{"peft_type": "BONE", "init_weights": "bat"}',
            '{"config": {"mh_adapter": true}}',
        ]
    ),
)


@settings(max_examples=150, deadline=None)
@given(TEXTS, CONFIGS, st.lists(TEXTS, max_size=3), TEXTS)
def test_never_raises_spans_hold_and_twice_is_the_same(
    card: str, config: str | None, tags: list[str], name: str
) -> None:
    document = Document("s", name, card=card, config=config, tags=tuple(tags), weight_files=tuple(tags), site_type=name)
    detections, verdict = detect(document, REGISTRY)
    assert detect(document, REGISTRY) == (detections, verdict)
    for item in detections:
        assert len(item.excerpt) <= 160
        if item.span_start is None or item.span_end is None:
            assert item.span_start is item.span_end
            continue
        text = config if item.evidence_kind == "config" else card
        assert text is not None
        assert text[item.span_start : item.span_end] == item.excerpt
        assert item.span_start < item.span_end
    bases = {REGISTRY.base(item.technique).key if item.technique in REGISTRY else item.technique for item in detections}
    assert verdict.technique is None or verdict.technique in bases
    decided = [key for key in (verdict.technique, *verdict.techniques) if key is not None]
    assert all(is_technique(key, REGISTRY) for key in decided)
    assert all(any(REGISTRY.carries(key, overlay) for key in decided) for overlay in verdict.overlays)
    assert all(is_mention(key, REGISTRY) for key in verdict.mentions)
    assert set(verdict.mentions) <= {item.technique for item in detections}


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_technique_files_does_not_matter(card: str, random: Any) -> None:
    shuffled = list(REGISTRY)
    random.shuffle(shuffled)
    other = Registry(shuffled, REGISTRY.fingerprint)
    assert detect(Document("s", "a/b", card=card), other) == detect(Document("s", "a/b", card=card), REGISTRY)


def test_a_changed_registry_is_another_version() -> None:
    assert detector.version(load()) == detector.DETECTOR_VERSION
    assert detector.DETECTOR_VERSION.startswith(f"{detector.RULES}-")
    changed = Registry([replace(technique, note="changed") for technique in load()], "another")
    assert detector.version(changed) != detector.DETECTOR_VERSION
