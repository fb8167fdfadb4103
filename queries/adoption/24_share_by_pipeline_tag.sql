-- title: Which techniques are used for which task?
-- chart: interval
-- x: technique
-- y: share
-- unit: share of the adapters with the pipeline tag
-- count: effective_count
-- total: effective_total
-- note: The task the Hub shows, given by the uploader or guessed from the library; NULL where there is none.
--     Counts are effective ones: Kish's size for weights added up by author.
SELECT
    task.source,
    task.value AS pipeline_tag,
    used.member AS technique,
    used.items AS adapters,
    task.authors,
    used.items / task.items * task.effective_size AS effective_count,
    task.effective_size AS effective_total
FROM tally AS task
JOIN tally AS used
    ON used.source = task.source AND used.dimension = task.dimension AND used.value IS NOT DISTINCT FROM task.value
WHERE task.dimension = 'pipeline_tag' AND task.member IS NULL AND used.member IS NOT NULL
ORDER BY task.source, task.items DESC, task.value, used.items DESC, used.member;
