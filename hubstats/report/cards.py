"""The evidence card of a technique: shares by source, scores and costs, learning rates, capabilities, paper, code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hubstats import charts
from hubstats.report import wording
from hubstats.report.capabilities import answers_of, asked_words, card_block
from hubstats.report.panel import LONGEST_ID, Evidence, Row
from hubstats.report.standing import REFERENCE, Result, Standing
from hubstats.techniques import Registry, capabilities, load

MOST_LINES = 12
MOST_RATES = 8
_ARXIV = re.compile(r"\d{4}\.\d{4,5}\Z")

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rate:
    """One learning rate with the best score that a technique reached at it."""

    rate: float
    score: float
    experiment: str


class Cards:
    """Makes the cards of one page; what all of them need is looked up once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._registry: Registry = load()
        self._probed = capabilities.load()
        self._answers = answers_of(evidence)
        self._asked = asked_words(evidence)
        self._shares: dict[str, list[Row]] = {}
        for row in evidence.shares:
            self._shares.setdefault(row["technique"], []).append(row)
        self._results: dict[str, list[tuple[Standing, Result]]] = {}
        for standing in evidence.standings:
            for result in standing.results:
                self._results.setdefault(result.key, []).append((standing, result))
        self._runs: dict[tuple[str, str, str], list[Row]] = {}
        for row in evidence.runs.iter_rows(named=True):
            self._runs.setdefault((row["origin"], row["task"], row["shown"]), []).append(row)

    def card(self, fact: Row) -> list[Block]:
        """The blocks of one technique's card, in the order of reading."""
        key = fact["key"]
        blocks = [self._popularity(key), *self._performance(key), *self._rates(key)]
        if self._asked:
            blocks.append(card_block(self._answers.get(key, {}), self._asked))
        return [*blocks, self._about(fact), *self._code(key)]

    def _popularity(self, key: str) -> Block:
        rows = self._shares.get(key, [])
        lines = [
            _line(
                f"{wording.percent(row['share'], row['low'], row['high'])}"
                + (f" ({wording.span(row['low'], row['high'])})" if row["low"] is not None else "")
                + f": {wording.source_words(row['source'])}, {wording.counted_words(row['measure'], row['rule'])}, "
                f"{wording.day(row['as_of'])}",
                row["id"],
            )
            for row in rows[:MOST_LINES]
        ]
        if len(rows) > MOST_LINES:
            lines.append(f"and {len(rows) - MOST_LINES} more counts: hubstats query all_shares")
        return {"title": "Popularity", "lines": lines or ["not counted by any source in this file"]}

    def _performance(self, key: str) -> list[Block]:
        found = self._results.get(key, [])
        if not found:
            # A method may have been run in a variant's settings only.
            of_it = [
                _line(
                    f"{charts.plain(result.name, 80)}: {wording.score(result.score, standing.metric)} on "
                    f"{_where(standing)}",
                    result.run_id,
                )
                for standing in self.evidence.standings
                for result in standing.results
                if result.base == key
            ]
            said = [f"no run of its own; of its variants, {len(of_it)}:", *of_it[:MOST_LINES]] if of_it else []
            return [{"title": "Performance", "lines": said or ["no run in this file"]}]
        return [_result_block(standing, result) for standing, result in found[:MOST_LINES]]

    def _rates(self, key: str) -> list[Block]:
        blocks = []
        for standing, _ in self._results.get(key, [])[:MOST_LINES]:
            runs = self._runs.get((standing.origin, standing.task, key), [])
            lines = rate_lines(runs, standing)
            if lines:
                blocks.append({"title": f"Learning rates, {_where(standing)}", "lines": lines})
        return blocks

    def _about(self, fact: Row) -> Block:
        kind = f"{fact['family']}, {fact['kind']}"
        lines = [kind + (f" of {self.evidence.name(fact['parent'])}" if fact["parent"] else "")]
        if fact["since"]:
            lines.append(f"in {fact['library'] or 'peft'} since {fact['since']}")
        if fact["note"]:
            lines.append(charts.plain(fact["note"], 300))
        block: Block = {"title": "What it is", "lines": [charts.plain(line, 320) for line in lines]}
        if fact["paper"] and _ARXIV.match(fact["paper"]):
            block["arxiv"] = fact["paper"]
        elif fact["paper"]:
            block["lines"].append(charts.plain(f"paper: {fact['paper']}", 200))
        return block

    def _code(self, key: str) -> list[Block]:
        if key not in self._registry:
            return []
        code = self._probed.code(self._registry.get(key))
        if code is not None:
            title = f"Switch to it (as tried with peft {self._probed.version})"
            return [{"title": title, "lines": [code], "code": True}]
        entry = self._probed.entries.get(key)
        if entry is None or entry.why is None:
            return []
        return [{"title": "Switch to it", "lines": [charts.plain(f"not tried: {entry.why}", 300)]}]


