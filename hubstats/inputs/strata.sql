-- Strata of the newest draw of each sampled source.
WITH draw AS (
    SELECT source, arg_max(seed, drawn_at) AS seed
    FROM sample_stratum
    GROUP BY source
)

SELECT source, stratum, frame_size
FROM sample_stratum
JOIN draw USING (source, seed)
ORDER BY source, stratum
