/*
about = "Marks of a pupil whom no roll of the school has ever held. Kept, and left out of figures until a roll says who it is."
source = "contract.md 4"
outcome = "warn"
expected = "a roll of the school that holds the pupil"
*/
WITH held AS (
  SELECT DISTINCT e.urn, coalesce(k.line_key, e.roll_key) AS line_key
  FROM tables.enrolment e LEFT JOIN believed.joined_key k ON k.pupil_key = e.pupil_key
)
SELECT l.file_id, l.urn, l.line_key AS pupil_key,
       min(first_box_day(l.week_start, boxes(l.marks, 'recorded'))) AS session_date,
       sum(sessions(l.marks, 'recorded', l.week_start)) AS rows,
       CAST(sum(sessions(l.marks, 'recorded', l.week_start)) AS VARCHAR) || ' marks of a pupil not on roll' AS found
FROM held h
RIGHT ANTI JOIN incoming.line l ON h.urn = l.urn AND h.line_key = l.line_key
GROUP BY l.file_id, l.urn, l.line_key
HAVING 0 < sum(sessions(l.marks, 'recorded', l.week_start))
