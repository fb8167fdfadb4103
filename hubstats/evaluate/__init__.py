"""The detector's answers beside a person's: precision, recall, confusions and every disagreement.

One question a measure, each a set of labels a file:

    used          techniques that a card itself says were used           cards
    mentioned     techniques that it names anywhere                      cards
    front_matter  the state of the YAML on top                           cards
    method        the technique that an adapter_config.json shows           configs
    variants      the variants its other values show                     configs

A label that was found is a true positive, one found that was not labelled a false positive, one labelled that was not
found a false negative. The intervals are Wilson's and take labels for independent, which files of one repository are
not: read them as the least uncertainty.

    >>> from pathlib import Path
    >>> from hubstats.techniques import load
    >>> labels = read_labels(Path("labels.csv"), load())        # doctest: +SKIP
    >>> evaluate(labels.rows, load()).scores()                  # doctest: +SKIP
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hubstats.detect import detect, used_names
from hubstats.detect.evidence import STRENGTH
from hubstats.detect.front_matter import read_front_matter
from hubstats.estimate import wilson_interval
from hubstats.evaluate.labels import MEASURES, Labelled, LabelSet, Measure, coarse, read_labels
from hubstats.records import Detection
from hubstats.techniques import Registry

if TYPE_CHECKING:
    import polars

__all__ = ["MEASURES", "Evaluation", "Judged", "LabelSet", "Labelled", "evaluate", "judge", "missed", "read_labels"]

By = Literal["all", "technique", "evidence", "template"]
HIGH, ALL = "high confidence", "all"
NONE, SEVERAL, NOTHING = "none", "several", "nothing"
MAX_EVIDENCE = 6


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled file and what the detector found in it."""

    labelled: Labelled
    found: dict[Measure, frozenset[str]]
    detections: tuple[Detection, ...]
    """Techniques as the labels name them."""
    template: str

    def evidence_for(self, technique: str, measure: Measure) -> str:
        """The strongest kind of evidence that shows the technique; `nothing` when there is none at all."""
        of_it = [item for item in self.detections if item.technique == technique]
        chosen = [item for item in of_it if item.use] if measure == "used" else of_it
        # A use that was missed may well have been seen as a mention: its kind says where the rule went wrong.
        kinds = {item.evidence_kind for item in chosen or of_it}
        return next((kind for kind in STRENGTH if kind in kinds), NOTHING)


def judge(labelled: Labelled, registry: Registry) -> Judged:
    """What the detector says about one labelled file, in the terms of its labels."""
    detections, verdict = detect(labelled.document, registry)
    found: dict[Measure, frozenset[str]] = {}
    if labelled.document.card is not None:
        found["used"] = coarse(used_names(detections, verdict), registry)
        found["mentioned"] = coarse(verdict.mentions, registry)
        found["front_matter"] = frozenset({read_front_matter(labelled.document.card).state})
    else:
        found["method"] = coarse([verdict.technique] if verdict.technique else [], registry)
        found["variants"] = frozenset(verdict.overlays) & labelled.variants
    named = tuple(_renamed(item, registry) for item in detections)
    asked = {measure: labels for measure, labels in found.items() if measure in labelled.claims}
    return Judged(labelled, asked, named, verdict.template or NONE)


def _renamed(item: Detection, registry: Registry) -> Detection:
    (technique,) = coarse([item.technique], registry)
    if technique == item.technique:
        return item
    values = {name: getattr(item, name) for name in Detection.__slots__}
    return Detection(**{**values, "technique": technique})


