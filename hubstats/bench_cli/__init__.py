"""The `hubstats bench` commands: plan, run and watch fine-tuning runs. The bench itself is the package hubstats_bench.

Popularity is read from the DuckDB file here and handed over, so that the bench needs neither DuckDB nor Polars; the
bench's torch half runs in processes of its own, so that hubstats never imports torch.
"""

from hubstats.bench_cli.commands import app

__all__ = ["app"]
