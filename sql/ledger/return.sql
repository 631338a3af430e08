/*
about = "Returns taken, with what was kept and refused of each."
grain = ["return_id"]
source = "contract.md 4"

[columns]
return_id = { doc = "The return", visibility = "area" }
source = { doc = "Where it came from", visibility = "area" }
urn = { doc = "The school", visibility = "area" }
file = { doc = "Name of the file", visibility = "area" }
kind = { doc = "Kind of file", visibility = "area" }
sha256 = { doc = "SHA-256 of its bytes", visibility = "area" }
received_at = { doc = "When the authority had it", visibility = "area" }
rows_in = { doc = "Rows in the file", visibility = "area" }
rows_kept = { doc = "Rows kept", visibility = "area" }
rows_refused = { doc = "Rows refused", visibility = "area" }
status = { doc = "taken or refused", visibility = "area" }
first_day = { doc = "First day stated", visibility = "area" }
last_day = { doc = "Last day stated", visibility = "area" }
*/
SELECT return_id, source, urn, file, kind, sha256, received_at, rows_in, rows_kept, rows_refused, status, first_day, last_day
FROM believed.return
