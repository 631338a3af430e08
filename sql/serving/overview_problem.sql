/*
about = "Open problems by rule, of what had been received by the day asked for."
grain = ["rule", "severity"]
source = "quality.problem"

[columns]
rule = { doc = "The rule", visibility = "public" }
severity = { doc = "warn, refuse_row or refuse_file", visibility = "public" }
schools = { doc = "Schools", visibility = "area" }
rows = { doc = "Rows", visibility = "area" }
expected = { doc = "What would be right", visibility = "public" }
*/
SELECT rule, severity, count(DISTINCT urn) AS schools, sum(rows) AS rows, min(expected) AS expected
FROM quality.problem WHERE fixed_by IS NULL AND CAST(first_seen AS DATE) <= $as_of GROUP BY rule, severity
