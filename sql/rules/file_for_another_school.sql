/*
about = "A file whose name is that of one school and whose rows are of another."
source = "contract.md 4"
outcome = "refuse_file"
expected = "rows of the school that the file is named after"
*/
SELECT f.file_id, f.urn, f.rows, 'rows of ' || CAST(f.urn AS VARCHAR) || ' in a file named after ' || CAST(f.named_urn AS VARCHAR) AS found
FROM incoming.file f
JOIN tables.school s ON s.urn = f.named_urn
WHERE f.urn IS NOT NULL AND f.urn <> f.named_urn AND NOT f.of_many AND f.kind IN ('marks', 'roll', 'calendar')
