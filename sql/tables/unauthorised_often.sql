/*
about = "Children with as many sessions of absence without authority, at all their schools together, as a penalty notice is considered for: few of all, so they are looked up."
grain = ["pupil_key"]
source = "National framework for penalty notices, from 19 August 2024; domain.md 5"

[columns]
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
*/
SELECT pupil_key
FROM tables.register_year WHERE csa_from IS NOT NULL AND 0 < unauthorised
GROUP BY pupil_key
HAVING $penalty_sessions <= sum(unauthorised)
