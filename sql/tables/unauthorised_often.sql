/*
about = "Children with enough sessions of absence without authority, at all their schools together, for any rule that looks for them: few of all, so they are looked up."
grain = ["pupil_key"]
source = "SI 2024/208 regulation 13; National framework for penalty notices; domain.md 3, 5"

[columns]
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
sessions = { doc = "Sessions of unauthorised absence, of children whose age is known", visibility = "pupil" }
*/
SELECT pupil_key, sum(unauthorised) AS sessions
FROM tables.register_year WHERE csa_from IS NOT NULL AND 0 < unauthorised
GROUP BY pupil_key
HAVING least($unauthorised_days, $penalty_sessions) <= sum(unauthorised)
