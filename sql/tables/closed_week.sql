/*
about = "The weeks in which each school was closed: its calendar, or where that says nothing the authority's term dates, say so of every session from Monday to Friday."
grain = ["urn", "week_start"]
source = "contract.md 4: is_settled; half terms differ from school to school"

[columns]
urn = { doc = "The school", visibility = "area" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
*/
WITH stated AS (
  SELECT urn, date, session, open FROM believed.calendar
  WHERE urn <> $la_code
  UNION ALL
  SELECT urn, date, session, open FROM tables.term_session
)
SELECT urn, CAST(date_trunc('week', date) AS DATE) AS week_start
FROM stated
WHERE date <= add_days(CAST(date_trunc('week', date) AS DATE), $last_weekday)
GROUP BY 1, 2
-- A session of which nothing is said, or nothing that can be read, may be open.
HAVING NOT bool_or(coalesce(open, true)) AND count(DISTINCT 2 * date_part('doy', date) + CASE session WHEN 'AM' THEN 0 ELSE 1 END) = 2 * (1 + $last_weekday)
