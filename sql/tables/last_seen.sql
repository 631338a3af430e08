/*
about = "The last day on which each child was seen, at whatever school and whoever had it on roll: a child in class is found, whatever a roll says."
grain = ["pupil_key"]
source = "contract.md 4: last_seen_on; domain.md 1.2: Seen"

[columns]
pupil_key = { doc = "The child", visibility = "pupil" }
last_seen_on = { doc = "The last day with a mark that says the child was seen", visibility = "pupil" }
*/
SELECT pupil_key, max(last_day_with(register, 'seen')) AS last_seen_on FROM tables.register GROUP BY pupil_key
