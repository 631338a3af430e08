/*
about = "Absence of groups of pupils in the authority in a school year, by phase and in total. What is not known of a pupil is a group of its own."
grain = ["la_code", "academic_year", "phase", "cohort", "value"]
source = "domain.md 2.6, 6"

[columns]
la_code = { doc = "Local authority", visibility = "public" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision, Other, or Total: primary, secondary and special together, as the DfE counts", visibility = "public" }
cohort = { doc = "What the pupils are grouped by", visibility = "public" }
value = { doc = "Which group", visibility = "public" }
enrolments = { doc = "Enrolments of the cohort with a possible session", visibility = "area" }
possible = { doc = "Sessions possible: attended and absent", visibility = "area" }
absent = { doc = "Sessions authorised and unauthorised", visibility = "area" }
absence_percent = { doc = "100 absent / possible; null where nothing was possible", visibility = "area" }
persistent = { doc = "Persistently absent enrolments", visibility = "area" }
persistent_percent = { doc = "100 persistent / enrolments", visibility = "area" }
severe = { doc = "Severely absent enrolments", visibility = "area" }
severe_percent = { doc = "100 severe / enrolments", visibility = "area" }
*/
WITH alike AS (
  -- Pupils who are alike in everything are counted first: fewer rows are left to stand in eight cohorts each.
  SELECT s.la_code, s.phase, r.academic_year, r.nc_year, r.sex, r.fsm, r.sen, r.looked_after, r.child_in_need, r.eal, r.ethnicity,
         count(*) AS enrolments, sum(r.possible) AS possible, sum(r.absent) AS absent,
         count(*) FILTER (WHERE r.possible <= $persistent_one_in * r.absent) AS persistent,
         count(*) FILTER (WHERE r.possible <= $severe_one_in * r.absent) AS severe
  FROM tables.expected_school s JOIN tables.register_year r ON s.urn = r.urn
  WHERE r.in_cohort AND 0 < r.possible
  GROUP BY s.la_code, s.phase, r.academic_year, r.nc_year, r.sex, r.fsm, r.sen, r.looked_after, r.child_in_need, r.eal, r.ethnicity
), grouped AS (
  SELECT la_code, phase, academic_year, enrolments, possible, absent, persistent, severe, unnest(make_array(
           struct('FSM', coalesce(CASE fsm WHEN true THEN 'Eligible' WHEN false THEN 'Not eligible' END, 'Unknown')),
           struct('SEN', coalesce(CASE sen WHEN 'E' THEN 'Education, health and care plan' WHEN 'K' THEN 'SEN support' WHEN 'N' THEN 'No SEN' END, 'Unknown')),
           struct('Sex', coalesce(sex, 'Unknown')),
           struct('Year group', coalesce(nc_year, 'Unknown')),
           struct('Ethnicity', coalesce(ethnicity, 'Unknown')),
           struct('Looked after', coalesce(CASE looked_after WHEN true THEN 'Yes' WHEN false THEN 'No' END, 'Unknown')),
           struct('Child in need', coalesce(CASE child_in_need WHEN true THEN 'Yes' WHEN false THEN 'No' END, 'Unknown')),
           struct('EAL', coalesce(CASE eal WHEN true THEN 'Yes' WHEN false THEN 'No' END, 'Unknown'))
         )) AS c
  FROM alike
), counted AS (
  SELECT la_code, phase, academic_year, c['c0'] AS cohort, c['c1'] AS value, sum(enrolments) AS enrolments, sum(possible) AS possible,
         sum(absent) AS absent, sum(persistent) AS persistent, sum(severe) AS severe
  FROM grouped GROUP BY la_code, phase, academic_year, c['c0'], c['c1']
)
SELECT n.la_code, n.academic_year, c.counted_as AS phase, n.cohort, n.value, sum(n.enrolments) AS enrolments,
       sum(n.possible) AS possible, sum(n.absent) AS absent, 100.0 * sum(n.absent) / nullif(sum(n.possible), 0) AS absence_percent,
       sum(n.persistent) AS persistent, 100.0 * sum(n.persistent) / nullif(sum(n.enrolments), 0) AS persistent_percent,
       sum(n.severe) AS severe, 100.0 * sum(n.severe) / nullif(sum(n.enrolments), 0) AS severe_percent
FROM reference.counted_phase c JOIN counted n ON n.phase = c.phase
GROUP BY n.la_code, n.academic_year, c.counted_as, n.cohort, n.value
