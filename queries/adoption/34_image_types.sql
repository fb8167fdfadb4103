-- title: Which types do uploaders choose on the image site?
-- chart: bar
-- x: type
-- y: checkpoints
-- unit: checkpoints
-- note: The site offers LORA, LoCon and DoRA for weight adapters and nothing for LoHa, LoKr, OFT or IA3, so a
--     share among its types cannot say how rare those are. newest and oldest are dates of first publication.
SELECT
    source,
    coalesce(type, 'not given') AS type,
    count(*) AS checkpoints,
    count(DISTINCT creator) AS creators,
    sum(downloads)::BIGINT AS downloads,
    count(*) FILTER (downloads IS NULL) AS downloads_hidden,
    min(published_at)::DATE AS oldest,
    max(published_at)::DATE AS newest
FROM image_checkpoint
GROUP BY source, type
ORDER BY source, checkpoints DESC, type;
