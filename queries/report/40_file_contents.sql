-- title: What does the file hold, from where, of which day and how did its last crawl end?
WITH held AS (
    SELECT source, 'repositories listed' AS item, count(*) AS items, max(seen_at) AS newest FROM hub_model GROUP BY source
    UNION ALL
    SELECT source, 'model cards read', count(*), max(fetched_at) FROM model_card WHERE status = 'ok' GROUP BY source
    UNION ALL
    SELECT source, 'adapter configs read', count(*), max(fetched_at) FROM adapter_config WHERE status = 'ok' GROUP BY source
    UNION ALL
    SELECT source, 'code files that name peft', count(*), max(fetched_at) FROM code_file WHERE status = 'ok' GROUP BY source
    UNION ALL
    SELECT source, 'code repositories', count(DISTINCT repo), max(fetched_at) FROM code_file WHERE status = 'ok' GROUP BY source
    UNION ALL
    SELECT source, 'image checkpoints', count(*), max(seen_at) FROM image_checkpoint GROUP BY source
    UNION ALL
    SELECT origin, 'fine-tuning runs', count(*), max(created_at) FROM bench_run WHERE status = 'success' GROUP BY origin
    UNION ALL
    SELECT origin, 'published popularity figures', count(*), max(TRY_CAST(published_on AS TIMESTAMP))
    FROM published_figure
    GROUP BY origin
    UNION ALL
    SELECT source, 'items that could not be read', count(*), max(failed_at) FROM failure GROUP BY source
),

last_crawl AS (
    SELECT
        source,
        kind,
        state,
        started_at,
        message,
        TRY_CAST(regexp_extract(endpoint, '\d{4}-\d{2}-\d{2}') AS DATE) AS snapshot_of
    FROM crawl
    QUALIFY row_number() OVER (PARTITION BY source ORDER BY crawl_id DESC) = 1
)

SELECT
    held.source,
    last_crawl.kind,
    held.item,
    held.items,
    coalesce(CAST(held.newest AS DATE), CASE WHEN last_crawl.kind = 'snapshot' THEN last_crawl.snapshot_of END) AS newest,
    last_crawl.state,
    CAST(last_crawl.started_at AS DATE) AS crawled_on,
    last_crawl.message
FROM held
LEFT JOIN last_crawl USING (source)
WHERE held.items > 0
ORDER BY held.source, held.item;
