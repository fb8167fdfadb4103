-- title: What did each current setting reach, at what memory and time, on which hardware, and how sure is its score?
-- note: One row a setting; means over its current runs. Scores are comparable within origin, task, base model and metric
--     only. variance is what other test questions and a repetition would change, NULL where nothing was repeated, and
--     degrees its degrees of freedom, NULL for infinitely many. Bytes and seconds; NULL was not measured.
WITH newest AS (
    SELECT
        standing.origin,
        standing.task,
        standing.model_id,
        standing.metric,
        standing.experiment,
        arg_max(standing.standing_id, standing.as_of) AS standing_id,
        arg_max(run.run_id, standing.as_of) AS run_id,
        arg_max(coalesce(run.variant, run.technique, run.peft_type, 'unknown'), standing.as_of) AS shown,
        arg_max(run.technique, standing.as_of) AS base,
        avg(standing.score) AS score,
        avg(standing.low) AS low,
        avg(standing.high) AS high,
        max(standing.question_error) AS question_error,
        any_value(standing.pooled_sd) AS pooled_sd,
        any_value(standing.pooled_degrees) AS pooled_degrees,
        count(*) AS runs,
        max(result.peak_memory) AS peak_memory,
        max(result.train_time) AS train_time,
        max(result.total_time) AS total_time,
        max(result.checkpoint_size) AS checkpoint_size,
        max(result.trainable_parameters) AS trainable_parameters,
        arg_max(run.accelerator, standing.as_of) AS accelerator,
        arg_max(run.learning_rate, standing.as_of) AS learning_rate,
        arg_max(run.peft_version, standing.as_of) AS peft_version,
        max(standing.as_of) AS as_of
    FROM run_standing AS standing
    JOIN bench_run AS run USING (run_id)
    JOIN run_result AS result USING (run_id)
    WHERE standing.state = 'current'
    GROUP BY standing.origin, standing.task, standing.model_id, standing.metric, standing.experiment
)

SELECT
    newest.* EXCLUDE (shown, base, question_error, pooled_sd, pooled_degrees),
    newest.shown AS technique,
    coalesce(technique.name, newest.shown) AS name,
    coalesce(technique.family, 'other') AS family,
    coalesce(technique.kind, 'unknown') AS kind,
    newest.question_error,
    newest.pooled_sd,
    newest.pooled_degrees,
    coalesce(newest.question_error, 0) ** 2 + newest.pooled_sd ** 2 / newest.runs AS variance,
    newest.pooled_degrees * (variance / nullif(newest.pooled_sd ** 2 / newest.runs, 0)) ** 2 AS degrees
FROM newest
LEFT JOIN technique ON technique.key = newest.shown
ORDER BY newest.origin, newest.task, newest.model_id, newest.metric, newest.score DESC, newest.experiment;
