-- The weight files of the repositories of $source, where a list of files told of any.
SELECT model_id, weight_files
FROM hub_model
WHERE source = $source AND len(weight_files) > 0
