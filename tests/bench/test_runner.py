"""The sweep: whatever a run does, it ends as a result with a status, and nothing is lost. No torch is needed here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hubstats.errors import BenchError
from hubstats_bench import result
from hubstats_bench.experiment import Experiment
from hubstats_bench.result import Record
from hubstats_bench.runner import Outcome, Progress, _Ears, sweep
from hubstats_bench.spec import RunSpec, run_id
from tests.bench.conftest import WITHOUT_TORCH, tiny_run

FAKE = """
    import json, os, signal, sys, time
    from pathlib import Path
    from hubstats_bench import result, spec

    record = result.Record(spec.spec_from(json.loads(Path(sys.argv[1]).read_text())))
    name = record.spec.experiment
    print("chatter of a library", flush=True)
    print(json.dumps({"phase": "train", "done": 2, "of": 3}), flush=True)
    if name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "hangs":
        time.sleep(60)
    if name == "leaves":
        print("Traceback", "ValueError: the end", sep="\\n", file=sys.stderr)
        sys.exit(3)
    if name == "talks":
        print("x" * 1_000_000, file=sys.stderr)
    record.status = "nan" if name == "diverges" else "success"
    record.value("answer_nll", 1.5, "nats per token", "lower")
    with open(os.environ["COUNTED"], "a") as counted:
        counted.write(name + "\\n")
    result.write(Path(sys.argv[2]), record.document())
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(FAKE), encoding="utf-8")
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    return (sys.executable, str(script))


@pytest.fixture
def named(experiments: dict[str, Experiment]) -> Callable[[str], RunSpec]:
    plain = tiny_run(experiments["lora/rank8"])
    return lambda name: replace(plain, experiment=name)


def counted(tmp_path: Path) -> list[str]:
    file = tmp_path / "counted"
    return file.read_text().split() if file.exists() else []


def test_a_run_ends_with_the_process_that_began_it() -> None:
    code = "import threading, time\nfrom hubstats_bench.worker import _end_with_the_sweep as end\n"
    code += "threading.Thread(target=end, daemon=True).start()\nprint('ready', flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdin is not None
        assert run.stdout.readline() == b"ready\n"
        assert run.poll() is None
        run.stdin.close()
        assert run.wait(10) == 130


def test_every_end_is_a_status_and_the_sweep_goes_on(
    worker: tuple[str, ...], named: Callable[[str], RunSpec], tmp_path: Path
) -> None:
    events: list[Progress | Outcome] = []
    specs = [named(name) for name in ("dies", "leaves", "diverges", "talks", "good")]
    outcomes = sweep(specs, tmp_path / "out", worker=worker, tell=events.append)
    assert [outcome.stored.status for outcome in outcomes] == ["killed", "error", "nan", "success", "success"]
    assert "SIGKILL" in outcomes[0].stored.message
    assert outcomes[1].stored.message == "ended with exit status 3 and no result: ValueError: the end"
    heard = [event for event in events if isinstance(event, Progress)]
    assert [(event.number, event.of, event.phase, event.done, event.total) for event in heard][-1] == (
        5,
        5,
        "train",
        2,
        3,
    )
    # every result is readable, also by those who know the published shape only
    for outcome in outcomes:
        document = json.loads(outcome.stored.path.read_text())
        assert document["train_info"]["status"] == outcome.stored.status
        assert document["run_info"]["error_msg"] == outcome.stored.message


def test_a_run_that_takes_too_long_is_stopped(
    worker: tuple[str, ...], named: Callable[[str], RunSpec], tmp_path: Path
) -> None:
    began = time.monotonic()
    [outcome] = sweep([named("hangs")], tmp_path / "out", timeout=3, worker=worker)
    assert (outcome.stored.status, outcome.stored.message) == ("timeout", "stopped after 3 s")
    assert time.monotonic() - began < 30


def test_what_is_done_is_not_done_again(
    worker: tuple[str, ...], named: Callable[[str], RunSpec], tmp_path: Path
) -> None:
    specs = [named("good"), named("diverges"), named("dies")]
    sweep(specs, tmp_path / "out", worker=worker)
    again = sweep(specs, tmp_path / "out", worker=worker)
    # a killed run says nothing about itself, so it is tried again; a diverged one is a finding
    assert [outcome.skipped for outcome in again] == [True, True, False]
    third = sweep(specs, tmp_path / "out", worker=worker, retry=True)
    assert [outcome.skipped for outcome in third] == [True, False, False]
    assert counted(tmp_path) == ["good", "diverges", "diverges"]
    assert [outcome.skipped for outcome in sweep([named("good").with_seed(1)], tmp_path / "out", worker=worker)] == [
        False
    ]


