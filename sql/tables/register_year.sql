/*
about = "A child's register at a school in a school year as one value: the marks within the enrolment, up to the day asked for, as known then. Every figure is read from it."
grain = ["urn", "pupil_key", "academic_year"]
holds_lines = true
source = "architecture.md 3; contract.md 4: Enrolment"

[columns]
urn = { doc = "The school", visibility = "area" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
upn = { doc = "The newest UPN known", visibility = "pupil" }
nc_year = { doc = "National curriculum year, as the school states it", visibility = "pupil" }
in_cohort = { doc = "Of the cohort", visibility = "pupil" }
sex = { doc = "Sex", visibility = "pupil" }
fsm = { doc = "Free school meals", visibility = "pupil" }
sen = { doc = "N, K or E", visibility = "pupil" }
looked_after = { doc = "Looked after", visibility = "pupil" }
child_in_need = { doc = "Child in need", visibility = "pupil" }
eal = { doc = "English as an additional language", visibility = "pupil" }
ethnicity = { doc = "Ethnicity code", visibility = "pupil" }
csa_from = { doc = "First day of compulsory school age", visibility = "pupil" }
csa_to = { doc = "Last day of compulsory school age", visibility = "pupil" }
stints = { doc = "The days that count, as one value; null: none yet", visibility = "pupil" }
register = { doc = "A line of fourteen boxes a week, Monday AM to Sunday PM, from the week of the first mark, for functions of registers to read; null: no mark is held", visibility = "pupil" }
possible = { doc = "Possible sessions", visibility = "pupil" }
attended = { doc = "Sessions attended", visibility = "pupil" }
absent = { doc = "Sessions missed", visibility = "pupil" }
authorised = { doc = "Sessions missed, authorised", visibility = "pupil" }
unauthorised = { doc = "Sessions missed, unauthorised", visibility = "pupil" }
late = { doc = "Sessions late: L and U", visibility = "pupil" }
*/
SELECT urn, pupil_key, academic_year, upn, in_cohort, nc_year, sex, fsm, sen, looked_after, child_in_need, eal, ethnicity, csa_from, csa_to,
       stints, within AS register,
       CAST(t['possible'] AS BIGINT) AS possible, CAST(t['attended'] AS BIGINT) AS attended, CAST(t['absent'] AS BIGINT) AS absent,
       CAST(t['authorised'] AS BIGINT) AS authorised, CAST(t['unauthorised'] AS BIGINT) AS unauthorised, CAST(t['late'] AS BIGINT) AS late
FROM (SELECT *, tally(within) AS t
      FROM (SELECT e.*, register_within(r.register, e.stints) AS within
            -- A hash join holds the side that stands first, on one core: registers are held already, and are three columns.
            FROM tables.register r
            RIGHT JOIN tables.enrolled e ON r.urn = e.urn AND r.pupil_key = e.pupil_key))
