"""Pages of a bulk file with verdicts and evidence added, while the file is being read.

The rows that `bulk` cannot rule on by the column go to an engine's workers in batches; pages come out in the order they
went in. What waits in between is small: of a page's text only that of the cards which are being judged is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hubstats.detect import DETECTOR_VERSION, MAX_CARD_CHARS
from hubstats.detect.batch import Batch, Judged, batches, detect_batch, lost
from hubstats.detect.bulk import Bulk, as_frames
from hubstats.engines import Engine
from hubstats.records import Document, Page

if TYPE_CHECKING:
    import polars as pl


@dataclass
class _Waiting:
    page: Page
    silent: pl.DataFrame | None = None
    batches: int = 0
    judged: list[Judged] = field(default_factory=list)


class Stream:
    """One walk over the pages of a source that hands over frames."""

    def __init__(
        self,
        bulk: Bulk,
        source: str,
        clean: Callable[[str], str],
        *,
        keep_text: bool,
        weight_files: pl.DataFrame | None = None,
    ) -> None:
        self._bulk, self._source, self._clean, self._keep_text = bulk, source, clean, keep_text
        self._weight_files = weight_files
        """model_id and weight_files that the store knows of repositories, from a file with lists of files."""
        self._waiting: deque[_Waiting] = deque()
        self._unfinished: deque[_Waiting] = deque()

    def pages(self, pages: Iterator[Page], engine: Engine) -> Iterator[Page]:
        """The pages, those with cards with the tables verdict and detection as well.

        The text of a card is kept where the card shows or names anything, or everywhere with `keep_text`.
        """
        results = engine.map(detect_batch, self._batches(pages), lost=lost)
        for judged in results:
            first = self._unfinished[0]
            first.judged.append(judged)
            if len(first.judged) == first.batches:
                self._unfinished.popleft()
            yield from self._finished()
        yield from self._finished()

    def _finished(self) -> Iterator[Page]:
        while self._waiting and self._waiting[0].batches == len(self._waiting[0].judged):
            yield self._whole(self._waiting.popleft())

    def _batches(self, pages: Iterator[Page]) -> Iterator[Batch]:
        for page in pages:
            cards = page.tables.get("model_card")
            if cards is None:
                self._waiting.append(_Waiting(page))
                continue
            frame = self._documents(page)
            split = self._bulk.split(frame)
            rest = frame[split.rest]
            rest = rest.with_columns(card=_each(rest["card"], self._clean))
            work = list(batches(map(self._document, rest.iter_rows()), DETECTOR_VERSION, split.names))
            text = _each(cards["text"], self._clean) if self._keep_text else _at(split.rest, rest["card"], len(cards))
            page = replace(page, tables={**page.tables, "model_card": cards.with_columns(text=text)})
            waiting = _Waiting(page, split.silent, len(work))
            self._waiting.append(waiting)
            if work:
                self._unfinished.append(waiting)
            del frame, cards, rest, page  # the texts of a page are not kept while its batches wait for a worker
            yield from work

    def _document(self, row: tuple[Any, ...]) -> Document:
        subject_id, card, tags, library, weights = row
        return Document(
            self._source,
            subject_id,
            # One character more than is judged says that there was more.
            card=card and card[: MAX_CARD_CHARS + 1],
            tags=tuple(tags or ()),
            library_name=library,
            weight_files=tuple(weights or ()),
        )

    def _documents(self, page: Page) -> pl.DataFrame:
        import polars as pl

        cards, models = page.tables["model_card"], page.tables["hub_model"]
        frame = models.select(
            pl.col("model_id").alias("subject_id"), cards["text"].alias("card"), "tags", "library_name", "weight_files"
        )
        if self._weight_files is None or not len(self._weight_files):
            return frame
        known = self._weight_files.select(pl.col("model_id").alias("subject_id"), pl.col("weight_files").alias("known"))
        joined = frame.join(known, on="subject_id", how="left", maintain_order="left")
        return joined.select(
            "subject_id", "card", "tags", "library_name", pl.coalesce("weight_files", "known").alias("weight_files")
        )

    def _whole(self, waiting: _Waiting) -> Page:
        import polars as pl

        if waiting.silent is None:
            return waiting.page
        made = [as_frames(judged) for judged in waiting.judged]
        verdicts = pl.concat([waiting.silent, *(verdict for verdict, _ in made)])
        detections = pl.concat([detection for _, detection in made]) if made else None
        tables = {**waiting.page.tables, "verdict": verdicts}
        if not self._keep_text:
            says = verdicts.filter(pl.col("state") != "none")["subject_id"]
            says = says if detections is None else pl.concat([says, detections["subject_id"]])
            text = pl.when(pl.col("model_id").is_in(says.unique().implode())).then("text")
            tables["model_card"] = tables["model_card"].with_columns(text=text)
        if detections is not None and len(detections):
            tables["detection"] = detections
        return replace(waiting.page, tables=tables)


def _each(texts: pl.Series, work: Callable[[str], str]) -> pl.Series:
    import polars as pl

    return pl.Series(texts.name, [None if text is None else work(text) for text in texts], dtype=pl.String)


def _at(places: Any, texts: pl.Series, count: int) -> pl.Series:
    """A column of `count` rows with texts in some places and nothing in the others."""
    import polars as pl

    empty = pl.repeat(None, count, dtype=pl.String, eager=True)
    return empty.scatter(places, texts) if len(texts) else empty
