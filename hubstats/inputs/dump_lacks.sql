-- Adapters that the listing shows and a dump lacks, though they are as old as it.
SELECT 'dump' AS source, model_id AS subject_id, author, downloads
FROM census_and_dump
WHERE NOT in_dump
ORDER BY model_id
