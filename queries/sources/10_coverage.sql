-- title: How much of each source was seen, and what hid the rest?
-- chart: table
-- note: frame is what the listing shows, drawn the sample, read those whose files were asked for. The other
--     columns count what was read: adapters of an established technique, adapters of an unknown one, and items
--     whose card or config could not be had.
WITH draw AS (
    SELECT source, arg_max(seed, drawn_at) AS seed
    FROM sample_stratum
    GROUP BY source
),

stratum AS (
    SELECT source, stratum, frame_size, sample_size
    FROM sample_stratum
    JOIN draw USING (source, seed)
),

seen AS (
    SELECT
        source,
        stratum,
        count(*) AS read,
        count_if(len(techniques) > 0) AS adapters,
        count_if(state = 'unknown_adapter') AS unknown_adapters,
        count_if(card_status = 'ok') AS cards,
        count_if(config_status = 'ok') AS configs,
        count_if('gated' IN (card_status, config_status)) AS gated,
        count_if(card_status IN ('disabled', 'unavailable') OR config_status IN ('disabled', 'unavailable')) AS withdrawn,
        count_if('failed' IN (card_status, config_status)) AS failed
    FROM subject
    GROUP BY source, stratum
)

SELECT
    source,
    stratum,
    coalesce(stratum.frame_size, seen.read) AS frame,
    coalesce(stratum.sample_size, seen.read) AS drawn,
    coalesce(seen.read, 0) AS read,
    coalesce(seen.adapters, 0) AS adapters,
    coalesce(seen.unknown_adapters, 0) AS unknown_adapters,
    coalesce(seen.cards, 0) AS cards,
    coalesce(seen.configs, 0) AS configs,
    coalesce(seen.gated, 0) AS gated,
    coalesce(seen.withdrawn, 0) AS withdrawn,
    coalesce(seen.failed, 0) AS failed
FROM stratum
FULL JOIN seen USING (source, stratum)
ORDER BY source, frame DESC, stratum;
