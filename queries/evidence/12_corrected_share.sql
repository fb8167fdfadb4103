-- title: What would the mention shares be if cards named what configs prove?
-- chart: interval
-- x: technique
-- y: corrected_share
-- unit: share of cards of adapters
-- note: corrected_share is mention_share * precision / recall with the uncertainty of all three; recall and precision are
--     of measured_on, the source itself where it has configs. shown is the share by evidence of the same source.
--     Several techniques on one card count for each, so that mention shares may add up to more than 1.
-- param: rule VARCHAR = named  named, or named_or_variant: a card that names a variant names the technique
SELECT
    recall.source,
    recall.technique,
    recall.mention_share,
    recall.mention_low,
    recall.mention_high,
    recall.corrected_share,
    recall.corrected_low,
    recall.corrected_high,
    shown.share AS shown,
    recall.measured_on,
    recall.recall,
    recall.precision,
    recall.cards,
    recall.caveat,
    recall.recall_id
FROM mention_recall AS recall
LEFT JOIN estimate AS shown
    ON shown.source = recall.source
    AND shown.technique = recall.technique
    AND shown.rule = 'evidence'
    AND shown.measure IN ('repositories', 'cards', 'configs', 'checkpoints')
WHERE recall.rule = $rule
ORDER BY recall.source, recall.mention_share DESC, recall.technique;
