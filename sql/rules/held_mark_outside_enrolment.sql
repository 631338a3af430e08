/*
about = "Marks held before the day of entry or after the day of leaving that a roll gives. Kept, and left out of figures."
source = "contract.md 4"
outcome = "warn"
of_held = true
mended_by_roll = true
expected = "a roll with the child on all days of which marks are held, or the marks sent again without those days"
*/
WITH sent AS (
  SELECT urn, max(file_id) AS file_id FROM incoming.file WHERE kind = 'roll' GROUP BY urn
), stint AS (
  SELECT s.file_id, e.urn, e.pupil_key, stints(e.entry_date, e.last_day) AS stints
  FROM sent s JOIN tables.enrolment e ON e.urn = s.urn
  GROUP BY s.file_id, e.urn, e.pupil_key
), outside AS (
  SELECT s.file_id, s.urn, s.pupil_key, register_outside(r.register, s.stints) AS marks
  FROM stint s JOIN tables.register r ON r.urn = s.urn AND r.pupil_key = s.pupil_key
)
SELECT file_id, urn, pupil_key, nth_day(marks, 'recorded', 1) AS session_date,
       sessions_with(marks, 'recorded', NULL, NULL) AS rows,
       CAST(sessions_with(marks, 'recorded', NULL, NULL) AS VARCHAR) || ' marks held outside the enrolment' AS found
FROM outside
WHERE 0 < sessions_with(marks, 'recorded', NULL, NULL)
