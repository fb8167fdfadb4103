-- title: What leads from each published share to ours, step by step?
-- chart: table
-- note: Each chain starts at the published figure and changes one thing about the rule a step, on the same items.
--     effect is the share less that of the rule it follows, with the interval of the difference; the published share
--     and the effects of the chain add up to its last share. beside marks a step that the chain does not build upon.
--     The first effect is other items and another day, not a rule. Chains compare within a measure, never across.
-- param: source VARCHAR = NULL  only chains on this source's items
-- param: technique VARCHAR = NULL  only this technique
SELECT
    measure,
    technique,
    source,
    step,
    rule,
    follows,
    side AS beside,
    change,
    share,
    low,
    high,
    effect,
    effect_low,
    effect_high,
    count,
    total,
    items,
    caveat,
    reconciliation_id
FROM reconciliation
WHERE ($source IS NULL OR source = $source) AND ($technique IS NULL OR technique = $technique)
ORDER BY measure, max(share) FILTER (step = 0) OVER (PARTITION BY figure_id) DESC, technique, source, step;
