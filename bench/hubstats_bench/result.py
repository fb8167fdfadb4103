"""The result file of a run: the published comparison's shape with ours under one more key, `hubstats`.

    {"run_info": {...}, "train_info": {...}, "meta_info": {...},
     "hubstats": {"format": 1, "run_id": "...", "status": "success", "values": [...], "items": [...], ...}}

A file is written last and at once: beside its place, flushed to disk, then renamed. So a file that is there is whole.
Runs that fail leave one too, with their status and message and whatever was measured before.
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from hubstats.errors import BenchError
from hubstats_bench import tasks
from hubstats_bench.spec import RunSpec, run_id, setting_id

FORMAT = 1
MAX_BYTES = 64 * 1024 * 1024
Status = Literal["success", "nan", "oom", "error", "killed", "timeout", "unsupported"]
STATUSES: tuple[str, ...] = get_args(Status)
REPEATABLE = ("killed", "timeout")
"""Ends that say nothing about the run itself: the next sweep tries again."""
OF_THE_DEVICE = (
    *("peak_memory", "peak_memory_allocated", "process_memory", "train_operations_share", "decode_bandwidth_share"),
)
"""Values that say nothing where a device was shared, besides those whose unit says so."""
_PATH = re.compile(r"(?:/[^\s:'\"/]+)+/([^\s:'\"/]+)")


@dataclass(slots=True)
class Record:
    """What a run has to say, filled while it goes on."""

    spec: RunSpec
    status: str = "error"
    message: str = ""
    created_at: str = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0).isoformat())
    times: dict[str, float] = field(default_factory=dict)
    values: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    objective: list[float] = field(default_factory=list)
    """Empty where it is the same as the losses."""
    notes: list[str] = field(default_factory=list)
    checks: dict[str, Any] = field(default_factory=dict)
    alone: bool = True
    """False: other runs were at work on this device, so times, memory and energy are no measurement of this one."""
    adapter: dict[str, Any] | None = None
    """The PEFT config as used, all values given."""
    train_info: dict[str, Any] = field(default_factory=dict)
    package_info: dict[str, Any] = field(default_factory=dict)
    system_info: dict[str, Any] = field(default_factory=dict)

    def value(self, name: str, value: float | None, unit: str, direction: str) -> None:
        """Adds a measured value; None and what is not finite are no measurement and left out.

        So are times, memory, energy and rates of a run that was not alone.
        """
        if not self.alone and (unit in ("seconds", "joules") or "per second" in unit or name in OF_THE_DEVICE):
            return
        if value is not None and math.isfinite(value):
            self.values.append({"name": name, "value": value, "unit": unit, "direction": direction})

    def document(self) -> dict[str, Any]:
        """The result file's content."""
        spec = self.spec
        origins = [spec.model, *spec.data]
        shown = spec.as_dict()
        for origin in (shown["model"], *shown["data"]):
            origin["location"] = None
        return {
            "run_info": {
                "created_at": self.created_at,
                "total_time": self.times.get("total"),
                "experiment_name": spec.experiment,
                "peft_branch": None,
                "peft_worktree_is_dirty": None,
                "train_config": spec.training.as_dict(),
                "peft_config": self.adapter if self.adapter is not None else spec.adapter,
                "error_msg": scrub(self.message),
            },
            "train_info": {"metrics": [], **self.train_info, "status": self.status},
            "meta_info": {
                "model_info": {"sha": spec.model.revision, "created_at": None},
                "dataset_info": {origin.name: {"sha": origin.revision, "created_at": None} for origin in origins[1:]},
                "package_info": self.package_info,
                "system_info": self.system_info,
                "pytorch_info": None,
            },
            "hubstats": {
                "format": FORMAT,
                "run_id": run_id(spec),
                "setting_id": setting_id(spec),
                "task": spec.task,
                "recipe": recipe(spec),
                "experiment": spec.experiment,
                "role": spec.role,
                "technique": spec.technique,
                "variant": spec.variant,
                "purpose": spec.purpose,
                "status": self.status,
                "message": scrub(self.message),
                "notes": [scrub(note) for note in self.notes],
                "spec": shown,
                "times": self.times,
                "values": self.values,
                "checks": self.checks,
                "items": self.items,
                "losses": self.losses,
                "objective": self.objective,
            },
        }


