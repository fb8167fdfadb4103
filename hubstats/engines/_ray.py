"""The engine of a Ray cluster: the only module that imports ray.

Ray's own retries do the work of a dead worker or node again, elsewhere. Results are fetched as they finish, not when
their turn comes, so that a node that dies later takes hardly any with it. Every task declares what it takes; a task
that no node could ever take is refused at once, since Ray would wait for such a node for ever.

Files are read by the workers, so a path must mean the same file on every node (a shared file system); hubstats must be
installed on every node, in the same version: that is asked of each worker, and said when it is not so.
"""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any, Generic

from hubstats import __version__
from hubstats.engines import AHEAD, ATTEMPTS, Engine, Item, Needs, Result, cores
from hubstats.errors import EngineError

LOOK = 0.25
"""Seconds between looks at what workers say, and of one wait: a wait without end may miss Ctrl-C."""
PATIENCE = 5.0
"""Seconds that a cluster has to take a connection. Ray itself would try for two minutes."""
STORE_BYTES = 256 * 1024 * 1024
"""Of the object store of a Ray that is started here: results wait there, and only a few at a time."""
NODE = "ray.io/node-id"
"""The label by which Ray knows a node."""
HEAD = "node:__internal_head__"
"""What Ray's head node alone has, 1 of it: where it goes, the cluster goes."""
INSTALL = 'pip install "hubstats[cluster]"'


class Ray:
    """A cluster that is there, or a Ray of one node that is started here and ended with the engine."""

    name = "ray"

    def __init__(self, address: str | None, workers: int | None, notify: Callable[[str], None]) -> None:
        # Before ray is imported: it reads these then.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_DEDUP_LOGS", "1")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] != "ray":
                raise
            raise EngineError(f"ray is not installed: {INSTALL}, or --engine local") from None
        self._ray: Any = ray
        self._address = address or os.environ.get("RAY_ADDRESS") or None
        self._asked = workers
        self._notify = notify
        self._gpu_bytes: dict[str, float] | None = None
        self.workers = workers or 1

    def __enter__(self) -> Engine:
        self._hush()
        self._connect()
        there = self._capacity()
        if not there:
            raise EngineError(f"the Ray cluster at {self._address} has no node that is alive")
        processors = int(sum(node.get("CPU", 0.0) for node in there))
        self.workers = min(self._asked or processors, processors) or 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    def map(
        self,
        work: Callable[..., Result],
        items: Iterable[Item],
        *,
        lost: Callable[[Item, str], Result],
        needs: Callable[[Item], Needs] | None = None,
        hear: Callable[[Any], None] | None = None,
    ) -> Iterator[Result]:
        """See Engine.map."""
        mailbox = self._mailbox() if hear is not None else None
        letters: list[Any] = []
        source = iter(items)
        order: deque[_Task[Item, Result]] = deque()
        running: dict[Any, _Task[Item, Result]] = {}
        try:
            while True:
                for item in islice(source, self.workers * AHEAD - len(order)):
                    order.append(_Task(item))
                    running[self._submit(work, item, needs(item) if needs else Needs(), mailbox)] = order[-1]
                if not order:
                    return
                if not order[0].result and order[0].error is None:
                    self._gather(running, lost)
                if hear is not None:
                    self._listen(mailbox, letters, hear, PATIENCE if not running else 0)
                while order and (order[0].result or order[0].error):
                    task = order.popleft()
                    if task.error is not None:
                        raise task.error
                    yield from task.result
        finally:
            for reference in running:  # only when the caller left early, or something was raised
                with suppress(Exception):
                    self._ray.cancel(reference, force=True)
            if mailbox is not None:
                with suppress(Exception):
                    self._ray.kill(mailbox)

    def _gather(self, running: dict[Any, _Task[Item, Result]], lost: Callable[[Item, str], Result]) -> None:
        """Fetches every result that is there; waits a moment for the first."""
        finished, _ = self._ray.wait(list(running), num_returns=1, timeout=LOOK)
        if finished and len(running) > 1:
            finished, _ = self._ray.wait(list(running), num_returns=len(running), timeout=0)
        for reference in finished:
            task = running[reference]
            try:
                task.result = [self._ray.get(reference)]
            except self._ray.exceptions.RayTaskError as error:
                # What the work itself raised, or what the worker could not load to begin it.
                task.error = error.cause if isinstance(error.cause, BaseException) else error
                if isinstance(task.error, ModuleNotFoundError):
                    task.error = EngineError(
                        f"a worker lacks what the work needs ({_line(task.error)}): install the same on every node"
                    )
            except (self._ray.exceptions.RayError, OSError) as error:
                task.result = [lost(task.item, f"worker or node lost {ATTEMPTS} times: {_line(error)}")]
            del running[reference]

    def _submit(self, work: Callable[..., Result], item: Item, needs: Needs, mailbox: Any) -> Any:
        options = self._options(needs)
        task = self._ray.remote(_do).options(max_retries=ATTEMPTS - 1, retry_exceptions=False, **options)
        return task.remote(__version__, "OMP_NUM_THREADS" in os.environ, work, item, mailbox)

    def _options(self, needs: Needs) -> dict[str, Any]:
        """Ray's words for what a task takes. Raises EngineError when no node could ever have that much."""
        nodes = self._capacity()
        cpus = needs.cpus
        if needs.alone and needs.gpus == 0:
            # All processors of the smallest node: nothing else fits beside it, where nodes are alike.
            cpus = min(node.get("CPU", 0.0) for node in nodes if node.get("CPU", 0.0) >= needs.cpus)
        fitting = [node for node in nodes if node.get("CPU", 0.0) >= cpus and node.get("GPU", 0.0) >= needs.gpus]
        if not fitting:
            most = max(nodes, key=lambda node: (node.get("GPU", 0.0), node.get("CPU", 0.0)))
            raise EngineError(
                f"no node of the cluster has {cpus:g} CPUs and {needs.gpus:g} GPUs; the largest has "
                f"{most.get('CPU', 0.0):g} and {most.get('GPU', 0.0):g}: add a node, or ask for less"
            )
        options: dict[str, Any] = {"num_cpus": cpus}
        if needs.gpus:
            options["num_gpus"] = needs.gpus
            if needs.gpu_memory:
                options["label_selector"] = {NODE: f"in({','.join(self._large_enough(needs.gpu_memory))})"}
        if needs.memory:
            options["memory"] = int(min(needs.memory, max(node.get("memory", 0.0) for node in fitting)))
        return options

    def _large_enough(self, wanted: float) -> list[str]:
        """Nodes whose GPUs have the memory that is wanted; when none has it, those with the largest."""
        if self._gpu_bytes is None:
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

            look = self._ray.remote(_gpu_bytes)
            asked = {
                node["NodeID"]: look.options(num_cpus=0, scheduling_strategy=On(node["NodeID"], soft=False)).remote()
                for node in self._ray.nodes()
                if node["Alive"] and node["Resources"].get("GPU")
            }
            self._gpu_bytes = {name: self._ray.get(answer) for name, answer in asked.items()}
        fits = [name for name, there in self._gpu_bytes.items() if there >= wanted]
        most = max(self._gpu_bytes.values())
        return fits or [name for name, there in self._gpu_bytes.items() if there == most]

    def _hush(self) -> None:
        """Keeps Ray from writing what went wrong to standard output, among the results; one line of ours instead."""
        module = importlib.import_module("ray._private.worker")
        if hasattr(module, "print_to_stdstream"):  # Ray has no public switch for these (2.60)
            module.print_to_stdstream = self._told  # type: ignore[attr-defined]

    def _told(self, data: dict[str, Any], ignore_prefix: bool = False) -> None:
        lines = " ".join(map(str, data.get("lines", ())))
        if "retries remaining" in lines:
            self._notify("ray: a worker or a node died; what it was at is done again")

    def _capacity(self) -> list[dict[str, float]]:
        """What each node that is alive has in all."""
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _connect(self) -> None:
        address = self._address
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
        if address in (None, "local"):
            options |= {
                "address": "local",
                "num_cpus": self._asked or cores(),
                "include_dashboard": False,
                "object_store_memory": STORE_BYTES,
            }
        else:
            assert address is not None
            _answers(address)
            options["address"] = address
        try:
            self._ray.init(**options)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError, SystemExit) as error:
            raise EngineError(f"Ray at {address or 'this machine'} cannot be used: {_line(error)}") from error

    def _mailbox(self) -> Any:
        # Not on this process' node: on a machine with several, Ray may count it to one that dies alone.
        return self._ray.remote(_Mailbox).options(num_cpus=0, resources={HEAD: 0.001}).remote()

    def _listen(self, mailbox: Any, asked: list[Any], hear: Callable[[Any], None], patience: float) -> None:
        """Hears what has been said; what is not there within `patience` is waited for the next time."""
        if not asked or patience:
            asked.append(mailbox.take.remote())
        with suppress(self._ray.exceptions.RayError):  # the cluster is gone, and the results will say so
            answered, _ = self._ray.wait(asked, num_returns=len(asked), timeout=patience)
            for answer in answered:
                asked.remove(answer)
                for said in self._ray.get(answer):
                    hear(said)


