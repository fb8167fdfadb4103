"""The values that cross stage lines: sources -> records -> store -> detect -> estimate -> report.

One frozen dataclass per table of the store. `TABLE` names the table, field names are its columns, and
`KEY` lists the columns that make writing the same record twice a no-op. Times are aware UTC datetimes,
sizes are bytes, shares lie in [0, 1], and what is not known is None, never a stand-in value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    import polars

FileStatus = Literal["ok", "missing", "gated", "disabled", "unavailable", "too_large", "malformed", "failed"]
"""What became of one file of a repository.

ok           read; for a config: a JSON object with a `peft_type`
missing      the server said there is no such file (never a throttled or failed request)
gated        terms must be accepted first
disabled     the Hub has switched the repository off
unavailable  the repository is private, deleted or renamed; the Hub does not tell which
too_large    over the byte cap; the beginning is kept
malformed    read, but not what its name promises (a config that is a list, or not PEFT's)
failed       every retry failed; asked again by the next crawl
"""

VerdictState = Literal["used", "unknown_adapter", "merged", "several", "conflict", "mentioned", "none"]

EvidenceKind = Literal["config", "weights", "trainer", "type", "tag", "code", "title", "prose", "name"]
"""Kinds of evidence, strongest first. `type` is the field an image site's uploader chooses."""


class Record:
    """Base of all records."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]] = ()
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class HubModel(Record):
    """One repository as a listing (or a dump of it) shows it."""

    TABLE: ClassVar[str] = "hub_model"
    KEY: ClassVar[tuple[str, ...]] = ("source", "model_id")

    source: str
    model_id: str
    author: str | None = None
    created_at: datetime | None = None
    last_modified: datetime | None = None
    downloads: int | None = None
    """Downloads in the last 30 days, taken before any file of the repository is fetched."""
    likes: int | None = None
    tags: tuple[str, ...] = ()
    library_name: str | None = None
    pipeline_tag: str | None = None
    base_model: str | None = None
    base_model_relation: str | None = None
    gated: bool | None = None
    disabled: bool | None = None
    has_card: bool | None = None
    """README.md is in the file list; None when no file list was given."""
    has_adapter_config: bool | None = None
    weight_files: tuple[str, ...] | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelCard(Record):
    """README.md of a repository, or why there is none."""

    TABLE: ClassVar[str] = "model_card"
    KEY: ClassVar[tuple[str, ...]] = ("source", "model_id")

    source: str
    model_id: str
    status: FileStatus
    text: str | None = None
    bytes: int | None = None
    etag: str | None = None
    detail: str | None = None
    fetched_at: datetime | None = None
    listed_version: datetime | None = None
    """last_modified of the listing that the file was fetched for: when a later listing says otherwise, it is stale."""


@dataclass(frozen=True, slots=True)
class AdapterConfig(Record):
    """adapter_config.json of a repository, or why there is none. `config` is the JSON text as served."""

    TABLE: ClassVar[str] = "adapter_config"
    KEY: ClassVar[tuple[str, ...]] = ("source", "model_id")

    source: str
    model_id: str
    status: FileStatus
    peft_type: str | None = None
    """As written in the file; an unknown value is kept as it is."""
    config: str | None = None
    bytes: int | None = None
    etag: str | None = None
    detail: str | None = None
    fetched_at: datetime | None = None
    listed_version: datetime | None = None
    """last_modified of the listing that the file was fetched for: when a later listing says otherwise, it is stale."""


CodeRole = Literal["use", "library", "test", "docs", "vendored"]


@dataclass(frozen=True, slots=True)
class CodeFile(Record):
    """One Python file or notebook that names peft, at one commit of one repository."""

    TABLE: ClassVar[str] = "code_file"
    KEY: ClassVar[tuple[str, ...]] = ("source", "repo", "path")

    source: str
    repo: str
    revision: str | None
    path: str
    blob_sha: str | None = None
    status: FileStatus = "ok"
    role: CodeRole | None = None
    parser: Literal["ast", "fallback"] | None = None
    """fallback: the file does not parse as Python 3; imports were read line by line."""
    bytes: int | None = None
    text: str | None = None
    detail: str | None = None
    fetched_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CodeImport(Record):
    """One name that one statement takes from peft (or one call that constructs a config)."""

    TABLE: ClassVar[str] = "code_import"
    KEY: ClassVar[tuple[str, ...]] = ("source", "repo", "path")
    """A file's imports are replaced together."""

    source: str
    repo: str
    revision: str | None
    path: str
    cell: int | None
    """Cell index in a notebook, from 0; None in a .py file."""
    form: str
    """from, import, star, attribute, importlib, construct, config_dict (see hubstats.imports)."""
    module: str
    """The module named, such as peft or peft.tuners.lora."""
    name: str | None
    alias: str | None
    line: int
    """From 1, within the file or the cell."""
    technique: str | None = None
    """Registry key when `name` is a config class (or a peft_type) that the registry knows."""
    adjacent: bool | None = None
    """The source line reads `from peft import NAME`, so that a text search for this phrase finds it: not the second
    name of a list, not in brackets, no other module. None: not looked at."""


@dataclass(frozen=True, slots=True)
class ImageCheckpoint(Record):
    """One upload on an image site, with the type its uploader chose."""

    TABLE: ClassVar[str] = "image_checkpoint"
    KEY: ClassVar[tuple[str, ...]] = ("source", "checkpoint_id")

    source: str
    checkpoint_id: str
    type: str | None
    name: str | None = None
    creator: str | None = None
    downloads: int | None = None
    """All-time downloads; None when the creator hides them."""
    base_model: str | None = None
    """Of the newest version, as the site names it."""
    published_at: datetime | None = None
    """Of the oldest version listed."""
    nsfw: bool | None = None
    tags: tuple[str, ...] = ()
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SearchCount(Record):
    """What a code search said about one query: its own total, which is an estimate of the server's."""

    TABLE: ClassVar[str] = "search_count"
    KEY: ClassVar[tuple[str, ...]] = ("source", "query")

    source: str
    query: str
    technique: str | None
    total_count: int | None
    incomplete: bool | None
    harvested: int | None
    """Files actually listed, over all slices, after removing repeats."""
    slices: int | None
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SearchHit(Record):
    """One file that one query of a code search listed. Which query found a file decides how it may be counted."""

    TABLE: ClassVar[str] = "search_hit"
    KEY: ClassVar[tuple[str, ...]] = ("source", "query", "repo", "path")

    source: str
    query: str
    repo: str
    path: str
    technique: str | None
    """Registry key of the config class that the query asks for; None for the query without one."""
    blob_sha: str
    fork: bool | None
    slice: str | None
    """Range of file sizes it was listed in, such as 4096..4159: the cluster of the sample. None: no slicing."""
    fragments: tuple[str, ...] = ()
    """Pieces of the file around the match, as the server cut them: hostile text."""
    found_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PublishedFigure(Record):
    """A number someone else published, with where and when."""

    TABLE: ClassVar[str] = "published_figure"
    KEY: ClassVar[tuple[str, ...]] = ("figure_id",)

    figure_id: str
    origin: str
    """Short name of the publication, such as hf-beyond-lora."""
    measure: str
    """cards_exactly_one, image_type, github_import, ..."""
    technique: str | None
    count: int | None
    total: int | None
    share: float | None
    published_on: str | None
    url: str | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class BenchRun(Record):
    """One fine-tuning run, published by others or our own."""

    TABLE: ClassVar[str] = "bench_run"
    KEY: ClassVar[tuple[str, ...]] = ("run_id",)

    run_id: str
    origin: str
    """peft-method-comparison, or own."""
    task: str
    experiment: str
    technique: str | None
    """Registry key of the base technique (or full_finetuning)."""
    variant: str | None
    """Registry key of the most specific variant that the config's values show."""
    peft_type: str | None
    status: str
    model_id: str | None = None
    created_at: datetime | None = None
    seed: int | None = None
    commit: str | None = None
    """Commit of the repository the result file was read from."""
    snapshot_on: str | None = None
    """Date of that commit, ISO."""
    is_current: bool | None = None
    """Newest result of this experiment from this origin."""
    path: str | None = None
    accelerator: str | None = None
    peft_version: str | None = None
    torch_version: str | None = None
    transformers_version: str | None = None
    learning_rate: float | None = None
    rank: int | None = None
    config: str | None = None
    """adapter_config and training parameters as used, JSON text."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class BenchMetric(Record):
    """One measured value of one run."""

    TABLE: ClassVar[str] = "bench_metric"
    KEY: ClassVar[tuple[str, ...]] = ("run_id", "name")

    run_id: str
    name: str
    """test_accuracy, forgetting, peak_memory, train_time, total_time, checkpoint_size, trainable_parameters, ..."""
    value: float
    unit: str
    """share, nats, bytes, seconds, parameters, ..."""
    direction: Literal["higher", "lower", "none"]


@dataclass(frozen=True, slots=True)
class BenchItem(Record):
    """One question of one run."""

    TABLE: ClassVar[str] = "bench_item"
    KEY: ClassVar[tuple[str, ...]] = ("run_id", "item_id")

    run_id: str
    item_id: str
    correct: bool | None
    answer: str | None = None
    reference: str | None = None
    nll: float | None = None


@dataclass(frozen=True, slots=True)
class DumpFile(Record):
    """A bulk file that was imported: what it was, exactly."""

    TABLE: ClassVar[str] = "dump_file"
    KEY: ClassVar[tuple[str, ...]] = ("source", "path")

    source: str
    path: str
    revision: str | None
    sha256: str
    bytes: int
    rows: int
    columns: tuple[str, ...] = ()
    imported_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Failure(Record):
    """One item that could not be read, counted by `hubstats status`. Nothing is dropped in silence."""

    TABLE: ClassVar[str] = "failure"
    KEY: ClassVar[tuple[str, ...]] = ("source", "subject_id", "item")

    source: str
    subject_id: str
    item: str
    """README.md, adapter_config.json, page, row 17, ..."""
    reason: str
    """A FileStatus, or http_500, not_json, not_utf8, no_id, ..."""
    detail: str | None = None
    """One line: what happened and what to do."""
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Detection(Record):
    """One piece of evidence that a subject names or uses a technique."""

    TABLE: ClassVar[str] = "detection"
    KEY: ClassVar[tuple[str, ...]] = ("source", "subject_id")
    """A subject's detections are replaced together."""

    source: str
    subject_id: str
    technique: str
    evidence_kind: EvidenceKind
    span_start: int | None
    """Character offsets into the text the evidence came from (card, or config JSON); None for tags of a listing."""
    span_end: int | None
    excerpt: str
    """At most 160 characters, as found: hostile text, escape it before showing."""
    detector_version: str
    rule: str | None = None
    """Which rule fired, such as config:use_dora, alias:LoRA, trainer:axolotl."""
    use: bool = True
    """False: a mention that does not show use (negation, comparison, list of supported methods, citation, how-to)."""


@dataclass(frozen=True, slots=True)
class Verdict(Record):
    """What one subject uses, by its strongest evidence. One row per subject."""

    TABLE: ClassVar[str] = "verdict"
    KEY: ClassVar[tuple[str, ...]] = ("source", "subject_id")

    source: str
    subject_id: str
    technique: str | None
    """Registry key of the base technique; an unknown peft_type is `other:<VALUE>`; None when none is established."""
    state: VerdictState
    evidence_kind: EvidenceKind | None
    overlays: tuple[str, ...] = ()
    """Registry keys of variants and recipes on top: dora, rslora, qlora, ..."""
    techniques: tuple[str, ...] = ()
    """All base techniques used (several), or the rival ones (conflict)."""
    mentions: tuple[str, ...] = ()
    """Every technique the card names anywhere, variants by their own key."""
    blog_technique: str | None = None
    """The one technique named, where exactly one is: the rule of 'Beyond LoRA'. None otherwise."""
    blog_technique_folded: str | None = None
    """The same with QLoRA counted as LoRA."""
    template: str | None = None
    """The tool whose template the card is: peft, trl, axolotl, unsloth, llama-factory, diffusers, mergekit, ..."""
    note: str | None = None
    detector_version: str = ""


@dataclass(frozen=True, slots=True)
class Estimate(Record):
    """One estimated share, with what it rests on."""

    TABLE: ClassVar[str] = "estimate"
    KEY: ClassVar[tuple[str, ...]] = ("estimate_id",)

    estimate_id: str
    source: str
    measure: str
    """repositories, authors, downloads, files, checkpoints, ..."""
    rule: str
    """evidence (ours), blog, blog_folded, ..."""
    technique: str
    count: float | None
    """Weighted count of subjects with the technique."""
    total: float | None
    """Weighted count of subjects it is a share of."""
    share: float | None
    low: float | None
    high: float | None
    """Inner 95% interval: sampling and clustering only."""
    outer_low: float | None
    outer_high: float | None
    """Worst case over subjects that could not be seen."""
    subjects: int
    """Sampled subjects it rests on, unweighted."""
    effective_size: float | None
    design_effect: float | None
    method: str
    detector_version: str
    as_of: datetime | None
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class FamilyEstimate(Record):
    """One estimated share of a family of techniques; fields as in Estimate."""

    TABLE: ClassVar[str] = "family_estimate"
    KEY: ClassVar[tuple[str, ...]] = ("estimate_id",)

    estimate_id: str
    source: str
    measure: str
    rule: str
    family: str
    """low-rank, orthogonal, ...; unknown: of techniques that the registry does not know."""
    count: float | None
    total: float | None
    share: float | None
    low: float | None
    high: float | None
    outer_low: float | None
    outer_high: float | None
    subjects: int
    effective_size: float | None
    design_effect: float | None
    method: str
    detector_version: str
    as_of: datetime | None
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class PopulationSize(Record):
    """How many adapters there are, from two sources that overlap."""

    TABLE: ClassVar[str] = "population_size"
    KEY: ClassVar[tuple[str, ...]] = ("population_id",)

    population_id: str
    source: str
    """The source with the stronger evidence of the two."""
    other_source: str
    rule: str
    """listing: what listings call an adapter; evidence: shown to use a technique."""
    technique: str | None
    """Registry key; None: adapters of any technique."""
    in_both: int
    """Repositories in both sources."""
    only_source: int
    only_other: int
    estimate: float
    """Repositories in all, those of neither source included."""
    low: float
    high: float
    """95% interval; never below what was seen."""
    overdispersion: float
    """Variance over that of repositories that come one by one: authors' repositories come together."""
    created_before: datetime | None
    """Only repositories created by then count; None: no creation dates."""
    method: str
    as_of: datetime | None
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class FrameCoverage(Record):
    """What a dump and the census by the listing have in common, among repositories that are as old as both."""

    TABLE: ClassVar[str] = "frame_coverage"
    KEY: ClassVar[tuple[str, ...]] = ("coverage_id",)

    coverage_id: str
    source: str
    """The dump."""
    census: str
    """The source whose listing is the census."""
    unit: str
    """adapters (what either calls so) or repositories."""
    in_both: int
    only_source: int
    """Deleted or made private since, or outside of what was listed."""
    only_census: int
    covered: float | None
    """Part of the census that the dump has; None where the census has none."""
    created_before: datetime | None
    """Creation of the newest repository of the older of the two."""
    source_as_of: datetime | None
    """Creation of the newest repository of the dump."""
    census_as_of: datetime | None
    method: str
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class NotEstimated(Record):
    """A figure that could not be made, and why."""

    TABLE: ClassVar[str] = "not_estimated"
    KEY: ClassVar[tuple[str, ...]] = ("source", "measure", "rule")

    source: str
    measure: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Basis(Record):
    """What the figures of one source rest on: the rows of one input, with the crawl and the sample they came from."""

    TABLE: ClassVar[str] = "basis"
    KEY: ClassVar[tuple[str, ...]] = ("basis_id",)

    basis_id: str
    source: str | None
    """Source, or origin of runs; None: rows of no source of their own."""
    input: str
    """Name of the inputs/*.sql."""
    input_sha256: str
    """Of its text."""
    rows: int
    as_of: datetime | None
    """Newest moment in the rows; None: they have none."""
    crawl_id: int | None
    """Last crawl that read the source."""
    crawl_state: str | None
    crawled_at: datetime | None
    """End of that crawl, or its start where it did not end."""
    endpoint: str | None
    seed: int | None
    """Of the newest sample; None: nothing was sampled."""
    design: str | None
    strata: int | None
    sample_size: int | None
    frame_size: int | None
    detector_version: str
    hubstats_version: str
    method: str
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class Reconciliation(Record):
    """One step on the way from a published share to ours."""

    TABLE: ClassVar[str] = "reconciliation"
    KEY: ClassVar[tuple[str, ...]] = ("reconciliation_id",)

    reconciliation_id: str
    figure_id: str
    """Published figure that the chain starts from."""
    source: str
    measure: str
    """Of the published figure: cards_exactly_one, image_type, image_type_peft, github_import."""
    technique: str
    step: int
    """0 for the published figure itself."""
    rule: str
    """published, words, shown_use, ..., evidence, authors."""
    follows: str | None
    """Rule that the effect is the difference to."""
    side: bool
    """Stands beside the chain: compared with `follows`, and nothing builds upon it."""
    change: str
    """What changes about the rule, one line."""
    count: float | None
    total: float | None
    share: float
    low: float | None
    high: float | None
    """95% interval of the share; None for a figure that comes without items."""
    effect: float | None
    """This share less the one it follows, over the same items; in [-1, 1]."""
    effect_low: float | None
    effect_high: float | None
    """95% interval of the difference: what both shares have in common cancels."""
    items: int | None
    """Items that count by this rule, unweighted."""
    method: str
    detector_version: str
    as_of: datetime | None
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class TrendPoint(Record):
    """One technique's share among what was created in one month, or with one version of PEFT."""

    TABLE: ClassVar[str] = "trend"
    KEY: ClassVar[tuple[str, ...]] = ("trend_id",)

    trend_id: str
    source: str
    rule: str
    """evidence, overlay, blog: as in Estimate."""
    technique: str
    period_kind: Literal["month", "peft_version"]
    period: str
    """2025-07, or a minor version such as 0.16."""
    starts_on: date | None
    """First day of the month, or the day of the release; None: no release of that version is known."""
    count: float
    total: float
    share: float
    low: float | None
    high: float | None
    """95% interval of this point; None where a single author is behind it."""
    smooth: float | None
    smooth_low: float | None
    smooth_high: float | None
    """The smoothed share and its 95% interval; None by version."""
    subjects: int
    """Items of the period, unweighted."""
    effective_size: float | None
    smoothing: str | None
    method: str
    detector_version: str
    as_of: datetime | None
    caveat: str | None = None


EventKind = Literal["tooling", "release", "site"]


@dataclass(frozen=True, slots=True)
class Event(Record):
    """Something that happened to a tool or a site, to be seen beside the trend."""

    TABLE: ClassVar[str] = "event"
    KEY: ClassVar[tuple[str, ...]] = ("event_id",)

    event_id: str
    happened_on: date
    """UTC."""
    kind: EventKind
    what: str
    link: str
    peft_version: str | None
    """Minor version: of a release its own, of tooling the one that brought it."""
    techniques: tuple[str, ...]
    """Registry keys that a release brought."""
    method: str
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class Concentration(Record):
    """How much of a technique is a few authors' work."""

    TABLE: ClassVar[str] = "concentration"
    KEY: ClassVar[tuple[str, ...]] = ("concentration_id",)

    concentration_id: str
    source: str
    technique: str | None
    """None: all techniques together."""
    items: float
    """Items of known authors, weighted to the frame; several techniques share one equally."""
    items_read: int
    authors: int
    """Authors of whom an item was read."""
    largest: float
    """Part of the items that belongs to the author with the most."""
    largest_low: float | None
    largest_high: float | None
    """95% interval of that author's part of the frame; None where nothing was sampled, or it cannot be said."""
    top5: float
    top10: float
    effective_authors: float
    """Authors of equal size that would be as concentrated: 1 over the sum of squared parts."""
    mass_uploaders: int
    """Of the authors, those flagged by the rule of MassUploader."""
    mass_part: float
    """Part of the items that belongs to them."""
    method: str
    detector_version: str
    as_of: datetime | None
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class MassUploader(Record):
    """An author whose uploads are many at once, or a large part of a source."""

    TABLE: ClassVar[str] = "mass_uploader"
    KEY: ClassVar[tuple[str, ...]] = ("uploader_id",)

    uploader_id: str
    source: str
    author_hash: str
    """Hash of the name with this file's salt."""
    uploads: int
    """Listed uploads, of any kind."""
    part: float
    """Of all listed uploads of the source."""
    busiest_on: date | None
    """Day with the most of them; None: no dates."""
    busiest: int
    """Uploads of that day."""
    reason: Literal["day", "part", "day and part"]
    method: str
    as_of: datetime | None
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class MentionRecall(Record):
    """How well card mentions tell what configs prove, and the mention share corrected by it."""

    TABLE: ClassVar[str] = "mention_recall"
    KEY: ClassVar[tuple[str, ...]] = ("recall_id",)

    recall_id: str
    source: str
    """Whose cards the mention share is of."""
    measured_on: str
    """Whose cards with a readable config beside them recall and precision are of."""
    rule: Literal["named", "named_or_variant"]
    """named: the technique itself; named_or_variant: it, or a variant or recipe of it."""
    technique: str
    configs: int
    """Cards beside a config that says the technique, unweighted."""
    naming: int
    """Cards that name it beside a readable config, whatever it says."""
    agreeing: int
    """Cards that name it beside a config that says it."""
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    """P(card names it | config says it), with its 95% interval; None: no config says it."""
    precision: float | None
    precision_low: float | None
    precision_high: float | None
    """P(config says it | card names it); None: no such card names it."""
    cards: int
    """Readable cards of adapters of the source, unweighted."""
    mention_share: float
    mention_low: float | None
    mention_high: float | None
    """Part of those cards that name it."""
    corrected_share: float | None
    corrected_low: float | None
    corrected_high: float | None
    """mention_share * precision / recall; None where too few cards both name it and have it proven."""
    method: str
    detector_version: str
    as_of: datetime | None
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class RunStanding(Record):
    """One successful run: how sure its score is, and whether it can be told from the best of its task."""

    TABLE: ClassVar[str] = "run_standing"
    KEY: ClassVar[tuple[str, ...]] = ("standing_id",)

    standing_id: str
    run_id: str
    origin: str
    task: str
    model_id: str | None
    experiment: str
    technique: str | None
    variant: str | None
    metric: str
    """test_accuracy (a share), similarity (a cosine), or token_accuracy (a share) of runs that answer no questions."""
    score: float
    questions: int | None
    """Test questions the accuracy is a share of; None: not known, or no questions."""
    low: float | None
    high: float | None
    """95% interval for other questions of the same kind; the run as it is."""
    question_error: float | None
    """Half the interval over 1.96."""
    runs: int
    """Results of the experiment that repeat its newest one, itself included."""
    sd: float | None
    """Standard deviation of these; None for one alone."""
    repeats_newest: bool
    """False: made with other settings than the newest result of the same name."""
    pooled_sd: float | None
    """Standard deviation of one result within its experiment, over all experiments compared with it."""
    pooled_degrees: int
    pooled_runs: int
    pooled_experiments: int
    """Degrees of freedom of pooled_sd; the results and experiments with two results or more behind it."""
    standard_error: float | None
    """sqrt(question_error^2 + pooled_sd^2); None where nothing was repeated."""
    degrees: float | None
    """Degrees of freedom of standard_error (Satterthwaite); None: infinitely many, or not known."""
    behind_best: float | None
    """Best score of the task less this one, each the mean of its experiment's current runs."""
    tied_with_best: bool | None
    """May be the best at 95%, multiple comparisons allowed for; None: superseded, or cannot be said."""
    compared: int
    """Experiments in the comparison."""
    state: str
    """current or superseded (withdrawn included)."""
    superseded_by: str | None
    """Run that is now the newest of the experiment; None: current, or withdrawn."""
    method: str
    as_of: datetime | None
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class Frontier(Record):
    """Whether no other run beats a current one on score and one cost at once, and how sure that is."""

    TABLE: ClassVar[str] = "frontier"
    KEY: ClassVar[tuple[str, ...]] = ("frontier_id",)

    frontier_id: str
    origin: str
    task: str
    model_id: str | None
    metric: str
    cost_metric: str
    """peak_memory, train_time, checkpoint_size, trainable_parameters, forgetting, drift: less is better."""
    run_id: str
    """The newest current run; score and cost are means where there are several."""
    experiment: str
    technique: str | None
    variant: str | None
    score: float
    cost: float
    cost_unit: str
    on_frontier: bool
    probability: float | None
    """Of being on it if all runs were made again; None: nothing was repeated."""
    probability_error: float | None
    """Monte-Carlo standard error of the probability."""
    draws: int
    runs: int
    """Runs compared."""
    method: str
    as_of: datetime | None
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedClaim(Record):
    """What someone published about performance, checked against the newest results in the file."""

    TABLE: ClassVar[str] = "published_claim"
    KEY: ClassVar[tuple[str, ...]] = ("claim_id",)

    claim_id: str
    origin: str
    published_on: str
    url: str
    says: str
    rule: str
    """value (a printed figure), on_frontier, off_frontier, dominates."""
    task: str
    experiment: str | None
    metric: str
    metric_version: str | None
    """Which definition, for metrics that had two: values of two versions are never compared."""
    cost_metric: str | None
    printed: str | None
    printed_unit: str | None
    """What the printed number means: GB is 10^9 bytes, GiB 2^30, whatever the text says."""
    value: float | None
    """The printed figure as a share, in bytes, ..."""
    state: str
    """current, superseded, unconfirmed, not checkable."""
    matched_run: str | None
    matched_on: str | None
    """Newest run that rounds to the printed figure, and its date."""
    value_now: float | None
    change: float | None
    """value_now less value."""
    superseded_by: str | None
    superseded_on: str | None
    """Run that the claim no longer holds of, or that now beats it, and its date."""
    note: str | None
    method: str
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class TechniqueRow(Record):
    """One technique of the registry, as analysts see it in the file."""

    TABLE: ClassVar[str] = "technique"
    KEY: ClassVar[tuple[str, ...]] = ("key",)

    key: str
    name: str
    family: str
    kind: str
    parent: str | None
    library: str | None
    peft_type: str | None
    config_class: str | None
    since: str | None
    paper: str | None
    paper_year: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class TechniqueCapability(Record):
    """Whether a technique can do one thing, as asked of an installed library."""

    TABLE: ClassVar[str] = "technique_capability"
    KEY: ClassVar[tuple[str, ...]] = ("technique", "capability")

    technique: str
    capability: str
    able: bool | None
    """None: unknown."""
    label: Literal["introspected", "probed", "unknown"]
    detail: str
    """What was seen, or why it is not known."""
    library: str
    library_version: str
    asked_on: date
    device: str


@dataclass(frozen=True, slots=True)
class Document:
    """All that is known of one subject, for the detector. Not a table: built from several."""

    source: str
    subject_id: str
    card: str | None = None
    config: str | None = None
    """adapter_config.json as text."""
    tags: tuple[str, ...] = ()
    """From the listing; the card's own front matter is read from `card`."""
    library_name: str | None = None
    base_model: str | None = None
    weight_files: tuple[str, ...] = ()
    site_type: str | None = None
    """Type field of an image site."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a source hands over at once, and where to go on after it.

    The cursor is saved only once the records are on disk, so a killed crawl asks for at most one page twice.
    """

    records: tuple[Record, ...]
    scope: str = ""
    """Which of the source's walks the cursor belongs to: 'listing', 'LoraConfig', ..."""
    cursor: str | None = None
    """Opaque to all but the source. None: nothing to save with this page."""
    done: bool = False
    """The walk `scope` has ended; the saved cursor says where a later increment starts."""
    expected: int | None = None
    """Items in the whole walk, when the source knows."""
    items: int | None = None
    """Items this page stands for in the progress bar; None: len(records)."""
    tables: Mapping[str, polars.DataFrame] = field(default_factory=dict)
    """Rows that come by the thousand, as frames: table -> rows in columns of the table's names, no key twice."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One repository whose files a sample asks for."""

    model_id: str
    has_card: bool | None = None
    has_adapter_config: bool | None = None
    last_modified: datetime | None = None
    """As listed; kept with each file, so that a later change of the repository shows."""
    files: tuple[str, ...] = ("README.md", "adapter_config.json")
    """Files still wanted; those already in the store and unchanged are left out."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the command line asks of a source. A source reads what concerns it and ignores the rest."""

    sample: int | None = None
    """Items to sample (hub: repositories, civitai: checkpoints, github: files a query); None: the default."""
    seed: int = 0
    design: Literal["stratified", "simple"] | None = None
    """How the hub's repositories are drawn; None: as those of this seed in the file were, else stratified."""
    path: str | None = None
    revision: str | None = None
    filters: tuple[str, ...] = ()
    """Hub tags that the frame is restricted to."""
    workers: int = 8
    refresh: bool = False
    keep_text: bool = False
    """Of a dump: the text of every card goes into the file, not only of those that show or name a technique."""
    extra: Mapping[str, Any] = field(default_factory=dict)
