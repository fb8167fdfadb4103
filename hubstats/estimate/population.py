"""Who is counted, by which rule, and as one of how many: every estimate of a file.

Items are repositories of the Hub (sampled from a listing, or a dump), imported cards or configs, configs in code
repositories, uploads to an image site, and files and repositories that import peft. Populations:

rule                  population                                     goes to
evidence              adapters: items that are shown to use at       the technique the strongest evidence shows;
                      least one technique (verdict used, several     several share the item equally, so that
                      or conflict)                                   shares sum to 1
overlay               the same                                       each variant or recipe on top; no sum, and so
                                                                     no families
blog                  cards that name exactly one technique          the one named
blog_folded           the same, QLoRA counted as LoRA                the one named
site_type             weight adapters: LORA, LoCon, DoRA             the type the uploader chose
site_type_all         uploads of any type the registry knows         the type the uploader chose
imports_files         pairs of a file and a config class that        the class
                      follows `from peft import`
imports_repositories  repositories that use peft, copies of files    the techniques imported or constructed,
                      and tests, docs, vendored code left out        equally

Measures: the items themselves (repositories, cards, configs, checkpoints, files); `downloads`, each item counted as
often as it was downloaded; `authors`, each author one vote, split equally over their items of the population (see
hubstats.estimate.author_votes for what that is where only some of them were read). A family has the parts of its
techniques: an item with two techniques of one family counts for it once, wholly.

Unseen, for the outer interval: by `evidence`, items of unknown technique, and items that show none while a config
is gated, disabled, private or failed, or while there is no card to read and no PEFT config; by `overlay` the same, and
of adapters whose config was not read that they have no variant; by the blog's rules, items without a readable card;
strata of the frame of which nothing was read; and of a dump, the adapters that the listing shows and that it lacks
although they are older than it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubstats.estimate.author_votes import AuthorVotes
from hubstats.estimate.figures import NO_FAMILY, Level, Maker, utc
from hubstats.estimate.survey import Design, estimate_shares
from hubstats.records import Estimate, FamilyEstimate, NotEstimated, Record
from hubstats.techniques import Registry

if TYPE_CHECKING:
    import polars as pl

    from hubstats.estimate.survey import Booleans, Floats, Integers

    Votes = dict[str, tuple[Integers, Floats]]

INPUTS: tuple[str, ...] = (
    "subjects",
    "strata",
    "author_frame",
    "dump_lacks",
    "imports_files",
    "imports_repositories",
)
TABLES: tuple[type[Record], ...] = (Estimate, FamilyEstimate, NotEstimated)


UNIT: Mapping[str, str] = {"cards": "cards", "configs": "configs", "code": "configs", "snapshot": "configs"}
"""What an item of a source is, where it is no repository (hub, dump) and no checkpoint (a source with site types)."""

WEIGHT_ADAPTERS = ("lora", "locon", "dora")
"""Image-site types, in lower case, that the blog counted."""

CENSUS = ("hub", "dump")
"""Sources whose zero means something: methods of the registry that were not seen get a row."""

LARGEST_WEIGHT = 1e12
"""No frame has more repositories than that; a larger weight, or none, is a broken row."""

CONVENIENCE = "no probability sample: {}; the interval covers authors only, not the choice"
CAVEATS: Mapping[str, str] = {
    "hub": "repositories that the listing shows; private and deleted ones are not in it",
    "dump": "repositories with a card on the day of the dump",
    "cards": CONVENIENCE.format("a folder of cards someone chose"),
    "configs": CONVENIENCE.format("a folder of configs someone chose"),
    "code": CONVENIENCE.format("code repositories someone chose"),
    "snapshot": CONVENIENCE.format("public code repositories picked for the snapshot"),
    "github": CONVENIENCE.format("what code search returned for any import of peft, up to 1,000 results a slice"),
    "civitai": "uploads as listed; the uploader chooses the type, and the site has none for LoHa, LoKr and others",
}


@dataclass(slots=True)
class _Rule:
    """One population of one source and how its items vote."""

    name: str
    votes: Votes
    within: Booleans
    unseen: Booleans | None
    empty: str
    """Why there is nothing to estimate, when the population is empty."""
    parts: bool = True
    """The parts of an item sum to 1, so that they sum over families too."""
    doubtful: Booleans | None = None
    """Items of the population that may use what they do not show."""


def estimate(frames: Mapping[str, pl.DataFrame], registry: Registry) -> Iterator[Record]:
    """Every share that the rows of `INPUTS` allow, and a NotEstimated for each that cannot be made."""
    for (source,), items in _by_source(frames["subjects"]):
        rows: list[Record] = []
        _Source(str(source), items, frames, registry, rows).estimate()
        yield from rows
    for name, measure in (("imports_files", "files"), ("imports_repositories", "repositories")):
        for (source,), pairs in _by_source(frames[name]):
            yield from _imports(str(source), measure, name, pairs, registry)


def _by_source(frame: pl.DataFrame) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    return sorted(frame.group_by("source", maintain_order=True), key=lambda group: str(group[0][0]))


class _Source:
    """The items of one source, in arrays."""

    def __init__(
        self,
        source: str,
        items: pl.DataFrame,
        frames: Mapping[str, pl.DataFrame],
        registry: Registry,
        rows: list[Record],
    ) -> None:
        import polars as pl

        self.source, self.rows = source, rows
        self.methods = [technique.key for technique in registry if technique.kind == "method"]
        self.families = {technique.key: technique.family for technique in registry}
        self.registry = registry
        here = pl.col("source") == source
        self.strata = frames["strata"].filter(here)
        self.sampled = self.strata.height > 0
        usable = items.filter(pl.col("weight").is_finite() & pl.col("weight").is_between(0, LARGEST_WEIGHT, "right"))
        self.unusable = items.height - usable.height
        lacks = frames["dump_lacks"].filter(here) if not self.sampled else frames["dump_lacks"].clear()
        self.lacking = lacks.height
        if lacks.height:
            usable = pl.concat([usable, _unseen_rows(lacks, usable)], how="vertical_relaxed")
        self.items = usable.with_row_index("item")
        self.author_votes = AuthorVotes(self.items, frames["author_frame"].filter(here))
        self.voted: dict[bytes, Floats] = {}
        self.design, self.unread = self._design()
        self.measure = (
            "checkpoints" if items["site_type"].null_count() < items.height else UNIT.get(source, "repositories")
        )
        self.as_of = utc(items["seen_at"].max())
        self.detector = str(items["detector_version"].drop_nulls().max() or "")

    def estimate(self) -> None:
        for rule in self._rules():
            if not rule.within.any():
                self.rows.append(NotEstimated(self.source, self.measure, rule.name, rule.empty))
                continue
            self._estimate(rule, self.measure, self._units, unread=self.unread)
            self._estimate(rule, "authors", self._votes)
            self._estimate(rule, "downloads", self._downloads)

    # --- design ---------------------------------------------------------------------------------------------------

    def _design(self) -> tuple[Design, float]:
        import numpy as np
        import polars as pl

        read = self.items.group_by("stratum").agg(pl.len().alias("read"), pl.col("weight").first())
        read = read.sort("stratum").with_row_index("code")
        codes = self.items.join(read.select("stratum", "code"), on="stratum", how="left", maintain_order="left")
        own = pl.concat_str(pl.lit("\0"), "subject_id")
        clusters = self.items.select(pl.coalesce("author", own).rank("dense"))
        unread = self.strata.join(read, on="stratum", how="anti")["frame_size"].sum()
        design = Design(
            weight=self.items["weight"].cast(pl.Float64).to_numpy(),
            cluster=clusters.to_series().to_numpy().astype(np.int64),
            stratum=codes["code"].to_numpy().astype(np.int64),
            drawn=read["read"].to_numpy().astype(np.float64),
            fraction=np.minimum(1 / read["weight"].cast(pl.Float64).to_numpy(), 1),
        )
        return design, float(unread)

    # --- rules ----------------------------------------------------------------------------------------------------

    def _rules(self) -> Iterator[_Rule]:
        import polars as pl

        established = pl.col("techniques").list.len() > 0
        card_read = pl.col("card_status").is_in(["ok", "too_large"]).fill_null(False)
        config_read = (pl.col("config_status") == "ok").fill_null(False)
        withheld = pl.col("config_status").is_in(["gated", "disabled", "unavailable", "failed"]).fill_null(False)
        unseen = (pl.col("state") == "unknown_adapter") | (
            ~established
            & (pl.col("state") != "merged")
            & pl.col("site_type").is_null()
            & (withheld | (~card_read & ~config_read))
        )
        adapters = self._mask(established)
        used = self._listed("techniques")
        if self.source in CENSUS:
            for key in self.methods:
                used.setdefault(key, _nobody())
        nothing = "nothing here is shown to use a technique"
        yield _Rule("evidence", used, adapters, self._mask(unseen), nothing)
        if adapters.any():
            overlays = {
                key: (items, parts * 0 + 1) for key, (items, parts) in self._listed("overlays", established).items()
            }
            no_config = self._mask(~config_read & pl.col("site_type").is_null())
            yield _Rule("overlay", overlays, adapters, self._mask(unseen), nothing, parts=False, doubtful=no_config)
        if self._mask(pl.col("card_status").is_not_null()).any():
            for rule, column in (("blog", "blog_technique"), ("blog_folded", "blog_technique_folded")):
                named = pl.col(column).is_not_null()
                votes = _votes(self.items.filter(named).select("item", pl.col(column).alias("technique")))
                yield _Rule(
                    rule, votes, self._mask(named), self._mask(~card_read), "no card names exactly one technique"
                )
        if self.measure == "checkpoints":
            yield from self._site_rules()

    def _site_rules(self) -> Iterator[_Rule]:
        import polars as pl

        kinds = self.items["site_type"].drop_nulls().unique().sort().to_list()
        known = {kind: found.key for kind in kinds if (found := self.registry.by_site_type(kind)) is not None}
        blog = {kind: key for kind, key in known.items() if kind.casefold() in WEIGHT_ADAPTERS}
        for rule, types in (("site_type", blog), ("site_type_all", known)):
            chosen = pl.col("site_type").is_in(list(types)).fill_null(False)
            technique = pl.col("site_type").replace_strict(types, default=None, return_dtype=pl.String)
            votes = _votes(self.items.filter(chosen).select("item", technique.alias("technique")))
            yield _Rule(rule, votes, self._mask(chosen), None, "no upload has a type that stands for a technique")

    def _mask(self, condition: pl.Expr) -> Booleans:
        return self.items.select(condition.fill_null(False)).to_series().to_numpy().astype(bool)

    def _listed(self, column: str, among: pl.Expr | bool = True) -> Votes:
        import polars as pl

        pairs = self.items.filter(among).select("item", pl.col(column).alias("technique")).explode("technique")
        return _votes(pairs.drop_nulls())

    # --- measures: the size of each item of a population -----------------------------------------------------------

    def _units(self, within: Booleans) -> Floats:
        import numpy as np

        return within.astype(np.float64)

    def _votes(self, within: Booleans) -> Floats:
        # Several rules have the same population.
        key = within.tobytes()
        if key not in self.voted:
            self.voted[key] = self.author_votes(within)
        return self.voted[key]

    def _downloads(self, within: Booleans) -> Floats:
        import numpy as np

        return np.where(within, self.items["downloads"].fill_null(0).to_numpy(), 0).astype(np.float64)

    # --- estimates ------------------------------------------------------------------------------------------------

    def _estimate(
        self,
        rule: _Rule,
        measure: str,
        sizes: Callable[[Booleans], Floats],
        *,
        unread: float = 0.0,
    ) -> None:
        size = sizes(rule.within)
        if not (size > 0).any():
            reasons = {"authors": "no author is known", "downloads": "no downloads are known, or all are 0"}
            self.rows.append(NotEstimated(self.source, measure, rule.name, reasons.get(measure, rule.empty)))
            return
        votes: dict[tuple[Level, str], tuple[Integers, Floats]] = {
            ("technique", technique): use for technique, use in rule.votes.items()
        }
        if rule.parts:
            votes |= {("family", family): use for family, use in self._by_family(rule.votes).items()}
        shares = estimate_shares(
            self.design,
            size,
            votes,
            outer_size=None if rule.unseen is None else sizes(rule.within | rule.unseen),
            doubtful=rule.doubtful,
            unread=unread,
            sums={key for key in votes if key[0] == "family"},
        )
        way = "design-weighted share (Hajek)" if self.sampled else "unweighted share"
        uncertain = "strata and authors" if self.sampled else "authors"
        made = Maker(self.source, measure, rule.name, f"{way}; variance over {uncertain}", self.detector, self.as_of)
        subjects = int((size > 0).sum())
        caveats = self._caveats(rule, measure, size)
        self.rows.extend(
            made.record(level, key, share, subjects, caveats)
            for (level, key), share in shares.items()
            if share.count > 0 or measure == self.measure
        )

    def _by_family(self, votes: Votes) -> Votes:
        import numpy as np

        members: dict[str, list[str]] = {}
        for technique in votes:
            members.setdefault(self.families.get(technique, NO_FAMILY), []).append(technique)
        made: Votes = {}
        for family, techniques in sorted(members.items()):
            parts = np.zeros(self.items.height)
            for technique in techniques:
                parts[votes[technique][0]] += votes[technique][1]
            items = np.flatnonzero(parts)
            made[family] = (items, np.minimum(parts[items], 1))
        return made

    def _caveats(self, rule: _Rule, measure: str, size: Floats) -> list[str]:
        caveats = [CAVEATS.get(self.source, "")]
        if self.unread:
            caveats.append(f"nothing was read yet of strata with {self.unread:.0f} repositories")
        if self.lacking and rule.unseen is not None:
            caveats.append(
                f"{self.lacking} adapters that the listing shows are as old as the dump and not in it: they are "
                "in the outer interval"
            )
        if self.unusable:
            caveats.append(f"{self.unusable} items without a usable weight are left out")
        left_out = int((rule.within & (size == 0)).sum())
        if left_out and measure == "authors":
            caveats.append(f"{left_out} items of unknown authors are left out")
        if left_out and measure == "downloads":
            caveats.append(f"{left_out} items with no downloads, or hidden ones, count for nothing")
        if measure == "authors" and self.sampled:
            caveats.append("how many items an author has is predicted where not all of them were read")
        if rule.doubtful is not None and rule.doubtful.any():
            caveats.append("adapters whose config was not read count as without it; the outer interval does not")
        return caveats


def _unseen_rows(lacks: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
    """Rows of repositories that the listing shows and the source lacks, as `like` has them: of unknown technique."""
    import polars as pl

    known = lacks.with_columns(
        weight=pl.lit(1.0),
        stratum=pl.lit("listed, not in here"),
        state=pl.lit("unknown_adapter"),
        techniques=pl.lit([], like.schema["techniques"]),
        overlays=pl.lit([], like.schema["overlays"]),
    )
    return known.select(
        pl.col(name).cast(kind) if name in known.columns else pl.lit(None, kind).alias(name)
        for name, kind in like.schema.items()
    )


def _imports(source: str, measure: str, rule: str, pairs: pl.DataFrame, registry: Registry) -> Iterator[Record]:
    """Shares among files or repositories that import peft; `pairs` has a row for each subject and technique."""
    import numpy as np
    import polars as pl

    # By the blog's rule a file is found once for each class: every pair is an item of its own.
    item = ["subject_id", "technique"] if rule == "imports_files" else ["subject_id"]
    pairs = pairs.with_columns((pl.struct(item).rank("dense") - 1).alias("item"))
    items = pairs.group_by("item").agg(pl.col("author").first()).sort("item")
    design = Design(
        weight=np.ones(items.height),
        cluster=items["author"].rank("dense").to_numpy().astype(np.int64),
        stratum=np.zeros(items.height, np.int64),
        drawn=np.array([float(items.height)]),
        fraction=np.ones(1),
    )
    made = Maker(source, measure, rule, "unweighted share; variance over owners", "", utc(pairs["seen_at"].max()))
    families = {technique.key: technique.family for technique in registry}
    parted = pairs.with_columns(part=1 / pl.len().over("item"))
    names = pl.col("technique").replace_strict(families, default=NO_FAMILY, return_dtype=pl.String)
    levels: tuple[tuple[Level, pl.DataFrame], ...] = (("technique", parted), ("family", parted.with_columns(names)))
    for level, votes in levels:
        for key, share in estimate_shares(design, np.ones(items.height), _sums(votes)).items():
            yield made.record(level, key, share, items.height, [CAVEATS.get(source, "")])


def _votes(pairs: pl.DataFrame) -> Votes:
    """Technique -> its items and the part of each; an item with several techniques is split equally."""
    import polars as pl

    return _split(pairs.unique().with_columns(part=1 / pl.len().over("item")))


def _sums(parts: pl.DataFrame) -> Votes:
    """Technique -> its items and the sum of their parts that go to it."""
    import polars as pl

    return _split(parts.group_by("technique", "item").agg(pl.col("part").sum()))


def _split(parts: pl.DataFrame) -> Votes:
    """The same of parts that stand there once for each item and technique."""
    import numpy as np

    groups = parts.sort("technique", "item").group_by("technique", maintain_order=True)
    return {
        str(technique): (rows["item"].to_numpy().astype(np.int64), rows["part"].to_numpy())
        for (technique,), rows in groups
    }


def _nobody() -> tuple[Integers, Floats]:
    import numpy as np

    return np.zeros(0, np.int64), np.zeros(0)
