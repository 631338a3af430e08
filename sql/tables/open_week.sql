/*
about = "The weeks in which each school was open, its open sessions in them, and those it says itself."
grain = ["urn", "week_start"]
source = "contract.md 4: Open session"

[columns]
urn = { doc = "The school", visibility = "area" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
open = { doc = "The open sessions, as a mask", visibility = "public" }
told = { doc = "Those that the school's marks or its own calendar tell of, as a mask; the others are the authority's term dates", visibility = "public" }
*/
WITH own AS (
  SELECT urn, w['week_start'] AS week_start, w['boxes'] AS told
  FROM (SELECT urn, unnest(marked_weeks(calendar)) AS w FROM tables.own_calendar)
)
SELECT a.urn, a.w['week_start'] AS week_start, a.w['boxes'] AS open, coalesce(o.told, 0) AS told
FROM own o RIGHT JOIN (SELECT urn, unnest(marked_weeks(calendar)) AS w FROM tables.school_calendar) a
  ON o.urn = a.urn AND o.week_start = a.w['week_start']
