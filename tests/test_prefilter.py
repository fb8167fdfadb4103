# ruff: noqa: E501, RUF001 - tables of texts, with the characters that cards contain
"""Many cards at once: what is said of each is what `detect` says, however words are hidden in a card."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubstats.detect import detect, prefilter
from hubstats.detect.bulk import Bulk, as_frames
from hubstats.detect.front_matter import read_front_matter
from hubstats.detect.matching import matcher
from hubstats.detect.prefilter import odd_characters
from hubstats.detect.stream import Stream
from hubstats.engines import open_engine
from hubstats.records import Document, Page, Verdict
from hubstats.sources._dump_rows import clean
from hubstats.techniques import load

CASES = Path(__file__).parent / "cases"
ENGINES = [
    pytest.param("hyperscan", marks=pytest.mark.skipif(not prefilter.has_hyperscan(), reason="no hyperscan here")),
    "polars",
]
Row = tuple[str, str | None, list[str], str | None, list[str]]


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    kinds = (pl.String, pl.String, pl.List(pl.String), pl.String, pl.List(pl.String))
    names = ("subject_id", "card", "tags", "library_name", "weight_files")
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def document(row: Row) -> Document:
    subject, card, tags, library, weights = row
    return Document(
        "dump",
        subject,
        card=None if card is None else clean(card),
        tags=tuple(tags),
        library_name=library,
        weight_files=tuple(weights),
    )


def one_by_one(row: Row) -> dict[str, Any]:
    found, verdict = detect(document(row), load())
    columns = {field.name: getattr(verdict, field.name) for field in fields(Verdict)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in columns.items()} | {
        "detections": len(found)
    }


def assert_same(bulk: Bulk, rows: Sequence[Row]) -> int:
    """Every row that is ruled on by the column has the verdict of `detect`, and no evidence; how many they are. What
    the prefilter says of where names end changes nothing in the verdicts on the others."""
    made = bulk.split(frame(rows))
    rest = set(made.rest.tolist())
    silent = [row for number, row in enumerate(rows) if number not in rest]
    assert len(silent) == len(made.silent)
    for row, verdict in zip(silent, made.silent.iter_rows(named=True), strict=True):
        assert verdict | {"detections": 0} == one_by_one(row), row
    for number, names in zip(made.rest.tolist(), made.names, strict=True):
        given = document(rows[number])
        assert detect(given, load(), names) == detect(given, load()), rows[number]
    return len(silent)


@pytest.fixture(params=ENGINES, scope="module")
def bulk(request: pytest.FixtureRequest) -> Bulk:
    return Bulk(load(), "dump", request.param)


def texts() -> list[str]:
    """Every text of every case of every technique."""

    def walk(value: object) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for part in value.values():
                yield from walk(part)
        elif isinstance(value, list):
            for part in value:
                yield from walk(part)

    return [text for path in sorted(CASES.glob("*.toml")) for text in walk(tomllib.loads(path.read_text("utf-8")))]


def test_every_case_of_every_technique(bulk: Bulk) -> None:
    rows: list[Row] = []
    for number, text in enumerate(texts()):
        rows.append((f"a/m{number}", text, [], None, []))
        if len(text) < 100:
            rows += [(f"a/{text}", "", [], None, []), ("a/m", None, [text], None, [text])]
    assert assert_same(bulk, rows) > 200


def test_every_name_tag_and_weight_file_is_a_sign(bulk: Bulk) -> None:
    rows: list[Row] = []
    for technique in load():
        for name in [alias.text for alias in technique.aliases] + [*technique.tags, *technique.calls]:
            rows.append(("a/b", f"# x\n\nA model, {name}.", [], None, []))
            rows.append(("a/b", f"# x_{name.replace(' ', '_')}_y\n", [], None, []))
            if "/" not in name:
                rows.append((f"a/x-{name.replace(' ', '-')}", "", [], None, []))
        rows += [("a/b", "", [tag.upper()], None, []) for tag in technique.tags]
        rows += [("a/b", "", [], None, [f"x/{name.replace('*', 'Y')}"]) for name in technique.weights]
    assert len(bulk.split(frame(rows)).rest) == len(rows)


def test_real_cards(bulk: Bulk, shared_data: Path) -> None:
    files = sorted((shared_data / "model_cards" / "cards").glob("*.md"))
    rows: list[Row] = [(f"a/{file.stem}", file.read_text("utf-8", "replace"), [], None, []) for file in files]
    assert len(rows) == 83
    assert_same(bulk, rows)


NAMES = sorted({alias.text for technique in load() for alias in technique.aliases})
WORDS = (
    "LoRA", "lora", "Flora", "explores", "QLoRA", "(IA)³", "prefix–tuning", "prompt tuning", "DoRA", "vera", "often",
    "adapter", "Adapter", "适配器", "PEFT", "merged into the base", "weights were merged", "fused", "Merge Details",
    "mergekit", "axolotl", "unsloth", "[Unsloth]", "trl", "TRL", "AutoTrain", "load_in_4bit: True", "use_dora: true",
    "It has been trained using [TRL](x)", "Cite TRL as:", "trained 2x faster with [Unsloth]", "LoraConfig(", "Framework versions",
    "generated automatically according to the information the Trainer had access to", "# Model Card for Model ID",
    "According to the training script", "These are x LoRA adaption weights for", "llama-factory", "finetuning_type: lora",
)  # fmt: skip
FRONTS = (
    "", "---\n---\n", "---\nlicense: mit\n---\n", "---\nlibrary_name: peft\n---\n", "---\ntags:\n- trl\n- unsloth\n---\n",
    "---\ntags: [unsloth, autotrain]\n---\n", "---\ntags:\n  - \"lo\\x72a\"\n---\n", "---\na: b: c\n---\n", "---\n- a\n---\n",
    "---\nlicense: mit\n- en\n---\n", "text\n\n---\ntags:\n- lora\n---\n", "---\nbase_model_relation: adapter\n---\n",
    "\ufeff---\ntags: diffusers-training\n---\n", "---\r\ntags:\r\n- en\r\n---\r\n", "---\na: 'x\n---\n", "---\nx:\n  - y: z\n   w: 1\n---\n",
    "---\nmodel-index:\n- name: m\n  results:\n  - task:\n      type: t\n    metrics:\n    - value: 0.5\n---\n",
)  # fmt: skip
JOINTS = ("", " ", "\n", "\n\n", "_", "-", "\u200b", "\u00a0", ", ", "é", "\0", "a", "# ", "`", "0", "、", "\u2011")


def hidden(word: str, draw: random.Random) -> str:
    """The word with characters that look the same, or nothing, in it."""
    made = []
    for char in word:
        wide = chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char
        made.append(draw.choice((char, char, char, char, wide, char + "\u200d", char.upper(), char.lower())))
    return "".join(made)


@st.composite
def cards(draw: st.DrawFn) -> Row:
    chance = random.Random(draw(st.integers(0, 2**32)))
    pieces = [chance.choice(FRONTS)]
    for _ in range(chance.randrange(6)):
        word = chance.choice(NAMES if chance.random() < 0.3 else WORDS)
        pieces += [chance.choice(JOINTS), hidden(word, chance) if chance.random() < 0.3 else word]
    card = "".join(pieces) + chance.choice(JOINTS)
    tags = [chance.choice((*NAMES, "en", "trl", "UNSLOTH", "peft", "base_model:adapter:x", "ﬁ", "text", "Trl"))
            for _ in range(chance.randrange(3))]  # fmt: skip
    name = chance.choice(("m", "my_lora", "Vera-7b", "x-QLoRA", "adapter", chance.choice(NAMES)))
    library = chance.choice((None, "transformers", "PEFT", "adapters", "peft", "adapterſ"))
    weights = chance.choice(([], ["model.safetensors"], ["adapter_model.bin"], ["X_LoRA.safetensors"]))
    return f"a/{name}", chance.choice((card, card, None)), tags, library, weights


@given(st.lists(cards(), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_card_hides(bulk: Bulk, rows: list[Row]) -> None:
    assert_same(bulk, rows)


@given(st.lists(st.sampled_from(["---\n", "a: b\n", "a:\n", "- x\n", "  - y z\n", "k: [a, b]\n", "k: 'it'\n", "c: d: e\n",
                                 "t: x # y\n", "a: - b\n", '"q": r\n', "key: va\n  lue\n", "- k: v\n", "\n", "é: ü\n", "? a\n",
                                 "n: 1.5e3\n", "x: >\n", "  text - more\n", "*a: b\n", "v: &a b\n", "m: é ü:x\n",
                                 "- 模型 b\n", "u: \u1680x\n", "w: \u00a0\n", "y: x\u2028y\n", "z: 模型: ü\n", "o: \ufeffx\n"]), max_size=9))  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_broken_block_passes_for_a_whole_one(bulk: Bulk, lines: list[str]) -> None:
    card = "---\n" + "".join(lines) + "---\n"
    made = bulk.split(frame([("a/m", card, [], None, [])]))
    if not len(made.rest):
        assert read_front_matter(card).state in ("ok", "empty", "none")


def test_both_engines_see_the_same_signs() -> None:
    if not prefilter.has_hyperscan():
        pytest.skip("no hyperscan here")
    cards = pl.Series([*texts(), *(a + b for a, b in zip(WORDS, JOINTS * 3, strict=False)), "", None], dtype=pl.String)
    one, other = (prefilter.prefilter(load(), engine).read(cards).kinds for engine in ("hyperscan", "polars"))  # type: ignore[arg-type]
    assert one.tolist() == other.tolist()


def test_a_name_at_the_edge_of_a_card_is_seen(bulk: Bulk) -> None:
    rows: list[Row] = [
        ("a/m", text, [], None, []) for text in ("x lora", "abc", "LoRA", "lora", "x", "", "DoRA", "in a")
    ]
    made = bulk.split(frame(rows))
    assert made.rest.tolist() == [0, 2, 3, 6]


def test_all_that_folds_to_ascii_is_known_to_be_odd() -> None:
    """The search for such characters stops where there are none any more."""
    import unicodedata

    odd = set(odd_characters())
    for code in range(0x20000, 0x110000):
        char = chr(code)
        folded = unicodedata.normalize("NFKC", char).casefold()
        assert not any(part.isascii() for part in folded) or code in odd, hex(code)


def test_pages_come_out_in_order_with_everything_that_detect_says() -> None:
    draw = random.Random(3)
    rows: list[Row] = []
    for number in range(700):
        word = draw.choice((*WORDS, "nothing", "to", "say"))
        rows.append((f"a/m{number}", f"{draw.choice(FRONTS)}# t\n\n{word} here\n", ["en"], None, []))
    pages = []
    for start in range(0, len(rows), 100):
        part = frame(rows[start : start + 100])
        models = part.select(pl.col("subject_id").alias("model_id"), "tags", "library_name", "weight_files")
        texts_ = part.select(pl.col("subject_id").alias("model_id"), pl.col("card").alias("text"))
        pages.append(Page((), cursor=str(start), tables={"hub_model": models, "model_card": texts_}))
        pages.append(Page((), cursor=f"{start}+"))
    stream = Stream(Bulk(load(), "dump"), "dump", clean, keep_text=False)
    with open_engine("local", workers=1) as engine:
        made = list(stream.pages(iter(pages), engine))
    assert [page.cursor for page in made] == [page.cursor for page in pages]
    verdicts = pl.concat([page.tables["verdict"] for page in made if page.tables])
    detections = pl.concat([page.tables["detection"] for page in made if page.tables])
    documents = [Document("dump", row[0], card=row[1] and clean(row[1]), tags=tuple(row[2])) for row in rows]
    wanted, evidence = as_frames([detect(document, load()) for document in documents])
    assert verdicts.sort("subject_id").equals(wanted.sort("subject_id"))
    order = ["subject_id", "span_start", "technique", "rule", "excerpt"]
    assert detections.sort(order).equals(evidence.sort(order))
    kept = {row[0] for page in made if page.tables for row in page.tables["model_card"].drop_nulls("text").iter_rows()}
    assert kept >= set(evidence["subject_id"])
    assert len(kept) < len(rows)


@given(st.lists(st.sampled_from((*NAMES, *WORDS, *JOINTS)), max_size=30).map("".join))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.skipif(not prefilter.has_hyperscan(), reason="no hyperscan here")
def test_names_are_found_where_the_prefilter_says_that_they_end(text: str) -> None:
    found = prefilter.prefilter(load(), "hyperscan").read(pl.Series([text, "x", text], dtype=pl.String))
    for row in (0, 2):
        ends = found.names(row)
        assert matcher(load()).find(text, ends) == matcher(load()).find(text)
        assert ends is None or list(ends) == sorted(set(ends))


def test_a_text_without_a_name_has_no_place_for_one() -> None:
    texts = ["an adapter", "LoRA", "x" * 500 + " é DoRA", "\u200bLoRA", "none"]
    found = prefilter.prefilter(load(), "hyperscan").read(pl.Series(texts))
    assert [found.names(row) for row in range(5)] == [(), (4, 5), (509,), None, ()]
    assert prefilter.prefilter(load(), "polars").read(pl.Series(texts)).names(1) is None
