/*
about = "The same, once for each key under which the child has lines: the old keys of a changed UPN too."
grain = ["urn", "line_key", "entry_date", "academic_year"]
source = "architecture.md 3"

[columns]
urn = { doc = "The school", visibility = "area" }
line_key = { doc = "The key under which lines came", visibility = "pupil" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
entry_date = { doc = "First day on roll", visibility = "pupil" }
first_day = { doc = "First day that counts", visibility = "pupil" }
last_day = { doc = "Last day that counts", visibility = "pupil" }
in_cohort = { doc = "Of the cohort", visibility = "pupil" }
csa_from = { doc = "First day of compulsory school age", visibility = "pupil" }
csa_to = { doc = "Last day of compulsory school age", visibility = "pupil" }
alone = { doc = "The only row of the child, school and year: its lines need no summing", visibility = "pupil" }
*/
SELECT e.urn, coalesce(k.line_key, e.roll_key) AS line_key, e.pupil_key, e.academic_year, e.entry_date,
       e.first_day, e.last_day, e.in_cohort, e.csa_from, e.csa_to,
       count(*) OVER (PARTITION BY e.urn, e.pupil_key, e.academic_year) = 1 AS alone
FROM tables.enrolment_year e
LEFT JOIN believed.joined_key k ON k.pupil_key = e.pupil_key
