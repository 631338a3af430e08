/*
about = "Sessions of each child of the cohort in a school year, all its schools together."
grain = ["pupil_key", "academic_year"]
source = "contract.md 4; users.md B7"

[columns]
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
upn = { doc = "The newest UPN known", visibility = "pupil" }
schools = { doc = "Schools the child is counted at", visibility = "area" }
possible = { doc = "Sessions possible: attended and absent", visibility = "area" }
attended = { doc = "Sessions present or at an approved educational activity", visibility = "area" }
absent = { doc = "Sessions authorised and unauthorised", visibility = "area" }
authorised = { doc = "Sessions of authorised absence", visibility = "area" }
unauthorised = { doc = "Sessions of unauthorised absence (G, N, O, U)", visibility = "area" }
late = { doc = "Sessions coded L or U", visibility = "area" }
missing_marks = { doc = "Open sessions within the enrolment for which no mark is held", visibility = "area" }
absence_percent = { doc = "100 absent / possible; null where nothing was possible", visibility = "area" }
absence_band = { doc = "Lower bound of the 5-point absence band: 0, 5, … 45, 50", visibility = "area" }
is_persistent = { doc = "One possible session in ten or more missed; null where nothing was possible", visibility = "area" }
is_severe = { doc = "One possible session in two or more missed; null where nothing was possible", visibility = "area" }
*/
WITH child AS (
  -- Nearly every child has one enrolment in a year: the few others alone are added up.
  SELECT y.pupil_key, y.academic_year, y.upn, CASE WHEN 0 < y.possible THEN 1 ELSE 0 END AS schools, y.possible, y.attended, y.absent, y.authorised, y.unauthorised, y.late, y.missing_marks
  FROM tables.several_enrolments s RIGHT ANTI JOIN metrics.pupil_year y ON s.pupil_key = y.pupil_key AND s.academic_year = y.academic_year
  UNION ALL
  SELECT y.pupil_key, y.academic_year, max(y.upn) AS upn, count(*) FILTER (WHERE 0 < y.possible) AS schools,
         sum(y.possible) AS possible, sum(y.attended) AS attended, sum(y.absent) AS absent, sum(y.authorised) AS authorised, sum(y.unauthorised) AS unauthorised, sum(y.late) AS late, sum(y.missing_marks) AS missing_marks
  FROM tables.several_enrolments s JOIN metrics.pupil_year y ON s.pupil_key = y.pupil_key AND s.academic_year = y.academic_year
  GROUP BY y.pupil_key, y.academic_year
)
SELECT pupil_key, academic_year, upn, schools, possible, attended, absent, authorised, unauthorised, late, missing_marks,
       100.0 * absent / nullif(possible, 0) AS absence_percent,
       CASE WHEN 0 < possible THEN least(100 * absent / possible / $band_width * $band_width, $band_top) END AS absence_band,
       CASE WHEN 0 < possible THEN possible <= $persistent_one_in * absent END AS is_persistent,
       CASE WHEN 0 < possible THEN possible <= $severe_one_in * absent END AS is_severe
FROM child
