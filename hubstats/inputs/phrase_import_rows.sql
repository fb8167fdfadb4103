-- The rows of the table phrase_import: what a text search for `from peft import NAME` finds.
WITH statement AS (
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
WHERE statement.found AND statement.technique IS NOT NULL
