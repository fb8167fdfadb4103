-- The first schema. Times are TIMESTAMP in UTC, sizes are bytes, shares lie in [0, 1], unknown is NULL.

CREATE TABLE crawl (
    crawl_id INTEGER PRIMARY KEY,
    source VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    endpoint VARCHAR,
    state VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    options VARCHAR,
    counters VARCHAR,
    message VARCHAR,
    hubstats_version VARCHAR NOT NULL
);
COMMENT ON TABLE crawl IS 'One call of crawl or import on one source';
COMMENT ON COLUMN crawl.crawl_id IS 'Number of the call, from 1';
COMMENT ON COLUMN crawl.source IS 'Source name: hub, github, civitai, dump, code, snapshot, published, cards, configs';
COMMENT ON COLUMN crawl.kind IS 'live (a server was asked), import (local files), snapshot (facts embedded in the package)';
COMMENT ON COLUMN crawl.endpoint IS 'URL or path that was read';
COMMENT ON COLUMN crawl.state IS 'running, done, interrupted (resumes), failed (see message; resumes)';
COMMENT ON COLUMN crawl.started_at IS 'UTC';
COMMENT ON COLUMN crawl.finished_at IS 'UTC; NULL while running or when the process was killed';
COMMENT ON COLUMN crawl.options IS 'What was asked, JSON: sample, seed, filters, path, revision';
COMMENT ON COLUMN crawl.counters IS 'What it cost, JSON: requests, bytes, records, quota left per bucket';
COMMENT ON COLUMN crawl.message IS 'Why it stopped, one line, when it did not end well';
COMMENT ON COLUMN crawl.hubstats_version IS 'Version of hubstats that wrote the rows';

CREATE TABLE crawl_cursor (
    source VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    cursor VARCHAR,
    done BOOLEAN NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (source, scope)
);
COMMENT ON TABLE crawl_cursor IS 'Where each walk of each source goes on; written after the rows it stands for';
COMMENT ON COLUMN crawl_cursor.source IS 'Source name';
COMMENT ON COLUMN crawl_cursor.scope IS 'Which walk: listing, changed, a config class, a repository';
COMMENT ON COLUMN crawl_cursor.cursor IS 'Opaque to all but the source';
COMMENT ON COLUMN crawl_cursor.done IS 'The walk reached its end; the cursor is where the next increment starts';
COMMENT ON COLUMN crawl_cursor.updated_at IS 'UTC';

CREATE TABLE failure (
    source VARCHAR NOT NULL,
    subject_id VARCHAR NOT NULL,
    item VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    detail VARCHAR,
    failed_at TIMESTAMP,
    PRIMARY KEY (source, subject_id, item)
);
COMMENT ON TABLE failure IS 'Items that could not be read: nothing is dropped in silence';
COMMENT ON COLUMN failure.source IS 'Source name';
COMMENT ON COLUMN failure.subject_id IS 'Repository, file, page or row concerned';
COMMENT ON COLUMN failure.item IS 'What of it: README.md, adapter_config.json, page, row';
COMMENT ON COLUMN failure.reason IS 'Short reason, to count by';
COMMENT ON COLUMN failure.detail IS 'One line: what happened and what to do';
COMMENT ON COLUMN failure.failed_at IS 'UTC';

CREATE TABLE hub_model (
    source VARCHAR NOT NULL,
    model_id VARCHAR NOT NULL,
    author VARCHAR,
    created_at TIMESTAMP,
    last_modified TIMESTAMP,
    downloads BIGINT,
    likes BIGINT,
    tags VARCHAR[],
    library_name VARCHAR,
    pipeline_tag VARCHAR,
    base_model VARCHAR,
    base_model_relation VARCHAR,
    gated BOOLEAN,
    disabled BOOLEAN,
    has_card BOOLEAN,
    has_adapter_config BOOLEAN,
    weight_files VARCHAR[],
    seen_at TIMESTAMP,
    PRIMARY KEY (source, model_id)
);
COMMENT ON TABLE hub_model IS 'Model repositories as a listing of the Hub, or a dump of it, shows them: the frame of the sample';
COMMENT ON COLUMN hub_model.source IS 'hub (listing) or dump';
COMMENT ON COLUMN hub_model.model_id IS 'Repository id, owner/name';
COMMENT ON COLUMN hub_model.author IS 'Owner; hashed in anything published';
COMMENT ON COLUMN hub_model.created_at IS 'UTC; 2022-03-02 stands for that day or any earlier one';
COMMENT ON COLUMN hub_model.last_modified IS 'UTC';
COMMENT ON COLUMN hub_model.downloads IS 'Downloads in the last 30 days, read before any file of the repository was fetched';
COMMENT ON COLUMN hub_model.likes IS 'Likes';
COMMENT ON COLUMN hub_model.tags IS 'Tags as listed, among them those the Hub adds itself';
COMMENT ON COLUMN hub_model.library_name IS 'Library the Hub shows';
COMMENT ON COLUMN hub_model.pipeline_tag IS 'Task the Hub shows';
COMMENT ON COLUMN hub_model.base_model IS 'First base model named by the tags';
COMMENT ON COLUMN hub_model.base_model_relation IS 'adapter, merge, quantized, finetune; inferred by the Hub or set by the uploader';
COMMENT ON COLUMN hub_model.gated IS 'Terms must be accepted before files can be read';
COMMENT ON COLUMN hub_model.disabled IS 'Switched off by the Hub';
COMMENT ON COLUMN hub_model.has_card IS 'README.md is in the file list; NULL: no file list was given';
COMMENT ON COLUMN hub_model.has_adapter_config IS 'adapter_config.json is in the file list; NULL: no file list was given';
COMMENT ON COLUMN hub_model.weight_files IS 'Names of weight files in the file list, at most 50';
COMMENT ON COLUMN hub_model.seen_at IS 'UTC; when this row was listed';

