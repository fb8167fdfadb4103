"""How sure each run's score is, and which runs cannot be told from the best of their task.

The best of many noisy scores is partly the luckiest, so comparing everybody with the observed winner as if it had been
named beforehand (Holm's correction does) promises too much. Multiple comparisons with the best (Hsu 1981, Annals of
Statistics 9:1026-1034; 1984, Annals of Statistics 12:1136-1144) ask instead of each run i whether it may be the best:

    i is tied with the best unless  T_i = max over j of (score_j - score_i) / sqrt(v_i + v_j)  exceeds d_i,

d_i the one-sided critical value of Dunnett (1955, Journal of the American Statistical Association 50:1096-1121) for
k - 1 comparisons with i. The tied runs are Gupta's subset (1965, Technometrics 7:225-245): with probability 95% or
more the truly best one is among them. It is 95% for the group, whatever the number of runs.

With unequal variances the comparisons with i have correlations sqrt(w_j w_l), w_j = v_i / (v_i + v_j). The smallest of
them, v_i / (v_i + max v), is used for all: by Slepian's inequality (1962, Bell System Technical Journal 41:463-501)
that can only make more runs tied. Then with F Student's scale of the deciding pair's degrees of freedom,

    P(T < t) = integral over s of F(s), over z of phi(z), of Phi((t s + sqrt(w) z) / sqrt(1 - w))^(k - 1).

scipy's dunnett and statsmodels' MultiComparison take samples, not scores with known variances. Where nothing was
repeated, v is that of the questions alone: who is tied with it is tied, of the others nothing can be said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hubstats.estimate.runs import Contest
from hubstats.records import NotEstimated, Record, RunStanding

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

CONFIDENCE = 0.95

BLOCK = 4_000_000
"""Numbers held at once while integrating."""


def standings(frame: pl.DataFrame, held: Iterable[Contest]) -> Iterator[Record]:
    """One RunStanding a row of `runs.judged`; a NotEstimated for each of its contests that cannot be decided."""
    tied: dict[tuple[Any, ...], bool | None] = {}
    behind: dict[tuple[Any, ...], float] = {}
    size: dict[tuple[Any, ...], int] = {}
    newest: dict[tuple[Any, ...], str] = {}
    for contest in held:
        verdicts = tied_in(contest)
        best = float(contest.frame["score"][0])
        for row, verdict in zip(contest.frame.iter_rows(named=True), verdicts, strict=True):
            key = (contest.origin, contest.task, contest.model_id, contest.metric, row["experiment"])
            tied[key], behind[key], newest[key] = verdict, best - row["score"], row["run_id"]
            size[key] = contest.frame.height
        why = _silence(contest)
        if why:
            yield NotEstimated(contest.origin, contest.measure, "tied_with_best", why)
    for row in frame.iter_rows(named=True):
        key = (row["origin"], row["task"], row["model_id"] or None, row["metric"], row["experiment"])
        yield _record(row, newest.get(key), tied.get(key), behind.get(key), size.get(key, 0))


def tied_in(contest: Contest) -> list[bool | None]:
    """For each row of a contest whether it may be the best; None where that cannot be said."""
    import numpy as np

    frame = contest.frame
    if frame.height < 2 or frame["variance"].null_count():
        return [None] * frame.height
    tied = tied_with_best(
        frame["score"].to_numpy(), frame["variance"].to_numpy(), frame["degrees"].fill_null(np.inf).to_numpy()
    )
    asked = contest.metric != "test_accuracy" or not frame["question_error"].null_count()
    sure = contest.pooled_sd is not None and asked
    return [True if is_tied else (False if sure else None) for is_tied in tied.tolist()]


def tied_with_best(scores: Floats, variances: Floats, degrees: Floats, confidence: float = CONFIDENCE) -> Flags:
    """Which of two or more scores (higher is better) may belong to the best: a set that holds it with `confidence`.

    `degrees` of freedom of each variance may be infinite. Time grows with the number of scores, not its square.
    """
    import numpy as np
    from scipy.special import ndtr, stdtr

    rivals = _undominated(scores, variances)
    lead = np.full(scores.size, -np.inf)
    total, freedom = np.zeros(scores.size), np.full(scores.size, np.inf)
    for rival in rivals:
        both = variances + variances[rival]
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead = (scores[rival] - scores) / np.sqrt(both)
        ahead = np.where(np.isnan(ahead), 0.0, ahead)  # level, and both without error
        closer = ahead > lead
        lead = np.where(closer, ahead, lead)
        # Satterthwaite for the difference of two: (v_i + v_j)^2 / (v_i^2 / f_i + v_j^2 / f_j)
        shares = variances**2 / degrees + variances[rival] ** 2 / degrees[rival]
        with np.errstate(divide="ignore", invalid="ignore"):
            pair = np.where(shares > 0, both**2 / shares, np.inf)
        freedom, total = np.where(closer, pair, freedom), np.where(closer, both, total)
    with np.errstate(invalid="ignore"):
        weight = np.where(variances > 0, variances / (variances + variances.max()), 0.0)
    freedom = np.where(np.isfinite(freedom), np.maximum(freedom, 1.0), 1e12)
    once = np.where(np.isfinite(lead), stdtr(freedom, -np.abs(lead)), 0.0)
    alpha = 1 - confidence
    # One comparison alone does not exclude it; all of them together, by Bonferroni, do: neither needs the integral.
    tied: Flags = (lead <= 0) | (once >= alpha)
    open_ = np.flatnonzero(~tied & ((scores.size - 1) * once >= alpha))
    grid = np.linspace(-8, 8, 161)
    density = np.exp(-(grid**2) / 2)
    density /= density.sum()
    scale, mass = _scales(freedom[open_])
    step = max(1, BLOCK // (grid.size * scale.shape[1]))
    for start in range(0, open_.size, step):
        part = slice(start, start + step)
        rows = open_[part]
        root, rest = np.sqrt(weight[rows]), np.sqrt(1 - weight[rows])
        reach = lead[rows, None, None] * scale[part, :, None] + root[:, None, None] * grid[None, None, :]
        below = ndtr(reach / rest[:, None, None]) ** (scores.size - 1)
        chance = 1 - (below * density).sum(axis=2) @ mass
        tied[rows] = chance >= alpha
    return tied


def critical(rivals: int, weight: float, degrees: float, confidence: float = CONFIDENCE) -> float:
    """The lead over its standard error beyond which a run is not tied with the best, one-sided, of `rivals` others.

    `weight` is v_i / (v_i + v) for the largest v among them, `degrees` of freedom of the deciding pair; both at their
    smallest give the largest value, which is on the safe side for every run. 0 where there is no rival.
    """
    return _root(_excess(weight, degrees, confidence), rivals, 0.0, 60.0)


def criticals(most: int, weight: float, degrees: float, confidence: float = CONFIDENCE) -> list[float]:
    """critical() of 0, 1, ... `most` rivals, each sought near the ones before: it grows, and ever more slowly."""
    excess = _excess(weight, degrees, confidence)
    found: list[float] = []
    for rivals in range(most + 1):
        low, high = 0.0, 60.0
        if rivals > 2:
            low, high = found[-1], 2 * found[-1] - found[-2] + 1e-4
            if excess(low, rivals) < 0 or excess(high, rivals) > 0:
                low, high = 0.0, 60.0
        found.append(_root(excess, rivals, low, high))
    return found


def _excess(weight: float, degrees: float, confidence: float) -> Callable[[float, int], float]:
    """By how much a value falls short of the confidence, for so many rivals."""
    import numpy as np
    from scipy.special import ndtr

    grid = np.linspace(-8, 8, 161)
    density = np.exp(-(grid**2) / 2)
    density /= density.sum()
    scale, mass = _scales(np.array([min(max(degrees, 1.0), 1e12)]))
    root, rest = np.sqrt(weight), np.sqrt(1 - weight)

    def excess(value: float, rivals: int) -> float:
        below = ndtr((value * scale[0][:, None] + root * grid[None, :]) / rest) ** rivals
        return float(confidence - (below * density).sum(axis=1) @ mass)

    return excess


def _root(excess: Callable[[float, int], float], rivals: int, low: float, high: float) -> float:
    from scipy.optimize import brentq

    if rivals < 1 or excess(low, rivals) <= 0:
        return low
    return float(brentq(excess, low, high, args=(rivals,), xtol=1e-6))


def margin(one: tuple[float | None, int], other: tuple[float | None, int], pooled_sd: float, degrees: int) -> float:
    """Half width of the 95% interval of the difference of two experiments' mean scores.

    Of each: the question_error (None: not known, counts nothing) and how many runs the mean is of; `degrees` of
    freedom of `pooled_sd`, at least 1.
    """
    from math import sqrt

    from scipy.special import stdtrit

    repetition = pooled_sd**2 * (1 / one[1] + 1 / other[1])
    variance = (one[0] or 0.0) ** 2 + (other[0] or 0.0) ** 2 + repetition
    freedom = degrees * (variance / repetition) ** 2 if repetition > 0 else 1e12
    return float(stdtrit(min(freedom, 1e12), 0.5 + CONFIDENCE / 2)) * sqrt(variance)


def _scales(freedom: Floats) -> tuple[Floats, Floats]:
    """sqrt(chi-squared / f) at Gauss-Legendre nodes of its probability, a row each, and the nodes' weights."""
    import numpy as np
    from scipy.special import chdtri

    nodes, weights = np.polynomial.legendre.leggauss(24)
    upper = (1 - nodes) / 2
    return np.sqrt(chdtri(freedom[:, None], upper[None, :]) / freedom[:, None]), weights / 2


