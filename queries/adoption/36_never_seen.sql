-- title: Which techniques of the registry were seen nowhere?
-- chart: table
-- note: Not used, not named on a card, not imported, not chosen as a type, in anything this file holds. Without
--     any crawl there is nothing to say.
WITH seen AS (
    SELECT technique FROM verdict
    UNION
    SELECT unnest(techniques) FROM verdict
    UNION
    SELECT unnest(overlays) FROM verdict
    UNION
    SELECT unnest(mentions) FROM verdict
    UNION
    SELECT technique FROM code_import
    UNION
    SELECT technique FROM estimate WHERE count > 0
)

SELECT
    technique.key AS technique,
    technique.name,
    technique.family,
    technique.kind,
    technique.since,
    technique.paper_year
FROM technique
ANTI JOIN seen ON seen.technique = technique.key
WHERE
    technique.kind NOT IN ('baseline', 'confounder')
    AND (EXISTS (SELECT 1 FROM verdict) OR EXISTS (SELECT 1 FROM code_import))
ORDER BY technique.kind, technique.key;
