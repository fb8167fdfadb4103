"""From each published share to ours, one change of rule at a time.

A chain (hubstats.estimate.chain says how steps are compared) starts at the figure as printed. Its first step applies
the published rule to the items of this file, so that the gap is other items, another day, and our reading of the rule.
Every later step changes one thing: what is found (imports instead of a phrase), what is left out (copies, tests, what
software wrote), what counts as one (QLoRA, variants, several names), whose vote it is (card, repository, author).

    published 0.984 -> words 0.72 -> shown_use 0.65 -> ... -> evidence 0.41 -> authors

The rules are read from the publication's text, which is short on them: its cards "mention exactly one PEFT technique",
its code is found by searching for `from peft import <PEFT CONFIG>`, its checkpoints go by the site's type. That a
mention is a whole word is our reading; the crudest other one, text search, stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hubstats.estimate import chain
from hubstats.estimate.chain import SearchTotals, Step
from hubstats.estimate.population import CAVEATS, LARGEST_WEIGHT, WEIGHT_ADAPTERS
from hubstats.records import NotEstimated, Reconciliation, Record
from hubstats.techniques import Registry

if TYPE_CHECKING:
    import polars as pl

    from hubstats.estimate.chain import Amounts
    from hubstats.estimate.survey import Floats

INPUTS: tuple[str, ...] = (
    "subjects",
    "strata",
    "author_frame",
    "published_figures",
    "reconcile_cards",
    "reconcile_search",
    "reconcile_code",
    "reconcile_totals",
)
TABLES: tuple[type[Record], ...] = (Reconciliation, NotEstimated)

FITTING = {
    "cards_exactly_one": ("hub", "no model card was read; crawl hub, or import cards or a dump"),
    "github_import": ("github", "no code was read; crawl snapshot or github, or import code"),
    "image_type": ("civitai", "no upload of an image site was read; crawl civitai"),
    "image_type_peft": ("civitai", "no upload of an image site was read; crawl civitai"),
}
"""Published measure -> the source that would answer it best, and why nothing does."""
GAP = "other items, another day, and our reading of the rule"


def estimate(frames: Mapping[str, pl.DataFrame], registry: Registry) -> Iterator[Record]:
    """The chains from every published figure that the rows of `INPUTS` allow; NotEstimated for steps without input."""
    import polars as pl

    figures = frames["published_figures"]
    usable = pl.col("weight").is_finite() & pl.col("weight").is_between(0, LARGEST_WEIGHT, "right")
    answered: set[str] = set()
    for (source,), items in _by_source(frames["subjects"].filter(usable)):
        if items["card_status"].null_count() < items.height:
            answered.add("cards_exactly_one")
            yield from _cards(str(source), items, frames, registry, figures)
        if items["site_type"].null_count() < items.height:
            answered.update(("image_type", "image_type_peft"))
            yield from _images(str(source), items, frames, registry, figures)
    for (source,), rows in _by_source(frames["reconcile_code"]):
        answered.add("github_import")
        totals = frames["reconcile_totals"].filter(pl.col("source") == source)
        yield from _code(str(source), rows, totals, figures)
    for measure, (source, reason) in FITTING.items():
        if measure not in answered and (figures["measure"] == measure).any():
            yield NotEstimated(source, measure, "reconciliation", reason)


def _by_source(frame: pl.DataFrame) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    return sorted(frame.group_by("source", maintain_order=True), key=lambda group: str(group[0][0]))


# --- chains -------------------------------------------------------------------------------------------------------


def _cards(
    source: str, subjects: pl.DataFrame, frames: Mapping[str, pl.DataFrame], registry: Registry, figures: pl.DataFrame
) -> Iterator[Record]:
    import polars as pl

    items, voters = chain.subjects(source, subjects, frames["strata"], frames["author_frame"], CAVEATS.get(source, ""))
    here = subjects.with_row_index("item")
    place = here.select("item", "subject_id")
    of_source = pl.col("source") == source
    named = frames["reconcile_cards"].filter(of_source).join(place, on="subject_id").sort("item", "technique")
    # A type that no technique file knows is outside the library and its own base.
    named = named.join(_described(registry), on="technique", how="left", maintain_order="left").with_columns(
        pl.col("known").fill_null(True), pl.col("base").fill_null(pl.col("technique"))
    )
    ours = named.filter("library")
    used = ours.filter("used")
    based = used.with_columns(technique=pl.col("base"))
    found = frames["reconcile_search"].filter(of_source).join(place, on="subject_id").sort("item")
    plain = found.select("item", pl.col("techniques").alias("technique")).explode("technique").drop_nulls()
    shown = here.select("item", pl.col("techniques").alias("technique")).explode("technique").drop_nulls()
    evidence = _split(shown)
    words = _only(ours)
    every = named.filter(pl.col("used") & pl.col("known")).with_columns(technique=pl.col("base"))
    looked = chain.flags(len(here), found["item"])
    named_beyond = not looked[words["item"].to_numpy()].all()
    steps = [
        Step(
            "words",
            f"their rule on our cards ({GAP}): cards that name exactly one technique of the PEFT library, "
            "in whole words",
            words,
            "no card names exactly one technique",
        ),
        Step(
            "plain_search",
            "text search instead of words: the name of a PEFT type in any case, inside other words too",
            _only(plain),
            beside="words",
            among=looked,
            caveat="the publication does not say how names were matched; this is the crudest way it could have been"
            + (f"; effect on {found.height} cards" if named_beyond else ""),
        ),
        Step(
            "shown_use",
            "names in negations, comparisons, lists, advice and citations no longer count",
            _only(used),
        ),
        Step("qlora_folded", "QLoRA counts as LoRA", _only(used.with_columns(technique=pl.col("folded")))),
        Step(
            "variants_folded",
            "every variant (DoRA, rsLoRA, ...) counts as its base technique",
            _only(based),
        ),
        Step(
            "not_by_software",
            "tags, settings and sentences that software writes no longer count; PEFT tags LoRA and nothing else",
            _only(based.filter("unwritten")),
            "no card names exactly one technique in words of its own",
            beside="variants_folded",
            caveat="beside the chain, since a tag or setting is evidence of use and counts as such further down",
        ),
        Step("every_mention", "cards that name several count too, split equally", _split(based)),
        Step("every_technique", "techniques outside the PEFT library count too", _split(every)),
        Step(
            "evidence",
            "what config, weights, settings, tags and text show to be used, the strongest kind deciding, not what the "
            "card names",
            evidence,
            "nothing here is shown to use a technique",
        ),
        Step(
            "authors",
            "one vote an author, not one a repository",
            _weighed(evidence, voters(evidence)),
            "no author is known",
        ),
        Step(
            "downloads",
            "by downloads instead of by repository",
            _weighed(evidence, here["downloads"].fill_null(0).clip(0).cast(pl.Float64).to_numpy()),
            "no downloads are known, or all are 0",
            beside="evidence",
        ),
    ]
    yield from chain.chains("cards_exactly_one", items, steps, figures)


def _images(
    source: str, subjects: pl.DataFrame, frames: Mapping[str, pl.DataFrame], registry: Registry, figures: pl.DataFrame
) -> Iterator[Record]:
    import polars as pl

    items, voters = chain.subjects(source, subjects, frames["strata"], frames["author_frame"], CAVEATS.get(source, ""))
    here = subjects.with_row_index("item")
    kinds = here["site_type"].drop_nulls().unique().sort().to_list()
    known = {kind: found.key for kind in kinds if (found := registry.by_site_type(kind)) is not None}
    technique = pl.col("site_type").replace_strict(known, default=None, return_dtype=pl.String)
    uploads = here.select("item", technique.alias("technique"), pl.lit(1.0).alias("amount"))
    typed = uploads.drop_nulls("technique")
    adapters = chain.flags(
        len(here), here.filter(pl.col("site_type").str.to_lowercase().is_in(WEIGHT_ADAPTERS))["item"]
    )
    weights = typed.filter(pl.Series(adapters).gather(typed["item"]))
    ending = [
        Step("all_types", "every type that stands for a technique counts, embeddings and hypernetworks too", typed),
        Step(
            "authors",
            "one vote a creator, not one an upload",
            _weighed(typed, voters(typed)),
            "no creator is known",
        ),
        Step(
            "downloads",
            "by downloads instead of by upload",
            _weighed(typed, here["downloads"].fill_null(0).clip(0).cast(pl.Float64).to_numpy()),
            "no downloads are known, or all are 0",
            beside="all_types",
        ),
    ]
    theirs = f"their rule on our uploads ({GAP}): "
    yield from chain.chains(
        "image_type",
        items,
        [
            Step("uploads", theirs + "uploads of any kind, by the type their uploader chose", uploads),
            Step("weight_types", "of uploads typed LORA, LoCon or DoRA only", weights),
            *ending,
        ],
        figures,
    )
    peft = Step("weight_types", theirs + "uploads typed LORA, LoCon or DoRA, by that type", weights)
    yield from chain.chains("image_type_peft", items, [peft, *ending], figures)


def _code(source: str, rows: pl.DataFrame, totals: pl.DataFrame, figures: pl.DataFrame) -> Iterator[Record]:
    import polars as pl

    rows = rows.with_columns(
        (pl.struct("repo", "path").rank("dense") - 1).alias("item"),
        pl.col("repo").str.split("/").list.first().alias("author"),
    ).sort("item", "technique")
    owners = rows.unique("item", keep="first", maintain_order=True)["author"]
    items = chain.unweighted(source, owners, chain.utc(rows["seen_at"].max()), CAVEATS.get(source, ""))
    asked = _totals(totals)
    phrase = rows.filter("phrase")
    own = phrase.filter("own")
    once = pl.col("own") & ~pl.col("fork") & (pl.col("copy") == 1)
    parsed = rows.filter(once & pl.col("parsed"))
    constructs = parsed.filter("constructs")
    theirs = (
        f"their rule on our files ({GAP}): every file in which a text search finds the words from peft import CLASS"
    )
    if asked is not None:
        theirs = "files that were listed and read, instead of the search's own totals"
    steps = [
        Step("phrase", theirs, _pairs(phrase), "no file holds the phrase"),
        Step(
            "own_code",
            "copies of peft and diffusers, their own code, tests and documentation left out",
            _pairs(own),
        ),
        Step("once", "forks left out and equal files counted once", _pairs(phrase.filter(once))),
        Step(
            "imports",
            "imports read by a parser: any place in the statement, several lines, other modules of peft",
            _pairs(parsed),
        ),
        Step(
            "repositories", "one vote a repository, split over its techniques, not one a file", _by_repository(parsed)
        ),
        Step("owners", "one vote an owner, split over their repositories", _by_owner(parsed)),
        Step(
            "constructed",
            "techniques whose config the code constructs, not only imports",
            _by_owner(constructs),
            "no config class is called",
        ),
    ]
    yield from chain.chains("github_import", items, steps, figures, asked)


def _totals(totals: pl.DataFrame) -> SearchTotals | None:
    if not totals["total"].sum() > 0:
        return None
    counts = dict(zip(totals["technique"], totals["total"], strict=True))
    return SearchTotals(counts, bool(totals["incomplete"].any()), chain.utc(totals["seen_at"].max()))


# --- amounts ------------------------------------------------------------------------------------------------------


def _described(registry: Registry) -> pl.DataFrame:
    """What the rules ask of a technique: is it of PEFT's library, what is it folded into, can it be used."""
    import polars as pl

    return pl.DataFrame(
        [
            {
                "technique": technique.key,
                "library": technique.library == "peft",
                "folded": "lora" if technique.key == "qlora" else technique.key,
                "base": registry.base(technique.key).key,
                # DreamBooth says what the model was shown, not what was tuned.
                "known": not (technique.kind == "recipe" and technique.parent is None),
            }
            for technique in registry
        ],
        schema={
            "technique": pl.String,
            "library": pl.Boolean,
            "folded": pl.String,
            "base": pl.String,
            "known": pl.Boolean,
        },
    )


