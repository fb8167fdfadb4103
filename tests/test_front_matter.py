"""The metadata block of a card, however it is written."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstats.detect.front_matter import read_front_matter


def tags(card: str) -> list[str]:
    return [entry.value for entry in read_front_matter(card).values("tags")]


@pytest.mark.parametrize(
    ("card", "state", "found"),
    [
        ("---\ntags:\n- lora\n- trl\n---\n# Text\n", "ok", ["lora", "trl"]),
        ("---\ntags: [lora, 'dora']\n---", "ok", ["lora", "dora"]),
        ("---\ntags: lora\n---\n", "ok", ["lora"]),
        ("\ufeff---\r\ntags:\r\n- lora\r\n---\r\nText", "ok", ["lora"]),
        ("\n\n---\ntags:\n- lora\n---\n", "ok", ["lora"]),
        ("# Title only\n", "none", []),
        ("", "none", []),
        ("---\n\n---\nText", "empty", []),
        ("---\n# a comment\n---\nText", "empty", []),
        ("---\n- lora\n- dora\n---\n", "not_mapping", []),
        ("---\njust words\n---\n", "not_mapping", []),
        ("# Title\n\n---\nlicense: mit\ntags: [lora]\n---\n", "misplaced", []),
        ("Text\n\n---\n\nMore text\n", "none", []),
        ('---\nlanguage: "fr"tags:\n- x\ntags:\n- lora\n---\n', "broken", ["lora"]),
        ("---\ntags:\n- lora\nlicense:\tmit\n---\n", "broken", ["lora"]),
        ("---\ntags:\n- lo\x00ra\n---\n", "broken", ["lo\x00ra"]),
        ("---\ntags:\n- lora\nlibrary_name: peft\n", "broken", ["lora"]),
        ("---\nA rule and then text\n", "none", []),
        ("---\ntags: &a [lora]\nother: *a\n---\n", "ok", ["lora"]),
        ("---\ntags:\n- !!python/object/apply:os.system [x]\n- lora\n---\n", "ok", ["lora"]),
        ("---\na: 1\n--- \nb: 2\n---\n", "ok", []),
    ],
)
def test_states(card: str, state: str, found: list[str]) -> None:
    assert (read_front_matter(card).state, tags(card)) == (state, found)


def test_scalars_stay_texts() -> None:
    block = read_front_matter("---\nlanguage: no\ndate: 2024-13-45\nversion: 1.10\nempty:\n---\n")
    assert [block.text(key) for key in ("language", "date", "version", "empty")] == ["no", "2024-13-45", "1.10", ""]


def test_nested_values_are_not_taken_for_top_level_ones() -> None:
    block = read_front_matter("---\nmodel-index:\n- name: x\n  tags: [lora]\ntags: [trl]\n---\n")
    assert [entry.value for entry in block.values("tags")] == ["trl"]
    assert [(entry.path, entry.value) for entry in block.entries if entry.key == "model-index"] == [
        ("name", "x"),
        ("tags.-", "lora"),
    ]


def test_spans_point_into_the_card() -> None:
    card = "\ufeff---\nlänge: é\ntags:\n- 'lora'\n- dora\n---\n"
    assert [card[entry.start : entry.end] for entry in read_front_matter(card).values("tags")] == ["'lora'", "dora"]


def test_the_body_begins_after_the_block() -> None:
    card = "---\r\ntags: [a]\r\n---\r\nBody"
    assert card[read_front_matter(card).body :].strip() == "Body"


BOMBS = {
    "flow": "[" * 200_000,
    "mapping": "{" * 200_000,
    "sequence": "- " * 120_000,
    "keys": "? " * 120_000,
    "anchors": "&a " * 80_000,
    "laughs": "a: &a [x, x]\n"
    + "".join(f"k{n}: &k{n} [*{'a' if n == 0 else f'k{n - 1}'}, *a]\n" for n in range(5_000)),
    "pairs": "a: b\n" * 50_000,
    "tabs": "\ta: b\n" * 20_000,
    "long": "x" * 900_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_bounded(name: str) -> None:
    start = time.process_time()
    block = read_front_matter(f"---\n{BOMBS[name]}\n---\nText")
    assert time.process_time() - start < 1
    assert block.state in ("ok", "broken", "not_mapping")
    assert len(block.entries) <= 20_000


YAMLISH = st.lists(
    st.sampled_from(
        ["---", "tags:", "- lora", "a: b", "[", "]", "{", "&x", "*x", "\t", "\x00", "'", "|", "é", " ", ":"]
    )
)


@given(st.one_of(st.text(), YAMLISH.map("\n".join), YAMLISH.map("".join)))
def test_never_raises_and_spans_lie_inside(text: str) -> None:
    for card in (text, f"---\n{text}\n---\n"):
        block = read_front_matter(card)
        assert 0 <= block.start <= block.end <= len(card)
        assert 0 <= block.body <= len(card)
        assert all(0 <= entry.start <= entry.end <= len(card) for entry in block.entries)
