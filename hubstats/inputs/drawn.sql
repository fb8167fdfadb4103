-- Of the temporary table frame, the repositories with the lowest numbers of each stratum, as many as it was given.
-- $source, $seed.
WITH ranked AS (
    SELECT model_id, stratum, row_number() OVER (PARTITION BY stratum ORDER BY number, model_id) AS draw_rank
    FROM frame
)

SELECT
    size.source,
    size.seed,
    ranked.model_id,
    ranked.stratum,
    ranked.draw_rank,
    size.sample_size / size.frame_size AS inclusion_probability
FROM ranked
JOIN sample_stratum AS size USING (stratum)
WHERE size.source = $source AND size.seed = $seed AND ranked.draw_rank <= size.sample_size
