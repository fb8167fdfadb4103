-- title: Which tools write the cards, and how often do their cards name a technique?
-- chart: interval
-- x: template
-- y: share
-- unit: share of cards
-- count: naming
-- total: cards
-- note: A template without a place for the technique hides it, whatever the author used. Counts of what was
--     read, not weighted to the frame.
SELECT
    source,
    coalesce(template, 'none recognised') AS template,
    count_if(coalesce(len(mentions), 0) > 0) AS naming,
    count(*) AS cards,
    count_if(len(mentions) = 1) AS naming_exactly_one
FROM subject
WHERE card_status = 'ok' AND detector_version IS NOT NULL
GROUP BY ALL
ORDER BY source, cards DESC, template;