@dataclass(slots=True)
class _Task(Generic[Item, Result]):
    item: Item
    result: list[Result] = field(default_factory=list)
    error: BaseException | None = None
    """What the work raised; it is raised here when its turn comes."""


class _Mailbox:
    """What workers say, until the caller takes it."""

    def __init__(self) -> None:
        self._said: list[Any] = []

    def put(self, said: Any) -> None:
        self._said.append(said)

    def take(self) -> list[Any]:
        said, self._said = self._said, []
        return said


def _do(version: str, threads_said: bool, work: Callable[..., Result], item: Item, mailbox: Any) -> Result:
    """One item in a worker, as it would be done at home."""
    if version != __version__:
        raise EngineError(
            f"{socket.gethostname()} has hubstats {__version__}, this is {version}: install the same on every node"
        )
    if not threads_said:
        # Ray sets it to the task's processors, and a library that adds in another order gives other digits.
        os.environ.pop("OMP_NUM_THREADS", None)
    if mailbox is None:
        return work(item)
    import ray

    def say(said: Any) -> None:
        # Waited for, so that all is said before the result is there.
        with suppress(ray.exceptions.RayError):
            ray.get(mailbox.put.remote(said))

    return work(item, say)


def _gpu_bytes() -> float:
    """Memory of this machine's smallest GPU; 0 when nvidia-smi does not say."""
    command = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        return min(float(line) for line in said.split()) * 1024 * 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0.0


def _answers(address: str) -> None:
    """Raises EngineError when nothing takes a connection at HOST:PORT."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdecimal():
        raise EngineError(f"'{address}' is no address of a Ray cluster: HOST:PORT as 'ray start --head' says, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise EngineError(
            f"no Ray cluster answers at {address} ({_line(error)}): is its head running, and the port right?"
        ) from error


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
