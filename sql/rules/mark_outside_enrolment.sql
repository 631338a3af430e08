/*
about = "Marks before the day of entry or after the day of leaving. Kept, and left out of figures."
source = "contract.md 4"
outcome = "warn"
mended_by_roll = true
expected = "marks from the day of entry to the day of leaving only"
*/
WITH apart AS (
  -- Nearly every register lies within one stint: the few others alone are looked at closely.
  SELECT r.file_id, r.urn, r.line_key, r.register
  FROM tables.roll_key k
  RIGHT ANTI JOIN incoming.register r ON k.urn = r.urn AND k.line_key = r.line_key
   AND k.entry_date <= nth_day(r.register, 'recorded', 1) AND last_day_with(r.register, 'recorded') <= coalesce(k.last_day, last_day_with(r.register, 'recorded'))
), stint AS (
  SELECT r.urn, r.line_key, stints(k.entry_date, k.last_day) AS stints
  FROM (SELECT DISTINCT urn, line_key FROM apart) r
  JOIN tables.roll_key k ON k.urn = r.urn AND k.line_key = r.line_key
  GROUP BY r.urn, r.line_key
), outside AS (
  SELECT r.file_id, r.urn, r.line_key, register_outside(r.register, s.stints) AS marks
  FROM stint s JOIN apart r ON s.urn = r.urn AND s.line_key = r.line_key
)
SELECT file_id, urn, line_key AS pupil_key, nth_day(marks, 'recorded', 1) AS session_date,
       sessions_with(marks, 'recorded', NULL, NULL) AS rows,
       CAST(sessions_with(marks, 'recorded', NULL, NULL) AS VARCHAR) || ' marks outside the enrolment' AS found
FROM outside
WHERE 0 < sessions_with(marks, 'recorded', NULL, NULL)
