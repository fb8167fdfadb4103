-- title: Who uploads many items at once?
-- chart: table
-- note: Authors with 50 uploads or more on one day, or with more than 1% of a source's listing and 50 or more; uploads
--     of any kind, techniques or not. Names are hashed with a salt of this file.
SELECT source, author_hash, uploads, part, busiest, busiest_on, reason
FROM mass_uploader
ORDER BY source, uploads DESC, author_hash;