def test_a_half_written_result_is_named_and_its_run_repeated(
    worker: tuple[str, ...], named: Callable[[str], RunSpec], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    [first] = sweep([named("good")], out, worker=worker)
    first.stored.path.write_text(first.stored.path.read_text()[:200])
    found, broken = result.stored(out)
    assert found == []
    assert "half written" in broken[0]
    [second] = sweep([named("good")], out, worker=worker)
    assert (second.skipped, second.stored.status) == (False, "success")
    assert result.stored(out)[1] == []


def test_two_sweeps_do_not_work_on_one_folder(
    worker: tuple[str, ...], named: Callable[[str], RunSpec], tmp_path: Path
) -> None:
    def tell(event: Progress | Outcome) -> None:
        if isinstance(event, Outcome):
            with pytest.raises(BenchError, match="another sweep is at work"):
                sweep([named("talks")], tmp_path / "out", worker=worker)

    sweep([named("good")], tmp_path / "out", worker=worker, tell=tell)
    assert counted(tmp_path) == ["good"]


def test_stopping_a_sweep_stops_its_run_and_leaves_nothing_half_done(
    worker: tuple[str, ...], named: Callable[[str], RunSpec], tmp_path: Path
) -> None:
    def tell(event: Progress | Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(
            [named("good"), named("talks")],
            tmp_path / "out",
            worker=worker,
            tell=lambda e: tell(e) if isinstance(e, Outcome) else None,
        )
    assert len(list((tmp_path / "out").glob("*.json"))) == 1
    assert len(sweep([named("good"), named("talks")], tmp_path / "out", worker=worker)) == 2
    assert counted(tmp_path) == ["good", "talks"]


def test_ctrl_c_ends_the_run_under_way(
    worker: tuple[str, ...], named: Callable[[str], RunSpec], tmp_path: Path
) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(named("hangs").as_dict()))
    code = f"""
        import json, signal, sys
        from pathlib import Path
        from hubstats_bench import runner, spec
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run = spec.spec_from(json.loads(Path({str(spec)!r}).read_text()))
        tell = lambda event: print("at work", flush=True)
        try:
            runner.sweep([run], Path({str(tmp_path / "out")!r}), worker={worker!r}, tell=tell)
        except KeyboardInterrupt:
            print("stopped", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        assert process.wait(20) == 0
    assert list((tmp_path / "out").glob("*.json")) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "has format 2, this version reads 1"),
        ({"status": "splendid"}, "unknown status 'splendid'"),
        ({"values": None}, "lacks what a result has"),
    ],
)
def test_a_result_of_another_version_is_named(
    change: dict[str, Any], says: str, named: Callable[[str], RunSpec], tmp_path: Path
) -> None:
    document = Record(named("good"), status="success").document()
    document["hubstats"].update(change)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BenchError, match=says):
        result.outline(path)


def test_what_is_no_number_is_written_as_nothing(named: Callable[[str], RunSpec], tmp_path: Path) -> None:
    record = Record(named("good"), status="nan", losses=[1.0, float("nan")], message="see /home/someone/x/y.py:3")
    record.value("answer_nll", float("inf"), "nats per token", "lower")
    result.write(tmp_path / "a.json", record.document())
    document = result.read(tmp_path / "a.json")
    assert document["hubstats"]["losses"] == [1.0, None]
    assert document["hubstats"]["values"] == []
    # results are published; where things lie on this machine is not
    assert document["hubstats"]["message"] == "see y.py:3"


def test_a_run_beside_others_reports_no_times_and_no_memory(named: Callable[[str], RunSpec]) -> None:
    record = Record(named("good"), alone=False)
    for name, unit in (
        ("step_time", "seconds"),
        ("train_tokens_per_second", "tokens per second"),
        ("energy", "joules"),
        ("peak_memory", "bytes"),
        ("train_operations_share", "share"),
        ("checkpoint_size", "bytes"),
        ("answer_nll", "nats per token"),
    ):
        record.value(name, 1.0, unit, "lower")
    assert [value["name"] for value in record.values] == ["checkpoint_size", "answer_nll"]


def test_a_disk_that_refuses_leaves_the_old_result(named: Callable[[str], RunSpec], tmp_path: Path) -> None:
    place = tmp_path / "a.json"
    place.mkdir()
    with pytest.raises(BenchError, match="cannot write"):
        result.write(place, Record(named("good")).document())
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


@WITHOUT_TORCH
def test_a_real_run_in_a_process_of_its_own(experiments: dict[str, Experiment], tmp_path: Path) -> None:
    spec = tiny_run(experiments["lora/rank8"])
    [outcome] = sweep([spec], tmp_path)
    assert (outcome.stored.status, outcome.stored.message) == ("success", "")
    assert outcome.stored.run_id == run_id(spec)
    document = json.loads(outcome.stored.path.read_text())
    assert document["run_info"]["peft_config"]["r"] == 8
    assert document["train_info"]["num_trainable_params"] == 7168
    assert document["meta_info"]["package_info"]["torch-version"]
    assert str(Path.home()) not in json.dumps(document)
    assert os.sep + "tmp" not in json.dumps(document)


def test_a_pipe_closed_while_it_is_read_is_the_end_of_it(experiments: dict[str, Experiment]) -> None:
    """An interrupt closes the pipes of a run under the threads that read them."""
    reading, writing = os.pipe()
    os.write(writing, b'{"phase": "train", "done": 1, "of": 2}\n')
    heard: list[Progress] = []

    with os.fdopen(reading) as stream:

        def hear(progress: Progress) -> None:
            heard.append(progress)
            stream.close()

        _Ears(tiny_run(experiments["lora/rank8"]), hear).listen(stream)
    os.close(writing)
    assert [progress.done for progress in heard] == [1]
