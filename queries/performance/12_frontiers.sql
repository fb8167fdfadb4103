-- title: Which runs are on the frontier of score against memory, time, size, parameters or forgetting, and how surely?
-- chart: table
-- note: One row a current run that is on a frontier, or may be. cost is in cost_unit; less of it is better. forgetting
--     is the metric as corrected in July 2026; results from before are in no frontier of it.
-- param: origin VARCHAR = peft-method-comparison  who measured; own for your own runs
-- param: least DOUBLE = 0.05  leave out runs off the frontier with a smaller probability than this
SELECT
    task,
    model_id,
    cost_metric,
    experiment,
    technique,
    variant,
    metric,
    score,
    cost,
    cost_unit,
    on_frontier,
    probability,
    probability_error,
    runs
FROM frontier
WHERE origin = $origin AND (on_frontier OR probability >= $least)
ORDER BY task, model_id, cost_metric, cost, score DESC, experiment;
