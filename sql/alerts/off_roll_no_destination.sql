/*
about = "A child of compulsory school age who has left a roll this school year or the last, with a ground that names no school or with none, and is on no other roll of the authority since. When a school closes, whoever is still on its roll has left it, once the school that follows it has sent its own."
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
WITH followed AS (
  SELECT l.urn, bool_or(r.urn IS NOT NULL) AS has_sent
  FROM believed.school_link l LEFT JOIN (SELECT DISTINCT urn FROM tables.enrolment) r ON r.urn = l.link_urn
  WHERE l.link_type LIKE 'Successor%'
  GROUP BY l.urn
), closed AS (
  SELECT s.urn, s.close_date FROM tables.school s LEFT JOIN followed f ON f.urn = s.urn
  WHERE s.close_date <= $as_of AND coalesce(f.has_sent, true)
), stint AS (
  SELECT e.pupil_key, e.urn, e.upn, e.entry_date, e.dob, e.leaving_ground, e.destination, least(e.last_day, s.close_date) AS last_day
  -- The smaller side stands first: it is the one a join holds.
  FROM closed s RIGHT JOIN tables.enrolment e ON s.urn = e.urn
), left_roll AS (
  SELECT e.pupil_key, e.urn, e.upn, e.last_day, c.ends_on
  FROM stint e
  JOIN reference.compulsory_school_age c ON c.born_year = date_part('year', e.dob) AND c.born_month = date_part('month', e.dob)
  JOIN reference.academic_year y ON y.first_day <= $as_of AND $as_of <= y.last_day
  JOIN reference.academic_year b ON b.starts_in + 1 = y.starts_in
  WHERE e.last_day < $as_of AND b.first_day <= e.last_day AND c.starts_on <= e.last_day AND e.last_day < c.ends_on
    AND coalesce(e.leaving_ground, '') NOT IN ('b', 'e', 'f', 'j', 'k', 'l')
    AND (coalesce(e.destination, '') = '' OR lower(trim(e.destination)) IN (SELECT word FROM reference.no_destination))
)
SELECT stable_id('off_roll_no_destination ' || CAST(l.pupil_key AS VARCHAR) || ' ' || CAST(l.urn AS VARCHAR) || ' ' || CAST(l.last_day AS VARCHAR)) AS alert_id,
       'off_roll_no_destination' AS rule, l.upn, l.pupil_key, l.urn, add_days(l.last_day, 1) AS raised_on,
       l.last_day AS event_from, $as_of AS event_to, CAST(NULL AS BIGINT) AS sessions,
       CASE WHEN $as_of <= l.ends_on THEN 'open' ELSE 'ended' END AS status
FROM left_roll l
-- Nor on a roll for longer: of another school, one that the child is to enter next term too, or of this one.
WHERE NOT EXISTS (
  SELECT o.pupil_key FROM stint o
  WHERE o.pupil_key = l.pupil_key AND o.entry_date <= add_days($as_of, $roll_days_ahead)
    AND (o.last_day IS NULL OR l.last_day < o.last_day)
)
