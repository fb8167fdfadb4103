-- title: Which published runs give the best accuracy for their memory?
-- chart: pareto
-- x: memory
-- y: accuracy
-- unit: bytes
-- note: A run is on the frontier when no other of its task is at least as good in both and better in one.
--     accuracy is test accuracy, or image similarity. probability says how often it would be on it if all runs were
--     made again (other questions, repetitions); NULL where nothing was repeated. low and high: 95%, questions only.
-- param: origin VARCHAR = peft-method-comparison  who measured; own for your own runs
SELECT
    frontier.task,
    frontier.experiment,
    frontier.score AS accuracy,
    frontier.cost AS memory,
    frontier.on_frontier,
    frontier.technique,
    frontier.variant,
    frontier.probability,
    frontier.probability_error,
    standing.low,
    standing.high,
    standing.standard_error,
    standing.degrees,
    standing.tied_with_best,
    frontier.model_id
FROM frontier
LEFT JOIN run_standing AS standing USING (run_id)
WHERE frontier.origin = $origin AND frontier.cost_metric = 'peak_memory'
ORDER BY frontier.task, frontier.model_id, frontier.cost, frontier.score DESC, frontier.experiment;
