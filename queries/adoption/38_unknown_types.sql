-- title: Which values of peft_type does the registry not know?
-- chart: table
-- note: Forks and future versions write their own; they count as other:VALUE and are never dropped.
SELECT
    config.source,
    config.peft_type,
    count(*) AS configs,
    min(config.fetched_at)::DATE AS first_read
FROM adapter_config AS config
ANTI JOIN technique ON technique.peft_type = config.peft_type
WHERE config.status = 'ok' AND config.peft_type IS NOT NULL
GROUP BY config.source, config.peft_type
ORDER BY configs DESC, config.source, config.peft_type;
