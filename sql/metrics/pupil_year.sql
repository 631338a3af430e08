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
  SELECT pupil_key, urn, academic_year, sum(t['possible']) AS possible, sum(t['attended']) AS attended, sum(t['absent']) AS absent, sum(t['authorised']) AS authorised, sum(t['unauthorised']) AS unauthorised, sum(t['late']) AS late, sum(held) AS held
  FROM (SELECT r.pupil_key, r.urn, r.academic_year, tally(r.marks, r.within) AS t,
               box_count(boxes(r.marks, 'recorded') & r.within & o.open) AS held
        -- The smaller side stands first: it is the one a hash join holds.
        FROM tables.open_week o
        RIGHT JOIN tables.register_line r ON o.urn = r.urn AND o.week_start = r.week_start
        WHERE r.in_cohort)
  GROUP BY pupil_key, urn, academic_year
), enrolled AS (
  SELECT e.pupil_key, e.urn, e.academic_year, max(e.upn) AS upn,
         last_value(e.nc_year ORDER BY e.entry_date) AS nc_year,
         sum(coalesce(sessions_with(c.calendar, 'recorded', e.first_day, e.last_day), 0)) AS open
  FROM tables.enrolment_year e
  LEFT JOIN tables.school_calendar c ON c.urn = e.urn
  WHERE e.in_cohort AND e.first_day <= e.last_day
  GROUP BY e.pupil_key, e.urn, e.academic_year
)
SELECT e.pupil_key, e.urn, e.academic_year, e.upn, coalesce(s.phase, 'Other') AS phase, e.nc_year,
       coalesce(c.possible, 0) AS possible, coalesce(c.attended, 0) AS attended, coalesce(c.absent, 0) AS absent, coalesce(c.authorised, 0) AS authorised, coalesce(c.unauthorised, 0) AS unauthorised, coalesce(c.late, 0) AS late,
       e.open - coalesce(c.held, 0) AS missing_marks,
       100.0 * c.absent / nullif(c.possible, 0) AS absence_percent,
       CASE WHEN 0 < c.possible
            THEN least(100 * c.absent / c.possible / $band_width * $band_width, $band_top) END AS absence_band,
       CASE WHEN 0 < c.possible THEN c.possible <= $persistent_one_in * c.absent END AS is_persistent,
       CASE WHEN 0 < c.possible THEN c.possible <= $severe_one_in * c.absent END AS is_severe
FROM enrolled e
LEFT JOIN counted c ON c.pupil_key = e.pupil_key AND c.urn = e.urn AND c.academic_year = e.academic_year
LEFT JOIN tables.school s ON s.urn = e.urn
