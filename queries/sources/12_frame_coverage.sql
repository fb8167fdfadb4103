-- title: What does a dump have of the listing, and the listing of the dump?
-- chart: table
-- note: Only repositories created by the day of the older of the two. What only the dump has was deleted or made
--     private since, or lies outside of what was listed; adapters that only the listing has widen the outer
--     intervals of the dump's shares.
SELECT
    source,
    census,
    unit,
    in_both,
    only_source,
    only_census,
    covered,
    created_before,
    source_as_of,
    census_as_of,
    caveat,
    coverage_id
FROM frame_coverage
ORDER BY source, census, unit;
