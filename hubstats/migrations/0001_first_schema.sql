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
    seen_at TIMESTAMP
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
    listed_version TIMESTAMP
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

CREATE TABLE technique_capability (
    technique VARCHAR NOT NULL,
    capability VARCHAR NOT NULL,
    able BOOLEAN,
    label VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    library VARCHAR NOT NULL,
    library_version VARCHAR NOT NULL,
    asked_on DATE NOT NULL,
    device VARCHAR NOT NULL,
    PRIMARY KEY (technique, capability)
);
COMMENT ON TABLE technique_capability IS 'What techniques can do, as asked of an installed peft; copied from the package at each write';
COMMENT ON COLUMN technique_capability.technique IS 'Registry key';
COMMENT ON COLUMN technique_capability.capability IS 'merge, to_lora, quantised, several, layer_conv2d, ...';
COMMENT ON COLUMN technique_capability.able IS 'Whether it can; NULL: unknown';
COMMENT ON COLUMN technique_capability.label IS 'probed (a real call, outputs compared), introspected (read off the config class), unknown';
COMMENT ON COLUMN technique_capability.detail IS 'What was seen, or why it is not known';
COMMENT ON COLUMN technique_capability.library IS 'Library that was asked';
COMMENT ON COLUMN technique_capability.library_version IS 'Its version; another one may answer otherwise';
COMMENT ON COLUMN technique_capability.asked_on IS 'Day it was asked';
COMMENT ON COLUMN technique_capability.device IS 'cpu or cuda';

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
    detector_version VARCHAR NOT NULL
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
    design VARCHAR NOT NULL,
    PRIMARY KEY (source, seed, stratum)
);
COMMENT ON TABLE sample_stratum IS 'Strata of the frame, by which design, and how many were drawn from each';
COMMENT ON COLUMN sample_stratum.source IS 'Source whose frame it is';
COMMENT ON COLUMN sample_stratum.seed IS 'Seed of the draw';
COMMENT ON COLUMN sample_stratum.stratum IS 'Stratum, from listing facts only';
COMMENT ON COLUMN sample_stratum.frame_size IS 'Repositories in the stratum';
COMMENT ON COLUMN sample_stratum.sample_size IS 'Of these, drawn';
COMMENT ON COLUMN sample_stratum.drawn_at IS 'UTC';
COMMENT ON COLUMN sample_stratum.design IS 'stratified, or simple: one stratum, all; the same for all strata of a source and seed';

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

CREATE TABLE sample_author (
    source VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    author VARCHAR NOT NULL,
    stratum VARCHAR NOT NULL,
    repositories BIGINT NOT NULL,
    PRIMARY KEY (source, seed, author, stratum)
);
COMMENT ON TABLE sample_author IS 'How many repositories of each stratum the frame holds of each author of whom one was drawn';
COMMENT ON COLUMN sample_author.source IS 'Source whose frame it is';
COMMENT ON COLUMN sample_author.seed IS 'Seed of the draw';
COMMENT ON COLUMN sample_author.author IS 'Owner; hashed in anything published';
COMMENT ON COLUMN sample_author.stratum IS 'Stratum';
COMMENT ON COLUMN sample_author.repositories IS 'Of the author, in the stratum, drawn or not';

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
COMMENT ON COLUMN estimate.rule IS 'evidence (ours), overlay (variants on top), blog and blog_folded (card names exactly one technique), imports_files, imports_repositories, site_type, site_type_all';
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

CREATE TABLE basis (
    basis_id VARCHAR PRIMARY KEY,
    source VARCHAR,
    input VARCHAR NOT NULL,
    input_sha256 VARCHAR NOT NULL,
    rows BIGINT NOT NULL,
    as_of TIMESTAMP,
    crawl_id BIGINT,
    crawl_state VARCHAR,
    crawled_at TIMESTAMP,
    endpoint VARCHAR,
    seed BIGINT,
    design VARCHAR,
    strata BIGINT,
    sample_size BIGINT,
    frame_size BIGINT,
    detector_version VARCHAR NOT NULL,
    hubstats_version VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    caveat VARCHAR
);
COMMENT ON TABLE basis IS 'What the figures of each source rest on: one row a source and input query; hubstats explain prints those of a figure';
COMMENT ON COLUMN basis.basis_id IS 'basis/source/input';
COMMENT ON COLUMN basis.source IS 'Source, or origin of runs; NULL: rows of no source of their own';
COMMENT ON COLUMN basis.input IS 'Name of the input query';
COMMENT ON COLUMN basis.input_sha256 IS 'Hash of its SQL';
COMMENT ON COLUMN basis.rows IS 'Rows it gave of the source';
COMMENT ON COLUMN basis.as_of IS 'Newest moment in these rows, UTC; NULL: they have none';
COMMENT ON COLUMN basis.crawl_id IS 'Last crawl that read the source';
COMMENT ON COLUMN basis.crawl_state IS 'How it ended, as in crawl';
COMMENT ON COLUMN basis.crawled_at IS 'End of that crawl, or its start where it did not end, UTC';
COMMENT ON COLUMN basis.endpoint IS 'URL or path that was read';
COMMENT ON COLUMN basis.seed IS 'Seed of the newest sample; NULL: nothing was sampled';
COMMENT ON COLUMN basis.design IS 'stratified or simple';
COMMENT ON COLUMN basis.strata IS 'Strata of the sample';
COMMENT ON COLUMN basis.sample_size IS 'Repositories drawn';
COMMENT ON COLUMN basis.frame_size IS 'Repositories they were drawn from';
COMMENT ON COLUMN basis.detector_version IS 'Version of rules and technique files';
COMMENT ON COLUMN basis.hubstats_version IS 'Version of hubstats that made the figures';
COMMENT ON COLUMN basis.method IS 'How the rows come to be';
COMMENT ON COLUMN basis.caveat IS 'What is wrong with them';

