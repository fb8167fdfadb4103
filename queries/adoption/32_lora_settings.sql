-- title: Which settings of LoRA are switched on, among configs of type LORA?
-- chart: interval
-- x: setting
-- y: share
-- unit: share of LORA configs
-- count: effective_count
-- total: effective_total
-- note: By the value in the config, never by the presence of a key: PEFT writes every key. Saving with
--     conversion sets PiSSA, CorDA and OLoRA back to plain LoRA, and LoRA+, LoRA-FA and QLoRA never reach the
--     config: lower bounds.
WITH lora_config AS (
    SELECT
        subject.source,
        subject.subject_id,
        coalesce(subject.author, subject.subject_id) AS author,
        subject.weight,
        CASE WHEN json_valid(config.config) THEN config.config ELSE '{}' END AS config
    FROM subject
    JOIN adapter_config AS config ON config.source = subject.source AND config.model_id = subject.subject_id
    WHERE config.status = 'ok' AND config.peft_type = 'LORA'
),

setting AS (
    SELECT
        source,
        author,
        weight,
        unnest([
            if(json_extract_string(config, '$.use_dora') = 'true', 'use_dora', NULL),
            if(json_extract_string(config, '$.use_rslora') = 'true', 'use_rslora', NULL),
            if(json_extract_string(config, '$.lora_bias') = 'true', 'lora_bias', NULL),
            if(json_extract_string(config, '$.use_qalora') = 'true', 'use_qalora', NULL),
            if(json_array_length(config, '$.modules_to_save') > 0, 'modules_to_save', NULL),
            if(json_array_length(config, '$.trainable_token_indices') > 0, 'trainable_token_indices', NULL),
            if(json_array_length(config, '$.layer_replication') > 0, 'layer_replication', NULL),
            CASE
                WHEN lower(json_extract_string(config, '$.init_lora_weights')) <> 'true'
                    THEN 'init_lora_weights = ' || lower(json_extract_string(config, '$.init_lora_weights'))
            END
        ]) AS setting
    FROM lora_config
),

author_total AS (
    SELECT source, author, sum(weight) AS configs
    FROM lora_config
    GROUP BY ALL
),

source_total AS (
    SELECT source, sum(configs) AS configs, sum(configs) ^ 2 / sum(configs ^ 2) AS effective_total
    FROM author_total
    GROUP BY source
)

SELECT
    source,
    setting,
    count(*) AS configs_read,
    count(DISTINCT author) AS authors,
    sum(setting.weight) / any_value(source_total.configs) * any_value(source_total.effective_total) AS effective_count,
    any_value(source_total.effective_total) AS effective_total
FROM setting
JOIN source_total USING (source)
WHERE setting IS NOT NULL
GROUP BY source, setting
ORDER BY source, effective_count DESC, setting;
