-- How many repositories of each stratum the authors have in the whole frame, for authors of whom one was drawn: an
-- author's vote is split over all of theirs, not over the sampled ones. In any order, as in subjects.sql.
WITH draw AS (
    SELECT source, arg_max(seed, drawn_at) AS seed
    FROM sample_stratum
    GROUP BY source
)

SELECT source, author, stratum, repositories
FROM sample_author
JOIN draw USING (source, seed)
