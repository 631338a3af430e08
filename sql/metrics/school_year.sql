/*
about = "Sessions and enrolments of the cohort at each school in a school year."
grain = ["urn", "academic_year"]
source = "DfE pupil attendance methodology; domain.md 2.1"

[columns]
urn = { doc = "The school", visibility = "area" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision or Other", visibility = "public" }
trust_id = { doc = "Multi-academy trust, as known then", visibility = "public" }
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
WITH school AS (
  SELECT urn, academic_year, count(*) AS enrolments, sum(possible) AS possible, sum(attended) AS attended, sum(absent) AS absent, sum(authorised) AS authorised, sum(unauthorised) AS unauthorised, sum(late) AS late, count(*) FILTER (WHERE is_persistent) AS persistent, count(*) FILTER (WHERE is_severe) AS severe
  FROM metrics.pupil_year WHERE 0 < possible GROUP BY urn, academic_year
), told AS (
  -- The trust that was told last by the end of a school year that is over; where none was, the first after it.
  SELECT y.urn, y.academic_year,
         first_value(nullif(h.trust_id, '') ORDER BY CASE WHEN CAST(h.known_from AS DATE) <= a.last_day THEN h.known_from END DESC NULLS LAST, h.known_from) AS trust_id
  FROM reference.academic_year a
  JOIN school y ON CAST(a.academic_year AS VARCHAR) = y.academic_year AND a.last_day < CAST($known_at AS DATE)
  JOIN history.school h ON h.urn = y.urn AND h.known_from <= $known_at
  GROUP BY y.urn, y.academic_year
)
SELECT y.urn, y.academic_year, coalesce(s.phase, 'Other') AS phase, CASE WHEN t.urn IS NULL THEN s.trust_id ELSE t.trust_id END AS trust_id, y.enrolments, y.possible, y.attended, y.absent, y.authorised, y.unauthorised, y.late,
       100.0 * y.absent / nullif(y.possible, 0) AS absence_percent,
       y.persistent, 100.0 * y.persistent / nullif(y.enrolments, 0) AS persistent_percent,
       y.severe, 100.0 * y.severe / nullif(y.enrolments, 0) AS severe_percent
FROM school y LEFT JOIN tables.school s ON s.urn = y.urn LEFT JOIN told t ON t.urn = y.urn AND t.academic_year = y.academic_year
