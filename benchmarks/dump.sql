-- A dump that overlaps the listing: half of the drawn repositories, as a second source. After files.sql.
CREATE OR REPLACE TEMP TABLE dumped AS
SELECT model_id
FROM model_card
WHERE source = 'hub' AND status = 'ok' AND uniform(model_id, 'dumped') < 0.5;

INSERT INTO hub_model SELECT * REPLACE ('dump' AS source) FROM hub_model SEMI JOIN dumped USING (model_id) WHERE source = 'hub';
INSERT INTO model_card SELECT * REPLACE ('dump' AS source) FROM model_card SEMI JOIN dumped USING (model_id) WHERE source = 'hub';
INSERT INTO verdict
SELECT * REPLACE ('dump' AS source)
FROM verdict
SEMI JOIN dumped ON dumped.model_id = verdict.subject_id
WHERE source = 'hub';
