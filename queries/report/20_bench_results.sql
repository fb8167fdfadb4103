-- title: What did every successful fine-tuning run reach, at what cost, and has it been superseded?
-- note: technique is the base technique, shown the most specific variant that the config's values prove. score is
--     accuracy on the test questions where the task has them, else similarity of generated images, else the
--     part of the reference solutions' tokens that a run foresees (runs that answer no questions). Bytes and seconds.
--     question_error is the standard error that the choice of test questions gives the score.
SELECT
    run.origin,
    run.task,
    run.experiment,
    run.technique,
    run.variant,
    coalesce(run.variant, run.technique, run.peft_type, 'unknown') AS shown,
    coalesce(variant.name, base.name, run.technique, run.peft_type, 'unknown') AS name,
    coalesce(base.family, 'other') AS family,
    coalesce(result.accuracy, result.similarity, result.token_accuracy) AS score,
    CASE
        WHEN result.accuracy IS NOT NULL THEN 'accuracy'
        WHEN result.similarity IS NOT NULL THEN 'similarity'
        ELSE 'token_accuracy'
    END AS metric,
    result.peak_memory,
    result.train_time,
    result.checkpoint_size,
    result.trainable_parameters,
    result.forgetting,
    run.created_at,
    run.is_current,
    run.seed,
    run.learning_rate,
    run.rank,
    run.model_id,
    run.accelerator,
    run.peft_version,
    run.torch_version,
    run.commit,
    run.snapshot_on,
    run.path,
    run.run_id,
    standing.question_error
FROM bench_run AS run
JOIN run_result AS result USING (run_id)
LEFT JOIN run_standing AS standing USING (run_id)
LEFT JOIN technique AS base ON base.key = run.technique
LEFT JOIN technique AS variant ON variant.key = run.variant
WHERE coalesce(result.accuracy, result.similarity, result.token_accuracy) IS NOT NULL
ORDER BY run.origin, run.task, run.experiment, run.created_at, run.run_id;
