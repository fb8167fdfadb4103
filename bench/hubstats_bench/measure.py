"""Clocks, memory, energy and provenance of a run."""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import torch

WARM_LIMIT = 500 * 2**20
"""Bytes already reserved at the start that make a run's memory figures doubtful."""


class Accelerator:
    """The device a run is on: waiting for it, and its memory."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.is_accelerator = device == "cuda"
        self._module: Any = getattr(torch, device)
        if self.is_accelerator:
            torch.nn.Linear(1, 1).to(device)  # the driver's own memory is there before counting starts
            self._module.reset_peak_memory_stats()
            self.at_start = int(self._module.max_memory_reserved())
        else:
            self.at_start = 0

    def wait(self) -> None:
        """Returns once everything asked of the device is done."""
        if self.device != "cpu":
            self._module.synchronize()

    def reserved(self) -> int:
        """Bytes reserved now, above those at the start."""
        return int(self._module.memory_reserved()) - self.at_start

    def release(self) -> None:
        """Gives cached memory that is not in use back to the device."""
        if self.is_accelerator:
            self._module.empty_cache()

    def peaks(self) -> dict[str, int]:
        """Highest bytes so far: of the accelerator reserved and allocated, or else of this process."""
        if self.is_accelerator:
            return {
                "peak_memory": int(self._module.max_memory_reserved()) - self.at_start,
                "peak_memory_allocated": int(self._module.max_memory_allocated()),
            }
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"process_memory": peak if sys.platform == "darwin" else peak * 1024}


class Stopwatch:
    """Seconds by phase, added to a dictionary."""

    def __init__(self, accelerator: Accelerator, seconds: dict[str, float]) -> None:
        self._accelerator = accelerator
        self.seconds = seconds

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts what is done inside."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._accelerator.wait()
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


class Energy:
    """Energy the accelerator took since this was made, where its driver counts it."""

    def __init__(self, device: str) -> None:
        self._read: Any = None
        self.missing = "" if device == "cuda" else "no accelerator whose driver counts it"
        """Why there is no figure; empty where there is one."""
        if device == "cuda":
            try:
                import pynvml

                pynvml.nvmlInit()
                # by its own name: CUDA numbers only the devices that this process may see
                name = f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
                handle = pynvml.nvmlDeviceGetHandleByUUID(name)
                self._read = lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000
                self._start = self._read()
            except Exception as error:  # no package, no driver library, no permission, no counter
                self._read, self.missing = None, f"{type(error).__name__}: {error}"

    def joules(self) -> float | None:
        """None where it is not counted."""
        return None if self._read is None else float(self._read() - self._start)


def packages() -> dict[str, str | None]:
    """Versions in the published files' keys; None for what is not installed."""
    found: dict[str, str | None] = {}
    for name in ("transformers", "peft", "datasets", "bitsandbytes", "torch"):
        try:
            found[f"{name}-version"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[f"{name}-version"] = None
        found[f"{name}-commit-hash"] = None
    return found


def system(device: str) -> dict[str, Any]:
    """The machine in the published files' keys, without its name."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "version": platform.version(),
        "machine": platform.machine(),
        "processor": platform.processor(),
        "accelerator": torch.cuda.get_device_name(0) if device == "cuda" else _processor(),
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
            name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        return f"CPU: {name}"
    except (OSError, StopIteration):
        return f"CPU: {platform.machine()}"
