-- Authors with 50 uploads or more on one day, or with more than 1% of a source and 50 or more, of all that is listed.
-- The names are for telling which items are theirs; what is kept of them is the hash.
WITH upload AS (
    SELECT source, author, created_at AS uploaded_at, seen_at FROM hub_model
    UNION ALL
    SELECT source, creator, published_at, seen_at FROM image_checkpoint
),

listed AS (
    SELECT source, count(*) AS uploads
    FROM upload
    GROUP BY source
),

many AS (
    SELECT source, author, count(*) AS uploads, max(seen_at) AS seen_at
    FROM upload
    WHERE author IS NOT NULL
    GROUP BY source, author
    HAVING count(*) >= 50
),

day AS (
    SELECT source, author, uploaded_at::DATE AS day, count(*) AS uploads
    FROM upload
    SEMI JOIN many USING (source, author)
    -- What the Hub dates to 2 March 2022 is everything older, not one day's.
    WHERE uploaded_at IS NOT NULL AND NOT (source IN ('hub', 'dump') AND uploaded_at < TIMESTAMP '2022-03-03')
    GROUP BY ALL
),

busiest AS (
    SELECT source, author, max(uploads) AS busiest, arg_max(day, (uploads, -epoch(day))) AS busiest_on
    FROM day
    GROUP BY source, author
)

SELECT
    many.source,
    many.author,
    author_hash(many.author) AS author_hash,
    many.uploads,
    many.uploads / listed.uploads AS part,
    busiest.busiest_on,
    coalesce(busiest.busiest, 0) AS busiest,
    many.seen_at
FROM many
JOIN listed USING (source)
LEFT JOIN busiest USING (source, author)
WHERE coalesce(busiest.busiest, 0) >= 50 OR many.uploads > 0.01 * listed.uploads
ORDER BY many.source, author_hash
