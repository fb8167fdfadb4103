"""The five questions a reader comes with: each answered in a sentence or two from the data, with a link that shows why.

A link is a fragment that sets the page to the state that answers the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from hubstats import charts
from hubstats.report import wording
from hubstats.report.findings import rivals, used
from hubstats.report.history import since, superseded
from hubstats.report.panel import Evidence, Panel, Row, slug, subjects, upper_limit
from hubstats.report.standing import ASKED, OWN, REFERENCE

CARD = 12e9
"""Bytes that fit on the card of the second question."""
PRINTED = "cards_exactly_one"
"""Rule of the share that the fourth question doubts."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answer."""

    key: str
    asks: str
    answer: str
    link: str
    """Fragment, without the sign before it."""
    source: str
    """Names of the queries behind the answer."""


def questions(evidence: Evidence, panels: Sequence[Panel]) -> tuple[Question, ...]:
    """All five. Where the file cannot answer one, its answer says so and names the command that would help."""
    shown = {panel.key for panel in panels if panel.views or panel.extra}
    return (
        Question(
            "lora",
            "Should I still use LoRA?",
            _still(evidence),
            _link("popularity"),
            "bench_results, rerun_spread",
        ),
        Question(
            "fits",
            "What fits in 12 GB?",
            _fits(evidence),
            _link("recommend", memory="12") if "recommend" in shown else _fits_link(evidence),
            "bench_results, settings_with_costs",
        ),
        Question("loha", "Who really uses LoHa?", _who(evidence), _link("sources", technique=ASKED), "all_shares"),
        Question(
            "printed",
            f"Is {_printed(evidence)} true?",
            _true(evidence),
            _link("sources", technique=REFERENCE),
            "all_shares, mention_recall",
        ),
        Question(
            "changed",
            "What changed since the blog post?",
            _changed(evidence),
            _link("history"),
            "published_history, published_claims",
        ),
    )


def _link(panel: str, **state: str) -> str:
    return "&".join([f"at={panel}", *(f"{panel}.{name}={quote(value)}" for name, value in state.items())])


def _still(evidence: Evidence) -> str:
    standing = evidence.published() or next(iter(evidence.standings), None)
    if standing is None:
        return "This file holds no fine-tuning results: run hubstats crawl snapshot."
    own = " in our own runs" if standing.own else ""
    if standing.noise is None:
        return f"On {standing.task}{own} nobody can tell: nothing was repeated, so no difference can be judged."
    ahead, level = rivals(standing, "ahead"), rivals(standing, "tied")
    reference = standing.reference
    lighter = [
        other for other in (*ahead, *level) if other.memory and reference.memory and other.memory < reference.memory
    ]
    start = (
        f"On {standing.task}{own}, {wording.listed([charts.plain(other.name) for other in ahead], 3)} "
        f"{'beats' if len(ahead) == 1 else 'beat'} it"
        if ahead
        else f"As a default, yes: nothing on {standing.task}{own} is shown to beat it"
    )
    text = f"{start}; {wording.counted(len(level), 'technique')} {'ties' if len(level) == 1 else 'tie'}"
    if lighter:
        least = min(lighter, key=lambda other: other.memory or 0.0)
        saved = 1 - (least.memory or 0.0) / (reference.memory or 1.0)
        text += f", {len(lighter)} of them with less memory: {charts.plain(least.name)} needs {saved:.0%} less"
    return f"{text}."


def _fits(evidence: Evidence) -> str:
    parts = []
    for origin, task, rows in _measured(evidence):
        fitting = [row for row in rows if row["peak_memory"] <= CARD]
        whose = "our own runs" if origin == OWN else "runs"
        if not fitting:
            least = min(rows, key=lambda row: row["peak_memory"])
            parts.append(
                f"on {task} nothing does, the least is {wording.gigabytes(least['peak_memory'])} "
                f"({charts.short(evidence.name(least['shown']))})"
            )
            continue
        best = max(fitting, key=lambda row: row["score"])
        name = charts.short(evidence.name(best["shown"]))
        parts.append(
            f"on {task} {len(fitting)} of {len(rows)} {whose} do, the best {name} "
            f"({wording.score(best['score'], best['metric'])})"
        )
    if not parts:
        return "No run in this file has a measured memory: run hubstats crawl snapshot."
    text = "; ".join(parts[:3])
    return f"{text[0].upper()}{text[1:]}. Other models need other amounts."


def _fits_link(evidence: Evidence) -> str:
    for _, task, rows in reversed(_measured(evidence)):
        if any(row["peak_memory"] <= CARD for row in rows):
            return _link("frontier", runs=slug(f"{task}, published"), limit="12")
    return _link("frontier", limit="12")


