"""Engines: the same results in the same order, whoever works and whoever dies meanwhile."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubstats.engines import AHEAD, ATTEMPTS, Engine, Needs, open_engine
from hubstats.engines.local import Local
from hubstats.errors import ConfigError, EngineError
from tests.engine_work import Job, counting, square, where

CLUSTER = pytest.mark.cluster


def given_up(job: Job, why: str) -> int:
    return -1


@pytest.fixture(params=["local-1", "local-2", pytest.param("ray", marks=CLUSTER)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine; Ray on two nodes."""
    if request.param == "ray":
        address = request.getfixturevalue("cluster").address
        with open_engine("ray", address=address) as opened:
            yield opened
        return
    with Local(int(request.param[-1]), alone=0.0) as opened:
        yield opened


def begun(marks: Path) -> list[int]:
    """How often each job was begun, by number."""
    names = [int(path.name.split("-")[0]) for path in marks.iterdir()]
    return [names.count(number) for number in range(max(names) + 1)]


def test_results_come_in_the_order_of_the_items(engine: Engine, tmp_path: Path) -> None:
    jobs = [Job(number, tmp_path, seconds=0.05 * (number % 3 == 0)) for number in range(30)]
    assert list(engine.map(square, iter(jobs), lost=given_up)) == [number**2 for number in range(30)]
    assert begun(tmp_path) == [1] * 30
    assert list(engine.map(square, [], lost=given_up)) == []


def test_items_are_taken_only_as_results_are(engine: Engine, tmp_path: Path) -> None:
    taken: list[int] = []

    def jobs() -> Iterator[Job]:
        for number in range(200):
            taken.append(number)
            yield Job(number, tmp_path)

    results = engine.map(square, jobs(), lost=given_up)
    for number in range(20):
        assert next(results) == number**2
        assert len(taken) <= number + 2 + AHEAD * engine.workers
    results.close()  # type: ignore[attr-defined]
    assert len(taken) < 60
    assert list(engine.map(square, [Job(7, tmp_path)], lost=given_up)) == [49]


def test_what_the_work_raises_is_raised(engine: Engine, tmp_path: Path) -> None:
    jobs = [Job(number, tmp_path, fails=number == 5) for number in range(40)]
    results = engine.map(square, jobs, lost=given_up)
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    with pytest.raises(ValueError, match="job 5 is bad"):
        next(results)


def test_what_workers_say_is_heard(engine: Engine, tmp_path: Path) -> None:
    heard: list[str] = []
    jobs = [Job(number, tmp_path) for number in range(3)]
    assert list(engine.map(counting, jobs, lost=given_up, hear=heard.append)) == [0, 1, 4]
    for number in range(3):
        assert heard.index(f"{number} begins") < heard.index(f"{number} ends")


def test_a_worker_that_dies_loses_nothing_and_repeats_nothing_finished(engine: Engine, tmp_path: Path) -> None:
    if engine.workers == 1 and engine.name == "local":
        pytest.skip("this process is the worker")
    jobs = [Job(number, tmp_path, deaths=1 if number in (3, 11) else 0) for number in range(24)]
    results = []
    finished: dict[int, int] = {}
    for number, result in enumerate(engine.map(square, jobs, lost=given_up)):
        results.append(result)
        finished[number] = begun(tmp_path)[number]
    assert results == [number**2 for number in range(24)]
    assert begun(tmp_path) == list(finished.values()), "something was begun again after it had been handed over"
    assert begun(tmp_path)[3] == begun(tmp_path)[11] == 2


def test_an_item_that_always_kills_its_worker_is_given_up(engine: Engine, tmp_path: Path) -> None:
    if engine.workers == 1 and engine.name == "local":
        pytest.skip("this process is the worker")
    said: list[str] = []

    def lost(job: Job, why: str) -> int:
        said.append(f"{job.number}: {why}")
        return -1

    jobs = [Job(number, tmp_path, deaths=99 if number == 4 else 0) for number in range(12)]
    assert list(engine.map(square, jobs, lost=lost)) == [-1 if number == 4 else number**2 for number in range(12)]
    assert begun(tmp_path)[4] == ATTEMPTS
    assert len(said) == 1
    assert said[0].startswith("4: ")


