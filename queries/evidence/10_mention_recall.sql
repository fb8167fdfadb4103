-- title: How often does the card name the technique that the config proves?
-- chart: interval
-- x: technique
-- y: share
-- unit: share of cards
-- count: effective_naming
-- total: effective_cards
-- note: Of items with a readable card and a PEFT config. naming counts cards that name the technique itself,
--     naming_or_variant also those that name only a variant of it (QLoRA for LoRA). Effective counts weight to
--     the frame and allow for authors with many uploads. Imported cards and configs are paired when their names
--     are equal, or when README.md and adapter_config.json lie in one folder: if they do not belong together,
--     set pair_imports to false.
-- param: pair_imports BOOLEAN = true  pair imported cards with imported configs of the same name
WITH proven AS (
    SELECT
        config.source,
        config.model_id,
        regexp_replace(config.model_id, '/adapter_config$', '') AS name,
        technique.key AS technique,
        list_append(list(variant.key) FILTER (variant.key IS NOT NULL), technique.key) AS names
    FROM adapter_config AS config
    JOIN technique ON technique.peft_type = config.peft_type AND technique.kind IN ('method', 'legacy')
    LEFT JOIN technique AS variant ON variant.parent = technique.key AND variant.kind IN ('variant', 'recipe')
    WHERE config.status = 'ok'
    GROUP BY config.source, config.model_id, technique.key
),

card AS (
    SELECT
        card.source,
        card.model_id,
        regexp_replace(card.model_id, '/README$', '') AS name,
        coalesce(verdict.mentions, []) AS mentions
    FROM model_card AS card
    JOIN verdict ON verdict.source = card.source AND verdict.subject_id = card.model_id
    WHERE card.status = 'ok'
),

pair AS (
    SELECT proven.source, proven.model_id, proven.technique, proven.names, card.mentions
    FROM proven
    JOIN card ON card.source = proven.source AND card.model_id = proven.model_id
    UNION ALL
    SELECT 'cards + configs', proven.model_id, proven.technique, proven.names, card.mentions
    FROM proven
    JOIN card ON card.name = proven.name
    WHERE $pair_imports AND card.source = 'cards' AND proven.source = 'configs'
),

author_total AS (
    SELECT
        pair.source,
        pair.technique,
        coalesce(subject.author, pair.model_id) AS author,
        count(*) AS cards,
        count_if(list_contains(pair.mentions, pair.technique)) AS naming,
        count_if(list_has_any(pair.mentions, pair.names)) AS naming_or_variant,
        sum(coalesce(subject.weight, 1)) AS weighted_cards,
        sum(coalesce(subject.weight, 1) * list_contains(pair.mentions, pair.technique)::INTEGER) AS weighted_naming
    FROM pair
    LEFT JOIN subject ON subject.source = pair.source AND subject.subject_id = pair.model_id
    GROUP BY ALL
)

SELECT
    source,
    technique,
    sum(cards)::BIGINT AS cards,
    sum(naming)::BIGINT AS naming,
    sum(naming_or_variant)::BIGINT AS naming_or_variant,
    sum(weighted_naming) / sum(weighted_cards) * sum(weighted_cards) ^ 2 / sum(weighted_cards ^ 2) AS effective_naming,
    sum(weighted_cards) ^ 2 / sum(weighted_cards ^ 2) AS effective_cards
FROM author_total
GROUP BY source, technique
ORDER BY source, cards DESC, technique;
