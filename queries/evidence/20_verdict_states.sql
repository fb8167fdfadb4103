-- title: What could be established about each item, and by which evidence?
-- chart: bar
-- x: state
-- y: items
-- unit: items
-- note: used and several name techniques; in a conflict the strongest evidence decides; unknown_adapter is an
--     adapter of unknown technique; merged has no adapter left; mentioned only names one; none does not. Counts
--     of what was read, not weighted to the frame.
SELECT
    source,
    state,
    evidence_kind,
    count(*) AS items,
    count(*) / sum(count(*)) OVER (PARTITION BY source) AS part
FROM verdict
GROUP BY source, state, evidence_kind
ORDER BY source, items DESC, state, evidence_kind;