CREATE TABLE model_card (
    source VARCHAR NOT NULL,
    model_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    text VARCHAR,
    bytes BIGINT,
    etag VARCHAR,
    detail VARCHAR,
    fetched_at TIMESTAMP,
    listed_version TIMESTAMP,
    PRIMARY KEY (source, model_id)
);
COMMENT ON TABLE model_card IS 'README.md of sampled, dumped or imported repositories, or why there is none';
COMMENT ON COLUMN model_card.source IS 'hub, dump or cards';
COMMENT ON COLUMN model_card.model_id IS 'Repository id; for imported folders the relative path without suffix';
COMMENT ON COLUMN model_card.status IS 'ok, missing, gated, disabled, unavailable, too_large, malformed, failed';
COMMENT ON COLUMN model_card.text IS 'The card; hostile text, never render it unescaped';
COMMENT ON COLUMN model_card.bytes IS 'Size as served';
COMMENT ON COLUMN model_card.etag IS 'Entity tag of the server';
COMMENT ON COLUMN model_card.detail IS 'Why the status is what it is';
COMMENT ON COLUMN model_card.fetched_at IS 'UTC';
COMMENT ON COLUMN model_card.listed_version IS 'last_modified of the repository when the file was asked for, UTC';

CREATE TABLE adapter_config (
    source VARCHAR NOT NULL,
    model_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    peft_type VARCHAR,
    config VARCHAR,
    bytes BIGINT,
    etag VARCHAR,
    detail VARCHAR,
    fetched_at TIMESTAMP,
    listed_version TIMESTAMP,
    PRIMARY KEY (source, model_id)
);
COMMENT ON TABLE adapter_config IS 'adapter_config.json of sampled or imported repositories, or why there is none';
COMMENT ON COLUMN adapter_config.source IS 'hub, configs, code or snapshot';
COMMENT ON COLUMN adapter_config.model_id IS 'Repository id; for imported folders the relative path without suffix; for code repository:path';
COMMENT ON COLUMN adapter_config.status IS 'ok, missing, gated, disabled, unavailable, too_large, malformed, failed';
COMMENT ON COLUMN adapter_config.peft_type IS 'As written in the file, known to PEFT or not';
COMMENT ON COLUMN adapter_config.config IS 'The JSON text as served (snapshot: the keys that decide the technique)';
COMMENT ON COLUMN adapter_config.bytes IS 'Size as served';
COMMENT ON COLUMN adapter_config.etag IS 'Entity tag of the server';
COMMENT ON COLUMN adapter_config.detail IS 'Why the status is what it is';
COMMENT ON COLUMN adapter_config.fetched_at IS 'UTC';
COMMENT ON COLUMN adapter_config.listed_version IS 'last_modified of the repository when the file was asked for, UTC';

CREATE TABLE code_file (
    source VARCHAR NOT NULL,
    repo VARCHAR NOT NULL,
    revision VARCHAR,
    path VARCHAR NOT NULL,
    blob_sha VARCHAR,
    status VARCHAR NOT NULL,
    role VARCHAR,
    parser VARCHAR,
    bytes BIGINT,
    text VARCHAR,
    detail VARCHAR,
    fetched_at TIMESTAMP,
    PRIMARY KEY (source, repo, path)
);
COMMENT ON TABLE code_file IS 'Python files and notebooks that name peft';
COMMENT ON COLUMN code_file.source IS 'github, code or snapshot';
COMMENT ON COLUMN code_file.repo IS 'Repository, owner/name, or the folder imported';
COMMENT ON COLUMN code_file.revision IS 'Commit it was read at; NULL where the search gives none (the blob pins the content)';
COMMENT ON COLUMN code_file.path IS 'Path inside the repository';
COMMENT ON COLUMN code_file.blob_sha IS 'Git blob hash of the content: equal content, equal hash';
COMMENT ON COLUMN code_file.status IS 'ok, missing, disabled, unavailable, too_large, malformed, failed';
COMMENT ON COLUMN code_file.role IS 'use, library, test, docs, vendored';
COMMENT ON COLUMN code_file.parser IS 'ast, or fallback where the file is not Python 3';
COMMENT ON COLUMN code_file.bytes IS 'Size';
COMMENT ON COLUMN code_file.text IS 'Content; github keeps it once per blob, other sources only when asked to';
COMMENT ON COLUMN code_file.detail IS 'Why the status or parser is what it is';
COMMENT ON COLUMN code_file.fetched_at IS 'UTC';

