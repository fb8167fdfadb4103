-- title: How much does the same experiment move when it is run again?
-- chart: table
-- note: Experiments with two results or more. pooled_sd is the standard deviation of one result within its
--     experiment, over all of the task: gaps between two rows below 2.8 of it are not established. New software
--     versions are in it, other seeds are not.
WITH result AS (
    SELECT origin, task, experiment, technique, coalesce(accuracy, similarity) AS accuracy, peak_memory AS memory
    FROM run_result
    WHERE coalesce(accuracy, similarity) IS NOT NULL
),

experiment AS (
    SELECT
        origin,
        task,
        experiment,
        any_value(technique) AS technique,
        count(*) AS runs,
        avg(accuracy) AS mean,
        min(accuracy) AS lowest,
        max(accuracy) AS highest,
        stddev_samp(accuracy) AS sd,
        max(memory) / nullif(min(memory), 0) - 1 AS memory_spread
    FROM result
    GROUP BY origin, task, experiment
    HAVING count(*) >= 2
)

SELECT
    origin,
    task,
    experiment,
    technique,
    runs,
    mean,
    lowest,
    highest,
    sd,
    sqrt(sum(sd ^ 2 * (runs - 1)) OVER everything / sum(runs - 1) OVER everything) AS pooled_sd,
    memory_spread
FROM experiment
WINDOW everything AS (PARTITION BY origin, task)
ORDER BY origin, task, sd DESC, experiment;
