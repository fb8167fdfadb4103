-- title: Are the popular techniques the good ones?
-- chart: scatter
-- x: popularity
-- y: relative_accuracy
-- unit: share against accuracy over that of the best plain LoRA run
-- note: Best current run of each technique and task, beside its default setting (the experiment called default,
--     or rank32, or the only one). Runs of a variant stand under the variant. A technique without a share, or
--     without a run, has NULL there: not measured. accuracy_low and accuracy_high: 95%, questions only;
--     tied_with_best: cannot be told from the best of the task; frontier_probability: of accuracy against peak memory.
-- param: origin VARCHAR = peft-method-comparison  who measured; own for your own runs
-- param: source VARCHAR = NULL  only popularity from this source, such as hub or snapshot
-- param: measure VARCHAR = NULL  only this measure, such as repositories or authors
-- param: rule VARCHAR = NULL  only this rule, such as evidence or blog
WITH run AS (
    SELECT
        standing.task,
        coalesce(standing.variant, standing.technique) AS technique,
        standing.experiment,
        standing.score AS accuracy,
        standing.low,
        standing.high,
        standing.tied_with_best,
        frontier.probability,
        result.peak_memory AS memory,
        CASE
            WHEN regexp_matches(standing.experiment, '-default$') THEN 1
            WHEN regexp_matches(standing.experiment, '-rank32$') THEN 2
            WHEN count(*) OVER (
                PARTITION BY standing.task, coalesce(standing.variant, standing.technique)
            ) = 1 THEN 3
        END AS default_order
    FROM run_standing AS standing
    JOIN run_result AS result USING (run_id)
    LEFT JOIN frontier ON frontier.run_id = standing.run_id AND frontier.cost_metric = 'peak_memory'
    WHERE standing.state = 'current' AND standing.origin = $origin AND standing.technique IS NOT NULL
),

performance AS (
    SELECT
        task,
        technique,
        max(accuracy) AS accuracy,
        arg_max_null(memory, accuracy) AS memory,
        arg_max_null(experiment, accuracy) AS experiment,
        arg_max_null(low, accuracy) AS accuracy_low,
        arg_max_null(high, accuracy) AS accuracy_high,
        arg_max_null(tied_with_best, accuracy) AS tied_with_best,
        arg_max_null(probability, accuracy) AS frontier_probability,
        arg_min(accuracy, default_order) AS default_accuracy,
        arg_min_null(memory, default_order) AS default_memory,
        count(*) AS runs
    FROM run
    GROUP BY task, technique
),

popularity AS (
    SELECT technique, source, measure, rule, share AS popularity, low, high, outer_low, outer_high
    FROM estimate
    WHERE
        ($source IS NULL OR source = $source)
        AND ($measure IS NULL OR measure = $measure)
        AND ($rule IS NULL OR rule = $rule)
)

SELECT
    technique,
    registry.name,
    registry.family,
    performance.task,
    popularity.source,
    popularity.measure,
    popularity.rule,
    popularity.popularity,
    popularity.low,
    popularity.high,
    popularity.outer_low,
    popularity.outer_high,
    performance.accuracy,
    performance.default_accuracy,
    performance.memory,
    performance.default_memory,
    performance.accuracy / nullif(lora.accuracy, 0) AS relative_accuracy,
    performance.experiment,
    performance.runs,
    performance.accuracy_low,
    performance.accuracy_high,
    performance.tied_with_best,
    performance.frontier_probability
FROM popularity
FULL JOIN performance USING (technique)
LEFT JOIN performance AS lora ON lora.task = performance.task AND lora.technique = 'lora'
LEFT JOIN technique AS registry ON registry.key = technique
ORDER BY
    popularity.source NULLS LAST,
    popularity.measure,
    popularity.rule,
    popularity.popularity DESC,
    technique,
    performance.task;
