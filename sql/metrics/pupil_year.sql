/*
about = "Sessions of each enrolment of the cohort in a school year, up to the day asked for."
grain = ["pupil_key", "urn", "academic_year"]
source = "DfE pupil attendance methodology; domain.md 1.1, 2.1, 2.4"

[columns]
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
urn = { doc = "The school", visibility = "area" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
upn = { doc = "The newest UPN known", visibility = "pupil" }
phase = { doc = "Primary, Secondary, Special, Alternative provision or Other", visibility = "public" }
nc_year = { doc = "National curriculum year, as the school states it", visibility = "pupil" }
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
WITH counted AS (
  SELECT r.pupil_key, r.urn, r.academic_year, r.upn, coalesce(s.phase, 'Other') AS phase, r.nc_year,
         r.possible, r.attended, r.absent, r.authorised, r.unauthorised, r.late,
         CAST(missing(r.register, c.calendar, r.stints) AS BIGINT) AS missing_marks
  FROM tables.school s
  RIGHT JOIN (tables.school_calendar c RIGHT JOIN tables.register_year r ON c.urn = r.urn) ON s.urn = r.urn
  WHERE r.in_cohort AND r.stints IS NOT NULL
)
SELECT pupil_key, urn, academic_year, upn, phase, nc_year,
       possible, attended, absent, authorised, unauthorised, late, missing_marks,
       100.0 * absent / nullif(possible, 0) AS absence_percent,
       CASE WHEN 0 < possible THEN least(100 * absent / possible / $band_width * $band_width, $band_top) END AS absence_band,
       CASE WHEN 0 < possible THEN possible <= $persistent_one_in * absent END AS is_persistent,
       CASE WHEN 0 < possible THEN possible <= $severe_one_in * absent END AS is_severe
FROM counted
