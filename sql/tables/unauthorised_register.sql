/*
about = "The whole register at a school of each child with enough unauthorised sessions there for the shortest run of days that a rule looks for, cut to compulsory school age. A run may cross the turn of the year. School days on which the child was not on the roll are marked present: they end a run."
grain = ["urn", "pupil_key"]
holds_lines = true
source = "SI 2024/208 regulations 9(1)(i), 13; domain.md 3"

[columns]
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
urn = { doc = "The school", visibility = "area" }
upn = { doc = "The newest UPN known", visibility = "pupil" }
register = { doc = "A line of fourteen boxes a week, Monday AM to Sunday PM, from the week of the first mark, for functions of registers to read", visibility = "pupil" }
*/
WITH long AS (
  SELECT pupil_key, urn
  FROM tables.register_year WHERE csa_from IS NOT NULL AND 0 < unauthorised
  GROUP BY pupil_key, urn
  HAVING $unauthorised_days <= sum(unauthorised)
), stint AS (
  SELECT e.pupil_key, e.urn, stints(e.first_day, e.last_day) AS stints
  FROM long l JOIN tables.enrolment_year e ON l.pupil_key = e.pupil_key AND l.urn = e.urn
  GROUP BY e.pupil_key, e.urn
), marked AS (
  SELECT r.pupil_key, r.urn, max(r.upn) AS upn, register_union(register_between(r.register, r.csa_from, r.csa_to)) AS register
  FROM long l JOIN tables.register_year r ON l.pupil_key = r.pupil_key AND l.urn = r.urn
  WHERE r.csa_from IS NOT NULL
  GROUP BY r.pupil_key, r.urn
)
SELECT m.pupil_key, m.urn, m.upn, register_with(m.register, register_outside(k.calendar, s.stints)) AS register
-- The smaller side stands first: it is the one a join holds.
FROM tables.own_calendar k
RIGHT JOIN (stint s JOIN marked m ON s.pupil_key = m.pupil_key AND s.urn = m.urn) ON k.urn = m.urn
