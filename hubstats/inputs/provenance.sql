-- Of each source the last crawl, and the newest sample with its sizes.
WITH last_crawl AS (
    SELECT *
    FROM crawl
    QUALIFY row_number() OVER (PARTITION BY source ORDER BY crawl_id DESC) = 1
),

draw AS (
    SELECT
        source,
        arg_max(seed, drawn_at) AS seed
    FROM sample_stratum
    GROUP BY source
),

sample AS (
    SELECT
        source,
        seed,
        any_value(design) AS design,
        count(*) AS strata,
        sum(sample_size)::BIGINT AS sample_size,
        sum(frame_size)::BIGINT AS frame_size
    FROM sample_stratum
    JOIN draw USING (source, seed)
    GROUP BY source, seed
)

SELECT
    source,
    last_crawl.crawl_id,
    last_crawl.state AS crawl_state,
    coalesce(last_crawl.finished_at, last_crawl.started_at) AS crawled_at,
    last_crawl.endpoint,
    sample.seed,
    sample.design,
    sample.strata,
    sample.sample_size,
    sample.frame_size
FROM last_crawl
FULL JOIN sample USING (source)
ORDER BY source
