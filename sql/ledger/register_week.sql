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
SELECT h.urn, coalesce(k.pupil_key, h.pupil_key) AS pupil_key, h.week_start, h.marks, h.known_from,
       CASE WHEN h.known_to <= $known_at THEN h.known_to END AS known_to, h.return_id
-- The smaller side stands first: it is the one a hash join holds.
FROM believed.joined_key k RIGHT JOIN history.register_week h ON k.line_key = h.pupil_key
WHERE h.known_from <= $known_at
