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
  -- Day and session stand before the windows, so that a question about some days reads no others.
  SELECT r.urn, r.pupil_key, add_days(r.week_start, CAST(b.day AS INT)) AS session_date, b.session,
         mark_at(r.marks, CAST(b.place AS INT)) AS code, r.known_from, r.known_to, r.return_id
  -- The smaller side stands first: it is the one a join holds.
  FROM reference.box b CROSS JOIN ledger.register_week r
), stepped AS (
  SELECT *, lag(code) OVER w AS before, lag(known_to) OVER w AS before_to
  FROM box WINDOW w AS (PARTITION BY urn, pupil_key, session_date, session ORDER BY known_from)
), begun AS (
  SELECT *, sum(CASE WHEN (before IS NOT DISTINCT FROM code) AND (before_to = known_from) THEN 0 ELSE 1 END)
            OVER (PARTITION BY urn, pupil_key, session_date, session ORDER BY known_from) AS nth
  FROM stepped
), spell AS (
  SELECT urn, pupil_key, session_date, session, nth, min(code) AS code, min(known_from) AS known_from,
         CASE WHEN count(known_to) = count(*) THEN max(known_to) END AS known_to,
         first_value(return_id ORDER BY known_from) AS return_id
  FROM begun GROUP BY urn, pupil_key, session_date, session, nth
), detail AS (
  -- What is said of a session stands until something else is.
  SELECT *, lead(known_from) OVER (PARTITION BY urn, pupil_key, session_date, session ORDER BY known_from) AS until
  FROM (
    SELECT d.urn, coalesce(k.first_key, d.pupil_key) AS pupil_key, d.session_date, d.session, d.known_from, max(d.minutes_late) AS minutes_late
    -- The smaller side stands first: it is the one a hash join holds.
    FROM believed.joined_key k RIGHT JOIN history.mark_detail d ON k.line_key = d.pupil_key
    WHERE d.known_from <= $known_at
    GROUP BY 1, 2, 3, 4, 5
  )
)
SELECT s.urn, s.pupil_key, s.session_date, s.session, s.code,
       -- What was said last of this mark, not of one before it or after.
       CASE WHEN s.code IN ('L', 'U') THEN d.minutes_late END AS minutes_late,
       s.known_from, s.known_to, s.return_id
FROM detail d
RIGHT JOIN spell s
  ON d.urn = s.urn AND d.pupil_key = s.pupil_key AND d.session_date = s.session_date AND d.session = s.session
 AND s.known_from <= d.known_from AND (s.known_to IS NULL OR d.known_from < s.known_to)
 AND (d.until IS NULL OR s.known_to <= d.until)
WHERE s.code IS NOT NULL
