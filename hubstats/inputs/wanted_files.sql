-- Sampled repositories with files that were never read, that failed, or that changed since. $source, $seed.
WITH drawn AS (
    SELECT model_id, draw_rank
    FROM sample_frame
    WHERE source = $source AND seed = $seed
),

wanted AS (
    SELECT
        drawn.model_id,
        drawn.draw_rank,
        listed.has_card,
        listed.has_adapter_config,
        listed.last_modified,
        card.status IS NULL
        OR card.status = 'failed'
        OR card.listed_version IS DISTINCT FROM listed.last_modified AS wants_card,
        config.status IS NULL
        OR config.status = 'failed'
        OR config.listed_version IS DISTINCT FROM listed.last_modified AS wants_config
    FROM drawn
    JOIN hub_model AS listed ON listed.source = $source AND listed.model_id = drawn.model_id
    LEFT JOIN model_card AS card ON card.source = $source AND card.model_id = drawn.model_id
    LEFT JOIN adapter_config AS config ON config.source = $source AND config.model_id = drawn.model_id
)

SELECT model_id, has_card, has_adapter_config, last_modified, wants_card, wants_config
FROM wanted
WHERE wants_card OR wants_config
ORDER BY draw_rank, model_id