@dataclass(frozen=True, slots=True)
class Stored:
    """The outline of a result file."""

    path: Path
    run_id: str
    setting_id: str
    task: str
    experiment: str
    role: str
    technique: str | None
    variant: str | None
    purpose: str
    status: str
    message: str
    seed: int
    steps: int
    learning_rate: float
    created_at: str
    values: Mapping[str, float]
    times: Mapping[str, float]

    @property
    def is_final(self) -> bool:
        """Whether the run need not be tried again."""
        return self.status not in REPEATABLE


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Puts the document at `path`, whole or not at all. Raises BenchError when the disk refuses."""
    text = json.dumps(_finite(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(part).chmod(0o644)
            Path(part).replace(path)
        finally:
            Path(part).unlink(missing_ok=True)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}") from error


def read(path: Path) -> dict[str, Any]:
    """A result file of this format. Raises BenchError saying what is wrong with it."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BenchError(f"{path} is larger than {MAX_BYTES} bytes: it is no result of the bench")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{path} is half written or no JSON ({error}); remove it and the run is repeated") from None
    ours = found.get("hubstats") if isinstance(found, dict) else None
    if not isinstance(ours, dict):
        raise BenchError(f"{path} is no result of this bench: it has no key 'hubstats'")
    if ours.get("format") != FORMAT:
        raise BenchError(
            f"{path} has format {ours.get('format')!r}, this version reads {FORMAT}: use the newer hubstats"
        )
    if ours.get("status") not in STATUSES:
        raise BenchError(f"{path} has the unknown status {ours.get('status')!r}")
    return found


def outline(path: Path) -> Stored:
    """The outline of one result file. Raises BenchError."""
    found = read(path)
    ours = found["hubstats"]
    try:
        training = found["run_info"]["train_config"]
        return Stored(
            path=path,
            seed=int(training["seed"]),
            steps=int(training["max_steps"]),
            learning_rate=float(training["optimizer_kwargs"]["lr"]),
            created_at=str(found["run_info"]["created_at"]),
            values={str(value["name"]): float(value["value"]) for value in ours["values"]},
            times={str(name): float(seconds) for name, seconds in ours["times"].items()},
            **{
                name: ours[name]
                for name in (
                    *("run_id", "setting_id", "task", "experiment", "role", "technique", "variant", "purpose"),
                    *("status", "message"),
                )
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BenchError(f"{path} lacks what a result has ({type(error).__name__}: {error})") from None


def stored(folder: Path) -> tuple[list[Stored], list[str]]:
    """All results in a folder, oldest first, and a line on each file that is none."""
    found, broken = [], []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            found.append(outline(path))
        except BenchError as error:
            broken.append(str(error))
    return sorted(found, key=lambda result: (result.created_at, result.run_id)), broken


def scrub(text: str) -> str:
    """The text with absolute paths cut down to their last part: results are published, this machine is not."""
    return _PATH.sub(r"\1", " ".join(text.split()))[:2000]


def recipe(spec: RunSpec) -> str:
    """What the task is called beside published results: by the published name only when the run follows its recipe."""
    task = tasks.get(spec.task)
    free = {"seed", "optimizer_type", "optimizer_kwargs", "autocast_adapter_dtype", "init_kv_cache_prefix"}
    training = spec.training.as_dict()
    same = all(training[name] == value for name, value in task.defaults.items() if name not in free)
    whole = spec.evaluation.items is None and spec.evaluation.generate is None
    return task.published_name if same and whole and not spec.options else task.name


def by_run(results: Iterable[Stored]) -> dict[str, Stored]:
    """Results by run id."""
    return {result.run_id: result for result in results}


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        inner_values = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [_finite(inner) for inner in inner_values]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