def evaluate(rows: Iterable[Labelled], registry: Registry) -> Evaluation:
    """Every labelled file judged; never raises on what a file holds."""
    return Evaluation(tuple(judge(row, registry) for row in rows))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All judged files and the tables that follow from them."""

    judged: tuple[Judged, ...]

    def scores(self, measures: Sequence[Measure] = MEASURES) -> polars.DataFrame:
        """Precision and recall, in all and by technique, evidence kind and template, as shares with 95% intervals.

        `tp`, `fp`, `fn` count labels, `files` the files that could have one. A share of nothing is null. In all, there
        is a row for high-confidence labels where the labels say how sure they are; every other row takes all files.
        """
        import polars as pl

        rows = [
            (measure, by, group, len(files), *counts)
            for measure in measures
            for by, group, files, counts in self._groups(measure)
        ]
        names = {"measure": pl.String, "by": pl.String, "group": pl.String}
        numbers = dict.fromkeys(("files", "tp", "fp", "fn"), pl.Int64)
        frame = pl.DataFrame(rows, schema={**names, **numbers}, orient="row")
        for share, other in (("precision", "fp"), ("recall", "fn")):
            interval = wilson_interval(frame["tp"].cast(pl.Float64), (frame["tp"] + frame[other]).cast(pl.Float64))
            interval.columns = [share, f"{share}_low", f"{share}_high"]
            frame = frame.hstack(interval)
        return frame

    def confusion(self, measures: Sequence[Measure] = MEASURES) -> polars.DataFrame:
        """How many files were labelled so and found so; `several` stands for more than one technique.

        `same` counts the files whose sets of labels agree to the last.
        """
        import polars as pl

        files: Counter[tuple[str, str, str]] = Counter()
        same: Counter[tuple[str, str, str]] = Counter()
        for measure in measures:
            for _, true, found in self._pairs(measure):
                place = (measure, _one(true), _one(found))
                files[place] += 1
                same[place] += true == found
        rows = [(*place, count, same[place]) for place, count in files.items()]
        rows.sort(key=lambda row: (MEASURES.index(row[0]), -row[3], row[1:3]))
        columns = {"measure": pl.String, "labelled": pl.String, "found": pl.String, "files": pl.Int64, "same": pl.Int64}
        return pl.DataFrame(rows, schema=columns, orient="row")

    def errors(self, measures: Sequence[Measure] = MEASURES) -> polars.DataFrame:
        """Each file whose labels and findings differ, with the evidence on what they differ about."""
        import polars as pl

        rows = []
        for measure in measures:
            for item, true, found in self._pairs(measure):
                if true != found:
                    at_odds = [entry for entry in item.detections if entry.technique in true ^ found]
                    shown = [_shown(entry) for entry in at_odds[:MAX_EVIDENCE]]
                    rows.append(
                        (
                            measure,
                            item.labelled.name,
                            None if item.labelled.sure is None else "high" if item.labelled.sure else "lower",
                            "|".join(sorted(true)),
                            "|".join(sorted(found)),
                            shown,
                        )
                    )
        texts = ("measure", "file", "confidence", "labelled", "found")
        frame = pl.DataFrame([row[:-1] for row in rows], schema=dict.fromkeys(texts, pl.String), orient="row")
        evidence = pl.Series("evidence", [row[-1] for row in rows], dtype=pl.List(pl.String))
        return frame.with_columns(evidence)

    def _pairs(self, measure: Measure) -> Iterator[tuple[Judged, frozenset[str], frozenset[str]]]:
        for item in self.judged:
            if measure in item.found:
                yield item, item.labelled.claims[measure], item.found[measure]

    def _groups(self, measure: Measure) -> Iterator[tuple[By, str, set[str], tuple[int, int, int]]]:
        """(breakdown, group, names of its files, (tp, fp, fn)), the totals first, the rest by size."""
        files: dict[tuple[By, str], set[str]] = defaultdict(set)
        counts: dict[tuple[By, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        for item, true, found in self._pairs(measure):
            whole: list[tuple[By, str]] = [("all", HIGH)] if item.labelled.sure else []
            whole.append(("all", ALL))
            if measure in ("used", "mentioned"):
                whole.append(("template", item.template))
            for group in whole:
                files[group].add(item.labelled.name)
            for label in true | found:
                outcome = 0 if label in true & found else 1 if label in found else 2
                own: list[tuple[By, str]] = [("technique", label)]
                if measure in ("used", "mentioned"):
                    own.append(("evidence", item.evidence_for(label, measure)))
                for group in own:
                    files[group].add(item.labelled.name)
                for group in (*whole, *own):
                    counts[group][outcome] += 1
        order: tuple[By, ...] = ("all", "technique", "evidence", "template")
        for by, name in sorted(
            files, key=lambda group: (order.index(group[0]), group[1] == ALL, -len(files[group]), group[1])
        ):
            tp, fp, fn = counts[by, name]
            yield by, name, files[by, name], (tp, fp, fn)


def missed(scores: polars.DataFrame, *, precision: float | None, recall: float | None) -> list[str]:
    """What keeps the totals from these floors, a clause each; empty when they are reached.

    The floors hold for each measure's high-confidence labels, where the labels say how sure they are. A measure without
    a label on either side is not judged; when there is no other, that is said.
    """
    if precision is None and recall is None:
        return []
    totals = scores.filter(scores["by"] == "all").unique("measure", keep="first", maintain_order=True)
    totals = totals.filter(totals["tp"] + totals["fp"] + totals["fn"] > 0)
    if totals.is_empty():
        return ["there is no label to judge by"]
    said = []
    for row in totals.to_dicts():
        of = f"of {row['measure']}" + (f" ({HIGH})" if row["group"] == HIGH else "")
        for name, floor in (("precision", precision), ("recall", recall)):
            if floor is None:
                continue
            if row[name] is None:
                said.append(f"{name} {of} is not defined: nothing was {'found' if name == 'precision' else 'labelled'}")
            elif row[name] < floor:
                said.append(f"{name} {of} is {row[name]:.4f}, below {floor}")
    return said


def _one(labels: frozenset[str]) -> str:
    return SEVERAL if len(labels) > 1 else next(iter(labels), NONE)


def _shown(item: Detection) -> str:
    use = "use" if item.use else "mention"
    return f"{item.technique}: {use} by {item.evidence_kind} ({item.rule}) {item.excerpt!r}"
