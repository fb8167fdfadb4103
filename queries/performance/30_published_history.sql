-- title: Which published results were superseded, and by how much did they move?
-- chart: line
-- x: created_at
-- y: accuracy
-- unit: share
-- note: Every result that an experiment ever had, oldest first; change is against the result before. Software
--     versions changed between most of them, so a change is not noise alone.
-- param: experiment VARCHAR = NULL  only experiments whose name holds this text
WITH result AS (
    SELECT
        run_result.origin,
        run_result.task,
        run_result.experiment,
        run_result.technique,
        run.snapshot_on,
        run_result.created_at,
        coalesce(run_result.accuracy, run_result.similarity) AS accuracy,
        run_result.peak_memory AS memory,
        coalesce(run_result.is_current, false) AS is_current,
        run.peft_version
    FROM run_result
    JOIN bench_run AS run USING (run_id)
    WHERE run_result.origin <> 'own' AND ($experiment IS NULL OR contains(run_result.experiment, $experiment))
)

SELECT
    origin,
    task,
    experiment,
    technique,
    snapshot_on,
    created_at,
    accuracy,
    accuracy - lag(accuracy) OVER earlier AS change,
    memory,
    memory - lag(memory) OVER earlier AS memory_change,
    is_current,
    peft_version
FROM result
WINDOW earlier AS (PARTITION BY origin, task, experiment ORDER BY created_at, snapshot_on)
ORDER BY origin, task, experiment, created_at, snapshot_on;
