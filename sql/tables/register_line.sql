/*
about = "Register lines as known then, within the enrolment and up to the day asked for."
grain = ["urn", "pupil_key", "line_key", "week_start", "academic_year", "entry_date"]
streams = true
source = "contract.md 4: Enrolment"

[columns]
urn = { doc = "The school", visibility = "area" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
line_key = { doc = "The key under which lines came", visibility = "pupil" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
entry_date = { doc = "First day on roll", visibility = "pupil" }
marks = { doc = "Fourteen boxes, Monday AM to Sunday PM", visibility = "pupil" }
within = { doc = "The boxes that count, as a mask", visibility = "pupil" }
in_cohort = { doc = "Of the cohort", visibility = "pupil" }
csa_from = { doc = "First day of compulsory school age", visibility = "pupil" }
csa_to = { doc = "Last day of compulsory school age", visibility = "pupil" }
alone = { doc = "The only row of the child, school and year: its lines need no summing", visibility = "pupil" }
*/
SELECT e.urn, e.pupil_key, l.line_key, l.week_start, e.academic_year, e.entry_date, l.marks,
       boxes_between(l.week_start, e.first_day, e.last_day) AS within,
       e.in_cohort, e.csa_from, e.csa_to, e.alone
FROM tables.enrolment_line e
JOIN tables.believed_line l
  ON l.urn = e.urn AND l.line_key = e.line_key
 AND l.week_start <= e.last_day AND add_days(e.first_day, -6) <= l.week_start
