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
WITH author_use AS (
    SELECT source, base_model, author, technique, sum(weight * part) AS adapters
    FROM adapter
    WHERE base_model IS NOT NULL
    GROUP BY ALL
),

author_total AS (
    SELECT source, base_model, author, sum(adapters) AS adapters
    FROM author_use
    GROUP BY ALL
),

base AS (
    SELECT
        source,
        base_model,
        count(*) AS authors,
        sum(adapters) AS adapters,
        sum(adapters) ^ 2 / sum(adapters ^ 2) AS effective_total
    FROM author_total
    GROUP BY source, base_model
    HAVING count(*) >= $authors
    QUALIFY row_number() OVER (PARTITION BY source ORDER BY sum(adapters) DESC, base_model) <= $top
),

use_total AS (
    SELECT source, base_model, technique, sum(adapters) AS adapters
    FROM author_use
    GROUP BY ALL
)

SELECT
    base.source,
    base.base_model,
    use_total.technique,
    use_total.adapters,
    base.authors,
    use_total.adapters / base.adapters * base.effective_total AS effective_count,
    base.effective_total
FROM base
JOIN use_total USING (source, base_model)
ORDER BY base.source, base.adapters DESC, base.base_model, use_total.adapters DESC, use_total.technique;
