-- How many items of each kind each source holds, by what became of them.
SELECT source, 'repositories listed' AS item, 'ok' AS status, count(*) AS items FROM hub_model GROUP BY source
UNION ALL
SELECT source, 'repositories sampled', 'ok', count(*) FROM sample_frame GROUP BY source
UNION ALL
SELECT source, 'model cards', status, count(*) FROM model_card GROUP BY source, status
UNION ALL
SELECT source, 'adapter configs', status, count(*) FROM adapter_config GROUP BY source, status
UNION ALL
SELECT source, 'code files', status, count(*) FROM code_file GROUP BY source, status
UNION ALL
SELECT source, 'imports', 'ok', count(*) FROM code_import GROUP BY source
UNION ALL
SELECT source, 'image checkpoints', 'ok', count(*) FROM image_checkpoint GROUP BY source
UNION ALL
SELECT origin, 'bench runs', status, count(*) FROM bench_run GROUP BY origin, status
UNION ALL
SELECT origin, 'published figures', 'ok', count(*) FROM published_figure GROUP BY origin
UNION ALL
SELECT source, 'verdicts', state, count(*) FROM verdict GROUP BY source, state
UNION ALL
SELECT source, 'not read: ' || item, reason, count(*) FROM failure GROUP BY source, item, reason
ORDER BY 1, 2, 3
