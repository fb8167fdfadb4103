"""Where each technique stands against plain LoRA on one task, from runs of one origin. Pure.

A technique's result is its best current setting; so is LoRA's. Techniques differ in how many settings were tried, and
the best is picked on the test score itself, so the number of settings travels with the result. The margin of a
difference is that of hubstats.estimate.standing: what other test questions, and runs of the same setting done again,
would have changed. Where nothing was repeated there is no margin, and then nobody is said to be ahead or behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from hubstats.estimate.standing import margin as difference_margin

if TYPE_CHECKING:
    import polars

REFERENCE = "lora"
OWN = "own"
ASKED = "loha"
"""The technique that one of the page's questions asks for."""

Place = Literal["ahead", "tied", "behind", "unknown"]


@dataclass(frozen=True, slots=True)
class Result:
    """The best current setting of one technique or variant."""

    key: str
    """Registry key of the variant, or of the technique where no variant is set."""
    base: str | None
    name: str
    family: str
    experiment: str
    score: float
    difference: float
    """Score minus LoRA's best."""
    margin: float | None
    """Half width of the difference's 95% interval; None: nothing was repeated."""
    memory: float | None
    time: float | None
    size: float | None
    parameters: float | None
    forgetting: float | None
    """Rise of the loss on unrelated text, where it was measured."""
    settings: int
    """Settings of the technique that were run."""
    created_at: datetime | None
    run_id: str

    @property
    def place(self) -> Place:
        """Against LoRA, as far as the margin lets say."""
        if self.margin is None:
            return "unknown"
        if abs(self.difference) <= self.margin:
            return "tied"
        return "ahead" if self.difference > 0 else "behind"


@dataclass(frozen=True, slots=True)
class Noise:
    """How far repeated runs lie apart."""

    deviation: float
    degrees: int
    runs: int
    experiments: int

    @property
    def half_width(self) -> float:
        """Half width of one run's 95% interval."""
        from scipy.stats import t

        return float(t.ppf(0.975, self.degrees)) * self.deviation


@dataclass(frozen=True, slots=True)
class Standing:
    """One task of one origin: LoRA's best setting and everybody's difference to it."""

    task: str
    origin: str
    metric: str
    reference: Result
    results: tuple[Result, ...]
    """Best first; LoRA among them."""
    noise: Noise | None
    runs: int
    model: str | None

    @property
    def own(self) -> bool:
        """Our runs, not somebody's published ones."""
        return self.origin == OWN

    def others(self, place: Place) -> list[Result]:
        """Techniques other than plain LoRA in one place."""
        return [result for result in self.results if result.key != REFERENCE and result.place == place]

    @property
    def dates(self) -> list[datetime | None]:
        """When the results were made."""
        return [result.created_at for result in self.results]


def noise_of(frame: polars.DataFrame, origin: str, task: str) -> Noise | None:
    """The re-run noise of one task from rows of rerun_spread; None when nothing was repeated."""
    rows = [row for row in frame.iter_rows(named=True) if (row["origin"], row["task"]) == (origin, task)]
    degrees = sum(row["runs"] - 1 for row in rows)
    if not degrees or not rows[0]["pooled_sd"]:
        return None
    return Noise(rows[0]["pooled_sd"], degrees, sum(row["runs"] for row in rows), len(rows))


def standings(runs: polars.DataFrame, noise: polars.DataFrame) -> list[Standing]:
    """One standing for each origin and task that has a current run of plain LoRA; published ones first."""
    made = []
    current = [row for row in runs.iter_rows(named=True) if row["is_current"]]
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in current:
        groups.setdefault((row["origin"], row["task"], row["metric"]), []).append(row)
    for (origin, task, metric), rows in sorted(groups.items(), key=lambda group: (group[0][0] == OWN, group[0])):
        standing = _standing(origin, task, metric, rows, noise_of(noise, origin, task))
        if standing is not None:
            made.append(standing)
    return made


def _standing(origin: str, task: str, metric: str, rows: list[dict[str, Any]], noise: Noise | None) -> Standing | None:
    techniques: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        techniques.setdefault(row["shown"], {}).setdefault(row["experiment"], []).append(row)
    best = {key: max(experiments.values(), key=_mean) for key, experiments in techniques.items()}
    if REFERENCE not in best:
        return None
    reference = best[REFERENCE]
    results = []
    for key, repeats in best.items():
        first = repeats[0]
        margin = None
        if noise is not None:
            margin = difference_margin(_questions(repeats), _questions(reference), noise.deviation, noise.degrees)
        results.append(
            Result(
                key=key,
                base=first["technique"],
                name=first["name"],
                family=first["family"],
                experiment=first["experiment"],
                score=_mean(repeats),
                difference=_mean(repeats) - _mean(reference),
                margin=margin,
                memory=_largest(repeats, "peak_memory"),
                time=_largest(repeats, "train_time"),
                size=_largest(repeats, "checkpoint_size"),
                parameters=_largest(repeats, "trainable_parameters"),
                forgetting=_largest(repeats, "forgetting"),
                settings=len(techniques[key]),
                created_at=max((row["created_at"] for row in repeats if row["created_at"]), default=None),
                run_id=first["run_id"],
            )
        )
    results.sort(key=lambda result: (-result.score, result.key))
    lora = next(result for result in results if result.key == REFERENCE)
    models = {row["model_id"] for row in rows}
    model = models.pop() if len(models) == 1 else None
    return Standing(task, origin, metric, lora, tuple(results), noise, len(rows), model)


def _questions(repeats: list[dict[str, Any]]) -> tuple[float | None, int]:
    """Error of the questions, the same ones in every repetition, and how many repetitions there are."""
    return _largest(repeats, "question_error"), len(repeats)


def _mean(rows: list[dict[str, Any]]) -> float:
    return float(sum(row["score"] for row in rows) / len(rows))


def _largest(rows: list[dict[str, Any]], column: str) -> float | None:
    return max((row[column] for row in rows if row[column] is not None), default=None)
