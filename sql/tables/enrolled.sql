/*
about = "Who was on the roll of which school in which school year: all stints of the year together, and what the last one says of the child."
grain = ["urn", "pupil_key", "academic_year"]
source = "domain.md 2.1"
streams = true

[columns]
urn = { doc = "The school", visibility = "area" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
upn = { doc = "The newest UPN known", visibility = "pupil" }
stints = { doc = "The days that count, up to the day asked for, as one value; null: none yet", visibility = "pupil" }
in_cohort = { doc = "Aged 5 to 15 on 31 August before the year; null: age unknown", visibility = "pupil" }
csa_from = { doc = "First day of compulsory school age", visibility = "pupil" }
csa_to = { doc = "Last day of compulsory school age", visibility = "pupil" }
nc_year = { doc = "National curriculum year, as the school states it", visibility = "pupil" }
sex = { doc = "Sex", visibility = "pupil" }
fsm = { doc = "Free school meals", visibility = "pupil" }
sen = { doc = "N, K or E", visibility = "pupil" }
looked_after = { doc = "Looked after", visibility = "pupil" }
child_in_need = { doc = "Child in need", visibility = "pupil" }
eal = { doc = "English as an additional language", visibility = "pupil" }
ethnicity = { doc = "Ethnicity code", visibility = "pupil" }
*/
SELECT e.urn, e.pupil_key, e.academic_year, e.upn, CASE WHEN s.urn IS NULL THEN stint(e.first_day, e.last_day) ELSE s.stints END AS stints,
       e.in_cohort, e.csa_from, e.csa_to, e.nc_year, e.sex, e.fsm, e.sen, e.looked_after, e.child_in_need, e.eal, e.ethnicity
FROM tables.several_stints s
RIGHT JOIN tables.enrolment_year e ON e.urn = s.urn AND e.pupil_key = s.pupil_key AND e.academic_year = s.academic_year
WHERE s.urn IS NULL OR e.entry_date = s.entry_date
