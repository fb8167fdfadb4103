-- The last crawl of each source, and what it left.
WITH last_crawl AS (
    SELECT *
    FROM crawl
    QUALIFY row_number() OVER (PARTITION BY source ORDER BY crawl_id DESC) = 1
)

SELECT source, kind, endpoint, state, started_at, finished_at, counters, message
FROM last_crawl
ORDER BY source
