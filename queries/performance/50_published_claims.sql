-- title: Which published figures about performance still hold?
-- chart: table
-- note: Each claim against the newest imported results: current, superseded (by which run, of when), unconfirmed (no
--     result ever rounds to it) or not checkable. value is the printed figure as a share or in bytes: GB is 10^9 bytes,
--     GiB 2^30 bytes, whatever the text printed. metric_version names the definition of a metric that had two.
-- param: state VARCHAR = NULL  only claims in this state
SELECT
    origin,
    published_on,
    says,
    printed,
    printed_unit,
    state,
    value,
    value_now,
    change,
    matched_on,
    superseded_on,
    superseded_by,
    task,
    experiment,
    metric,
    metric_version,
    note,
    caveat,
    url
FROM published_claim
WHERE $state IS NULL OR state = $state
ORDER BY published_on DESC, claim_id;
