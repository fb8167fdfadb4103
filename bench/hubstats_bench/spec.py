"""What one run is: everything that determines its figures, and the id that follows from it.

Two runs with one id would compute the same, so a finished one need not be run again. Where a model or a data set lies
on this machine is no part of it; its commit or its hash is. Seeds of one setting share the setting's id.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal, get_args

from hubstats.errors import BenchError
from hubstats_bench import RECIPE
from hubstats_bench.experiment import TrainingParams, training_from

Role = Literal["technique", "full", "base"]
"""base: the untrained model. full: all parameters trained. Both are what techniques are compared with."""
Purpose = Literal["final", "trial"]
"""trial: a short run that looks for a setting; never a result."""
Split = Literal["test", "heldout"]
DEVICES = ("cpu", "cuda", "mps")
OPTIONS = {
    "keep-cache": "the allocator's cache is kept instead of emptied every 10 steps: faster, but more is reserved",
    "continuous-generation": "answers come from continuous batching, not from batches that wait for their slowest row: "
    "the same in 32 bit, a few may differ in 16 bit",
}
"""Departures from the published recipe that are faster and may change one of its metrics."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model or a data set comes from."""

    kind: Literal["hub", "path", "package", "made"]
    name: str
    """owner/name on the Hub, a file's name, or what made it."""
    revision: str
    """Commit on the Hub, or sha256 of the content."""
    location: str | None = None
    """Where it lies on this machine, if it does: no part of any id."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is measured after training."""

    split: Split = "test"
    items: int | None = None
    """Questions scored by likelihood, the first of the split; None: all."""
    generate: int | None = None
    """Questions answered and marked; None: all, 0: none."""
    validate: bool = False
    """Answer the task's validation questions every `eval_steps`, as the published runner does."""
    unrelated: bool = True
    """Measure forgetting on unrelated text, against the bare base model."""
    reload: bool = True
    """Save, load again and compare the logits."""
    merge: bool = True
    """Merge into the base weights, where the technique can, and compare the logits."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run."""

    task: str
    experiment: str
    role: Role
    technique: str | None
    variant: str | None
    adapter: Mapping[str, Any] | None
    training: TrainingParams
    evaluation: Evaluation
    model: Origin
    data: tuple[Origin, ...]
    device: str
    versions: Mapping[str, str]
    purpose: Purpose = "final"
    options: tuple[str, ...] = ()
    """Departures from the published recipe, of OPTIONS."""

    def replaced(self, **changes: Any) -> RunSpec:
        """A copy with other values."""
        return dataclasses.replace(self, **changes)

    def with_seed(self, seed: int) -> RunSpec:
        """The same setting with another seed."""
        return self.replaced(training=self.training.replaced(seed=seed))

    def as_dict(self) -> dict[str, Any]:
        """JSON values, read back by `spec_from`."""
        return dataclasses.asdict(self)


def versions() -> dict[str, str]:
    """Versions that figures depend on, of what is installed here; nothing is imported."""
    found = {"recipe": str(RECIPE)}
    for name in ("torch", "peft", "transformers", "bitsandbytes"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def spec_from(values: Mapping[str, Any]) -> RunSpec:
    """The run that `as_dict` wrote. Raises BenchError when a field is missing, unknown or wrong."""
    try:
        known = dict(values)
        known["training"] = training_from(known["training"])
        known["evaluation"] = Evaluation(**known["evaluation"])
        known["model"] = Origin(**known["model"])
        known["data"] = tuple(Origin(**origin) for origin in known["data"])
        known["options"] = tuple(known.get("options", ()))
        spec = RunSpec(**known)
    except (KeyError, TypeError) as error:
        raise BenchError(
            f"not a run of this version: {error}; write the plan anew with 'hubstats bench plan'"
        ) from None
    if spec.role not in get_args(Role) or spec.purpose not in get_args(Purpose) or spec.device not in DEVICES:
        raise BenchError(f"not a run: role {spec.role!r}, purpose {spec.purpose!r}, device {spec.device!r}")
    check_options(spec.options)
    return spec


def check_options(options: Iterable[str]) -> None:
    """Raises BenchError naming the first that is none of OPTIONS."""
    for name in options:
        if name not in OPTIONS:
            raise BenchError(f"there is no option {name!r}: there are {', '.join(OPTIONS)}")


def run_id(spec: RunSpec) -> str:
    """16 hexadecimal digits that change with anything that determines the figures."""
    return _hash(_identity(spec))


def setting_id(spec: RunSpec) -> str:
    """The same without the seed."""
    identity = _identity(spec)
    identity["training"] = {**identity["training"], "seed": None}
    return _hash(identity)


def _identity(spec: RunSpec) -> dict[str, Any]:
    identity = spec.as_dict()
    for origin in (identity["model"], *identity["data"]):
        origin["location"] = None
    # the name of its folder says nothing about what a run computes, but results are told apart by it
    return identity


def _hash(identity: Mapping[str, Any]) -> str:
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
