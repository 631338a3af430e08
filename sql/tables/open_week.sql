/*
about = "The weeks in which each school was open, and its open sessions in them."
grain = ["urn", "week_start"]
source = "contract.md 4: Open session"

[columns]
urn = { doc = "The school", visibility = "area" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
open = { doc = "The open sessions, as a mask", visibility = "public" }
*/
SELECT urn, w['week_start'] AS week_start, w['boxes'] AS open
FROM (SELECT urn, unnest(marked_weeks(calendar)) AS w FROM tables.school_calendar)
