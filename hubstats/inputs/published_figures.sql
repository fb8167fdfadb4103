-- Popularity shares that others published, as printed, with their counts where given.
SELECT figure_id, measure, technique, count, total, coalesce(share, count / nullif(total, 0)) AS share, share AS printed
FROM published_figure
WHERE technique IS NOT NULL AND coalesce(share, count / nullif(total, 0)) BETWEEN 0 AND 1
ORDER BY figure_id
