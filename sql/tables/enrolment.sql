/*
about = "Stints on a roll, as known then: a child, a school, from the day of entry to the day of leaving, both included. A pupil who is missing from a later roll left without explanation the day before it."
grain = ["urn", "pupil_key", "entry_date"]
source = "SI 2024/208 regulation 8; contract.md 4"

[columns]
urn = { doc = "The school", visibility = "area" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
upn = { doc = "The newest UPN known", visibility = "pupil" }
roll_key = { doc = "The key under which the roll states the child", visibility = "pupil" }
entry_date = { doc = "First day on roll", visibility = "pupil" }
leaving_date = { doc = "Last day on roll, where stated", visibility = "pupil" }
last_day = { doc = "Last day on roll: stated, or the day before the first roll without the child if that comes first; null: still on roll", visibility = "pupil" }
leaving_ground = { doc = "Ground of regulation 9(1), a to o", visibility = "pupil" }
missing_since = { doc = "First roll without the child and without a leaving date", visibility = "pupil" }
dob = { doc = "Date of birth", visibility = "pupil" }
sex = { doc = "Sex", visibility = "pupil" }
nc_year = { doc = "National curriculum year, as the school states it", visibility = "pupil" }
fsm = { doc = "Free school meals; null: unknown", visibility = "pupil" }
sen = { doc = "N, K or E; null: unknown", visibility = "pupil" }
looked_after = { doc = "Looked after; null: unknown", visibility = "pupil" }
child_in_need = { doc = "Child in need; null: unknown", visibility = "pupil" }
child_protection = { doc = "On a child protection plan; null: unknown", visibility = "pupil" }
eal = { doc = "English as an additional language; null: unknown", visibility = "pupil" }
ethnicity = { doc = "Ethnicity code", visibility = "pupil" }
destination = { doc = "Where a leaver went, where stated", visibility = "pupil" }
*/
SELECT e.urn,
       coalesce(k.first_key, e.pupil_key) AS pupil_key,
       upn_of(coalesce(k.newest_key, e.pupil_key)) AS upn,
       e.pupil_key AS roll_key,
       e.entry_date, e.leaving_date,
       least(e.leaving_date, add_days(e.missing_since, -1)) AS last_day,
       e.leaving_ground, e.missing_since, e.dob, e.sex, e.nc_year, e.fsm, e.sen, e.looked_after,
       e.child_in_need, e.child_protection, e.eal, e.ethnicity, e.destination
-- The smaller side stands first: it is the one a hash join holds.
FROM believed.joined_key k
RIGHT JOIN believed.enrolment e ON k.line_key = e.pupil_key
