-- title: Which adapter of each technique is downloaded most?
-- chart: bar
-- x: technique
-- y: downloads
-- unit: downloads
-- note: Among the adapters that were read, so in a sample not the most downloaded of all. The owner's name is
--     hashed; id_hash is the MD5 of the whole id, to find the row in your own file with md5(model_id).
WITH ranked AS (
    SELECT
        source,
        technique,
        subject_id,
        downloads,
        base_model,
        created_at,
        count(*) OVER (PARTITION BY source, technique) AS adapters_read,
        row_number() OVER (PARTITION BY source, technique ORDER BY downloads DESC, subject_id) AS place
    FROM adapter
    WHERE downloads IS NOT NULL
)

SELECT
    source,
    technique,
    CASE
        WHEN contains(subject_id, '/')
            THEN left(md5(split_part(subject_id, '/', 1)), 8) || '/' || substr(subject_id, strpos(subject_id, '/') + 1)
        ELSE subject_id
    END AS adapter,
    downloads,
    base_model,
    created_at::DATE AS created_on,
    adapters_read,
    md5(subject_id) AS id_hash
FROM ranked
WHERE place = 1
ORDER BY source, downloads DESC, technique;
