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
    verdict.source,
    coalesce(verdict.template, 'none recognised') AS template,
    count_if(coalesce(len(verdict.mentions), 0) > 0) AS naming,
    count(*) AS cards,
    count_if(len(verdict.mentions) = 1) AS naming_exactly_one
FROM model_card AS card
JOIN verdict ON verdict.source = card.source AND verdict.subject_id = card.model_id
WHERE card.status = 'ok'
GROUP BY verdict.source, verdict.template
ORDER BY verdict.source, cards DESC, template;
