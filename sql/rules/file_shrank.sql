/*
about = "A file with fewer than half the rows of the last one of the same school, kind and dates."
source = "contract.md 4"
outcome = "warn"
expected = "about as many rows as last time for the same dates"
*/
SELECT f.file_id, f.urn, f.rows, CAST(f.rows AS VARCHAR) || ' rows, ' || CAST(last_value(l.rows_kept ORDER BY l.received_at) AS VARCHAR) || ' last time' AS found
FROM incoming.file f
-- A roll is of another day each time, and about as long on all of them.
JOIN tables.return_school l ON l.urn = f.urn AND l.kind = f.kind
 AND (f.kind = 'roll' OR (l.first_day IS NOT DISTINCT FROM f.first_day) AND (l.last_day IS NOT DISTINCT FROM f.last_day))
GROUP BY f.file_id, f.urn, f.rows
HAVING $shrunk_times * f.rows < last_value(l.rows_kept ORDER BY l.received_at)
