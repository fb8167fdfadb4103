-- Of the temporary table frame, what the authors have of whom a repository was drawn. $source, $seed.
WITH drawn_author AS (
    SELECT DISTINCT frame.author
    FROM frame
    JOIN sample_frame AS drawn USING (model_id)
    WHERE drawn.source = $source AND drawn.seed = $seed
)

SELECT
    CAST($source AS VARCHAR) AS source,
    CAST($seed AS BIGINT) AS seed,
    frame.author,
    frame.stratum,
    count(*) AS repositories
FROM frame
SEMI JOIN drawn_author USING (author)
GROUP BY frame.author, frame.stratum
