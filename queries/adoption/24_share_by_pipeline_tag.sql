-- title: Which techniques are used for which task?
-- chart: interval
-- x: technique
-- y: share
-- unit: share of the adapters with the pipeline tag
-- count: effective_count
-- total: effective_total
-- note: The task the Hub shows, given by the uploader or guessed from the library; NULL where there is none.
--     Counts are effective ones: Kish's size for weights added up by author.
WITH author_use AS (
    SELECT source, pipeline_tag, author, technique, sum(weight * part) AS adapters
    FROM adapter
    WHERE source IN (SELECT source FROM hub_model)
    GROUP BY ALL
),

author_total AS (
    SELECT source, pipeline_tag, author, sum(adapters) AS adapters
    FROM author_use
    GROUP BY ALL
),

task AS (
    SELECT
        source,
        pipeline_tag,
        count(*) AS authors,
        sum(adapters) AS adapters,
        sum(adapters) ^ 2 / sum(adapters ^ 2) AS effective_total
    FROM author_total
    GROUP BY source, pipeline_tag
),

use_total AS (
    SELECT source, pipeline_tag, technique, sum(adapters) AS adapters
    FROM author_use
    GROUP BY ALL
)

SELECT
    task.source,
    task.pipeline_tag,
    use_total.technique,
    use_total.adapters,
    task.authors,
    use_total.adapters / task.adapters * task.effective_total AS effective_count,
    task.effective_total
FROM task
JOIN use_total ON use_total.source = task.source AND use_total.pipeline_tag IS NOT DISTINCT FROM task.pipeline_tag
ORDER BY task.source, task.adapters DESC, task.pipeline_tag, use_total.adapters DESC, use_total.technique;
