-- title: Does a technique look larger because a few authors upload in series?
-- chart: interval
-- x: technique
-- y: share
-- unit: share of authors
-- note: Each author has one vote, split over their adapters. inflation is the share of items over the share of
--     authors: above 1, prolific authors lift the technique. largest_author is the part of the technique's
--     items that belongs to its most prolific author, effective_authors how many of equal size would be as
--     concentrated, mass_part what belongs to mass uploaders.
WITH by_items AS (
    SELECT source, technique, share
    FROM estimate
    WHERE rule = 'evidence' AND measure IN ('repositories', 'cards', 'configs', 'checkpoints')
)

SELECT
    author.source,
    author.technique,
    author.share,
    author.low,
    author.high,
    by_items.share AS share_of_items,
    by_items.share / nullif(author.share, 0) AS inflation,
    concentration.authors AS authors_read,
    concentration.largest AS largest_author,
    concentration.effective_authors,
    concentration.mass_part
FROM estimate AS author
LEFT JOIN by_items USING (source, technique)
LEFT JOIN concentration USING (source, technique)
WHERE author.rule = 'evidence' AND author.measure = 'authors'
ORDER BY author.source, author.share DESC, author.technique;
