-- title: What kind of files name peft, and how many of them are copies?
-- chart: bar
-- x: role
-- y: files
-- unit: files
-- note: Only files with role use say that somebody uses a technique. copies are files whose content was counted
--     before.
SELECT
    source,
    coalesce(role, 'not read') AS role,
    count(*) AS files,
    count(DISTINCT repo) AS repositories,
    count(*) - count(DISTINCT coalesce(blob_sha, repo || '/' || path)) AS copies,
    count(*) FILTER (parser = 'fallback') AS not_python_3,
    count(*) FILTER (status <> 'ok') AS unreadable
FROM code_file
GROUP BY ALL
ORDER BY source, files DESC, role;
