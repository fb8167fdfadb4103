-- Our way: files that use peft, each content once, and one vote a repository whatever the number of its files.
SELECT source, split_part(repo, '/', 1) AS author, repo AS subject_id, technique, fetched_at AS seen_at
FROM use_import
ORDER BY source, subject_id, technique
