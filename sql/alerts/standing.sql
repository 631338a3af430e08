/*
about = "Every alert of the school year that the marks known still support, all rules together."
grain = ["alert_id"]
source = "contract.md 4"

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
*/
$every_alert
