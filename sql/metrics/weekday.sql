/*
about = "Absence of the cohort in the authority by day of the week and session, by phase and in total."
grain = ["la_code", "academic_year", "phase", "weekday", "session"]
source = "domain.md 2.6: weekday"

[columns]
la_code = { doc = "Local authority", visibility = "public" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision, Other, or Total: primary, secondary and special together, as the DfE counts", visibility = "public" }
weekday = { doc = "1 Monday to 7 Sunday", visibility = "public" }
session = { doc = "AM or PM", visibility = "public" }
possible = { doc = "Sessions possible: attended and absent", visibility = "area" }
absent = { doc = "Sessions authorised and unauthorised", visibility = "area" }
absence_percent = { doc = "100 absent / possible; null where nothing was possible", visibility = "area" }
*/
WITH school AS (
  SELECT urn, academic_year, d['session'] AS session, d['weekday'] AS weekday, d['possible'] AS possible, d['absent'] AS absent
  FROM (SELECT urn, academic_year, unnest(counts_by_weekday(counts)) AS d FROM tables.session_count WHERE in_cohort)
), phased AS (
  SELECT s.urn, s.la_code, c.counted_as AS phase FROM reference.counted_phase c JOIN tables.expected_school s ON s.phase = c.phase
)
SELECT p.la_code, s.academic_year, p.phase, s.weekday, s.session, sum(s.possible) AS possible, sum(s.absent) AS absent,
       100.0 * sum(s.absent) / nullif(sum(s.possible), 0) AS absence_percent
FROM school s JOIN phased p ON p.urn = s.urn
GROUP BY p.la_code, s.academic_year, p.phase, s.weekday, s.session
HAVING 0 < sum(s.possible)
