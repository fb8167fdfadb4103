-- title: Which techniques are downloaded more, or less, than they are uploaded?
-- chart: interval
-- x: technique
-- y: share
-- unit: share of downloads
-- note: Downloads of the last 30 days on the Hub, of all time on the image site. pull is the share of downloads
--     over the share of uploads. A handful of repositories has most downloads, hence the wide intervals.
WITH by_items AS (
    SELECT source, technique, share
    FROM estimate
    WHERE rule = 'evidence' AND measure IN ('repositories', 'cards', 'configs', 'checkpoints')
)

SELECT
    download.source,
    download.technique,
    download.share,
    download.low,
    download.high,
    download.count AS downloads,
    by_items.share AS share_of_items,
    download.share / nullif(by_items.share, 0) AS pull
FROM estimate AS download
LEFT JOIN by_items USING (source, technique)
WHERE download.rule = 'evidence' AND download.measure = 'downloads'
ORDER BY download.source, download.share DESC, download.technique;
