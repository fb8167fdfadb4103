-- The fixed rows behind tests/expected/<section>/<name>.csv: few enough to check each result by hand.

INSERT INTO technique (key, name, family, kind, parent, library, peft_type, config_class, since, paper_year) VALUES
    ('lora', 'LoRA', 'low-rank', 'method', NULL, 'peft', 'LORA', 'LoraConfig', '0.0', 2021),
    ('adalora', 'AdaLoRA', 'low-rank', 'method', NULL, 'peft', 'ADALORA', 'AdaLoraConfig', '0.3', 2023),
    ('ia3', '(IA)3', 'scaling', 'method', NULL, 'peft', 'IA3', 'IA3Config', '0.4', 2022),
    ('loha', 'LoHa', 'low-rank', 'method', NULL, 'peft', 'LOHA', 'LoHaConfig', '0.6', 2021),
    ('oft', 'OFT', 'orthogonal', 'method', NULL, 'peft', 'OFT', 'OFTConfig', '0.7', 2023),
    ('dora', 'DoRA', 'low-rank', 'variant', 'lora', 'peft', 'LORA', 'LoraConfig', '0.9', 2024),
    ('qlora', 'QLoRA', 'low-rank', 'recipe', 'lora', 'peft', NULL, NULL, '0.4', 2023),
    ('locon', 'LoCon', 'low-rank', 'external', 'lora', 'LyCORIS', NULL, NULL, NULL, NULL),
    ('textual_inversion', 'Textual Inversion', 'soft-prompt', 'external', NULL, 'diffusers', NULL, NULL, NULL, 2022),
    ('full_finetuning', 'Full fine-tuning', 'other', 'baseline', NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO technique_capability VALUES
    ('lora', 'merge', true, 'probed', 'same outputs after merging', 'peft', '0.21.2', '2026-11-24', 'cpu'),
    ('lora', 'several', true, 'introspected', 'the class says so', 'peft', '0.21.2', '2026-11-24', 'cpu'),
    ('ia3', 'merge', true, 'probed', 'same outputs after merging', 'peft', '0.21.2', '2026-11-24', 'cpu'),
    ('oft', 'quantised', NULL, 'unknown', 'needs a GPU', 'peft', '0.21.2', '2026-11-24', 'cpu'),
    ('loha', 'quantised', false, 'probed', 'refused', 'peft', '0.21.2', '2026-11-24', 'cpu');

-- hub: a frame of 13 in two strata, 2 of 4 and 4 of 9 drawn; qdan/six was not read yet, so weights are 4/2 and 9/3.
INSERT INTO hub_model (
    source, model_id, author, created_at, downloads, tags, pipeline_tag, base_model, has_card, has_adapter_config, seen_at
) VALUES
    ('hub', 'qann/one', 'qann', '2025-06-10', 10, ['peft'], 'text-generation', 'meta/base', true, true, '2026-01-01'),
    ('hub', 'qbob/two', 'qbob', '2025-06-20', 30, ['peft'], 'text-generation', 'meta/base', true, true, '2026-01-01'),
    ('hub', 'qann/extra', 'qann', '2025-06-21', 1, ['peft'], NULL, 'meta/base', true, true, '2026-01-01'),
    ('hub', 'qeve/extra', 'qeve', '2025-06-22', 1, ['peft'], NULL, 'meta/base', true, true, '2026-01-01'),
    ('hub', 'qann/three', 'qann', '2025-07-01', 100, ['peft', 'lora'], NULL, 'meta/base', true, true, '2026-01-01'),
    ('hub', 'qbob/four', 'qbob', '2025-07-15', NULL, ['peft', 'lora'], 'text-generation', 'other/base', true, true, '2026-01-01'),
    ('hub', 'qcat/five', 'qcat', '2025-07-20', 5, ['peft', 'lora'], NULL, 'meta/base', true, true, '2026-01-01'),
    ('hub', 'qdan/six', 'qdan', '2025-07-21', 7, ['peft', 'lora'], NULL, 'meta/base', true, true, '2026-01-01');
INSERT INTO hub_model (source, model_id, author, tags, has_adapter_config)
SELECT 'hub', 'qfay/' || number, 'qfay', ['peft', 'lora'], true
FROM range(5) AS numbers (number);
-- A dump of 20 July, without cards: it has 7 of the 12 that are as old, and one that is gone since.
INSERT INTO hub_model (source, model_id, author, created_at, tags)
SELECT 'dump', model_id, author, created_at, tags
FROM hub_model
WHERE source = 'hub' AND created_at < '2025-07-21';
INSERT INTO hub_model (source, model_id, author, created_at, tags) VALUES
    ('dump', 'qdan/gone', 'qdan', '2025-05-01', ['peft']);
INSERT INTO sample_stratum VALUES
    ('hub', 0, 'adapter, tagged lora', 1, 1, '2025-01-01', 'stratified'),
    ('hub', 1, 'adapter, not tagged lora', 4, 2, '2026-01-02', 'stratified'),
    ('hub', 1, 'adapter, tagged lora', 9, 4, '2026-01-02', 'stratified');
INSERT INTO sample_frame VALUES
    ('hub', 0, 'qann/three', 'adapter, tagged lora', 1, 1),
    ('hub', 1, 'qann/one', 'adapter, not tagged lora', 1, 0.5),
    ('hub', 1, 'qbob/two', 'adapter, not tagged lora', 2, 0.5),
    ('hub', 1, 'qann/three', 'adapter, tagged lora', 1, 0.4444444444444444),
    ('hub', 1, 'qbob/four', 'adapter, tagged lora', 2, 0.4444444444444444),
    ('hub', 1, 'qcat/five', 'adapter, tagged lora', 3, 0.4444444444444444),
    ('hub', 1, 'qdan/six', 'adapter, tagged lora', 4, 0.4444444444444444);
INSERT INTO model_card (source, model_id, status, text, fetched_at) VALUES
    ('hub', 'qann/one', 'ok', 'an adapter', '2026-01-03'),
    ('hub', 'qbob/two', 'ok', 'AdaLoRA', '2026-01-03'),
    ('hub', 'qann/three', 'ok', 'LoRA', '2026-01-03'),
    ('hub', 'qbob/four', 'ok', 'QLoRA', '2026-01-03'),
    ('hub', 'qcat/five', 'ok', 'secret', '2026-01-03'),
    ('hub', 'qdan/six', 'ok', 'LoRA', '2026-01-03');
INSERT INTO adapter_config (source, model_id, status, peft_type, config, fetched_at) VALUES
    ('hub', 'qann/one', 'ok', 'IA3', '{"peft_type": "IA3"}', '2026-01-03'),
    ('hub', 'qbob/two', 'ok', 'ADALORA', '{"peft_type": "ADALORA", "use_dora": true}', '2026-01-03'),
    ('hub', 'qann/three', 'ok', 'LORA', '{"peft_type": "LORA", "use_dora": true, "init_lora_weights": true, "peft_version": "0.18.1"}', '2026-01-03'),
    ('hub', 'qbob/four', 'ok', 'LORA',
        '{"peft_type": "LORA", "use_dora": false, "init_lora_weights": "pissa", "modules_to_save": ["head"], "peft_version": "0.9.0"}', '2026-01-04'),
    ('hub', 'qcat/five', 'gated', NULL, NULL, '2026-01-03');
INSERT INTO verdict (
    source, subject_id, technique, state, evidence_kind, overlays, techniques, mentions,
    blog_technique, blog_technique_folded, template, detector_version
) VALUES
    ('hub', 'qann/one', 'ia3', 'used', 'config', [], [], [], NULL, NULL, 'peft', 'test'),
    ('hub', 'qbob/two', 'adalora', 'used', 'config', [], [], ['adalora'], 'adalora', 'adalora', 'peft', 'test'),
    ('hub', 'qann/three', 'lora', 'used', 'config', ['dora'], [], ['lora'], 'lora', 'lora', 'peft', 'test'),
    ('hub', 'qbob/four', 'lora', 'conflict', 'config', ['qlora'], ['lora', 'ia3'], ['qlora'], 'qlora', 'lora', 'axolotl', 'test'),
    ('hub', 'qcat/five', NULL, 'unknown_adapter', 'tag', [], [], [], NULL, NULL, NULL, 'test'),
    ('hub', 'qdan/six', 'lora', 'used', 'tag', [], [], ['lora'], 'lora', 'lora', NULL, 'test');

-- Imported cards and configs. The pair p belongs together, so does q; configs/s is of a type nobody knows.
INSERT INTO model_card (source, model_id, status, text) VALUES
    ('cards', 'p', 'ok', 'LoRA'), ('cards', 'q/README', 'ok', 'nothing'), ('cards', 'big', 'too_large', 'LoRA and LoHa');
INSERT INTO adapter_config (source, model_id, status, peft_type, config, fetched_at) VALUES
    ('configs', 'p', 'ok', 'LORA', '{"peft_type": "LORA"}', NULL),
    ('configs', 'q/adapter_config', 'ok', 'LOHA', '{"peft_type": "LOHA"}', NULL),
    ('configs', 'r', 'malformed', NULL, '[]', NULL),
    ('configs', 's', 'ok', 'NEWTYPE', '{"peft_type": "NEWTYPE"}', '2026-02-01'),
    ('snapshot', 'qo1/r1:out', 'ok', 'LORA', '{"use_rslora": true}', '2026-01-05'),
    ('snapshot', 'qo1/r2:out', 'ok', 'LORA', 'not json', '2026-01-05'),
    ('snapshot', 'qo2/r3:out', 'ok', 'IA3', '{}', '2026-01-05');
INSERT INTO verdict (
    source, subject_id, technique, state, evidence_kind, overlays, techniques, mentions,
    blog_technique, blog_technique_folded, template, detector_version
) VALUES
    ('cards', 'p', 'lora', 'used', 'prose', [], [], ['lora'], 'lora', 'lora', NULL, 'test'),
    ('cards', 'q/README', NULL, 'none', NULL, [], [], [], NULL, NULL, NULL, 'test'),
    ('cards', 'big', 'loha', 'several', 'prose', [], ['loha', 'lora'], ['loha', 'lora'], NULL, NULL, NULL, 'test'),
    ('configs', 'p', 'lora', 'used', 'config', [], [], [], NULL, NULL, NULL, 'test'),
    ('configs', 'q/adapter_config', 'loha', 'used', 'config', [], [], [], NULL, NULL, NULL, 'test'),
    ('configs', 'r', NULL, 'none', NULL, [], [], [], NULL, NULL, NULL, 'test'),
    ('configs', 's', 'other:NEWTYPE', 'used', 'config', [], [], [], NULL, NULL, NULL, 'test'),
    ('snapshot', 'qo1/r1:out', 'lora', 'used', 'config', [], [], [], NULL, NULL, NULL, 'test'),
    ('snapshot', 'qo1/r2:out', 'lora', 'used', 'config', [], [], [], NULL, NULL, NULL, 'test'),
    ('snapshot', 'qo2/r3:out', 'ia3', 'used', 'config', [], [], [], NULL, NULL, NULL, 'test');

-- Where the mentions of the verdicts stand: in words, in a tag that a tool wrote, in a list of others.
INSERT INTO detection (
    source, subject_id, technique, evidence_kind, span_start, span_end, excerpt, detector_version, rule, "use"
) VALUES
    ('hub', 'qbob/two', 'adalora', 'prose', 0, 7, 'AdaLoRA', 'test', 'stated:AdaLoRA', true),
    ('hub', 'qann/three', 'lora', 'tag', NULL, NULL, 'lora', 'test', 'tag:lora', true),
    ('hub', 'qbob/four', 'qlora', 'prose', 0, 5, 'QLoRA', 'test', 'stated:QLoRA', true),
    ('cards', 'p', 'lora', 'prose', 0, 4, 'LoRA', 'test', 'stated:LoRA', true),
    ('cards', 'big', 'lora', 'prose', 0, 4, 'LoRA', 'test', 'stated:LoRA', true),
    ('cards', 'big', 'loha', 'prose', 9, 13, 'LoHa', 'test', 'list:LoHa', false),
    ('hub', 'qann/one', 'ia3', 'config', 1, 19, '"peft_type": "IA3"', 'test', 'config:peft_type', true),
    ('hub', 'qbob/two', 'adalora', 'config', 1, 23, '"peft_type": "ADALORA"', 'test', 'config:peft_type', true),
    ('hub', 'qann/three', 'lora', 'config', 1, 20, '"peft_type": "LORA"', 'test', 'config:peft_type', true),
    ('hub', 'qann/three', 'dora', 'config', 22, 38, '"use_dora": true', 'test', 'config:use_dora', true),
    ('hub', 'qbob/four', 'lora', 'config', 1, 20, '"peft_type": "LORA"', 'test', 'config:peft_type', true),
    ('configs', 'p', 'lora', 'config', 1, 20, '"peft_type": "LORA"', 'test', 'config:peft_type', true),
    ('configs', 'q/adapter_config', 'loha', 'config', 1, 20, '"peft_type": "LOHA"', 'test', 'config:peft_type', true);

-- One who uploads every ten minutes, none of it drawn; hashed with a salt that is the same in every test.
INSERT INTO hub_model (source, model_id, author, created_at)
SELECT 'hub', 'qgus/' || number, 'qgus', TIMESTAMP '2025-05-05' + to_minutes(10 * number)
FROM range(1, 52) AS numbers (number);
UPDATE salt SET value = 'test';

-- civitai: four weight adapters, an embedding, a full model.
INSERT INTO image_checkpoint (source, checkpoint_id, type, creator, downloads, base_model, published_at, seen_at) VALUES
    ('civitai', '1', 'LORA', 'quna', 10, 'SDXL', '2025-06-01', '2026-01-01'),
    ('civitai', '2', 'LORA', 'qurs', NULL, 'SDXL', '2025-06-02', '2026-01-01'),
    ('civitai', '3', 'LoCon', 'quna', 5, 'SD 1.5', '2025-05-03', '2026-01-01'),
    ('civitai', '4', 'DoRA', 'qula', 1, 'SDXL', '2025-06-04', '2026-01-01'),
    ('civitai', '5', 'Checkpoint', 'quna', 900, 'SDXL', '2025-06-05', '2026-01-01'),
    ('civitai', '6', 'TextualInversion', 'qurs', 4, 'SD 1.5', '2025-06-06', '2026-01-01');
INSERT INTO verdict (
    source, subject_id, technique, state, evidence_kind, overlays, techniques, mentions, detector_version
) VALUES
    ('civitai', '1', 'lora', 'used', 'type', [], [], [], 'test'),
    ('civitai', '2', 'lora', 'used', 'type', [], [], [], 'test'),
    ('civitai', '3', 'locon', 'used', 'type', [], [], [], 'test'),
    ('civitai', '4', 'lora', 'used', 'type', ['dora'], [], [], 'test'),
    ('civitai', '5', NULL, 'none', NULL, [], [], [], 'test'),
    ('civitai', '6', 'textual_inversion', 'used', 'type', [], [], [], 'test');

-- Code: qo1/r2/copy.py is a copy of qo1/r1/train.py; many.py names LoRA second, so a phrase search misses it.
INSERT INTO code_file (source, repo, path, blob_sha, status, role, parser, fetched_at) VALUES
    ('snapshot', 'qo1/r1', 'train.py', 'b1', 'ok', 'use', 'ast', '2026-01-05'),
    ('snapshot', 'qo1/r1', 'tests/t.py', 'b2', 'ok', 'test', 'ast', '2026-01-05'),
    ('snapshot', 'qo1/r2', 'copy.py', 'b1', 'ok', 'use', 'ast', '2026-01-05'),
    ('snapshot', 'qo1/r2', 'many.py', 'b3', 'ok', 'use', 'fallback', '2026-01-05'),
    ('snapshot', 'qo2/r3', 'run.py', 'b4', 'ok', 'use', 'ast', '2026-01-06'),
    ('snapshot', 'qo2/r3', 'docs/d.py', 'b5', 'ok', 'docs', 'ast', '2026-01-05'),
    ('snapshot', 'qo2/r4', 'peft/x.py', 'b6', 'ok', 'vendored', 'ast', '2026-01-05'),
    ('snapshot', 'qo2/r4', 'bad.ipynb', 'b7', 'malformed', NULL, NULL, '2026-01-05');
INSERT INTO code_import (source, repo, path, form, module, name, line, technique, adjacent) VALUES
    ('snapshot', 'qo1/r1', 'train.py', 'from', 'peft', 'LoraConfig', 1, 'lora', true),
    ('snapshot', 'qo1/r1', 'train.py', 'construct', 'peft', 'LoraConfig', 5, 'lora', NULL),
    ('snapshot', 'qo1/r1', 'tests/t.py', 'from', 'peft', 'AdaLoraConfig', 1, 'adalora', true),
    ('snapshot', 'qo1/r2', 'copy.py', 'from', 'peft', 'LoraConfig', 1, 'lora', true),
    ('snapshot', 'qo1/r2', 'copy.py', 'construct', 'peft', 'LoraConfig', 5, 'lora', NULL),
    ('snapshot', 'qo1/r2', 'many.py', 'from', 'peft', 'IA3Config', 1, 'ia3', NULL),
    ('snapshot', 'qo1/r2', 'many.py', 'from', 'peft', 'LoraConfig', 1, 'lora', NULL),
    ('snapshot', 'qo2/r3', 'run.py', 'from', 'peft', 'get_peft_config', 1, NULL, true),
    ('snapshot', 'qo2/r3', 'run.py', 'from', 'peft', 'IA3Config', 1, 'ia3', false),
    ('snapshot', 'qo2/r3', 'run.py', 'config_dict', 'peft', 'IA3', 3, 'ia3', NULL),
    ('snapshot', 'qo2/r3', 'docs/d.py', 'from', 'peft', 'LoHaConfig', 2, 'loha', true),
    ('snapshot', 'qo2/r4', 'peft/x.py', 'from', 'peft', 'LoraConfig', 2, 'lora', true),
    ('snapshot', 'qo2/r4', 'peft/x.py', 'from', 'peft.tuners', 'LoHaConfig', 3, 'loha', false);
INSERT INTO search_count VALUES
    ('github', '"from peft import LoraConfig"', 'lora', 900, false, 450, 3, '2026-01-07'),
    ('github', '"from peft import IA3Config"', 'ia3', 100, true, 100, 1, '2026-01-07'),
    ('github', '"from peft import"', NULL, 5000, true, 0, 1, '2026-01-07');

-- What others published.
INSERT INTO published_figure VALUES
    ('cards', 'blog', 'cards_exactly_one', 'lora', 98, 100, 0.98, '2026-06-18', 'https://example.org', NULL),
    ('image', 'blog', 'image_type_peft', 'lora', 95, 100, 0.95, '2026-06-18', 'https://example.org', NULL),
    ('code', 'blog', 'github_import', 'lora', NULL, NULL, 0.7, '2026-06-18', 'https://example.org', NULL),
    ('frame', 'blog', 'cards_total', NULL, 100, NULL, NULL, '2026-06-18', 'https://example.org', NULL);
INSERT INTO bench_run (
    run_id, origin, task, experiment, technique, variant, peft_type, status, created_at, snapshot_on, is_current, peft_version
) VALUES
    ('r1', 'peft-method-comparison', 'MetaMathQA', 'lora/x-rank32', 'lora', NULL, 'LORA', 'success', '2026-01-10', '2026-01-13', false, '0.18'),
    ('r2', 'peft-method-comparison', 'MetaMathQA', 'lora/x-rank32', 'lora', NULL, 'LORA', 'success', '2026-07-14', '2026-08-21', true, '0.19'),
    ('r3', 'peft-method-comparison', 'MetaMathQA', 'lora/x-rank64', 'lora', NULL, 'LORA', 'success', '2026-07-14', '2026-08-21', true, '0.19'),
    ('r4', 'peft-method-comparison', 'MetaMathQA', 'lora/x-rank32-dora', 'lora', 'dora', 'LORA', 'success', '2026-07-14', '2026-08-21', true, '0.19'),
    ('r5', 'peft-method-comparison', 'MetaMathQA', 'ia3/x-default', 'ia3', NULL, 'IA3', 'success', '2026-07-14', '2026-08-21', true, '0.19'),
    ('r6', 'peft-method-comparison', 'MetaMathQA', 'ia3/x-lr', 'ia3', NULL, 'IA3', 'success', '2026-07-14', '2026-08-21', true, '0.19'),
    ('r7', 'peft-method-comparison', 'image-gen', 'oft/y-default', 'oft', NULL, 'OFT', 'success', '2026-07-28', '2026-08-21', true, '0.19'),
    ('r8', 'peft-method-comparison', 'MetaMathQA', 'oft/x-rank32', 'oft', NULL, 'OFT', 'failed', '2026-07-14', '2026-08-21', true, '0.19'),
    ('r9', 'own', 'MetaMathQA', 'lora/x-rank32', 'lora', NULL, 'LORA', 'success', '2026-09-01', NULL, true, '0.21');
INSERT INTO bench_metric VALUES
    ('r1', 'test_accuracy', 0.50, 'share', 'higher'), ('r1', 'peak_memory', 220, 'bytes', 'lower'),
    ('r2', 'test_accuracy', 0.48, 'share', 'higher'), ('r2', 'peak_memory', 200, 'bytes', 'lower'),
    ('r3', 'test_accuracy', 0.50, 'share', 'higher'), ('r3', 'peak_memory', 210, 'bytes', 'lower'),
    ('r4', 'test_accuracy', 0.48, 'share', 'higher'), ('r4', 'peak_memory', 205, 'bytes', 'lower'),
    ('r5', 'test_accuracy', 0.25, 'share', 'higher'), ('r5', 'peak_memory', 180, 'bytes', 'lower'),
    ('r6', 'test_accuracy', 0.40, 'share', 'higher'), ('r6', 'peak_memory', 180, 'bytes', 'lower'),
    ('r7', 'similarity', 0.70, 'cosine', 'higher'), ('r7', 'peak_memory', 100, 'bytes', 'lower'),
    ('r9', 'test_accuracy', 0.10, 'share', 'higher'), ('r9', 'peak_memory', 10, 'bytes', 'lower');
INSERT INTO bench_item (run_id, item_id, correct)
SELECT 'r9', 'question ' || number, number = 1 FROM range(1, 11) AS question (number);

INSERT INTO failure VALUES
    ('hub', 'page 3', 'row 17', 'no_id', 'a row without id', '2026-01-03'),
    ('hub', 'page 4', 'row 2', 'no_id', 'a row without id', '2026-01-03');
INSERT INTO crawl VALUES
    (1, 'snapshot', 'snapshot', 'hubstats/snapshot', 'done', '2026-01-05 10:00', '2026-01-05 10:00:02', '{}', '{}', NULL, '0.1'),
    (2, 'hub', 'live', 'https://hub.example', 'interrupted', '2026-01-06 10:00', NULL,
        '{"sample": 6}', '{"requests": 12, "bytes": 3400}', 'interrupted', '0.1');
