"""Named questions and ad hoc SQL on a hubstats file: what `hubstats query`, `hubstats sql` and the report call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hubstats.store import Store

if TYPE_CHECKING:
    import polars


class Answers:
    """A hubstats file opened for reading, as a context manager. Close it soon: an open reader makes a crawl wait."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> Answers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the file back."""
        self._store.close()

    def query(self, name: str, **parameters: Any) -> polars.DataFrame:
        """The answer to the question queries/*/NN_<name>.sql as a Polars frame, with its parameters given by name.

        Where the question counts (`count` and `total` in its header) the columns share, low and high are added: a
        95% Wilson interval. Raises QueryError for an unknown question or parameter.
        """
        from hubstats import queries

        question = queries.get(name)
        frame = self._store.frame(question.sql, question.bind(parameters))
        if question.count is None:  # as most: the estimates, a tenth of the command's time, need not be loaded
            return frame
        from hubstats import estimate

        answer: polars.DataFrame = estimate.add_intervals(frame, question)
        return answer

    def sql(self, text: str, parameters: Mapping[str, Any] | None = None) -> polars.DataFrame:
        """The rows of one SELECT as a Polars frame; `.to_pandas()` makes a pandas one. Raises QueryError."""
        return self._store.frame(text, parameters)


def connect(path: str | Path = "hubstats.duckdb") -> Answers:
    """The file at `path`, read-only and shut off from other files, the network and extensions.

    Raises StoreError when it is missing or not a hubstats file, StoreBusy while a crawl writes for longer than 15 s.
    """
    store = Store.open(Path(path))
    store.confine()
    return Answers(store)
