-- title: How far are the code search's own totals from the files it lists?
-- chart: table
-- note: The totals are the server's estimates. listed_part is the part of the total that could be listed;
--     share_of_totals is what a share made of totals alone would say, among queries for one config class.
SELECT
    source,
    technique,
    query,
    total_count,
    harvested,
    harvested / nullif(total_count, 0) AS listed_part,
    CASE
        WHEN technique IS NOT NULL
            THEN total_count / nullif(sum(total_count) FILTER (technique IS NOT NULL) OVER (PARTITION BY source), 0)
    END AS share_of_totals,
    incomplete,
    slices,
    asked_at
FROM search_count
ORDER BY source, total_count DESC NULLS LAST, query;
