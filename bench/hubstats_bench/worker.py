"""One run in a process of its own: `python -m hubstats_bench.worker SPEC RESULT FOLDER`.

It reads the spec, tells its progress as JSON lines on standard output, and writes the result file last. Whatever
happens to a technique happens to this process only.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from hubstats_bench import result, tasks
from hubstats_bench.result import Record
from hubstats_bench.spec import RunSpec, spec_from

SAMPLE_BATCHES = 16
"""Training batches that data-driven initialisations look at."""
LEASH = "HUBSTATS_BENCH_LEASH"
"""Set by the process that begins a run and holds its standard input open: without it the run is of no use to anyone."""
Say = Callable[[str, int, int], None]
"""Hears (phase, done, of)."""


def main(arguments: Sequence[str]) -> int:
    """Runs the spec in the file `arguments[0]` and writes the result to `arguments[1]`; returns the exit status."""
    if os.environ.get(LEASH):
        threading.Thread(target=_end_with_the_sweep, daemon=True).start()
    spec_file, result_file, folder = (Path(argument) for argument in arguments)
    record = Record(spec_from(json.loads(spec_file.read_text(encoding="utf-8"))))
    began = time.perf_counter()
    try:
        _tell("start", 0, 1)
        _import()
        record.times["start"] = time.perf_counter() - began
        # as published, the total leaves out what Python needs to import its libraries
        began = time.perf_counter()
        run(record, folder, _tell)
        record.status = "success"
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # everything that can go wrong in a technique is a finding about it
        record.status, record.message = classify(error), describe(error)
    record.times["total"] = time.perf_counter() - began
    if record.status == "success":
        record.value("total_time", record.times["total"], "seconds", "lower")
    result.write(result_file, record.document())
    return 0


def _end_with_the_sweep() -> None:
    """Waits for the end of standard input, which comes when the process that began this one is gone, killed or not."""
    with suppress(OSError):
        while os.read(0, 1 << 16):
            pass
    os._exit(130)


def _import() -> None:
    import peft
    import torch
    import transformers

    del peft, torch, transformers


def run(record: Record, folder: Path, say: Say) -> None:
    """Trains and measures what `record.spec` says, filling the record on the way. Raises what torch and PEFT raise."""
    import torch

    from hubstats_bench import base_model, batches, benchable, build, evaluate, measure, needs, train, verify
    from hubstats_bench.generate import generate
    from hubstats_bench.objective import Objective

    spec = record.spec
    if reason := benchable.unmet(spec.adapter, spec.training, spec.device):
        raise needs.Unsupported(reason)
    task, training, asked, device = tasks.get(spec.task), spec.training, spec.evaluation, spec.device
    record.package_info, record.system_info = measure.packages(), measure.system(device)
    torch.use_deterministic_algorithms(True, warn_only=True)
    _keep_warnings(record)
    accelerator = measure.Accelerator(device)
    if accelerator.at_start > measure.WARM_LIMIT:
        record.notes.append(f"{accelerator.at_start} bytes were reserved at the start: memory figures are doubtful")
    watch, energy = measure.Stopwatch(accelerator, record.times), measure.Energy(device)
    build.seed_everything(training.seed)
    say("load", 0, 1)
    with watch.phase("load"):
        tokenizer = base_model.load_tokenizer(spec.model, training.max_seq_length)
        base = base_model.load_model(spec.model, training, device)
    pad = tokenizer.pad_token_id

    say("data", 0, 1)
    with watch.phase("data"):
        wanted = training.max_steps * training.batch_size
        rows, too_long = batches.encode_training(
            lambda count: task.training(spec.data, count, training.seed),
            wanted,
            tokenizer,
            training.query_template,
            training.max_seq_length,
            task.long_rows == "cut",
        )
        if too_long:
            record.notes.append(f"{too_long} training rows of more than {training.max_seq_length} tokens were left out")
        if len(rows) < wanted:
            raise needs.Unsupported(f"the task has {len(rows)} training rows; {wanted} are needed for these steps")
        questions = _questions(record, task, tokenizer)

    def in_order() -> Any:
        return (batches.training_batch(each, pad).to(device) for each in batches.in_buckets(rows, training.batch_size))

    def sample() -> list[Any]:
        return [batch for batch, _ in zip(in_order(), range(SAMPLE_BATCHES), strict=False)]

    texts = task.unrelated(spec.data) if asked.unrelated else []
    before = None
    if texts:
        with watch.phase("unrelated"):
            # on the bare base model: some techniques start from another model than they adapt
            before = evaluate.unrelated_loss(base, tokenizer, texts, training.batch_size, lambda size: {}, device)

    say("prepare", 0, 1)
    with watch.phase("prepare"):
        around = needs.Surroundings(base, tokenizer, training, task.training(spec.data, 1, training.seed)[0])
        built = build.wrap(base, spec, around, sample, folder)
        del base, around
    record.notes += built.notes
    model, extra = built.model, needs.extra_inputs(built.config, device)
    record.adapter = _shown(built.config, spec, folder)
    trained = train.Trained()
    if spec.role != "base":
        optimisation = build.optimisation(built, training, tokenizer)
        trainable, total = build.parameters(model)

        def validate() -> dict[str, Any]:
            valid = task.questions(spec.data, "valid")
            asked_now = batches.encode_questions(valid, tokenizer, training.query_template, 10**6)
            written, _ = generate(model, tokenizer, [q.prompt for q in asked_now], training, extra, device)
            marked = [
                evaluate.mark(evaluate.ItemScore(q.row.row_id, reference=q.row.final), text, task.answer)
                for q, text in zip(asked_now, written, strict=True)
            ]
            return {"valid accuracy": fmean(bool(item.correct) for item in marked)}

        trained = train.train(
            model,
            in_order(),
            Objective(model, extra),
            optimisation,
            training,
            accelerator,
            needs.after_step(model),
            validate if asked.validate else None,
            lambda step, loss: say("train", step, training.max_steps),
        )
        del optimisation
    else:
        trainable, total = 0, build.parameters(model)[1]
    model.eval()
    record.losses = trained.losses
    record.objective = trained.objective if trained.own_terms else []
    if trained.own_terms:
        record.notes.append("this technique adds terms of its own to the loss; losses here are cross entropy alone")
    record.times |= {"train": trained.seconds, "validate": trained.validation_seconds}

    say("score", 0, 1)
    with watch.phase("score"):
        scores = evaluate.score_likelihood(model, questions, pad, extra, device)
    generated = 0
    count = len(questions) if asked.generate is None else min(asked.generate, len(questions))
    if count:
        with watch.phase("generate"):
            written, generated = generate(
                model,
                tokenizer,
                [question.prompt for question in questions[:count]],
                training,
                extra,
                device,
                lambda done: say("generate", done, count),
            )
            marked = [evaluate.mark(score, text, task.answer) for score, text in zip(scores, written, strict=False)]
            scores = [*marked, *scores[count:]]
    after = None
    if texts:
        with watch.phase("unrelated"):
            after = evaluate.unrelated_loss(model, tokenizer, texts, training.batch_size, extra, device)
    peaks, joules = accelerator.peaks(), energy.joules()

    size: int | None = None
    if built.config is not None:
        say("verify", 0, 1)
        with watch.phase("verify"):
            saved = folder / "checkpoint"
            ids = questions[0].full
            logits = verify.probe(model, ids, extra, device)
            size = verify.save(model, saved)
            if asked.merge:
                record.checks["merge"] = verify.merge(model, logits, ids, device).as_dict()
            del model
            built.model = None
            if asked.reload:
                load = lambda: base_model.load_model(spec.model, training, device)  # noqa: E731
                check = verify.reload(saved, load, built.config, logits, ids, extra, device)
                record.checks["reload"] = check.as_dict()
    elif spec.role == "full":
        # not saved: it is the whole model. As published, an estimate
        size = total * (torch.finfo(base_model.DTYPES.get(training.dtype, torch.bfloat16)).bits // 8)
        record.notes.append("checkpoint size is an estimate: all parameters in the model's dtype")
    _fill(record, task, trained, scores, before, after, trainable, total, size, peaks, joules, generated)


def _questions(record: Record, task: tasks.Task, tokenizer: Any) -> list[Any]:
    from hubstats_bench import batches

    spec, training = record.spec, record.spec.training
    found = task.questions(spec.data, spec.evaluation.split)
    # the published test cuts nothing off: only tasks that leave long rows out do so here as well
    limit = training.max_seq_length if task.long_rows == "leave out" else 10**6
    encoded = batches.encode_questions(found, tokenizer, training.query_template, limit)
    if len(encoded) < len(found):
        record.notes.append(f"{len(found) - len(encoded)} questions of more than {limit} tokens were left out")
    return encoded[: spec.evaluation.items]


def _fill(
    record: Record,
    task: tasks.Task,
    trained: Any,
    scores: list[Any],
    before: float | None,
    after: float | None,
    trainable: int,
    total: int,
    size: int | None,
    peaks: dict[str, int],
    joules: float | None,
    generated: int,
) -> None:
    """Turns what was measured into values, items and the published keys."""
    times, steps, training = record.times, len(trained.losses), record.spec.training
    answered = [score for score in scores if score.correct is not None]
    accuracy = fmean(score.correct for score in answered) if answered else None
    forgetting = after - before if before is not None and after is not None else None
    final: dict[str, Any] = {"step": steps, "train samples": trained.samples, "train total tokens": trained.tokens}
    if task.quality:
        metrics = {metric.name: metric for metric in task.metrics}
        tokens = sum(score.tokens for score in scores)
        found = {
            "answer_nll": fmean(score.nll for score in scores),
            "token_accuracy": sum(score.right for score in scores) / tokens,
            "test_accuracy": accuracy,
            "forgetting": forgetting,
        }
        for name, value in found.items():
            record.value(name, value, metrics[name].unit, metrics[name].direction)
        record.value("questions", len(scores), "questions", "none")
        record.value("questions_answered", len(answered), "questions", "none")
        record.items = [asdict(score) for score in scores]
        if trained.losses:
            recent = trained.objective[-training.eval_steps :]
            final["train loss"] = fmean(recent)
            record.value("train_loss", fmean(trained.losses[-training.eval_steps :]), "nats per token", "lower")
        if accuracy is not None:
            final["test accuracy"] = accuracy
        if forgetting is not None:
            final["forgetting"] = forgetting
    for name, bytes_ in peaks.items():
        record.value(name, bytes_, "bytes", "lower")
    record.value("checkpoint_size", size, "bytes", "lower")
    record.value("trainable_parameters", trainable, "parameters", "lower")
    record.value("total_parameters", total, "parameters", "none")
    record.value("energy", joules, "joules", "lower")
    if steps:
        record.value("steps_time", trained.seconds, "seconds", "lower")
        record.value("step_time", trained.seconds / steps, "seconds", "lower")
        record.value("train_tokens_per_second", trained.tokens / trained.seconds, "tokens per second", "higher")
    record.value("train_samples", trained.samples, "samples", "none")
    record.value("train_tokens", trained.tokens, "tokens", "none")
    record.value("evaluation_time", _sum(times, "score", "generate", "validate", "unrelated"), "seconds", "lower")
    record.value("load_time", times.get("load"), "seconds", "lower")
    record.value("prepare_time", times.get("prepare"), "seconds", "lower")
    if generated:
        record.value("decode_tokens_per_second", generated / times["generate"], "tokens per second", "higher")
    for name, check in record.checks.items():
        if check["difference"] is not None:
            record.value(f"{name}_difference", check["difference"], "logits", "lower")
        if check["equal"] is not None:
            record.value(f"{name}_equal", float(check["equal"]), "yes or no", "higher")
    # the published train_time: tokenising, both passes over unrelated text, the steps and the test, not the validations
    published = _sum(times, "data", "unrelated", "train", "generate")
    record.value("train_time", published, "seconds", "lower")
    reserved = sorted(trained.reserved)
    record.train_info = {
        "accelerator_memory_reserved_avg": int(fmean(reserved)) if reserved else None,
        "accelerator_memory_max": peaks.get("peak_memory"),
        "accelerator_memory_reserved_99th": reserved[int(0.99 * (len(reserved) - 1))] if reserved else None,
        "train_time": published,
        "file_size": size,
        "num_trainable_params": trainable,
        "num_total_params": total,
        "metrics": [*trained.validations, final],
    }


def classify(error: BaseException) -> str:
    """The status that an exception stands for."""
    import torch

    from hubstats_bench.needs import Unsupported
    from hubstats_bench.train import Diverged

    text = str(error).casefold()
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in text:
        return "oom"
    if isinstance(error, Diverged):
        return "nan"
    return "unsupported" if isinstance(error, Unsupported | ModuleNotFoundError) else "error"


def describe(error: BaseException) -> str:
    """One line: what was raised and where, file names without their folders."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return result.scrub(f"{type(error).__name__}: {error}")[:1000] + place


