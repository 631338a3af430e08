/*
about = "Register lines as known then, whoever was on roll."
grain = ["urn", "line_key", "week_start"]
streams = true
source = "architecture.md 3"

[columns]
urn = { doc = "The school", visibility = "area" }
line_key = { doc = "The key under which lines came", visibility = "pupil" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
marks = { doc = "Fourteen boxes, Monday AM to Sunday PM", visibility = "pupil" }
*/
SELECT urn, pupil_key AS line_key, week_start, marks
FROM believed.register_week
WHERE known_from <= $known_at AND (known_to IS NULL OR $known_at < known_to) AND week_start <= $as_of
