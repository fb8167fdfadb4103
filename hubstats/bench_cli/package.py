"""The way to the package hubstats_bench, which may not be installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hubstats.errors import BenchError


def bench(module: str) -> Any:
    """The module of hubstats_bench. Raises BenchError saying what to install where there is none."""
    try:
        return import_module(f"hubstats_bench.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "hubstats_bench":
            raise BenchError('the bench is not installed: pip install "hubstats[bench]"') from None
        raise
