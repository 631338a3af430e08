/*
about = "Every version of every line that was ever believed, as known then."
grain = ["urn", "pupil_key", "week_start", "known_from"]
streams = true
source = "architecture.md 3"

[columns]
urn = { doc = "The school", visibility = "area" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
marks = { doc = "Fourteen boxes, Monday AM to Sunday PM; each a code letter of reference.attendance_code, or . for no mark", visibility = "pupil" }
known_from = { doc = "Since when it was believed", visibility = "pupil" }
known_to = { doc = "Until when; null: still", visibility = "pupil" }
return_id = { doc = "The return that said so", visibility = "area" }
*/
WITH joined AS (
  -- Lines of children whose UPN has changed: several may be believed of one week at once.
  SELECT h.urn, k.first_key, h.pupil_key AS line_key, h.week_start, h.marks, h.known_from,
         CASE WHEN h.known_to <= $known_at THEN h.known_to END AS known_to, h.return_id
  -- The smaller side stands first: it is the one a hash join holds.
  FROM believed.joined_key k JOIN history.register_week h ON k.line_key = h.pupil_key
  WHERE h.known_from <= $known_at
), moment AS (
  SELECT urn, first_key, week_start, known_from AS changed_at FROM joined
  UNION
  SELECT urn, first_key, week_start, known_to AS changed_at FROM joined WHERE known_to IS NOT NULL
), span AS (
  SELECT *, lead(changed_at) OVER (PARTITION BY urn, first_key, week_start ORDER BY changed_at) AS until FROM moment
), box AS (
  -- What was learnt last stands, as in the merge itself.
  SELECT s.urn, s.first_key, s.week_start, s.changed_at, s.until, b.place,
         last_value(substr(j.marks, b.place + 1, 1) ORDER BY j.known_from, j.line_key)
           FILTER (WHERE substr(j.marks, b.place + 1, 1) <> '.') AS letter,
         last_value(j.return_id ORDER BY j.known_from, j.line_key) AS return_id
  FROM span s
  JOIN joined j ON j.urn = s.urn AND j.first_key = s.first_key AND j.week_start = s.week_start
   AND j.known_from <= s.changed_at AND (j.known_to IS NULL OR s.changed_at < j.known_to)
  CROSS JOIN reference.box b
  GROUP BY s.urn, s.first_key, s.week_start, s.changed_at, s.until, b.place
)
SELECT urn, first_key AS pupil_key, week_start, string_agg(coalesce(letter, '.'), '' ORDER BY place) AS marks,
       changed_at AS known_from, until AS known_to, max(return_id) AS return_id
FROM box GROUP BY urn, first_key, week_start, changed_at, until
UNION ALL
SELECT h.urn, h.pupil_key, h.week_start, h.marks, h.known_from,
       CASE WHEN h.known_to <= $known_at THEN h.known_to END AS known_to, h.return_id
FROM believed.joined_key k RIGHT ANTI JOIN history.register_week h ON k.line_key = h.pupil_key
WHERE h.known_from <= $known_at
