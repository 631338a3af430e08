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
-- A child with one stint under one key has one line a week; only the few others are summed.
SELECT pupil_key, urn, week_start, academic_year, CAST(t['possible'] AS BIGINT) AS possible, CAST(t['attended'] AS BIGINT) AS attended, CAST(t['absent'] AS BIGINT) AS absent, CAST(t['authorised'] AS BIGINT) AS authorised, CAST(t['unauthorised'] AS BIGINT) AS unauthorised, CAST(t['late'] AS BIGINT) AS late
FROM (SELECT pupil_key, urn, week_start, academic_year, tally(marks, within) AS t FROM tables.register_line WHERE in_cohort AND alone)
WHERE 0 < t['recorded']
UNION ALL
SELECT pupil_key, urn, week_start, academic_year, sum(t['possible']) AS possible, sum(t['attended']) AS attended, sum(t['absent']) AS absent, sum(t['authorised']) AS authorised, sum(t['unauthorised']) AS unauthorised, sum(t['late']) AS late
FROM (SELECT pupil_key, urn, week_start, academic_year, tally(marks, within) AS t FROM tables.register_line WHERE in_cohort AND NOT alone)
GROUP BY pupil_key, urn, week_start, academic_year
HAVING 0 < sum(t['recorded'])
