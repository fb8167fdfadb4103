-- Every judged item with its weight, what it uses and what could be read of it. In any order: every estimate sorts
-- its rows anew (hubstats.estimate.canonical).
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