CREATE TABLE family_estimate (
    estimate_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    family VARCHAR NOT NULL,
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
COMMENT ON TABLE family_estimate IS 'Estimated shares of families of techniques: an item with several techniques of a family counts for it once';
COMMENT ON COLUMN family_estimate.estimate_id IS 'family/source/measure/rule/family: for hubstats explain';
COMMENT ON COLUMN family_estimate.source IS 'Source name';
COMMENT ON COLUMN family_estimate.measure IS 'What is counted: repositories, authors, downloads, files, checkpoints';
COMMENT ON COLUMN family_estimate.rule IS 'As in estimate';
COMMENT ON COLUMN family_estimate.family IS 'Family of the registry: low-rank, orthogonal, ...; unknown: of techniques it does not know';
COMMENT ON COLUMN family_estimate.count IS 'Subjects with the family, weighted to the frame';
COMMENT ON COLUMN family_estimate.total IS 'Subjects it is a share of, weighted to the frame';
COMMENT ON COLUMN family_estimate.share IS 'count / total';
COMMENT ON COLUMN family_estimate.low IS 'Lower end of the 95% interval: sampling and clustering by author';
COMMENT ON COLUMN family_estimate.high IS 'Upper end of the same';
COMMENT ON COLUMN family_estimate.outer_low IS 'Lower end of the worst case over what could not be seen';
COMMENT ON COLUMN family_estimate.outer_high IS 'Upper end of the same';
COMMENT ON COLUMN family_estimate.subjects IS 'Subjects it rests on, unweighted';
COMMENT ON COLUMN family_estimate.effective_size IS 'Size of the simple random sample that would be as precise';
COMMENT ON COLUMN family_estimate.design_effect IS 'Variance over that of a simple random sample of the same size';
COMMENT ON COLUMN family_estimate.method IS 'How share and interval were made';
COMMENT ON COLUMN family_estimate.detector_version IS 'Detector behind the verdicts';
COMMENT ON COLUMN family_estimate.as_of IS 'UTC; newest row it rests on';
COMMENT ON COLUMN family_estimate.caveat IS 'What the number does not mean';

CREATE TABLE population_size (
    population_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    other_source VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    technique VARCHAR,
    in_both BIGINT NOT NULL,
    only_source BIGINT NOT NULL,
    only_other BIGINT NOT NULL,
    estimate DOUBLE NOT NULL,
    low DOUBLE NOT NULL,
    high DOUBLE NOT NULL,
    overdispersion DOUBLE NOT NULL,
    created_before TIMESTAMP,
    method VARCHAR NOT NULL,
    as_of TIMESTAMP,
    caveat VARCHAR
);
COMMENT ON TABLE population_size IS 'How many adapters there are, those that no source shows included: capture and recapture by two sources';
COMMENT ON COLUMN population_size.population_id IS 'population/source+other_source/rule/technique: for hubstats explain';
COMMENT ON COLUMN population_size.source IS 'Source with the stronger evidence of the two';
COMMENT ON COLUMN population_size.other_source IS 'Source it overlaps with, by repository id';
COMMENT ON COLUMN population_size.rule IS 'listing (what listings call an adapter) or evidence (shown to use a technique)';
COMMENT ON COLUMN population_size.technique IS 'Registry key; NULL: adapters of any technique';
COMMENT ON COLUMN population_size.in_both IS 'Repositories in both sources';
COMMENT ON COLUMN population_size.only_source IS 'Repositories in the first source only';
COMMENT ON COLUMN population_size.only_other IS 'Repositories in the other source only';
COMMENT ON COLUMN population_size.estimate IS 'Repositories in all, by Chapman''s estimator';
COMMENT ON COLUMN population_size.low IS 'Lower end of the 95% interval; never below what was seen';
COMMENT ON COLUMN population_size.high IS 'Upper end of the same';
COMMENT ON COLUMN population_size.overdispersion IS 'Variance over that of repositories that come one by one; 1 or more';
COMMENT ON COLUMN population_size.created_before IS 'UTC; only repositories created by then count; NULL: no creation dates';
COMMENT ON COLUMN population_size.method IS 'How estimate and interval were made';
COMMENT ON COLUMN population_size.as_of IS 'UTC; newest row it rests on';
COMMENT ON COLUMN population_size.caveat IS 'What is assumed, and which way the number errs where it is not so';

CREATE TABLE frame_coverage (
    coverage_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    census VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    in_both BIGINT NOT NULL,
    only_source BIGINT NOT NULL,
    only_census BIGINT NOT NULL,
    covered DOUBLE,
    created_before TIMESTAMP,
    source_as_of TIMESTAMP,
    census_as_of TIMESTAMP,
    method VARCHAR NOT NULL,
    caveat VARCHAR
);
COMMENT ON TABLE frame_coverage IS 'What a dump has of the census by the listing, among repositories that are as old as both';
COMMENT ON COLUMN frame_coverage.coverage_id IS 'coverage/source/census/unit: for hubstats explain';
COMMENT ON COLUMN frame_coverage.source IS 'The dump';
COMMENT ON COLUMN frame_coverage.census IS 'Source whose listing is the census';
COMMENT ON COLUMN frame_coverage.unit IS 'adapters (what either calls so) or repositories';
COMMENT ON COLUMN frame_coverage.in_both IS 'In both';
COMMENT ON COLUMN frame_coverage.only_source IS 'In the dump only: deleted or private since, or outside of what was listed';
COMMENT ON COLUMN frame_coverage.only_census IS 'In the listing only: no card, or not in the dump for other reasons';
COMMENT ON COLUMN frame_coverage.covered IS 'Part of the census that the dump has; NULL: the census has none';
COMMENT ON COLUMN frame_coverage.created_before IS 'UTC; creation of the newest repository of the older of the two; NULL: not known';
COMMENT ON COLUMN frame_coverage.source_as_of IS 'UTC; creation of the newest repository of the dump';
COMMENT ON COLUMN frame_coverage.census_as_of IS 'UTC; creation of the newest repository of the census';
COMMENT ON COLUMN frame_coverage.method IS 'How it was counted';
COMMENT ON COLUMN frame_coverage.caveat IS 'What the numbers do not mean';

CREATE TABLE reconciliation (
    reconciliation_id VARCHAR PRIMARY KEY,
    figure_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    technique VARCHAR NOT NULL,
    step INTEGER NOT NULL,
    rule VARCHAR NOT NULL,
    follows VARCHAR,
    side BOOLEAN NOT NULL,
    change VARCHAR NOT NULL,
    count DOUBLE,
    total DOUBLE,
    share DOUBLE NOT NULL,
    low DOUBLE,
    high DOUBLE,
    effect DOUBLE,
    effect_low DOUBLE,
    effect_high DOUBLE,
    items BIGINT,
    method VARCHAR NOT NULL,
    detector_version VARCHAR NOT NULL,
    as_of TIMESTAMP,
    caveat VARCHAR
);
COMMENT ON TABLE reconciliation IS 'From each published share to ours: one row a step, each one change of rule on the same items';
COMMENT ON COLUMN reconciliation.reconciliation_id IS 'reconciliation/source/published figure/rule: for hubstats explain';
COMMENT ON COLUMN reconciliation.figure_id IS 'Published figure that the chain starts from';
COMMENT ON COLUMN reconciliation.source IS 'Source of the items';
COMMENT ON COLUMN reconciliation.measure IS 'Measure of the published figure';
COMMENT ON COLUMN reconciliation.technique IS 'Registry key';
COMMENT ON COLUMN reconciliation.step IS 'Place in the chain; 0 is the published figure';
COMMENT ON COLUMN reconciliation.rule IS 'Rule of this step';
COMMENT ON COLUMN reconciliation.follows IS 'Rule that effect is the difference to';
COMMENT ON COLUMN reconciliation.side IS 'Stands beside the chain: nothing builds upon it';
COMMENT ON COLUMN reconciliation.change IS 'What this step changes about the rule';
COMMENT ON COLUMN reconciliation.count IS 'Amount that goes to the technique, weighted to the frame';
COMMENT ON COLUMN reconciliation.total IS 'Amount it is a share of, weighted to the frame';
COMMENT ON COLUMN reconciliation.share IS 'count / total, or as published';
COMMENT ON COLUMN reconciliation.low IS 'Lower end of the 95% interval of the share; NULL where a figure has no items, or one author';
COMMENT ON COLUMN reconciliation.high IS 'Upper end of the same';
COMMENT ON COLUMN reconciliation.effect IS 'This share less that of the rule it follows, on the same items';
COMMENT ON COLUMN reconciliation.effect_low IS 'Lower end of the 95% interval of the difference';
COMMENT ON COLUMN reconciliation.effect_high IS 'Upper end of the same';
COMMENT ON COLUMN reconciliation.items IS 'Items that count by this rule, unweighted';
COMMENT ON COLUMN reconciliation.method IS 'How share, interval and effect were made';
COMMENT ON COLUMN reconciliation.detector_version IS 'Detector behind the verdicts; empty where none is';
COMMENT ON COLUMN reconciliation.as_of IS 'UTC; newest row it rests on';
COMMENT ON COLUMN reconciliation.caveat IS 'What the step does not mean';

CREATE TABLE trend (
    trend_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    technique VARCHAR NOT NULL,
    period_kind VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    starts_on DATE,
    count DOUBLE NOT NULL,
    total DOUBLE NOT NULL,
    share DOUBLE NOT NULL,
    low DOUBLE,
    high DOUBLE,
    smooth DOUBLE,
    smooth_low DOUBLE,
    smooth_high DOUBLE,
    subjects BIGINT NOT NULL,
    effective_size DOUBLE,
    smoothing VARCHAR,
    method VARCHAR NOT NULL,
    detector_version VARCHAR NOT NULL,
    as_of TIMESTAMP,
    caveat VARCHAR
);
COMMENT ON TABLE trend IS 'Share of each technique by month of creation and by version of PEFT, of what still exists';
COMMENT ON COLUMN trend.trend_id IS 'trend/source/rule/period_kind/period/technique: for hubstats explain';
COMMENT ON COLUMN trend.source IS 'Source name';
COMMENT ON COLUMN trend.rule IS 'evidence, overlay or blog, as in estimate';
COMMENT ON COLUMN trend.technique IS 'Registry key';
COMMENT ON COLUMN trend.period_kind IS 'month (of creation) or peft_version (minor version)';
COMMENT ON COLUMN trend.period IS 'Such as 2025-07 or 0.16';
COMMENT ON COLUMN trend.starts_on IS 'First day of the month, or the day of the release; NULL: no release of that version is known';
COMMENT ON COLUMN trend.count IS 'Items of the period with the technique, weighted to the frame';
COMMENT ON COLUMN trend.total IS 'Items of the period, weighted to the frame';
COMMENT ON COLUMN trend.share IS 'count / total';
COMMENT ON COLUMN trend.low IS 'Lower end of the 95% interval of this point: sampling and clustering by author; NULL: a single author';
COMMENT ON COLUMN trend.high IS 'Upper end of the same';
COMMENT ON COLUMN trend.smooth IS 'The share over the items of the month, the one before and the one after; NULL by version';
COMMENT ON COLUMN trend.smooth_low IS 'Lower end of its 95% interval';
COMMENT ON COLUMN trend.smooth_high IS 'Upper end of the same';
COMMENT ON COLUMN trend.subjects IS 'Items of the period it rests on, unweighted';
COMMENT ON COLUMN trend.effective_size IS 'Size of the simple random sample that would be as precise';
COMMENT ON COLUMN trend.smoothing IS 'Name of the smoothing; NULL: none';
COMMENT ON COLUMN trend.method IS 'How share and interval were made';
COMMENT ON COLUMN trend.detector_version IS 'Detector behind the verdicts';
COMMENT ON COLUMN trend.as_of IS 'UTC; newest row it rests on';
COMMENT ON COLUMN trend.caveat IS 'What the number does not mean';

CREATE TABLE event (
    event_id VARCHAR PRIMARY KEY,
    happened_on DATE NOT NULL,
    kind VARCHAR NOT NULL,
    what VARCHAR NOT NULL,
    link VARCHAR NOT NULL,
    peft_version VARCHAR,
    techniques VARCHAR[] NOT NULL,
    method VARCHAR NOT NULL,
    caveat VARCHAR
);
COMMENT ON TABLE event IS 'What happened to tools and sites that a trend may show: a step there need not be a change of use';
COMMENT ON COLUMN event.event_id IS 'event/name';
COMMENT ON COLUMN event.happened_on IS 'UTC day';
COMMENT ON COLUMN event.kind IS 'tooling (what software writes), release (of PEFT), site (a site or a publication)';
COMMENT ON COLUMN event.what IS 'One line';
COMMENT ON COLUMN event.link IS 'Where it can be looked up';
COMMENT ON COLUMN event.peft_version IS 'Minor version: of a release its own, of tooling the one that brought it';
COMMENT ON COLUMN event.techniques IS 'Registry keys that a release brought';
COMMENT ON COLUMN event.method IS 'How it came here';
COMMENT ON COLUMN event.caveat IS 'What to bear in mind';

CREATE TABLE concentration (
    concentration_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    technique VARCHAR,
    items DOUBLE NOT NULL,
    items_read BIGINT NOT NULL,
    authors BIGINT NOT NULL,
    largest DOUBLE NOT NULL,
    largest_low DOUBLE,
    largest_high DOUBLE,
    top5 DOUBLE NOT NULL,
    top10 DOUBLE NOT NULL,
    effective_authors DOUBLE NOT NULL,
    mass_uploaders BIGINT NOT NULL,
    mass_part DOUBLE NOT NULL,
    method VARCHAR NOT NULL,
    detector_version VARCHAR NOT NULL,
    as_of TIMESTAMP,
    caveat VARCHAR
);
COMMENT ON TABLE concentration IS 'How much of each technique is the work of a few authors';
COMMENT ON COLUMN concentration.concentration_id IS 'concentration/source/technique, * for all: for hubstats explain';
COMMENT ON COLUMN concentration.source IS 'Source name';
COMMENT ON COLUMN concentration.technique IS 'Registry key; NULL: all techniques together';
COMMENT ON COLUMN concentration.items IS 'Items of known authors, weighted to the frame; several techniques share one equally';
COMMENT ON COLUMN concentration.items_read IS 'The same, unweighted, each counted whole';
COMMENT ON COLUMN concentration.authors IS 'Authors of whom an item was read';
COMMENT ON COLUMN concentration.largest IS 'Part of the items that belongs to the author with the most';
COMMENT ON COLUMN concentration.largest_low IS 'Lower end of the 95% interval of that author''s part; NULL: nothing was sampled, or it cannot be said';
COMMENT ON COLUMN concentration.largest_high IS 'Upper end of the same';
COMMENT ON COLUMN concentration.top5 IS 'Part of the five authors with the most';
COMMENT ON COLUMN concentration.top10 IS 'Part of the ten authors with the most';
COMMENT ON COLUMN concentration.effective_authors IS 'Authors of equal size that would be as concentrated: 1 / sum of squared parts';
COMMENT ON COLUMN concentration.mass_uploaders IS 'Of the authors, those in mass_uploader';
COMMENT ON COLUMN concentration.mass_part IS 'Part of the items that belongs to them';
COMMENT ON COLUMN concentration.method IS 'How it was made';
COMMENT ON COLUMN concentration.detector_version IS 'Detector behind the verdicts';
COMMENT ON COLUMN concentration.as_of IS 'UTC; newest row it rests on';
COMMENT ON COLUMN concentration.caveat IS 'What the numbers do not mean';

CREATE TABLE mass_uploader (
    uploader_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    author_hash VARCHAR NOT NULL,
    uploads BIGINT NOT NULL,
    part DOUBLE NOT NULL,
    busiest_on DATE,
    busiest BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    as_of TIMESTAMP,
    caveat VARCHAR
);
COMMENT ON TABLE mass_uploader IS 'Authors who uploaded many items at once, or a large part of a source; names hashed';
COMMENT ON COLUMN mass_uploader.uploader_id IS 'uploader/source/author_hash: for hubstats explain';
COMMENT ON COLUMN mass_uploader.source IS 'Source name';
COMMENT ON COLUMN mass_uploader.author_hash IS 'author_hash(author), with the salt of this file';
COMMENT ON COLUMN mass_uploader.uploads IS 'Listed uploads of the author, of any kind';
COMMENT ON COLUMN mass_uploader.part IS 'Of all listed uploads of the source';
COMMENT ON COLUMN mass_uploader.busiest_on IS 'UTC day with the most of them; NULL: no dates';
COMMENT ON COLUMN mass_uploader.busiest IS 'Uploads of that day; 0: no dates';
COMMENT ON COLUMN mass_uploader.reason IS 'day (50 uploads or more on one day), part (more than 1% of the source, and 50 or more), or both';
COMMENT ON COLUMN mass_uploader.method IS 'How it was counted';
COMMENT ON COLUMN mass_uploader.as_of IS 'UTC; newest row it rests on';
COMMENT ON COLUMN mass_uploader.caveat IS 'What it does not mean';

CREATE TABLE mention_recall (
    recall_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    measured_on VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    technique VARCHAR NOT NULL,
    configs BIGINT NOT NULL,
    naming BIGINT NOT NULL,
    agreeing BIGINT NOT NULL,
    recall DOUBLE,
    recall_low DOUBLE,
    recall_high DOUBLE,
    precision DOUBLE,
    precision_low DOUBLE,
    precision_high DOUBLE,
    cards BIGINT NOT NULL,
    mention_share DOUBLE NOT NULL,
    mention_low DOUBLE,
    mention_high DOUBLE,
    corrected_share DOUBLE,
    corrected_low DOUBLE,
    corrected_high DOUBLE,
    method VARCHAR NOT NULL,
    detector_version VARCHAR NOT NULL,
    as_of TIMESTAMP,
    caveat VARCHAR
);
COMMENT ON TABLE mention_recall IS 'How well the card''s words tell what the config proves, and the mention share corrected by it';
COMMENT ON COLUMN mention_recall.recall_id IS 'recall/source/rule/technique: for hubstats explain';
COMMENT ON COLUMN mention_recall.source IS 'Source whose cards the mention share is of';
COMMENT ON COLUMN mention_recall.measured_on IS 'Source whose cards with a readable config recall and precision are of';
COMMENT ON COLUMN mention_recall.rule IS 'named (the technique itself) or named_or_variant (it, or a variant or recipe of it)';
COMMENT ON COLUMN mention_recall.technique IS 'Registry key';
COMMENT ON COLUMN mention_recall.configs IS 'Cards beside a config that says the technique, unweighted';
COMMENT ON COLUMN mention_recall.naming IS 'Cards that name it beside a readable config, whatever that says, unweighted';
COMMENT ON COLUMN mention_recall.agreeing IS 'Cards that name it beside a config that says it, unweighted';
COMMENT ON COLUMN mention_recall.recall IS 'Part of configs whose card names it; NULL: no config says it';
COMMENT ON COLUMN mention_recall.recall_low IS 'Lower end of its 95% interval';
COMMENT ON COLUMN mention_recall.recall_high IS 'Upper end of the same';
COMMENT ON COLUMN mention_recall.precision IS 'Part of naming whose config says it; NULL: no card names it';
COMMENT ON COLUMN mention_recall.precision_low IS 'Lower end of its 95% interval';
COMMENT ON COLUMN mention_recall.precision_high IS 'Upper end of the same';
COMMENT ON COLUMN mention_recall.cards IS 'Readable cards of adapters of the source, unweighted';
COMMENT ON COLUMN mention_recall.mention_share IS 'Part of those cards that name it, weighted to the frame';
COMMENT ON COLUMN mention_recall.mention_low IS 'Lower end of its 95% interval';
COMMENT ON COLUMN mention_recall.mention_high IS 'Upper end of the same';
COMMENT ON COLUMN mention_recall.corrected_share IS 'mention_share * precision / recall; NULL: too few cards both name it and have it proven';
COMMENT ON COLUMN mention_recall.corrected_low IS 'Lower end of its 95% interval, of all three together';
COMMENT ON COLUMN mention_recall.corrected_high IS 'Upper end of the same';
COMMENT ON COLUMN mention_recall.method IS 'How it was made';
COMMENT ON COLUMN mention_recall.detector_version IS 'Detector behind the verdicts';
COMMENT ON COLUMN mention_recall.as_of IS 'UTC; newest row it rests on';
COMMENT ON COLUMN mention_recall.caveat IS 'What the numbers do not mean';

CREATE TABLE salt (
    value VARCHAR NOT NULL
);
COMMENT ON TABLE salt IS 'One random text, made with the file: names are hashed with it in anything published';
COMMENT ON COLUMN salt.value IS 'Keep it to yourself: with it, guessed names can be tried against published hashes';
INSERT INTO salt VALUES (gen_random_uuid()::VARCHAR || gen_random_uuid()::VARCHAR);

CREATE MACRO author_hash(author) AS left(sha256((SELECT value FROM salt) || '/' || author), 16);
COMMENT ON MACRO author_hash IS 'Name of an author as anything published shows it: 16 hexadecimal digits, other ones in every file';

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

CREATE TABLE run_standing (
    standing_id VARCHAR PRIMARY KEY,
    run_id VARCHAR NOT NULL,
    origin VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    model_id VARCHAR,
    experiment VARCHAR NOT NULL,
    technique VARCHAR,
    variant VARCHAR,
    metric VARCHAR NOT NULL,
    score DOUBLE NOT NULL,
    questions BIGINT,
    low DOUBLE,
    high DOUBLE,
    question_error DOUBLE,
    runs BIGINT NOT NULL,
    sd DOUBLE,
    repeats_newest BOOLEAN NOT NULL,
    pooled_sd DOUBLE,
    pooled_degrees BIGINT NOT NULL,
    pooled_runs BIGINT NOT NULL,
    pooled_experiments BIGINT NOT NULL,
    standard_error DOUBLE,
    degrees DOUBLE,
    behind_best DOUBLE,
    tied_with_best BOOLEAN,
    compared BIGINT NOT NULL,
    state VARCHAR NOT NULL,
    superseded_by VARCHAR,
    method VARCHAR NOT NULL,
    as_of TIMESTAMP,
    caveat VARCHAR
);
COMMENT ON TABLE run_standing IS 'Every successful run: how sure its score is, and whether it can be told from the best of its task';
COMMENT ON COLUMN run_standing.standing_id IS 'standing/run';
COMMENT ON COLUMN run_standing.run_id IS 'Run, as in bench_run';
COMMENT ON COLUMN run_standing.origin IS 'Who measured';
COMMENT ON COLUMN run_standing.task IS 'Task';
COMMENT ON COLUMN run_standing.model_id IS 'Base model; runs of two are never compared';
COMMENT ON COLUMN run_standing.experiment IS 'Experiment';
COMMENT ON COLUMN run_standing.technique IS 'Registry key of the base technique';
COMMENT ON COLUMN run_standing.variant IS 'Registry key of the variant';
COMMENT ON COLUMN run_standing.metric IS 'test_accuracy (share), similarity (cosine), or token_accuracy (share) of runs that answer no questions';
COMMENT ON COLUMN run_standing.score IS 'Its value';
COMMENT ON COLUMN run_standing.questions IS 'Test questions the accuracy is a share of; NULL: not known, or no questions';
COMMENT ON COLUMN run_standing.low IS '95% interval for other questions of the same kind, Wilson';
COMMENT ON COLUMN run_standing.high IS '95% interval';
COMMENT ON COLUMN run_standing.question_error IS 'Half the interval over 1.96';
COMMENT ON COLUMN run_standing.runs IS 'Results of the experiment that repeat its newest one, itself included';
COMMENT ON COLUMN run_standing.sd IS 'Standard deviation of these; NULL for one alone';
COMMENT ON COLUMN run_standing.repeats_newest IS 'false: other settings than the newest result of the same name';
COMMENT ON COLUMN run_standing.pooled_sd IS 'Standard deviation of one result within its experiment, over all experiments compared; NULL: nothing was repeated';
COMMENT ON COLUMN run_standing.pooled_degrees IS 'Degrees of freedom of pooled_sd';
COMMENT ON COLUMN run_standing.pooled_runs IS 'Results behind pooled_sd';
COMMENT ON COLUMN run_standing.pooled_experiments IS 'Experiments with two results or more behind pooled_sd';
COMMENT ON COLUMN run_standing.standard_error IS 'sqrt(question_error^2 + pooled_sd^2); NULL: nothing was repeated';
COMMENT ON COLUMN run_standing.degrees IS 'Degrees of freedom of standard_error (Satterthwaite); NULL: infinitely many, or not known';
COMMENT ON COLUMN run_standing.behind_best IS 'Best score of the task less this one; NULL: superseded';
COMMENT ON COLUMN run_standing.tied_with_best IS 'May be the best at 95%, multiple comparisons allowed for; NULL: superseded, or cannot be said';
COMMENT ON COLUMN run_standing.compared IS 'Experiments in that comparison';
COMMENT ON COLUMN run_standing.state IS 'current or superseded (withdrawn included)';
COMMENT ON COLUMN run_standing.superseded_by IS 'Run that is now the newest of the experiment; NULL: current, or withdrawn';
COMMENT ON COLUMN run_standing.method IS 'How interval, spread and tie were made';
COMMENT ON COLUMN run_standing.as_of IS 'UTC; when the run was made';
COMMENT ON COLUMN run_standing.caveat IS 'What the numbers do not mean';

CREATE TABLE frontier (
    frontier_id VARCHAR PRIMARY KEY,
    origin VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    model_id VARCHAR,
    metric VARCHAR NOT NULL,
    cost_metric VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    technique VARCHAR,
    variant VARCHAR,
    score DOUBLE NOT NULL,
    cost DOUBLE NOT NULL,
    cost_unit VARCHAR NOT NULL,
    on_frontier BOOLEAN NOT NULL,
    probability DOUBLE,
    probability_error DOUBLE,
    draws BIGINT NOT NULL,
    runs BIGINT NOT NULL,
    method VARCHAR NOT NULL,
    as_of TIMESTAMP,
    caveat VARCHAR
);
COMMENT ON TABLE frontier IS 'Which current runs no other beats on score and one cost at once, and how sure that is';
COMMENT ON COLUMN frontier.frontier_id IS 'frontier/cost/run';
COMMENT ON COLUMN frontier.origin IS 'Who measured';
COMMENT ON COLUMN frontier.task IS 'Task';
COMMENT ON COLUMN frontier.model_id IS 'Base model';
COMMENT ON COLUMN frontier.metric IS 'test_accuracy (share), similarity (cosine), or token_accuracy (share) of runs that answer no questions';
COMMENT ON COLUMN frontier.cost_metric IS 'peak_memory, train_time, checkpoint_size, trainable_parameters, forgetting (as corrected in July 2026), drift; less is better';
COMMENT ON COLUMN frontier.run_id IS 'The newest current run of the experiment';
COMMENT ON COLUMN frontier.experiment IS 'Experiment';
COMMENT ON COLUMN frontier.technique IS 'Registry key of the base technique';
COMMENT ON COLUMN frontier.variant IS 'Registry key of the variant';
COMMENT ON COLUMN frontier.score IS 'Mean score of its current runs';
COMMENT ON COLUMN frontier.cost IS 'Mean cost of its current runs, in cost_unit';
COMMENT ON COLUMN frontier.cost_unit IS 'bytes, seconds, parameters, nats, cosine distance';
COMMENT ON COLUMN frontier.on_frontier IS 'No other run is at least as good in both and better in one';
COMMENT ON COLUMN frontier.probability IS 'Of being on it if all runs were made again, in [0, 1]; NULL: nothing was repeated';
COMMENT ON COLUMN frontier.probability_error IS 'Monte-Carlo standard error of the probability';
COMMENT ON COLUMN frontier.draws IS 'Repetitions drawn';
COMMENT ON COLUMN frontier.runs IS 'Runs compared';
COMMENT ON COLUMN frontier.method IS 'How it was made';
COMMENT ON COLUMN frontier.as_of IS 'UTC; when the run was made';
COMMENT ON COLUMN frontier.caveat IS 'What the numbers do not mean';

CREATE TABLE published_claim (
    claim_id VARCHAR PRIMARY KEY,
    origin VARCHAR NOT NULL,
    published_on VARCHAR NOT NULL,
    url VARCHAR NOT NULL,
    says VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    experiment VARCHAR,
    metric VARCHAR NOT NULL,
    metric_version VARCHAR,
    cost_metric VARCHAR,
    printed VARCHAR,
    printed_unit VARCHAR,
    value DOUBLE,
    state VARCHAR NOT NULL,
    matched_run VARCHAR,
    matched_on VARCHAR,
    value_now DOUBLE,
    change DOUBLE,
    superseded_by VARCHAR,
    superseded_on VARCHAR,
    note VARCHAR,
    method VARCHAR NOT NULL,
    caveat VARCHAR
);
COMMENT ON TABLE published_claim IS 'Figures that others published about performance, checked against the newest results in the file';
COMMENT ON COLUMN published_claim.claim_id IS 'claim/origin/key';
COMMENT ON COLUMN published_claim.origin IS 'Publication';
COMMENT ON COLUMN published_claim.published_on IS 'ISO date';
COMMENT ON COLUMN published_claim.url IS 'Where';
COMMENT ON COLUMN published_claim.says IS 'What is claimed, in our words';
COMMENT ON COLUMN published_claim.rule IS 'value (a printed figure), on_frontier, off_frontier, dominates';
COMMENT ON COLUMN published_claim.task IS 'Task';
COMMENT ON COLUMN published_claim.experiment IS 'Experiment it is about; NULL: every plain setting of a technique';
COMMENT ON COLUMN published_claim.metric IS 'Metric, as in bench_metric';
COMMENT ON COLUMN published_claim.metric_version IS 'Which definition, for metrics that had two: values of two versions are never compared';
COMMENT ON COLUMN published_claim.cost_metric IS 'The other side of the frontier';
COMMENT ON COLUMN published_claim.printed IS 'The figure as printed';
COMMENT ON COLUMN published_claim.printed_unit IS 'What it means: GB is 10^9 bytes, GiB 2^30 bytes, whatever the text says';
COMMENT ON COLUMN published_claim.value IS 'The printed figure as a share, in bytes, ...';
COMMENT ON COLUMN published_claim.state IS 'current, superseded, unconfirmed (no result ever rounds to it), not checkable';
COMMENT ON COLUMN published_claim.matched_run IS 'Newest run that rounds to the printed figure';
COMMENT ON COLUMN published_claim.matched_on IS 'Its date';
COMMENT ON COLUMN published_claim.value_now IS 'Newest result; NULL: none, or not comparable';
COMMENT ON COLUMN published_claim.change IS 'value_now less value';
COMMENT ON COLUMN published_claim.superseded_by IS 'Run that the claim no longer holds of, or that beats it now';
COMMENT ON COLUMN published_claim.superseded_on IS 'Its date';
COMMENT ON COLUMN published_claim.note IS 'What to know about the figure';
COMMENT ON COLUMN published_claim.method IS 'How it was checked';
COMMENT ON COLUMN published_claim.caveat IS 'What could not be checked';

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
    max(metric.value) FILTER (metric.name = 'token_accuracy') AS token_accuracy,
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
        coalesce(downloads, 0) AS downloads,
        coalesce(tags, []) AS tags,
        split_part(lower(model_id), '/', -1) AS name,
        coalesce(has_adapter_config, false)
        OR coalesce(library_name = 'peft', false)
        OR list_contains(coalesce(tags, []), 'peft') AS has_peft,
        coalesce(base_model_relation = 'adapter', false) AS is_related,
        -- PEFT 0.16 (3 July 2025) was the first to write the tag.
        coalesce(created_at >= TIMESTAMP '2025-07-01', false) AS is_since
    FROM hub_model
),

