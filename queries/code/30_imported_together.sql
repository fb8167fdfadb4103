-- title: Which techniques are used together in one repository?
-- chart: table
-- note: Files that use peft only. with_both counts the repositories with both techniques; share reads: of those
--     with the technique, so many have the other too.
-- count: with_both
-- total: with_technique
WITH size AS (
    SELECT source, technique, count(*) AS repositories
    FROM use_import
    GROUP BY source, technique
)

SELECT
    one.source,
    one.technique,
    other.technique AS together_with,
    count(*) AS with_both,
    any_value(size.repositories) AS with_technique
FROM use_import AS one
JOIN use_import AS other ON other.source = one.source AND other.repo = one.repo AND other.technique <> one.technique
JOIN size ON size.source = one.source AND size.technique = one.technique
GROUP BY one.source, one.technique, other.technique
ORDER BY one.source, with_both DESC, one.technique, together_with;
