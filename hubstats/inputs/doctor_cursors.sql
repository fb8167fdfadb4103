-- Of each source that has saved places: how many, how many of them at their end, and the newest and the oldest moment.
SELECT
    source,
    count(*) AS walks,
    count(*) FILTER (WHERE done) AS finished,
    count(*) FILTER (WHERE cursor IS NULL OR cursor = '') AS without_place,
    max(updated_at) AS newest,
    any_value(cursor) FILTER (WHERE starts_with(scope, 'listing')) AS listing
FROM crawl_cursor
GROUP BY source
ORDER BY source
