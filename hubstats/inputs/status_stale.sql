-- Sources that were read after the estimates were last made, or whose crawl was stopped before they were.
WITH estimated AS (
    SELECT max(finished_at) AS finished_at
    FROM stage_run
    WHERE stage = 'estimate'
)

SELECT crawl.source
FROM crawl
CROSS JOIN estimated
GROUP BY crawl.source, estimated.finished_at
HAVING estimated.finished_at IS NULL OR max(coalesce(crawl.finished_at, crawl.started_at)) > estimated.finished_at
ORDER BY crawl.source
