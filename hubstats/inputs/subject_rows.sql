-- The rows of the table subject: every item that was read, with its weight, what it uses and what could be read of it.
-- Where the variables `part` and `parts` are set, that part of the items only, by a hash of their name: joined all at
-- once, three million take gigabytes.
WITH draw AS (
    SELECT source, arg_max(seed, drawn_at) AS seed
    FROM sample_stratum
    GROUP BY source
),

-- A drawn repository whose files were not asked for yet is as good as not drawn: the weights are of those that were.
sampled AS (
    SELECT
        drawn.source,
        drawn.model_id AS subject_id,
        drawn.stratum,
        stratum.frame_size / count(*) OVER (PARTITION BY drawn.source, drawn.stratum) AS weight
    FROM sample_frame AS drawn
    JOIN draw USING (source, seed)
    JOIN sample_stratum AS stratum USING (source, seed, stratum)
    LEFT JOIN hub_model AS listed ON listed.source = drawn.source AND listed.model_id = drawn.model_id
    LEFT JOIN model_card AS card ON card.source = drawn.source AND card.model_id = drawn.model_id
    LEFT JOIN adapter_config AS config ON config.source = drawn.source AND config.model_id = drawn.model_id
    WHERE (card.status IS NOT NULL OR NOT listed.has_card)
        AND (config.status IS NOT NULL OR NOT listed.has_adapter_config)
),

item AS (
    SELECT source, subject_id, stratum, weight
    FROM sampled
    WHERE hash(subject_id) % coalesce(getvariable('parts'), 1::UBIGINT) = coalesce(getvariable('part'), 0)
    UNION ALL
    SELECT source, subject_id, 'all', 1
    FROM (
        SELECT source, model_id AS subject_id FROM model_card ANTI JOIN draw USING (source)
        WHERE hash(model_id) % coalesce(getvariable('parts'), 1::UBIGINT) = coalesce(getvariable('part'), 0)
        UNION
        SELECT source, model_id FROM adapter_config ANTI JOIN draw USING (source)
        WHERE hash(model_id) % coalesce(getvariable('parts'), 1::UBIGINT) = coalesce(getvariable('part'), 0)
        UNION
        SELECT source, checkpoint_id FROM image_checkpoint ANTI JOIN draw USING (source)
        WHERE hash(checkpoint_id) % coalesce(getvariable('parts'), 1::UBIGINT) = coalesce(getvariable('part'), 0)
    )
),

-- What is needed of a file is taken before the joins, so that no join carries its text. The card's line is the one that
-- trainers write under 'Framework versions'; the pattern opens with fixed text, which is searched for six times faster.
card AS (
    SELECT
        source,
        model_id,
        status,
        fetched_at,
        regexp_extract(text, '\n- PEFT (\d{1,3}\.\d{1,3}(?:\.\d{1,4})?)', 1) AS peft_version
    FROM model_card
    WHERE hash(model_id) % coalesce(getvariable('parts'), 1::UBIGINT) = coalesce(getvariable('part'), 0)
),

config AS (
    SELECT
        source,
        model_id,
        status,
        fetched_at,
        regexp_extract(
            TRY(json_extract_string(config, '$.peft_version')), '^(\d{1,3}\.\d{1,3}(?:\.\d{1,4})?)', 1
        ) AS peft_version
    FROM adapter_config
    WHERE hash(model_id) % coalesce(getvariable('parts'), 1::UBIGINT) = coalesce(getvariable('part'), 0)
),

listed AS (
    SELECT source, model_id, author, downloads, created_at, base_model, pipeline_tag, has_card, has_adapter_config, seen_at
    FROM hub_model
    WHERE hash(model_id) % coalesce(getvariable('parts'), 1::UBIGINT) = coalesce(getvariable('part'), 0)
),

checkpoint AS (
    SELECT source, checkpoint_id, creator, downloads, published_at, base_model, type, seen_at
    FROM image_checkpoint
    WHERE hash(checkpoint_id) % coalesce(getvariable('parts'), 1::UBIGINT) = coalesce(getvariable('part'), 0)
),

judged AS (
    SELECT *
    FROM verdict
    WHERE hash(subject_id) % coalesce(getvariable('parts'), 1::UBIGINT) = coalesce(getvariable('part'), 0)
),

described AS (
    SELECT
        item.source,
        item.subject_id,
        item.stratum,
        item.weight,
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
        coalesce(nullif(config.peft_version, ''), nullif(card.peft_version, '')) AS peft_version,
        coalesce(card.status, CASE WHEN NOT listed.has_card THEN 'missing' END) AS card_status,
        coalesce(config.status, CASE WHEN NOT listed.has_adapter_config THEN 'missing' END) AS config_status,
        checkpoint.type AS site_type,
        greatest(card.fetched_at, config.fetched_at, checkpoint.seen_at, listed.seen_at) AS seen_at
    FROM item
    LEFT JOIN listed ON listed.source = item.source AND listed.model_id = item.subject_id
    LEFT JOIN card ON card.source = item.source AND card.model_id = item.subject_id
    LEFT JOIN config ON config.source = item.source AND config.model_id = item.subject_id
    LEFT JOIN checkpoint
        ON checkpoint.source = item.source AND checkpoint.checkpoint_id = item.subject_id
)

SELECT
    described.source,
    described.subject_id,
    described.stratum,
    described.weight,
    described.author,
    described.downloads,
    described.created_at,
    described.base_model,
    described.pipeline_tag,
    described.peft_version || CASE WHEN described.peft_version LIKE '%.%.%' THEN '' ELSE '.0' END AS peft_version,
    described.card_status,
    described.config_status,
    described.site_type,
    described.seen_at,
    coalesce(judged.state, 'none') AS state,
    CASE
        WHEN judged.state = 'several' THEN list_sort(list_distinct(judged.techniques))
        WHEN judged.state IN ('used', 'conflict') AND judged.technique IS NOT NULL THEN [judged.technique]
        ELSE []
    END AS techniques,
    coalesce(list_sort(list_distinct(judged.overlays)), []) AS overlays,
    judged.mentions,
    judged.blog_technique,
    judged.blog_technique_folded,
    judged.template,
    judged.detector_version
FROM described
LEFT JOIN judged ON judged.source = described.source AND judged.subject_id = described.subject_id
