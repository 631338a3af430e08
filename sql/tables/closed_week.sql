/*
about = "The weeks in which each school was closed: its calendar says so of every session from Monday to Friday or, where that says nothing of the week, the authority's term dates do."
grain = ["urn", "week_start"]
source = "contract.md 4: is_settled; half terms differ from school to school"

[columns]
urn = { doc = "The school", visibility = "area" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
*/
WITH stated AS (
  SELECT urn, CAST(date_trunc('week', date) AS DATE) AS week_start,
         -- A session of which it says nothing, or nothing that can be read, may be open.
         NOT bool_or(coalesce(open, true)) AND count(DISTINCT 2 * date_part('doy', date) + CASE session WHEN 'AM' THEN 0 ELSE 1 END) = 2 * (1 + $last_weekday) AS is_closed
  FROM believed.calendar
  WHERE known_from <= $known_at AND (known_to IS NULL OR $known_at < known_to)
    AND date <= add_days(CAST(date_trunc('week', date) AS DATE), $last_weekday)
  GROUP BY 1, 2
)
SELECT urn, week_start FROM stated WHERE is_closed AND urn <> $la_code
UNION ALL
SELECT e.urn, a.week_start
FROM stated s RIGHT JOIN (tables.expected_school e CROSS JOIN stated a) ON s.urn = e.urn AND s.week_start = a.week_start
WHERE a.urn = $la_code AND a.is_closed AND s.urn IS NULL
