/*
about = "Stints on a roll, once for each key under which the child's lines may come: the old keys of a changed UPN too."
grain = ["urn", "line_key", "entry_date"]
source = "architecture.md 3"

[columns]
urn = { doc = "The school", visibility = "area" }
line_key = { doc = "The key under which lines come", visibility = "pupil" }
entry_date = { doc = "First day on roll", visibility = "pupil" }
last_day = { doc = "Last day on roll; null: still on roll", visibility = "pupil" }
dob = { doc = "Date of birth", visibility = "pupil" }
*/
SELECT e.urn, coalesce(k.line_key, e.roll_key) AS line_key, e.entry_date, e.last_day, e.dob
-- The smaller side stands first: it is the one a hash join holds.
FROM believed.joined_key k RIGHT JOIN tables.enrolment e ON k.first_key = e.pupil_key