def _split(pairs: pl.DataFrame) -> Amounts:
    """Each item one vote, split equally over its techniques."""
    import polars as pl

    distinct = pairs.select("item", "technique").unique(maintain_order=True)
    return distinct.with_columns((1 / pl.len().over("item")).alias("amount"))


def _only(pairs: pl.DataFrame) -> Amounts:
    """Items with exactly one technique."""
    import polars as pl

    return _split(pairs).filter(pl.col("amount") == 1)


def _pairs(rows: pl.DataFrame) -> Amounts:
    """Each pair of a file and a class counts as one, as a search for each class would find them."""
    import polars as pl

    return rows.select("item", "technique", pl.lit(1.0).alias("amount"))


def _by_repository(rows: pl.DataFrame) -> Amounts:
    """One vote a repository, equally to its techniques; a technique's part lies equally on the files that show it."""
    import polars as pl

    return rows.select(
        "item",
        "technique",
        (1 / (pl.col("technique").n_unique().over("repo") * pl.len().over("repo", "technique"))).alias("amount"),
    )


def _by_owner(rows: pl.DataFrame) -> Amounts:
    """One vote an owner, equally to the repositories."""
    import polars as pl

    votes = _by_repository(rows)
    return votes.with_columns(pl.col("amount") / rows.select(pl.col("repo").n_unique().over("author")).to_series())


def _weighed(amounts: Amounts, factor: Floats) -> Amounts:
    import polars as pl

    return amounts.with_columns(pl.col("amount") * pl.Series(factor, dtype=pl.Float64).gather(amounts["item"]))
