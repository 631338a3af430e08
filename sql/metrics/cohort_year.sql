/*
about = "Absence of groups of pupils in the authority in a school year, by phase and in total. What is not known of a pupil is a group of its own."
grain = ["la_code", "academic_year", "phase", "cohort", "value"]
source = "domain.md 2.6, 6"

[columns]
la_code = { doc = "Local authority", visibility = "public" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision or Other", visibility = "public" }
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
WITH last AS (
  -- Of several stints at a school in a year, the last one says who the pupil is.
  SELECT pupil_key, urn, academic_year, max(entry_date) AS entry_date
  FROM tables.enrolment_year GROUP BY pupil_key, urn, academic_year
), stated AS (
  SELECT e.pupil_key, e.urn, e.academic_year, e.sex, e.fsm, e.sen, e.looked_after, e.child_in_need, e.eal, e.ethnicity
  FROM tables.enrolment_year e
  JOIN last l ON l.pupil_key = e.pupil_key AND l.urn = e.urn AND l.academic_year = e.academic_year AND l.entry_date = e.entry_date
), pupil AS (
  SELECT y.urn, y.academic_year, y.nc_year, y.possible, y.absent, y.is_persistent, y.is_severe,
         s.sex, s.fsm, s.sen, s.looked_after, s.child_in_need, s.eal, s.ethnicity
  FROM metrics.pupil_year y
  JOIN stated s ON s.pupil_key = y.pupil_key AND s.urn = y.urn AND s.academic_year = y.academic_year
  WHERE 0 < y.possible
), grouped AS (
  SELECT urn, academic_year, 'FSM' AS cohort, coalesce(CASE fsm WHEN true THEN 'Eligible' WHEN false THEN 'Not eligible' END, 'Unknown') AS value, possible, absent, is_persistent, is_severe FROM pupil
  UNION ALL
  SELECT urn, academic_year, 'SEN' AS cohort, coalesce(CASE sen WHEN 'E' THEN 'Education, health and care plan' WHEN 'K' THEN 'SEN support' WHEN 'N' THEN 'No SEN' END, 'Unknown') AS value, possible, absent, is_persistent, is_severe FROM pupil
  UNION ALL
  SELECT urn, academic_year, 'Sex' AS cohort, coalesce(sex, 'Unknown') AS value, possible, absent, is_persistent, is_severe FROM pupil
  UNION ALL
  SELECT urn, academic_year, 'Year group' AS cohort, coalesce(nc_year, 'Unknown') AS value, possible, absent, is_persistent, is_severe FROM pupil
  UNION ALL
  SELECT urn, academic_year, 'Ethnicity' AS cohort, coalesce(ethnicity, 'Unknown') AS value, possible, absent, is_persistent, is_severe FROM pupil
  UNION ALL
  SELECT urn, academic_year, 'Looked after' AS cohort, coalesce(CASE looked_after WHEN true THEN 'Yes' WHEN false THEN 'No' END, 'Unknown') AS value, possible, absent, is_persistent, is_severe FROM pupil
  UNION ALL
  SELECT urn, academic_year, 'Child in need' AS cohort, coalesce(CASE child_in_need WHEN true THEN 'Yes' WHEN false THEN 'No' END, 'Unknown') AS value, possible, absent, is_persistent, is_severe FROM pupil
  UNION ALL
  SELECT urn, academic_year, 'EAL' AS cohort, coalesce(CASE eal WHEN true THEN 'Yes' WHEN false THEN 'No' END, 'Unknown') AS value, possible, absent, is_persistent, is_severe FROM pupil
), counted AS (
  SELECT urn, academic_year, cohort, value, count(*) AS enrolments, sum(possible) AS possible, sum(absent) AS absent, count(*) FILTER (WHERE is_persistent) AS persistent, count(*) FILTER (WHERE is_severe) AS severe
  FROM grouped GROUP BY urn, academic_year, cohort, value
), phased AS (
  SELECT urn, la_code, phase, open_date, close_date FROM tables.expected_school
  UNION ALL
  -- The DfE's total: primary, secondary and special; alternative provision stands beside it.
  SELECT urn, la_code, 'Total' AS phase, open_date, close_date FROM tables.expected_school
  WHERE phase IN ('Primary', 'Secondary', 'Special')
)
SELECT p.la_code, c.academic_year, p.phase, c.cohort, c.value, sum(c.enrolments) AS enrolments,
       sum(c.possible) AS possible, sum(c.absent) AS absent,
       100.0 * sum(c.absent) / nullif(sum(c.possible), 0) AS absence_percent,
       sum(c.persistent) AS persistent, 100.0 * sum(c.persistent) / nullif(sum(c.enrolments), 0) AS persistent_percent,
       sum(c.severe) AS severe, 100.0 * sum(c.severe) / nullif(sum(c.enrolments), 0) AS severe_percent
FROM counted c JOIN phased p ON p.urn = c.urn
GROUP BY p.la_code, c.academic_year, p.phase, c.cohort, c.value
