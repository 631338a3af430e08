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
  SELECT urn, academic_year, code_counts(register) AS counts, sum(possible) AS possible
  FROM tables.register_year WHERE in_cohort GROUP BY urn, academic_year
)
SELECT l.urn, l.academic_year, c.code, l.used['sessions'] AS sessions, 100.0 * l.used['sessions'] / nullif(l.possible, 0) AS percent_of_possible
FROM reference.attendance_code c
JOIN (SELECT urn, academic_year, possible, unnest(counts) AS used FROM counted) l ON c.letter = l.used['letter']