described AS (
    SELECT
        *,
        has_peft OR is_related AS is_adapter,
        -- Words that are also names or plain words (bone, eva, miss, road, poly) are left out.
        list_has_any(tags, [
            'adalora', 'dora', 'lokr', 'loha', 'locon', 'lycoris', 'ia3', 'oft', 'boft', 'vera', 'pissa', 'rslora',
            'bottleneck', 'prefix-tuning', 'prompt-tuning', 'p-tuning', 'textual_inversion', 'textual-inversion',
            'adapter-transformers'
        ])
        OR regexp_matches(
            name,
            '(^|[^a-z0-9])((ada|rand|gra|de|ol|vb-?|uni-?|x-?|rs|qa-?|v)lora|q?dora|olora|lokr|loha|locon|lycoris|\(?ia\)?\^?3'
            || '|b?oft|vera|fourierft|hra|c3a|pissa|loftq|corda|galore|bitfit|l?o?reft'
            || '|(prefix|prompt|p)[-_]?tun(ing|ed)|(ln|layernorm)[-_]?tuning|soft[-_]?prompt|textual[-_]?inversion)'
            || '([^a-z0-9]|$)'
        ) AS names_other,
        list_has_any(tags, ['lora', 'qlora', 'template:sd-lora', 'template:diffusion-lora'])
        OR regexp_matches(name, '(^|[^a-z0-9])q?lora([^a-z0-9]|$)') AS names_lora,
        -- Trainers whose adapters are LoRA, whatever PEFT wrote.
        list_has_any(tags, ['unsloth', 'axolotl']) AS has_lora_trainer
    FROM listed
),

