/*
about = "Which sessions each school says it was open: any pupil there has a mark other than # and Z, or its calendar says so."
grain = ["urn"]
source = "contract.md 4: Open session"

[columns]
urn = { doc = "The school", visibility = "area" }
calendar = { doc = "The open sessions as one register, a / for each", visibility = "public" }
*/
WITH stated AS (
  SELECT urn, CAST(date_trunc('week', date) AS DATE) AS week_start,
         bit_or(session_box(date, session)) AS mask
  FROM believed.calendar
  -- The authority's own code holds its term dates.
  WHERE urn <> $la_code AND open AND date <= $as_of
  GROUP BY 1, 2
)
SELECT urn, register_union(calendar) AS calendar
FROM (
  SELECT urn, calendar FROM tables.opened
  UNION ALL
  SELECT urn, register(line_of(mask, '/'), week_start) AS calendar FROM stated GROUP BY urn
)
WHERE calendar IS NOT NULL
GROUP BY urn