CREATE TABLE code_import (
    source VARCHAR NOT NULL,
    repo VARCHAR NOT NULL,
    revision VARCHAR,
    path VARCHAR NOT NULL,
    cell INTEGER,
    form VARCHAR NOT NULL,
    module VARCHAR NOT NULL,
    name VARCHAR,
    alias VARCHAR,
    line INTEGER NOT NULL,
    technique VARCHAR,
    adjacent BOOLEAN
);
COMMENT ON TABLE code_import IS 'Names taken from peft by each file, and calls that construct a config';
COMMENT ON COLUMN code_import.source IS 'github, code or snapshot';
COMMENT ON COLUMN code_import.repo IS 'Repository, owner/name, or the folder imported';
COMMENT ON COLUMN code_import.revision IS 'Commit it was read at';
COMMENT ON COLUMN code_import.path IS 'Path inside the repository';
COMMENT ON COLUMN code_import.cell IS 'Cell of a notebook, from 0; NULL in a .py file';
COMMENT ON COLUMN code_import.form IS 'from, import, star, attribute, importlib, construct, config_dict';
COMMENT ON COLUMN code_import.module IS 'Module named, such as peft or peft.tuners.lora';
COMMENT ON COLUMN code_import.name IS 'Name taken or constructed';
COMMENT ON COLUMN code_import.alias IS 'Name it goes by in the file, when another';
COMMENT ON COLUMN code_import.line IS 'Line in the file or cell, from 1';
COMMENT ON COLUMN code_import.technique IS 'Registry key, when the name is a config class or peft_type';
COMMENT ON COLUMN code_import.adjacent IS 'The line reads from peft import NAME: what a text search for that phrase finds; NULL: not looked at';

CREATE TABLE search_count (
    source VARCHAR NOT NULL,
    query VARCHAR NOT NULL,
    technique VARCHAR,
    total_count BIGINT,
    incomplete BOOLEAN,
    harvested BIGINT,
    slices INTEGER,
    asked_at TIMESTAMP,
    PRIMARY KEY (source, query)
);
COMMENT ON TABLE search_count IS 'What a code search said about each query; its totals are known to be unreliable';
COMMENT ON COLUMN search_count.source IS 'github';
COMMENT ON COLUMN search_count.query IS 'Query text as sent';
COMMENT ON COLUMN search_count.technique IS 'Registry key of the config class asked for';
COMMENT ON COLUMN search_count.total_count IS 'The server''s total';
COMMENT ON COLUMN search_count.incomplete IS 'The server said it timed out';
COMMENT ON COLUMN search_count.harvested IS 'Files listed, over all slices, repeats removed';
COMMENT ON COLUMN search_count.slices IS 'Slices the query was cut into';
COMMENT ON COLUMN search_count.asked_at IS 'UTC';

CREATE TABLE search_hit (
    source VARCHAR NOT NULL,
    query VARCHAR NOT NULL,
    repo VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    technique VARCHAR,
    blob_sha VARCHAR,
    fork BOOLEAN,
    slice VARCHAR,
    fragments VARCHAR[],
    found_at TIMESTAMP,
    PRIMARY KEY (source, query, repo, path)
);
COMMENT ON TABLE search_hit IS 'Files that each query of a code search listed: which query found a file decides how it may be counted';
COMMENT ON COLUMN search_hit.source IS 'github';
COMMENT ON COLUMN search_hit.query IS 'Query text as sent';
COMMENT ON COLUMN search_hit.repo IS 'Repository, owner/name';
COMMENT ON COLUMN search_hit.path IS 'Path inside the repository';
COMMENT ON COLUMN search_hit.technique IS 'Registry key of the config class asked for; NULL for the query without one';
COMMENT ON COLUMN search_hit.blob_sha IS 'Git blob hash of the content';
COMMENT ON COLUMN search_hit.fork IS 'The repository is a fork';
COMMENT ON COLUMN search_hit.slice IS 'Range of file sizes it was listed in: the cluster of the sample; NULL: no slicing';
COMMENT ON COLUMN search_hit.fragments IS 'Pieces of the file around the match; hostile text';
COMMENT ON COLUMN search_hit.found_at IS 'UTC';

CREATE TABLE image_checkpoint (
    source VARCHAR NOT NULL,
    checkpoint_id VARCHAR NOT NULL,
    type VARCHAR,
    name VARCHAR,
    creator VARCHAR,
    downloads BIGINT,
    base_model VARCHAR,
    published_at TIMESTAMP,
    nsfw BOOLEAN,
    tags VARCHAR[],
    seen_at TIMESTAMP,
    PRIMARY KEY (source, checkpoint_id)
);
COMMENT ON TABLE image_checkpoint IS 'Uploads on an image site';
COMMENT ON COLUMN image_checkpoint.source IS 'civitai';
COMMENT ON COLUMN image_checkpoint.checkpoint_id IS 'Id on the site';
COMMENT ON COLUMN image_checkpoint.type IS 'Type the uploader chose; the site knows no LoHa or LoKr';
COMMENT ON COLUMN image_checkpoint.name IS 'Title; hostile text';
COMMENT ON COLUMN image_checkpoint.creator IS 'Uploader; hashed in anything published';
COMMENT ON COLUMN image_checkpoint.downloads IS 'All-time downloads; NULL when hidden';
COMMENT ON COLUMN image_checkpoint.base_model IS 'Base model of the newest version';
COMMENT ON COLUMN image_checkpoint.published_at IS 'UTC, oldest version';
COMMENT ON COLUMN image_checkpoint.nsfw IS 'Marked so by the site';
COMMENT ON COLUMN image_checkpoint.tags IS 'Tags';
COMMENT ON COLUMN image_checkpoint.seen_at IS 'UTC; when this row was listed';

