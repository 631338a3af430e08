/*
about = "A row for each mark and each time it was changed, as known then: the current and every earlier belief. A mark begins to be known with the version that first holds it and ends with the version that no longer does."
grain = ["urn", "pupil_key", "session_date", "session", "known_from"]
streams = true
source = "contract.md 4"

[columns]
urn = { doc = "The school", visibility = "area" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
session_date = { doc = "The day", visibility = "pupil" }
session = { doc = "AM or PM", visibility = "public" }
code = { doc = "Register code", visibility = "public" }
minutes_late = { doc = "Minutes late, where given", visibility = "pupil" }
known_from = { doc = "Since when the mark was believed", visibility = "pupil" }
known_to = { doc = "Until when; null: still", visibility = "pupil" }
return_id = { doc = "The return that said so", visibility = "area" }
*/
WITH box AS (
  SELECT urn, pupil_key, week_start, b.place, mark_at(marks, CAST(b.place AS INT)) AS code, known_from, known_to, return_id
  FROM history.register_week CROSS JOIN reference.box b
), stepped AS (
  SELECT *, lag(code) OVER w AS before, lag(known_to) OVER w AS before_to
  FROM box WINDOW w AS (PARTITION BY urn, pupil_key, week_start, place ORDER BY known_from)
), begun AS (
  SELECT *, sum(CASE WHEN (before IS NOT DISTINCT FROM code) AND (before_to = known_from) THEN 0 ELSE 1 END)
            OVER (PARTITION BY urn, pupil_key, week_start, place ORDER BY known_from) AS nth
  FROM stepped
), spell AS (
  SELECT urn, pupil_key, week_start, place, nth, min(code) AS code, min(known_from) AS known_from,
         CASE WHEN count(known_to) = count(*) THEN max(known_to) END AS known_to,
         first_value(return_id ORDER BY known_from) AS return_id
  FROM begun GROUP BY urn, pupil_key, week_start, place, nth
)
SELECT s.urn, s.pupil_key, add_days(s.week_start, CAST(b.day AS INT)) AS session_date, b.session,
       s.code, d.minutes_late, s.known_from, s.known_to, s.return_id
FROM spell s
JOIN reference.box b ON b.place = s.place
LEFT JOIN believed.mark_detail d
  ON d.urn = s.urn AND d.pupil_key = s.pupil_key
 AND d.session_date = add_days(s.week_start, CAST(b.day AS INT)) AND d.session = b.session
 AND d.known_to IS NULL
WHERE s.code IS NOT NULL
