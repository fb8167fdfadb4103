-- The frame of the sample: every listed repository with its stratum (from listing facts only) and its place in the
-- seeded order of that stratum. $source, $seed.
SELECT
    model_id,
    stratum,
    row_number() OVER (PARTITION BY stratum ORDER BY md5($seed || ':' || model_id), model_id) AS draw_rank
FROM hub_frame
WHERE source = $source
