-- title: Which published runs give the best accuracy for their memory?
-- chart: pareto
-- x: memory
-- y: accuracy
-- unit: bytes
-- note: A run is on the frontier when no other of its task is at least as good in both and better in one.
--     accuracy is test accuracy, or image similarity; one seed each, and 1,319 test questions alone give a
--     standard error of 1.4 points near 50%.
-- param: origin VARCHAR = peft-method-comparison  who measured; own for your own runs
WITH candidate AS (
    SELECT
        task,
        experiment,
        technique,
        variant,
        coalesce(accuracy, similarity) AS accuracy,
        peak_memory AS memory
    FROM run_result
    WHERE is_current AND origin = $origin AND coalesce(accuracy, similarity) IS NOT NULL AND peak_memory IS NOT NULL
)

SELECT
    candidate.task,
    candidate.experiment,
    candidate.accuracy,
    candidate.memory,
    NOT EXISTS (
        SELECT 1
        FROM candidate AS rival
        WHERE
            rival.task = candidate.task
            AND rival.accuracy >= candidate.accuracy
            AND rival.memory <= candidate.memory
            AND (rival.accuracy > candidate.accuracy OR rival.memory < candidate.memory)
    ) AS on_frontier,
    candidate.technique,
    candidate.variant
FROM candidate
ORDER BY candidate.task, candidate.memory, candidate.accuracy DESC, candidate.experiment;
