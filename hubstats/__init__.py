"""hubstats measures how popular each PEFT technique is, and how well it does, and puts the two side by side.

    import hubstats

    with hubstats.connect("hubstats.duckdb") as answers:
        print(answers.query("technique_share"))               # a named question, as a Polars frame
        print(answers.sql("SELECT * FROM verdict LIMIT 5"))   # any SQL, read-only

Names are resolved on first use, so importing hubstats (as the bench does) does not import DuckDB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["HubstatsError", "__version__", "connect"]

if TYPE_CHECKING:
    from hubstats.ask import connect
    from hubstats.errors import HubstatsError


def __getattr__(name: str) -> Any:
    if name == "HubstatsError":
        from hubstats.errors import HubstatsError

        return HubstatsError
    if name == "connect":
        from hubstats.ask import connect

        return connect
    raise AttributeError(f"module 'hubstats' has no attribute '{name}'")
