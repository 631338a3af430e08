/*
about = "Fifteen or more different school days in the school year with at least one I: the sickness return of regulation 13."
grain = ["alert_id"]
source = "SI 2024/208 regulation 13; domain.md 3"

[params]
days = 15

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
WITH long AS (
  SELECT pupil_key, urn, academic_year
  FROM tables.register_line
  WHERE academic_year = (SELECT CAST(academic_year AS VARCHAR) FROM reference.academic_year WHERE first_day <= $as_of AND $as_of <= last_day)
  GROUP BY pupil_key, urn, academic_year
  HAVING $days <= sum(sessions(marks, 'codes:I', week_start))
), gathered AS (
  SELECT r.pupil_key, r.urn, r.academic_year,
         register(keep(r.marks, r.within & boxes_between(r.week_start, r.csa_from, r.csa_to)), r.week_start) AS marks
  FROM long l
  JOIN tables.register_line r ON l.pupil_key = r.pupil_key AND l.urn = r.urn AND l.academic_year = r.academic_year
  WHERE r.csa_from IS NOT NULL
  GROUP BY r.pupil_key, r.urn, r.academic_year
)
SELECT stable_id('sickness_15_days ' || CAST(g.pupil_key AS VARCHAR) || ' ' || CAST(g.urn AS VARCHAR) || ' ' || g.academic_year) AS alert_id,
       'sickness_15_days' AS rule, p.upn, g.pupil_key, g.urn, nth_day(g.marks, 'codes:I', CAST($days AS INT)) AS raised_on,
       nth_day(g.marks, 'codes:I', 1) AS event_from,
       nth_day(g.marks, 'codes:I', days_with(g.marks, 'codes:I', NULL, NULL)) AS event_to,
       CAST(sessions_with(g.marks, 'codes:I', NULL, NULL) AS BIGINT) AS sessions, 'open' AS status
FROM gathered g
JOIN (SELECT pupil_key, max(upn) AS upn FROM tables.enrolment GROUP BY pupil_key) p ON p.pupil_key = g.pupil_key
WHERE $days <= days_with(g.marks, 'codes:I', NULL, NULL)
