/*
about = "Marks of a pupil whom no roll of the school has ever held. Kept, and left out of figures until a roll says who it is."
source = "contract.md 4"
outcome = "warn"
mended_by_roll = true
expected = "a roll of the school that holds the pupil"
*/
SELECT r.file_id, r.urn, r.line_key AS pupil_key, nth_day(r.register, 'recorded', 1) AS session_date,
       sessions_with(r.register, 'recorded', NULL, NULL) AS rows,
       CAST(sessions_with(r.register, 'recorded', NULL, NULL) AS VARCHAR) || ' marks of a pupil not on roll' AS found
FROM tables.roll_key k
RIGHT ANTI JOIN incoming.register r ON k.urn = r.urn AND k.line_key = r.line_key
WHERE 0 < sessions_with(r.register, 'recorded', NULL, NULL)
