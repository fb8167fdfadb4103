-- Every judged item that a figure can depend on, with its weight, what it uses and what could be read of it. In any
-- order: every estimate sorts its rows anew (hubstats.estimate.canonical).
--
-- A dump has millions of cards that name nothing. Where such a source was read whole, they are in no population, hide
-- nothing and change no variance; only that they were read, when, and by which detector is told of. So one row of no
-- author stands for all of them that agree in that, and memory follows from the cards that say something.
WITH silent AS MATERIALIZED (
    SELECT subject.source, subject.subject_id
    FROM subject
    ANTI JOIN sample_stratum USING (source)
    -- A card whose text is here is searched for names once more (reconcile_search).
    ANTI JOIN (SELECT source, model_id FROM model_card WHERE text IS NOT NULL) AS kept
        ON kept.source = subject.source AND kept.model_id = subject.subject_id
    WHERE subject.author IS NOT NULL
        AND subject.state = 'none'
        AND coalesce(len(subject.mentions), 0) = 0
        AND len(subject.techniques) = 0
        AND len(subject.overlays) = 0
        AND subject.blog_technique IS NULL
        AND subject.blog_technique_folded IS NULL
        AND subject.site_type IS NULL
        AND subject.card_status IN ('ok', 'too_large')
        AND coalesce(subject.config_status, 'missing') = 'missing'
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
FROM subject
ANTI JOIN silent USING (source, subject_id)
UNION ALL
SELECT
    subject.source,
    concat_ws(' ', 'silent cards', subject.card_status, subject.config_status, subject.detector_version),
    '',
    NULL,
    NULL,
    NULL,
    subject.stratum,
    subject.weight,
    subject.state,
    [],
    [],
    NULL,
    NULL,
    subject.card_status,
    subject.config_status,
    NULL,
    subject.detector_version,
    max(subject.seen_at)
FROM subject
SEMI JOIN silent USING (source, subject_id)
GROUP BY ALL
