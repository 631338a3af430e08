/*
about = "Rows of a school that GIAS does not know. Not asked before GIAS has been loaded."
source = "contract.md 4"
outcome = "refuse_row"
expected = "the URN of a school in GIAS; load the newest edubasealldata if the school is new: what it sent is taken then"
*/
SELECT f.file_id, f.urn, f.rows, CAST(f.urn AS VARCHAR) AS found
FROM incoming.file f
LEFT JOIN tables.school s ON s.urn = f.urn
WHERE f.urn IS NOT NULL AND f.kind IN ('marks', 'roll', 'calendar') AND s.urn IS NULL
  AND EXISTS (SELECT 1 FROM tables.school)
  -- The authority's own term dates.
  AND NOT (f.kind = 'calendar' AND f.urn = $la_code)
