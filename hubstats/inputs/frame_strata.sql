-- Strata of the frame: their sizes, what was drawn of each before, and how many have numbers up to the last one drawn.
-- Of the temporary table frame. $source, $seed.
WITH last_drawn AS (
    SELECT stratum, count(*) AS drawn, max(md5($seed || ':' || model_id)) AS number
    FROM sample_frame
    WHERE source = $source AND seed = $seed
    GROUP BY stratum
)

SELECT
    stratum,
    count(*) AS frame_size,
    coalesce(any_value(last_drawn.drawn), 0) AS drawn,
    count(*) FILTER (WHERE frame.number <= last_drawn.number) AS reached
FROM frame
LEFT JOIN last_drawn USING (stratum)
GROUP BY stratum
ORDER BY stratum
