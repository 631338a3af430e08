/*
about = "Schools of the authority from which a return is expected: open in GIAS, and those that have sent one."
grain = ["urn"]
source = "contract.md 4: schools_expected"

[columns]
urn = { doc = "The school", visibility = "area" }
la_code = { doc = "Local authority", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision or Other", visibility = "public" }
*/
SELECT s.urn, s.la_code, s.phase
FROM tables.school s
LEFT JOIN (SELECT DISTINCT urn FROM tables.open_week) o ON o.urn = s.urn
WHERE s.la_code = $la_code AND s.phase <> 'Other'
  AND (o.urn IS NOT NULL OR s.status_code IN ('1', '3'))
