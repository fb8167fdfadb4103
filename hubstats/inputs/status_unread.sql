-- Cards of a dump whose verdict is of another version of the rules, and whose text is not there to be judged anew.
SELECT count(*) AS cards
FROM verdict
JOIN model_card ON verdict.source = model_card.source AND verdict.subject_id = model_card.model_id
WHERE
    verdict.source = 'dump'
    AND verdict.detector_version <> $version
    AND model_card.status <> 'missing'
    AND model_card.text IS NULL
