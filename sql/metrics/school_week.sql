/*
about = "Sessions of the cohort at each school in a week."
grain = ["urn", "week_start", "academic_year"]
source = "domain.md 1.1, 2.2"

[columns]
urn = { doc = "The school", visibility = "area" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision or Other", visibility = "public" }
possible = { doc = "Sessions possible: attended and absent", visibility = "area" }
attended = { doc = "Sessions present or at an approved educational activity", visibility = "area" }
absent = { doc = "Sessions authorised and unauthorised", visibility = "area" }
authorised = { doc = "Sessions of authorised absence", visibility = "area" }
unauthorised = { doc = "Sessions of unauthorised absence (G, N, O, U)", visibility = "area" }
late = { doc = "Sessions coded L or U", visibility = "area" }
absence_percent = { doc = "100 absent / possible; null where nothing was possible", visibility = "area" }
is_settled = { doc = "Every expected school has sent the week and no N is within the days allowed", visibility = "public" }
*/
WITH week AS (
  -- Sent of anybody, in the cohort or not, and in both years of a week that two share.
  SELECT urn, week_start, bit_or(sent) AS sent FROM tables.school_week_count GROUP BY urn, week_start
)
SELECT c.urn, c.week_start, c.academic_year, coalesce(s.phase, 'Other') AS phase, c.possible, c.attended, c.absent, c.authorised, c.unauthorised, c.late,
       100.0 * c.absent / nullif(c.possible, 0) AS absence_percent,
       add_days(c.week_start, $last_weekday) <= $as_of AND (c.last_n IS NULL
         OR $n_days_allowed < days_with(k.calendar, 'recorded', add_days(c.last_n, 1), $as_of) OR $n_days_silent < l.days)
       -- Every session that the school says it was open has come. Term dates do not know its INSET days.
       AND coalesce(o.told & w.sent = o.told, true) AS is_settled
FROM reference.academic_year y
JOIN tables.school_week_count c ON CAST(y.academic_year AS VARCHAR) = c.academic_year
JOIN week w ON w.urn = c.urn AND w.week_start = c.week_start
LEFT JOIN tables.school s ON s.urn = c.urn
LEFT JOIN tables.own_calendar k ON k.urn = c.urn
LEFT JOIN tables.silence l ON l.urn = c.urn
LEFT JOIN tables.open_week o ON o.urn = c.urn AND o.week_start = c.week_start
WHERE c.in_cohort
  -- A week that two school years share is one of each in which anything was possible: the bank holiday before term is none.
  AND (0 < c.possible OR (y.first_day <= c.week_start AND add_days(c.week_start, $last_weekday) <= y.last_day))