def _measured(evidence: Evidence) -> list[tuple[str, str, list[Row]]]:
    """(origin, task, current runs with a measured memory), published ones first."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in evidence.runs.iter_rows(named=True):
        if row["is_current"] and row["peak_memory"]:
            groups.setdefault((row["origin"], row["task"]), []).append(row)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0] == OWN, item[0]))
    return [(origin, charts.plain(task, 40), rows) for (origin, task), rows in ordered]


def _who(evidence: Evidence) -> str:
    printed = [row for row in evidence.shares if row["technique"] == ASKED and row["origin"] == "published"]
    counted = []
    for key in evidence.counts():
        rows = {row["technique"]: row for row in evidence.of(key)}
        if ASKED in rows:
            counted.append(rows[ASKED])
    said = ""
    if printed:
        most = max(printed, key=lambda row: row["share"])
        said = (
            f"{wording.source_words(most['source'])} printed {wording.percent(most['share'])} "
            f"({wording.counted_words(most['measure'], most['rule'])})"
        )
        said = said[0].upper() + said[1:]
    looked = [
        key for key in evidence.counts() if key[2] in ("evidence", "imports_repositories") and key[1] != "downloads"
    ]
    if not counted and looked:
        read = evidence.of(looked[0])
        text = (
            f"None of {subjects(read):,} {looked[0][1]} read ({wording.source_words(looked[0][0])}) uses it: "
            f"under {wording.percent(upper_limit(read) or 1.0)}"
        )
        return f"{text}. {said}." if said else f"{text}."
    if not counted:
        found = "no count made from this file has met it: run hubstats crawl hub and hubstats crawl github"
        return f"{said}; {found}." if said else f"{found[0].upper()}{found[1:]}."
    own = counted[0]
    text = (
        f"{wording.percent(own['share'], own['low'], own['high'])} of "
        f"{wording.counted_words(own['measure'], own['rule'])} ({wording.source_words(own['source'])}"
        + (f", {wording.span(own['low'], own['high'])}" if own["low"] is not None else "")
        + ")"
    )
    return f"{text}. {said}." if said else f"{text}."


def _printed(evidence: Evidence) -> str:
    row = _doubted(evidence)
    return "98.4%" if row is None else wording.percent(row["share"])


def _doubted(evidence: Evidence) -> Row | None:
    return next(
        (
            row
            for row in evidence.shares
            if row["technique"] == REFERENCE and row["origin"] == "published" and row["rule"] == PRINTED
        ),
        None,
    )


def _true(evidence: Evidence) -> str:
    row = _doubted(evidence)
    if row is None:
        return "The published shares are not in this file: run hubstats crawl snapshot."
    share = wording.percent(row["share"])
    text = f"As a share of cards that name exactly one technique, {share} was printed; a name is not a use"
    configs = [
        other
        for other in evidence.shares
        if other["technique"] == REFERENCE
        and other["rule"] == "evidence"
        and other["measure"] in ("repositories", "configs")
        and other["source"] != "snapshot"
    ]
    if not configs:
        now = used(evidence)
        mine = ""
        if now is not None and now["origin"] == "file":
            mine = (
                f" Of {wording.counted_words(now['measure'], now['rule'])}, LoRA is "
                f"{wording.percent(now['share'], now['low'], now['high'])}."
            )
        return f"{text}.{mine} What Hub repositories use, hubstats crawl hub would show."
    best = max(configs, key=lambda other: other["subjects"] or 0)
    inside = best["low"] is not None and best["low"] <= row["share"] <= best["high"]
    verdict = "agree with it" if inside else "say otherwise"
    return (
        f"{text}. By what repositories are shown to use it is "
        f"{wording.percent(best['share'], best['low'], best['high'])}"
        + (f" ({wording.span(best['low'], best['high'])})" if best["low"] is not None else "")
        + f": configs {verdict}."
    )


def _changed(evidence: Evidence) -> str:
    standing = evidence.published()
    pairs = superseded(evidence, standing.task if standing else None)
    if not pairs:
        return "This file holds no earlier results: run hubstats import --kind published PATH on a clone of PEFT."
    changes = [now["accuracy"] - then["accuracy"] for then, now in pairs]
    down = sum(change < 0 for change in changes)
    then, now = max(pairs, key=lambda pair: pair[0]["accuracy"])
    text = (
        f"Of {wording.counted(len(pairs), 'result')} run again, {down} fell, "
        f"the mean change is {wording.points(sum(changes) / len(changes))} points; the best of that time, "
        f"{charts.short(evidence.name(then['technique']))}, went from {then['accuracy'] * 100:.1f} to "
        f"{now['accuracy'] * 100:.1f}"
    )
    claims = evidence.claims()
    checked = [row for row in claims if row["state"] in ("current", "superseded")]
    gone = sum(row["state"] == "superseded" for row in checked)
    if checked:
        text += f". {gone} of {len(checked)} figures quoted in print no longer stand"
    return f"{text}."


def not_known(evidence: Evidence) -> tuple[str, ...]:
    """What this page cannot say, for the first screen."""
    unknown = []
    sources = {row["source"] for row in evidence.shares if row["origin"] == "file"}
    if not sources & {"hub", "dump"}:
        unknown.append("what repositories on the Hub use (hubstats crawl hub)")
    if not any(standing.own for standing in evidence.standings):
        unknown.append("how each technique does with equal tuning (hubstats bench run)")
    else:  # a run says its learning rate, not how it was found
        unknown.append("whether own runs were tuned alike (hubstats bench compare)")
    if since(evidence) is None:
        unknown.append("what others printed (hubstats crawl snapshot)")
    tasks = sorted({charts.plain(standing.task, 40) for standing in evidence.standings})
    unknown.append(f"other tasks than {wording.listed(tasks)}" if tasks else "how any technique performs")
    return tuple(unknown)
