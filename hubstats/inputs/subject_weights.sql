-- The weight of every item of a sample: the repositories of its stratum, over those of them that were read.
WITH draw AS (
    SELECT source, arg_max(seed, drawn_at) AS seed
    FROM sample_stratum
    GROUP BY source
),

was_read AS (
    SELECT source, stratum, count(*) AS items
    FROM subject
    GROUP BY source, stratum
),

weight AS (
    SELECT source, stratum, sample_stratum.frame_size / was_read.items AS weight
    FROM sample_stratum
    JOIN draw USING (source, seed)
    JOIN was_read USING (source, stratum)
)

UPDATE subject
SET weight = weight.weight
FROM weight
WHERE subject.source = weight.source AND subject.stratum = weight.stratum
