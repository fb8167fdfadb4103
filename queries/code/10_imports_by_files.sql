-- title: Which config classes do files import, counted the blog's way?
-- chart: interval
-- x: technique
-- y: share
-- unit: share of pairs of file and class
-- note: What a text search for `from peft import NAME` finds: every file once for each class that stands right
--     after import, tests, docs and copies of peft among them. Compare imports_by_repositories. Comments and
--     strings, which a text search finds too, are not counted.
WITH files AS (
    SELECT
        source,
        technique,
        count(*) AS files,
        count(DISTINCT repo) AS repositories,
        count(DISTINCT coalesce(blob_sha, repo || '/' || path)) AS distinct_contents,
        count_if(role = 'use') AS in_use,
        count_if(role = 'test') AS in_tests,
        count_if(role = 'docs') AS in_docs,
        count_if(role IN ('library', 'vendored')) AS in_libraries
    FROM phrase_import
    GROUP BY source, technique
)

SELECT
    files.source,
    files.technique,
    files.files,
    estimate.share,
    estimate.low,
    estimate.high,
    files.repositories,
    files.distinct_contents,
    files.in_use,
    files.in_tests,
    files.in_docs,
    files.in_libraries
FROM files
LEFT JOIN estimate
    ON estimate.source = files.source
    AND estimate.technique = files.technique
    AND estimate.rule = 'imports_files'
ORDER BY files.source, files.files DESC, files.technique;
