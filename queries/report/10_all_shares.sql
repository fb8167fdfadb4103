-- title: What share has each technique by each source, measure and rule, ours and those published by others?
-- note: origin 'file' is estimated from this file's own rows (low and high: sampling and clustering; outer_low and
--     outer_high: all that could not be seen besides), origin 'published' is as others printed it. Rules are not
--     comparable with one another: read unit, rule and caveat first.
WITH crawled AS (
    SELECT
        source,
        arg_max(kind, crawl_id) AS kind,
        -- The snapshot is of the day its name says, whenever it was read into the file.
        TRY_CAST(regexp_extract(arg_max(endpoint, crawl_id), '\d{4}-\d{2}-\d{2}') AS DATE) AS snapshot_of
    FROM crawl
    GROUP BY source
),

share AS (
    SELECT
        'file' AS origin,
        estimate.source,
        crawled.kind AS crawl_kind,
        estimate.measure,
        estimate.rule,
        estimate.technique,
        estimate.share,
        estimate.low,
        estimate.high,
        estimate.outer_low,
        estimate.outer_high,
        estimate.subjects,
        coalesce(CAST(estimate.as_of AS DATE), CASE WHEN crawled.kind = 'snapshot' THEN crawled.snapshot_of END) AS as_of,
        estimate.caveat,
        estimate.estimate_id AS id
    FROM estimate
    LEFT JOIN crawled USING (source)
    UNION ALL BY NAME
    SELECT
        'published' AS origin,
        origin AS source,
        'published' AS crawl_kind,
        CASE WHEN contains(measure, 'card') THEN 'cards' WHEN contains(measure, 'image') THEN 'checkpoints' ELSE 'files' END AS measure,
        measure AS rule,
        technique,
        coalesce(share, count / total) AS share,
        total AS subjects,
        TRY_CAST(published_on AS DATE) AS as_of,
        note AS caveat,
        figure_id AS id
    FROM published_figure
)

SELECT
    share.origin,
    share.source,
    share.crawl_kind,
    share.measure,
    share.rule,
    share.technique,
    coalesce(technique.name, share.technique) AS name,
    coalesce(technique.family, 'other') AS family,
    coalesce(technique.kind, 'unknown') AS kind,
    share.share,
    share.low,
    share.high,
    share.outer_low,
    share.outer_high,
    share.subjects,
    share.as_of,
    share.caveat,
    share.id
FROM share
LEFT JOIN technique ON technique.key = share.technique
WHERE share.share IS NOT NULL
ORDER BY share.origin, share.source, share.measure, share.rule, share.share DESC, share.technique;