CREATE TABLE dump_file (
    source VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    revision VARCHAR,
    sha256 VARCHAR NOT NULL,
    bytes BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    columns VARCHAR[],
    imported_at TIMESTAMP,
    PRIMARY KEY (source, path)
);
COMMENT ON TABLE dump_file IS 'Bulk files that were imported: what they were, exactly';
COMMENT ON COLUMN dump_file.source IS 'dump';
COMMENT ON COLUMN dump_file.path IS 'File name, or dataset and file';
COMMENT ON COLUMN dump_file.revision IS 'Commit of the dataset';
COMMENT ON COLUMN dump_file.sha256 IS 'Hash of the file';
COMMENT ON COLUMN dump_file.bytes IS 'Size';
COMMENT ON COLUMN dump_file.rows IS 'Rows in the file';
COMMENT ON COLUMN dump_file.columns IS 'Its columns';
COMMENT ON COLUMN dump_file.imported_at IS 'UTC';

CREATE TABLE technique (
    key VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    family VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    parent VARCHAR,
    library VARCHAR,
    peft_type VARCHAR,
    config_class VARCHAR,
    since VARCHAR,
    paper VARCHAR,
    paper_year INTEGER,
    note VARCHAR
);
COMMENT ON TABLE technique IS 'The technique registry, copied from the package at each write';
COMMENT ON COLUMN technique.key IS 'Registry key';
COMMENT ON COLUMN technique.name IS 'Name to show';
COMMENT ON COLUMN technique.family IS 'Family: low-rank, orthogonal, soft-prompt, ...';
COMMENT ON COLUMN technique.kind IS 'method, variant, recipe, legacy, external, baseline, confounder';
COMMENT ON COLUMN technique.parent IS 'Technique it is a variant of';
COMMENT ON COLUMN technique.library IS 'Library it lives in';
COMMENT ON COLUMN technique.peft_type IS 'peft_type its config carries';
COMMENT ON COLUMN technique.config_class IS 'Config class in peft';
COMMENT ON COLUMN technique.since IS 'First minor version of peft that has it';
COMMENT ON COLUMN technique.paper IS 'arXiv id';
COMMENT ON COLUMN technique.paper_year IS 'Year of the paper';
COMMENT ON COLUMN technique.note IS 'What to know before believing a count of it';

CREATE TABLE detection (
    source VARCHAR NOT NULL,
    subject_id VARCHAR NOT NULL,
    technique VARCHAR NOT NULL,
    evidence_kind VARCHAR NOT NULL,
    span_start INTEGER,
    span_end INTEGER,
    excerpt VARCHAR NOT NULL,
    detector_version VARCHAR NOT NULL,
    rule VARCHAR,
    "use" BOOLEAN NOT NULL
);
COMMENT ON TABLE detection IS 'Evidence: where a subject names or uses a technique';
COMMENT ON COLUMN detection.source IS 'hub, dump, cards, configs, code, snapshot, civitai';
COMMENT ON COLUMN detection.subject_id IS 'Repository, checkpoint or imported file';
COMMENT ON COLUMN detection.technique IS 'Registry key, or other:VALUE for an unknown peft_type';
COMMENT ON COLUMN detection.evidence_kind IS 'config, weights, trainer, type, tag, code, title, prose, name; strongest first';
COMMENT ON COLUMN detection.span_start IS 'First character in the text the evidence came from, from 0; NULL for a listing''s tags and types';
COMMENT ON COLUMN detection.span_end IS 'One past the last character';
COMMENT ON COLUMN detection.excerpt IS 'The text found, at most 160 characters; hostile text';
COMMENT ON COLUMN detection.detector_version IS 'Version of rules and technique files that produced it';
COMMENT ON COLUMN detection.rule IS 'Rule that fired';
COMMENT ON COLUMN detection."use" IS 'false: a mention that does not show use (negation, comparison, list, citation, how-to)';

