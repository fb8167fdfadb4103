-- Subjects without a verdict of this detector version, with all that is known of each: at most $batch of them, and
-- $characters of text (or one subject, if that has more). $version.
WITH subjects AS (
    -- A dump's cards that said nothing are not kept: another detector reads the dump again.
    SELECT source, model_id AS subject_id FROM model_card
    WHERE text IS NOT NULL OR source <> 'dump' OR status NOT IN ('ok', 'too_large')
    UNION
    SELECT source, model_id AS subject_id FROM adapter_config
    UNION
    SELECT source, checkpoint_id AS subject_id FROM image_checkpoint
),

unjudged AS (
    SELECT subjects.source, subjects.subject_id
    FROM subjects
    ANTI JOIN (SELECT source, subject_id FROM verdict WHERE detector_version = $version) AS judged
        ON judged.source = subjects.source AND judged.subject_id = subjects.subject_id
    LIMIT $batch
),

measured AS (
    SELECT
        unjudged.source,
        unjudged.subject_id,
        row_number() OVER running AS place,
        sum(coalesce(length(card.text), 0) + coalesce(length(config.config), 0)) OVER running AS characters
    FROM unjudged
    LEFT JOIN model_card AS card ON card.source = unjudged.source AND card.model_id = unjudged.subject_id
    LEFT JOIN adapter_config AS config ON config.source = unjudged.source AND config.model_id = unjudged.subject_id
    WINDOW running AS (ORDER BY unjudged.source, unjudged.subject_id)
),

chosen AS (
    SELECT source, subject_id
    FROM measured
    WHERE characters <= $characters OR place = 1
)

SELECT
    chosen.source,
    chosen.subject_id,
    card.text AS card,
    config.config,
    listed.tags,
    listed.library_name,
    listed.base_model,
    listed.weight_files,
    checkpoint.type AS site_type
FROM chosen
LEFT JOIN model_card AS card ON card.source = chosen.source AND card.model_id = chosen.subject_id
LEFT JOIN adapter_config AS config ON config.source = chosen.source AND config.model_id = chosen.subject_id
LEFT JOIN hub_model AS listed ON listed.source = chosen.source AND listed.model_id = chosen.subject_id
LEFT JOIN image_checkpoint AS checkpoint
    ON checkpoint.source = chosen.source AND checkpoint.checkpoint_id = chosen.subject_id
