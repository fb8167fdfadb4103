-- How many repositories of each stratum the authors have in the whole frame, for authors with a sampled adapter or an
-- unread repository: an author's vote is split over all of theirs, not over the sampled ones.
WITH sampled_author AS (
    SELECT DISTINCT source, author
    FROM subject
    WHERE source IN (SELECT source FROM sample_stratum) AND author IS NOT NULL
)

SELECT source, author, stratum, count(*) AS repositories
FROM hub_frame
SEMI JOIN sampled_author USING (source, author)
GROUP BY source, author, stratum
ORDER BY source, author, stratum
