/*
about = "Every change of every alert: raised, ended, opened again, retracted when the marks it rested on were corrected."
grain = ["alert_id", "changed_at"]
source = "contract.md 4"

[columns]
alert_id = { doc = "The alert", visibility = "area" }
changed_at = { doc = "When the return that changed it was received", visibility = "area" }
from_status = { doc = "Status before; null: it is new", visibility = "area" }
to_status = { doc = "open, ended or retracted", visibility = "area" }
by = { doc = "Who or what changed it", visibility = "area" }
reason = { doc = "Why", visibility = "area" }
rule = { doc = "The rule", visibility = "area" }
pupil_key = { doc = "The child", visibility = "pupil" }
urn = { doc = "The school", visibility = "area" }
event_from = { doc = "First day", visibility = "pupil" }
event_to = { doc = "Last day", visibility = "pupil" }
sessions = { doc = "Sessions", visibility = "pupil" }
*/
SELECT alert_id, changed_at, from_status, to_status, "by", reason, rule, pupil_key, urn, event_from, event_to, sessions
FROM believed.alert_event WHERE known_from <= $known_at
