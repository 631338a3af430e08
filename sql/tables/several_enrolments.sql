/*
about = "Children of the cohort with several enrolments in a school year: nearly every child has one, so these are few and looked up."
grain = ["pupil_key", "academic_year"]
source = "domain.md 2.1"

[columns]
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
*/
SELECT pupil_key, academic_year FROM tables.register_year
WHERE in_cohort AND stints IS NOT NULL
GROUP BY pupil_key, academic_year HAVING 1 < count(*)
