"""Tasks: answers, splits that do not leak, and every task keeping its promises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hubstats.errors import BenchError
from hubstats_bench import answers, tasks
from hubstats_bench.experiment import training_from
from hubstats_bench.spec import Origin
from hubstats_bench.tasks import gsm8k, metamathqa
from tests.conftest import SHARED


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("48 + 24 = 72 clips.\n#### 72", "72"),
        ("so $4^2 = 16$. The answer is: 16", "16"),
        ("The answer is: 5. No, wait. The answer is: 50%.", "50"),
        ("#### 3\n\nQuestion: and then? #### 9", "9"),
        ("#### 3\n\nNow something else", "3"),
        ("The final answer is 1/2!", "1/2"),
        ("The answer is: $12.50.", "12.50"),
        ("seventy-two", None),
        ("", None),
        ("The answer is:", None),
    ],
)
def test_the_final_answer_is_cut_out(text: str, answer: str | None) -> None:
    assert answers.extract(text) == answer


@pytest.mark.parametrize(
    ("given", "reference", "same"),
    [
        ("16", "16.0", True),
        ("20/35", "0.5714285714285714", True),
        ("7", "72", False),
        (None, "72", False),
        ("x + 1", "x + 1", True),
        ("x", "5", False),
        ("1/0", "1/0", True),
        ("nan", "nan", False),
        ("1/2/3", "1", False),
        ("9" * 5000, "1", False),
    ],
)
def test_answers_are_compared_as_numbers_where_they_are(given: str | None, reference: str, same: bool) -> None:
    assert answers.equal(given, reference) is same


def written(folder: Path, train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]]) -> tuple[Origin, ...]:
    folder.mkdir(exist_ok=True)
    for name, pairs in (("train", train), ("test", test)):
        lines = [json.dumps({"question": question, "answer": answer}) for question, answer in pairs]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return gsm8k.data(folder)


def test_held_out_questions_share_no_group_with_training_or_test(tmp_path: Path) -> None:
    things = ["apple", "book", "coin", "drum", "egg", "fork", "goat", "hat", "ink", "jar"]
    train = [(f"Ann has {n} {thing}s. How many?", f"<<{n}={n}>>{n}\n#### {n}") for thing in things for n in (2, 30)]
    test = [("Ann has 7 apples. How many?", "#### 7")]
    data = written(tmp_path / "d", train, test)
    held, kept = gsm8k.questions(data, "heldout"), gsm8k.training(data, 18, 0)
    groups = [{gsm8k.group(row.query) for row in rows} for rows in (held, kept)]
    assert groups[0]
    assert groups[1]
    assert not groups[0] & groups[1]
    # the apples are in the test: neither trained on nor held out
    assert not any("apple" in group for group in groups[0] | groups[1])
    assert len(groups[0] | groups[1]) == 9
    assert kept[0].response.startswith(" ")
    assert "<<" not in "".join(row.response for row in kept)
    # another order of the file holds the same out
    other = gsm8k.questions(written(tmp_path / "e", train[::-1], test), "heldout")
    assert {row.query for row in other} == {row.query for row in held}


def test_training_rows_are_shuffled_by_the_seed_and_every_pass_anew(tmp_path: Path) -> None:
    train = [(f"What is thing {'x' * n}?", f"#### {n}") for n in range(1, 21)]
    data = written(tmp_path, train, [("Else?", "#### 1")])
    once = gsm8k.training(data, 30, 0)
    assert once == gsm8k.training(data, 30, 0)
    assert once[:5] == gsm8k.training(data, 5, 0)
    assert once != gsm8k.training(data, 30, 1)
    size = len({row.row_id for row in once})
    assert {row.row_id for row in once[:size]} == {row.row_id for row in once}
    assert once[:size] != once[size : 2 * size]


def test_thousands_are_read_with_their_commas() -> None:
    assert gsm8k.answer("#### 1,600") == "1600"


@pytest.mark.parametrize("line", ["{", "[]", '{"question": "a"}', "5"])
def test_a_broken_line_is_named(line: str, tmp_path: Path) -> None:
    data = written(tmp_path, [("a", "#### 1")], [("b", "#### 2")])
    (tmp_path / "train.jsonl").write_text('{"question": "a", "answer": "b"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(BenchError, match="line 2"):
        gsm8k.questions(data, "heldout")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"train\.jsonl"):
        gsm8k.data(tmp_path)


def metamath(folder: Path) -> tuple[Origin, ...]:
    written(folder, [(f"Q {'y' * n}?", f"#### {n}") for n in range(60)], [("Q y?", "#### 1")])
    rows = [
        {"query": f"Q{n}", "response": "r" * (1300 if n == 1 else 5), "original_question": f"Q {'y' * (n % 5)}?"}
        for n in range(40)
    ]
    (folder / metamathqa.METAMATH_FILE).write_text(json.dumps(rows), encoding="utf-8")
    (folder / metamathqa.WIKI_FILE).write_text('{"text": "One."}\n{"text": "Two."}\n', encoding="utf-8")
    return metamathqa.data(folder)


def test_the_published_rows_come_in_the_published_order(tmp_path: Path) -> None:
    data = metamath(tmp_path)
    rows = metamathqa.training(data, 4, seed=7)
    assert [row.query for row in rows] == ["Q0", "Q2", "Q3", "Q4"]
    assert rows == metamathqa.training(data, 4, seed=8)
    valid = metamathqa.questions(data, "valid")
    assert len(valid) == 50
    assert metamathqa.TASK.unrelated(data) == ["One.", "Two."]


def test_our_held_out_questions_stand_behind_no_published_row(tmp_path: Path) -> None:
    held = {row.query for row in metamathqa.questions(metamath(tmp_path), "heldout")}
    assert held == {f"Q {'y' * n}?" for n in range(5, 60)}


@pytest.mark.parametrize("name", tasks.discover())
def test_every_task_keeps_its_promises(name: str) -> None:
    task = tasks.get(name)
    training = training_from(task.defaults)
    assert training.model_id
    assert task.models
    assert task.answer("The answer is: 5") == "5"
    assert {metric.direction for metric in task.metrics} <= {"higher", "lower"}
    assert len({metric.name for metric in task.metrics}) == len(task.metrics)


def test_an_unknown_task_is_told_what_there_is() -> None:
    with pytest.raises(BenchError, match=r"did you mean 'gsm8k'\? there are gsm8k, llama3b, metamathqa, tiny"):
        tasks.get("gsm8")


@pytest.mark.skipif(not (SHARED / "gsm8k").is_dir(), reason="the shared GSM8K files are not here")
def test_on_the_real_files_at_least_500_questions_are_held_out_and_clean() -> None:
    data = gsm8k.data(SHARED / "gsm8k")
    held, test = gsm8k.questions(data, "heldout"), gsm8k.questions(data, "test")
    kept = gsm8k.training(data, 6_900, 0)
    assert (len(held) >= 500, len(test)) == (True, 1319)
    assert all(row.final is not None and answers.number(row.final) is not None for row in (*held, *test))
    groups = [{gsm8k.group(row.query) for row in rows} for rows in (held, kept, test)]
    assert not groups[0] & groups[1]
    assert not (groups[0] | groups[1]) & groups[2]