series AS (
    SELECT source, author
    FROM described
    WHERE is_adapter AND author IS NOT NULL
    GROUP BY source, author
    HAVING count(*) >= 100
)

SELECT
    source,
    model_id,
    author,
    CASE
        WHEN is_adapter AND downloads >= 10000 THEN 'adapter, 10,000 downloads or more'
        WHEN is_adapter AND downloads >= 1000 THEN 'adapter, 1,000 downloads or more'
        WHEN is_adapter AND names_other THEN 'adapter, another technique named'
        WHEN is_adapter THEN
            CASE
                WHEN NOT has_peft THEN 'adapter by relation only'
                WHEN series.author IS NOT NULL THEN 'adapter of a series'
                ELSE 'adapter'
            END
            || CASE WHEN names_lora OR has_lora_trainer THEN ', lora named' ELSE ', nothing named' END
            || CASE
                WHEN NOT has_peft OR series.author IS NOT NULL THEN ''
                WHEN is_since THEN ', since 2025-07'
                ELSE ', before 2025-07'
            END
        WHEN names_other THEN 'no adapter listed, another technique named'
        WHEN names_lora OR regexp_matches(name, 'lora|peft|adapter') THEN 'no adapter listed, lora or an adapter named'
        ELSE 'rest'
    END AS stratum
