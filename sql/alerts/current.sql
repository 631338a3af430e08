/*
about = "Every alert of the school year that the marks known still support, with the last day on which the child was seen."
grain = ["alert_id"]
source = "contract.md 4; domain.md 1.2: Seen"

[columns]
alert_id = { doc = "The alert: the same whenever it is derived", visibility = "area" }
rule = { doc = "The rule", visibility = "area" }
upn = { doc = "The newest UPN known", visibility = "pupil" }
pupil_key = { doc = "The child", visibility = "pupil" }
urn = { doc = "The school; null where the rule spans schools", visibility = "area" }
raised_on = { doc = "The school day on which the rule was met", visibility = "pupil" }
event_from = { doc = "First day", visibility = "pupil" }
event_to = { doc = "Last day so far", visibility = "pupil" }
sessions = { doc = "Sessions that count", visibility = "pupil" }
status = { doc = "open, or ended: the child has been marked otherwise since", visibility = "area" }
last_seen_on = { doc = "Last day with a mark that says the child was seen, at any school", visibility = "pupil" }
due_on = { doc = "When the authority must have acted; null: the rule sets no day", visibility = "area" }
evidence = { doc = "What the alert rests on, in words", visibility = "pupil" }
*/
SELECT a.alert_id, a.rule, a.upn, a.pupil_key, a.urn, a.raised_on, a.event_from, a.event_to, a.sessions,
       s.last_seen_on, a.status, CAST(NULL AS DATE) AS due_on,
       coalesce(CAST(a.sessions AS VARCHAR) || ' sessions, ', '') || CAST(a.event_from AS VARCHAR) || ' to ' || CAST(a.event_to AS VARCHAR) AS evidence
FROM alerts.standing a LEFT JOIN tables.last_seen s ON s.pupil_key = a.pupil_key
