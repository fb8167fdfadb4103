-- title: How large is each family's share, by source, measure and rule?
-- chart: interval
-- x: family
-- y: share
-- unit: share
-- note: A family has the parts of its techniques, so that an item with two techniques of one family counts for it
--     once; unknown is what the registry does not know. Rules and intervals as in technique_share.
-- param: source VARCHAR = NULL  only this source, such as hub, snapshot or civitai
-- param: measure VARCHAR = NULL  only this measure, such as repositories, authors or downloads
-- param: rule VARCHAR = NULL  only this rule, such as evidence or blog
SELECT
    source,
    measure,
    rule,
    family,
    share,
    low,
    high,
    outer_low,
    outer_high,
    count,
    total,
    subjects,
    effective_size,
    design_effect,
    caveat,
    estimate_id
FROM family_estimate
WHERE
    ($source IS NULL OR source = $source)
    AND ($measure IS NULL OR measure = $measure)
    AND ($rule IS NULL OR rule = $rule)
ORDER BY source, measure, rule, share DESC, family;
