/*
about = "What each school has sent of each open day: marks expected and held, N past the days allowed, when the day was first returned."
grain = ["urn", "date"]
streams = true
source = "contract.md 4; SI 2024/208 regulation 10"

[params]
late_days = 7

[columns]
urn = { doc = "The school", visibility = "area" }
date = { doc = "The day", visibility = "public" }
expected = { doc = "Marks expected: open sessions of the pupils on roll", visibility = "area" }
received = { doc = "Marks held of these", visibility = "area" }
missing_marks = { doc = "Expected and not held", visibility = "area" }
stale_n = { doc = "N that should have been replaced", visibility = "area" }
returned_at = { doc = "When a return first covered the day", visibility = "area" }
open_by = { doc = "How the day is known to be open: calendar (the school's own), marks, or term dates (the authority's, inferred)", visibility = "area" }
is_late = { doc = "First covered more than a week after the day", visibility = "area" }
*/
WITH open AS (
  SELECT o.urn, add_days(o.week_start, CAST(x.day AS INT)) AS date, x.session, (o.told >> x.place) & 1 = 1 AS is_told
  FROM tables.open_week o CROSS JOIN reference.box x
  WHERE (o.open >> x.place) & 1 = 1
), day AS (
  SELECT s.urn, s.date, sum(CASE WHEN o.urn IS NULL THEN 0 ELSE s.recorded END) AS received, sum(s.n) AS n
  FROM tables.school_session s LEFT JOIN open o ON o.urn = s.urn AND o.date = s.date AND o.session = s.session
  GROUP BY s.urn, s.date
), stint AS (
  -- A child whose stints overlap is on roll once.
  SELECT urn, last_day,
         greatest(first_day, coalesce(add_days(max(last_day) OVER (PARTITION BY urn, pupil_key ORDER BY entry_date, first_day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1), first_day)) AS first_day
  FROM tables.enrolment_year
), pupils AS (
  SELECT o.urn, o.date, count(*) * max(o.sessions) AS expected, bool_or(o.is_told) AS is_told
  FROM (SELECT urn, date, count(*) AS sessions, bool_or(is_told) AS is_told FROM open GROUP BY urn, date) o JOIN stint e ON e.urn = o.urn AND e.first_day <= o.date AND o.date <= e.last_day
  GROUP BY o.urn, o.date
), stated AS (
  SELECT DISTINCT urn, date FROM believed.calendar WHERE open
), returned AS (
  SELECT o.urn, o.date, min(r.received_at) AS returned_at
  FROM (SELECT DISTINCT urn, date FROM open) o
  JOIN tables.return_school r ON r.urn = o.urn AND r.kind = 'marks' AND r.first_day <= o.date AND o.date <= r.last_day
  GROUP BY o.urn, o.date
)
SELECT p.urn, p.date, p.expected, least(coalesce(d.received, 0), p.expected) AS received,
       p.expected - least(coalesce(d.received, 0), p.expected) AS missing_marks,
       CASE WHEN $n_days_allowed < days_with(c.calendar, 'recorded', add_days(p.date, 1), $as_of) OR $n_days_silent < l.days
            THEN coalesce(d.n, 0) ELSE 0 END AS stale_n,
       r.returned_at,
       CASE WHEN s.urn IS NOT NULL THEN 'calendar' WHEN p.is_told THEN 'marks' ELSE 'term dates' END AS open_by,
       CAST(r.returned_at AS DATE) > add_days(p.date, CAST($late_days AS INT)) AS is_late
FROM pupils p
LEFT JOIN day d ON d.urn = p.urn AND d.date = p.date
LEFT JOIN stated s ON s.urn = p.urn AND s.date = p.date
LEFT JOIN returned r ON r.urn = p.urn AND r.date = p.date
LEFT JOIN tables.own_calendar c ON c.urn = p.urn
LEFT JOIN tables.silence l ON l.urn = p.urn
