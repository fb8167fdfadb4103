-- title: Which techniques are used on which base models?
-- chart: interval
-- x: technique
-- y: share
-- unit: share of the adapters of the base model
-- count: effective_count
-- total: effective_total
-- note: Base models with adapters of at least $authors authors, the largest first. Counts are effective ones:
--     Kish's size for weights added up by author.
-- param: authors BIGINT = 2  least number of authors that adapted the base model
-- param: top BIGINT = 20  number of base models per source
WITH base AS (
    SELECT source, value AS base_model, authors, items AS adapters, effective_size AS effective_total
    FROM tally
    WHERE dimension = 'base_model' AND member IS NULL AND authors >= $authors
    QUALIFY row_number() OVER (PARTITION BY source ORDER BY items DESC, value) <= $top
)

SELECT
    base.source,
    base.base_model,
    used.member AS technique,
    used.items AS adapters,
    base.authors,
    used.items / base.adapters * base.effective_total AS effective_count,
    base.effective_total
FROM base
JOIN tally AS used ON used.source = base.source AND used.dimension = 'base_model' AND used.value = base.base_model
WHERE used.member IS NOT NULL
ORDER BY base.source, base.adapters DESC, base.base_model, used.items DESC, used.member;
