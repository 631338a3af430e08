/*
about = "Sessions and enrolments of the cohort in the authority in a school year, by phase and in total."
grain = ["la_code", "academic_year", "phase"]
source = "domain.md 2.1: sums over sums"

[columns]
la_code = { doc = "Local authority", visibility = "public" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision, Other, or Total: primary, secondary and special together, as the DfE counts", visibility = "public" }
schools_expected = { doc = "Open schools of the authority and phase", visibility = "public" }
schools_received = { doc = "Of these, schools of which a mark is held", visibility = "public" }
enrolments = { doc = "Enrolments of the cohort with a possible session", visibility = "area" }
possible = { doc = "Sessions possible: attended and absent", visibility = "area" }
attended = { doc = "Sessions present or at an approved educational activity", visibility = "area" }
absent = { doc = "Sessions authorised and unauthorised", visibility = "area" }
authorised = { doc = "Sessions of authorised absence", visibility = "area" }
unauthorised = { doc = "Sessions of unauthorised absence (G, N, O, U)", visibility = "area" }
late = { doc = "Sessions coded L or U", visibility = "area" }
absence_percent = { doc = "100 absent / possible; null where nothing was possible", visibility = "area" }
persistent = { doc = "Persistently absent enrolments", visibility = "area" }
persistent_percent = { doc = "100 persistent / enrolments", visibility = "area" }
severe = { doc = "Severely absent enrolments", visibility = "area" }
severe_percent = { doc = "100 severe / enrolments", visibility = "area" }
*/
WITH phased AS (
  SELECT s.urn, s.la_code, c.counted_as AS phase, s.open_date, s.close_date
  FROM reference.counted_phase c JOIN tables.expected_school s ON s.phase = c.phase
), sent AS (
  SELECT DISTINCT urn, academic_year FROM tables.sent_week
), expected AS (
  SELECT p.la_code, p.phase, CAST(y.academic_year AS VARCHAR) AS academic_year, count(*) AS schools_expected, count(s.urn) AS schools_received
  FROM phased p
  JOIN reference.academic_year y
    ON coalesce(p.open_date, y.first_day) <= least(y.last_day, $as_of) AND y.first_day <= coalesce(p.close_date, y.last_day)
  JOIN (SELECT DISTINCT academic_year FROM metrics.school_year) h ON h.academic_year = CAST(y.academic_year AS VARCHAR)
  LEFT JOIN sent s ON s.urn = p.urn AND s.academic_year = CAST(y.academic_year AS VARCHAR)
  GROUP BY p.la_code, p.phase, y.academic_year
), area AS (
  SELECT p.la_code, p.phase, y.academic_year, sum(y.enrolments) AS enrolments,
         sum(y.possible) AS possible, sum(y.attended) AS attended, sum(y.absent) AS absent, sum(y.authorised) AS authorised, sum(y.unauthorised) AS unauthorised, sum(y.late) AS late, sum(y.persistent) AS persistent, sum(y.severe) AS severe
  FROM metrics.school_year y JOIN phased p ON p.urn = y.urn
  GROUP BY p.la_code, p.phase, y.academic_year
)
SELECT coalesce(a.la_code, e.la_code) AS la_code, coalesce(a.academic_year, e.academic_year) AS academic_year, coalesce(a.phase, e.phase) AS phase,
       coalesce(e.schools_expected, 0) AS schools_expected, coalesce(e.schools_received, 0) AS schools_received, coalesce(a.enrolments, 0) AS enrolments,
       coalesce(a.possible, 0) AS possible, coalesce(a.attended, 0) AS attended, coalesce(a.absent, 0) AS absent, coalesce(a.authorised, 0) AS authorised, coalesce(a.unauthorised, 0) AS unauthorised, coalesce(a.late, 0) AS late,
       100.0 * a.absent / nullif(a.possible, 0) AS absence_percent,
       coalesce(a.persistent, 0) AS persistent, 100.0 * a.persistent / nullif(a.enrolments, 0) AS persistent_percent,
       coalesce(a.severe, 0) AS severe, 100.0 * a.severe / nullif(a.enrolments, 0) AS severe_percent
-- Where nobody is expected, a school that has closed may still send; a phase of which nobody has sent says so.
FROM area a FULL JOIN expected e ON e.la_code = a.la_code AND e.phase = a.phase AND e.academic_year = a.academic_year
