/*
about = "A child of compulsory school age who has left a roll, with a ground that names no school or with none, and is on no other roll of the authority since."
grain = ["alert_id"]
raises = true
source = "SI 2024/208 regulations 9(1), 13; domain.md 4: CME-DEL"

[columns]
alert_id = { doc = "The alert: the same whenever it is derived", visibility = "area" }
rule = { doc = "The rule", visibility = "area" }
upn = { doc = "The newest UPN known", visibility = "pupil" }
pupil_key = { doc = "The child", visibility = "pupil" }
urn = { doc = "The school; null where the rule spans schools", visibility = "area" }
raised_on = { doc = "The school day on which the rule was met", visibility = "pupil" }
event_from = { doc = "First day", visibility = "pupil" }
event_to = { doc = "Last day so far", visibility = "pupil" }
sessions = { doc = "Sessions that count", visibility = "pupil" }
status = { doc = "open, or ended: the child has been marked otherwise since", visibility = "area" }
*/
WITH left_roll AS (
  SELECT e.pupil_key, e.urn, e.upn, e.last_day, e.leaving_ground, e.destination
  FROM tables.enrolment e
  JOIN reference.compulsory_school_age c ON c.born_year = date_part('year', e.dob) AND c.born_month = date_part('month', e.dob)
  JOIN reference.academic_year y ON y.first_day <= $as_of AND $as_of <= y.last_day
  WHERE e.last_day <= $as_of AND y.first_day <= e.last_day AND c.starts_on <= e.last_day AND e.last_day < c.ends_on
    AND coalesce(e.leaving_ground, '') NOT IN ('b', 'e', 'f', 'j', 'k', 'l')
    AND coalesce(e.destination, '') = ''
)
SELECT stable_id('off_roll_no_destination ' || CAST(l.pupil_key AS VARCHAR) || ' ' || CAST(l.urn AS VARCHAR) || ' ' || CAST(l.last_day AS VARCHAR)) AS alert_id,
       'off_roll_no_destination' AS rule, l.upn, l.pupil_key, l.urn, add_days(l.last_day, 1) AS raised_on,
       l.last_day AS event_from, $as_of AS event_to, CAST(NULL AS BIGINT) AS sessions, 'open' AS status
FROM left_roll l
-- Nor on the roll of another school, nor back on this one's.
WHERE NOT EXISTS (
  SELECT o.pupil_key FROM tables.enrolment o
  WHERE o.pupil_key = l.pupil_key AND o.entry_date <= $as_of
    AND CASE WHEN o.urn = l.urn THEN l.last_day < o.entry_date ELSE o.last_day IS NULL OR l.last_day < o.last_day END
)
