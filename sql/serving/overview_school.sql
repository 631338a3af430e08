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
is_silent = { doc = "No marks of the newest week that any school has sent", visibility = "area" }
school_days_silent = { doc = "School days of the authority since the last day of which marks are held, or since the year began", visibility = "area" }
refused_rows = { doc = "Rows refused this year", visibility = "area" }
*/
WITH returned AS (
  SELECT urn, max(received_at) AS last_sent, least(max(last_day), $as_of) AS last_day
  FROM tables.return_school WHERE kind = 'marks' GROUP BY urn
), year AS (
  SELECT CAST(academic_year AS VARCHAR) AS academic_year, first_day, last_day FROM reference.academic_year WHERE first_day <= $as_of AND $as_of <= last_day
), newest AS (
  SELECT max(week_start) AS week_start FROM metrics.area_week
  WHERE la_code = $la_code AND phase = 'Total' AND academic_year = (SELECT academic_year FROM year) AND 0 < possible
), sent AS (
  SELECT DISTINCT s.urn FROM newest n JOIN tables.sent_week s ON s.week_start = n.week_start
), school_days AS (
  -- The days on which any school of the authority was open.
  SELECT e.la_code, register_union(c.calendar) AS calendar
  FROM tables.expected_school e JOIN tables.own_calendar c ON c.urn = e.urn GROUP BY e.la_code
), refused AS (
  SELECT urn, sum(rows) AS refused_rows
  FROM (
    SELECT urn, rows_refused AS rows, received_at FROM ledger.return WHERE urn IS NOT NULL
    UNION ALL
    -- A file of several schools has none of its own: its problems say whose rows they are.
    SELECT p.urn, p.rows, r.received_at FROM quality.problem p JOIN ledger.return r ON r.return_id = p.return_id
    WHERE r.urn IS NULL AND p.urn IS NOT NULL AND p.severity <> 'warn'
  ) JOIN year ON first_day <= CAST(received_at AS DATE) AND CAST(received_at AS DATE) <= least(last_day, $as_of)
  GROUP BY urn
)
SELECT e.urn, s.name, e.phase, s.trust_name, y.enrolments, y.absence_percent, y.persistent, y.persistent_percent,
       y.severe, y.severe_percent, r.last_sent, r.last_day,
       t.urn IS NULL AND w.urn IS NULL AS is_silent,
       days_with(d.calendar, 'recorded', add_days(coalesce(r.last_day, add_days((SELECT first_day FROM year), -1)), 1), $as_of) AS school_days_silent,
       coalesce(f.refused_rows, 0) AS refused_rows
FROM tables.expected_school e
JOIN tables.school s ON s.urn = e.urn
LEFT JOIN metrics.school_year y ON y.urn = e.urn AND y.academic_year = (SELECT academic_year FROM year)
LEFT JOIN sent t ON t.urn = e.urn
-- A school whose calendar closes the week owes nothing for it.
LEFT JOIN (SELECT c.urn FROM newest n JOIN tables.closed_week c ON c.week_start = n.week_start) w ON w.urn = e.urn
LEFT JOIN school_days d ON d.la_code = e.la_code
LEFT JOIN returned r ON r.urn = e.urn
LEFT JOIN refused f ON f.urn = e.urn
WHERE coalesce(e.open_date, $as_of) <= $as_of AND $as_of <= coalesce(e.close_date, $as_of)
