/*
about = "Every expected school with its year so far, when it last sent, and what was refused of it."
grain = ["urn"]
source = "metrics.school_year, ledger.return"

[columns]
urn = { doc = "The school", visibility = "public" }
name = { doc = "Name", visibility = "public" }
phase = { doc = "Phase", visibility = "public" }
trust_name = { doc = "Trust", visibility = "public" }
enrolments = { doc = "Enrolments of the cohort", visibility = "area" }
absence_percent = { doc = "Absence", visibility = "area" }
persistent = { doc = "Persistently absent", visibility = "area" }
persistent_percent = { doc = "In percent", visibility = "area" }
severe = { doc = "Severely absent", visibility = "area" }
severe_percent = { doc = "In percent", visibility = "area" }
last_sent = { doc = "When a marks return was last taken", visibility = "area" }
last_day = { doc = "Last day of which marks are held", visibility = "area" }
refused_rows = { doc = "Rows refused this year", visibility = "area" }
*/
WITH returned AS (
  SELECT urn, max(received_at) AS last_sent, max(last_day) AS last_day
  FROM tables.return_school WHERE kind = 'marks' GROUP BY urn
), refused AS (
  SELECT urn, sum(rows_refused) AS refused_rows FROM ledger.return GROUP BY urn
)
SELECT e.urn, s.name, e.phase, s.trust_name, y.enrolments, y.absence_percent, y.persistent, y.persistent_percent,
       y.severe, y.severe_percent, r.last_sent, r.last_day, coalesce(f.refused_rows, 0) AS refused_rows
FROM tables.expected_school e
JOIN tables.school s ON s.urn = e.urn
LEFT JOIN metrics.school_year y ON y.urn = e.urn AND y.academic_year = (SELECT CAST(academic_year AS VARCHAR) FROM reference.academic_year WHERE first_day <= $as_of AND $as_of <= last_day)
LEFT JOIN returned r ON r.urn = e.urn
LEFT JOIN refused f ON f.urn = e.urn
WHERE coalesce(e.open_date, $as_of) <= $as_of AND $as_of <= coalesce(e.close_date, $as_of)
