-- title: What can each technique do: merge, quantised base, conversion to LoRA, layer types, several adapters?
-- note: Asked of the installed peft on a small model, on the day and in the version shown. able is NULL where it could
--     not be asked; probed is a real call whose outputs were compared, introspected is read off the config class.
-- param: technique VARCHAR = NULL  one technique
-- param: capability VARCHAR = NULL  one capability
SELECT
    asked.technique,
    technique.name,
    technique.family,
    asked.capability,
    asked.able,
    asked.label,
    asked.detail,
    asked.library,
    asked.library_version,
    asked.asked_on,
    asked.device
FROM technique_capability AS asked
LEFT JOIN technique ON technique.key = asked.technique
WHERE
    asked.technique = coalesce($technique, asked.technique)
    AND asked.capability = coalesce($capability, asked.capability)
ORDER BY asked.technique, asked.capability;
