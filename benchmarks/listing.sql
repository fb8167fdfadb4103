-- A synthetic Hub, its listing: $models repositories of heavy-tailed authors. Seeded, the same on every machine with
-- this version of DuckDB. Techniques are given to authors more than to repositories, as people keep to what they know.
CREATE OR REPLACE TEMP TABLE repository AS
WITH numbered AS (
    SELECT
        range AS number,
        floor(800_000 * uniform(range, 'owner') ^ 2.5)::BIGINT AS owner,
        uniform(range, 'kind') < 0.35 AS is_adapter,
        TIMESTAMP '2022-03-02' + to_seconds(142_000_000 * sqrt(uniform(range, 'created'))) AS created_at
    FROM range(getvariable('models'))
),

voted AS (
    SELECT
        *,
        if(uniform(number, 'habit') < 0.7, uniform(owner, 'technique'), uniform(number, 'technique')) AS place
    FROM numbered
)

SELECT
    *,
    format('owner{}/model-{}', owner, number) AS model_id,
    technique_at(place) AS technique
FROM voted;

INSERT INTO hub_model BY NAME
SELECT
    'hub' AS source,
    model_id,
    'owner' || owner AS author,
    created_at,
    created_at + to_seconds(40_000_000 * uniform(number, 'modified')) AS last_modified,
    CASE WHEN uniform(number, 'downloaded') < 0.6 THEN floor(3 / (uniform(number, 'downloads') + 1e-6) ^ 0.9)::BIGINT ELSE 0 END
        AS downloads,
    floor(0.05 / (uniform(number, 'likes') + 1e-4))::BIGINT AS likes,
    list_concat(
        ['transformers', 'safetensors', 'region:us', 'license:mit'],
        CASE WHEN is_adapter THEN ['peft', 'base_model:adapter:' || base_at(number)] ELSE [] END,
        CASE
            WHEN is_adapter AND technique = 'lora'
                AND (created_at >= TIMESTAMP '2025-07-01' OR uniform(number, 'tagged') < 0.3)
                THEN ['lora']
            ELSE []
        END
    ) AS tags,
    CASE WHEN is_adapter THEN 'peft' WHEN uniform(number, 'library') < 0.7 THEN 'transformers' END AS library_name,
    ['text-generation', 'text-to-image', 'text-classification', 'automatic-speech-recognition', 'token-classification',
        'image-classification', 'fill-mask', 'question-answering', 'translation', 'summarization', NULL]
        [1 + floor(11 * uniform(number, 'task') ^ 1.5)::BIGINT] AS pipeline_tag,
    CASE WHEN is_adapter OR uniform(number, 'child') < 0.4 THEN base_at(number) END AS base_model,
    CASE WHEN is_adapter THEN 'adapter' WHEN uniform(number, 'child') < 0.4 THEN 'finetune' END AS base_model_relation,
    uniform(number, 'gated') < 0.02 AS gated,
    uniform(number, 'disabled') < 0.001 AS disabled,
    uniform(number, 'card') < 0.7 AS has_card,
    is_adapter AND uniform(number, 'config') < 0.95 AS has_adapter_config,
    CASE WHEN is_adapter THEN ['adapter_model.safetensors'] ELSE ['model.safetensors'] END AS weight_files,
    TIMESTAMP '2026-11-01' AS seen_at
FROM repository;

INSERT INTO crawl (crawl_id, source, kind, endpoint, state, started_at, finished_at, options, counters, hubstats_version)
SELECT 100, 'hub', 'live', 'https://hub.example', 'done', TIMESTAMP '2026-11-01', TIMESTAMP '2026-11-02', '{}', '{"requests": 300000}', '0';
