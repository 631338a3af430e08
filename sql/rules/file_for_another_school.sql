/*
about = "A file whose name is that of one school of the authority and whose rows are of another. Six digits may be a date too: of no other authority's school."
source = "contract.md 4"
outcome = "refuse_file"
expected = "rows of the school that the file is named after"
*/
SELECT f.file_id, f.urn, f.rows, 'rows of ' || CAST(f.urn AS VARCHAR) || ' in a file named after ' || CAST(f.named_urn AS VARCHAR) AS found
FROM incoming.file f
JOIN tables.school s ON s.urn = f.named_urn AND s.la_code = $la_code
WHERE f.urn IS NOT NULL AND f.urn <> f.named_urn AND NOT f.of_many AND f.kind IN ('marks', 'roll', 'calendar')
