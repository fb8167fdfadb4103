-- title: How did a technique's share change with the month of creation?
-- chart: line
-- x: month
-- y: share
-- unit: share of adapters created in the month
-- count: effective_count
-- total: effective_total
-- note: Only what still exists is counted, and PEFT has tagged LoRA adapters since July 2025, so older ones are
--     shown by their config alone. Counts are effective ones: Kish's size for weights added up by author, so
--     that neither the sampling nor a series of uploads passes for many observations.
-- param: technique VARCHAR = lora  registry key of the technique
WITH author_month AS (
    SELECT
        source,
        date_trunc('month', created_at)::DATE AS month,
        author,
        count(DISTINCT subject_id) AS adapters,
        sum(weight * part) AS everything,
        coalesce(sum(weight * part) FILTER (technique = $technique), 0) AS chosen
    FROM adapter
    WHERE created_at IS NOT NULL
    GROUP BY ALL
),

month_total AS (
    SELECT
        source,
        month,
        sum(adapters)::BIGINT AS adapters,
        count(*) AS authors,
        sum(everything) ^ 2 / sum(everything ^ 2) AS effective_total,
        sum(chosen) / sum(everything) AS part
    FROM author_month
    GROUP BY source, month
)

SELECT
    source,
    month,
    $technique AS technique,
    adapters,
    authors,
    part * effective_total AS effective_count,
    effective_total
FROM month_total
ORDER BY source, month;