CREATE TABLE verdict (
    source VARCHAR NOT NULL,
    subject_id VARCHAR NOT NULL,
    technique VARCHAR,
    state VARCHAR NOT NULL,
    evidence_kind VARCHAR,
    overlays VARCHAR[],
    techniques VARCHAR[],
    mentions VARCHAR[],
    blog_technique VARCHAR,
    blog_technique_folded VARCHAR,
    template VARCHAR,
    note VARCHAR,
    detector_version VARCHAR NOT NULL,
    PRIMARY KEY (source, subject_id)
);
COMMENT ON TABLE verdict IS 'What each subject uses, by its strongest evidence: one row a subject';
COMMENT ON COLUMN verdict.source IS 'hub, dump, cards, configs, code, snapshot, civitai';
COMMENT ON COLUMN verdict.subject_id IS 'Repository, checkpoint or imported file';
COMMENT ON COLUMN verdict.technique IS 'Registry key of the base technique; other:VALUE for an unknown peft_type; NULL for several (see techniques) and where none is established; read it with state';
COMMENT ON COLUMN verdict.state IS 'used, unknown_adapter, merged, several, conflict, mentioned, none';
COMMENT ON COLUMN verdict.evidence_kind IS 'Strongest kind of evidence behind it';
COMMENT ON COLUMN verdict.overlays IS 'Variants and recipes on top of the base technique: dora, rslora, qlora, ...';
COMMENT ON COLUMN verdict.techniques IS 'All base techniques, for several and conflict';
COMMENT ON COLUMN verdict.mentions IS 'Every technique the card names anywhere, variants by their own key';
COMMENT ON COLUMN verdict.blog_technique IS 'The one technique named, where exactly one is: the rule of Beyond LoRA';
COMMENT ON COLUMN verdict.blog_technique_folded IS 'The same with QLoRA counted as LoRA';
COMMENT ON COLUMN verdict.template IS 'Tool whose template the card is';
COMMENT ON COLUMN verdict.note IS 'Rival evidence, or why nothing was established';
COMMENT ON COLUMN verdict.detector_version IS 'Version of rules and technique files that produced it';

CREATE TABLE sample_stratum (
    source VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    stratum VARCHAR NOT NULL,
    frame_size BIGINT NOT NULL,
    sample_size BIGINT NOT NULL,
    drawn_at TIMESTAMP NOT NULL,
    PRIMARY KEY (source, seed, stratum)
);
COMMENT ON TABLE sample_stratum IS 'Strata of the frame, and how many were drawn from each';
COMMENT ON COLUMN sample_stratum.source IS 'Source whose frame it is';
COMMENT ON COLUMN sample_stratum.seed IS 'Seed of the draw';
COMMENT ON COLUMN sample_stratum.stratum IS 'Stratum, from listing facts only';
COMMENT ON COLUMN sample_stratum.frame_size IS 'Repositories in the stratum';
COMMENT ON COLUMN sample_stratum.sample_size IS 'Of these, drawn';
COMMENT ON COLUMN sample_stratum.drawn_at IS 'UTC';

CREATE TABLE sample_frame (
    source VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    model_id VARCHAR NOT NULL,
    stratum VARCHAR NOT NULL,
    draw_rank BIGINT NOT NULL,
    inclusion_probability DOUBLE NOT NULL,
    PRIMARY KEY (source, seed, model_id)
);
COMMENT ON TABLE sample_frame IS 'Repositories drawn, each with the probability it had of being drawn';
COMMENT ON COLUMN sample_frame.source IS 'Source whose frame it is';
COMMENT ON COLUMN sample_frame.seed IS 'Seed of the draw';
COMMENT ON COLUMN sample_frame.model_id IS 'Repository';
COMMENT ON COLUMN sample_frame.stratum IS 'Its stratum';
COMMENT ON COLUMN sample_frame.draw_rank IS 'Place in the seeded order of its stratum, from 1: a larger sample goes on from here';
COMMENT ON COLUMN sample_frame.inclusion_probability IS 'sample_size / frame_size of its stratum';

CREATE TABLE estimate (
    estimate_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    technique VARCHAR NOT NULL,
    count DOUBLE,
    total DOUBLE,
    share DOUBLE,
    low DOUBLE,
    high DOUBLE,
    outer_low DOUBLE,
    outer_high DOUBLE,
    subjects BIGINT NOT NULL,
    effective_size DOUBLE,
    design_effect DOUBLE,
    method VARCHAR NOT NULL,
    detector_version VARCHAR NOT NULL,
    as_of TIMESTAMP,
    caveat VARCHAR
);
COMMENT ON TABLE estimate IS 'Estimated shares, with what each rests on';
COMMENT ON COLUMN estimate.estimate_id IS 'source/measure/rule/technique: for hubstats explain';
COMMENT ON COLUMN estimate.source IS 'Source name';
COMMENT ON COLUMN estimate.measure IS 'What is counted: repositories, authors, downloads, files, checkpoints';
COMMENT ON COLUMN estimate.rule IS 'evidence (ours), blog and blog_folded (card names exactly one technique), first_import, ...';
COMMENT ON COLUMN estimate.technique IS 'Registry key';
COMMENT ON COLUMN estimate.count IS 'Subjects with the technique, weighted to the frame';
COMMENT ON COLUMN estimate.total IS 'Subjects it is a share of, weighted to the frame';
COMMENT ON COLUMN estimate.share IS 'count / total';
COMMENT ON COLUMN estimate.low IS 'Lower end of the 95% interval: sampling and clustering by author';
COMMENT ON COLUMN estimate.high IS 'Upper end of the same';
COMMENT ON COLUMN estimate.outer_low IS 'Lower end of the worst case over what could not be seen';
COMMENT ON COLUMN estimate.outer_high IS 'Upper end of the same';
COMMENT ON COLUMN estimate.subjects IS 'Subjects it rests on, unweighted';
COMMENT ON COLUMN estimate.effective_size IS 'Size of the simple random sample that would be as precise';
COMMENT ON COLUMN estimate.design_effect IS 'Variance over that of a simple random sample of the same size';
COMMENT ON COLUMN estimate.method IS 'How share and interval were made';
COMMENT ON COLUMN estimate.detector_version IS 'Detector behind the verdicts';
COMMENT ON COLUMN estimate.as_of IS 'UTC; newest row it rests on';
COMMENT ON COLUMN estimate.caveat IS 'What the number does not mean';

