-- What a plain search of the text would find: the name of a PEFT type in any case, with space, hyphen or underscore,
-- inside a word or not. One row a card; at most 10,000 cards a source, picked by a hash of their id, since each is
-- searched for every name.
WITH picked AS (
    SELECT source, model_id
    FROM model_card
    WHERE text IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY source ORDER BY md5(model_id), model_id) <= 10000
),

folded AS MATERIALIZED (
    SELECT source, model_id, lower(text) AS text
    FROM model_card
    SEMI JOIN picked USING (source, model_id)
),

name AS (
    SELECT key, unnest(list_distinct([name, replace(name, '_', ' '), replace(name, '_', '-')])) AS name
    FROM (SELECT key, lower(peft_type) AS name FROM technique WHERE kind = 'method' AND library = 'peft')
    WHERE name <> ''
),

found AS (
    SELECT folded.source, folded.model_id, list_sort(list(DISTINCT name.key)) AS techniques
    FROM folded
    JOIN name ON contains(folded.text, name.name)
    GROUP BY folded.source, folded.model_id
)

SELECT picked.source, picked.model_id AS subject_id, coalesce(found.techniques, []) AS techniques
FROM picked
LEFT JOIN found USING (source, model_id)
ORDER BY picked.source, subject_id
