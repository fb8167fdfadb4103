-- title: Where does evidence contradict itself?
-- chart: table
-- note: The technique is that of the strongest evidence, rivals are what weaker evidence says. Names and tags
--     that lie show up here.
SELECT
    source,
    technique,
    evidence_kind AS decided_by,
    array_to_string(list_sort(list_filter(techniques, lambda rival: rival <> technique)), ', ') AS rivals,
    count(*) AS items
FROM verdict
WHERE state = 'conflict'
GROUP BY ALL
ORDER BY items DESC, source, technique, rivals;
