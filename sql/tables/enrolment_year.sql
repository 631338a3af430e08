/*
about = "Stints cut to school years and to the day asked for. first_day to last_day is what counts. Of a school year a child is what the last roll of a day in it said: nobody of the year before moves up a year in September, or in July by September's roll."
grain = ["urn", "pupil_key", "entry_date", "academic_year"]
source = "domain.md 2.1"

[columns]
urn = { doc = "The school", visibility = "area" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
upn = { doc = "The newest UPN known", visibility = "pupil" }
roll_key = { doc = "The key under which the roll states the child", visibility = "pupil" }
entry_date = { doc = "First day on roll", visibility = "pupil" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
first_day = { doc = "First day of the stint in the year", visibility = "pupil" }
last_day = { doc = "Last day of the stint in the year, not after the day asked for", visibility = "pupil" }
in_cohort = { doc = "Aged 5 to 15 on 31 August before the year; null: age unknown", visibility = "pupil" }
nc_year = { doc = "National curriculum year, as the school states it", visibility = "pupil" }
sex = { doc = "Sex", visibility = "pupil" }
fsm = { doc = "Free school meals", visibility = "pupil" }
sen = { doc = "N, K or E", visibility = "pupil" }
looked_after = { doc = "Looked after", visibility = "pupil" }
child_in_need = { doc = "Child in need", visibility = "pupil" }
eal = { doc = "English as an additional language", visibility = "pupil" }
ethnicity = { doc = "Ethnicity code", visibility = "pupil" }
csa_from = { doc = "First day of compulsory school age", visibility = "pupil" }
csa_to = { doc = "Last day of compulsory school age", visibility = "pupil" }
*/
WITH born AS (
  SELECT *, date_part('year', dob) + CASE WHEN date_part('month', dob) < 9 THEN 0 ELSE 1 END AS school_birth_year
  FROM tables.enrolment WHERE entry_date <= $as_of
)
SELECT e.urn, e.pupil_key, e.upn, e.roll_key, e.entry_date, e.academic_year, e.first_day, e.last_day, e.in_cohort,
       CASE WHEN t.urn IS NULL THEN e.nc_year ELSE t.nc_year END AS nc_year, e.sex,
       CASE WHEN t.urn IS NULL THEN e.fsm ELSE t.fsm END AS fsm,
       CASE WHEN t.urn IS NULL THEN e.sen ELSE t.sen END AS sen,
       CASE WHEN t.urn IS NULL THEN e.looked_after ELSE t.looked_after END AS looked_after,
       CASE WHEN t.urn IS NULL THEN e.child_in_need ELSE t.child_in_need END AS child_in_need,
       CASE WHEN t.urn IS NULL THEN e.eal ELSE t.eal END AS eal,
       CASE WHEN t.urn IS NULL THEN e.ethnicity ELSE t.ethnicity END AS ethnicity,
       e.csa_from, e.csa_to
FROM tables.told_of_year t
RIGHT JOIN (
  SELECT e.urn, e.pupil_key, e.upn, e.roll_key, e.entry_date, y.academic_year,
         greatest(e.entry_date, y.first_day) AS first_day,
         least(coalesce(e.last_day, y.last_day), y.last_day, $as_of) AS last_day,
         e.school_birth_year + $cohort_from_age <= y.starts_in AND y.starts_in <= e.school_birth_year + $cohort_to_age AS in_cohort,
         e.nc_year, e.sex, e.fsm, e.sen, e.looked_after, e.child_in_need, e.eal, e.ethnicity,
         c.starts_on AS csa_from, c.ends_on AS csa_to
  FROM reference.compulsory_school_age c
  RIGHT JOIN (tables.held_year y JOIN born e ON e.entry_date <= y.last_day AND y.first_day <= coalesce(e.last_day, $as_of))
    ON c.born_year = date_part('year', e.dob) AND c.born_month = date_part('month', e.dob)
) e ON t.urn = e.urn AND t.pupil_key = e.pupil_key AND t.academic_year = e.academic_year
