-- The rows of the table phrase_import: what a text search for `from peft import NAME` finds. Where a search found the
-- files, only those of the query that names no class: of each class's own query there are as many as were asked for.
WITH alike AS (
    SELECT DISTINCT source, repo, path
    FROM search_hit
    WHERE technique IS NULL
),

statement AS (
    SELECT
        source,
        repo,
        path,
        technique,
        -- Where no one looked, the name that sorted imports put first stands in: rows have no order of their own.
        coalesce(adjacent, name = min(name) OVER (PARTITION BY source, repo, path, cell, line)) AS found
    FROM code_import
    WHERE form = 'from' AND module = 'peft'
)

SELECT DISTINCT
    statement.source,
    statement.repo,
    statement.path,
    statement.technique,
    file.role,
    file.blob_sha,
    file.fetched_at
FROM statement
JOIN code_file AS file USING (source, repo, path)
LEFT JOIN alike USING (source, repo, path)
WHERE
    statement.found
    AND statement.technique IS NOT NULL
    AND (alike.path IS NOT NULL OR statement.source NOT IN (SELECT source FROM search_hit))
