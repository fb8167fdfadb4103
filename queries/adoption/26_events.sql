-- title: What happened to tools and sites that a trend may show?
-- chart: table
-- note: tooling is what software writes: a share may step there without anyone having changed what they do.
-- param: kind VARCHAR = NULL  only tooling, release or site
SELECT happened_on, kind, what, peft_version, techniques, link
FROM event
WHERE $kind IS NULL OR kind = $kind
ORDER BY happened_on, event_id;
