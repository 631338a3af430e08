/*
about = "How many school days of the authority have passed since each school's last mark."
grain = ["urn"]
source = "SI 2024/208 regulation 10: N of a school that has closed or fallen silent grows old too"

[columns]
urn = { doc = "The school", visibility = "area" }
days = { doc = "Days on which any school was open since, up to the day asked for", visibility = "public" }
*/
WITH area AS (
  SELECT s.la_code, register_union(k.calendar) AS calendar
  FROM tables.school s JOIN tables.own_calendar k ON k.urn = s.urn
  GROUP BY s.la_code
)
SELECT k.urn, days_with(a.calendar, 'recorded', add_days(last_day_with(k.calendar, 'recorded'), 1), $as_of) AS days
FROM area a JOIN tables.school s ON s.la_code = a.la_code JOIN tables.own_calendar k ON k.urn = s.urn
