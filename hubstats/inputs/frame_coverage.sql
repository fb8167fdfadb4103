-- What a dump and the listing have in common: adapters, and all repositories.
WITH repository AS (
    -- By hash: of 6 million ids two have the same with a chance of one in a million.
    SELECT bool_or(source = 'hub') AS in_census, bool_or(source = 'dump') AS in_dump, min(created_at) AS created_at
    FROM hub_model
    WHERE source IN ('hub', 'dump') AND EXISTS (FROM census_day)
    GROUP BY hash(model_id)
),

unit AS (
    SELECT 'adapters' AS unit, in_census, in_dump FROM census_and_dump
    UNION ALL
    SELECT 'repositories', in_census, in_dump
    FROM repository
    CROSS JOIN census_day AS day
    WHERE repository.created_at IS NULL OR day.created_before IS NULL OR repository.created_at <= day.created_before
)

SELECT
    unit.unit,
    count_if(in_census AND in_dump)::BIGINT AS in_both,
    count_if(NOT in_census)::BIGINT AS only_dump,
    count_if(NOT in_dump)::BIGINT AS only_census,
    any_value(day.created_before) AS created_before,
    any_value(day.dump_as_of) AS dump_as_of,
    any_value(day.census_as_of) AS census_as_of
FROM unit
CROSS JOIN census_day AS day
GROUP BY unit.unit
ORDER BY unit.unit
