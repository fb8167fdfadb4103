-- title: When was each source read, how, and what did it cost?
-- chart: table
-- note: kind tells a live server from local files and from the embedded snapshot.
SELECT
    source,
    kind,
    state,
    started_at,
    finished_at,
    date_diff('second', started_at, finished_at) AS seconds,
    json_extract_string(counters, '$.requests')::BIGINT AS requests,
    json_extract_string(counters, '$.bytes')::BIGINT AS bytes,
    options,
    message,
    hubstats_version
FROM crawl
ORDER BY started_at DESC, crawl_id DESC;