CREATE TABLE not_estimated (
    source VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    PRIMARY KEY (source, measure, rule)
);
COMMENT ON TABLE not_estimated IS 'Figures that could not be made from what the file holds';
COMMENT ON COLUMN not_estimated.source IS 'Source name';
COMMENT ON COLUMN not_estimated.measure IS 'What would have been counted';
COMMENT ON COLUMN not_estimated.rule IS 'Rule it would have been counted by';
COMMENT ON COLUMN not_estimated.reason IS 'Why not';

CREATE TABLE published_figure (
    figure_id VARCHAR PRIMARY KEY,
    origin VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    technique VARCHAR,
    count BIGINT,
    total BIGINT,
    share DOUBLE,
    published_on VARCHAR,
    url VARCHAR,
    note VARCHAR
);
COMMENT ON TABLE published_figure IS 'Popularity figures that others published';
COMMENT ON COLUMN published_figure.figure_id IS 'Stable id';
COMMENT ON COLUMN published_figure.origin IS 'Publication';
COMMENT ON COLUMN published_figure.measure IS 'What was counted: cards_exactly_one, image_type (of all uploads), image_type_peft (of weight adapters), github_import';
COMMENT ON COLUMN published_figure.technique IS 'Registry key';
COMMENT ON COLUMN published_figure.count IS 'Count, where given';
COMMENT ON COLUMN published_figure.total IS 'Of how many, where given';
COMMENT ON COLUMN published_figure.share IS 'Share as published';
COMMENT ON COLUMN published_figure.published_on IS 'ISO date';
COMMENT ON COLUMN published_figure.url IS 'Where';
COMMENT ON COLUMN published_figure.note IS 'Rule and unit, in our words';

CREATE TABLE bench_run (
    run_id VARCHAR PRIMARY KEY,
    origin VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    technique VARCHAR,
    variant VARCHAR,
    peft_type VARCHAR,
    status VARCHAR NOT NULL,
    model_id VARCHAR,
    created_at TIMESTAMP,
    seed BIGINT,
    commit VARCHAR,
    snapshot_on VARCHAR,
    is_current BOOLEAN,
    path VARCHAR,
    accelerator VARCHAR,
    peft_version VARCHAR,
    torch_version VARCHAR,
    transformers_version VARCHAR,
    learning_rate DOUBLE,
    rank BIGINT,
    config VARCHAR,
    error VARCHAR
);
COMMENT ON TABLE bench_run IS 'Fine-tuning runs, published and our own; never mixed without the origin';
COMMENT ON COLUMN bench_run.run_id IS 'Hash of all that determines the run';
COMMENT ON COLUMN bench_run.origin IS 'peft-method-comparison or own';
COMMENT ON COLUMN bench_run.task IS 'MetaMathQA, image-gen, gsm8k, ...';
COMMENT ON COLUMN bench_run.experiment IS 'Experiment folder, technique/name';
COMMENT ON COLUMN bench_run.technique IS 'Registry key of the base technique, or full_finetuning';
COMMENT ON COLUMN bench_run.variant IS 'Registry key of the variant that the config''s values show';
COMMENT ON COLUMN bench_run.peft_type IS 'As written in the config';
COMMENT ON COLUMN bench_run.status IS 'success, failed, canceled, ...';
COMMENT ON COLUMN bench_run.model_id IS 'Base model';
COMMENT ON COLUMN bench_run.created_at IS 'UTC; when the run was made';
COMMENT ON COLUMN bench_run.seed IS 'Seed';
COMMENT ON COLUMN bench_run.commit IS 'Commit of the repository the result was read from';
COMMENT ON COLUMN bench_run.snapshot_on IS 'Date of that commit';
COMMENT ON COLUMN bench_run.is_current IS 'Newest result of the experiment from its origin; false: superseded';
COMMENT ON COLUMN bench_run.path IS 'Result file in that repository';
COMMENT ON COLUMN bench_run.accelerator IS 'Hardware';
COMMENT ON COLUMN bench_run.peft_version IS 'Version of peft';
COMMENT ON COLUMN bench_run.torch_version IS 'Version of torch';
COMMENT ON COLUMN bench_run.transformers_version IS 'Version of transformers';
COMMENT ON COLUMN bench_run.learning_rate IS 'Learning rate';
COMMENT ON COLUMN bench_run.rank IS 'Rank, for techniques that have one';
COMMENT ON COLUMN bench_run.config IS 'Adapter config and training parameters as used, JSON text';
COMMENT ON COLUMN bench_run.error IS 'Error message of a run that did not succeed';

CREATE TABLE bench_metric (
    run_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    unit VARCHAR NOT NULL,
    direction VARCHAR NOT NULL,
    PRIMARY KEY (run_id, name)
);
COMMENT ON TABLE bench_metric IS 'Measured values of a run; a value that is not there was not measured';
COMMENT ON COLUMN bench_metric.run_id IS 'Run';
COMMENT ON COLUMN bench_metric.name IS 'test_accuracy, forgetting, peak_memory, train_time, ...';
COMMENT ON COLUMN bench_metric.value IS 'Value in its unit';
COMMENT ON COLUMN bench_metric.unit IS 'share, nats, bytes, seconds, parameters, ...';
COMMENT ON COLUMN bench_metric.direction IS 'higher or lower is better, or none';

