-- What a crawl leaves of the drawn repositories (cards, configs, verdicts, detections) and of the other sources: 100,000
-- uploads to an image site, 50,000 code files with their imports, 10,000 fine-tuning runs. After listing.sql.
CREATE OR REPLACE TEMP TABLE drawn AS
SELECT
    repository.number,
    repository.model_id,
    repository.is_adapter,
    repository.technique,
    technique.peft_type,
    listed.base_model,
    listed.last_modified,
    CASE
        WHEN NOT listed.has_card THEN 'missing'
        WHEN listed.gated THEN 'gated'
        WHEN uniform(number, 'broken') < 0.001 THEN 'failed'
        ELSE 'ok'
    END AS card_status,
    CASE WHEN NOT listed.has_adapter_config THEN 'missing' WHEN listed.gated THEN 'gated' ELSE 'ok' END AS config_status,
    -- PEFT 0.3 to 0.19, one minor version in about 80 days.
    format('0.{}.{}', least(19, 3 + date_diff('day', TIMESTAMP '2023-05-01', greatest(listed.created_at, TIMESTAMP '2023-05-01'))
        // 80), number % 3) AS peft_version,
    uniform(number, 'named') AS named,
    uniform(number, 'state') AS state
FROM repository
JOIN hub_model AS listed ON listed.source = 'hub' AND listed.model_id = repository.model_id
JOIN technique ON technique.key = repository.technique
WHERE repository.model_id IN (SELECT model_id FROM sample_frame WHERE source = 'hub');

INSERT INTO model_card BY NAME
SELECT
    'hub' AS source,
    model_id,
    card_status AS status,
    CASE
        WHEN card_status = 'ok' THEN concat(
            '---', chr(10), 'library_name: ', if(is_adapter, 'peft', 'transformers'), chr(10), 'base_model: ', base_model, chr(10),
            '---', chr(10), '# Model card for ', model_id, chr(10), chr(10), 'Fine-tuned ',
            if(is_adapter AND named < 0.7, 'with ' || technique, ''), ' on ', md5(model_id), '. ',
            repeat('It achieves the following results on the evaluation set. ', 1 + number % 9), chr(10), chr(10),
            if(is_adapter AND number % 4 > 0, concat('### Framework versions', chr(10), chr(10), '- PEFT ', peft_version, chr(10)), '')
        )
    END AS text,
    length(text) AS bytes,
    TIMESTAMP '2026-11-02' AS fetched_at,
    last_modified AS listed_version
FROM drawn;

INSERT INTO adapter_config BY NAME
SELECT
    'hub' AS source,
    model_id,
    config_status AS status,
    CASE WHEN config_status = 'ok' THEN drawn.peft_type END AS peft_type,
    CASE
        WHEN config_status = 'ok' THEN format(
            '{{"auto_mapping": null, "base_model_name_or_path": "{}", "bias": "none", "fan_in_fan_out": false, '
            '"inference_mode": true, "init_lora_weights": true, "lora_alpha": 16, "lora_dropout": 0.05, '
            '"modules_to_save": {}, "peft_type": "{}", "peft_version": {}, "r": {}, "target_modules": ["q_proj", "v_proj"], '
            '"use_dora": {}, "use_rslora": {}}}',
            base_model, if(number % 10 = 0, '["lm_head"]', 'null'), drawn.peft_type,
            if(number % 3 = 0, '"' || peft_version || '"', 'null'), 2 ^ (2 + number % 5), number % 50 = 0, number % 30 = 0
        )
    END AS config,
    length(config) AS bytes,
    TIMESTAMP '2026-11-02' AS fetched_at,
    last_modified AS listed_version
FROM drawn;

INSERT INTO verdict BY NAME
WITH judged AS (
    SELECT
        *,
        CASE
            WHEN NOT is_adapter THEN CASE WHEN state < 0.02 THEN 'merged' WHEN state < 0.15 THEN 'mentioned' ELSE 'none' END
            WHEN config_status = 'ok' OR (card_status = 'ok' AND named < 0.7)
                THEN CASE WHEN state < 0.01 THEN 'conflict' WHEN state < 0.015 THEN 'several' ELSE 'used' END
            ELSE 'unknown_adapter'
        END AS ruling
    FROM drawn
)

SELECT
    'hub' AS source,
    model_id AS subject_id,
    CASE WHEN ruling IN ('used', 'conflict') THEN technique END AS technique,
    ruling AS state,
    CASE WHEN ruling IN ('used', 'conflict', 'several') THEN if(config_status = 'ok', 'config', 'prose') END AS evidence_kind,
    CASE
        WHEN ruling = 'used' AND technique = 'lora'
            THEN list_filter([if(number % 10 = 0, 'qlora', NULL), if(number % 50 = 0, 'dora', NULL), if(number % 30 = 0, 'rslora', NULL)],
                lambda one: one IS NOT NULL)
        ELSE []
    END AS overlays,
    CASE WHEN ruling IN ('several', 'conflict') THEN list_distinct([technique, 'lora', 'ia3']) ELSE [] END AS techniques,
    CASE WHEN card_status = 'ok' AND is_adapter AND named < 0.7 THEN [technique] ELSE [] END AS mentions,
    CASE WHEN card_status = 'ok' AND is_adapter AND named < 0.7 THEN technique END AS blog_technique,
    blog_technique AS blog_technique_folded,
    ['peft', 'trl', 'axolotl', 'unsloth', 'llama-factory', NULL][1 + number % 6] AS template,
    getvariable('detector') AS detector_version
FROM judged;

INSERT INTO image_checkpoint BY NAME
SELECT
    'civitai' AS source,
    range::VARCHAR AS checkpoint_id,
    ['LORA', 'LORA', 'LORA', 'LORA', 'LoCon', 'Checkpoint', 'TextualInversion', 'DoRA'][1 + floor(8 * uniform(range, 'type'))::BIGINT]
        AS type,
    'upload ' || range AS name,
    'maker' || floor(20_000 * uniform(range, 'maker') ^ 3)::BIGINT AS creator,
    floor(100 / (uniform(range, 'pull') + 1e-5))::BIGINT AS downloads,
    ['SDXL 1.0', 'SD 1.5', 'Flux.1 D', 'Pony'][1 + range % 4] AS base_model,
    TIMESTAMP '2023-01-01' + to_seconds(120_000_000 * uniform(range, 'published')) AS published_at,
    TIMESTAMP '2026-11-01' AS seen_at
FROM range(100_000);

INSERT INTO verdict BY NAME
SELECT
    source,
    checkpoint_id AS subject_id,
    map {'LORA': 'lora', 'LoCon': 'locon', 'DoRA': 'lora', 'TextualInversion': 'textual_inversion'}[type] AS technique,
    if(technique IS NULL, 'none', 'used') AS state,
    if(technique IS NULL, NULL, 'type') AS evidence_kind,
    if(type = 'DoRA', ['dora'], []) AS overlays,
    [] AS techniques,
    [] AS mentions,
    getvariable('detector') AS detector_version
FROM image_checkpoint;

INSERT INTO detection BY NAME
SELECT source, subject_id, technique, evidence_kind, 10 AS span_start, 14 AS span_end, technique AS excerpt,
    detector_version, 'config:peft_type' AS rule, true AS use
FROM verdict
WHERE technique IS NOT NULL AND detector_version = getvariable('detector')
UNION ALL
SELECT source, subject_id, unnest(mentions), 'prose', 100, 104, 'name', detector_version, 'alias', false
FROM verdict
WHERE detector_version = getvariable('detector');

INSERT INTO code_file BY NAME
SELECT
    'github' AS source,
    format('coder{}/project-{}', floor(9_000 * uniform(range // 3, 'coder') ^ 2)::BIGINT, range // 3 % 4) AS repo,
    md5('commit' || repo) AS revision,
    format('src/train_{}.py', range) AS path,
    md5('blob' || floor(40_000 * uniform(range, 'blob'))::BIGINT) AS blob_sha,
    if(range % 200 = 0, 'malformed', 'ok') AS status,
    ['use', 'use', 'use', 'use', 'test', 'docs', 'vendored', 'library'][1 + floor(8 * uniform(range, 'role'))::BIGINT] AS role,
    if(range % 40 = 0, 'fallback', 'ast') AS parser,
    3_000 AS bytes,
    TIMESTAMP '2026-11-03' AS fetched_at
FROM range(50_000);

INSERT INTO code_import BY NAME
WITH named AS (
    SELECT
        file.*,
        number,
        technique_at(uniform(path || number, 'import')) AS technique
    FROM code_file AS file
    CROSS JOIN range(3) AS numbers (number)
    WHERE file.source = 'github' AND file.status = 'ok' AND (number < 2 OR uniform(path, 'third') < 0.3)
)

SELECT
    named.source, repo, revision, path, if(number = 1, 'construct', 'from') AS form, 'peft' AS module, config_class AS name,
    10 + number AS line, named.technique, if(number = 1, NULL, number = 0) AS adjacent
FROM named
JOIN technique ON technique.key = named.technique;

INSERT INTO search_count BY NAME
SELECT DISTINCT ON (config_class) 'github' AS source, '"from peft import ' || config_class || '"' AS query, key AS technique, 1_000 AS total_count,
    false AS incomplete, 900 AS harvested, 3 AS slices, TIMESTAMP '2026-11-03' AS asked_at
FROM technique
WHERE config_class IS NOT NULL
ORDER BY config_class, key;

INSERT INTO bench_run BY NAME
SELECT
    'run' || range AS run_id,
    if(range % 2 = 0, 'peft-method-comparison', 'own') AS origin,
    if(range % 4 < 2, 'MetaMathQA', 'gsm8k') AS task,
    technique_at(uniform(range % 2_000, 'bench')) AS technique,
    format('{}/exp-{}', technique, range % 2_000) AS experiment,
    if(range % 97 = 0, 'failed', 'success') AS status,
    TIMESTAMP '2025-06-01' + to_days((range // 2_000)::INTEGER * 60) AS created_at,
    range AS seed,
    strftime(created_at, '%Y-%m-%d') AS snapshot_on,
    range >= 8_000 AS is_current,
    '0.19.0' AS peft_version,
    '{}' AS config
FROM range(10_000);

INSERT INTO bench_metric
SELECT
    run_id,
    name,
    scale * (0.5 + 0.5 * uniform(run_id, name)),
    unit,
    direction
FROM bench_run
CROSS JOIN (VALUES
    ('test_accuracy', 0.6, 'share', 'higher'), ('forgetting', 0.3, 'nats', 'lower'), ('peak_memory', 2e10, 'bytes', 'lower'),
    ('train_time', 3e3, 'seconds', 'lower'), ('total_time', 4e3, 'seconds', 'lower'),
    ('checkpoint_size', 1e8, 'bytes', 'lower'), ('trainable_parameters', 1e7, 'parameters', 'none')
) AS metrics (name, scale, unit, direction)
WHERE starts_with(run_id, 'run') AND status = 'success';

INSERT INTO failure BY NAME
SELECT 'hub' AS source, 'page ' || range AS subject_id, 'row 1' AS item, 'no_id' AS reason, TIMESTAMP '2026-11-01' AS failed_at
FROM range(1_000);
