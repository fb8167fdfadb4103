"""The headline and the three findings, computed from the data; each says how sure it is and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from hubstats import charts
from hubstats.report import wording
from hubstats.report.history import since, superseded
from hubstats.report.panel import Evidence, Row, sample_words
from hubstats.report.reconciliation import chains, effect_words
from hubstats.report.standing import REFERENCE, Result, Standing

NOT_PEFT = ("full_finetuning",)


ENOUGH = 100
"""A count of the file on fewer subjects is not quoted against others on the first screen."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence or two, and what they rest on."""

    text: str
    source: str


def headline(evidence: Evidence) -> str:
    """The answer, in one or two sentences."""
    most = used(evidence)
    standing = evidence.published()
    if most is None and standing is None:
        return "This file holds no figures yet: run hubstats crawl, then hubstats report."
    who = "How popular each technique is, this file cannot say yet" if most is None else f"{_who(most)}{_sure(most)}"
    return f"{who}. {_level(standing)}."


def findings(evidence: Evidence, db: str) -> tuple[Finding, Finding, Finding]:
    """How popular, how good, what changed; with what is missing where data is."""
    return _popularity(evidence, db), _performance(evidence, db), _changed(evidence, db)


def used(evidence: Evidence) -> Row | None:
    """LoRA's share by the most telling count of the file, else by the oldest published one."""
    for key in evidence.counts():
        for row in evidence.of(key):
            if row["technique"] == REFERENCE:
                return row
    published = [row for row in evidence.shares if row["origin"] == "published" and row["technique"] == REFERENCE]
    return max(published, key=lambda row: row["subjects"] or 0, default=None)


def _who(row: Row) -> str:
    unit = {
        "evidence": f"adapter {row['measure']}" if row["measure"] == "repositories" else row["measure"],
        "imports_repositories": "code repositories that use PEFT",
        "imports_files": "files that import from PEFT",
        "blog": "model cards that name one technique",
        "cards_exactly_one": "model cards that name one technique",
        "site_type": "adapters on an image site",
    }.get(row["rule"], row["measure"])
    where = {"snapshot": " in a hand-picked snapshot", "hub": " on the Hub"}.get(row["source"], "")
    return f"LoRA accounts for {wording.percent(row['share'], row['low'], row['high'])} of {unit}{where}"


def _sure(row: Row) -> str:
    return " (printed without an interval)" if row["low"] is None else f" ({wording.span(row['low'], row['high'])})"


def rivals(standing: Standing, place: str) -> list[Result]:
    """Techniques other than LoRA in one place against it."""
    return [
        result
        for result in standing.results
        if result.place == place and result.key != REFERENCE and result.key not in NOT_PEFT
    ]


def _level(standing: Standing | None) -> str:
    if standing is None:
        return "How well techniques perform, this file cannot say yet"
    others = [result for result in standing.results if result.key not in (REFERENCE, *NOT_PEFT)]
    where = f"On {standing.task}, as published,"
    if standing.noise is None:
        better = sum(result.difference > 0 for result in others)
        return f"{where} {better} of {len(others)} others score higher, whether by chance nobody can tell"
    ahead, level = len(rivals(standing, "ahead")), len(rivals(standing, "tied"))
    lighter = sum(
        bool(result.memory and standing.reference.memory and result.memory < standing.reference.memory)
        for place in ("ahead", "tied")
        for result in rivals(standing, place)
    )
    cost = f", {lighter} of these with less memory" if lighter else ""
    if not ahead:
        return f"{where} {level} of {len(others)} others do about as well{cost}, and none is shown to be better"
    does = "does" if ahead == 1 else "do"
    return f"{where} {ahead} of {len(others)} others {does} better and {level} about as well{cost}"


def _popularity(evidence: Evidence, db: str) -> Finding:
    most = used(evidence)
    if most is None:
        text = "How popular LoRA is cannot be said: the file holds no popularity count. Run hubstats crawl."
        return Finding(text, f"query all_shares on {db}, no rows")
    text = f"LoRA: {_share(most)} of {wording.counted_words(most['measure'], most['rule'])}"
    if most["low"] is None:
        text += ", printed without an interval"
    else:
        text += f"; 95% interval {wording.span(most['low'], most['high'])}"
    if most["outer_low"] is not None and (most["outer_low"], most["outer_high"]) != (most["low"], most["high"]):
        text += f", {wording.span(most['outer_low'], most['outer_high'])} allowing for all that could not be read"
    others = [
        row
        for row in evidence.shares
        if row["technique"] == REFERENCE
        and row["id"] != most["id"]
        and row["rule"] not in ("overlay", "blog_folded")
        and row["measure"] not in ("authors", "downloads")
        and (row["origin"] == "published" or (row["subjects"] or 0) >= ENOUGH)
    ]
    if others:
        low, high = min(others, key=_by_share), max(others, key=_by_share)
        text += f". Other counts say {_share(low)} ({wording.counted_words(low['measure'], low['rule'])})"
        if high is not low:
            text += f" to {_share(high)} ({wording.counted_words(high['measure'], high['rule'])})"
        text += ", because they count different things"
    number = f"n = {most['subjects']:,}" if most["subjects"] else "n not given"
    why = _why(evidence, most["source"])
    parts = [
        f"query all_shares{' and reconciliation' if why else ''} on {db}",
        wording.source_words(most["source"]),
        number,
        f"as of {wording.day(most['as_of'])}",
        sample_words([most]),
    ]
    return Finding(f"{text}.{why}", ", ".join(part for part in parts if part))


