-- What a code search itself says of each config class when asked the published way: the phrase, no qualifier.
SELECT
    search_count.source,
    search_count.technique,
    search_count.total_count AS total,
    coalesce(search_count.incomplete, false) AS incomplete,
    search_count.asked_at AS seen_at
FROM search_count
JOIN technique ON technique.key = search_count.technique
WHERE search_count.total_count >= 0 AND search_count.query = '"from peft import ' || technique.config_class || '"'
ORDER BY search_count.source, search_count.technique
