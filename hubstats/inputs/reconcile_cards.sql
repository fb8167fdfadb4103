-- Every technique that a judged card names, and how: `used` when a place that names it shows use (no negation, list,
-- comparison, advice, citation), `unwritten` when such a place is not one that software fills in. Software writes the
-- settings of a trainer, the tags of a card that bears a tool's template or PEFT's own base_model:adapter tag, and the
-- fixed sentences of the diffusers template.
WITH tagged_by_peft AS (
    SELECT source, model_id AS subject_id
    FROM model_card
    WHERE contains(text, 'base_model:adapter:')
),

place AS (
    SELECT
        detection.source,
        detection.subject_id,
        detection.technique,
        detection.evidence_kind,
        verdict.template,
        detection.span_end
    FROM detection
    JOIN verdict USING (source, subject_id)
    WHERE detection."use"
        AND detection.evidence_kind NOT IN ('config', 'weights', 'type')
        -- Rules whose place does not name the technique.
        AND detection.rule NOT IN ('trainer:load_in_4bit', 'name:repository', 'name:title')
),

fixed_sentence AS (
    SELECT place.source, place.subject_id, place.technique, place.span_end
    FROM place
    JOIN model_card AS card ON card.source = place.source AND card.model_id = place.subject_id
    WHERE place.template = 'diffusers'
        AND place.evidence_kind = 'prose'
        AND regexp_matches(
            substr(card.text, place.span_end + 1, 60),
            '^ ?(ada?p(ta)?tion weights for|for the text encoder was enabled)'
        )
),

shown AS (
    SELECT
        place.source,
        place.subject_id,
        place.technique,
        bool_or(
            place.evidence_kind IN ('code', 'title', 'prose', 'name') AND fixed_sentence.span_end IS NULL
            OR place.evidence_kind = 'tag' AND place.template IS NULL AND tagged_by_peft.subject_id IS NULL
        ) AS unwritten
    FROM place
    LEFT JOIN tagged_by_peft USING (source, subject_id)
    LEFT JOIN fixed_sentence USING (source, subject_id, technique, span_end)
    GROUP BY place.source, place.subject_id, place.technique
),

named AS (
    SELECT source, subject_id, unnest(mentions) AS technique
    FROM verdict
)

SELECT
    named.source,
    named.subject_id,
    named.technique,
    shown.technique IS NOT NULL AS used,
    coalesce(shown.unwritten, false) AS unwritten
FROM named
LEFT JOIN shown USING (source, subject_id, technique)
ORDER BY named.source, named.subject_id, named.technique
