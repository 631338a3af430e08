/*
about = "The marks of each week of each school by measure, of pupils of the cohort and of the others."
grain = ["urn", "academic_year", "in_cohort", "week_start"]
source = "DfE pupil attendance methodology; domain.md 1.1, 1.3"

[columns]
urn = { doc = "The school", visibility = "area" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
in_cohort = { doc = "Pupils of the cohort, others, or (null) of unknown age", visibility = "public" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
sent = { doc = "The sessions with any mark, as a mask of the week's fourteen boxes", visibility = "area" }
possible = { doc = "Possible sessions", visibility = "area" }
attended = { doc = "Sessions attended", visibility = "area" }
absent = { doc = "Sessions missed", visibility = "area" }
authorised = { doc = "Sessions missed, authorised", visibility = "area" }
unauthorised = { doc = "Sessions missed, unauthorised", visibility = "area" }
late = { doc = "Sessions late: L and U", visibility = "area" }
last_n = { doc = "Last day with N: no reason given yet", visibility = "area" }
*/
SELECT urn, academic_year, in_cohort, w['week_start'] AS week_start, w['sent'] AS sent,
       w['possible'] AS possible, w['attended'] AS attended, w['absent'] AS absent, w['authorised'] AS authorised,
       w['unauthorised'] AS unauthorised, w['late'] AS late, w['last_n'] AS last_n
FROM (SELECT urn, academic_year, in_cohort, unnest(counts_by_week(counts)) AS w FROM tables.session_count)