FROM described
LEFT JOIN series USING (source, author);
COMMENT ON VIEW hub_frame IS 'Every listed repository with its stratum, from listing facts only';

CREATE VIEW census_day AS
-- A dump is of the day of its newest repository: when its file was written or read says less. A creation later than
-- it was seen is nobody's.
SELECT
    max(created_at) FILTER (source = 'hub' AND created_at <= coalesce(seen_at, created_at)) AS census_as_of,
    max(created_at) FILTER (source = 'dump' AND created_at <= coalesce(seen_at, created_at)) AS dump_as_of,
    least(census_as_of, dump_as_of) AS created_before
FROM hub_model
WHERE source IN ('hub', 'dump')
HAVING count(DISTINCT source) = 2;
COMMENT ON VIEW census_day IS 'Of which day the listing and the dump are, and up to which creation they can be compared; no rows unless the file has both';

CREATE VIEW census_and_dump AS
WITH listed AS MATERIALIZED (
    SELECT source, model_id, author, created_at, downloads
    FROM hub_model
    WHERE
        source IN ('hub', 'dump')
        AND (
            coalesce(has_adapter_config, false)
            OR coalesce(library_name = 'peft', false)
            OR list_contains(coalesce(tags, []), 'peft')
            OR coalesce(base_model_relation = 'adapter', false)
        )
        AND EXISTS (FROM census_day)
),

