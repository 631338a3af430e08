/*
about = "The marks of each session of each school by measure as one value, of pupils of the cohort and of the others."
grain = ["urn", "academic_year", "in_cohort"]
source = "DfE pupil attendance methodology; domain.md 1.1, 1.3"

[columns]
urn = { doc = "The school", visibility = "area" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
in_cohort = { doc = "Pupils of the cohort, others, or (null) of unknown age", visibility = "public" }
counts = { doc = "Each session's marks by measure, as one value", visibility = "area" }
*/
SELECT urn, academic_year, in_cohort, session_counts(register) AS counts
FROM tables.register_year GROUP BY urn, academic_year, in_cohort
