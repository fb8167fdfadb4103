-- title: Why do published shares differ from ours?
-- chart: table
-- note: Each published share beside the estimates of the same kind of source: first by the publication's own
--     rule, then by ours. difference is ours minus theirs. Units differ between the three kinds (cards,
--     uploads, files), so they are compared only within a kind.
WITH comparable AS (
    SELECT *
    FROM (VALUES
        ('cards_exactly_one', 'blog', 1),
        ('cards_exactly_one', 'blog_folded', 2),
        ('cards_exactly_one', 'evidence', 3),
        ('image_type_peft', 'site_type', 1),
        ('image_type_peft', 'site_type_all', 2),
        ('github_import', 'imports_files', 1),
        ('github_import', 'imports_repositories', 2)
    ) AS steps (published_measure, rule, step)
),

ours AS (
    SELECT comparable.published_measure, comparable.step, estimate.*
    FROM estimate
    JOIN comparable USING (rule)
    WHERE comparable.published_measure <> 'cards_exactly_one' OR estimate.source IN ('hub', 'dump', 'cards')
)

SELECT
    figure.origin,
    figure.measure AS published_measure,
    figure.technique,
    figure.share AS published_share,
    figure.count AS published_count,
    figure.total AS published_total,
    figure.published_on,
    ours.source,
    ours.measure,
    ours.rule,
    ours.share,
    ours.low,
    ours.high,
    ours.share - figure.share AS difference,
    ours.subjects
FROM published_figure AS figure
LEFT JOIN ours ON ours.published_measure = figure.measure AND ours.technique = figure.technique
WHERE figure.technique IS NOT NULL
ORDER BY
    figure.origin,
    figure.measure,
    figure.share DESC,
    figure.technique,
    ours.source NULLS LAST,
    ours.step,
    ours.measure;
