/*
about = "Which sessions each school is taken to have been open, as it says itself or, where it says nothing, as the authority's term dates have it, which yield to a # of any pupil. For marks that are missing and for school weeks alone: term dates know no INSET day and no other half term, and all else goes by what schools say."
grain = ["urn"]
source = "contract.md 2: Calendar; contract.md 4: Open session"

[columns]
urn = { doc = "The school", visibility = "area" }
calendar = { doc = "The open sessions as one register, a / for each", visibility = "public" }
*/
WITH week AS (
  SELECT urn, CAST(date_trunc('week', date) AS DATE) AS week_start, bit_or(session_box(date, session)) AS mask
  FROM tables.term_session WHERE open AND date <= $as_of
  GROUP BY 1, 2
), closed AS (
  SELECT urn, w['week_start'] AS week_start, w['boxes'] AS mask
  FROM (SELECT r.urn, unnest(marked_weeks(register_union(only(r.register, 'codes:#')))) AS w
        FROM (SELECT DISTINCT urn FROM week) w JOIN tables.register r ON w.urn = r.urn GROUP BY r.urn)
), inferred AS (
  SELECT w.urn, register(line_of(w.mask - (w.mask & coalesce(c.mask, 0)), '/'), w.week_start) AS calendar
  FROM closed c RIGHT JOIN week w ON c.urn = w.urn AND c.week_start = w.week_start
  GROUP BY w.urn
)
SELECT coalesce(o.urn, i.urn) AS urn, register_with(o.calendar, i.calendar) AS calendar
FROM inferred i FULL JOIN tables.own_calendar o ON o.urn = i.urn
