/*
about = "Fifteen or more different school days in the school year with at least one I: the sickness return of regulation 13."
grain = ["alert_id"]
raises = true
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
WITH ill AS (
  SELECT pupil_key, urn, academic_year, upn, register_between(register, csa_from, csa_to) AS register
  FROM tables.register_year
  WHERE academic_year = (SELECT CAST(academic_year AS VARCHAR) FROM reference.academic_year WHERE first_day <= $as_of AND $as_of <= last_day)
    AND csa_from IS NOT NULL AND $days <= authorised AND $days <= days_with(register, 'codes:I I01 I02', csa_from, csa_to)
)
SELECT stable_id('sickness_15_days ' || CAST(pupil_key AS VARCHAR) || ' ' || CAST(urn AS VARCHAR) || ' ' || academic_year) AS alert_id,
       'sickness_15_days' AS rule, upn, pupil_key, urn, nth_day(register, 'codes:I I01 I02', CAST($days AS INT)) AS raised_on,
       nth_day(register, 'codes:I I01 I02', 1) AS event_from, last_day_with(register, 'codes:I I01 I02') AS event_to,
       CAST(sessions_with(register, 'codes:I I01 I02', NULL, NULL) AS BIGINT) AS sessions, 'open' AS status
FROM ill
