/*
about = "A file with fewer than half the rows of the last one of the same school, kind and dates."
source = "contract.md 4"
outcome = "warn"
expected = "about as many rows as last time for the same dates"

[params]
shrunk_times = 2
*/
WITH last AS (
  -- A roll is of another day each time, and about as long on all of them.
  SELECT urn, kind, first_day, last_day, last_value(rows_kept ORDER BY received_at) AS rows
  FROM (SELECT urn, kind, rows_kept, received_at, CASE WHEN kind <> 'roll' THEN first_day END AS first_day,
               CASE WHEN kind <> 'roll' THEN last_day END AS last_day
        FROM tables.return_school)
  GROUP BY urn, kind, first_day, last_day
)
SELECT f.file_id, f.urn, f.rows, CAST(f.rows AS VARCHAR) || ' rows, ' || CAST(l.rows AS VARCHAR) || ' last time' AS found
FROM incoming.file f
JOIN last l ON l.urn = f.urn AND l.kind = f.kind
 AND (f.kind = 'roll' OR (l.first_day IS NOT DISTINCT FROM f.first_day) AND (l.last_day IS NOT DISTINCT FROM f.last_day))
WHERE $shrunk_times * f.rows < l.rows
