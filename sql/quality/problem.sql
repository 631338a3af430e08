/*
about = "What is wrong in the returns, where it stands, and the later return that mended it."
grain = ["problem_id"]
source = "contract.md 4"

[columns]
problem_id = { doc = "The problem", visibility = "area" }
return_id = { doc = "The return in which it was first seen", visibility = "area" }
source = { doc = "Where that came from", visibility = "area" }
urn = { doc = "The school", visibility = "area" }
file = { doc = "The file", visibility = "area" }
line = { doc = "Line in the file; null: the file as a whole", visibility = "area" }
pupil_key = { doc = "The child, where it is of one", visibility = "pupil" }
rule = { doc = "The rule", visibility = "area" }
severity = { doc = "warn, refuse_row or refuse_file", visibility = "area" }
found = { doc = "What was found; a UPN only as its shape", visibility = "pupil" }
expected = { doc = "What would be right", visibility = "area" }
rows = { doc = "Rows that share it", visibility = "area" }
first_seen = { doc = "When the return was received", visibility = "area" }
fixed_by = { doc = "The return that mended it; null: open", visibility = "area" }
*/
WITH seen AS (
  SELECT problem_id, min(known_from) AS first_seen, max(known_from) AS last_seen,
         first_value(return_id ORDER BY known_from) AS return_id, first_value(source ORDER BY known_from) AS source,
         first_value(urn ORDER BY known_from) AS urn, first_value(file ORDER BY known_from) AS file,
         first_value(line ORDER BY known_from) AS line, first_value(pupil_key ORDER BY known_from) AS pupil_key, first_value(rule ORDER BY known_from) AS rule,
         first_value(severity ORDER BY known_from) AS severity, first_value(found ORDER BY known_from) AS found,
         first_value(expected ORDER BY known_from) AS expected, first_value(rows ORDER BY known_from) AS rows
  FROM believed.problem GROUP BY problem_id
), fixed AS (
  SELECT problem_id, max(known_from) AS fixed_at, last_value(return_id ORDER BY known_from) AS fixed_by
  FROM believed.problem_fix GROUP BY problem_id
)
SELECT s.problem_id, s.return_id, s.source, s.urn, s.file, s.line, s.pupil_key, s.rule, s.severity, s.found, s.expected, s.rows,
       s.first_seen, CASE WHEN s.last_seen <= f.fixed_at THEN f.fixed_by END AS fixed_by
FROM seen s LEFT JOIN fixed f ON f.problem_id = s.problem_id
