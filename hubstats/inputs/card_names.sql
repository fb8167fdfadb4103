-- Readable cards of adapters: what each names, and what the config beside it says where that was read. Imported cards
-- and configs are paired when their names are equal, or when README.md and adapter_config.json lie in one folder.
WITH said AS (
    SELECT source, subject_id, list_sort(list_distinct(list(technique))) AS proven
    FROM detection
    WHERE evidence_kind = 'config'
    GROUP BY source, subject_id
),

-- A name that several configs claim (x and x/adapter_config) says what any of them says.
imported AS (
    SELECT
        regexp_replace(said.subject_id, '/adapter_config$', '') AS name,
        list_sort(list_distinct(flatten(list(said.proven)))) AS proven
    FROM said
    JOIN subject USING (source, subject_id)
    WHERE said.source = 'configs' AND subject.config_status = 'ok'
    GROUP BY name
),

card AS (
    SELECT
        subject.source,
        subject.subject_id,
        coalesce(subject.mentions, []) AS named,
        CASE
            WHEN subject.source = 'cards' THEN imported.proven
            WHEN subject.config_status = 'ok' THEN said.proven
        END AS proven,
        subject.state
    FROM subject
    LEFT JOIN said ON said.source = subject.source AND said.subject_id = subject.subject_id
    LEFT JOIN imported
        ON subject.source = 'cards' AND imported.name = regexp_replace(subject.subject_id, '/README$', '')
    WHERE subject.card_status IN ('ok', 'too_large')
)

SELECT source, subject_id, named, proven
FROM card
WHERE proven IS NOT NULL OR state IN ('used', 'several', 'conflict', 'unknown_adapter')
ORDER BY source, subject_id
