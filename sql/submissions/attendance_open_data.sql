/*
about = "Counts of sessions of the cohort for the DfE's published year-to-date layout, by phase and register code."
grain = ["la_code", "academic_year", "phase", "code"]
source = "EES data file layout of Pupil attendance in schools; domain.md 1.1, 2.5"

[columns]
la_code = { doc = "Local authority", visibility = "public" }
academic_year = { doc = "School year", visibility = "public" }
phase = { doc = "Primary, Secondary or Special", visibility = "public" }
schools_received = { doc = "Schools of which a mark is held", visibility = "public" }
schools_expected = { doc = "Open schools", visibility = "public" }
enrolments = { doc = "Enrolments", visibility = "area" }
persistent = { doc = "Persistently absent", visibility = "area" }
code = { doc = "Register code", visibility = "public" }
sessions = { doc = "Sessions", visibility = "area" }
*/
SELECT a.la_code, a.academic_year, a.phase, a.schools_received, a.schools_expected, a.enrolments, a.persistent, c.code, sum(c.sessions) AS sessions
FROM metrics.area_year a
JOIN tables.expected_school e ON e.la_code = a.la_code AND e.phase = a.phase
JOIN metrics.school_code_year c ON c.urn = e.urn AND c.academic_year = a.academic_year
WHERE a.la_code = $la_code AND a.phase IN ('Primary', 'Secondary', 'Special') AND a.academic_year = (SELECT CAST(academic_year AS VARCHAR) FROM reference.academic_year WHERE first_day <= $as_of AND $as_of <= last_day)
GROUP BY a.la_code, a.academic_year, a.phase, a.schools_received, a.schools_expected, a.enrolments, a.persistent, c.code
