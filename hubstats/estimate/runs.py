"""Runs that may be compared, and how sure each one's score and cost are.

Runs are compared within a contest: one origin, task, base model and score. Two things make a score uncertain, and
both are kept:

    questions   the test is a sample of the questions that could have been asked. Wilson's interval of accuracy on n
                questions; half of it over 1.96 is the standard error q (at 0% and 100% it is not 0, as
                sqrt(p (1 - p) / n) would be). Only where n is known: similarity of images has none.
    repetition  the same experiment run again gives another score. Pooled over the contest's experiments,
                s^2 = sum over experiments of (runs - 1) sd^2 / sum of (runs - 1), with as many degrees of freedom.

    variance of one run = q^2 + s^2,   of the mean of m runs on the same questions = q^2 + s^2 / m

with Satterthwaite's degrees of freedom (1946, Biometrics Bulletin 2:110-114). Both are on the safe side: answers that
flip from run to run are in q and in s; new software came between most repetitions, and what it did to all runs alike
is in s though it cancels between two runs of one version; and two runs answered the same questions, which makes their
difference surer than that of two tests.

A result repeats the newest one of its experiment unless a setting that both name differs (seed and version apart, the
order of a list apart): a file that was mended is another experiment under the same name.

Costs are compared as logarithms, and their scatter is taken from repetitions under the same versions of torch,
transformers and PEFT only: between versions one technique's memory moved by 17% while most moved by 0.04%, which is a
change of its code and no chance. What all runs of one import moved by is taken out first (a shared machine is no
noise of one run), by two-way least squares: experiment + snapshot + rest. The rests themselves are kept: no normal
curve fits them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubstats.estimate.interval import wilson_interval

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Floats = np.ndarray[Any, np.dtype[np.float64]]

INPUT = "bench_runs"

QUESTIONS = {("peft-method-comparison", "MetaMathQA"): 1319}
"""Test questions of an (origin, task) that keeps no answers: all of GSM8K's test split (Cobbe et al. 2021, arXiv
2110.14168; github.com/openai/grade-school-math, test.jsonl)."""

COSTS = {
    "peak_memory": "bytes",
    "train_time": "seconds",
    "checkpoint_size": "bytes",
    "trainable_parameters": "parameters",
    "forgetting": "nats",
    "drift": "cosine distance",
}
"""What a score is bought with, and its unit; less is better. `forgetting` is the corrected metric only."""

SCATTERING = ("peak_memory", "train_time")
"""Costs that a repetition measures anew; size and parameters follow from the settings."""

CONTEST = ("origin", "task", "model_id", "metric")
EXPERIMENT = (*CONTEST, "experiment")

APART = frozenset({"peft_version", "seed"})
"""Keys of a config in which repetitions may differ."""

Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Contest:
    """Current results that may be compared, one row an experiment, best first."""

    origin: str
    task: str
    model_id: str | None
    metric: str
    frame: pl.DataFrame
    """run_id (the newest), experiment, technique, variant, score (mean of the current runs), repeats (how many),
    question_error, variance, degrees, as_of, and the columns of COSTS."""
    pooled_sd: float | None
    pooled_degrees: int
    history: pl.DataFrame
    """All repetitions of the contest: experiment, software, snapshot_on and the columns of COSTS."""

    @property
    def name(self) -> str:
        """As text, for ids and seeds."""
        return f"{self.origin}/{self.measure}"

    @property
    def measure(self) -> str:
        """The same without the origin."""
        return "/".join((self.task, self.model_id or "unknown model", self.metric))


def judged(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of bench_runs with what is known of each run's score.

    Added: questions filled in; low and high (95%, questions only) and question_error; repeats_newest; of the
    experiment runs and sd; of the contest pooled_sd, pooled_degrees, pooled_runs, pooled_experiments; standard_error
    and degrees of one run, null where nothing in the contest was repeated.
    """
    import polars as pl

    known = [
        pl.when((pl.col("origin") == origin) & (pl.col("task") == task)).then(pl.lit(count))
        for (origin, task), count in QUESTIONS.items()
    ]
    frame = frame.with_columns(
        pl.when(pl.col("metric") == "test_accuracy").then(pl.coalesce("questions", *known)).alias("questions")
    )
    asked = frame["questions"].cast(pl.Float64)
    score = pl.Series(frame["score"].clip(0, 1))
    interval = wilson_interval(asked * score, asked)
    frame = frame.with_columns(
        interval["low"],
        interval["high"],
        ((interval["high"] - interval["low"]) / (2 * Z)).alias("question_error"),
        pl.Series("repeats_newest", list(_repeats(frame)), dtype=pl.Boolean),
    )
    repeated = pl.when("repeats_newest").then(pl.col("score"))
    frame = frame.with_columns(
        pl.col("repeats_newest").sum().over(EXPERIMENT).cast(pl.Int64).alias("runs"),
        repeated.std().over(EXPERIMENT).alias("sd"),
        (repeated - repeated.mean().over(EXPERIMENT)).pow(2).alias("_square"),
    )
    once = pl.struct(EXPERIMENT).n_unique().over(CONTEST)
    in_repeated = pl.col("repeats_newest") & (pl.col("runs") > 1)
    frame = frame.with_columns(
        (pl.col("repeats_newest").sum().over(CONTEST).cast(pl.Int64) - once.cast(pl.Int64)).alias("pooled_degrees"),
        in_repeated.sum().over(CONTEST).cast(pl.Int64).alias("pooled_runs"),
        pl.when(in_repeated)
        .then("experiment")
        .drop_nulls()
        .n_unique()
        .over(CONTEST)
        .cast(pl.Int64)
        .alias("pooled_experiments"),
        pl.col("_square").sum().over(CONTEST).alias("_squares"),
    )
    pooled = pl.when(pl.col("pooled_degrees") > 0).then((pl.col("_squares") / pl.col("pooled_degrees")).sqrt())
    frame = frame.with_columns(pooled.alias("pooled_sd")).drop("_square", "_squares")
    variance, degrees = _variance(pl.lit(1))
    complete = pl.when(pl.col("pooled_sd").is_not_null())
    return frame.with_columns(complete.then(variance.sqrt()).alias("standard_error"), degrees.alias("degrees"))


