"""The metadata block of a card, however it is written."""

from __future__ import annotations

import time
from collections.abc import Callable

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
        ("# Title\n\n---\nlicense: mit\ntags: [lora]\n---\n", "misplaced", ["lora"]),
        ("# Title\n\n---\nlicense: mit\ntags: [lora\n---\n", "misplaced", []),
        ("# Title\n\n---\nlicense: mit\ntags: [lora]\n", "misplaced", []),
        ("# Put this on top\n\n```yaml\n---\nlicense: mit\ntags: [lora]\n---\n```\n", "none", []),
        ("```\na\n```\n\n---\nlicense: mit\ntags: [lora]\n---\n", "misplaced", ["lora"]),
        ("Text\n\n---\n\nMore text\n", "none", []),
        ('---\nlanguage: "fr"tags:\n- x\ntags:\n- lora\n---\n', "broken", ["lora"]),
        ("---\ntags:\n- lora\nlicense:\tmit\n---\n", "broken", ["lora"]),
        ("---\ntags:\n- lo\x00ra\n---\n", "broken", ["lo\x00ra"]),
        ("---\ntags:\n- lora\nlibrary_name: peft\n", "broken", ["lora"]),
        ("---\nA rule and then text\n", "none", []),
        ("---\ntags: &a [lora]\nother: *a\n---\n", "ok", ["lora"]),
        ("---\ntags:\n- !!python/object/apply:os.system [x]\n- lora\n---\n", "ok", ["lora"]),
        ("---\na: 1\n--- \nb: 2\n---\n", "ok", []),
        ("---\na: 1\n...\ntags: [lora]\n---\n", "broken", ["lora"]),
        ("---\na: 1\n--- {tags: [lora]}\n---\n", "broken", []),  # two documents
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


BOMBS: dict[str, Callable[[int], str]] = {
    "flow": lambda size: "[" * size,
    "mapping": lambda size: "{" * size,
    "sequence": lambda size: "- " * (size // 2),
    "keys": lambda size: "? " * (size // 2),
    "anchors": lambda size: "&a " * (size // 3),
    "laughs": lambda size: (
        "a: &a [x, x]\n" + "".join(f"k{n}: &k{n} [*{'a' if n == 0 else f'k{n - 1}'}, *a]\n" for n in range(size // 22))
    ),
    "pairs": lambda size: "a: b\n" * (size // 5),
    "tabs": lambda size: "\ta: b\n" * (size // 6),
    "long": lambda size: "x" * size,
}


def seconds(card: str) -> float:
    """Of processor time, the best of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        read_front_matter(card)
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_bounded(name: str) -> None:
    small, large = (f"---\n{BOMBS[name](size)}\n---\nText" for size in (60_000, 240_000))
    # Both are under the caps: four times the text may take four times as long, not sixteen.
    assert seconds(large) < 8 * seconds(small) + 0.02
    block = read_front_matter(large)
    assert block.state in ("ok", "broken", "not_mapping")
    assert len(block.entries) <= 20_000


@pytest.mark.parametrize(("depth", "state"), [(30, "ok"), (60, "broken")])
def test_nesting_is_bounded(depth: int, state: str) -> None:
    assert read_front_matter(f"---\na: {'[' * depth}{']' * depth}\ntags: [lora]\n---\n").state == state


@pytest.mark.parametrize(("pairs", "state"), [(10_000, "ok"), (45_000, "broken")])
def test_entries_are_bounded(pairs: int, state: str) -> None:
    block = read_front_matter("---\ntags: [lora]\n" + "a: b\n" * pairs + "---\n")
    assert (block.state, [entry.value for entry in block.values("tags")]) == (state, ["lora"])


@pytest.mark.parametrize("before", ["# T\n", "# T\n```\n", "# T\n" + "```\n" * 7])
def test_many_blocks_further_down_are_bounded(before: str) -> None:
    small, large = (before + "---\ntags: a\n" * (size // 12) for size in (60_000, 240_000))
    assert seconds(large) < 8 * seconds(small) + 0.02


def test_a_block_that_is_longer_than_any_is_read_in_part() -> None:
    block = read_front_matter("---\ntags: [lora]\n" + "a: b\n" * 200_000 + "---\nText")
    assert block.state == "broken"
    assert [entry.value for entry in block.values("tags")] == ["lora"]
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
