-- title: What could not be read, by source and reason?
-- chart: table
-- note: Nothing is dropped in silence: file statuses other than ok, runs without success, and items that a
--     source could not make sense of.
WITH problem AS (
    SELECT source, 'README.md' AS item, status AS reason, count(*) AS items
    FROM model_card
    WHERE status <> 'ok'
    GROUP BY ALL
    UNION ALL
    SELECT source, 'adapter_config.json', status, count(*)
    FROM adapter_config
    WHERE status <> 'ok'
    GROUP BY ALL
    UNION ALL
    SELECT source, 'code file', status, count(*)
    FROM code_file
    WHERE status <> 'ok'
    GROUP BY ALL
    UNION ALL
    SELECT origin, 'run', status, count(*)
    FROM bench_run
    WHERE status <> 'success'
    GROUP BY ALL
    UNION ALL
    SELECT source, 'other: ' || split_part(item, ' ', 1), reason, count(*)
    FROM failure
    GROUP BY ALL
)

SELECT source, item, reason, items
FROM problem
ORDER BY source, items DESC, item, reason;
