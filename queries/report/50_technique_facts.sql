-- title: What is known of each technique: family, kind, where it lives, its paper?
SELECT key, name, family, kind, parent, library, peft_type, config_class, since, paper, paper_year, note
FROM technique
WHERE
    EXISTS (SELECT 1 FROM verdict)
    OR EXISTS (SELECT 1 FROM code_import)
    OR EXISTS (SELECT 1 FROM bench_run)
ORDER BY name;
