/*
about = "Sessions of the cohort in the authority in a week, by phase and in total."
grain = ["la_code", "week_start", "academic_year", "phase"]
source = "domain.md 2.1: sums over sums"

[columns]
la_code = { doc = "Local authority", visibility = "public" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision, Other, or Total: primary, secondary and special together, as the DfE counts", visibility = "public" }
schools_expected = { doc = "Open schools of the authority and phase, but those whose calendar closes the week", visibility = "public" }
schools_received = { doc = "Of these, schools of which a mark is held", visibility = "public" }
possible = { doc = "Sessions possible: attended and absent", visibility = "area" }
attended = { doc = "Sessions present or at an approved educational activity", visibility = "area" }
absent = { doc = "Sessions authorised and unauthorised", visibility = "area" }
authorised = { doc = "Sessions of authorised absence", visibility = "area" }
unauthorised = { doc = "Sessions of unauthorised absence (G, N, O, U)", visibility = "area" }
late = { doc = "Sessions coded L or U", visibility = "area" }
absence_percent = { doc = "100 absent / possible; null where nothing was possible", visibility = "area" }
is_settled = { doc = "Every expected school has sent the week and no N is within the days allowed", visibility = "public" }
*/
WITH phased AS (
  SELECT urn, la_code, phase, open_date, close_date FROM tables.expected_school
  UNION ALL
  -- The DfE's total: primary, secondary and special; alternative provision stands beside it.
  SELECT urn, la_code, 'Total' AS phase, open_date, close_date FROM tables.expected_school
  WHERE phase IN ('Primary', 'Secondary', 'Special')
), part AS (
  -- Two school years may share a week: each has its own days of it.
  SELECT w.week_start, w.academic_year, greatest(w.week_start, y.first_day) AS first_day, least(add_days(w.week_start, $last_weekday), y.last_day) AS last_day
  FROM reference.academic_year y
  JOIN (SELECT DISTINCT week_start, academic_year FROM metrics.school_week) w ON CAST(y.academic_year AS VARCHAR) = w.academic_year
), sent AS (
  -- Of any age: a school may have none of the cohort yet.
  SELECT DISTINCT urn, week_start, academic_year FROM tables.school_week_count WHERE sent <> 0
), expected AS (
  -- A school that has closed may still send; it does not stand in for one that is silent.
  SELECT p.la_code, p.phase, w.week_start, w.academic_year, count(*) AS schools_expected, count(s.urn) AS schools_received
  FROM phased p
  JOIN part w ON coalesce(p.open_date, w.first_day) <= w.last_day AND w.first_day <= coalesce(p.close_date, w.first_day)
  LEFT JOIN sent s ON s.urn = p.urn AND s.week_start = w.week_start AND s.academic_year = w.academic_year
  LEFT JOIN tables.closed_week c ON c.urn = p.urn AND c.week_start = w.week_start
  WHERE c.urn IS NULL OR s.urn IS NOT NULL
  GROUP BY p.la_code, p.phase, w.week_start, w.academic_year
), week AS (
  SELECT p.la_code, p.phase, w.week_start, w.academic_year,
         sum(w.possible) AS possible, sum(w.attended) AS attended, sum(w.absent) AS absent, sum(w.authorised) AS authorised, sum(w.unauthorised) AS unauthorised, sum(w.late) AS late, bool_and(w.is_settled) AS each_settled
  FROM metrics.school_week w JOIN phased p ON p.urn = w.urn
  GROUP BY p.la_code, p.phase, w.week_start, w.academic_year
)
SELECT w.la_code, w.week_start, w.academic_year, w.phase, coalesce(e.schools_expected, 0) AS schools_expected, coalesce(e.schools_received, 0) AS schools_received, w.possible, w.attended, w.absent, w.authorised, w.unauthorised, w.late,
       100.0 * w.absent / nullif(w.possible, 0) AS absence_percent,
       w.each_settled AND coalesce(e.schools_expected <= e.schools_received, true) AS is_settled
-- Where nobody is expected, a school that has closed may still send.
FROM week w LEFT JOIN expected e ON e.la_code = w.la_code AND e.phase = w.phase AND e.week_start = w.week_start AND e.academic_year = w.academic_year
