/*
about = "Sessions of each enrolment of the cohort in a week."
grain = ["pupil_key", "urn", "week_start", "academic_year"]
streams = true
source = "domain.md 1.1"

[columns]
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
urn = { doc = "The school", visibility = "area" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
possible = { doc = "Sessions possible: attended and absent", visibility = "area" }
attended = { doc = "Sessions present or at an approved educational activity", visibility = "area" }
absent = { doc = "Sessions authorised and unauthorised", visibility = "area" }
authorised = { doc = "Sessions of authorised absence", visibility = "area" }
unauthorised = { doc = "Sessions of unauthorised absence (G, N, O, U)", visibility = "area" }
late = { doc = "Sessions coded L or U", visibility = "area" }
*/
SELECT pupil_key, urn, w['week_start'] AS week_start, p.academic_year,
       CAST(w['possible'] AS BIGINT) AS possible, CAST(w['attended'] AS BIGINT) AS attended, CAST(w['absent'] AS BIGINT) AS absent,
       CAST(w['authorised'] AS BIGINT) AS authorised, CAST(w['unauthorised'] AS BIGINT) AS unauthorised, CAST(w['late'] AS BIGINT) AS late
FROM reference.academic_year y
JOIN (SELECT pupil_key, urn, academic_year, unnest(weekly(register)) AS w FROM tables.register_year WHERE in_cohort) p ON CAST(y.academic_year AS VARCHAR) = p.academic_year
-- A week that two school years share is one of each in which anything was possible: the bank holiday before term is none.
WHERE 0 < w['possible'] OR (y.first_day <= w['week_start'] AND add_days(w['week_start'], $last_weekday) <= y.last_day)
