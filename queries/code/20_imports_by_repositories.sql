-- title: Which techniques do repositories use in code, one vote each?
-- chart: interval
-- x: technique
-- y: share
-- unit: share of repositories
-- note: Files that use peft (no tests, docs, library code or copies of peft), each content counted once, one
--     vote a repository, split over its techniques. repositories counts those with the technique at all,
--     constructing those that construct its config and do not only import it.
WITH repositories AS (
    SELECT source, technique, count(*) AS repositories, count_if(constructs) AS constructing
    FROM use_import
    GROUP BY source, technique
)

SELECT
    repositories.source,
    repositories.technique,
    repositories.repositories,
    estimate.share,
    estimate.low,
    estimate.high,
    repositories.constructing
FROM repositories
LEFT JOIN estimate
    ON estimate.source = repositories.source
    AND estimate.technique = repositories.technique
    AND estimate.rule = 'imports_repositories'
ORDER BY repositories.source, repositories.repositories DESC, repositories.technique;
