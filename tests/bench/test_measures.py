"""The loop and the measures against plain re-computations: what is reported is what it says it is."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hubstats_bench.experiment import Experiment
from hubstats_bench.tasks import Row, tiny
from tests.bench.conftest import WITHOUT_TORCH, tiny_run

pytestmark = [WITHOUT_TORCH, pytest.mark.filterwarnings("ignore")]

TEMPLATE = "Question: {query}\nAnswer:"


def none(size: int) -> dict[str, Any]:
    return {}


@pytest.fixture
def tokenizer() -> Any:
    from hubstats_bench import base_model

    return base_model.load_tokenizer(tiny_run_origin(), 64)


def tiny_run_origin() -> Any:
    from hubstats_bench.spec import Origin

    return Origin("made", "tiny-llama", "1")


def model_of(experiment: Experiment, tokenizer: Any, **changes: Any) -> tuple[Any, Any]:
    """(adapted model, run) as the worker builds them."""
    from pathlib import Path

    from hubstats_bench import base_model, build, needs

    run = tiny_run(experiment, **changes)
    build.seed_everything(run.training.seed)
    base = base_model.load_model(run.model, run.training, "cpu")
    around = needs.Surroundings(base, tokenizer, run.training, tiny.training(run.data, 1, 0)[0])
    return build.wrap(base, run, around, list, Path()).model, run


@pytest.mark.parametrize("name", ["lora/rank8", "prompt_tuning/tokens16", "adalora/rank8", "full_finetuning/default"])
def test_the_losses_are_those_of_the_published_loop(
    name: str, experiments: dict[str, Experiment], tokenizer: Any
) -> None:
    import torch
    from transformers import get_cosine_schedule_with_warmup

    from hubstats_bench import batches, build, measure, needs, train
    from hubstats_bench.objective import Objective

    steps = {"max_steps": 30, "eval_steps": 30}
    model, run = model_of(experiments[name], tokenizer, **steps)
    training = run.training
    rows = tiny.training(run.data, training.max_steps * training.batch_size, 0)
    encoded, left_out = batches.encode_training(lambda n: rows[:n], len(rows), tokenizer, TEMPLATE, 64, True)
    assert left_out == 0
    ours = train.train(
        model,
        (batches.training_batch(each, tokenizer.pad_token_id) for each in batches.in_buckets(encoded, 4)),
        Objective(model, none),
        build.optimisation(build.Built(model, object() if run.adapter else None, []), training, tokenizer),
        training,
        measure.Accelerator("cpu"),
        needs.after_step(model),
        None,
        lambda step, loss: None,
    )

    # the plain way: the model's own loss, labels made from the padded batch, an item() at every step
    theirs, _ = model_of(experiments[name], tokenizer, **steps)
    theirs.train()
    optimizer = torch.optim.AdamW(theirs.parameters(), **training.optimizer_kwargs)
    schedule = get_cosine_schedule_with_warmup(optimizer, 3, 30)
    texts = [TEMPLATE.format(query=row.query) + row.response for row in rows]
    losses = []
    for start in range(0, len(texts), 80):
        bucket = [tokenizer(text)["input_ids"] for text in texts[start : start + 80]]
        order = torch.argsort(torch.tensor([len(ids) for ids in bucket]), descending=True)
        bucket = [bucket[number] for number in order]
        for first in range(0, len(bucket), 4):
            some = bucket[first : first + 4]
            batch = tokenizer.pad({"input_ids": some}, return_tensors="pt")
            labels = batch["input_ids"].clone()
            for number, ids in enumerate(some):
                labels[number, len(ids) + 1 :] = -100
            optimizer.zero_grad()
            items = batch["attention_mask"].sum().item()
            loss = theirs(**batch, labels=labels, num_items_in_batch=items).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if hasattr(getattr(theirs, "base_model", None), "update_and_allocate"):
                theirs.base_model.update_and_allocate(len(losses) + 1)
            losses.append(loss.item())
    assert len(losses) == 30
    assert ours.objective == pytest.approx(losses, abs=1e-5)
    assert ours.own_terms == (name == "adalora/rank8")
    if not ours.own_terms:
        assert ours.losses == ours.objective
    else:
        assert ours.losses[0] < ours.objective[0] - 0.1
    assert ours.samples == 120
    assert ours.tokens == sum(len(tokenizer(text)["input_ids"]) + 1 for text in texts)


def test_likelihoods_are_those_of_each_solution_alone(experiments: dict[str, Experiment], tokenizer: Any) -> None:
    import torch

    from hubstats_bench import batches, evaluate

    for name in ("lora/rank8", "prompt_tuning/tokens16", "prefix_tuning/tokens16"):
        model, run = model_of(experiments[name], tokenizer)
        model.eval()
        rows = tiny.questions(run.data, "test")
        questions = batches.encode_questions(rows, tokenizer, TEMPLATE, 64)
        scores = evaluate.score_likelihood(model, questions, tokenizer.pad_token_id, none, "cpu")
        assert [score.item_id for score in scores] == [row.row_id for row in rows]
        for row, score in zip(rows, scores, strict=True):
            prompt = tokenizer(TEMPLATE.format(query=row.query))["input_ids"]
            ids = tokenizer(TEMPLATE.format(query=row.query) + row.response)["input_ids"]
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([ids])).logits[0, -len(ids) :]
            likelihoods = torch.log_softmax(logits, -1)[range(len(prompt) - 1, len(ids) - 1), ids[len(prompt) :]]
            assert score.tokens == len(ids) - len(prompt)
            assert score.nll == pytest.approx(-likelihoods.mean().item(), abs=1e-4)
            guessed = logits.argmax(-1)[len(prompt) - 1 : -1].tolist()
            assert score.right == sum(a == b for a, b in zip(guessed, ids[len(prompt) :], strict=True))


def test_unrelated_loss_is_a_mean_over_tokens_not_over_texts(
    tokenizer: Any, experiments: dict[str, Experiment]
) -> None:
    import torch

    from hubstats_bench import evaluate

    model, run = model_of(experiments["full_finetuning/default"], tokenizer)
    texts = ["A short one.", "A text that goes on for a good deal longer than that."]
    expected = []
    for text in texts:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            losses = torch.log_softmax(model(input_ids=ids).logits[0], -1)
        expected += [-losses[place, token].item() for place, token in enumerate(ids[0, 1:])]
    found = evaluate.unrelated_loss(model, tokenizer, texts, 1, none, "cpu")
    assert found == pytest.approx(sum(expected) / len(expected), abs=1e-5)
    assert run.role == "full"


def test_labels_hold_each_row_and_one_end() -> None:
    from hubstats_bench.batches import IGNORED, training_batch

    batch = training_batch([[5, 6, 7, 8], [5, 6]], pad=1)
    assert batch.input_ids.tolist() == [[5, 6, 7, 8], [5, 6, 1, 1]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch.labels.tolist() == [[5, 6, 7, 8], [5, 6, 1, IGNORED]]
    assert batch.tokens == 6


def test_buckets_are_sorted_each_for_itself() -> None:
    from hubstats_bench.batches import in_buckets

    rows = [[0] * length for length in (*range(1, 21), *range(1, 4))]
    lengths = [[len(ids) for ids in batch] for batch in in_buckets(rows, 1)]
    assert lengths == [[length] for length in (*range(20, 0, -1), 3, 2, 1)]


def test_rows_that_are_too_long_are_cut_or_replaced(tokenizer: Any) -> None:
    from hubstats_bench.batches import encode_training

    rows = [Row(str(number), "q", "x" * (500 if number % 2 else 3)) for number in range(40)]
    asked: list[int] = []

    def rows_of(count: int) -> list[Row]:
        asked.append(count)
        return rows[:count]

    ids, left_out = encode_training(rows_of, 10, tokenizer, "{query}", 20, cut=False)
    assert (len(ids), {len(each) for each in ids}) == (10, {4})
    assert asked[0] == 10
    assert left_out == asked[-1] // 2
    cut, none_left_out = encode_training(rows_of, 10, tokenizer, "{query}", 20, cut=True)
    assert ([len(each) for each in cut[:2]], none_left_out) == ([4, 20], 0)


def test_generation_ends_at_the_earlier_limit() -> None:
    from hubstats_bench.generate import generation_config

    assert generation_config(10, {"max_length": 800, "max_new_tokens": 300}).max_length == 310
    assert generation_config(700, {"max_length": 800, "max_new_tokens": 300}).max_length == 800
    assert generation_config(10, {"max_new_tokens": 7, "top_k": None}).max_new_tokens == 7


def test_generated_texts_hold_prompt_and_answer(tokenizer: Any, experiments: dict[str, Experiment]) -> None:
    from hubstats_bench.generate import generate

    model, run = model_of(experiments["full_finetuning/default"], tokenizer)
    prompts = [tokenizer(text)["input_ids"] for text in ("ab", "Question: 3", "x")]
    made = generate(model, tokenizer, prompts, run.training.replaced(batch_size_eval=2), none, "cpu")
    assert all(text.startswith(start) for text, start in zip(made.texts, ("ab", "Question: 3", "x"), strict=True))
    assert 0 < made.tokens <= 8 * 3
    assert made.passes == 2 * 8
    # the n-th token of an answer is written with the prompt and n-1 tokens of the answer before it
    lengths = [
        len(tokenizer(text)["input_ids"]) - len(prompt) for text, prompt in zip(made.texts, prompts, strict=True)
    ]
    assert made.tokens == sum(lengths)
    assert made.positions == sum(
        sum(len(prompt) + before for before in range(length)) for prompt, length in zip(prompts, lengths, strict=True)
    )


@pytest.mark.parametrize("name", ["lora/rank8", "boft/block4", "full_finetuning/default"])
def test_continuous_batching_writes_what_the_published_batches_write(
    name: str, tokenizer: Any, experiments: dict[str, Experiment]
) -> None:
    import torch

    from hubstats_bench import needs
    from hubstats_bench.generate import generate

    model, run = model_of(experiments[name], tokenizer)
    for parameter in model.parameters():  # so that answers differ, and an adapter that is left out shows
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.eval()
    assert needs.alone(getattr(model, "peft_config", {}).get("default"), model) is None
    rows = tiny.training(run.data, 20, 3)
    prompts = [tokenizer(TEMPLATE.format(query=row.query))["input_ids"][number:] for number, row in enumerate(rows)]
    heard: list[int] = []
    published, packed = (
        generate(model, tokenizer, prompts, run.training, none, "cpu", heard.append, continuous=way)
        for way in (False, True)
    )
    assert packed.texts == published.texts
    answers = {text[len(tokenizer.decode(ids)) :] for text, ids in zip(packed.texts, prompts, strict=True)}
    assert len(answers) > 10
    assert (packed.tokens, packed.positions) == (published.tokens, published.positions)
    assert 0 < packed.passes <= packed.tokens
    assert heard[-20:] == list(range(1, 21))


def test_what_looks_at_whole_rows_is_not_packed(tokenizer: Any, experiments: dict[str, Experiment]) -> None:
    from hubstats_bench import needs

    for name in ("prompt_tuning/tokens16", "poly/rank8", "lora/alora", "adaption_prompt/length10"):
        model, _ = model_of(experiments[name], tokenizer)
        assert needs.alone(model.peft_config["default"], model), name


def test_how_answers_are_drawn_is_told(tokenizer: Any, experiments: dict[str, Experiment]) -> None:
    from hubstats_bench.generate import sampling

    model, _ = model_of(experiments["full_finetuning/default"], tokenizer)
    assert sampling(model, {}) is None
    model.generation_config.update(do_sample=True, temperature=0.6, top_p=0.9)
    assert sampling(model, {"max_length": 800}) == "temperature 0.6, top_p 0.9"
    assert sampling(model, {"do_sample": False}) is None


def test_a_marked_answer_is_kept(tokenizer: Any) -> None:
    from hubstats_bench import answers, evaluate

    score = evaluate.ItemScore("q", 1.0, 4, 2, reference="72")
    right, wrong, silent = (evaluate.mark(score, text, answers.extract) for text in ("#### 72.0", "#### 7", "dunno"))
    assert [(each.correct, each.answer) for each in (right, wrong, silent)] == [
        (True, "72.0"),
        (False, "7"),
        (False, None),
    ]
    assert right.nll == 1.0
    assert math.isfinite(right.tokens)


def test_energy_is_what_the_drivers_counter_rose(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    import torch

    from hubstats_bench.measure import Energy

    counter = [5_000, 12_500]  # millijoules
    asked: list[str] = []
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda name: asked.append(name) or "handle",
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: counter.pop(0),
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="abc"))
    energy = Energy("cuda")
    assert (energy.joules(), energy.missing, asked) == (7.5, "", ["GPU-abc"])

    nvml.nvmlInit = lambda: 1 / 0
    broken = Energy("cuda")
    assert broken.joules() is None
    assert broken.missing.startswith("ZeroDivisionError")
    assert Energy("cpu").joules() is None
    assert Energy("cpu").missing


def test_memory_is_what_was_taken_above_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    import torch

    from hubstats_bench.measure import Accelerator

    emptied: list[int] = []
    device = SimpleNamespace(
        reset_peak_memory_stats=lambda: None,
        max_memory_reserved=lambda: 300,
        max_memory_allocated=lambda: 250,
        memory_reserved=lambda: 280,
        empty_cache=lambda: emptied.append(1),
        synchronize=lambda: None,
    )
    monkeypatch.setattr(torch, "cuda", device)
    monkeypatch.setattr(torch.nn.Linear, "to", lambda layer, device: layer)
    accelerator = Accelerator("cuda")
    assert accelerator.at_start == 300
    device.max_memory_reserved = lambda: 1_300
    assert accelerator.peaks() == {"peak_memory": 1_000, "peak_memory_allocated": 250}
    assert accelerator.reserved() == -20
    accelerator.release()
    assert emptied == [1]
    assert set(Accelerator("cpu").peaks()) == {"process_memory"}


def test_the_cache_is_emptied_every_ten_steps_as_published(tokenizer: Any, experiments: dict[str, Experiment]) -> None:
    from hubstats_bench import batches, build, measure, train
    from hubstats_bench.objective import Objective

    class Counted(measure.Accelerator):
        released = 0

        def release(self) -> None:
            Counted.released += 1

    model, run = model_of(experiments["ia3/default"], tokenizer, max_steps=21, eval_steps=21)
    rows = tiny.training(run.data, 84, 0)
    encoded, _ = batches.encode_training(lambda count: rows[:count], 84, tokenizer, TEMPLATE, 64, True)
    for release, times in ((True, 2), (False, 0)):
        Counted.released = 0
        made = (batches.training_batch(each, tokenizer.pad_token_id) for each in batches.in_buckets(encoded, 4))
        optimisation = build.optimisation(build.Built(model, object(), []), run.training, tokenizer)
        objective = Objective(model, none)
        say = lambda step, loss: None  # noqa: E731
        train.train(model, made, objective, optimisation, run.training, Counted("cpu"), None, None, say, release)
        assert Counted.released == times


def test_what_a_model_costs_is_counted_from_its_weights(tokenizer: Any, experiments: dict[str, Experiment]) -> None:
    from hubstats_bench import limits

    model, _ = model_of(experiments["full_finetuning/default"], tokenizer)
    size = limits.size_of(model)
    # tied: the embedding is the head as well, and every token is multiplied with it
    assert size.multiplied == sum(parameter.numel() for parameter in model.parameters())
    assert size.weights >= 4 * size.multiplied
    # 2 layers, 2 key-value heads of 32, keys and values of 4 bytes
    assert size.context == 2 * 2 * 2 * 32 * 4
    assert limits.training_operations(size, 10, False) == 40 * size.multiplied
    assert limits.training_operations(size, 10, True) == 60 * size.multiplied
    assert limits.decoding_bytes(size, 3, 7) == 3 * size.weights + 7 * size.context


def test_the_limits_are_those_of_a_bare_product(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from hubstats_bench import limits

    monkeypatch.setattr(limits, "SIDE", {"cpu": 256})
    monkeypatch.setattr(limits, "COPIED", {"cpu": 2**20})
    monkeypatch.setattr(limits, "_best", lambda work, device: work() is None or 0.5)
    found = limits._measured("cpu", torch.float32)
    assert (found.operations, found.bytes) == (2 * 256**3 / 0.5, 2 * 2**20 / 0.5)


def test_the_shape_of_three_billion_is_the_published_models() -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from hubstats_bench.base_model import MADE

    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**MADE["llama-3.2-3b"], tie_word_embeddings=True))
    # num_total_params of the published full fine-tuning run
    assert model.num_parameters() == 3_212_749_824


def test_made_rows_are_as_long_as_the_published_ones(tokenizer: Any) -> None:
    from hubstats_bench import tasks

    task = tasks.get("llama3b")
    template = task.defaults["query_template"]
    rows = task.training(task.data(None), 2_000, 0)
    lengths = sorted(len(tokenizer(template.format(query=row.query) + row.response)["input_ids"]) for row in rows)
    # 4,198,051 tokens in 20,000 published rows, each with its end of text
    assert sum(lengths) / len(lengths) + 1 == pytest.approx(4_198_051 / 20_000, rel=0.05)
    assert lengths[-1] <= 768
    assert rows == task.training(task.data(None), 2_000, 0)