CREATE TABLE bench_item (
    run_id VARCHAR NOT NULL,
    item_id VARCHAR NOT NULL,
    correct BOOLEAN,
    answer VARCHAR,
    reference VARCHAR,
    nll DOUBLE,
    PRIMARY KEY (run_id, item_id)
);
COMMENT ON TABLE bench_item IS 'Outcome of each question of a run';
COMMENT ON COLUMN bench_item.run_id IS 'Run';
COMMENT ON COLUMN bench_item.item_id IS 'Question';
COMMENT ON COLUMN bench_item.correct IS 'Extracted answer equals the reference';
COMMENT ON COLUMN bench_item.answer IS 'Answer extracted';
COMMENT ON COLUMN bench_item.reference IS 'Reference answer';
COMMENT ON COLUMN bench_item.nll IS 'Negative log-likelihood of the reference answer, nats per token';

CREATE VIEW used_technique AS
SELECT
    verdict.source,
    verdict.subject_id,
    unnest(
        CASE WHEN verdict.state = 'several' THEN verdict.techniques ELSE [verdict.technique] END
    ) AS technique,
    verdict.state,
    verdict.evidence_kind,
    verdict.overlays
FROM verdict
WHERE verdict.state IN ('used', 'several', 'conflict');
COMMENT ON VIEW used_technique IS 'Subjects and the techniques they use: one row a pair; in a conflict the strongest evidence decides; merged and mentioned are left out';

CREATE VIEW current_run AS
SELECT bench_run.*
FROM bench_run
WHERE bench_run.is_current AND bench_run.status = 'success';
COMMENT ON VIEW current_run IS 'The newest successful run of each experiment';

CREATE VIEW run_result AS
SELECT
    bench_run.run_id,
    bench_run.origin,
    bench_run.task,
    bench_run.experiment,
    bench_run.technique,
    bench_run.variant,
    bench_run.created_at,
    bench_run.is_current,
    max(metric.value) FILTER (metric.name = 'test_accuracy') AS accuracy,
    max(metric.value) FILTER (metric.name = 'similarity') AS similarity,
    max(metric.value) FILTER (metric.name = 'forgetting') AS forgetting,
    max(metric.value) FILTER (metric.name = 'peak_memory') AS peak_memory,
    max(metric.value) FILTER (metric.name = 'train_time') AS train_time,
    max(metric.value) FILTER (metric.name = 'total_time') AS total_time,
    max(metric.value) FILTER (metric.name = 'checkpoint_size') AS checkpoint_size,
    max(metric.value) FILTER (metric.name = 'trainable_parameters') AS trainable_parameters
FROM bench_run
JOIN bench_metric AS metric USING (run_id)
WHERE bench_run.status = 'success'
GROUP BY ALL;
COMMENT ON VIEW run_result IS 'One row a successful run with its main metrics side by side; bytes and seconds';

CREATE VIEW hub_frame AS
WITH listed AS (
    SELECT
        source,
        model_id,
        author,
        coalesce(has_adapter_config, false)
        OR coalesce(base_model_relation = 'adapter', false)
        OR coalesce(library_name = 'peft', false)
        OR list_contains(coalesce(tags, []), 'peft') AS is_adapter,
        list_contains(coalesce(tags, []), 'lora') AS tagged_lora,
        regexp_matches(
            lower(model_id || ' ' || array_to_string(coalesce(tags, []), ' ')),
            'lora|lokr|loha|peft|adapter|ia3|dreambooth|textual.?inversion|prefix.?tuning|p-?tuning|prompt.?tuning'
        ) AS names_technique
    FROM hub_model
)

SELECT
    source,
    model_id,
    author,
    CASE
        WHEN is_adapter AND NOT tagged_lora THEN 'adapter, not tagged lora'
        WHEN is_adapter THEN 'adapter, tagged lora'
        WHEN tagged_lora OR names_technique THEN 'no adapter listed, technique in tags or name'
        ELSE 'rest'
    END AS stratum
FROM listed;
COMMENT ON VIEW hub_frame IS 'Every listed repository with its stratum, from listing facts only';

CREATE VIEW subject AS
WITH draw AS (
    SELECT source, arg_max(seed, drawn_at) AS seed
    FROM sample_stratum
    GROUP BY source
),

drawn AS (
    SELECT sample_frame.source, sample_frame.model_id AS subject_id, sample_frame.stratum, stratum.frame_size
    FROM sample_frame
    JOIN draw USING (source, seed)
    JOIN sample_stratum AS stratum USING (source, seed, stratum)
),

item AS (
    SELECT source, subject_id, stratum, frame_size FROM drawn
    UNION ALL
    SELECT source, subject_id, 'all', NULL
    FROM (
        SELECT source, model_id AS subject_id FROM model_card
        UNION
        SELECT source, model_id FROM adapter_config
        UNION
        SELECT source, checkpoint_id FROM image_checkpoint
    )
    WHERE source NOT IN (SELECT source FROM draw)
),