-- What one of the two calls an adapter is one: the other has it if it has the repository.
present AS (
    SELECT source, model_id, author, created_at, downloads
    FROM hub_model
    SEMI JOIN listed USING (model_id)
    WHERE source IN ('hub', 'dump')
),

matched AS (
    SELECT
        model_id,
        bool_or(source = 'hub') AS in_census,
        bool_or(source = 'dump') AS in_dump,
        coalesce(min(author), CASE WHEN contains(model_id, '/') THEN split_part(model_id, '/', 1) END) AS author,
        min(created_at) AS created_at,
        coalesce(max(downloads) FILTER (source = 'hub'), max(downloads)) AS downloads
    FROM present
    GROUP BY model_id
)

SELECT matched.*, day.created_before
FROM matched
CROSS JOIN census_day AS day
WHERE matched.created_at IS NULL OR day.created_before IS NULL OR matched.created_at <= day.created_before;
COMMENT ON VIEW census_and_dump IS 'Adapters of the listing and of a dump, matched by id: those as old as the older of the two; no rows unless the file has both';

CREATE TABLE subject (
    source VARCHAR NOT NULL,
    subject_id VARCHAR NOT NULL,
    stratum VARCHAR NOT NULL,
    weight DOUBLE NOT NULL,
    author VARCHAR,
    downloads BIGINT,
    created_at TIMESTAMP,
    base_model VARCHAR,
    pipeline_tag VARCHAR,
    peft_version VARCHAR,
    card_status VARCHAR,
    config_status VARCHAR,
    site_type VARCHAR,
    seen_at TIMESTAMP,
    state VARCHAR NOT NULL,
    techniques VARCHAR[] NOT NULL,
    overlays VARCHAR[] NOT NULL,
    mentions VARCHAR[],
    blog_technique VARCHAR,
    blog_technique_folded VARCHAR,
    template VARCHAR,
    detector_version VARCHAR
);
COMMENT ON TABLE subject IS 'Every judged item with its weight and what it uses; made anew by each estimate, so as old as the estimates are';
COMMENT ON COLUMN subject.source IS 'hub, dump, cards, configs, code, snapshot, civitai';
COMMENT ON COLUMN subject.subject_id IS 'Repository, checkpoint or imported file; unique within its source';
COMMENT ON COLUMN subject.stratum IS 'Stratum of the newest draw; all where nothing was sampled';
COMMENT ON COLUMN subject.weight IS 'How many repositories of the frame it stands for; 1 where nothing was sampled';
COMMENT ON COLUMN subject.author IS 'Owner or uploader; NULL: not known; hashed in anything published';
COMMENT ON COLUMN subject.downloads IS 'Of 30 days on the Hub, of all time on an image site; NULL: not known or hidden';
COMMENT ON COLUMN subject.created_at IS 'UTC; creation or first publication';
COMMENT ON COLUMN subject.base_model IS 'Base model as listed';
COMMENT ON COLUMN subject.pipeline_tag IS 'Task the Hub shows';
COMMENT ON COLUMN subject.peft_version IS 'major.minor.patch of peft, from the config, else from the framework versions that a trainer wrote on the card; a development version counts as the one it leads to';
COMMENT ON COLUMN subject.card_status IS 'Status of the card, as in model_card';
COMMENT ON COLUMN subject.config_status IS 'Status of the config, as in adapter_config';
COMMENT ON COLUMN subject.site_type IS 'Type the uploader chose on an image site';
COMMENT ON COLUMN subject.seen_at IS 'UTC; when its files, else its listing, were read';
COMMENT ON COLUMN subject.state IS 'State of the verdict; none where there is no verdict';
COMMENT ON COLUMN subject.techniques IS 'Registry keys of the techniques it is shown to use, sorted; empty: none established';
COMMENT ON COLUMN subject.overlays IS 'Registry keys of variants and recipes on top, sorted';
COMMENT ON COLUMN subject.mentions IS 'Every technique the card names';
COMMENT ON COLUMN subject.blog_technique IS 'The one technique named, where exactly one is';
COMMENT ON COLUMN subject.blog_technique_folded IS 'The same with QLoRA counted as LoRA';
COMMENT ON COLUMN subject.template IS 'Tool whose template the card is';
COMMENT ON COLUMN subject.detector_version IS 'Detector behind the verdict';

