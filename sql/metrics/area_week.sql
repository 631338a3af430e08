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
  SELECT s.urn, s.la_code, c.counted_as AS phase, s.open_date, s.close_date
  FROM reference.counted_phase c JOIN tables.expected_school s ON s.phase = c.phase
), part AS (
  -- Two school years may share a week: each has its own days of it.
  SELECT w.week_start, w.academic_year, greatest(w.week_start, y.first_day) AS first_day, least(add_days(w.week_start, $last_weekday), y.last_day) AS last_day
  FROM reference.academic_year y
  JOIN (SELECT DISTINCT week_start, academic_year FROM metrics.school_week) w ON CAST(y.academic_year AS VARCHAR) = w.academic_year
), expected AS (
  -- A school that has closed may still send; it does not stand in for one that is silent. One whose roll has not come
  -- has sent, and its marks are still to be counted.
  SELECT p.la_code, p.phase, w.week_start, w.academic_year, count(*) AS schools_expected, count(s.urn) AS schools_received,
         count(*) = count(*) FILTER (WHERE s.is_on_roll) AS all_counted
  FROM phased p
  JOIN part w ON coalesce(p.open_date, w.first_day) <= w.last_day AND w.first_day <= coalesce(p.close_date, w.first_day)
  LEFT JOIN tables.sent_week s ON s.urn = p.urn AND s.week_start = w.week_start AND s.academic_year = w.academic_year
  LEFT JOIN tables.closed_week c ON c.urn = p.urn AND c.week_start = w.week_start
  WHERE c.urn IS NULL OR s.urn IS NOT NULL
  GROUP BY p.la_code, p.phase, w.week_start, w.academic_year
), week AS (
  SELECT p.la_code, p.phase, w.week_start, w.academic_year,
         sum(w.possible) AS possible, sum(w.attended) AS attended, sum(w.absent) AS absent, sum(w.authorised) AS authorised, sum(w.unauthorised) AS unauthorised, sum(w.late) AS late, bool_and(w.is_settled) AS each_settled
  FROM metrics.school_week w JOIN phased p ON p.urn = w.urn
  GROUP BY p.la_code, p.phase, w.week_start, w.academic_year
)
SELECT coalesce(w.la_code, e.la_code) AS la_code, coalesce(w.week_start, e.week_start) AS week_start, coalesce(w.academic_year, e.academic_year) AS academic_year, coalesce(w.phase, e.phase) AS phase,
       coalesce(e.schools_expected, 0) AS schools_expected, coalesce(e.schools_received, 0) AS schools_received,
       coalesce(w.possible, 0) AS possible, coalesce(w.attended, 0) AS attended, coalesce(w.absent, 0) AS absent, coalesce(w.authorised, 0) AS authorised, coalesce(w.unauthorised, 0) AS unauthorised, coalesce(w.late, 0) AS late,
       100.0 * w.absent / nullif(w.possible, 0) AS absence_percent,
       coalesce(w.each_settled, true) AND coalesce(e.all_counted, true) AS is_settled
-- Where nobody is expected, a school that has closed may still send; a phase of which nobody has sent says so.
FROM week w FULL JOIN expected e ON e.la_code = w.la_code AND e.phase = w.phase AND e.week_start = w.week_start AND e.academic_year = w.academic_year
