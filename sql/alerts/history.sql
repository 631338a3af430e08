/*
about = "Every change of every alert: raised, ended, opened again, retracted when the marks it rested on were corrected."
grain = ["alert_id", "changed_at"]
source = "contract.md 4"

[columns]
alert_id = { doc = "The alert", visibility = "area" }
changed_at = { doc = "When the return that changed it was received", visibility = "area" }
from_status = { doc = "Status before; null: it is new", visibility = "area" }
to_status = { doc = "open, ended, retracted, or replaced: told otherwise, it goes on as another", visibility = "area" }
by = { doc = "Who or what changed it", visibility = "area" }
reason = { doc = "Why", visibility = "area" }
rule = { doc = "The rule", visibility = "area" }
pupil_key = { doc = "The child", visibility = "pupil" }
urn = { doc = "The school", visibility = "area" }
event_from = { doc = "First day", visibility = "pupil" }
event_to = { doc = "Last day", visibility = "pupil" }
sessions = { doc = "Sessions", visibility = "pupil" }
*/
-- Two arrivals of one instant are one change: from what stood before both to what stood after.
SELECT alert_id, changed_at, first_value(from_status ORDER BY return_id) AS from_status, last_value(to_status ORDER BY return_id) AS to_status,
       last_value("by" ORDER BY return_id) AS "by", last_value(reason ORDER BY return_id) AS reason, last_value(rule ORDER BY return_id) AS rule,
       last_value(pupil_key ORDER BY return_id) AS pupil_key, last_value(urn ORDER BY return_id) AS urn,
       last_value(event_from ORDER BY return_id) AS event_from, last_value(event_to ORDER BY return_id) AS event_to,
       last_value(sessions ORDER BY return_id) AS sessions
FROM believed.alert_event
GROUP BY alert_id, changed_at
HAVING first_value(from_status ORDER BY return_id) IS DISTINCT FROM last_value(to_status ORDER BY return_id)
