-- The last crawl of each source, and what it left.
WITH last_crawl AS (
    SELECT *
    FROM crawl
    QUALIFY row_number() OVER (PARTITION BY source ORDER BY crawl_id DESC) = 1
)

SELECT
    source,
    kind,
    state,
    started_at,
    finished_at,
    CAST(json_extract_string(counters, '$.requests') AS BIGINT) AS requests,
    list_transform(
        list_filter(json_keys(counters), lambda name: starts_with(name, 'quota_left:')),
        lambda name: replace(name, 'quota_left:', '') || ' ' || json_extract_string(counters, '$."' || name || '"')
    ) AS quota_left,
    message,
    endpoint
FROM last_crawl
ORDER BY source