def _undominated(scores: Floats, variances: Floats) -> list[int]:
    """Places of the scores that no other beats at less or equal variance: one of these decides for every run."""
    import numpy as np

    order = np.lexsort((-scores, variances))
    kept, best = [], -np.inf
    for place in order.tolist():
        if scores[place] > best:
            kept.append(place)
            best = float(scores[place])
    return kept


def _silence(contest: Contest) -> str | None:
    if contest.frame.height < 2:
        return None
    if contest.frame["variance"].null_count():
        return (
            "no experiment was repeated and the number of questions is not known: how far scores scatter is not known"
        )
    if contest.pooled_sd is None:
        return "no experiment was repeated: runs outside of the error of the questions are neither tied nor behind"
    return None


def _record(
    row: Mapping[str, Any], newest: str | None, tied: bool | None, behind: float | None, compared: int
) -> RunStanding:
    current = bool(row["is_current"])
    created = row["created_at"]
    return RunStanding(
        standing_id=f"standing/{row['run_id']}",
        run_id=row["run_id"],
        origin=row["origin"],
        task=row["task"],
        model_id=row["model_id"] or None,
        experiment=row["experiment"],
        technique=row["technique"],
        variant=row["variant"],
        metric=row["metric"],
        score=row["score"],
        questions=row["questions"],
        low=row["low"],
        high=row["high"],
        question_error=row["question_error"],
        runs=row["runs"],
        sd=row["sd"],
        repeats_newest=row["repeats_newest"],
        pooled_sd=row["pooled_sd"],
        pooled_degrees=row["pooled_degrees"],
        pooled_runs=row["pooled_runs"],
        pooled_experiments=row["pooled_experiments"],
        standard_error=row["standard_error"],
        degrees=row["degrees"],
        behind_best=behind if current else None,
        tied_with_best=tied if current else None,
        compared=compared if current else 0,
        state="current" if current else "superseded",
        superseded_by=None if current else newest,
        method=_method(row, current, compared),
        as_of=created.replace(tzinfo=UTC) if isinstance(created, datetime) else None,
        caveat=_caveat(row, current, compared),
    )


