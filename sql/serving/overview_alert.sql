/*
about = "Alerts by rule: how many stand, how many are new in the week up to the day asked for, how many were retracted in it."
grain = ["rule"]
source = "alerts.standing, alerts.history"

[params]
new_days = 7

[columns]
rule = { doc = "The rule", visibility = "public" }
standing = { doc = "Open now", visibility = "area" }
new = { doc = "Raised in the last seven days, whether or not they have ended since", visibility = "area" }
retracted = { doc = "Retracted in the last seven days", visibility = "area" }
schools = { doc = "Schools of those open now; null: none, or the rule spans schools", visibility = "area" }
oldest = { doc = "Day on which the oldest open one was raised", visibility = "area" }
*/
WITH standing AS (
  SELECT rule, count(*) FILTER (WHERE status = 'open') AS standing,
         count(*) FILTER (WHERE add_days($as_of, -$new_days) < raised_on) AS new,
         CASE WHEN NOT bool_and(urn IS NULL) THEN count(DISTINCT urn) FILTER (WHERE status = 'open') END AS schools, min(CASE WHEN status = 'open' THEN raised_on END) AS oldest
  FROM alerts.standing GROUP BY rule
), retracted AS (
  SELECT rule, count(*) AS retracted FROM alerts.history
  WHERE to_status = 'retracted' AND add_days($as_of, -$new_days) < CAST(changed_at AS DATE) AND CAST(changed_at AS DATE) <= $as_of
  GROUP BY rule
)
SELECT coalesce(s.rule, r.rule) AS rule, coalesce(s.standing, 0) AS standing, coalesce(s.new, 0) AS new, coalesce(r.retracted, 0) AS retracted, s.schools, s.oldest
FROM standing s FULL JOIN retracted r ON r.rule = s.rule
