-- Every judged item that a figure can depend on, with its weight, what it uses and what could be read of it. In any
-- order: every estimate sorts its rows anew (hubstats.estimate.canonical).
--
-- A dump has millions of cards that name nothing. Where such a source was read whole, they are in no population, hide
-- nothing and change no variance; only that they were read, when, and by which detector is told of. So one row of no
-- author stands for all of them that agree in that, and memory follows from the cards that say something.
WITH told AS NOT MATERIALIZED (
    SELECT
        subject.*,
        subject.state = 'none'
            AND subject.author IS NOT NULL
            AND coalesce(len(subject.mentions), 0) = 0
            AND len(subject.techniques) = 0
            AND len(subject.overlays) = 0
            AND subject.blog_technique IS NULL
            AND subject.blog_technique_folded IS NULL
            AND subject.site_type IS NULL
            AND coalesce(subject.card_status IN ('ok', 'too_large'), false)
            AND coalesce(subject.config_status, 'missing') = 'missing'
            -- A card whose text is here is searched for names once more (reconcile_search).
            AND kept.model_id IS NULL
            AND sampled.source IS NULL AS is_silent
    FROM subject
    LEFT JOIN (SELECT source, model_id FROM model_card WHERE text IS NOT NULL) AS kept
        ON kept.source = subject.source AND kept.model_id = subject.subject_id
    LEFT JOIN (SELECT DISTINCT source FROM sample_stratum) AS sampled ON sampled.source = subject.source
)

SELECT
    source,
    subject_id,
    author,
    downloads,
    created_at,
    peft_version,
    stratum,
    weight,
    state,
    techniques,
    overlays,
    blog_technique,
    blog_technique_folded,
    card_status,
    config_status,
    site_type,
    detector_version,
    seen_at
FROM told
WHERE NOT is_silent
UNION ALL
SELECT
    source,
    concat_ws(' ', 'silent cards', card_status, config_status, detector_version),
    '',
    NULL,
    NULL,
    NULL,
    stratum,
    weight,
    state,
    [],
    [],
    NULL,
    NULL,
    card_status,
    config_status,
    NULL,
    detector_version,
    max(seen_at)
FROM told
WHERE is_silent
GROUP BY ALL