def test_processes_end_with_the_one_that_began_them(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from hubstats.engines.local import Local\n"
        "from tests.engine_work import Job, square\n"
        "if __name__ == '__main__':\n"
        "    jobs = [Job(n, Path('marks'), seconds=60) for n in range(4)]\n"
        "    list(Local(2, alone=0).map(square, jobs, lost=lambda job, why: -1))\n"
    )
    (tmp_path / "marks").mkdir()
    (tmp_path / "program.py").write_text(code)
    root = str(Path(__file__).parent.parent)
    program = subprocess.Popen([sys.executable, "program.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": root})
    deadline = time.monotonic() + 30
    while len(marks := list((tmp_path / "marks").iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    program.kill()
    program.wait()
    workers = [int(path.name.split("-")[2]) for path in marks]
    assert len(workers) == 2
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def test_what_cannot_be_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="there is no engine 'spark'; there are: local, ray"):
        open_engine("spark")
    with pytest.raises(ConfigError, match="--engine ray"):
        open_engine("local", address="here:1")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r'pip install "hubstats\[cluster\]"'):
        open_engine("ray")


@CLUSTER
def test_a_node_that_dies_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    doomed = cluster.add_node(num_cpus=2, object_store_memory=80_000_000)
    jobs = [Job(number, tmp_path, seconds=0.5) for number in range(16)]
    killed = False
    with open_engine("ray", address=cluster.address) as engine:
        assert engine.workers == 4
        results = []
        finished: dict[int, int] = {}
        for number, result in enumerate(engine.map(square, jobs, lost=given_up)):
            results.append(result)
            finished[number] = begun(tmp_path)[number]
            # A job that has just begun there is not finished yet.
            marks = [path.stat().st_mtime for path in tmp_path.glob(f"*-{doomed.node_id}")]
            if not killed and marks and time.time() - max(marks) < 0.25:
                cluster.remove_node(doomed, allow_graceful=False)
                killed = True
    assert results == [number**2 for number in range(16)]
    assert begun(tmp_path) == list(finished.values()), "something was begun again after it had been handed over"
    assert killed
    assert sum(begun(tmp_path)) > 16, "nothing was under way on the node that died"


@CLUSTER
def test_work_goes_where_it_has_room(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = []
    for megabytes in (16_000, 80_000):  # a node finds its own nvidia-smi
        tool = tmp_path / str(megabytes) / "nvidia-smi"
        tool.parent.mkdir()
        tool.write_text(f"#!/bin/sh\necho {megabytes}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
        nodes.append(cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=80_000_000))
    small, large = (node.node_id for node in nodes)
    try:
        with open_engine("ray", address=cluster.address) as engine:

            def run(gigabytes: float) -> set[tuple[str, str]]:
                needs = Needs(gpus=1, gpu_memory=gigabytes * 1e9)
                return set(engine.map(where, range(4), lost=lambda item, why: ("", ""), needs=lambda item: needs))

            assert run(40) == {(large, "0")}
            assert run(100) == {(large, "0")}, "none has as much: the largest"
            assert run(1) <= {(large, "0"), (small, "0")}
            assert all(devices != "0" for _, devices in engine.map(where, range(4), lost=lambda item, why: ("", "0")))
            with pytest.raises(
                EngineError, match="no node of the cluster has 1 CPUs and 2 GPUs; the largest has 1 and"
            ):
                list(engine.map(where, [1], lost=lambda item, why: ("", ""), needs=lambda item: Needs(gpus=2)))
    finally:
        for node in nodes:
            cluster.remove_node(node)


@CLUSTER
def test_a_cluster_that_is_not_there_is_said_within_seconds(cluster: Any) -> None:
    began = time.monotonic()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else gets the port, and nobody answers
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(EngineError, match=f"no Ray cluster answers at {address}"),
            open_engine("ray", address=address),
        ):
            pass
    with pytest.raises(EngineError, match="'nowhere' is no address"), open_engine("ray", address="nowhere"):
        pass
    assert time.monotonic() - began < 20


@CLUSTER
def test_a_worker_with_other_code_is_said(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubstats.engines._ray.__version__", "0.0.1")
    with (
        open_engine("ray", address=cluster.address) as engine,
        pytest.raises(EngineError, match=r"this is 0\.0\.1: install the same on every node"),
    ):
        list(engine.map(abs, [1], lost=lambda item, why: 0))
