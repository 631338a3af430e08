/*
about = "Absence of the cohort in the authority by day of the week and session, by phase and in total."
grain = ["la_code", "academic_year", "phase", "weekday", "session"]
source = "domain.md 2.6: weekday"

[columns]
la_code = { doc = "Local authority", visibility = "public" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision or Other", visibility = "public" }
weekday = { doc = "1 Monday to 7 Sunday", visibility = "public" }
session = { doc = "AM or PM", visibility = "public" }
possible = { doc = "Sessions possible: attended and absent", visibility = "area" }
absent = { doc = "Sessions authorised and unauthorised", visibility = "area" }
absence_percent = { doc = "100 absent / possible; null where nothing was possible", visibility = "area" }
*/
WITH school AS (
  SELECT urn, academic_year, box_counts(marks, within, 'possible') AS possible, box_counts(marks, within, 'absent') AS absent
  FROM tables.register_line WHERE in_cohort GROUP BY urn, academic_year
), phased AS (
  SELECT urn, la_code, phase, open_date, close_date FROM tables.expected_school
  UNION ALL
  -- The DfE's total: primary, secondary and special; alternative provision stands beside it.
  SELECT urn, la_code, 'Total' AS phase, open_date, close_date FROM tables.expected_school
  WHERE phase IN ('Primary', 'Secondary', 'Special')
), box AS (
  SELECT p.la_code, s.academic_year, p.phase, b.day + 1 AS weekday, b.session,
         count_at(s.possible, CAST(b.place AS INT)) AS possible, count_at(s.absent, CAST(b.place AS INT)) AS absent
  FROM school s JOIN phased p ON p.urn = s.urn CROSS JOIN reference.box b
)
SELECT la_code, academic_year, phase, weekday, session, sum(possible) AS possible, sum(absent) AS absent,
       100.0 * sum(absent) / nullif(sum(possible), 0) AS absence_percent
FROM box GROUP BY la_code, academic_year, phase, weekday, session
HAVING 0 < sum(possible)
