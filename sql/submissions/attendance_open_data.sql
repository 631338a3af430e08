/*
about = "Counts of sessions of the cohort for the DfE's published year-to-date layout, by phase and register code."
grain = ["la_code", "academic_year", "phase", "code"]
source = "EES data file layout of Pupil attendance in schools; domain.md 1.1, 2.5"

[columns]
la_code = { doc = "Local authority", visibility = "public" }
academic_year = { doc = "School year", visibility = "public" }
phase = { doc = "Primary, Secondary or Special", visibility = "public" }
schools_received = { doc = "Schools of which a mark is held, no more than are open", visibility = "public" }
schools_open = { doc = "Schools open on the day", visibility = "public" }
enrolments = { doc = "Enrolments with a possible session", visibility = "area" }
on_roll = { doc = "Enrolments on the rolls held, of schools that have sent no marks too", visibility = "area" }
persistent = { doc = "Persistently absent", visibility = "area" }
code = { doc = "Register code; null: no mark of the phase is held", visibility = "public" }
sessions = { doc = "Sessions", visibility = "area" }
*/
WITH year AS (
  SELECT CAST(academic_year AS VARCHAR) AS academic_year, first_day FROM reference.academic_year WHERE first_day <= $as_of AND $as_of <= last_day
), school AS (
  SELECT e.urn, e.la_code, e.phase, s.urn IS NOT NULL AS in_figures,
         coalesce(e.open_date, $as_of) <= $as_of AND $as_of <= coalesce(e.close_date, $as_of) AS is_open,
         y.first_day <= coalesce(e.close_date, y.first_day) AS is_of_year
  FROM year y CROSS JOIN tables.expected_school e
  LEFT JOIN metrics.school_year s ON s.urn = e.urn AND s.academic_year = y.academic_year
), place AS (
  -- Schools that are open on the day, as the DfE counts them from GIAS.
  SELECT la_code, phase, count(*) FILTER (WHERE is_open) AS schools_open,
         count(*) FILTER (WHERE is_open AND in_figures) AS open_in_figures, count(*) FILTER (WHERE in_figures) AS in_figures
  FROM school WHERE phase IN (SELECT phase FROM reference.counted_phase WHERE counted_as = 'Total') GROUP BY la_code, phase
), roll AS (
  SELECT s.la_code, s.phase, count(*) AS on_roll
  FROM school s JOIN tables.enrolled e ON s.urn = e.urn
  -- Nobody may have said that the children of a school that closed before have left it.
  WHERE (s.is_of_year OR s.in_figures) AND e.in_cohort AND e.stints IS NOT NULL AND e.academic_year = (SELECT academic_year FROM year)
  GROUP BY s.la_code, s.phase
), code AS (
  SELECT s.la_code, s.phase, c.code, sum(c.sessions) AS sessions
  FROM tables.expected_school s JOIN metrics.school_code_year c ON c.urn = s.urn
  WHERE c.academic_year = (SELECT academic_year FROM year)
  GROUP BY s.la_code, s.phase, c.code
)
SELECT p.la_code, y.academic_year, p.phase, CASE WHEN 0 < p.open_in_figures THEN p.open_in_figures WHEN 0 < p.schools_open THEN least(p.in_figures, p.schools_open) ELSE p.in_figures END AS schools_received, p.schools_open,
       coalesce(a.enrolments, 0) AS enrolments, coalesce(r.on_roll, 0) AS on_roll, coalesce(a.persistent, 0) AS persistent, c.code, c.sessions
FROM year y CROSS JOIN place p
LEFT JOIN metrics.area_year a ON a.la_code = p.la_code AND a.phase = p.phase AND a.academic_year = y.academic_year
LEFT JOIN roll r ON r.la_code = p.la_code AND r.phase = p.phase
LEFT JOIN code c ON c.la_code = p.la_code AND c.phase = p.phase
WHERE p.la_code = $la_code AND (0 < p.schools_open OR 0 < p.in_figures)
