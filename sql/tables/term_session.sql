/*
about = "What the authority's term dates say of each school that has stated no open session of the school year, of the sessions of which it says nothing itself."
grain = ["urn", "date", "session"]
source = "contract.md 2: Calendar"

[columns]
urn = { doc = "The school", visibility = "area" }
date = { doc = "The day, of any time", visibility = "public" }
session = { doc = "AM or PM", visibility = "public" }
open = { doc = "Open by the term dates; null: they do not say", visibility = "public" }
*/
WITH stated AS (
  SELECT c.urn, c.date, c.session, c.open, y.academic_year
  FROM reference.academic_year y JOIN believed.calendar c ON y.first_day <= c.date AND c.date <= y.last_day
)
SELECT e.urn, t.date, t.session, t.open
FROM tables.expected_school e
JOIN stated t ON t.urn = $la_code AND coalesce(e.open_date, t.date) <= t.date AND t.date <= coalesce(e.close_date, t.date)
WHERE NOT EXISTS (SELECT s.urn FROM stated s WHERE s.open AND s.urn = e.urn AND s.academic_year = t.academic_year)
  AND NOT EXISTS (SELECT s.urn FROM stated s WHERE s.urn = e.urn AND s.date = t.date AND s.session = t.session)
