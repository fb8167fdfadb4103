-- title: Are the popular techniques the good ones?
-- chart: scatter
-- x: popularity
-- y: relative_accuracy
-- unit: share against accuracy over that of the best plain LoRA run
-- note: Best current run of each technique and task, beside its default setting (the experiment called default,
--     or rank32, or the only one). Runs of a variant stand under the variant. A technique without a share, or
--     without a run, has NULL there: not measured.
-- param: origin VARCHAR = peft-method-comparison  who measured; own for your own runs
-- param: source VARCHAR = NULL  only popularity from this source, such as hub or snapshot
-- param: measure VARCHAR = NULL  only this measure, such as repositories or authors
-- param: rule VARCHAR = NULL  only this rule, such as evidence or blog
WITH run AS (
    SELECT
        task,
        coalesce(variant, technique) AS technique,
        experiment,
        coalesce(accuracy, similarity) AS accuracy,
        peak_memory AS memory,
        CASE
            WHEN regexp_matches(experiment, '-default$') THEN 1
            WHEN regexp_matches(experiment, '-rank32$') THEN 2
            WHEN count(*) OVER (PARTITION BY task, coalesce(variant, technique)) = 1 THEN 3
        END AS default_order
    FROM run_result
    WHERE is_current AND origin = $origin AND technique IS NOT NULL AND coalesce(accuracy, similarity) IS NOT NULL
),

performance AS (
    SELECT
        task,
        technique,
        max(accuracy) AS accuracy,
        arg_max(memory, accuracy) AS memory,
        arg_max(experiment, accuracy) AS experiment,
        arg_min(accuracy, default_order) AS default_accuracy,
        arg_min(memory, default_order) AS default_memory,
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
    performance.runs
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
