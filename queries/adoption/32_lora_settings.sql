-- title: Which settings of LoRA are switched on, among configs of type LORA?
-- chart: interval
-- x: setting
-- y: share
-- unit: share of LORA configs
-- count: effective_count
-- total: effective_total
-- note: By the value in the config, never by the presence of a key: PEFT writes every key. Saving with
--     conversion sets PiSSA, CorDA and OLoRA back to plain LoRA, and LoRA+, LoRA-FA and QLoRA never reach the
--     config: lower bounds.
SELECT
    used.source,
    used.member AS setting,
    used.items_read AS configs_read,
    used.authors,
    used.items / config.items * config.effective_size AS effective_count,
    config.effective_size AS effective_total
FROM tally AS config
JOIN tally AS used USING (source, dimension)
WHERE config.dimension = 'lora_setting' AND config.member IS NULL AND used.member IS NOT NULL
ORDER BY used.source, effective_count DESC, setting;