def _why(evidence: Evidence, source: str) -> str:
    """Why the share published by the same kind of count differs, in one sentence; nothing without such a chain."""
    chain = next((steps for steps in chains(evidence) if steps[0]["source"] == source), None)
    if chain is None:
        return ""
    way = [row for row in chain if not row["beside"] and row["effect"] is not None]
    if not way or way[0]["follows"] != "published":
        return ""
    same, rules = way[0], way[1:]
    shown = [row for row in rules if _is_shown(row)]
    text = (
        f" The published {wording.percent(chain[0]['share'])} becomes {_share(same)} by the same rule on this "
        f"file\N{RIGHT SINGLE QUOTATION MARK}s items; "
    )
    if not shown:
        return f"{text}no change of rule after that is shown to matter."
    most = max(shown, key=lambda row: abs(row["effect"]))
    return (
        f"{text}of the changes of rule after that, the largest shown to matter is {wording.points(most['effect'])} "
        f"points{effect_words(most)}: {charts.plain(most['change'], 160)}."
    )


def _is_shown(row: Row) -> bool:
    low, high = row["effect_low"], row["effect_high"]
    return low is not None and high is not None and (low > 0 or high < 0)


def _share(row: Row) -> str:
    return wording.percent(row["share"], row["low"], row["high"])


def _by_share(row: Row) -> float:
    return float(row["share"])


def _performance(evidence: Evidence, db: str) -> Finding:
    standing = evidence.published()
    if standing is None:
        text = (
            "Which techniques beat LoRA cannot be said: the file holds no published runs. Run hubstats crawl snapshot."
        )
        return Finding(text, f"query bench_results on {db}, no rows")
    reference = standing.reference
    source = (
        f"query bench_results on {db}, {wording.source_words(standing.origin)}, {standing.task}, "
        f"n = {standing.runs} runs of {wording.days(standing.dates)}"
    )
    start = f"Plain LoRA at its best reaches {wording.score(reference.score, standing.metric)} on {standing.task}"
    if standing.noise is None or reference.margin is None:
        text = f"{start}. Differences to it cannot be judged: no run in this file was repeated. "
        return Finding(f"{text}Run hubstats crawl snapshot for earlier results.", source)
    ahead, level = rivals(standing, "ahead"), rivals(standing, "tied")
    names = wording.listed([charts.plain(result.name) for result in ahead], 4)
    lead = (
        f"{names} {'does' if len(ahead) == 1 else 'do'} better by more than that"
        if ahead
        else "Nobody is ahead by more"
    )
    chance = f"two such runs may differ by {reference.margin * 100:.1f} points by chance"
    text = f"{start}; {chance}. {lead}, {len(level)} are level"
    lighter = [
        result for result in (*ahead, *level) if result.memory and reference.memory and result.memory < reference.memory
    ]
    if lighter:
        least = min(lighter, key=lambda result: result.memory or 0)
        text += (
            f", and of these {len(lighter)} need less memory: {charts.plain(least.name)} "
            f"{wording.gigabytes(least.memory or 0)} against {wording.gigabytes(reference.memory or 0)}"
        )
    noise = standing.noise
    scatter = f"scatter from {noise.runs} runs of {noise.experiments} repeated experiments (query rerun_spread)"
    return Finding(f"{text}.", f"{source}; {scatter}")


def _changed(evidence: Evidence, db: str) -> Finding:
    standing = evidence.published()
    task = standing.task if standing else None
    pairs = superseded(evidence, task)
    date = since(evidence)
    if not pairs:
        return Finding(
            "What changed since the benchmark was first discussed cannot be said: the file holds no earlier results. "
            "Run hubstats import --kind published PATH with a git repository of PEFT.",
            f"query published_history on {db}, no superseded rows",
        )
    changes = [now["accuracy"] - then["accuracy"] for then, now in pairs]
    down = sum(change < 0 for change in changes)
    best_then, best_now = max(pairs, key=lambda pair: pair[0]["accuracy"])
    versions = {row["peft_version"] for pair in pairs for row in pair}
    again = f"Of {wording.counted(len(pairs), 'published result')} on {task} replaced since "
    text = (
        f"{again}{f'the blog post of {date}' if date else 'they appeared'}, {down} fell; the mean change is "
        f"{wording.points(sum(changes) / len(changes))} points. The highest of that time, "
        f"{charts.plain(evidence.name(best_then['technique']))} at {best_then['accuracy'] * 100:.1f}, now stands at "
        f"{best_now['accuracy'] * 100:.1f}"
    )
    text += "; versions of PEFT differ." if len(versions) > 1 else "."
    dates = wording.days([now["created_at"] for _, now in pairs])
    return Finding(text, f"query published_history on {db}, {task}, n = {len(pairs)}, newer runs of {dates}")