def _variance(repeats: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Variance of the mean of some runs, as far as known, and its degrees of freedom (null: infinitely many)."""
    import polars as pl

    known = pl.col("question_error").is_not_null() | pl.col("pooled_sd").is_not_null()
    repetition = pl.col("pooled_sd").fill_null(0.0).pow(2) / repeats
    variance = pl.col("question_error").fill_null(0.0).pow(2) + repetition
    degrees = pl.when(repetition > 0).then(pl.col("pooled_degrees") * (variance / repetition).pow(2))
    return pl.when(known).then(variance), degrees


def contests(frame: pl.DataFrame) -> Iterator[Contest]:
    """Each contest with a current result, from the rows of `judged`, in the order of their names."""
    import polars as pl

    for _, members in frame.group_by(CONTEST, maintain_order=True):
        current = members.filter("is_current")
        if not current.height:
            continue
        first = members.row(0, named=True)
        results = current.group_by("experiment", maintain_order=True).agg(
            pl.col("run_id", "technique", "variant").last(),
            pl.col("score").mean(),
            pl.len().cast(pl.Int64).alias("repeats"),
            pl.col("question_error").max(),
            pl.col("created_at").max().alias("as_of"),
            pl.col("pooled_sd", "pooled_degrees").first(),
            pl.col(*COSTS).mean(),
        )
        variance, degrees = _variance(pl.col("repeats"))
        yield Contest(
            origin=first["origin"],
            task=first["task"],
            model_id=first["model_id"] or None,
            metric=first["metric"],
            frame=results.with_columns(variance.alias("variance"), degrees.alias("degrees")).sort(
                "score", "experiment", descending=[True, False]
            ),
            pooled_sd=first["pooled_sd"],
            pooled_degrees=first["pooled_degrees"],
            history=members.filter("repeats_newest").select("experiment", "software", "snapshot_on", *COSTS),
        )


def scatter(contest: Contest, cost: str) -> Floats | None:
    """By how much repetitions of one cost lay off, as differences of logarithms; None where that was not measured.

    Widened by sqrt(n / degrees of freedom), so that their variance is unbiased.
    """
    import numpy as np
    import polars as pl

    rows = contest.history.filter(pl.col(cost) > 0).filter(pl.len().over("experiment", "software") > 1)
    if cost not in SCATTERING or not rows.height:
        return None
    experiment, snapshot = (
        rows.select(pl.struct(names).rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()
        for names in (("experiment", "software"), ("snapshot_on",))
    )
    degrees = rows.height - _rank(experiment, snapshot)
    if degrees < 1:
        return None
    rest = np.log(rows[cost].to_numpy())
    # Least squares by turns: each pass takes the mean of each experiment out, then that of each snapshot.
    for _ in range(200):
        before = rest
        for group in (experiment, snapshot):
            size = np.bincount(group)
            rest = rest - (np.bincount(group, weights=rest) / np.maximum(size, 1))[group]
        if np.abs(rest - before).max() < 1e-12:
            break
    return np.asarray(np.sort(rest * np.sqrt(rows.height / degrees)), dtype=np.float64)


def _rank(one: Any, other: Any) -> int:
    """Parameters of the two-way model: levels of both less the separate pieces that they fall into."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, right = int(one.max()) + 1, int(other.max()) + 1
    shape = (left + right, left + right)
    pairs = coo_array((np.ones(one.size), (one, other + left)), shape=shape)
    return left + right - int(connected_components(pairs, directed=False)[0])


def _repeats(frame: pl.DataFrame) -> Iterator[bool]:
    """Whether each run repeats its experiment's newest one; the newest repeats itself."""
    newest: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    rows = list(zip(*(frame[name] for name in (*EXPERIMENT, "is_current", "config")), strict=True))
    for place, (*experiment, current, _) in enumerate(rows):
        held = newest.get(tuple(experiment))
        if held is None or current >= held[0]:
            newest[tuple(experiment)] = (current, place)
    read = {place: _settings(rows[place][-1]) for _, place in newest.values()}
    for *experiment, _, config in rows:
        chosen = newest[tuple(experiment)][1]
        yield config == rows[chosen][-1] or _agree(_settings(config), read[chosen])


def _agree(one: dict[tuple[str, str], str], other: dict[tuple[str, str], str]) -> bool:
    return all(other.get(key, value) == value for key, value in one.items())


def _settings(config: str | None) -> dict[tuple[str, str], str]:
    """The values of a config as text; empty when there is none that can be read."""
    try:
        read = json.loads(config or "")
    except (ValueError, RecursionError):
        return {}
    found = {}
    for part in ("adapter_config", "training_params"):
        values = read.get(part) if isinstance(read, dict) else None
        for key, value in (values if isinstance(values, dict) else {}).items():
            if key not in APART:
                found[part, key] = repr(sorted(map(repr, value)) if isinstance(value, list) else value)
    return found
