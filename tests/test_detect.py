# ruff: noqa: RUF001 - the characters are those that cards contain
"""Evidence and verdicts: each rule with a text that needs it."""

from __future__ import annotations

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
from hubstats.detect.verdict import is_technique
from hubstats.records import Detection, Document, Verdict
from hubstats.techniques import Registry, load, parse

REGISTRY = load()
CASES = Path(__file__).parent / "cases"
AMBIGUOUS = {
    "road",
    "lily",
    "bone",
    "miss",
    "shadow",
    "oft",
    "eva",
    "lora",
    "vera",
    "hra",
    "cpt",
    "osf",
    "deft",
    "peanut",
    "poly",
    "cartridge",
    "arrow",
    "mica",
    "dora",
    "spectrum",
    "lisa",
    "apollo",
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
    ],
)
def test_use_and_mention(card: str, expected: str) -> None:
    assert set(names(card)) == set(expected.split())


def test_what_is_not_used_is_still_mentioned() -> None:
    _, verdict = judge("A full fine-tune, not LoRA. It can be tuned with QLoRA.")
    assert (verdict.state, verdict.technique, verdict.mentions) == ("mentioned", None, ("lora", "qlora"))


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


@pytest.mark.parametrize("written", ["lora", "PeftType.LORA", " LORA "])
def test_a_type_written_otherwise(written: str) -> None:
    assert judge(config=f'{{"peft_type": "{written}"}}')[1].technique == "lora"


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


def test_merged_models_are_not_adapters() -> None:
    card = "Trained with QLoRA; the adapter was then merged into the base model."
    _, verdict = judge(card)
    assert (verdict.state, verdict.technique, verdict.overlays) == ("merged", "lora", ("qlora",))
    _, with_config = judge(card, config='{"peft_type": "LORA"}')
    assert with_config.state == "used"
    _, advice = judge("Trained with QLoRA; the adapter can be merged into the base model.")
    assert advice.state == "used"


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
    "one name": "lora " * 1_000_000,
    "fences": "```\n" * 1_250_000,
    "headings": "# a\n" * 1_250_000,
    "comments": "<!--" * 1_250_000,
    "rules": "---\n" * 1_250_000,
    "spaces": " " * 5_000_000,
    "invisible": "\u200b" * 5_000_000,
    "cues": ("trained with " * 18 + "LoRA DoRA IA3 ") * 20_000,
    "merges": "merged lora adapter was " * 200_000,
    "names": " ".join(alias.text for technique in REGISTRY for alias in technique.aliases) * 500,
    "calls": "```\n" + "LoraConfig(" * 450_000,
    "settings": "adapter: lora\n" * 350_000,
    "table": "| lora " * 700_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_five_megabytes_take_less_than_a_second(name: str) -> None:
    card = HOSTILE[name][:5_000_000]
    start = time.process_time()
    detections, verdict = judge(card)
    assert time.process_time() - start < 1
    assert len(detections) < 2_000
    if len(card) > detector.MAX_CARD_CHARS:
        assert verdict.note is not None
        assert f"card cut at {detector.MAX_CARD_CHARS} characters" in verdict.note


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
    assert {REGISTRY.base(overlay).key for overlay in verdict.overlays} <= {verdict.technique, *verdict.techniques}
    assert all(is_technique(key, REGISTRY) for key in verdict.mentions)


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
