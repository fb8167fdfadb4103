-- title: How often does the card name the technique that the config proves?
-- chart: interval
-- x: technique
-- y: share
-- unit: share of cards
-- note: Of items with a readable card and a readable config. share is the recall, P(card names it | config says it), and
--     precision P(config says it | card names it), both weighted to the frame. cards and naming are counts;
--     naming_or_variant also counts cards that name only a variant of it (QLoRA for LoRA). Imported cards and
--     configs are paired by their names.
WITH wide AS (
    SELECT source, technique, agreeing
    FROM mention_recall
    WHERE rule = 'named_or_variant'
)

SELECT
    named.source,
    named.technique,
    named.configs AS cards,
    named.agreeing AS naming,
    coalesce(wide.agreeing, named.agreeing) AS naming_or_variant,
    named.recall AS share,
    named.recall_low AS low,
    named.recall_high AS high,
    named.naming AS cards_naming,
    named.precision,
    named.precision_low,
    named.precision_high,
    named.caveat,
    named.recall_id
FROM mention_recall AS named
LEFT JOIN wide USING (source, technique)
WHERE named.rule = 'named' AND named.measured_on = named.source
ORDER BY named.source, cards DESC, named.technique;
