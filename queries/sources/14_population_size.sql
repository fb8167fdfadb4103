-- title: How many adapters are there, with those that no source shows?
-- chart: table
-- note: Two sources that overlap tell how much both miss (Chapman's estimator), if being in one says nothing about
--     being in the other. Public repositories with a card are easier to find in both, so take it as a lower bound.
-- param: rule VARCHAR = NULL  listing (what listings call an adapter) or evidence (shown to use a technique)
SELECT
    source,
    other_source,
    rule,
    coalesce(technique, 'any') AS technique,
    estimate,
    low,
    high,
    in_both,
    only_source,
    only_other,
    overdispersion,
    created_before,
    caveat,
    population_id
FROM population_size
WHERE $rule IS NULL OR rule = $rule
ORDER BY source, other_source, rule, technique NULLS FIRST, population_id;
