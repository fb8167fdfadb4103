-- Successful runs with a score, one row each, metrics side by side. What is not finite was not measured. The config
-- comes only where an experiment has several results: then it tells which of them are repetitions.
WITH measured AS (
    SELECT
        run_id,
        max(value) FILTER (name = 'test_accuracy' AND value BETWEEN 0 AND 1) AS test_accuracy,
        max(value) FILTER (name = 'similarity' AND value BETWEEN -1 AND 1) AS similarity,
        -- of runs that answer no question, such as those of a laptop: how many tokens of the solutions they foresee
        max(value) FILTER (name = 'token_accuracy' AND value BETWEEN 0 AND 1) AS token_accuracy,
        max(value) FILTER (name = 'peak_memory' AND value > 0) AS peak_memory,
        max(value) FILTER (name = 'train_time' AND value > 0) AS train_time,
        max(value) FILTER (name = 'checkpoint_size' AND value > 0) AS checkpoint_size,
        max(value) FILTER (name = 'trainable_parameters' AND value > 0) AS trainable_parameters,
        max(value) FILTER (name = 'forgetting') AS forgetting,
        max(value) FILTER (name = 'forgetting_before_fix') AS forgetting_before_fix,
        max(value) FILTER (name = 'drift') AS drift
    FROM bench_metric
    WHERE isfinite(value)
    GROUP BY run_id
),

answered AS (
    SELECT run_id, count(correct) AS questions
    FROM bench_item
    GROUP BY run_id
)

SELECT
    run.run_id,
    run.origin,
    run.task,
    coalesce(run.model_id, '') AS model_id,
    run.experiment,
    run.technique,
    run.variant,
    CASE
        WHEN measured.test_accuracy IS NOT NULL THEN 'test_accuracy'
        WHEN measured.similarity IS NOT NULL THEN 'similarity'
        ELSE 'token_accuracy'
    END AS metric,
    coalesce(measured.test_accuracy, measured.similarity, measured.token_accuracy) AS score,
    nullif(answered.questions, 0) AS questions,
    coalesce(run.is_current, false) AS is_current,
    run.created_at,
    run.snapshot_on,
    concat_ws(' ', run.torch_version, run.transformers_version, run.peft_version) AS software,
    measured.peak_memory,
    measured.train_time,
    measured.checkpoint_size,
    measured.trainable_parameters,
    measured.forgetting,
    measured.forgetting_before_fix,
    measured.drift,
    CASE
        WHEN count(*) OVER (PARTITION BY run.origin, run.task, run.model_id, run.experiment) > 1 THEN run.config
    END AS config
FROM bench_run AS run
JOIN measured USING (run_id)
LEFT JOIN answered USING (run_id)
WHERE run.status = 'success' AND score IS NOT NULL
ORDER BY run.origin, run.task, run.model_id, run.experiment, run.created_at NULLS FIRST, run.run_id;
