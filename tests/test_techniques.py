"""The registry: what is in it, and what it refuses."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import time
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from hubstats.errors import TechniqueError
from hubstats.techniques import Registry, load, parse, read

FOLDER = Path(__file__).parent.parent / "hubstats" / "techniques"

PEFT_TYPES = {  # source: peft 0.21.2, PeftType and the config class that sets it
    "LORA": "LoraConfig",
    "ADALORA": "AdaLoraConfig",
    "ADAMSS": "AdamssConfig",
    "ADAPTION_PROMPT": "AdaptionPromptConfig",
    "BEFT": "BeftConfig",
    "BOFT": "BOFTConfig",
    "C3A": "C3AConfig",
    "CARTRIDGE": "CartridgeConfig",
    "CPT": "CPTConfig",
    "DEFT": "DeftConfig",
    "DELORA": "DeloraConfig",
    "FOURIERFT": "FourierFTConfig",
    "FROD": "FrodConfig",
    "GLORA": "GloraConfig",
    "GRALORA": "GraloraConfig",
    "HIRA": "HiraConfig",
    "HRA": "HRAConfig",
    "IA3": "IA3Config",
    "LILY": "LilyConfig",
    "LN_TUNING": "LNTuningConfig",
    "LOHA": "LoHaConfig",
    "LOKR": "LoKrConfig",
    "MISS": "MissConfig",
    "OFT": "OFTConfig",
    "SHIRA": "ShiraConfig",
    "PROMPT_TUNING": "PromptTuningConfig",
    "MULTITASK_PROMPT_TUNING": "MultitaskPromptTuningConfig",
    "OSF": "OSFConfig",
    "P_TUNING": "PromptEncoderConfig",
    "PEANUT": "PeanutConfig",
    "POLY": "PolyConfig",
    "PREFIX_TUNING": "PrefixTuningConfig",
    "PSOFT": "PsoftConfig",
    "PVERA": "PveraConfig",
    "RANDLORA": "RandLoraConfig",
    "ROAD": "RoadConfig",
    "SHADOW": "ShadowConfig",
    "SUPERTUNING": "SupertuningConfig",
    "TINYLORA": "TinyLoraConfig",
    "TRAINABLE_TOKENS": "TrainableTokensConfig",
    "UNILORA": "UniLoraConfig",
    "VBLORA": "VBLoRAConfig",
    "VERA": "VeraConfig",
    "WAVEFT": "WaveFTConfig",
    "XLORA": "XLoraConfig",
}

MINIMAL = 'name = "Xyz"\nfamily = "low-rank"\nkind = "method"\n'
ALIAS = '{ text = "Xyz", case = "exact", boundary = "word" }'


def registry_of(**files: str) -> Registry:
    return Registry(parse(key, text) for key, text in files.items())


def test_every_peft_type_has_its_technique_and_config_class() -> None:
    registry = load()
    assert len(PEFT_TYPES) == 45
    for peft_type, config_class in PEFT_TYPES.items():
        technique = registry.by_peft_type(peft_type)
        assert technique is not None, peft_type
        assert (technique.kind, technique.config_class) == ("method", config_class)
        assert registry.config_classes()[config_class] == technique.key
    methods = {technique.peft_type for technique in registry if technique.kind == "method"}
    assert methods == set(PEFT_TYPES)


def test_variants_stand_in_the_config_class_of_their_type() -> None:
    registry = load()
    for technique in registry:
        if technique.kind == "variant" and technique.peft_type:
            owner = registry.by_peft_type(technique.peft_type)
            assert owner is not None
            assert technique.config_class == owner.config_class, technique.key
            assert technique.config, f"{technique.key}: nothing in a config shows it"


@pytest.fixture(scope="module")
def peft() -> Any:
    return pytest.importorskip("peft", reason="peft is not installed; the bench environment has it")


def test_an_installed_peft_has_the_same_types_and_config_classes(peft: Any) -> None:
    theirs = {kind.value: made.__name__ for kind, made in peft.PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    assert set(theirs) == {member.value for member in peft.PeftType}
    ours = {each.peft_type: each.config_class for each in load() if each.kind == "method"}
    assert ours == theirs


def test_every_flag_is_a_field_of_an_installed_peft_and_every_value_one_it_knows(peft: Any) -> None:
    checked = set()
    for technique in load():
        if technique.library != "peft" or not technique.config:
            continue
        config_class = getattr(peft, str(technique.config_class))
        assert is_dataclass(config_class)
        names = {field.name for field in fields(config_class)}
        source = inspect.getsource(inspect.getmodule(config_class))
        for condition in (condition for group in technique.config for condition in group):
            assert condition.key.split(".")[0] in names, technique.key
            values = condition.value if condition.op == "one_of" else (condition.value,)
            for value in values:
                assert not isinstance(value, str) or value in source, (technique.key, value)
            checked.add(technique.key)
    flagged = {technique.key for technique in load() if technique.kind == "variant" and technique.peft_type}
    assert flagged <= checked


def test_every_call_is_a_function_of_an_installed_peft(peft: Any) -> None:
    optimizers = importlib.import_module("peft.optimizers")
    parts = [name for name, value in vars(optimizers).items() if inspect.ismodule(value)]
    names = [(each.key, call) for each in load() if each.library == "peft" for call in each.calls]
    assert names
    for key, call in names:
        # LoraFAOptimizer is not re-exported, load_lora_weights is Diffusers' own
        found = hasattr(optimizers, call) or hasattr(peft, call) or call == "load_lora_weights"
        assert found or any(hasattr(vars(optimizers)[part], call) for part in parts), (key, call)


def test_dropped_and_unknown_types() -> None:
    registry = load()
    bone = registry.by_peft_type("BONE")
    assert bone is not None
    assert (bone.key, bone.kind, bone.parent) == ("bone", "legacy", "miss")
    assert registry.config_classes()["BoneConfig"] == "bone"
    assert registry.by_peft_type("DUALLORA") is None


def test_look_ups_by_name_site_type_tag_and_base() -> None:
    registry = load()
    assert registry.find("(IA)^3").key == "ia3"
    assert registry.find("qlora").key == "qlora"
    assert registry.find("RS-LoRA").key == "rslora"
    assert [
        registry.by_site_type(name).key for name in ("LORA", "LoCon", "DoRA", "TextualInversion", "Hypernetwork")
    ] == [  # type: ignore[union-attr]
        "lora",
        "locon",
        "dora",
        "textual_inversion",
        "hypernetwork",
    ]
    assert registry.by_site_type("Checkpoint") is None
    assert registry.by_tag("LoRA") is registry.get("lora")
    assert registry.base("dora").key == "lora"
    assert registry.base("boft").key == "boft"
    assert registry.base("adapter_houlsby").key == "bottleneck_adapter"


def test_iteration_is_in_the_order_of_keys() -> None:
    keys = [technique.key for technique in load()]
    assert keys == sorted(keys)
    assert len(keys) == len(load()) == len(list(FOLDER.glob("*.toml")))


def test_an_unknown_name_shows_near_misses() -> None:
    with pytest.raises(TechniqueError, match=r"no technique 'adlora'; did you mean adalora"):
        load().get("adlora")
    with pytest.raises(TechniqueError, match=r"did you mean.*lora"):
        load().find("LorA2")
    with pytest.raises(TechniqueError, match=f"there are {len(load())}"):
        load().find("zzzzzzzz")


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ({"use_dora": True}, ["dora"]),
        ({"use_dora": 1}, ["dora"]),
        ({"use_dora": 2}, []),
        ({"use_dora": 0, "use_rslora": "false"}, []),
        ({"use_dora": "yes"}, []),
        ({"use_dora": "true", "use_rslora": "True"}, ["dora", "rslora"]),
        ({"use_dora": False, "loftq_config": {}, "eva_config": None, "qalora_group_size": 16}, []),
        ({"loftq_config": {"loftq_bits": 4}}, []),
        ({"init_lora_weights": "pissa_niter_16"}, ["pissa"]),
        ({"init_lora_weights": True}, []),
        ({"init_lora_weights": "gaussian", "use_rslora": True}, ["lora_gaussian_init", "rslora"]),
        ({"eva_config": {"rho": 2.0}}, ["eva"]),
        ({"use_bdlora": {"nblocks": 4}, "target_parameters": []}, ["bdlora"]),
        ({"alora_invocation_tokens": [7]}, ["alora"]),
        ({"peft_type": "MISS", "init_weights": "bat"}, ["miss_bat"]),
        ({"peft_type": "MISS", "init_weights": "mini"}, ["miss_mini"]),
        ({"peft_type": "BONE", "init_weights": "bat"}, ["miss_bat"]),
        ({"peft_type": "BONE", "init_weights": True}, []),
        ({"peft_type": "BONE", "init_weights": "mini"}, []),  # Bone never had it
        ({"peft_type": "LORA", "init_weights": "bat"}, []),
    ],
)
def test_variants_are_read_by_value(config: dict[str, object], shown: list[str]) -> None:
    found = load().variants_in({"peft_type": "LORA", **config})
    assert [variant.key for variant in found] == shown


def test_a_variant_needs_its_own_type() -> None:
    assert load().variants_in({"peft_type": "ADALORA", "use_dora": True}) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not TOML"),
        ('name = "X"\nfamily = "low-rank"\n', "no kind"),
        (MINIMAL.replace("low-rank", "low"), "unknown family 'low'"),
        (MINIMAL.replace("method", "methods"), "unknown kind 'methods'"),
        (MINIMAL + 'colour = "red"\n', "unknown key 'colour'"),
        (MINIMAL + "[detect]\nalias = []\n", "unknown key 'alias'"),
        (MINIMAL + "paper_year = '2024'\n", "paper_year is not a number"),
        (MINIMAL + "paper = 2024\n", "paper is not a text"),
        (MINIMAL + '[detect]\naliases = [{ text = "X", boundary = "word" }]\n', "no case rule"),
        (MINIMAL + '[detect]\naliases = [{ text = "X", case = "any" }]\n', "no boundary rule"),
        (MINIMAL + '[detect]\naliases = [{ text = "X", case = "any", boundary = "none" }]\n', "boundary rule of 'X'"),
        (MINIMAL + '[detect]\naliases = [{ text = " ", case = "any", boundary = "word" }]\n', "alias without text"),
        (MINIMAL + f"[detect]\naliases = [{ALIAS}, {ALIAS}]\n", "stands there twice"),
        (
            MINIMAL + '[detect]\naliases = [{ text = "X", case = "any", boundary = "word", near = ["peft"] }]\n',
            "not ambiguous",
        ),
        (MINIMAL + '[detect]\nconfig = [[{ key = "a", op = "is", value = 1 }]]\n', "unknown op of 'a'"),
        (MINIMAL + '[detect]\nconfig = [[{ key = "a", op = "not_null", value = 1 }]]\n', "no fitting value"),
        (MINIMAL + '[detect]\ntags = ["a", "a"]\n', "different texts"),
        (MINIMAL + 'parent = "nobody"\n', "no parent 'nobody'"),
        (MINIMAL + 'parent = "xyz"\n', "circle"),
        (MINIMAL.replace("method", "variant") + 'peft_type = "NONE_SUCH"\n', "no technique has the peft_type"),
        (MINIMAL + '[detect]\nlegacy_types = ["OLD"]\n', "'OLD' is no dropped type of its parent"),
    ],
)
def test_a_broken_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(TechniqueError, match=message):
        registry_of(xyz=text)


def test_two_files_may_not_claim_the_same() -> None:
    for line in ('peft_type = "XYZ"\n', '[detect]\ntags = ["xyz"]\n', f"[detect]\naliases = [{ALIAS}]\n"):
        with pytest.raises(TechniqueError, match=r"both (claim|have)"):
            registry_of(one=MINIMAL + line, two=MINIMAL + line)


def test_names_may_differ_by_case_only_where_both_say_so() -> None:
    upper = MINIMAL + '[detect]\naliases = [{ text = "XYZ", case = "exact", boundary = "word" }]\n'
    lower = MINIMAL + '[detect]\naliases = [{ text = "xyz", case = "exact", boundary = "word" }]\n'
    assert len(registry_of(one=upper, two=lower)) == 2
    with pytest.raises(TechniqueError, match="both have the alias"):
        registry_of(one=upper, two=lower.replace("exact", "any"))


def test_a_variant_names_dropped_types_of_its_own_parent_only() -> None:
    own = MINIMAL + 'peft_type = "XYZ"\n'
    old = MINIMAL.replace("method", "legacy") + 'parent = "{}"\npeft_type = "OLD"\n'
    of = MINIMAL.replace("method", "variant") + 'parent = "xyz"\npeft_type = "XYZ"\n'
    of += '[detect]\nlegacy_types = ["OLD"]\nconfig = [[{ key = "a", op = "equals", value = true }]]\n'
    other = MINIMAL + 'peft_type = "OTHER"\n'
    registry = registry_of(xyz=own, old=old.format("xyz"), flag=of, other=other)
    assert [each.key for each in registry.variants_in({"peft_type": "OLD", "a": True})] == ["flag"]
    assert [registry.carries(base, "flag") for base in ("xyz", "old", "other", "nobody")] == [True, True, False, False]
    with pytest.raises(TechniqueError, match="no dropped type"):
        registry_of(xyz=own, old=old.format("other"), flag=of, other=other)


def test_a_table_for_the_bench_is_let_through() -> None:
    assert parse("xyz", MINIMAL + "[[bench.variant]]\nrank = 8\n").key == "xyz"


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    (tmp_path / "xyz.toml").write_text(MINIMAL)
    before = read(tmp_path).fingerprint
    assert read(tmp_path).fingerprint == before
    (tmp_path / "xyz.toml").write_text(MINIMAL + 'note = "new"\n')
    assert read(tmp_path).fingerprint != before
    (tmp_path / "xyz.toml").unlink()
    with pytest.raises(TechniqueError, match="no technique files"):
        read(tmp_path)


def test_loading_is_quick_and_lazy() -> None:
    times = []
    for _ in range(3):
        start = time.process_time()
        read(FOLDER)
        times.append(time.process_time() - start)
    assert min(times) < 0.05
    code = "import sys, hubstats.techniques as t; print(t.load.cache_info().currsize, 'duckdb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]