described AS (
    SELECT
        item.source,
        item.subject_id,
        item.stratum,
        item.frame_size,
        coalesce(
            listed.author,
            checkpoint.creator,
            CASE WHEN item.source IN ('hub', 'dump', 'code', 'snapshot') AND contains(item.subject_id, '/')
                THEN split_part(item.subject_id, '/', 1) END
        ) AS author,
        coalesce(listed.downloads, checkpoint.downloads) AS downloads,
        coalesce(listed.created_at, checkpoint.published_at) AS created_at,
        coalesce(listed.base_model, checkpoint.base_model) AS base_model,
        listed.pipeline_tag,
        coalesce(card.status, CASE WHEN NOT listed.has_card THEN 'missing' END) AS card_status,
        coalesce(config.status, CASE WHEN NOT listed.has_adapter_config THEN 'missing' END) AS config_status,
        checkpoint.type AS site_type,
        greatest(card.fetched_at, config.fetched_at, checkpoint.seen_at, listed.seen_at) AS seen_at
    FROM item
    LEFT JOIN hub_model AS listed ON listed.source = item.source AND listed.model_id = item.subject_id
    LEFT JOIN model_card AS card ON card.source = item.source AND card.model_id = item.subject_id
    LEFT JOIN adapter_config AS config ON config.source = item.source AND config.model_id = item.subject_id
    LEFT JOIN image_checkpoint AS checkpoint
        ON checkpoint.source = item.source AND checkpoint.checkpoint_id = item.subject_id
)

SELECT
    described.source,
    described.subject_id,
    described.stratum,
    coalesce(described.frame_size / count(*) OVER (PARTITION BY described.source, described.stratum), 1) AS weight,
    described.author,
    described.downloads,
    described.created_at,
    described.base_model,
    described.pipeline_tag,
    described.card_status,
    described.config_status,
    described.site_type,
    described.seen_at,
    coalesce(verdict.state, 'none') AS state,
    CASE
        WHEN verdict.state = 'several' THEN list_sort(list_distinct(verdict.techniques))
        WHEN verdict.state IN ('used', 'conflict') AND verdict.technique IS NOT NULL THEN [verdict.technique]
        ELSE []
    END AS techniques,
    coalesce(list_sort(list_distinct(verdict.overlays)), []) AS overlays,
    verdict.mentions,
    verdict.blog_technique,
    verdict.blog_technique_folded,
    verdict.detector_version
FROM described
LEFT JOIN verdict ON verdict.source = described.source AND verdict.subject_id = described.subject_id
-- A drawn repository whose files were not asked for yet is as good as not drawn: the weights are of those that were.
WHERE described.frame_size IS NULL OR (described.card_status IS NOT NULL AND described.config_status IS NOT NULL);
COMMENT ON VIEW subject IS 'Every judged item with its weight: how many repositories of the frame a sampled one stands for; 1 where nothing was sampled';

CREATE VIEW adapter AS
SELECT
    subject.source,
    subject.subject_id,
    unnest(subject.techniques) AS technique,
    1 / len(subject.techniques) AS part,
    subject.weight,
    coalesce(subject.author, subject.subject_id) AS author,
    subject.downloads,
    subject.created_at,
    subject.base_model,
    subject.pipeline_tag,
    subject.overlays
FROM subject
WHERE len(subject.techniques) > 0;
COMMENT ON VIEW adapter IS 'Adapters of an established technique: one row a technique, part = 1 / number of techniques, weight as in subject';

CREATE VIEW phrase_import AS
WITH statement AS (
    SELECT
        source,
        repo,
        path,
        technique,
        -- Where no one looked, the name that sorted imports put first stands in: rows have no order of their own.
        coalesce(adjacent, name = min(name) OVER (PARTITION BY source, repo, path, cell, line)) AS found
    FROM code_import
    WHERE form = 'from' AND module = 'peft'
)

SELECT DISTINCT
    statement.source,
    statement.repo,
    statement.path,
    statement.technique,
    file.role,
    file.blob_sha,
    file.fetched_at
FROM statement
JOIN code_file AS file USING (source, repo, path)
WHERE statement.found AND statement.technique IS NOT NULL;
COMMENT ON VIEW phrase_import IS 'What a text search for the phrase from peft import NAME finds: one row a file and config class, whatever the file is';

CREATE VIEW use_import AS
WITH original AS (
    SELECT source, repo, path, fetched_at
    FROM code_file
    WHERE status = 'ok' AND role = 'use'
    QUALIFY row_number() OVER (
        PARTITION BY source, coalesce(blob_sha, repo || '/' || path)
        ORDER BY repo, path
    ) = 1
)

SELECT
    original.source,
    original.repo,
    import.technique,
    bool_or(import.form IN ('construct', 'config_dict')) AS constructs,
    count(DISTINCT original.path) AS files,
    max(original.fetched_at) AS fetched_at
FROM original
JOIN code_import AS import USING (source, repo, path)
WHERE import.technique IS NOT NULL
GROUP BY original.source, original.repo, import.technique;
COMMENT ON VIEW use_import IS 'Techniques in the code of repositories that use peft: tests, docs, library code and copies left out; one row a repository and technique';
