-- title: Which adapter of each technique is downloaded most?
-- chart: bar
-- x: technique
-- y: downloads
-- unit: downloads
-- note: Among the adapters that were read, so in a sample not the most downloaded of all. The owner's name is
--     hashed with a salt of this file; id_hash is the whole id so hashed, to find the row in your own file with
--     author_hash(subject_id).
WITH technique_total AS (
    SELECT source, technique, count(*) AS adapters_read, max(downloads) AS downloads
    FROM adapter
    WHERE downloads IS NOT NULL
    GROUP BY source, technique
)

SELECT
    adapter.source,
    adapter.technique,
    CASE
        WHEN contains(subject_id, '/')
            THEN author_hash(split_part(subject_id, '/', 1)) || '/' || substr(subject_id, strpos(subject_id, '/') + 1)
        ELSE subject_id
    END AS adapter,
    adapter.downloads,
    -- Who trains on a model of their own is named by it.
    CASE WHEN split_part(base_model, '/', 1) <> split_part(subject_id, '/', 1) THEN base_model END AS base_model,
    adapter.created_at::DATE AS created_on,
    technique_total.adapters_read,
    author_hash(subject_id) AS id_hash
FROM adapter
JOIN technique_total USING (source, technique, downloads)
QUALIFY row_number() OVER (PARTITION BY adapter.source, adapter.technique ORDER BY subject_id) = 1
ORDER BY adapter.source, adapter.downloads DESC, adapter.technique;
