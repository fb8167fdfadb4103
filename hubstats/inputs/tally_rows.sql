-- The rows of the table tally: adapters by base model and by task, and LORA configs by the settings switched on. Sums are
-- of decimals: those of floating-point numbers differ in the last digit with the order in which threads add them up.
WITH adapter_use AS (
    SELECT source, 'base_model' AS dimension, base_model AS value, author, technique AS member, part,
        CAST(weight * part AS DECIMAL(18, 9)) AS amount
    FROM adapter
    WHERE base_model IS NOT NULL
    UNION ALL
    SELECT source, 'pipeline_tag', pipeline_tag, author, technique, part, CAST(weight * part AS DECIMAL(18, 9))
    FROM adapter
    WHERE source IN (SELECT source FROM hub_model)
),

lora_config AS (
    SELECT
        config.source,
        coalesce(subject.author, subject.subject_id) AS author,
        CAST(subject.weight AS DECIMAL(18, 9)) AS weight,
        -- All settings at once: each config is parsed once.
        TRY(json_extract_string(config.config, [
            '$.use_dora', '$.use_rslora', '$.lora_bias', '$.use_qalora', '$.modules_to_save[0]',
            '$.trainable_token_indices[0]', '$.layer_replication[0]', '$.init_lora_weights'
        ])) AS found
    FROM adapter_config AS config
    JOIN subject ON subject.source = config.source AND subject.subject_id = config.model_id
    WHERE config.status = 'ok' AND config.peft_type = 'LORA'
),

-- By the value, never by the presence of a key: PEFT writes every key.
lora_setting AS (
    SELECT
        source,
        author,
        weight,
        unnest([
            if(found[1] = 'true', 'use_dora', NULL),
            if(found[2] = 'true', 'use_rslora', NULL),
            if(found[3] = 'true', 'lora_bias', NULL),
            if(found[4] = 'true', 'use_qalora', NULL),
            if(found[5] IS NOT NULL, 'modules_to_save', NULL),
            if(found[6] IS NOT NULL, 'trainable_token_indices', NULL),
            if(found[7] IS NOT NULL, 'layer_replication', NULL),
            if(lower(found[8]) <> 'true', 'init_lora_weights = ' || lower(found[8]), NULL)
        ]) AS setting
    FROM lora_config
),

by_author AS (
    SELECT source, dimension, value, member, author, sum(amount) AS amount, sum(part) AS part, count(*) AS items
    FROM adapter_use
    GROUP BY ALL
    UNION ALL
    SELECT source, 'lora_setting', NULL, setting, author, sum(weight), NULL, count(*)
    FROM lora_setting
    WHERE setting IS NOT NULL
    GROUP BY ALL
),

author_total AS (
    SELECT source, dimension, value, author, sum(amount) AS amount, sum(part) AS items
    FROM by_author
    WHERE dimension <> 'lora_setting'
    GROUP BY ALL
    UNION ALL
    SELECT source, 'lora_setting', NULL, author, sum(weight), count(*)
    FROM lora_config
    GROUP BY ALL
)

SELECT
    source,
    dimension,
    value,
    member,
    sum(amount)::DOUBLE AS items,
    sum(items)::BIGINT AS items_read,
    count(*) AS authors,
    sum(amount)::DOUBLE ^ 2 / sum((amount::DOUBLE ^ 2)::DECIMAL(38, 9))::DOUBLE AS effective_size
FROM by_author
GROUP BY ALL
UNION ALL
SELECT
    source,
    dimension,
    value,
    NULL,
    sum(amount)::DOUBLE,
    round(sum(items))::BIGINT,
    count(*),
    sum(amount)::DOUBLE ^ 2 / sum((amount::DOUBLE ^ 2)::DECIMAL(38, 9))::DOUBLE
FROM author_total
GROUP BY ALL
