/*
about = "Ten or more sessions of G, N, O or U within any ten school weeks in a row, at all the child's schools together: a penalty notice must be considered."
grain = ["alert_id"]
source = "National framework for penalty notices, from 19 August 2024; domain.md 5"

[params]
sessions = 10
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
WITH line AS (
  SELECT pupil_key, week_start, marks,
         boxes(marks, 'codes:G N O U') & within & boxes_between(week_start, greatest(csa_from, $counted_from), csa_to) AS counted
  FROM tables.register_line WHERE csa_from IS NOT NULL
), child AS (
  SELECT pupil_key, register(keep(marks, counted), week_start) AS marks
  FROM line WHERE counted <> 0 GROUP BY pupil_key HAVING $sessions <= sum(box_count(counted))
), week AS (
  -- Weeks in which a school of the child was open while the child was on its roll.
  SELECT e.pupil_key, register(line_of(o.open & boxes_between(o.week_start, greatest(e.first_day, $counted_from), e.last_day), '/'), o.week_start) AS open
  FROM child c
  JOIN tables.enrolment_year e ON e.pupil_key = c.pupil_key
  JOIN tables.open_week o ON o.urn = e.urn
  WHERE o.open & boxes_between(o.week_start, greatest(e.first_day, $counted_from), e.last_day) <> 0
  GROUP BY e.pupil_key
), reached AS (
  SELECT c.pupil_key, in_weeks(c.marks, w.open, $sessions, $weeks, y.first_day) AS found, CAST(y.academic_year AS VARCHAR) AS academic_year
  FROM child c
  LEFT JOIN week w ON w.pupil_key = c.pupil_key
  JOIN reference.academic_year y ON y.first_day <= $as_of AND $as_of <= y.last_day
)
SELECT stable_id('penalty_threshold ' || CAST(r.pupil_key AS VARCHAR) || ' ' || r.academic_year) AS alert_id,
       'penalty_threshold' AS rule, p.upn, r.pupil_key, CAST(NULL AS INT) AS urn, r.found['reached_on'] AS raised_on,
       r.found['first_day'] AS event_from, r.found['last_day'] AS event_to, CAST(r.found['sessions'] AS BIGINT) AS sessions,
       'open' AS status
FROM reached r
JOIN (SELECT pupil_key, max(upn) AS upn FROM tables.enrolment GROUP BY pupil_key) p ON p.pupil_key = r.pupil_key
WHERE r.found['sessions'] IS NOT NULL
