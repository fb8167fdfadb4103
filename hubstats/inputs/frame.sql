-- The frame of the sample: every listed repository with its stratum (from listing facts only) and its permanent random
-- number, which orders the repositories of a stratum. $source, $seed, $design.
SELECT
    model_id,
    author,
    CASE WHEN $design = 'simple' THEN 'all' ELSE stratum END AS stratum,
    md5($seed || ':' || model_id) AS number
FROM hub_frame
WHERE source = $source
