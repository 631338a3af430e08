/*
about = "Ten or more sessions of G, N, O or U within any ten school weeks in a row, at all the child's schools together: a penalty notice must be considered."
grain = ["alert_id"]
raises = true
source = "National framework for penalty notices, from 19 August 2024; domain.md 5"

[params]
weeks = 10
counted_from = 2024-08-19

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
WITH counted AS (
  SELECT r.pupil_key, max(r.upn) AS upn,
         register_union(only(register_between(r.register, greatest(r.csa_from, $counted_from), r.csa_to), 'codes:G N O U'))
           FILTER (WHERE r.csa_from IS NOT NULL) AS register,
         -- Weeks in which a school of the child was open while the child was on its roll: a week that it has not sent yet
         -- is one where term dates have it.
         register_union(register_within(k.calendar, r.stints)) AS open
  FROM tables.school_calendar k
  RIGHT JOIN (SELECT r.* FROM tables.unauthorised_often o JOIN tables.register_year r ON o.pupil_key = r.pupil_key) r ON k.urn = r.urn
  GROUP BY r.pupil_key
), reached AS (
  SELECT c.pupil_key, c.upn, in_weeks(c.register, c.open, $penalty_sessions, $weeks, y.first_day) AS found, CAST(y.academic_year AS VARCHAR) AS academic_year
  -- The smaller side stands first: it is the one a join holds.
  FROM reference.academic_year y JOIN counted c ON y.first_day <= $as_of AND $as_of <= y.last_day
)
SELECT stable_id('penalty_threshold ' || CAST(pupil_key AS VARCHAR) || ' ' || academic_year) AS alert_id,
       'penalty_threshold' AS rule, upn, pupil_key, CAST(NULL AS INT) AS urn, found['reached_on'] AS raised_on,
       found['first_day'] AS event_from, found['last_day'] AS event_to, CAST(found['sessions'] AS BIGINT) AS sessions,
       'open' AS status
FROM reached
WHERE found['sessions'] IS NOT NULL
