/*
about = "Schools as GIAS states them, as known then, with the phase the DfE counts them under."
grain = ["urn"]
source = "GIAS; domain.md 2.1"

[columns]
urn = { doc = "The school", visibility = "area" }
la_code = { doc = "Local authority", visibility = "public" }
name = { doc = "Name", visibility = "public" }
phase = { doc = "Primary, Secondary, Special, Alternative provision or Other", visibility = "public" }
trust_id = { doc = "Multi-academy trust, as known then", visibility = "public" }
trust_name = { doc = "Name of the trust", visibility = "public" }
status_code = { doc = "GIAS status: 1 open, 2 closed, 3 proposed to close, 4 proposed to open", visibility = "public" }
open_date = { doc = "First day, where known", visibility = "public" }
close_date = { doc = "Last day, where known", visibility = "public" }
*/
SELECT s.urn, s.la_code, s.name,
       coalesce(t.phase, p.phase, 'Other') AS phase,
       nullif(s.trust_id, '') AS trust_id, nullif(s.trust_name, '') AS trust_name,
       s.status_code, s.open_date, s.close_date
FROM believed.school s
LEFT JOIN reference.establishment_type t ON CAST(t.type_code AS VARCHAR) = ltrim(s.type_code, '0')
LEFT JOIN reference.school_phase p ON p.phase_name = s.phase_name
