/*
about = "Marks before the day of entry or after the day of leaving. Kept, and left out of figures."
source = "contract.md 4"
outcome = "warn"
expected = "marks from the day of entry to the day of leaving only"
*/
WITH stint AS (
  SELECT e.urn, coalesce(k.line_key, e.roll_key) AS line_key, e.entry_date, e.last_day
  FROM tables.enrolment e LEFT JOIN believed.joined_key k ON k.pupil_key = e.pupil_key
), doubtful AS (
  -- Lines that no single stint covers: few, so that only these are looked at stint by stint.
  SELECT l.file_id, l.urn, l.line_key, l.week_start, boxes(l.marks, 'recorded') AS recorded
  FROM stint s
  RIGHT ANTI JOIN incoming.line l
    ON s.urn = l.urn AND s.line_key = l.line_key
   AND boxes(l.marks, 'recorded') & boxes_between(l.week_start, s.entry_date, s.last_day) = boxes(l.marks, 'recorded')
), line AS (
  SELECT l.file_id, l.urn, l.line_key, l.week_start, l.recorded,
         bit_or(boxes_between(l.week_start, s.entry_date, s.last_day)) AS within
  FROM doubtful l JOIN stint s ON s.urn = l.urn AND s.line_key = l.line_key
  GROUP BY l.file_id, l.urn, l.line_key, l.week_start, l.recorded
)
SELECT file_id, urn, line_key AS pupil_key,
       min(first_box_day(week_start, recorded - (recorded & within))) AS session_date,
       sum(box_count(recorded - (recorded & within))) AS rows,
       CAST(sum(box_count(recorded - (recorded & within))) AS VARCHAR) || ' marks outside the enrolment' AS found
FROM line
GROUP BY file_id, urn, line_key
HAVING 0 < sum(box_count(recorded - (recorded & within)))
