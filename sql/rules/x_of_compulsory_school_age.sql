/*
about = "X stands for a session not asked of a pupil who is not of compulsory school age. Kept: the session is not possible either way, but it may hide an absence."
source = "SI 2024/208 regulation 10; domain.md 1.2"
outcome = "warn"
expected = "another code: X is only for pupils outside compulsory school age"
*/
WITH marked AS (
  SELECT file_id, urn, line_key, only(register, 'codes:X') AS marks
  FROM incoming.register WHERE 0 < sessions_with(register, 'codes:X', NULL, NULL)
), aged AS (
  SELECT m.urn, m.line_key, min(c.starts_on) AS csa_from, max(c.ends_on) AS csa_to
  FROM (SELECT DISTINCT urn, line_key FROM marked) m
  JOIN tables.roll_key k ON k.urn = m.urn AND k.line_key = m.line_key
  JOIN reference.compulsory_school_age c ON c.born_year = date_part('year', k.dob) AND c.born_month = date_part('month', k.dob)
  GROUP BY m.urn, m.line_key
), wrong AS (
  SELECT m.file_id, m.urn, m.line_key, register_between(m.marks, a.csa_from, a.csa_to) AS marks
  FROM aged a JOIN marked m ON a.urn = m.urn AND a.line_key = m.line_key
)
SELECT file_id, urn, line_key AS pupil_key, nth_day(marks, 'codes:X', 1) AS session_date,
       sessions_with(marks, 'codes:X', NULL, NULL) AS rows,
       CAST(sessions_with(marks, 'codes:X', NULL, NULL) AS VARCHAR) || ' X marks' AS found
FROM wrong
WHERE 0 < sessions_with(marks, 'codes:X', NULL, NULL)
