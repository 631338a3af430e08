/*
about = "Twenty or more school days in a row on which every session is G, N or O: joint reasonable enquiries, ground i."
grain = ["alert_id"]
raises = true
source = "SI 2024/208 regulation 9(1)(i); domain.md 3"

[params]
days = 20

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
status = { doc = "open, or ended: the child has been marked otherwise since, or the school has closed", visibility = "area" }
*/
WITH run AS (
  SELECT pupil_key, urn, upn, unnest(runs(register, 'codes:G N O', CAST($days AS INT))) AS run FROM tables.unauthorised_register
)
SELECT stable_id('unauthorised_20_days' || ' ' || CAST(r.pupil_key AS VARCHAR) || ' ' || CAST(r.urn AS VARCHAR) || ' ' || CAST(r.run['first_day'] AS VARCHAR)) AS alert_id,
       'unauthorised_20_days' AS rule, r.upn, r.pupil_key, r.urn, r.run['reached_on'] AS raised_on,
       r.run['first_day'] AS event_from, r.run['last_day'] AS event_to, CAST(r.run['sessions'] AS BIGINT) AS sessions,
       CASE WHEN r.run['ended_on'] IS NULL AND coalesce($as_of <= s.close_date, true) THEN 'open' ELSE 'ended' END AS status
-- The smaller side stands first: it is the one a join holds.
FROM reference.academic_year y JOIN (tables.school s RIGHT JOIN run r ON s.urn = r.urn) ON y.first_day <= r.run['last_day']
WHERE y.first_day <= $as_of AND $as_of <= y.last_day