def _method(row: Mapping[str, Any], current: bool, compared: int) -> str:
    words = []
    if row["questions"] is not None:
        words.append(f"interval: Wilson 1927 on {row['questions']:,} questions")
    if row["pooled_sd"] is not None:
        words.append(
            f"pooled_sd: over {row['pooled_runs']} results of {row['pooled_experiments']} repeated experiments, "
            f"{row['pooled_degrees']} degrees of freedom; standard_error: sqrt(question_error^2 + pooled_sd^2)"
        )
    if current and compared > 1:
        words.append(f"tied_with_best: Hsu's multiple comparisons with the best of {compared} experiments at 95%")
    return "; ".join(words) or "score as published"


def _caveat(row: Mapping[str, Any], current: bool, compared: int) -> str | None:
    words = []
    if row["questions"] is None:
        words.append("no interval: how many items the score is a mean of is not in the file")
    if row["pooled_sd"] is None:
        words.append("nothing was repeated, so how far results scatter is not known")
    elif compared > 1:
        words.append("software changed between most repetitions, other seeds are not among them")
    if not row["repeats_newest"]:
        words.append("other settings than the newest result of this name, so it counts as no repetition")
    if not current:
        words.append("superseded or withdrawn: not compared with the best")
    return "; ".join(words) or None
