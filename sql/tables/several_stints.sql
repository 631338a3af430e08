/*
about = "Children with several stints at a school in a school year: all of them together. Nearly every child has one, so these are few and looked up."
grain = ["urn", "pupil_key", "academic_year"]
source = "domain.md 2.1"

[columns]
urn = { doc = "The school", visibility = "area" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
stints = { doc = "The days that count, up to the day asked for, as one value; null: none yet", visibility = "pupil" }
entry_date = { doc = "First day of the last of them", visibility = "pupil" }
*/
SELECT urn, pupil_key, academic_year, stints(first_day, last_day) AS stints, max(entry_date) AS entry_date
FROM tables.enrolment_year GROUP BY urn, pupil_key, academic_year HAVING 1 < count(*)
