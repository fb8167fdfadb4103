-- title: How did a technique's share change with the month of creation?
-- chart: line
-- x: month
-- y: share
-- unit: share of what was created in the month
-- note: Only what still exists is counted, and since July 2025 PEFT itself names LoRA on cards and nothing else. smooth
--     is the share over the month, the one before and the one after together. events names what happened to tools
--     and sites in the month. Intervals are of one point each.
-- param: technique VARCHAR = lora  registry key of the technique
-- param: rule VARCHAR = evidence  evidence, overlay (variants and recipes) or blog
WITH happened AS (
    SELECT date_trunc('month', happened_on)::DATE AS month, string_agg(what, '; ' ORDER BY happened_on, event_id) AS events
    FROM event
    GROUP BY month
)

SELECT
    trend.source,
    trend.starts_on AS month,
    trend.technique,
    trend.share,
    trend.low,
    trend.high,
    trend.smooth,
    trend.smooth_low,
    trend.smooth_high,
    trend.subjects AS items_read,
    trend.total AS items,
    trend.effective_size,
    happened.events,
    trend.caveat,
    trend.trend_id
FROM trend
LEFT JOIN happened ON happened.month = trend.starts_on
WHERE trend.period_kind = 'month' AND trend.technique = $technique AND trend.rule = $rule
ORDER BY trend.source, trend.starts_on;
