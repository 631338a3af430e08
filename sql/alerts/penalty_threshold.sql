/*
about = "Ten or more sessions of G, N, O or U within any ten school weeks in a row, at all the child's schools together: a penalty notice must be considered."
grain = ["alert_id"]
source = "National framework for penalty notices, from 19 August 2024; domain.md 5"

[params]
sessions = 10
# Ten school weeks: the week itself and nine before it.
weeks_before = 9
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
  SELECT pupil_key, urn, week_start,
         boxes(marks, 'codes:G N O U') & within & boxes_between(week_start, greatest(csa_from, $counted_from), csa_to) AS counted
  FROM tables.register_line WHERE csa_from IS NOT NULL
), child AS (
  SELECT pupil_key FROM line GROUP BY pupil_key HAVING $sessions <= sum(box_count(counted))
), week AS (
  -- Weeks in which a school of the child was open while the child was on its roll.
  SELECT DISTINCT e.pupil_key, o.week_start
  FROM child c
  JOIN tables.enrolment_year e ON c.pupil_key = e.pupil_key
  JOIN tables.open_week o ON o.urn = e.urn
  WHERE o.open & boxes_between(o.week_start, greatest(e.first_day, $counted_from), e.last_day) <> 0
), counted AS (
  SELECT l.pupil_key, l.week_start, sum(box_count(l.counted)) AS sessions, CAST(bit_or(l.counted) AS INT) AS mask
  FROM child c JOIN line l ON c.pupil_key = l.pupil_key
  GROUP BY l.pupil_key, l.week_start
), windowed AS (
  SELECT w.pupil_key, w.week_start, coalesce(c.sessions, 0) AS sessions, c.mask,
         sum(coalesce(c.sessions, 0)) OVER (PARTITION BY w.pupil_key ORDER BY w.week_start ROWS BETWEEN $weeks_before PRECEDING AND CURRENT ROW) AS in_window,
         min(CASE WHEN 0 < c.sessions THEN first_box_day(w.week_start, c.mask) END)
           OVER (PARTITION BY w.pupil_key ORDER BY w.week_start ROWS BETWEEN $weeks_before PRECEDING AND CURRENT ROW) AS first_in_window
  FROM week w LEFT JOIN counted c ON c.pupil_key = w.pupil_key AND c.week_start = w.week_start
), reached AS (
  SELECT w.pupil_key,
         nth_box_day(w.week_start, w.mask, CAST($sessions - (w.in_window - w.sessions) AS INT)) AS raised_on,
         w.first_in_window, last_box_day(w.week_start, w.mask) AS last_day, w.in_window
  FROM windowed w
  JOIN reference.academic_year y ON y.first_day <= $as_of AND $as_of <= y.last_day
  WHERE $sessions <= w.in_window AND 0 < w.sessions AND y.first_day <= last_box_day(w.week_start, w.mask)
)
SELECT stable_id('penalty_threshold ' || CAST(r.pupil_key AS VARCHAR) || ' ' || max(CAST(y.academic_year AS VARCHAR))) AS alert_id,
       'penalty_threshold' AS rule, max(p.upn) AS upn, r.pupil_key, CAST(NULL AS INT) AS urn,
       coalesce(min(r.raised_on), min(r.last_day)) AS raised_on, min(r.first_in_window) AS event_from, max(r.last_day) AS event_to,
       max(r.in_window) AS sessions, 'open' AS status
FROM reached r
JOIN reference.academic_year y ON y.first_day <= $as_of AND $as_of <= y.last_day
JOIN (SELECT pupil_key, max(upn) AS upn FROM tables.enrolment GROUP BY pupil_key) p ON p.pupil_key = r.pupil_key
GROUP BY r.pupil_key
