/*
about = "X stands for a session not asked of a pupil who is not of compulsory school age. Kept: the session is not possible either way, but it may hide an absence."
source = "SI 2024/208 regulation 10; domain.md 1.2"
outcome = "warn"
expected = "another code: X is only for pupils outside compulsory school age"
*/
WITH born AS (
  SELECT DISTINCT e.urn, coalesce(k.line_key, e.roll_key) AS line_key, e.dob
  FROM tables.enrolment e LEFT JOIN believed.joined_key k ON k.pupil_key = e.pupil_key
  WHERE e.dob IS NOT NULL
), line AS (
  SELECT l.file_id, l.urn, l.line_key, l.week_start,
         boxes(l.marks, 'codes:X') & boxes_between(l.week_start, c.starts_on, c.ends_on) AS wrong
  FROM born b
  JOIN (SELECT * FROM incoming.line WHERE boxes(marks, 'codes:X') <> 0) l ON b.urn = l.urn AND b.line_key = l.line_key
  JOIN reference.compulsory_school_age c ON c.born_year = date_part('year', b.dob) AND c.born_month = date_part('month', b.dob)
)
SELECT file_id, urn, line_key AS pupil_key, min(first_box_day(week_start, wrong)) AS session_date,
       sum(box_count(wrong)) AS rows, CAST(sum(box_count(wrong)) AS VARCHAR) || ' X marks' AS found
FROM line WHERE wrong <> 0
GROUP BY file_id, urn, line_key
