/*
about = "What each return that was taken says of each school: a return may speak of several."
grain = ["return_id", "urn"]
source = "contract.md 4: ledger.return"

[columns]
return_id = { doc = "The return", visibility = "area" }
urn = { doc = "The school", visibility = "area" }
kind = { doc = "Kind of file", visibility = "area" }
received_at = { doc = "When the authority had it", visibility = "area" }
rows_kept = { doc = "Rows kept of the school", visibility = "area" }
first_day = { doc = "First day stated of the school", visibility = "area" }
last_day = { doc = "Last day stated of the school", visibility = "area" }
*/
SELECT return_id, urn, kind, received_at, rows_kept, first_day, last_day
FROM believed.return WHERE status = 'taken' AND urn IS NOT NULL
UNION ALL
SELECT return_id, urn, kind, known_from AS received_at, rows_kept, first_day, last_day
FROM believed.return_school
