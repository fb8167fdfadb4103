-- Rows whose other half is not there: (what, where its other half should be, number). The tables name no foreign keys
-- to DuckDB, which would check them row by row while a crawl is taken in.
SELECT 'code_import' AS rows_of, 'code_file' AS belong_to, count(*) AS orphans
FROM code_import
ANTI JOIN code_file USING (source, repo, path)
UNION ALL
SELECT 'detection', 'verdict', count(*)
FROM detection
ANTI JOIN verdict USING (source, subject_id)
UNION ALL
SELECT 'verdict', 'model_card, adapter_config or image_checkpoint', count(*)
FROM verdict
ANTI JOIN (
    SELECT source, model_id AS subject_id FROM model_card
    UNION
    SELECT source, model_id FROM adapter_config
    UNION
    SELECT source, checkpoint_id FROM image_checkpoint
) AS judged USING (source, subject_id)
UNION ALL
SELECT 'model_card', 'hub_model', count(*)
FROM model_card
ANTI JOIN hub_model USING (source, model_id)
WHERE model_card.source = 'hub'
UNION ALL
SELECT 'adapter_config', 'hub_model', count(*)
FROM adapter_config
ANTI JOIN hub_model USING (source, model_id)
WHERE adapter_config.source = 'hub'
UNION ALL
SELECT 'sample_frame', 'hub_model', count(*)
FROM sample_frame
ANTI JOIN hub_model USING (source, model_id)
UNION ALL
SELECT 'sample_frame', 'sample_stratum', count(*)
FROM sample_frame
ANTI JOIN sample_stratum USING (source, seed, stratum)
UNION ALL
SELECT 'sample_author', 'sample_stratum', count(*)
FROM sample_author
ANTI JOIN sample_stratum USING (source, seed, stratum)
UNION ALL
SELECT 'bench_metric', 'bench_run', count(*)
FROM bench_metric
ANTI JOIN bench_run USING (run_id)
UNION ALL
SELECT 'bench_item', 'bench_run', count(*)
FROM bench_item
ANTI JOIN bench_run USING (run_id)
UNION ALL
SELECT 'verdict.technique', 'technique', count(*)
FROM verdict
ANTI JOIN technique ON technique.key = verdict.technique
WHERE verdict.technique IS NOT NULL AND NOT starts_with(verdict.technique, 'other:')
UNION ALL
SELECT 'code_import.technique', 'technique', count(*)
FROM code_import
ANTI JOIN technique ON technique.key = code_import.technique
WHERE code_import.technique IS NOT NULL
UNION ALL
SELECT 'crawl_cursor', 'crawl', count(*)
FROM crawl_cursor
ANTI JOIN crawl USING (source)
