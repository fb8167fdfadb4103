"""Work for the tests of engines, in a module that workers can import."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Job(NamedTuple):
    """What one item does, apart from giving back its number squared."""

    number: int
    marks: Path
    """A folder in which every begin of the work leaves a file."""
    deaths: int = 0
    """Times that the worker kills itself over it."""
    seconds: float = 0.0
    fails: bool = False


def square(job: Job) -> int:
    """The square, after what the job says; a mark tells which process began it, how many did before, and where."""
    begun = len(list(job.marks.glob(f"{job.number}-*")))
    ray = sys.modules.get("ray")
    node = ray.get_runtime_context().get_node_id() if ray is not None and ray.is_initialized() else "here"
    (job.marks / f"{job.number}-{begun}-{os.getpid()}-{node}").touch()
    if begun < job.deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    if job.fails:
        raise ValueError(f"job {job.number} is bad")
    time.sleep(job.seconds)
    return job.number**2


def counting(job: Job, say: Callable[[str], None]) -> int:
    """The square, said aloud before and after."""
    say(f"{job.number} begins")
    say(f"{job.number} ends")
    return job.number**2


def where(item: int) -> tuple[str, str]:
    """The Ray node that this runs on, and the GPUs it may see."""
    import ray

    return ray.get_runtime_context().get_node_id(), os.environ.get("CUDA_VISIBLE_DEVICES", "")
