/*
about = "How often each register code was used at each school for the cohort in a school year."
grain = ["urn", "academic_year", "code"]
source = "domain.md 1.1; 2.6"

[columns]
urn = { doc = "The school", visibility = "area" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
code = { doc = "Register code", visibility = "public" }
sessions = { doc = "Sessions with this code", visibility = "area" }
percent_of_possible = { doc = "100 sessions / possible", visibility = "area" }
*/
WITH counted AS (
  SELECT urn, academic_year, code_counts(register) AS counts
  FROM tables.register_year WHERE in_cohort GROUP BY urn, academic_year
), used AS (
  SELECT l.urn, l.academic_year, c.code, c.class, count_of(l.counts, c.letter) AS sessions
  FROM counted l CROSS JOIN reference.attendance_code c
), possible AS (
  SELECT urn, academic_year, sum(sessions) AS possible
  FROM used WHERE class IN ('present', 'educational', 'authorised', 'unauthorised') GROUP BY urn, academic_year
)
SELECT u.urn, u.academic_year, u.code, u.sessions, 100.0 * u.sessions / nullif(p.possible, 0) AS percent_of_possible
FROM used u LEFT JOIN possible p ON p.urn = u.urn AND p.academic_year = u.academic_year
WHERE 0 < u.sessions
