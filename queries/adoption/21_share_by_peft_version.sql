-- title: How does a technique's share differ between versions of PEFT?
-- chart: interval
-- x: peft_version
-- y: share
-- unit: share of what tells this version
-- note: By minor version, of items that tell theirs: on the card since 0.4, in the config since 0.18. brought is whether
--     this release brought the technique.
-- param: technique VARCHAR = lora  registry key of the technique
-- param: rule VARCHAR = evidence  evidence, overlay (variants and recipes) or blog
SELECT
    trend.source,
    trend.period AS peft_version,
    trend.starts_on AS released_on,
    trend.technique,
    trend.share,
    trend.low,
    trend.high,
    trend.subjects AS items_read,
    trend.total AS items,
    coalesce(list_contains(event.techniques, trend.technique), false) AS brought,
    trend.caveat,
    trend.trend_id
FROM trend
LEFT JOIN event ON event.kind = 'release' AND event.peft_version = trend.period
WHERE trend.period_kind = 'peft_version' AND trend.technique = $technique AND trend.rule = $rule
ORDER BY trend.source, list_transform(string_split(trend.period, '.'), lambda part: part::INTEGER);
