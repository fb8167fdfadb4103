-- Adapters by which of two sources show them, matched by repository id: how many in both and in one only, and the sums
-- over authors of the products of these three numbers. What one source establishes of a repository holds of it in the
-- other. technique NULL: any.
WITH judged AS (
    SELECT source, subject_id, author, created_at, seen_at, techniques
    FROM subject
    WHERE source IN ('hub', 'configs', 'dump', 'cards') AND contains(subject_id, '/')
),

day AS (
    SELECT
        source,
        max(created_at) FILTER (created_at <= coalesce(seen_at, created_at)) AS newest,
        max(seen_at) AS seen_at
    FROM judged
    GROUP BY source
),

-- Configs prove more than cards: the source that fetches them speaks first.
pair AS (
    SELECT
        one.source,
        other.source AS other_source,
        least(one.newest, other.newest) AS created_before,
        greatest(one.seen_at, other.seen_at) AS as_of
    FROM day AS one
    JOIN day AS other
        ON list_position(['hub', 'configs', 'dump', 'cards'], one.source)
        < list_position(['hub', 'configs', 'dump', 'cards'], other.source)
),

repository AS (
    SELECT
        subject_id,
        list(source) AS sources,
        coalesce(min(author), split_part(subject_id, '/', 1)) AS author,
        min(created_at) AS created_at,
        arg_min(techniques, list_position(['hub', 'configs', 'dump', 'cards'], source))
            FILTER (len(techniques) > 0) AS techniques
    FROM judged
    SEMI JOIN (SELECT subject_id FROM judged WHERE len(techniques) > 0) AS adapter USING (subject_id)
    GROUP BY subject_id
),

capture AS (
    SELECT
        pair.source,
        pair.other_source,
        'evidence' AS rule,
        unnest(repository.techniques || [NULL]) AS technique,
        repository.author,
        list_contains(repository.sources, pair.source) AS here,
        list_contains(repository.sources, pair.other_source) AS there
    FROM repository
    JOIN pair ON pair.created_before IS NULL
    OR repository.created_at IS NULL
    OR repository.created_at <= pair.created_before
    UNION ALL
    SELECT 'hub', 'dump', 'listing', NULL, author, in_census, in_dump
    FROM census_and_dump
),

per_author AS (
    SELECT
        source,
        other_source,
        rule,
        technique,
        count_if(here AND there) AS in_both,
        count_if(here AND NOT there) AS only_source,
        count_if(there AND NOT here) AS only_other
    FROM capture
    WHERE here OR there
    GROUP BY source, other_source, rule, technique, author
),

total AS (
    SELECT
        source,
        other_source,
        rule,
        technique,
        sum(in_both)::BIGINT AS in_both,
        sum(only_source)::BIGINT AS only_source,
        sum(only_other)::BIGINT AS only_other,
        sum(in_both::DOUBLE ** 2) AS both_squared,
        sum(only_source::DOUBLE ** 2) AS source_squared,
        sum(only_other::DOUBLE ** 2) AS other_squared,
        sum(in_both::DOUBLE * only_source) AS both_source,
        sum(in_both::DOUBLE * only_other) AS both_other,
        sum(only_source::DOUBLE * only_other) AS source_other
    FROM per_author
    GROUP BY ALL
)

SELECT total.*, coalesce(pair.created_before, listing.created_before) AS created_before, pair.as_of
FROM total
LEFT JOIN pair USING (source, other_source)
LEFT JOIN census_day AS listing ON total.rule = 'listing'
ORDER BY total.source, total.other_source, total.rule, total.technique NULLS FIRST
