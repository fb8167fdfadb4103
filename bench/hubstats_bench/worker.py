"""One run in a process of its own: `python -m hubstats_bench.worker SPEC RESULT FOLDER`.

It reads the spec, tells its progress as JSON lines on standard output, and writes the result file last. Whatever
happens to a technique happens to this process only.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
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
BESIDE_OTHERS = "HUBSTATS_BESIDE_OTHERS"
"""Set in the environment by whoever starts several runs on one device at a time."""
Say = Callable[[str, int, int], None]
"""Hears (phase, done, of)."""


def main(arguments: Sequence[str]) -> int:
    """Runs the spec in the file `arguments[0]` and writes the result to `arguments[1]`; returns the exit status."""
    if os.environ.get(LEASH):
        threading.Thread(target=_end_with_the_sweep, daemon=True).start()
    spec_file, result_file, folder = (Path(argument) for argument in arguments)
    record = Record(spec_from(json.loads(spec_file.read_text(encoding="utf-8"))))
    if os.environ.get(BESIDE_OTHERS):
        record.alone = False
        record.notes.append("other runs were at work on the same device: no times, memory and energy are given")
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

    from hubstats_bench import (
        base_model,
        batches,
        benchable,
        build,
        evaluate,
        figures,
        limits,
        measure,
        needs,
        train,
        verify,
    )
    from hubstats_bench.generate import Generated, generate, sampling
    from hubstats_bench.objective import Objective

    spec = record.spec
    if reason := benchable.unmet(spec.adapter, spec.training, spec.device):
        raise needs.Unsupported(reason)
    task, training, asked, device = tasks.get(spec.task), spec.training, spec.evaluation, spec.device
    record.package_info, record.system_info = measure.packages(), measure.system(device)
    build.be_deterministic()
    _keep_warnings(record)
    if device == "cuda" and not torch.cuda.is_available():
        raise needs.Unsupported("there is no NVIDIA GPU that torch can use: --device cpu")
    bounds = limits.measured(device, base_model.DTYPES.get(training.dtype, torch.bfloat16))
    accelerator = measure.Accelerator(device)
    if accelerator.at_start > measure.WARM_LIMIT:
        record.notes.append(f"{accelerator.at_start} bytes were reserved at the start: memory figures are doubtful")
    watch, energy = measure.Stopwatch(accelerator, record.times), measure.Energy(device)
    build.seed_everything(training.seed)
    say("load", 0, 1)
    with watch.phase("load"):
        tokenizer = base_model.load_tokenizer(spec.model, training.max_seq_length)
        base = base_model.load_model(spec.model, training, device)
    size_of_base, pad = limits.size_of(base), tokenizer.pad_token_id
    if drawn := sampling(base, training.generation_kwargs):
        record.notes.append(
            f"answers are drawn, not the likeliest ({drawn}): so the base model's generation config says"
        )

    say("data", 0, 1)
    with watch.phase("data"):
        wanted = training.max_steps * training.batch_size
        # whole buckets, though steps may end within one: which rows come first in it depends on all of them
        buckets = math.ceil(training.max_steps / batches.BATCHES_PER_BUCKET)
        rows, too_long = batches.encode_training(
            lambda count: task.training(spec.data, count, training.seed),
            buckets * batches.BATCHES_PER_BUCKET * training.batch_size,
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
    continuous = "continuous-generation" in spec.options
    if continuous and (reason := needs.alone(built.config, model)):
        record.notes.append(f"answers are generated in batches: {reason}")
        continuous = False
    trained = train.Trained()
    if spec.role != "base":
        optimisation = build.optimisation(built, training, tokenizer)
        trainable, total = build.parameters(model)

        def validate() -> dict[str, Any]:
            valid = task.questions(spec.data, "valid")
            asked_now = batches.encode_questions(valid, tokenizer, training.query_template, 10**6)
            prompts = [question.prompt for question in asked_now]
            made = generate(model, tokenizer, prompts, training, extra, device, continuous=continuous)
            marked = [
                evaluate.mark(evaluate.ItemScore(q.row.row_id, reference=q.row.final), text, task.answer)
                for q, text in zip(asked_now, made.texts, strict=True)
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
            release="keep-cache" not in spec.options,
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
    if built.config is not None and len(questions) > 1:
        beside = verify.batch(model, [question.full for question in questions], extra, device)
        record.checks["batch"] = beside.as_dict()
        if beside.equal is False:
            record.notes.append(beside.message)
            continuous = False
    generated = Generated([])
    count = len(questions) if asked.generate is None else min(asked.generate, len(questions))
    if count:
        with watch.phase("generate"):
            generated = generate(
                model,
                tokenizer,
                [question.prompt for question in questions[:count]],
                training,
                extra,
                device,
                lambda done: say("generate", done, count),
                continuous=continuous,
            )
            record.notes += [generated.note] if generated.note else []
            pairs = zip(scores, generated.texts, strict=False)
            marked = [evaluate.mark(score, text, task.answer) for score, text in pairs]
            scores = [*marked, *scores[count:]]
    after = None
    if texts:
        with watch.phase("unrelated"):
            after = evaluate.unrelated_loss(model, tokenizer, texts, training.batch_size, extra, device)
    peaks, joules = accelerator.peaks(), energy.joules()
    if device == "cpu":
        record.notes.append("on a CPU: memory is this whole process's, and there is no figure of energy")
    elif energy.missing:
        record.notes.append(f"energy is not counted: {energy.missing}")

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
    figures.fill(
        record,
        task,
        figures.Measured(
            trained=trained,
            scores=scores,
            generated=generated,
            forgetting=after - before if before is not None and after is not None else None,
            trainable=trainable,
            total=total,
            checkpoint=size,
            peaks=peaks,
            joules=joules,
            bounds=bounds,
            base=size_of_base,
        ),
    )


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
