-- title: How much of each technique is the work of a few authors?
-- chart: table
-- note: Parts of the adapters that belong to the author with the most, the five and the ten with the most.
--     effective_authors is how many authors of equal size would be as concentrated. technique * is all of
--     them. From a sample, the parts of the largest are too high where few of their items were read.
SELECT
    source,
    coalesce(technique, '*') AS technique,
    items,
    items_read,
    authors,
    largest,
    largest_low,
    largest_high,
    top5,
    top10,
    effective_authors,
    mass_uploaders,
    mass_part,
    caveat,
    concentration_id
FROM concentration
ORDER BY source, items DESC, technique;
