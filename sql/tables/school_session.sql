/*
about = "The marks of each session of each school by measure, of pupils of the cohort and of the others."
grain = ["urn", "academic_year", "in_cohort", "date", "session"]
streams = true
source = "DfE pupil attendance methodology; domain.md 1.1, 1.3"

[columns]
urn = { doc = "The school", visibility = "area" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
in_cohort = { doc = "Pupils of the cohort, others, or (null) of unknown age", visibility = "public" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
date = { doc = "The day", visibility = "public" }
session = { doc = "AM or PM", visibility = "public" }
box = { doc = "The session as a mask of the week's fourteen boxes", visibility = "public" }
possible = { doc = "Possible sessions", visibility = "area" }
attended = { doc = "Sessions attended", visibility = "area" }
absent = { doc = "Sessions missed", visibility = "area" }
authorised = { doc = "Sessions missed, authorised", visibility = "area" }
unauthorised = { doc = "Sessions missed, unauthorised", visibility = "area" }
late = { doc = "Sessions late: L and U", visibility = "area" }
recorded = { doc = "Sessions with any mark", visibility = "area" }
n = { doc = "Sessions with N: no reason given yet", visibility = "area" }
*/
SELECT urn, academic_year, in_cohort, s['week_start'] AS week_start, s['date'] AS date, s['session'] AS session, s['box'] AS box,
       s['possible'] AS possible, s['attended'] AS attended, s['absent'] AS absent, s['authorised'] AS authorised,
       s['unauthorised'] AS unauthorised, s['late'] AS late, s['recorded'] AS recorded, s['n'] AS n
FROM (SELECT urn, academic_year, in_cohort, unnest(counts_by_session(counts)) AS s FROM tables.session_count)
