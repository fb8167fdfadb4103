-- The blog's way: a text search finds each file once per config class that follows `from peft import`, whatever the
-- file is (tests, docs, copies of peft) and however often it was copied.
SELECT source, split_part(repo, '/', 1) AS author, repo || '/' || path AS subject_id, technique, fetched_at AS seen_at
FROM phrase_import
ORDER BY source, subject_id, technique
