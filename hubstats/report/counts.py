"""Popularity counted in different ways: sources side by side, files against projects."""

from __future__ import annotations

from collections.abc import Sequence

from hubstats import charts
from hubstats.report import wording
from hubstats.report.panel import (
    MOST_ROWS,
    PREFERRED,
    Evidence,
    Gap,
    Panel,
    Row,
    Table,
    View,
    column,
    range_of,
    sample_words,
    share_cell,
    share_words,
    slug,
    source_line,
    span_cell,
    subjects,
)
from hubstats.report.standing import ASKED, REFERENCE

MOST_TECHNIQUES = 24
"""Techniques whose counts are shown side by side."""


def sources(evidence: Evidence, prose: Row) -> Panel:
    """One technique's share by every source and rule: a view a technique."""
    rows = [row for row in evidence.shares if row["rule"] not in ("overlay", "blog_folded")]
    per_technique: dict[str, list[Row]] = {}
    for row in rows:
        per_technique.setdefault(row["technique"], []).append(row)
    several = [key for key, found in per_technique.items() if len(found) > 1 or key in (REFERENCE, ASKED)]
    several.sort(key=lambda key: (key != REFERENCE, key != ASKED, -len(per_technique[key]), key))
    order = {key: place for place, key in enumerate(PREFERRED)}
    views = []
    for technique in several[:MOST_TECHNIQUES]:
        members = sorted(
            per_technique[technique],
            key=lambda row: (
                _unit(row),
                row["origin"] != "published",
                order.get((row["source"], row["measure"], row["rule"]), 99),
                row["id"],
            ),
        )
        views.append(_sources_view(evidence, technique, members))
    missing = []
    present = {row["source"] for row in rows}
    for source, text, command, after in (
        ("hub", "Hub repositories by their configs are not in this file.", "hubstats crawl hub", ""),
        ("github", "GitHub code search is not in this file.", "hubstats crawl github", "with GITHUB_TOKEN set"),
        ("civitai", "Image-site uploads are not in this file.", "hubstats crawl civitai", ""),
    ):
        if source not in present:
            missing.append(Gap(text, command, after))
    return Panel(
        "sources",
        prose["short"],
        prose["heading"],
        (),
        prose["note"],
        tuple(missing),
        ("technique: Technique",),
        tuple(views),
    )


def _sources_view(evidence: Evidence, technique: str, rows: list[Row]) -> View:
    bars, table = [], []
    for row in rows:
        published = row["origin"] == "published"
        share = wording.percent(row["share"], row["low"], row["high"])
        number = f"n = {row['subjects']:,}" if row["subjects"] else "n not given"
        bars.append(
            charts.Bar(
                label=f"{share}  {wording.source_words(row['source'])}",
                at=range_of(row, 100),
                hover="<br>".join(
                    [
                        f"<b>{share}</b> {charts.safe(wording.source_words(row['source']), 60)}",
                        charts.safe(wording.counted_words(row["measure"], row["rule"]), 70),
                        f"{number}, {wording.day(row['as_of'])}",
                        *(
                            [f"95% interval {wording.span(row['low'], row['high'])}"]
                            if row["low"] is not None
                            else ["no interval given"]
                        ),
                        *(
                            [f"with all that is unseen {wording.span(row['outer_low'], row['outer_high'])}"]
                            if row["outer_low"] is not None
                            else []
                        ),
                    ]
                ),
                family=evidence.family(technique),
                hollow=published,
                id=row["id"],
                detail=charts.safe(wording.counted_words(row["measure"], row["rule"]), 70),
            )
        )
        table.append(
            [
                charts.plain(wording.source_words(row["source"]), 80),
                "printed by others" if published else "this file",
                row["measure"],
                wording.rule_words(row["rule"]),
                share_cell(row),
                span_cell(row["low"], row["high"]),
                span_cell(row["outer_low"], row["outer_high"]),
                row["subjects"],
                wording.day(row["as_of"]),
                charts.plain(row["caveat"] or "", 400) or None,
            ]
        )
    columns = [
        column("source", "Source"),
        column("origin", "From"),
        column("measure", "What is counted"),
        column("rule", "Rule"),
        column("share", "Share", number=True),
        column("interval", "95% interval", number=True),
        column("outer", "With unseen", number=True),
        column("n", "n", number=True),
        column("date", "As of"),
        column("caveat", "Caveat"),
    ]
    name = evidence.name(technique)
    figure = charts.intervals(
        bars,
        charts.Header(
            x=f"Share that is {charts.safe(name)}", alt=f"Share of {name} by {len(bars)} counts, from {_ends(rows)}."
        ),
        labels_above=True,
    )
    line = source_line(
        "all_shares",
        f"n as given for each of {wording.counted(len(rows), 'count')}",
        f"dates {wording.days([row['as_of'] for row in rows])}",
        sample_words(rows),
    )
    return View(
        line,
        (name,),
        figure,
        Table(f"sources-{technique}", f"Share of {name} by source", columns, table),
        keys=(slug(technique),),
    )


