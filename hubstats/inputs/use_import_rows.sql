-- The rows of the table use_import: what repositories that use peft import and construct, each content once.
-- Where a search found the files, only those of the query that names no class count, as in phrase_import.
WITH alike AS (
    SELECT DISTINCT source, repo, path
    FROM search_hit
    WHERE technique IS NULL
),

original AS (
    SELECT source, repo, path, fetched_at
    FROM code_file
    LEFT JOIN alike USING (source, repo, path)
    WHERE
        status = 'ok'
        AND role = 'use'
        AND (alike.path IS NOT NULL OR source NOT IN (SELECT source FROM search_hit))
    QUALIFY row_number() OVER (
        PARTITION BY source, coalesce(blob_sha, repo || '/' || path)
        ORDER BY repo, path
    ) = 1
)

SELECT
    original.source,
    original.repo,
    import.technique,
    bool_or(import.form IN ('construct', 'config_dict')) AS constructs,
    count(DISTINCT original.path) AS files,
    max(original.fetched_at) AS fetched_at
FROM original
JOIN code_import AS import USING (source, repo, path)
WHERE import.technique IS NOT NULL
GROUP BY original.source, original.repo, import.technique