CREATE TABLE phrase_import (
    source VARCHAR NOT NULL,
    repo VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    technique VARCHAR NOT NULL,
    role VARCHAR,
    blob_sha VARCHAR,
    fetched_at TIMESTAMP
);
COMMENT ON TABLE phrase_import IS 'What a text search for the phrase from peft import NAME finds: one row a file and config class, whatever the file is; made anew by each estimate';
COMMENT ON COLUMN phrase_import.source IS 'github, code or snapshot';
COMMENT ON COLUMN phrase_import.repo IS 'Repository, owner/name, or the folder imported';
COMMENT ON COLUMN phrase_import.path IS 'Path inside the repository';
COMMENT ON COLUMN phrase_import.technique IS 'Registry key of the config class';
COMMENT ON COLUMN phrase_import.role IS 'use, library, test, docs, vendored';
COMMENT ON COLUMN phrase_import.blob_sha IS 'Git blob hash of the content';
COMMENT ON COLUMN phrase_import.fetched_at IS 'UTC';

CREATE TABLE use_import (
    source VARCHAR NOT NULL,
    repo VARCHAR NOT NULL,
    technique VARCHAR NOT NULL,
    constructs BOOLEAN NOT NULL,
    files BIGINT NOT NULL,
    fetched_at TIMESTAMP
);
COMMENT ON TABLE use_import IS 'Techniques in the code of repositories that use peft: tests, docs, library code and copies left out; one row a repository and technique; made anew by each estimate';
COMMENT ON COLUMN use_import.source IS 'github, code or snapshot';
COMMENT ON COLUMN use_import.repo IS 'Repository, owner/name, or the folder imported';
COMMENT ON COLUMN use_import.technique IS 'Registry key';
COMMENT ON COLUMN use_import.constructs IS 'A file calls the config class or writes its peft_type, and does not only import it';
COMMENT ON COLUMN use_import.files IS 'Files that name it';
COMMENT ON COLUMN use_import.fetched_at IS 'UTC; newest of them';