def _unit(row: Row) -> int:
    """Like beside like: cards, repositories of models, code, uploads."""
    measure, rule = row["measure"], row["rule"]
    if rule in ("blog", "blog_folded", "cards_exactly_one"):
        return 0
    if "import" in rule:
        return 2
    return 3 if measure == "checkpoints" or "type" in rule else 1


def _ends(rows: Sequence[Row]) -> str:
    shares = [row["share"] for row in rows]
    return f"{wording.percent(min(shares))} to {wording.percent(max(shares))}"


def imports(evidence: Evidence, prose: Row) -> Panel:
    """Share of files against share of repositories for each config class: a view a source."""
    views = []
    for source in sorted({row["source"] for row in evidence.shares if row["rule"] == "imports_files"}):
        files = {row["technique"]: row for row in evidence.of((source, "files", "imports_files"))}
        projects = {row["technique"]: row for row in evidence.of((source, "repositories", "imports_repositories"))}
        keys = sorted(files.keys() & projects.keys(), key=lambda key: (-projects[key]["share"], key))
        apart = sorted(files.keys() ^ projects.keys())
        steps = [
            charts.Step(
                label=charts.short(evidence.name(key)),
                start=files[key]["share"] * 100,
                end=projects[key]["share"] * 100,
                hover=f"<b>{charts.safe(evidence.name(key))}</b><br>{share_words(files[key])} of files<br>"
                f"{share_words(projects[key])} of repositories",
                family=evidence.family(key),
                id=projects[key]["id"],
            )
            for key in keys[:MOST_ROWS]
        ]
        table = [
            [
                charts.plain(evidence.name(key), 120),
                share_cell(files.get(key)),
                span_cell(files[key]["low"], files[key]["high"]) if key in files else None,
                share_cell(projects.get(key)),
                span_cell(projects[key]["low"], projects[key]["high"]) if key in projects else None,
            ]
            for key in [*keys, *apart]
        ]
        columns = [
            column("technique", "Technique"),
            column("files", "Share of files", number=True),
            column("files_interval", "95% interval", number=True),
            column("repositories", "Share of repositories", number=True),
            column("repositories_interval", "95% interval", number=True),
        ]
        rows = [*files.values(), *projects.values()]
        figure = charts.pairs(
            steps,
            charts.Header(
                x="Share, logarithmic", alt=f"{len(steps)} techniques: share of files against share of repositories."
            ),
            start="files, as a text search counts",
            end="repositories, one vote each",
            log_percent=True,
        )
        line = source_line(
            "imports_by_files, imports_by_repositories",
            f"n = {subjects(list(files.values())):,} pairs of file and class, "
            f"{subjects(list(projects.values())):,} repositories",
            wording.days([row["as_of"] for row in rows]),
            sample_words(rows),
            f"in only one of the two counts, see the table: {wording.counted(len(apart), 'technique')}"
            if apart
            else None,
        )
        views.append(
            View(
                line,
                (wording.source_words(source),),
                figure,
                Table(f"imports-{source}", "Imports by file and by repository", columns, table),
            )
        )
    missing = () if views else (Gap("No code that imports peft is in this file.", "hubstats crawl snapshot"),)
    return Panel(
        "imports",
        prose["short"],
        prose["heading"],
        (),
        prose["note"] if views else "",
        missing,
        ("Source",),
        tuple(views),
    )
