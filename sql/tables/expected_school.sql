/*
about = "Schools of the authority from which a return is expected while they are open: those in GIAS, one that was to open from that day on, nurseries, colleges and independent schools only once they have sent one."
grain = ["urn"]
source = "contract.md 4: schools_expected"

[columns]
open_date = { doc = "First day, where known", visibility = "public" }
close_date = { doc = "Last day, where known", visibility = "public" }
urn = { doc = "The school", visibility = "area" }
la_code = { doc = "Local authority", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision or Other", visibility = "public" }
*/
SELECT s.urn, s.la_code, s.phase, s.open_date, s.close_date
FROM tables.school s
LEFT JOIN tables.own_calendar o ON o.urn = s.urn
WHERE s.la_code = $la_code
  AND (o.urn IS NOT NULL OR s.phase <> 'Other' AND (s.status_code IN ('1', '3') OR s.close_date IS NOT NULL OR s.status_code = '4' AND s.open_date <= $as_of))
