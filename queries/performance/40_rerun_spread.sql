-- title: How much does the same experiment move when it is run again?
-- chart: table
-- note: Experiments with two results or more of the same settings. pooled_sd is the standard deviation of one result
--     within its experiment, over all of the task: gaps between two rows below 2.8 of it are not established. New
--     software versions are in it, other seeds are not.
WITH experiment AS (
    SELECT
        standing.origin,
        standing.task,
        standing.experiment,
        any_value(standing.technique) AS technique,
        count(*) AS runs,
        avg(standing.score) AS mean,
        min(standing.score) AS lowest,
        max(standing.score) AS highest,
        any_value(standing.sd) AS sd,
        any_value(standing.pooled_sd) AS pooled_sd,
        max(result.peak_memory) / nullif(min(result.peak_memory), 0) - 1 AS memory_spread
    FROM run_standing AS standing
    JOIN run_result AS result USING (run_id)
    WHERE standing.repeats_newest AND standing.runs >= 2
    GROUP BY standing.origin, standing.task, standing.model_id, standing.metric, standing.experiment
)

SELECT origin, task, experiment, technique, runs, mean, lowest, highest, sd, pooled_sd, memory_spread
FROM experiment
ORDER BY origin, task, sd DESC, experiment;
