-- Every file and technique it takes from peft. `phrase`: a text search for `from peft import CLASS` finds it. `imported`:
-- a parser does, in whatever form. `constructs`: the class is called, or its type stands in a config. `copy`: place
-- among the files of a project's own code with the same content, 1 for the one that counts, forks last. Where a search
-- found the files, only those of the query that names no class: of the others there are as many as were asked for.
WITH found AS (
    SELECT source, repo, path, bool_or(fork) AS fork
    FROM search_hit
    WHERE technique IS NULL
    GROUP BY source, repo, path
),

file AS (
    SELECT
        code_file.source,
        code_file.repo,
        code_file.path,
        code_file.status,
        code_file.role,
        code_file.fetched_at,
        coalesce(found.fork, false) AS fork,
        row_number() OVER (
            PARTITION BY
                code_file.source,
                code_file.role = 'use',
                coalesce(code_file.blob_sha, code_file.repo || '/' || code_file.path)
            ORDER BY coalesce(found.fork, false), code_file.repo, code_file.path
        ) AS copy
    FROM code_file
    LEFT JOIN found USING (source, repo, path)
    WHERE found.path IS NOT NULL OR code_file.source NOT IN (SELECT source FROM search_hit)
),

imported AS (
    SELECT source, repo, path, technique, bool_or(form IN ('construct', 'config_dict')) AS constructs
    FROM code_import
    WHERE technique IS NOT NULL
    GROUP BY source, repo, path, technique
)

SELECT
    file.source,
    file.repo,
    file.path,
    imported.technique,
    phrase_import.technique IS NOT NULL AS phrase,
    coalesce(file.role = 'use', false) AS own,
    file.fork,
    file.copy,
    file.status = 'ok' AS parsed,
    imported.constructs,
    file.fetched_at AS seen_at
FROM imported
JOIN file USING (source, repo, path)
LEFT JOIN phrase_import USING (source, repo, path, technique)
ORDER BY file.source, file.repo, file.path, imported.technique
