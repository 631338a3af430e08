/*
about = "A child's whole register at a school as one value, as known then and up to the day asked for, whoever was on roll."
grain = ["urn", "pupil_key"]
holds_lines = true
source = "architecture.md 3"

[columns]
urn = { doc = "The school", visibility = "area" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
register = { doc = "A line of fourteen boxes a week, Monday AM to Sunday PM, from the week of the first mark, for functions of registers to read", visibility = "pupil" }
*/
SELECT urn, pupil_key, register FROM believed.register
