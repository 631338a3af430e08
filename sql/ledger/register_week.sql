/*
about = "Every version of every line that was ever believed."
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
SELECT urn, pupil_key, week_start, marks, known_from, known_to, return_id FROM history.register_week