def _shown(config: Any, spec: RunSpec, folder: Path) -> dict[str, Any] | None:
    """The PEFT config as used, without the places of this machine."""
    if config is None:
        return None
    text = json.dumps(config.to_dict(), default=_plain)
    shown: dict[str, Any] = json.loads(text.replace(str(folder), ""))
    return {**shown, "base_model_name_or_path": spec.training.model_id}


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    with suppress(AttributeError):
        return value.to_dict()
    return str(value)


def _sum(times: dict[str, float], *names: str) -> float:
    return sum(times.get(name, 0.0) for name in names)


def _keep_warnings(record: Record) -> None:
    """Operations that torch cannot make deterministic are told in the result."""
    usual = warnings.showwarning

    def show(message: Any, category: Any, *place: Any, **more: Any) -> None:
        line = str(message).splitlines()[0]
        if "determinis" in line and line not in record.notes:
            record.notes.append(line[:200])
        usual(message, category, *place, **more)

    warnings.showwarning = show


def _tell(phase: str, done: int, of: int) -> None:
    print(json.dumps({"phase": phase, "done": done, "of": of}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if len(sys.argv) != 4:
        sys.exit("usage: python -m hubstats_bench.worker SPEC RESULT FOLDER")
    with tempfile.TemporaryDirectory(dir=sys.argv[3]) as scratch:
        sys.exit(main([*sys.argv[1:3], scratch]))
