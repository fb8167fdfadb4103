"""What techniques can do: the answers that come with hubstats, how they are found by name, and the code to switch."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from hubstats import techniques
from hubstats.errors import ConfigError, TechniqueError
from hubstats.techniques import capabilities
from hubstats.techniques.capabilities import CAPABILITIES, LABELS, find, load, parse

TEXT = (Path(capabilities.__file__).parent / "capabilities.json").read_text(encoding="utf-8")


def test_every_method_of_the_registry_was_asked_everything() -> None:
    probed, registry = load(), techniques.load()
    asked = {one.key for one in registry if one.kind == "method" and one.library == "peft" and one.config_class}
    assert asked <= set(probed.entries)
    assert set(probed.entries) <= {one.key for one in registry}
    for key, entry in probed.entries.items():
        assert set(entry.answers) == {capability.key for capability in CAPABILITIES}, key


def test_no_answer_is_a_guess() -> None:
    found = list(load())
    assert len(found) > 1000
    for technique, capability, answer in found:
        assert answer.label in LABELS
        assert (answer.able is None) == (answer.label == "unknown"), (technique, capability)
        assert answer.detail
    assert {answer.label for _, _, answer in found} == set(LABELS), "all three kinds occur"


def test_what_everybody_knows_of_lora_is_so() -> None:
    probed = load()
    for capability in ("merge", "unmerge", "quantised", "several", "mixed_batch", "layer_linear", "save_load"):
        assert probed.answer("lora", capability).able is True, capability
    assert probed.answer("prompt_tuning", "merge").able is False
    assert probed.answer("no such technique", "merge") == capabilities.UNASKED


def test_code_to_switch_is_python_that_names_the_config() -> None:
    probed, registry = load(), techniques.load()
    codes = {one.key: probed.code(one) for one in registry}
    written = {key: code for key, code in codes.items() if code is not None}
    assert len(written) > 35
    for key, code in written.items():
        names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
        assert registry.get(key).config_class in names
        assert "get_peft_model" in names
    assert codes["full_finetuning"] is None


@pytest.mark.parametrize(
    ("name", "key"), [("merge", "merge"), ("MERGING", "merge"), ("4-bit base", "quantised"), ("int8", "quantised_8bit")]
)
def test_names_and_aliases_are_found(name: str, key: str) -> None:
    assert find(name).key == key


def test_an_unknown_name_gets_its_near_misses() -> None:
    with pytest.raises(ConfigError, match="did you mean hotswap"):
        find("hotswop")
    with pytest.raises(ConfigError, match="there are merge"):
        find("xyzzy")


BROKEN = {
    "no JSON": lambda whole: "{",
    "no version": lambda whole: json.dumps(whole | {"packages": {}}),
    "an answer missing": lambda whole: json.dumps(_changed(whole, lambda answers: answers.pop("merge"))),
    "a guess": lambda whole: json.dumps(
        _changed(whole, lambda answers: answers.update(merge=[True, "unknown", "surely"]))
    ),
    "no word why": lambda whole: json.dumps(
        _changed(whole, lambda answers: answers.update(merge=[True, "probed", ""]))
    ),
}


def _changed(whole: dict, change) -> dict:  # type: ignore[no-untyped-def,type-arg]
    change(whole["techniques"]["lora"]["answers"])
    return whole


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_is_refused_whole(how: str) -> None:
    with pytest.raises(TechniqueError, match=r"capabilities\.json is broken"):
        parse(BROKEN[how](json.loads(TEXT)))
