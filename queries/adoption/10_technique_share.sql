-- title: How large is each technique's share, by source, measure and rule?
-- chart: interval
-- x: technique
-- y: share
-- unit: share
-- note: rule evidence is ours: what configs, weights and trainer-written text prove. blog counts cards that
--     name exactly one technique, blog_folded the same with QLoRA as LoRA, imports_files what a text search for
--     imports finds, site_type the uploader's choice. low and high are the 95% interval, outer_low and
--     outer_high add the worst case over what could not be read.
-- param: source VARCHAR = NULL  only this source, such as hub, snapshot or civitai
-- param: measure VARCHAR = NULL  only this measure, such as repositories, authors or downloads
-- param: rule VARCHAR = NULL  only this rule, such as evidence or blog
SELECT
    source,
    measure,
    rule,
    technique,
    share,
    low,
    high,
    outer_low,
    outer_high,
    count,
    total,
    subjects,
    effective_size,
    design_effect,
    caveat,
    estimate_id
FROM estimate
WHERE
    ($source IS NULL OR source = $source)
    AND ($measure IS NULL OR measure = $measure)
    AND ($rule IS NULL OR rule = $rule)
ORDER BY source, measure, rule, share DESC, technique;