CREATE TABLE tally (
    source VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    value VARCHAR,
    member VARCHAR,
    items DOUBLE NOT NULL,
    items_read BIGINT NOT NULL,
    authors BIGINT NOT NULL,
    effective_size DOUBLE NOT NULL
);
COMMENT ON TABLE tally IS 'Adapters added up by base model and by task, LORA configs by setting: what the file answers too slowly one by one; made anew by each estimate';
COMMENT ON COLUMN tally.source IS 'Source name';
COMMENT ON COLUMN tally.dimension IS 'base_model, pipeline_tag, lora_setting';
COMMENT ON COLUMN tally.value IS 'The base model or the task; NULL: none given, and for lora_setting';
COMMENT ON COLUMN tally.member IS 'Registry key of the technique, or the setting; NULL: all items of the value together';
COMMENT ON COLUMN tally.items IS 'Items, weighted to the frame; an adapter of several techniques is split equally over them';
COMMENT ON COLUMN tally.items_read IS 'Items that were read, each counted whole';
COMMENT ON COLUMN tally.authors IS 'Their authors';
COMMENT ON COLUMN tally.effective_size IS 'Kish size of the items added up by author: (sum w)^2 / sum w^2';

CREATE TABLE stage_run (
    stage VARCHAR PRIMARY KEY,
    finished_at TIMESTAMP NOT NULL,
    hubstats_version VARCHAR NOT NULL
);
COMMENT ON TABLE stage_run IS 'When each stage that works on the file itself last ended well';
COMMENT ON COLUMN stage_run.stage IS 'estimate';
COMMENT ON COLUMN stage_run.finished_at IS 'UTC; crawls that ended later are not in its tables yet';
COMMENT ON COLUMN stage_run.hubstats_version IS 'Version of hubstats that did it';

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
