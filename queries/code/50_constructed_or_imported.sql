-- title: How often is an imported config class also constructed?
-- chart: interval
-- x: technique
-- y: share
-- unit: share of the repositories that import it
-- note: An import may be unused, or serve a dispatcher that supports everything; a constructed config is use.
--     Files that use peft only.
-- count: constructing
-- total: importing
SELECT source, technique, count_if(constructs) AS constructing, count(*) AS importing
FROM use_import
GROUP BY source, technique
ORDER BY source, importing DESC, technique;