def rates_of(runs: Sequence[Row]) -> list[Rate]:
    """Learning rates of current runs, each with its best score, in the order of the rates."""
    best: dict[float, Rate] = {}
    for row in runs:
        rate = row["learning_rate"]
        if not row["is_current"] or rate is None:
            continue
        if rate not in best or row["score"] > best[rate].score:
            best[rate] = Rate(rate, row["score"], row["experiment"])
    return [best[rate] for rate in sorted(best)]


def rate_lines(runs: Sequence[Row], standing: Standing) -> list[str]:
    """What is known of how a technique's score depends on the learning rate, in sentences."""
    rates = rates_of(runs)
    if not rates:
        return []
    if len(rates) == 1:
        return [f"only {rates[0].rate:g} was tried: how wide the band of good ones is, is not known"]
    top = max(rates, key=lambda rate: rate.score)
    shown = sorted(sorted(rates, key=lambda rate: -rate.score)[:MOST_RATES], key=lambda rate: rate.rate)
    lines = [", ".join(f"{rate.rate:g}: {wording.score(rate.score, standing.metric)}" for rate in shown)]
    if len(shown) < len(rates):
        lines[0] += f"; the best {len(shown)} of {len(rates)}"
    noise = standing.noise
    if noise is None:
        return [*lines, "nothing was repeated, so which of them are level cannot be said"]
    # Two single runs differ by this much by repetition alone.
    level = [rate for rate in rates if top.score - rate.score <= noise.half_width * 2**0.5]
    if len(level) > 1:
        band = f"{level[0].rate:g} to {level[-1].rate:g}"
        lines.append(f"level with the best by repetition alone: {band}; settings may differ in more than the rate")
    else:
        lines.append(f"the best by more than repetition: {top.rate:g}; settings may differ in more than the rate")
    return lines


def _where(standing: Standing) -> str:
    return charts.plain(f"{standing.task}, {'our own runs' if standing.own else 'published'}", 80)


def _result_block(standing: Standing, result: Result) -> Block:
    reference = result.key == REFERENCE
    margin = "" if result.margin is None or reference else f" \N{PLUS-MINUS SIGN}{result.margin * 100:.1f}"
    score = wording.score(result.score, standing.metric)
    if not reference:
        score += f", {wording.points(result.difference)}{margin} points to plain LoRA"
    costs = [
        *([f"{wording.gigabytes(result.memory)} peak memory"] if result.memory is not None else []),
        *([f"{wording.minutes(result.time)} of training"] if result.time is not None else []),
        *([f"{wording.megabytes(result.size)} checkpoint"] if result.size is not None else []),
        *([f"{wording.millions(result.parameters)} trained parameters"] if result.parameters is not None else []),
        *([f"forgetting {result.forgetting:.2g}"] if result.forgetting is not None else []),
    ]
    lines = [
        _line(score, result.run_id),
        *([", ".join(costs)] if costs else []),
        f"best of {wording.counted(result.settings, 'setting')}: {charts.plain(result.experiment, 100)}",
        f"run on {wording.day(result.created_at)}, {wording.source_words(standing.origin)}",
    ]
    return {"title": f"Performance on {_where(standing)}", "lines": lines}


def _line(text: str, id: str | None) -> Any:
    """A line whose figure `hubstats explain` knows by this id."""
    words = charts.plain(text, 240)
    return words if id is None else {"text": words, "id": charts.plain(id, LONGEST_ID)}
